package venue

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A machine is a client with the duties of relent's: it records before it sends, waits out the fence, reads, applies
// fills once and reports what it did. Its faults are for the oracle to find.
type machine struct {
	v      *Venue
	report Report

	wrong string // what it does wrong
}

func (m *machine) intent(id string) *IntentReport {
	i := slices.IndexFunc(m.report.Intents, func(in IntentReport) bool { return in.ClientID == id })
	if i < 0 {
		m.report.Intents = append(m.report.Intents, IntentReport{ClientID: id, Created: time.Now(), Within: time.Minute, MaxAge: 40 * time.Second})
		i = len(m.report.Intents) - 1
	}
	return &m.report.Intents[i]
}

// send records an attempt and makes it.
func (m *machine) send(id string) response {
	record := func() { m.report.Attempts = append(m.report.Attempts, AttemptReport{id, time.Now()}) }
	if m.wrong != "sends before it records" && m.wrong != "records after it sends" {
		record()
	}
	r := ask(m.v, "POST", "order", smallBuy+id)
	if m.wrong == "records after it sends" {
		time.Sleep(time.Millisecond)
		record()
	}
	return r
}

// order works on one intent until it is settled.
func (m *machine) order(id string) {
	in := m.intent(id)
	for try := 0; in.State == ""; try++ {
		r := m.send(id)
		switch {
		case !r.cut && r.status == 200:
			if in.State = StateFilled; in.Evidence.IsZero() {
				in.Evidence = time.Now()
			}
			if m.wrong == "resends what it knows" && try == 0 {
				in.State = ""
				time.Sleep(time.Second)
			}
			continue
		case m.wrong == "believes the first read":
			in.Absent, in.State = append(in.Absent, time.Now()), StateAbandoned
		case m.wrong == "parks without an alert":
			in.State = StateParked
		case m.wrong == "gives up silently":
			in.State = "UNKNOWN"
		case m.wrong == "takes its time":
			time.Sleep(2 * time.Minute)
			m.verify(in)
		default:
			m.verify(in)
		}
	}
	in.Settled = time.Now()
	m.fills(in)
}

// verify waits until the request can no longer arrive, and reads twice.
func (m *machine) verify(in *IntentReport) {
	time.Sleep(16 * time.Second)
	for range 2 {
		time.Sleep(time.Second)
		if r := ask(m.v, "GET", "order", "symbol=BTCUSDT origClientOrderId="+in.ClientID); !r.cut && r.status == 200 {
			in.Evidence, in.State = time.Now(), StateFilled
			return
		}
	}
	in.Absent = append(in.Absent, time.Now())
}

func (m *machine) fills(in *IntentReport) {
	for _, f := range m.v.Oracle().Orders[in.ClientID].Fills {
		in.Fills = append(in.Fills, FillReport{f.TradeID, f.Quantity})
	}
	switch {
	case len(in.Fills) == 0:
	case m.wrong == "forgets a fill":
		in.Fills = in.Fills[1:]
	case m.wrong == "applies a fill twice":
		in.Fills = append(in.Fills, in.Fills[0])
	case m.wrong == "applies a wrong quantity":
		in.Fills[0].Quantity = in.Fills[0].Quantity.Add(dec("0.001"))
	}
}

// TestOracleJudgesMachines: a careful machine passes all twelve, and each wrong one fails what it breaks.
func TestOracleJudgesMachines(t *testing.T) {
	hour := func(m *machine) HaltReport { return HaltReport{From: time.Now()} }
	for _, test := range []struct {
		wrong string
		then  func(m *machine) // after two orders, of which the first answer was lost
		fails []string
	}{
		{wrong: ""},
		{wrong: "believes the first read", fails: []string{"I3"}},
		{wrong: "forgets a fill", fails: []string{"I4"}},
		{wrong: "applies a fill twice", fails: []string{"I4"}},
		{wrong: "applies a wrong quantity", fails: []string{"I4"}},
		{wrong: "parks without an alert", fails: []string{"I5"}},
		{wrong: "gives up silently", fails: []string{"I5"}},
		{wrong: "takes its time", fails: []string{"I5"}},
		{wrong: "sends before it records", fails: []string{"I6"}},
		{wrong: "records after it sends", fails: []string{"I6"}},
		{wrong: "resends what it knows", fails: []string{"I1", "I2", "I12"}},
		{wrong: "sends during a halt", then: func(m *machine) {
			m.report.Halts = append(m.report.Halts, hour(m))
			time.Sleep(time.Second)
			m.order("c")
		}, fails: []string{"I7"}},
		{wrong: "sends after a halt was lifted", then: func(m *machine) {
			m.report.Halts = append(m.report.Halts, HaltReport{From: time.Now(), To: time.Now().Add(time.Second)})
			time.Sleep(time.Second)
			m.order("c")
		}},
		{wrong: "sends what is too old", then: func(m *machine) {
			m.intent("c")
			time.Sleep(41 * time.Second)
			m.order("c")
		}, fails: []string{"I7"}},
		{wrong: "sends past a failed guard", then: func(m *machine) {
			m.report.Attempts = append(m.report.Attempts, AttemptReport{"c", time.Now()})
			in := m.intent("c")
			in.Refused = append(in.Refused, time.Now())
			time.Sleep(time.Second)
			m.wrong = "sends before it records"
			m.order("c")
		}, fails: []string{"I7"}},
		{wrong: "sends when the guard passes later", then: func(m *machine) {
			in := m.intent("c")
			in.Refused = append(in.Refused, time.Now())
			time.Sleep(time.Second)
			m.order("c")
		}},
		{wrong: "probes inside a ban", then: func(m *machine) {
			if err := m.v.Faults.Add(Fault{Kind: Ban, Count: 1}); err != nil {
				panic(err)
			}
			get(m.v, "ping")
			get(m.v, "ping")
		}, fails: []string{"I8"}},
		{wrong: "ignores the weight", then: func(m *machine) {
			for range 243 { // of weight 25 each
				get(m.v, "trades?symbol=BTCUSDT")
			}
		}, fails: []string{"I9"}},
		{wrong: "sends without an id", then: func(m *machine) { ask(m.v, "POST", "order", smallBuy) }, fails: []string{"I4", "I6"}},
		{wrong: "makes a new id per try", then: func(m *machine) {
			m.report.Attempts = append(m.report.Attempts, AttemptReport{"other", time.Now()})
			ask(m.v, "POST", "order", smallBuy+"other")
		}, fails: []string{"I4"}},
	} {
		name := test.wrong
		if name == "" {
			name = "careful"
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := New(Config{})
				add(t, v, Fault{Kind: AcceptDropAnswer, Count: 1})
				m := &machine{v: v, wrong: test.wrong}
				m.order("a")
				m.order("b")
				if test.then != nil {
					test.then(m)
				}
				f := v.Oracle().Check(m.report)
				if len(f.Invariants) != 12 {
					t.Fatalf("%d invariants were judged; want 12", len(f.Invariants))
				}
				if got := failed(f); !slices.Equal(got, test.fails) {
					t.Errorf("failed %v; want %v: %+v", got, test.fails, f)
				}
			})
		})
	}
}
