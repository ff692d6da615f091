package control

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

var (
	errBlip = retry.Mark(errors.New("blip"), retry.Transient)   // whose retries succeed
	errDead = retry.Mark(errors.New("outage"), retry.Transient) // whose retries fail
)

// A notary keeps the records of commands, in one line each, or fails.
type notary struct {
	mu    sync.Mutex
	lines []string
	err   error
}

func (n *notary) Record(_ context.Context, r audit.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	n.lines = append(n.lines, string(r.Decision)+" "+r.Actor+": "+r.Validation+": "+r.Why)
	return nil
}

func (n *notary) fail(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = err
}

// A trainee is an operation that may be promoted, and its registry, which runs for a minute at a time.
type trainee struct {
	*testing.T
	*Registry
	*Operation
	notary notary
}

// train runs a test in simulated time. The gates come before the learning.
func train(t *testing.T, rehearse func(context.Context, adaptive.Learned, *retry.Policy) (float64, error), l *Learning, gates []retry.Gate, test func(*trainee)) {
	synctest.Test(t, func(t *testing.T) {
		x := &trainee{T: t}
		x.Registry = &Registry{Recorder: &x.notary, Rehearse: rehearse, Logger: slog.New(slog.DiscardHandler)}
		var err error
		x.Operation, err = x.AddOperation("", &retry.Policy{
			Name: "venue.get", Idempotent: true, MaxAttempts: 2, Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}, Gates: append(gates, l),
		})
		if err != nil {
			t.Fatal(err)
		}
		test(x)
	})
}

// day makes calls for more than a day, some of which fail once, and some in outages; then the next review is over.
func (x *trainee) day() { x.dayOf(x.Operation) }

func (x *trainee) dayOf(s retry.Source) {
	for i := range 9000 {
		n := 0
		retry.Run(x.Context(), s, func(context.Context) error {
			switch n++; {
			case i%200 > 170:
				return errDead
			case i%10 == 3 && n == 1:
				return errBlip
			}
			return nil
		})
		time.Sleep(10 * time.Second)
	}
	x.minute()
}

// minute lets the registry run until a review is over.
func (x *trainee) minute() {
	ctx, cancel := context.WithTimeout(x.Context(), reviewEvery+time.Second)
	defer cancel()
	x.Registry.Run(ctx)
}

func (x *trainee) want(text, promotion string) {
	x.Helper()
	v := x.Operation.View()
	if got := Texts(x.Operation.row().tuned)["adaptive"]; got != text || !strings.HasPrefix(v.Learning.Promotion, promotion) || promotion == "" && v.Learning.Promotion != "" {
		x.Errorf("adaptive is %s, promotion %q, proven %v; want %s, %q", got, v.Learning.Promotion, v.Learning.Proven, text, promotion)
	}
	if got := x.live.learner.Mode("venue.get").String(); got != v.Learning.Mode {
		x.Errorf("the learner is %s, and the operation %s", got, v.Learning.Mode)
	}
}

func (x *trainee) tune(fields map[string]string) {
	x.Helper()
	if _, err := x.Registry.Tune(x.Context(), Tune{Operation: "venue.get", Version: x.Operation.row().version, Fields: fields, Actor: "ann", Reason: "try"}); err != nil {
		x.Error(err)
	}
}

func (x *trainee) records() string {
	x.notary.mu.Lock()
	defer x.notary.mu.Unlock()
	all := strings.Join(x.notary.lines, "\n")
	x.notary.lines = nil
	return all
}

func purse() []retry.Gate { return []retry.Gate{&budget.Budget{Ratio: 1, Max: 1000}} }

func wins(context.Context, adaptive.Learned, *retry.Policy) (float64, error)  { return 1.25, nil }
func loses(context.Context, adaptive.Learned, *retry.Policy) (float64, error) { return -1, nil }

// What is proven is promoted with a record, keeps that through a change of another field and through a new base, and is taken back with
// another record when the guard comes on.
func TestPromotionAndDemotion(t *testing.T) {
	var asked []string
	rehearse := func(_ context.Context, x adaptive.Learned, p *retry.Policy) (float64, error) {
		asked = append(asked, x.Operation+" "+p.Name)
		return 1.25, nil
	}
	train(t, rehearse, &Learning{Promote: true}, purse(), func(x *trainee) {
		x.want("shadow(promote)", "waits for a proof")
		x.day()
		x.want("active(promote)", "promoted: proven by ")
		if got := x.records(); !strings.HasPrefix(got, "tune relent: adaptive: shadow(promote) -> active(promote): proven by ") || !strings.HasSuffix(got, "and the rehearsal gains 1.25") || len(asked) != 1 || asked[0] != "venue.get venue.get" {
			t.Errorf("recorded %q, rehearsed %q", got, asked)
		}
		x.tune(map[string]string{"max_elapsed": "1m"})
		if _, err := x.Apply(t.Context(), Set{Policies: map[string]*retry.Policy{"venue.get": {Idempotent: true, MaxAttempts: 3, Gates: append(purse(), &Learning{Promote: true})}}}); err != nil {
			t.Fatal(err)
		}
		x.want("active(promote)", "promoted: proven by ")
		x.records()

		x.notary.fail(errors.New("disk full"))
		x.live.learner.Notice(adaptive.Notice{Operation: "venue.get", What: "guard on"})
		if got := x.live.learner.Mode("venue.get"); got != adaptive.Shadow {
			t.Errorf("a promotion that does harm is %v, before it is recorded", got)
		}
		x.minute()
		if x.Operation.row().promoted == "" {
			t.Error("taken back without a record")
		}
		x.notary.fail(nil)
		x.minute()
		x.want("shadow(promote)", "waits for a proof")
		if got := x.records(); got != "tune relent: adaptive: active(promote) -> shadow(promote): the guard found that calls it gave up would have succeeded" {
			t.Errorf("recorded %q", got)
		}
	})
}

