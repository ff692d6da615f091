package venue

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFaultsOverLoopback sends one order per kind of fault through a real server and client.
func TestFaultsOverLoopback(t *testing.T) {
	const wait = 30 * time.Millisecond
	for _, test := range []struct {
		name    string
		fault   Fault
		status  int    // 0: no answer
		body    string // part of it
		readErr error
		placed  bool
		acked   bool
		slow    bool
	}{
		{"none", Fault{Kind: Drop, Match: Match{Path: "/other"}}, 200, `"orderId":1`, nil, true, true, false},
		{"drop", Fault{Kind: Drop}, 0, "", nil, false, false, false},
		{"drop after a while", Fault{Kind: Drop, Delay: wait}, 0, "", nil, false, false, true},
		{"delay", Fault{Kind: Delay, Delay: wait}, 200, `"orderId":1`, nil, true, true, true},
		{"hold", Fault{Kind: Hold, Delay: wait}, 200, `"orderId":1`, nil, true, true, true},
		{"accept, drop the answer", Fault{Kind: AcceptDropAnswer}, 0, "", nil, true, false, false},
		{"accept, then -1007", Fault{Kind: AcceptUnavailable}, 503, `"code":-1007`, nil, true, false, false},
		{"503", Fault{Kind: Unavailable}, 503, `{"msg":"Service Unavailable."}`, nil, false, false, false},
		{"503 page", Fault{Kind: Unavailable, HTML: true}, 503, "<html>", nil, false, false, false},
		{"503 after the engine", Fault{Kind: Unavailable, Reached: true}, 503, "Unavailable", nil, true, false, false},
		{"502 before the engine", Fault{Kind: BadGateway}, 502, "<html>", nil, false, false, false},
		{"502 after the engine", Fault{Kind: BadGateway, Reached: true}, 502, "<html>", nil, true, false, false},
		{"504 by status", Fault{Kind: BadGateway, Status: 504}, 504, "Gateway Timeout", nil, false, false, false},
		{"cut body", Fault{Kind: CutBody}, 200, `{"symbol"`, io.ErrUnexpectedEOF, true, false, false},
		{"late answer", Fault{Kind: LateAnswer, Delay: wait}, 200, `"orderId":1`, nil, true, true, true},
		{"429", Fault{Kind: TooManyRequests}, 429, `"code":-1003`, nil, false, false, false},
		{"clock", Fault{Kind: ClockSkew}, 400, `"code":-1021`, nil, false, false, false},
		{"overloaded", Fault{Kind: Overloaded}, 503, `"code":-1008`, nil, false, false, false},
		{"function", Fault{Func: func(_ Call, forward func() *Answer) *Answer {
			a := forward()
			a.Status, a.Header = 202, http.Header{"x-by": {"test"}}
			return a
		}}, 202, `"orderId":1`, nil, true, true, false},
		{"function that cuts", Fault{Func: func(Call, func() *Answer) *Answer { return nil }}, 0, "", nil, false, false, false},
		{"function with an odd status", Fault{Func: func(Call, func() *Answer) *Answer { return &Answer{} }}, 500, "", nil, false, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := New(Config{})
			srv := httptest.NewServer(v)
			defer srv.Close()
			defer v.Close()
			fault := test.fault
			fault.Name = "the fault"
			add(t, v, fault)
			r := signed("POST", "/api/v3/order", restingBid+"a", DefaultKey, DefaultSecret)
			r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", strings.TrimPrefix(srv.URL, "http://")

			start := time.Now()
			resp, err := srv.Client().Do(r)
			switch {
			case test.status == 0 && err == nil:
				t.Fatalf("answer %d; want none", resp.StatusCode)
			case test.status == 0 && !errors.Is(err, io.EOF):
				t.Errorf("error %v; want the connection closed", err)
			case test.status != 0:
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != test.status || !strings.Contains(string(body), test.body) || !errors.Is(err, test.readErr) {
					t.Errorf("%d %s, %v; want %d with %s, %v", resp.StatusCode, body, err, test.status, test.body, test.readErr)
				}
				if resp.StatusCode == 429 && resp.Header.Get("Retry-After") != "1" {
					t.Errorf("Retry-After = %q; want 1", resp.Header.Get("Retry-After"))
				}
			}
			if took := time.Since(start); test.slow && took < wait {
				t.Errorf("took %v; want %v at least", took, wait)
			}
			f, placed := v.Oracle().Orders["a"]
			if placed != test.placed || f.Acknowledged != test.acked {
				t.Errorf("placed %v, acknowledged %v; want %v, %v", placed, f.Acknowledged, test.placed, test.acked)
			}
			log := v.Log(0)
			if e := log[len(log)-1].Request; test.name != "none" && (e == nil || e.Fault != "the fault" || v.Oracle().Totals.Faulted != 1) {
				t.Errorf("log ends with %+v; want the name of the rule", log[len(log)-1])
			}
		})
	}
}

