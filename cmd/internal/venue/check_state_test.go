package venue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOracleJudgesRestarts: what a recovery says is held against the log and the venue.
func TestOracleJudgesRestarts(t *testing.T) {
	v := New(Config{})
	ask(v, "POST", "order", marketBuy+"filled")
	ask(v, "POST", "order", restingBid+"open")
	at := time.Now()
	time.Sleep(2 * time.Millisecond) // of real time: the next order comes after the restart
	ask(v, "POST", "order", marketBuy+"later")
	filled, none := dec("0.01"), dec("0")
	good := []StateReport{{"filled", StateFilled, filled}, {"open", StateAcked, none}, {"unsent", StateAbandoned, none}}
	for _, test := range []struct {
		name          string
		replay, after []StateReport
		pass          bool
	}{
		{"as it should be", []StateReport{{"filled", "UNKNOWN", none}, {"open", StateAcked, none}}, good, true},
		{"forgets an intent", []StateReport{{"gone", "SENDING", none}}, good, false},
		{"forgets a fill", []StateReport{{"filled", StateFilled, filled}}, []StateReport{{"filled", StateFilled, none}}, false},
		{"takes back what was final", []StateReport{{"filled", StateFilled, filled}}, []StateReport{{"filled", "VERIFYING", filled}}, false},
		{"takes what exists for absent", nil, []StateReport{{"open", StateAbsent, none}}, false},
		{"takes what is absent for filled", nil, []StateReport{{"never", StateFilled, filled}}, false},
		{"knows the future", nil, []StateReport{{"later", StateFilled, filled}}, false},
		{"invents a fill", nil, []StateReport{{"open", StateAcked, filled}}, false},
	} {
		got := findings(v, Report{Restarts: []RestartReport{{at, test.replay, test.after}}}, "I10")
		if got.Pass != test.pass {
			t.Errorf("%s: %+v; want pass %v", test.name, got, test.pass)
		}
	}
}

// TestOracleJudgesBooks: a book that missed an update, or that is of another sequence, is not the venue's.
func TestOracleJudgesBooks(t *testing.T) {
	v := New(Config{KeepBook: 50})
	old := decode[depthView](t, get(v, "depth?symbol=BTCUSDT&limit=5000"))
	for range 3 {
		get(v, "depth?symbol=BTCUSDT")
	}
	d := decode[depthView](t, get(v, "depth?symbol=BTCUSDT&limit=5000"))
	book := func(seq int64, bids, asks [][2]string) Report {
		return Report{Books: []BookReport{{"BTCUSDT", seq, bids, asks}}}
	}
	short := strings.TrimRight(d.Bids[0][0], "0")
	otherForm := append([][2]string{{short, d.Bids[0][1]}}, d.Bids[1:]...)
	wrong := append([][2]string{{d.Bids[0][0], "77"}}, d.Bids[1:]...)
	for _, test := range []struct {
		name   string
		report Report
		pass   bool
	}{
		{"now", book(d.LastUpdateID, d.Bids, d.Asks), true},
		{"numbers in another form", book(d.LastUpdateID, otherForm, d.Asks), true},
		{"earlier", book(old.LastUpdateID, old.Bids, old.Asks), true},
		{"an update is missing", book(d.LastUpdateID, old.Bids, old.Asks), false},
		{"a wrong amount", book(d.LastUpdateID, wrong, d.Asks), false},
		{"a level is missing", book(d.LastUpdateID, d.Bids[:len(d.Bids)-1], d.Asks), false},
		{"the future", book(d.LastUpdateID+1, d.Bids, d.Asks), false},
		{"no such market", Report{Books: []BookReport{{Symbol: "DOGEUSDT"}}}, false},
	} {
		if got := findings(v, test.report, "I11"); got.Pass != test.pass {
			t.Errorf("%s: %+v; want pass %v", test.name, got, test.pass)
		}
	}
	for range 300 {
		get(v, "depth?symbol=BTCUSDT")
	}
	if got := findings(v, book(old.LastUpdateID, old.Bids, old.Asks), "I11"); got.Pass {
		t.Error("a book that is no longer kept passes")
	}
	o := v.Oracle()
	b, _ := json.Marshal(o) // plain data
	var back Oracle
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if f := back.Check(book(d.LastUpdateID, d.Bids, d.Asks)); f.Pass {
		t.Error("an oracle without a venue passes a book")
	}
}

// TestCheckByHTTP: a report can be handed in as JSON.
func TestCheckByHTTP(t *testing.T) {
	v := New(Config{})
	m := &machine{v: v}
	m.order("a")
	body, err := json.Marshal(m.report)
	if err != nil {
		t.Fatal(err)
	}
	r := send(v.Admin(), httptest.NewRequest("POST", "/sim/oracle/check", bytes.NewReader(body)))
	if f := decode[Findings](t, r); r.status != 200 || !f.Pass || len(f.Invariants) != 12 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []string{`{"intent":[]}`, `{`} {
		if r := send(v.Admin(), httptest.NewRequest("POST", "/sim/oracle/check", strings.NewReader(bad))); r.status != http.StatusBadRequest {
			t.Errorf("%s: %+v; want 400", bad, r)
		}
	}
}

// TestSendsAreBounded: what the oracle keeps of requests has an end, and says that it had.
func TestSendsAreBounded(t *testing.T) {
	v := New(Config{MaxOrders: 2, Limits: Limits{WeightPerMinute: Unlimited, OrdersPer10s: Unlimited}})
	for i := range 12 {
		ask(v, "POST", "order", fmt.Sprint(marketBuy, i))
	}
	if o := v.Oracle(); len(o.Sends) != 8 || o.Totals.LostSends != 4 || len(o.Orders) != 2 {
		t.Errorf("%d sends, %+v", len(o.Sends), o.Totals)
	}
}

// TestBookBySequence: the oracle names the latest update of each book, and the book at it can be read.
func TestBookBySequence(t *testing.T) {
	v := New(Config{})
	d := decode[depthView](t, get(v, "depth?symbol=ETHUSDT&limit=5000"))
	n := v.Oracle().Sequences["ETHUSDT"]
	if n != d.LastUpdateID {
		t.Errorf("sequence %d; want %d", n, d.LastUpdateID)
	}
	got := send(v.Admin(), httptest.NewRequest("GET", fmt.Sprint("/sim/book?symbol=ETHUSDT&sequence=", n), nil))
	if b := decode[BookReport](t, got); !slices.Equal(b.Bids, d.Bids) || !slices.Equal(b.Asks, d.Asks) || b.Sequence != n {
		t.Errorf("book = %+v; want %+v", b, d)
	}
	for query, want := range map[string]int{"symbol=ETHUSDT&sequence=x": 400, "symbol=ETHUSDT&sequence=999999": 404, "symbol=DOGE&sequence=1": 404} {
		if r := send(v.Admin(), httptest.NewRequest("GET", "/sim/book?"+query, nil)); r.status != want {
			t.Errorf("%s: %d; want %d", query, r.status, want)
		}
	}
}
