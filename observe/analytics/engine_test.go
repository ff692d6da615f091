package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

var noon = time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)

func call(policy string, at time.Time, ok bool, n uint32) *Record {
	return &Record{Policy: policy, At: at, Attempt: 1, Ended: true, Last: true, OK: ok, Class: retry.Transient, Code: "http 503", Count: n, Over: time.Second}
}

// trained returns an engine that saw a quiet hour of some policies, and the time then.
func trained(c Config, policies ...string) (*Engine, time.Time) {
	e := NewEngine(c)
	for i := range 3600 {
		for _, p := range policies {
			e.Feed(call(p, noon.Add(time.Duration(i)*time.Second), true, 20))
		}
	}
	return e, noon.Add(time.Hour)
}

// outage feeds seconds in which all calls fail.
func outage(e *Engine, at time.Time, seconds int, policies ...string) time.Time {
	for range seconds {
		for _, p := range policies {
			e.Feed(call(p, at, false, 20))
		}
		at = at.Add(time.Second)
	}
	e.Advance(at)
	return at
}

func kinds(list []Finding) (names []string) {
	for _, f := range list {
		names = append(names, string(f.Kind)+" "+f.Subject.String())
	}
	return names
}

func TestOf(t *testing.T) {
	errDown := retry.Mark(errors.New("down"), retry.Transient)
	p := &retry.Policy{Name: "a", Idempotent: true}
	c := Config{Code: func(err error) string {
		if errors.Is(err, fs.ErrExist) {
			return "exists"
		}
		return ""
	}}
	for name, test := range map[string]struct {
		e    retry.Event
		want Record
	}{
		"success":       {retry.Event{Kind: retry.Finished, Policy: p, Attempts: 1, State: retry.Succeeded}, Record{Policy: "a", Attempt: 1, Ended: true, Last: true, OK: true}},
		"retrying":      {retry.Event{Kind: retry.Retrying, Policy: p, Attempts: 1, Err: errDown, Class: retry.Transient, Wait: 5}, Record{Policy: "a", Attempt: 1, Ended: true, Class: retry.Transient, Wait: 5, Code: "*errors.errorString"}},
		"told before":   {retry.Event{Kind: retry.Finished, Policy: p, Attempts: 1, Told: true, Err: fs.ErrExist}, Record{Policy: "a", Attempt: 1, Last: true, Code: "exists"}},
		"never began":   {retry.Event{Kind: retry.Finished, Policy: p}, Record{Event: Refused, Policy: "a", Ended: true, Last: true}},
		"joined errors": {retry.Event{Kind: retry.Finished, Attempts: 1, Err: errors.Join(fmt.Errorf("a: %w", &fs.PathError{}), errDown)}, Record{Attempt: 1, Ended: true, Last: true, Code: "*fs.PathError"}},
		"joins nothing": {retry.Event{Kind: retry.Finished, Attempts: 1, Err: nothing{}}, Record{Attempt: 1, Ended: true, Last: true, Code: "analytics.nothing"}},
	} {
		if got := c.of(&test.e); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v; want %+v", name, got, test.want)
		}
	}
	a := &Analyzer{}
	a.Observe(t.Context(), retry.Event{Kind: retry.Finished, Policy: p, Attempts: 1, Err: context.Canceled, Reason: context.Canceled})
	if len(a.queue.list) != 0 {
		t.Error("a call that its caller gave up is counted")
	}
}

type nothing struct{}

func (nothing) Error() string   { return "nothing" }
func (nothing) Unwrap() []error { return nil }