// TestHeldRequestOutlivesItsClient is the reason to verify before a resend.
func TestHeldRequestOutlivesItsClient(t *testing.T) {
	v := New(Config{})
	srv := httptest.NewServer(v)
	defer srv.Close()
	defer v.Close()
	add(t, v, Fault{Kind: Hold, Delay: 300 * time.Millisecond})
	r := signed("POST", "/api/v3/order", restingBid+"a", DefaultKey, DefaultSecret)
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", strings.TrimPrefix(srv.URL, "http://")
	impatient, giveUp := context.WithCancel(t.Context())
	defer giveUp()
	go func() {
		for !v.arrived(1) {
			time.Sleep(time.Millisecond)
		}
		giveUp()
	}()
	if resp, err := srv.Client().Do(r.WithContext(impatient)); err == nil {
		t.Fatalf("answer %d; want none in time", resp.StatusCode)
	}
	if n := len(v.Oracle().Orders); n != 0 {
		t.Errorf("%d orders when the client left; want none yet", n)
	}
	for deadline := time.Now().Add(5 * time.Second); len(v.Oracle().Orders) == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	srv.Close() // waits for the handler
	if f, ok := v.Oracle().Orders["a"]; !ok || f.Acknowledged {
		t.Errorf("after the hold: placed %v, %+v; want an order nobody was told of", ok, f)
	}
}

// arrived says whether as many requests have come.
func (v *Venue) arrived(n uint64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.world.seq >= n
}

func TestHoldHonoursTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			fault  Fault
			status int
		}{
			{Fault{Kind: Hold, Delay: 5 * time.Second}, 200},
			{Fault{Kind: Hold, Delay: 5001 * time.Millisecond}, 400},
			{Fault{Kind: Hold, Delay: time.Minute, IgnoreWindow: true}, 200},
			{Fault{Kind: Delay, Delay: 6 * time.Second}, 400},
			{Fault{Kind: Delay, Delay: 6 * time.Second, IgnoreWindow: true}, 200},
		} {
			v := New(Config{})
			add(t, v, test.fault)
			start := time.Now()
			if r := ask(v, "POST", "order", restingBid+"a"); r.status != test.status || time.Since(start) != test.fault.Delay {
				t.Errorf("%+v: %d %s after %v; want %d", test.fault, r.status, r.body, time.Since(start), test.status)
			}
		}
	})
}

func TestRefusalsPassThroughAcceptFaults(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: AcceptUnavailable})
	if r := ask(v, "POST", "order", "symbol=NO"); r.code() != -1121 {
		t.Errorf("%s; want the refusal as it is", r.body)
	}
}

