package analytics

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestHypergeometric(t *testing.T) {
	near(t, "all 8 of 60 together", hypergeometricTail(60, 8, 8, 8), 1/2558620845.0, 1e-15)
	near(t, "3 or more of 5 and 5 of 10", hypergeometricTail(10, 5, 5, 3), 0.5, 1e-12)
	near(t, "0 or more", hypergeometricTail(60, 8, 8, 0), 1, 1e-12)
	near(t, "more than there are", hypergeometricTail(60, 8, 8, 9), 0, 0)
	near(t, "what cannot be avoided", hypergeometricTail(10, 8, 8, 6), 1, 1e-12)
}

// Retries at one moment of a second have a mean direction of 1; from anywhere it is near 0.
func TestRayleigh(t *testing.T) {
	var one, any beat
	one.period, any.period = int64(time.Second), int64(time.Second)
	if mean, p := one.verdict(); mean != 0 || p != 1 {
		t.Errorf("nothing: %v, %v", mean, p)
	}
	for i := range int64(30) {
		at := i*int64(time.Second) + int64(time.Millisecond)*200
		one.add(at, at-int64(time.Second))
		one.add(at, at-int64(time.Second)) // which does not count more
		any.add(i*int64(1370*time.Millisecond), 0)
	}
	one.add(0, 0) // late: of a window that is closed
	mean, p := one.verdict()
	near(t, "the mean of one moment", mean, 1, 1e-9)
	near(t, "its chance", math.Log(p), -one.windows, 1e-9)
	if mean, p := any.verdict(); mean > 0.3 || p < 1e-2 {
		t.Errorf("of any moments: %v, %v", mean, p)
	}
	if one.calls < beatCalls || any.calls > 1 {
		t.Errorf("%v and %v calls; want those that began a second apart", one.calls, any.calls)
	}
}

// A record that stands for several, or is of no call, has no moment of its own.
func TestBeatsOfSeveral(t *testing.T) {
	var b beats
	r := Record{At: noon, Call: 1, Attempt: 2, Ended: true, Last: true, OK: true, Took: time.Millisecond, Elapsed: time.Second}
	for _, change := range []func(*Record){func(r *Record) { r.Count = 2 }, func(r *Record) { r.Call = 0 }, func(r *Record) { r.Elapsed = 0 }, func(r *Record) { r.Ended = false }} {
		one := r
		change(&one)
		if b.fold(&one); b != (beats{}) {
			t.Errorf("%+v counts", one)
		}
	}
	if b.fold(&r); b.second.n != 1 {
		t.Errorf("%+v does not count", r)
	}
}

// A wait that is always the same is a period, too.
func TestSynchronisedWithTheWait(t *testing.T) {
	e, at := used(time.Hour)
	id := uint64(0)
	for s := range 60 {
		for quarter := range 4 { // at the same place of each quarter of a second, so that a second shows nothing
			now := at.Add(time.Duration(s)*time.Second + time.Duration(quarter)*250*time.Millisecond)
			id++
			first := Record{Policy: "a", At: now, Call: id, Attempt: 1, Ended: true, Wait: 250 * time.Millisecond, Took: time.Millisecond, Elapsed: time.Millisecond}
			e.Feed(&first)
			again := first
			again.At, again.Attempt, again.Last, again.OK, again.Elapsed = now.Add(251*time.Millisecond), 2, true, true, 252*time.Millisecond
			e.Feed(&again)
		}
		e.Feed(call("a", at.Add(time.Duration(s)*time.Second), true, 600))
	}
	list := e.Findings()
	if len(list) != 1 || list[0].Kind != Synchronised || list[0].Evidence.Period != 250*time.Millisecond {
		t.Errorf("%+v; want retries at one moment of 250 ms", list)
	}
	near(t, "the phase", float64(list[0].Evidence.Phase), 0, float64(time.Millisecond))
	e.Feed(&Record{Policy: "a", At: at.Add(time.Minute), Call: 1, Attempt: 1, Ended: true, Wait: time.Second})
	if b := e.subjects["a"].beats.base; b != (beat{}) {
		t.Errorf("with another wait there is still %+v", b)
	}
}