// TestReplay feeds the same records twice and gets the same findings to the last byte.
func TestReplay(t *testing.T) {
	run := func() string {
		e, at := trained(Config{}, "acme.a", "acme.b", "acme.c")
		e.OnChange = func(Finding) {}
		outage(e, at, 60, "acme.a", "acme.b")
		text, err := json.Marshal(e.All())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first := run()
	if second := run(); first != second || !strings.Contains(first, "correlated_failure") {
		t.Errorf("a replay differs:\n%s\n%s", first, second)
	}
}

// TestFold says that what a dependency explains is not told again, whichever came first.
func TestFold(t *testing.T) {
	e, at := trained(Config{Depends: map[string][]string{"x": {"net"}, "y": {"net"}, "z": {"net"}, "net": {"isp"}}}, "x", "y", "z")
	at = outage(e, at, 30, "x", "y")
	if got := kinds(e.Findings()); !reflect.DeepEqual(got, []string{"correlated_failure isp"}) {
		t.Errorf("Findings() = %v; want the dependency nearest the leaf", got)
	}
	if list := e.Findings(); len(list[0].Related) != 2 || list[0].Severity != Page {
		t.Errorf("%+v; want two related findings", list[0])
	}
	outage(e, at, 30, "x", "y", "z")
	if list := e.Findings(); len(list) != 1 || len(list[0].Related) != 3 {
		t.Errorf("%v; want the third folded too", list)
	}
	outage(e, at.Add(30*time.Second), 300, "x")
	if got := kinds(e.Findings()); !reflect.DeepEqual(got, []string{"error_shift x"}) {
		t.Errorf("%v; want what goes on alone", got)
	}
}

// TestAttribution prefers the dependency whose operations fail all, and of equals the first by name.
func TestAttribution(t *testing.T) {
	e, at := trained(Config{Depends: map[string][]string{"x": {"n1", "n2", "n3"}, "y": {"n1", "n2", "n3"}, "z": {"n3"}}}, "x", "y", "z")
	for range 40 {
		e.Feed(call("z", at, true, 20))
		at = outage(e, at, 1, "x", "y")
	}
	if got := kinds(e.Findings()); !reflect.DeepEqual(got, []string{"correlated_failure n1"}) {
		t.Errorf("%v; want n1", got)
	}
	for range 4 { // is not explained by it
		e.Feed(&Record{Event: Circuit, Policy: "x", At: at, State: Open})
	}
	if got := kinds(e.Findings()); !reflect.DeepEqual(got, []string{"correlated_failure n1", "flapping x"}) {
		t.Errorf("%v; want n1, and that x flaps", got)
	}
}

// TestStaysFolded keeps a finding folded while another one explains it.
func TestStaysFolded(t *testing.T) {
	e, at := trained(Config{}, "x")
	s := e.subjects["x"]
	dependency := func(name string, at time.Time) {
		e.raise(alarm{kind: CorrelatedFailure, subject: Subject{OfDependency, name, ""}, at: at.UnixNano(), evidence: func() Evidence { return Evidence{} }, text: func() string { return "" }, covers: []*subject{s}})
	}
	dependency("a", at)
	dependency("b", at.Add(100*time.Second))
	outage(e, at, 200, "x")
	if got := kinds(e.Findings()); !reflect.DeepEqual(got, []string{"correlated_failure b"}) {
		t.Errorf("%v; want b", got)
	}
}

// TestInARow is not alarmed by what fails with one connection among many calls.
func TestInARow(t *testing.T) {
	e, at := trained(Config{}, "a")
	s := e.subjects["a"]
	for range 30 {
		s.phi, s.shift.s = 100, 0
		s.rates()
		e.Feed(call("a", at, true, 1000))
		e.Feed(call("a", at, false, 20))
		e.Feed(call("a", at, true, 1000))
		at = at.Add(time.Second)
	}
	if list := e.Findings(); len(list) != 0 {
		t.Errorf("%+v; want nothing", list)
	}
}

// TestKept keeps the last 256 findings that ended, and makes room for new ones.
func TestKept(t *testing.T) {
	e := NewEngine(Config{})
	for i := range 3 * maxKept {
		at := noon.Add(time.Duration(i/200) * 3 * time.Minute)
		for range 4 {
			e.Feed(&Record{Event: Circuit, Policy: fmt.Sprint("p", i), At: at, State: Open})
			e.Feed(&Record{Event: Circuit, Policy: fmt.Sprint("p", i), At: at, State: Closed})
		}
	}
	if e.Stats().Unkept != 0 || len(e.All()) > 2*maxKept || len(e.past) != maxKept {
		t.Errorf("%+v, %d kept", e.Stats(), len(e.All()))
	}
}

// TestShardFolds says that a bad shard explains the failures of its policy.
func TestShardFolds(t *testing.T) {
	e := NewEngine(Config{})
	at := noon
	feed := func(seconds int, bad string) {
		for range seconds {
			for i := range 70 {
				r := call("a", at, true, 1)
				r.Shard = fmt.Sprint("s", i)
				r.OK = r.Shard != bad
				if i < 4 {
					r.Count = 10
				}
				e.Feed(r)
			}
			at = at.Add(time.Second)
		}
		e.Advance(at)
	}
	feed(900, "")
	feed(30, "s3")
	if got := kinds(e.Findings()); !reflect.DeepEqual(got, []string{"bad_shard a/s3"}) {
		t.Errorf("Findings() = %v; want the shard alone", got)
	}
	if n := len(e.subjects["a"].shards); n != maxShards {
		t.Errorf("%d shards are told apart; want %d", n, maxShards)
	}
	at = at.Add(5 * time.Minute)
	e.Advance(at)
	if n := len(e.subjects["a"].shards); n != 0 || len(e.Findings()) != 0 {
		t.Errorf("%d shards, %v when it is quiet", n, e.Findings())
	}
}

// TestOpensAgain says that a finding which comes back within five minutes is the same one.
func TestOpensAgain(t *testing.T) {
	e, at := trained(Config{}, "a")
	var told []Finding
	e.OnChange = func(f Finding) { told = append(told, f) }
	calm := func(seconds int) {
		for range seconds {
			e.Feed(call("a", at, true, 20))
			at = at.Add(time.Second)
		}
		e.Advance(at)
	}
	at = outage(e, at, 5, "a")
	calm(100)
	at = outage(e, at, 5, "a")
	calm(500)
	ids := map[string]int{}
	for _, f := range told {
		ids[f.ID]++
	}
	if len(ids) != 1 || told[len(told)-1].Ended.IsZero() || len(e.past) != 1 {
		t.Errorf("told %+v; want one finding that opened twice", told)
	}
	outage(e, at, 5, "a")
	if told[len(told)-1].ID == told[0].ID {
		t.Error("after five minutes it is another one")
	}
}

func TestClock(t *testing.T) {
	at := noon.Add(time.Minute)
	for _, test := range []struct {
		name string
		feed func(e *Engine)
		want Stats
	}{
		{"a little late", func(e *Engine) { e.Feed(call("a", at.Add(-5*time.Second), true, 1)) }, Stats{Records: 2}},
		{"too late", func(e *Engine) { e.Feed(call("a", at.Add(-6*time.Second), true, 1)) }, Stats{Records: 1, Late: 1}},
		{"alone ahead", func(e *Engine) {
			e.Feed(call("a", at.Add(time.Hour), true, 1))
			e.Feed(call("a", at, true, 1))
		}, Stats{Records: 2, Late: 1}},
		{"together ahead", func(e *Engine) {
			e.Feed(call("a", at.Add(time.Hour), true, 1))
			e.Feed(call("a", at.Add(time.Hour), true, 1))
		}, Stats{Records: 2, Late: 1}},
		{"years ahead", func(e *Engine) {
			e.Feed(call("a", at.AddDate(9, 0, 0), true, 1))
			e.Feed(call("a", at.AddDate(9, 0, 0), true, 1))
		}, Stats{Records: 2, Late: 1, Jumps: 1}},
		{"set back", func(e *Engine) {
			for range lateRun {
				e.Feed(call("a", at.Add(-time.Hour), true, 1))
			}
		}, Stats{Records: 2, Late: lateRun - 1, Jumps: 1}},
		{"no time at all", func(e *Engine) {
			for range 2 * lateRun {
				e.Feed(call("a", time.Time{}, true, 1))
			}
		}, Stats{Records: 2 + lateRun, Late: lateRun - 1, Jumps: 1}},
	} {
		e := NewEngine(Config{})
		e.Feed(call("a", at, true, 1))
		test.feed(e)
		test.want.Subjects = 1
		if got := e.Stats(); got != test.want {
			t.Errorf("%s: %+v; want %+v", test.name, got, test.want)
		}
	}
	e, after := trained(Config{}, "a")
	e.Advance(outage(e, after, 5, "a").AddDate(1, 0, 0))
	if list := e.All(); len(e.Findings()) != 0 || len(list) != 1 || list[0].Ended.IsZero() {
		t.Errorf("after a leap: %+v; want the finding ended", list)
	}
}

// TestOverflow has one policy per request.
func TestOverflow(t *testing.T) {
	e := NewEngine(Config{MaxSubjects: 10})
	for i := range 10_000 {
		e.Feed(call(fmt.Sprint("request", i), noon, true, 1))
	}
	if s := e.Stats(); s.Subjects != 10 || s.Overflow != 10_000-9 || s.Evicted != 0 || e.subjects[Other].now.calls != 10_000-9 {
		t.Errorf("%+v; want 10 subjects and the rest under other", s)
	}
	e.Feed(call("request1", noon.Add(11*time.Minute/11), true, 1))
	for _, second := range []int{60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 660, 720} {
		e.Advance(noon.Add(time.Duration(second) * time.Second))
	}
	e.Feed(call("new", noon.Add(12*time.Minute), true, 1))
	if s := e.Stats(); s.Evicted != 1 || s.Subjects != 10 || e.subjects["new"] == nil || e.subjects["request0"] != nil {
		t.Errorf("%+v; want the idle one gone", s)
	}
}

// TestEvictionEndsFindings evicts a subject in the middle of a finding.
func TestEvictionEndsFindings(t *testing.T) {
	e, at := trained(Config{MaxSubjects: 2}, "a")
	for range 4 {
		e.Feed(&Record{Event: Circuit, Policy: "a", At: at, State: Open})
	}
	if len(e.Findings()) != 1 {
		t.Fatal("no finding")
	}
	e.known[e.order[0]].hold = time.Hour
	at = at.Add(idle * time.Second)
	e.Advance(at)
	e.Feed(call("b", at, true, 1))
	if len(e.Findings()) != 0 || e.Stats().Evicted != 1 {
		t.Errorf("%v, %+v; want it ended", e.Findings(), e.Stats())
	}
}

func TestStops(t *testing.T) {
	for _, scope := range []string{"", "a"} {
		e, at := trained(Config{}, "a")
		e.Feed(&Record{Event: Stopped, Policy: scope, At: at})
		at = outage(e, at, 5, "a")
		if len(e.Findings()) != 0 {
			t.Errorf("%q is stopped, and there is %v", scope, kinds(e.Findings()))
		}
		e.Feed(&Record{Event: Resumed, Policy: scope, At: at})
		outage(e, at, 5, "a")
		if len(e.Findings()) != 1 {
			t.Errorf("%q goes on, and there is nothing", scope)
		}
	}
}

// TestQuiet has no traffic, no failures, and refusals only.
func TestQuiet(t *testing.T) {
	e, at := trained(Config{}, "a")
	for i := range 7000 {
		e.Feed(&Record{Event: Refused, Policy: "a", At: at.Add(time.Duration(i) * time.Second)})
	}
	if list := e.All(); len(list) != 0 {
		t.Errorf("%+v; want nothing", list)
	}
	s := e.subjects["a"]
	for _, x := range []float64{s.base, s.phi, s.loadBase, s.loadPhi, s.shift.s, s.storm.s} {
		if x != x {
			t.Errorf("a number is NaN: %+v", []float64{s.base, s.phi, s.loadBase, s.loadPhi, s.shift.s, s.storm.s})
		}
	}
	var wrap counts
	wrap.attempts = 1<<32 - 1
	wrap.add(&counts{attempts: 2, calls: 3})
	if wrap.retries() != 0 {
		t.Error("a counter that wraps makes negative retries")
	}
}

// TestNames keeps a name short, and shows only the three most frequent errors of many.
func TestNames(t *testing.T) {
	e := NewEngine(Config{})
	long := strings.Repeat("n", 1000)
	r := call(long, noon, false, 1)
	e.Feed(r)
	for i := range 1000 {
		r.Code = fmt.Sprint(long, i%20)
		e.Feed(r)
	}
	s := e.list[0]
	if top := s.prints.top(); len(s.name) != maxName || len(top) != 3 || len(top[0]) > maxName+20 || e.Stats().Subjects != 1 {
		t.Errorf("%d, %v", len(s.name), top)
	}
	e.Feed(call("", noon, true, 1))
	if e.Stats().Subjects != 2 {
		t.Error("a policy without a name is none")
	}
}

// TestCalls ties the attempts of a call together by its number.
func TestCalls(t *testing.T) {
	var p prints
	first := func(n uint64, code string) {
		p.fold(&Record{Call: n, Attempt: 1, Ended: true, Code: code, At: noon}, 1)
	}
	end := func(n uint64, ok bool) {
		p.fold(&Record{Call: n, Attempt: 2, Ended: true, Last: true, OK: ok, Code: "other"}, 1)
	}
	first(1, "x")
	end(1, true)
	first(2, "x")
	end(2, false)
	first(3, "x")
	first(3+inFlight, "y") // takes its place
	end(3, true)
	if x := p.of(fingerprint(0, "x")); x.minRetried != 2 || x.minW != 1 || x.count != 3 {
		t.Errorf("%+v; want 1 of 2 recovered", x)
	}
	if y := p.of(fingerprint(0, "y")); y.minRetried != 0 {
		t.Errorf("%+v; want nothing of another call", y)
	}
}

// TestVotes says that failures which come with the traffic are not periodic.
func TestVotes(t *testing.T) {
	p := period{60, 12}
	for outside, want := range map[float32]bool{10: true, 40: false} {
		y := cycle{n: 30}
		for i := range p.phases {
			y.sumC[i], y.sumF[i] = 100, outside
		}
		y.sumF[0], y.sumF[1], y.sumF[2] = 50, 50, 50
		if _, m, n, _, _, ok := y.verdict(p); ok != want || m != 30 || n != 30 {
			t.Errorf("with %v %% outside, %d of %d: %v; want %v", outside, m, n, ok, want)
		}
	}
}

func TestMemoryBound(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	e := NewEngine(Config{})
	for i := range 300_000 {
		r := call(fmt.Sprint("op", i%100_000), noon.Add(time.Duration(i)*time.Millisecond), i%3 > 0, 1)
		r.Code, r.Shard, r.Call = fmt.Sprint(i), fmt.Sprint(i), uint64(i)
		e.Feed(r)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 31<<20 {
		t.Errorf("%d MiB for %d subjects; want at most 31", grown>>20, e.Stats().Subjects)
	}
	runtime.KeepAlive(e)
}

func TestConfigCheck(t *testing.T) {
	good := Config{MaxSubjects: 5, Depends: map[string][]string{"a": {"b"}, "b": {"c"}}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	bad := Config{MaxSubjects: -1, Depends: map[string][]string{"a": {"b"}, "b": {"a"}}}
	err := bad.Check()
	if err == nil || strings.Count(err.Error(), "Depends: ") != 2 || !strings.HasPrefix(err.Error(), "MaxSubjects: -1") {
		t.Errorf("Check() = %v", err)
	}
	if n := bad.maxSubjects(); n != DefaultMaxSubjects {
		t.Errorf("an odd number means %d; want %d", n, DefaultMaxSubjects)
	}
	wide := Config{Depends: map[string][]string{}}
	for i := range 100 {
		wide.Depends["a"] = append(wide.Depends["a"], fmt.Sprint(i))
	}
	if n := len(wide.above("a")); n != 64 {
		t.Errorf("%d dependencies; want 64", n)
	}
}

func TestWords(t *testing.T) {
	e := Evidence{Statistic: "s", Value: 1, P: 0.5, N: 3, Window: time.Second, Samples: []uint64{1}, Fingerprints: []string{"x"}}
	want := map[string]any{"statistic": "s", "value": 1.0, "threshold": 0.0, "p": 0.5, "n": uint64(3), "window": "1s", "samples": []uint64{1}, "errors": []string{"x"}}
	if got := e.Map(); !reflect.DeepEqual(got, want) {
		t.Errorf("Map() = %v; want %v", got, want)
	}
	for _, k := range []ActionKind{LookAtErrors, LowerAttempts, FixDependency, ShiftSchedule, LengthenOpen, Reclassify, IsolateShard, AddJitter, DeclareDependency} {
		if s := (Action{Kind: k, Name: "n"}).String(); !strings.HasSuffix(s, ".") || strings.Contains(s, "%!") {
			t.Errorf("%s: %q", k, s)
		}
	}
	if s := (Action{Kind: LowerAttempts, Text: "Wait."}).String(); s != "Wait." {
		t.Errorf("of an action with a text: %q", s)
	}
	seen := map[Kind]bool{}
	for _, k := range Kinds() {
		if seen[k] || holds[k] == 0 && k != Periodic {
			t.Errorf("%s is there twice, or does not say how long it lasts", k)
		}
		seen[k] = true
	}
	if got := fmt.Sprint(Info, Ticket, Page); got != "info ticket page" {
		t.Error(got)
	}
}