func TestMatch(t *testing.T) {
	for _, test := range []struct {
		name  string
		match Match
		count int
		hits  []int // numbers of the requests, of ten orders a to j and one ping before
	}{
		{"everything", Match{}, 0, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{"count", Match{}, 2, []int{1, 2}},
		{"method", Match{Method: "get"}, 0, []int{1}},
		{"path", Match{Path: "/api/v3/ping"}, 0, []int{1}},
		{"prefix", Match{Path: "/api/v3/o*", Nth: 1}, 0, []int{2}},
		{"client id", Match{ClientID: "c"}, 0, []int{4}},
		{"symbol", Match{Symbol: "ETHUSDT"}, 0, nil},
		{"nth", Match{Path: "/api/v3/order", Nth: 3}, 0, []int{4}},
		{"every", Match{Every: 4}, 0, []int{4, 8}},
		{"nth, then every", Match{Nth: 3, Every: 4}, 0, []int{3, 7, 11}},
		{"after", Match{After: 9 * time.Second}, 0, []int{10, 11}},
		{"until", Match{Until: 2 * time.Second}, 0, []int{1, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := New(Config{})
				add(t, v, Fault{Kind: Overloaded, Match: test.match, Count: test.count})
				get(v, "ping")
				for i := range 10 {
					time.Sleep(time.Second)
					ask(v, "POST", "order", restingBid+string(rune('a'+i)))
				}
				var hits []int
				for _, e := range v.Log(0) {
					if e.Request != nil && e.Request.Fault != "" {
						hits = append(hits, int(e.Seq))
					}
				}
				if !slices.Equal(hits, test.hits) {
					t.Errorf("hit requests %v; want %v", hits, test.hits)
				}
			})
		})
	}
}

func TestFirstRuleThatHitsWins(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: StaleRead}, Fault{Kind: ClockSkew}, Fault{Kind: Overloaded, Count: 1}, Fault{Kind: Unavailable})
	if r := get(v, "ping"); r.code() != -1008 {
		t.Errorf("first ping: %s; want -1008, for the first two rules mean nothing to it", r.body)
	}
	if r := get(v, "ping"); r.status != 503 || r.code() != 0 {
		t.Errorf("second ping: %s; want 503 without a code", r.body)
	}
	if got := v.Log(0)[1].Request.Fault; got != "unavailable-4" {
		t.Errorf("name = %q; want unavailable-4", got)
	}
	v.Faults.Clear()
	if r := get(v, "ping"); r.status != 200 {
		t.Errorf("without rules: %d", r.status)
	}
}

func TestFaultValidate(t *testing.T) {
	for _, test := range []struct {
		fault Fault
		want  string
	}{
		{Fault{}, "kind: "},
		{Fault{Kind: "explode"}, "kind: "},
		{Fault{Kind: Drop, Func: func(Call, func() *Answer) *Answer { return nil }}, "kind: "},
		{Fault{Kind: Drop, Delay: -1}, "delay: "},
		{Fault{Kind: Drop, Delay: time.Hour}, "delay: "},
		{Fault{Kind: Drop, Delay: 2, DelayMax: 1}, "delayMax: "},
		{Fault{Kind: Drop, Status: 200}, "status: "},
		{Fault{Kind: Drop, Count: -1}, "count: "},
		{Fault{Kind: Drop, Match: Match{Nth: -1}}, "match.nth: "},
		{Fault{Kind: Drop, Match: Match{Every: -1}}, "match.every: "},
		{Fault{Kind: Drop, Match: Match{Probability: 1.1}}, "match.probability: "},
		{Fault{Kind: Drop, Match: Match{Probability: math.NaN()}}, "match.probability: "},
		{Fault{Kind: Drop, Match: Match{After: -1}}, "match.after: "},
		{Fault{Kind: Drop, Match: Match{After: 2, Until: 1}}, "match.until: "},
	} {
		if err := test.fault.Validate(); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("Validate(%+v) = %v; want %s...", test.fault, err, test.want)
		}
		v := New(Config{})
		if err := v.Faults.Add(Fault{Kind: Drop}, test.fault); err == nil || len(v.Faults.List()) != 0 {
			t.Errorf("Add(%+v) = %v with %d rules; want none", test.fault, err, len(v.Faults.List()))
		}
	}
}

