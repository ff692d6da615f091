package analytics_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/observe/analytics"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

var errDown = retry.Mark(errors.New("down"), retry.Transient)

func call(a *analytics.Analyzer, err error) {
	p := &retry.Policy{Name: "acme.get_book", MaxAttempts: 1, Observer: a}
	_, _ = retry.Do(context.Background(), p, func(context.Context) (int, error) { return 0, err })
}

// TestAnalyzer finds an outage by real calls, and tells the sinks of it once when it opens and once when it ends.
func TestAnalyzer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var told []analytics.Finding
		broken := errors.New("the sink is broken")
		failures := 0
		a := &analytics.Analyzer{
			Sinks: []analytics.Sink{nil, analytics.SinkFunc(func(_ context.Context, f analytics.Finding) error {
				told = append(told, f)
				return broken
			})},
			Failed: func(err error) {
				if errors.Is(err, broken) {
					failures++
				}
			},
		}
		if len(a.Findings()) != 0 || len(a.All()) != 0 || a.Stats() != (analytics.Stats{}) {
			t.Error("there is something before anything was seen")
		}
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		for i := range 15 * 60 {
			for range 20 {
				err := error(nil)
				if i >= 14*60 {
					err = errDown
				}
				call(a, err)
			}
			time.Sleep(time.Second)
		}
		if err := a.Run(ctx); !errors.Is(err, analytics.ErrRunning) {
			t.Errorf("a second Run: %v", err)
		}
		if list := a.Findings(); len(list) != 1 || list[0].Kind != analytics.ErrorShift || list[0].Severity != analytics.Page {
			t.Fatalf("Findings() = %+v; want an error shift", list)
		}
		for range 120 {
			for range 20 {
				call(a, nil)
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		last := told[len(told)-1]
		if len(told) > 3 || told[0].ID != last.ID || last.Ended.IsZero() || len(a.Findings()) != 0 {
			t.Errorf("told %+v", told)
		}
		if dropped, failed := a.Unsent(); dropped != 0 || int(failed) != failures || failures != len(told) {
			t.Errorf("Unsent() = %d, %d; want 0, %d", dropped, failed, len(told))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}

// TestFlood fills the queue while nobody takes from it.
func TestFlood(t *testing.T) {
	a := &analytics.Analyzer{}
	for range analytics.QueueSize + 5 {
		a.Add(&analytics.Record{Policy: "a"})
	}
	if a.Dropped() != 5 {
		t.Errorf("Dropped() = %d; want 5", a.Dropped())
	}
}

// TestSlowSink has more findings than may wait for a sink.
func TestSlowSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		a := &analytics.Analyzer{Sinks: []analytics.Sink{analytics.SinkFunc(func(ctx context.Context, _ analytics.Finding) error {
			<-ctx.Done()
			return ctx.Err()
		})}}
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		for i := range 300 {
			for range 4 {
				a.Add(&analytics.Record{Event: analytics.Circuit, Policy: fmt.Sprint("p", i), At: time.Now(), State: analytics.Open})
			}
		}
		time.Sleep(200 * time.Second) // until they end, too
		if dropped, _ := a.Unsent(); dropped == 0 || a.Stats().Unkept != 44 {
			t.Errorf("%d unsent, %+v; want some, and 44 findings without room", dropped, a.Stats())
		}
		cancel()
		<-done
	})
}

// TestObserve says how events become records, by what the engine makes of them.
func TestObserveAllocates(t *testing.T) {
	a := &analytics.Analyzer{}
	e := retry.Event{Kind: retry.Finished, Policy: &retry.Policy{Name: "a"}, At: time.Unix(1, 0), Attempts: 1, State: retry.Succeeded}
	a.Observe(t.Context(), e)
	if n := testing.AllocsPerRun(1000, func() { a.Observe(context.Background(), e) }); n != 0 {
		t.Errorf("Observe allocates %v times", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	a := &analytics.Analyzer{}
	e := retry.Event{Kind: retry.Finished, Policy: &retry.Policy{Name: "a"}, At: time.Unix(1, 0), Attempts: 1, State: retry.Succeeded}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	b.ReportAllocs()
	for b.Loop() {
		a.Observe(ctx, e)
	}
	cancel()
	<-done
}

func BenchmarkFeed(b *testing.B) {
	e := analytics.NewEngine(analytics.Config{})
	r := analytics.Record{Policy: "a", At: time.Unix(1, 0), Attempt: 1, Ended: true, Last: true, OK: true}
	b.ReportAllocs()
	for b.Loop() {
		e.Feed(&r)
	}
}

func BenchmarkCloseSecond(b *testing.B) {
	e := analytics.NewEngine(analytics.Config{})
	at := time.Unix(0, 0)
	r := analytics.Record{Attempt: 1, Ended: true, Last: true, OK: true}
	for i := range 699 {
		r.Policy, r.At = fmt.Sprint("acme.op", i), at
		e.Feed(&r)
	}
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Second)
		e.Advance(at)
	}
}

// A finding goes to an audit log as the record of a decision. The log is an observer beside this one, so the two are joined
// by whoever has both.
func ExampleSinkFunc() {
	var kept []audit.Record
	record := func(_ context.Context, r audit.Record) error { // the Record method of an audit.Log
		kept = append(kept, r)
		return nil
	}
	sink := analytics.SinkFunc(func(ctx context.Context, f analytics.Finding) error {
		return record(ctx, audit.Record{Time: f.Updated, Actor: "analytics", Operation: f.Subject.Name, Decision: "finding", Rule: string(f.Kind), Why: f.Text})
	})
	err := sink.Tell(context.Background(), analytics.Finding{Kind: analytics.Flapping, Subject: analytics.Subject{Name: "acme.get_book"}, Text: "It flaps."})
	fmt.Println(kept[0].Rule, kept[0].Why, err)
	// Output: flapping It flaps. <nil>
}

func ExampleAnalyzer() {
	a := &analytics.Analyzer{Sinks: []analytics.Sink{analytics.Log{}}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()

	p := &retry.Policy{Name: "acme.get_book", Idempotent: true, Observer: a}
	_, err := retry.Do(ctx, p, func(context.Context) (string, error) { return "book", nil })
	cancel()
	<-done
	fmt.Println(err, len(a.Findings()), a.Stats().Records)
	// Output: <nil> 0 1
}

// What was counted elsewhere is asked for before what waits is taken in, and not at the end.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		a := &analytics.Analyzer{Poll: func(now time.Time, feed func(*analytics.Record)) {
			asked++
			feed(&analytics.Record{At: now, Policy: "v.a", Attempt: 1, Ended: true, Last: true, OK: true, Count: 7})
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Millisecond)
		defer cancel()
		a.Run(ctx)
		if s := a.Stats(); asked != 10 || s.Records != 10 || s.Subjects != 1 {
			t.Errorf("asked %d times, %+v; want 10, and 10 records of one subject", asked, s)
		}
	})
}