// An error that was there within a day is not new, and when too many came to tell them apart none is.
func TestSightings(t *testing.T) {
	var l sightings
	const day = 24 * 3600
	l.see(1, 100, 15)
	l.see(1, 200, 15)
	l.see(1, 100+newWithin+1, 15) // too late to count
	if x := l.list[0]; x.count != 30 || x.since != 100 || x.last != 100+newWithin+1 {
		t.Errorf("%+v; want 30 since second 100", x)
	}
	l.list[0].told = true
	l.see(1, 300+day, 1)
	if x := l.list[0]; x.since != 100 || !x.told {
		t.Errorf("within a day: %+v", x)
	}
	l.see(1, 301+2*day, 1)
	if x := l.list[0]; x.since != 301+2*day || x.told || x.count != 1 || l.lost != 0 {
		t.Errorf("after more than a day: %+v, lost %d", x, l.lost)
	}
	for key := range uint64(maxSeen) {
		l.see(key+10, 2000+2*day, 1)
	}
	if l.lost != 2000+2*day {
		t.Errorf("lost at %d; want when the table was full", l.lost)
	}
}

// used returns an engine that saw a policy fail 1 of 60 first tries, and the time then.
func used(d time.Duration) (*Engine, time.Time) {
	e := NewEngine(Config{})
	at := noon
	for ; at.Before(noon.Add(d)); at = at.Add(time.Second) {
		e.Feed(call("a", at, true, 59))
		e.Feed(call("a", at, false, 1))
	}
	return e, at
}

// A new error of an outage is evidence of the outage, and a permanent one by itself is a ticket.
func TestNewErrors(t *testing.T) {
	for _, test := range []struct {
		name    string
		per     uint32 // failures a second, of 60 calls
		class   retry.Class
		want    string
		minutes int
	}{
		{"permanent", 1, retry.Permanent, "new_error ticket", 2},
		{"transient", 1, retry.Transient, "new_error info", 2},
		{"in an outage", 60, retry.Permanent, "error_shift page", 2},
		{"too few", 1, retry.Permanent, "", 0},
	} {
		e, at := used(2 * time.Hour)
		for i := range 60*test.minutes + 15 {
			now := at.Add(time.Duration(i) * time.Second)
			if test.per < 60 {
				e.Feed(call("a", now, true, 60-test.per))
			}
			r := call("a", now, false, test.per)
			r.Code, r.Class = "-1121", test.class
			e.Feed(r)
		}
		got := ""
		for _, f := range e.Findings() {
			if f.Kind != PaperingOver && f.Kind != ClassShift {
				got += fmt.Sprint(f.Kind, " ", f.Severity)
			}
		}
		if got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
	}
}

// When there were more kinds of error than are remembered, one that seems new may be old: nothing is said.
func TestNewErrorsAmongMany(t *testing.T) {
	e, at := used(2 * time.Hour)
	for i := range 180 {
		now := at.Add(time.Duration(i) * time.Second)
		r := call("a", now, false, 1)
		if r.Code = "eof"; i < maxSeen+1 {
			r.Code = fmt.Sprint("order ", i)
		}
		e.Feed(r)
		e.Feed(call("a", now, true, 59))
	}
	for _, f := range e.All() {
		if f.Kind == NewError {
			t.Errorf("%s", f.Text)
		}
	}
}