func TestFaultJSON(t *testing.T) {
	whole := Fault{
		Name: "n", Kind: Hold, Delay: time.Second, DelayMax: 2 * time.Second, Status: 500, RetryAfter: -1, HTML: true, Reached: true, IgnoreWindow: true, Count: 3,
		Match: Match{"POST", "/p*", "id", "BTCUSDT", 1, 2, 0.5, time.Second, time.Minute},
	}
	for _, f := range append(append(lossy(), storm()...), whole) {
		b, err := json.Marshal([]Fault{f})
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeFaults(strings.NewReader(string(b)))
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		again, _ := json.Marshal(back)
		if string(again) != string(b) {
			t.Errorf("%s became %s", b, again)
		}
	}
	for _, text := range []string{
		``, `{}`, `null`, `[{"kind":"drop","nmae":"x"}]`, `[{"kind":"drop","match":{"pth":"x"}}]`, `[{"kind":"drop"}] x`,
		`[{"kind":"drop","delay":5}]`, `[{"kind":"drop","delay":"5 s"}]`, `[{"kind":"boom"}]`, "[" + strings.Repeat(" ", 1<<20) + "]",
	} {
		if faults, err := DecodeFaults(strings.NewReader(text)); err == nil {
			t.Errorf("DecodeFaults(%.60s) = %v; want an error", text, faults)
		}
	}
	if _, err := DecodeFaults(brokenReader{}); err == nil {
		t.Error("DecodeFaults of a broken reader gives no error")
	}
}

// TestPresetRates measures how many of 20,000 requests suffer, placements and reads in turn.
func TestPresetRates(t *testing.T) {
	if _, err := Preset("typhoon"); err == nil || !strings.Contains(err.Error(), "calm, clock, late, lossy, outage, ratelimit, storm, ws") {
		t.Errorf("unknown preset: %v; want the names of the known ones", err)
	}
	for _, test := range []struct {
		name      string
		low, high float64
	}{{"calm", 0, 0}, {"lossy", 0.06, 0.08}, {"storm", 0.30, 0.36}} {
		faults, err := Preset(test.name)
		if err != nil {
			t.Fatal(err)
		}
		var fs Faults
		fs.restart(1, time.Now())
		if err := fs.Add(faults...); err != nil {
			t.Fatal(err)
		}
		const n = 20_000
		by := map[string]float64{}
		hits := 0
		for i := range uint64(n) {
			method := []string{"POST", "GET"}[i%2]
			c := &call{seq: i, arrived: time.Now(), method: method, path: "/api/v3/order", route: routes["/api/v3/order"][method]}
			if f := fs.pick(stageRequest, c.subject()); f != nil {
				hits++
				by[f.Name] += 100.0 / n
				if f.DelayMax > 0 && (f.Delay > f.DelayMax || f.Delay < 100*time.Millisecond) {
					t.Fatalf("%s: delay %v", f.Name, f.Delay)
				}
			}
		}
		if share := float64(hits) / n; share < test.low || share > test.high {
			t.Errorf("%s: %.3f of the requests suffer; want %v to %v", test.name, share, test.low, test.high)
		}
		t.Logf("%s: %.2f%% %.2v", test.name, 100*float64(hits)/n, by)
	}
}

func TestOutageEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{})
		faults, _ := Preset("outage")
		add(t, v, faults...)
		var suffered [5]int
		start := time.Now()
		for time.Since(start) < 49*time.Second {
			at := time.Since(start) / (10 * time.Second)
			before := v.Oracle().Totals.Faulted
			get(v, "ping")
			suffered[at] += v.Oracle().Totals.Faulted - before
			time.Sleep(200 * time.Millisecond)
		}
		if suffered[0] != 50 || suffered[2] < 5 || suffered[4] != 0 {
			t.Errorf("suffered per 10 s: %v; want all of 50, then some, then none", suffered)
		}
	})
}
