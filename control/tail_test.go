package control_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

// shape is a note without its numbers.
func shape(n control.Note) string {
	return strings.Join(strings.Fields(fmt.Sprint(n.Kind, " ", n.Policy, " ", n.Attempt, " ", n.Class, " ", n.Outcome, " ", n.Reason, " ", n.Wait, ": ", n.Text)), " ")
}

func TestNotesOfCalls(t *testing.T) {
	signed := errors.New("Get https://venue/order?signature=secret: EOF")
	for _, test := range []struct {
		name string
		p    retry.Policy
		errs []error
		want []string
	}{
		{"first try", retry.Policy{}, nil, nil},
		{"first try, told", retry.Policy{Observer: &seen{}}, nil, nil},
		{"recovered", retry.Policy{}, []error{errBusy}, []string{"retrying a 1 transient 1s: busy", "recovered a 2 success_after_retry 0s:"}},
		{"failed", retry.Policy{}, []error{errBad}, []string{"failed a 1 permanent not_retryable not_retryable 0s: bad request"}},
		{"unknown, and never a signature", retry.Policy{}, []error{signed},
			[]string{"unknown a 1 ambiguous unknown_outcome unknown_outcome 0s: Get https://venue/order?... EOF"}},
		{"refused", retry.Policy{Gates: []retry.Gate{no{halt.ErrHalted}}}, nil, []string{"refused a 0 stopped 0s: halted"}},
		{"nothing attempted", retry.Policy{Gates: []retry.Gate{no{context.Canceled}}}, nil, []string{"failed a 0 cancelled 0s: context canceled"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := test.p
				p.Name, p.Backoff = "a", backoff.Constant{Wait: time.Second, Jitter: backoff.None}
				r := &control.Registry{Instance: "host:1", Trace: func(context.Context) string { return "t1" }}
				o, err := r.AddOperation("", &p)
				if err != nil {
					t.Fatal(err)
				}
				s := r.Subscribe(control.Filter{}, 0)
				errs := test.errs
				retry.Run(t.Context(), o, func(context.Context) error {
					if len(errs) == 0 {
						return nil
					}
					err := errs[0]
					errs = errs[1:]
					return err
				})
				s.Close()
				notes, dropped := s.Next(t.Context())
				var got []string
				for i, n := range notes {
					got = append(got, shape(n))
					if n.Seq != uint64(i+1) || n.Instance != "host:1" || n.Trace != "t1" || n.Call == 0 || n.At.IsZero() {
						t.Errorf("%+v lacks something", n)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(test.want) || dropped != 0 {
					t.Errorf("notes %q; want %q", got, test.want)
				}
			})
		})
	}
}

// no is a gate that refuses.
type no struct{ err error }

func (n no) Admit(context.Context, *retry.Attempt) error { return n.err }
func (no) Settle(*retry.Attempt, *retry.Outcome)         {}

func TestFilter(t *testing.T) {
	r := &control.Registry{}
	notes := []control.Note{
		{Kind: "failed", Policy: "a", Class: "permanent", Outcome: "not_retryable", Call: 1},
		{Kind: "retrying", Policy: "a", Class: "transient", Call: 2},
		{Kind: "failed", Policy: "b", Class: "transient", Outcome: "exhausted", Call: 2},
		{Kind: "order", Text: strings.Repeat("é", 400)},
	}
	for _, test := range []struct {
		filter control.Filter
		want   string
	}{
		{control.Filter{}, "1 2 3 4"},
		{control.Filter{Kinds: []string{"failed", "order"}}, "1 3 4"},
		{control.Filter{Policies: []string{"a"}}, "1 2"},
		{control.Filter{Policies: []string{"a"}, Classes: []string{"transient"}}, "2"},
		{control.Filter{Outcomes: []string{"exhausted"}}, "3"},
		{control.Filter{Call: 2}, "2 3"},
		{control.Filter{Kinds: []string{"x"}}, ""},
	} {
		s := r.Subscribe(test.filter, 10)
		for _, n := range notes {
			r.Note(n)
		}
		s.Close()
		s.Close()
		got := ""
		all, _ := s.Next(t.Context())
		for _, n := range all {
			got += fmt.Sprint((n.Seq-1)%4+1, " ")
			if len(n.Text) > 512 || n.At.IsZero() || n.Kind == "order" && !strings.HasSuffix(n.Text, "é…") {
				t.Errorf("note %+v; want a time and a short text", n)
			}
		}
		if strings.TrimSpace(got) != test.want {
			t.Errorf("%+v: notes %q; want %q", test.filter, got, test.want)
		}
	}
	if all, _ := r.Subscribe(control.Filter{}, 1).Next(ended(t)); all != nil {
		t.Errorf("%v; want none when the context ends", all)
	}
}

func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A slow reader loses the oldest notes, and is told how many.
func TestSubscriptionDropsTheOldest(t *testing.T) {
	for _, test := range []struct{ size, kept int }{{3, 3}, {-1, 1}, {control.MostTail + 1, 10}, {0, 10}} {
		r := &control.Registry{}
		s := r.Subscribe(control.Filter{}, test.size)
		for range 10 {
			r.Note(control.Note{})
		}
		notes, dropped := s.Next(t.Context())
		if len(notes) != test.kept || dropped != uint64(10-test.kept) || notes[len(notes)-1].Seq != 10 {
			t.Errorf("size %d: %d notes, %d dropped; want %d, %d", test.size, len(notes), dropped, test.kept, 10-test.kept)
		}
		if got := r.View().Dropped["tail"]; got != dropped {
			t.Errorf("%d in the view; want %d", got, dropped)
		}
	}
}

// Who waits for notes gets them, or learns that there will be none.
func TestSubscriptionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{}
		s := r.Subscribe(control.Filter{Kinds: []string{"order"}}, 0)
		go func() {
			time.Sleep(time.Second)
			r.Note(control.Note{Kind: "stream"})
			r.Note(control.Note{Kind: "order"})
			time.Sleep(time.Second)
			s.Close()
		}()
		began := time.Now()
		if notes, _ := s.Next(t.Context()); len(notes) != 1 || time.Since(began) != time.Second {
			t.Errorf("%v after %v; want one after 1s", notes, time.Since(began))
		}
		if notes, _ := s.Next(t.Context()); notes != nil || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v; want none after 2s", notes, time.Since(began))
		}
	})
}