// A crowd after a recovery is a ticket, and a page if the circuit opens again; where calls come in batches anyway it is none.
func TestHerd(t *testing.T) {
	for _, test := range []struct {
		name    string
		crowd   uint32
		batch   uint32 // calls at one moment of each second before
		relapse time.Duration
		global  bool
		want    string
	}{
		{"crowd", 100, 0, 0, false, "herd ticket"},
		{"of a stop on everything", 100, 0, 0, true, "herd ticket"},
		{"relapse", 100, 0, 10 * time.Second, false, "herd page"},
		{"later relapse", 100, 0, 50 * time.Second, false, "herd ticket"},
		{"few", 19, 0, 0, false, ""},
		{"batches anyway", 100, 60, 0, false, ""},
	} {
		e, at := trained(Config{}, "a")
		for i := range 60 {
			now := at.Add(time.Duration(i) * time.Second)
			e.Feed(call("a", now.Add(900*time.Millisecond), true, 20))
			if test.batch > 0 {
				r := call("a", now.Add(950*time.Millisecond), true, test.batch)
				r.Over = 0
				e.Feed(r)
			}
		}
		at = at.Add(time.Minute)
		mark := func(state string, event Event, at time.Time) {
			if test.global {
				e.Feed(&Record{Event: event, At: at})
			} else {
				e.Feed(&Record{Event: Circuit, At: at, Policy: "a", State: state})
			}
		}
		mark(Open, Stopped, at)
		mark(Open, Stopped, at.Add(time.Second)) // again: what was usual stays
		at = at.Add(20 * time.Second)
		mark(HalfOpen, Resumed, at)
		r := call("a", at.Add(150*time.Millisecond), true, test.crowd)
		r.Over = 0
		e.Feed(r)
		e.Advance(at.Add(7 * time.Second))
		if test.relapse > 0 {
			e.Feed(&Record{Event: Circuit, At: at.Add(test.relapse), Policy: "a", State: Open})
		}
		got := ""
		for _, f := range e.All() {
			got += fmt.Sprint(f.Kind, " ", f.Severity)
		}
		if got != test.want {
			t.Errorf("%s: %q; want %q", test.name, got, test.want)
		}
	}
}

// Calls that come back after an outage without a circuit are watched, too.
func TestHerdWithoutCircuit(t *testing.T) {
	e, at := trained(Config{}, "a")
	at = outage(e, at, 20, "a")
	r := call("a", at.Add(300*time.Millisecond), true, 400)
	r.Over = 200 * time.Millisecond
	e.Feed(r)
	e.Advance(at.Add(3 * time.Second))
	if got := strings.Join(kinds(e.Findings()), " "); got != "error_shift a herd a" {
		t.Errorf("%q; want the herd beside the shift", got)
	}
}

// What is usual is what was before the outage, however often its circuit opens in it.
func TestHerdKeepsWhatIsUsual(t *testing.T) {
	e, at := trained(Config{}, "a")
	open := func(at time.Time) {
		e.Feed(&Record{Event: Circuit, At: at, Policy: "a", State: Open})
	}
	open(at)
	open(at.Add(time.Minute))
	if got := e.subjects["a"].herd.usual; got != 2 {
		t.Errorf("%v attempts in 100 ms are usual; want 2", got)
	}
}

// Slots of the ring that were jumped over are empty.
func TestHerdSlots(t *testing.T) {
	var h herd
	h.count(1000*herdSlot, 0, 7)
	h.count(1010*herdSlot, 5*time.Duration(herdSlot), 50)
	h.count(900*herdSlot, 0, 99) // long past
	if most, sum := h.fullest(0, 2000); most != 10 || sum != 57 {
		t.Errorf("the fullest slot has %d of %d; want 10 of 57", most, sum)
	}
	h.count(5000*herdSlot, 0, 1)
	if most, sum := h.fullest(0, 6000); most != 1 || sum != 1 {
		t.Errorf("after a pause the fullest slot has %d of %d; want 1", most, sum)
	}
}

// Who said that two policies share something is not told so, and when everything fails together, few pairs are named.
func TestPairs(t *testing.T) {
	depends := Config{Depends: map[string][]string{"a": {"x"}, "b": {"x"}, "c": {"a"}, "d": {"z"}}}
	for pair, want := range map[[2]string]bool{{"a", "b"}: true, {"a", "c"}: true, {"c", "a"}: true, {"a", "d"}: false} {
		e := NewEngine(depends)
		if got := related(e.subject(pair[0]), e.subject(pair[1])); got != want {
			t.Errorf("%v are related: %v; want %v", pair, got, want)
		}
	}
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprint("v", i, ".op"))
	}
	often := func(bin int) bool { return bin%8 == 3 }
	for _, test := range []struct {
		name  string
		names []string
		bad   func(bin int) bool
		want  int
	}{
		{"two", names[:2], often, 1},
		{"all", names, often, mostPairs},
		{"two of one venue", []string{"v.a", "v.b"}, often, 0},
		{"one long outage of both", names[:2], func(bin int) bool { return bin >= 20 && bin < 28 }, 0},
	} {
		e, at := trained(Config{}, test.names...)
		found := map[string]bool{}
		for i := range 600 {
			now := at.Add(time.Duration(i) * time.Second)
			for _, name := range test.names {
				if test.bad(i / 10) {
					e.Feed(call(name, now, false, 4))
				}
				e.Feed(call(name, now, true, 16))
			}
			for _, f := range e.Findings() {
				if f.Kind == HiddenDependency {
					found[f.Subject.String()] = true
				}
			}
		}
		if len(found) != test.want {
			t.Errorf("%s: %d pairs; want %d", test.name, len(found), test.want)
		}
	}
}