// An operator's word stands: the guard does not take it back, and a mode that is changed is proven anew.
func TestPromotionAndOperator(t *testing.T) {
	train(t, wins, &Learning{Promote: true}, purse(), func(x *trainee) {
		x.day()
		x.tune(map[string]string{"adaptive": "active(promote)"}) // now it is hers
		x.want("active(promote)", "")
		x.live.learner.Notice(adaptive.Notice{Operation: "venue.get", What: "guard on"})
		x.live.learner.Notice(adaptive.Notice{Operation: "venue.get", What: "guard on"})
		x.minute()
		x.want("active(promote)", "")
		x.tune(map[string]string{"adaptive": "shadow"})
		x.day()
		x.want("shadow", "")
		x.tune(map[string]string{"adaptive": "off"})
		x.tune(map[string]string{"adaptive": "shadow(promote)"})
		x.minute()
		x.want("shadow(promote)", "waits for a proof")
		x.records()
		x.day()
		x.want("active(promote)", "promoted: proven by ")
	})
}

// Whoever changes the operation during the rehearsal is quicker, and is not overruled; the next review asks again.
func TestPromotionLosesRace(t *testing.T) {
	var x *trainee
	n := 0
	rehearse := func(context.Context, adaptive.Learned, *retry.Policy) (float64, error) {
		if n++; n == 1 {
			x.tune(map[string]string{"max_elapsed": "1m"})
		}
		return 0, nil
	}
	train(t, rehearse, &Learning{Promote: true}, purse(), func(y *trainee) {
		x = y
		x.day()
		x.minute()
		x.want("active(promote)", "promoted: ")
		if got := x.records(); !strings.Contains(got, ErrVersion.Error()) || n != 2 {
			t.Errorf("recorded %q after %d rehearsals", got, n)
		}
		// The same for what takes it back.
		w := x.Operation.row()
		x.tune(map[string]string{"max_elapsed": "2m"})
		if err := x.switchTo(t.Context(), w, adaptive.Shadow, "try"); !errors.Is(err, ErrVersion) {
			t.Errorf("an old row: %v", err)
		}
	})
}

// Without the word of the program, a budget, and a rehearsal that does not lose, nothing is promoted.
func TestNoPromotion(t *testing.T) {
	for _, test := range []struct {
		name     string
		rehearse func(context.Context, adaptive.Learned, *retry.Policy) (float64, error)
		l        Learning
		gates    []retry.Gate
		says     string
	}{
		{"nobody asks for it", wins, Learning{}, purse(), ""},
		{"no budget", wins, Learning{Promote: true}, nil, "never: no budget"},
		{"no rehearsal", nil, Learning{Promote: true}, purse(), "never: this program"},
		{"the rehearsal loses", loses, Learning{Promote: true}, purse(), "waits for a proof"},
		{"the rehearsal fails", func(context.Context, adaptive.Learned, *retry.Policy) (float64, error) { return 1, errBlip }, Learning{Promote: true}, purse(), "proven: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			train(t, test.rehearse, &test.l, test.gates, func(x *trainee) {
				text := x.Operation.row().learning.String()
				notes := x.Subscribe(Filter{Kinds: []string{"learning"}}, 10)
				x.day()
				x.want(text, test.says)
				if got := x.records(); got != "" {
					t.Errorf("recorded %q", got)
				}
				if strings.HasPrefix(test.name, "the rehearsal") {
					if told, _ := notes.Next(t.Context()); len(told) == 0 || !strings.Contains(told[0].Text, "not promoted: ") {
						t.Errorf("told %+v", told)
					}
				}
			})
		})
	}
}

// The model that operations share is never promoted.
func TestNoPromotionOfOthers(t *testing.T) {
	asked := false
	rehearse := func(context.Context, adaptive.Learned, *retry.Policy) (float64, error) { asked = true; return 1, nil }
	train(t, rehearse, &Learning{Promote: true}, purse(), func(x *trainee) {
		p := *x.Operation.row().tuned
		p.Name, p.Gates = adaptive.Others, nil
		x.dayOf(x.live.learner.Source(&p, adaptive.Terms{}))
		if e, _ := x.live.learner.Explain(adaptive.Others); !e.Proven || asked || x.records() != "" {
			t.Errorf("proven %v, rehearsed %v", e.Proven, asked)
		}
	})
}