// A policy that is slow for a long time does not teach that, and pages when calls fail besides.
func TestBrownout(t *testing.T) {
	e := NewEngine(Config{})
	feed := func(from, to int, took time.Duration, fails uint32) {
		for i := from; i < to; i++ {
			at := noon.Add(time.Duration(i) * time.Second)
			r := call("a", at, true, 20-fails)
			r.Took = took + time.Duration(i/30%7)*took/100
			e.Feed(r)
			if fails > 0 {
				e.Feed(call("a", at, false, fails))
			}
		}
	}
	one := func() (f Finding) {
		for _, f := range e.Findings() {
			if f.Kind == Brownout {
				return f
			}
		}
		return f
	}
	feed(0, 3*3600, 50*time.Millisecond, 0)
	d := &e.subjects["a"].drift
	near(t, "the median", math.Exp(d.median), 0.0515, 0.001)
	feed(3*3600, 3*3600+600, 60*time.Millisecond, 0)
	if f := one(); f.Kind != "" {
		t.Errorf("a fifth slower: %s", f.Text)
	}
	feed(3*3600+600, 6*3600, 120*time.Millisecond, 0)
	f := one()
	if f.Severity != Ticket || math.Abs(f.Evidence.Effect-2.4) > 0.1 || f.Detected.Sub(noon.Add(3*time.Hour+10*time.Minute)) > 5*time.Minute {
		t.Errorf("%+v; want a ticket: 2.4 times slower", f)
	}
	near(t, "the median hours later", math.Exp(d.median), 0.0515, 0.001)
	if d.known > 430 {
		t.Errorf("%d blocks are the reference; want those before it was slow", d.known)
	}
	feed(6*3600, 6*3600+120, 120*time.Millisecond, 2)
	if f := one(); f.Severity != Page {
		t.Errorf("%+v; want a page when calls fail, too", f)
	}
	feed(6*3600+120, 6*3600+900, 50*time.Millisecond, 0)
	if f := one(); f.Kind != "" {
		t.Errorf("as quick as before: %s", f.Text)
	}
}

// When the clock is set, all findings end.
func TestLeapEndsAll(t *testing.T) {
	e, at := trained(Config{}, "a", "b", "c")
	at = outage(e, at, 5, "a", "b", "c")
	if got := len(e.Findings()); got != 3 {
		t.Fatalf("%d findings; want 3", got)
	}
	e.Advance(at.Add(100 * time.Hour))
	if got := len(e.Findings()); got != 0 || len(e.All()) != 3 {
		t.Errorf("%d findings last, %d are kept; want 0 and 3", got, len(e.All()))
	}
}

// Who was told of a finding is told that it is over when another one explains it from then on.
func TestToldOfFolding(t *testing.T) {
	e, at := trained(Config{}, "v.a", "v.b")
	var told []string
	e.OnChange = func(f Finding) {
		what := "opened"
		if !f.Ended.IsZero() {
			what = "over"
		}
		told = append(told, fmt.Sprint(f.Kind, " ", f.Subject, " ", what))
	}
	outage(e, at, 40, "v.a", "v.b")
	all := strings.Join(told, "\n")
	for _, want := range []string{"error_shift v.a opened", "error_shift v.a over", "error_shift v.b over", "correlated_failure v opened"} {
		if !strings.Contains(all, want) {
			t.Errorf("told:\n%s\nwant %q", all, want)
		}
	}
	if len(e.Findings()) != 1 {
		t.Errorf("%d findings last; want one", len(e.Findings()))
	}
}
