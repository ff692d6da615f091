package adaptive

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// proven returns a learner whose operation venue.get has proven its forecasts, and what it tells.
func proven() (*Learner, *model, *[]string) {
	told := &[]string{}
	l := &Learner{Notice: func(n Notice) { *told = append(*told, n.Operation+": "+n.What) }}
	m := l.model("venue.get")
	prove(m)
	return l, m, told
}

func prove(m *model) {
	from := m.score.last
	for i := range 600 {
		ok, p := i%2 == 0, .05
		if ok {
			p = .95
		}
		m.score.add(p, ok, from+float64(i)*150)
	}
}

func any(string) bool { return true }

func gains(x float64, err error) func(context.Context, Learned) (float64, error) {
	return func(context.Context, Learned) (float64, error) { return x, err }
}

func TestPromotion(t *testing.T) {
	for _, test := range []struct {
		name  string
		with  func(*Learner, *model, *Promotion)
		want  Mode
		tells string
	}{
		{"proven, and gains", func(*Learner, *model, *Promotion) {}, Active, "venue.get: mode active: proven by 600 forecasts, and the rehearsal gains 1.25"},
		{"loses", func(_ *Learner, _ *model, p *Promotion) { p.Rehearse = gains(-.5, nil) }, Shadow, "venue.get: mode shadow stays: proven by 600 forecasts, but the rehearsal loses 0.50"},
		{"no number", func(_ *Learner, _ *model, p *Promotion) { p.Rehearse = gains(math.NaN(), nil) }, Shadow, "but the rehearsal loses NaN"},
		{"not proven", func(_ *Learner, m *model, _ *Promotion) { m.score.restart() }, Shadow, ""},
		{"fallen back", func(_ *Learner, m *model, _ *Promotion) { m.score.fallback = true }, Shadow, ""},
		{"guarded", func(_ *Learner, m *model, _ *Promotion) { m.guard.on = true }, Shadow, ""},
		{"off", func(l *Learner, _ *model, _ *Promotion) { l.SetMode("venue.get", Off) }, Off, "venue.get: mode off"},
		{"not asked for", func(_ *Learner, _ *model, p *Promotion) { p.May = nil }, Shadow, ""},
		{"not this one", func(_ *Learner, _ *model, p *Promotion) { p.May = func(s string) bool { return s != "venue.get" } }, Shadow, ""},
		{"no rehearsal", func(_ *Learner, _ *model, p *Promotion) { p.Rehearse = nil }, Shadow, ""},
		{"no learner", func(_ *Learner, _ *model, p *Promotion) { p.Learner = nil }, Shadow, ""},
		{"an operator is quicker", func(l *Learner, _ *model, p *Promotion) {
			p.Rehearse = func(context.Context, Learned) (float64, error) { l.SetMode("venue.get", Off); return 1, nil }
		}, Off, "venue.get: mode off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, m, told := proven()
			p := Promotion{Learner: l, May: any, Rehearse: gains(1.25, nil)}
			test.with(l, m, &p)
			if err := p.Review(t.Context(), day); err != nil {
				t.Fatal(err)
			}
			if got := l.Mode("venue.get"); got != test.want || !strings.Contains(strings.Join(*told, "\n"), test.tells) || len(*told) > 1 {
				t.Errorf("mode %v, told %q; want %v and %q", got, *told, test.want, test.tells)
			}
			if e, _ := l.Explain("venue.get"); e.Promoted != (test.want == Active) {
				t.Errorf("promoted %v", e.Promoted)
			}
			again := len(*told)
			if err := p.Review(t.Context(), day); err != nil || len(*told) != again {
				t.Errorf("a second review tells %q, %v; want nothing, since the proof begins anew", (*told)[again:], err)
			}
		})
	}
}

func TestPromotionWhoseRehearsalFails(t *testing.T) {
	l, _, told := proven()
	prove(l.model("venue.put"))
	p := Promotion{Learner: l, May: any, Rehearse: gains(0, errBusy)}
	if err := p.Review(t.Context(), day); !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "rehearse venue.get") || !strings.Contains(err.Error(), "rehearse venue.put") {
		t.Errorf("Review = %v; want both mistakes", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.Rehearse = gains(1, nil)
	if err := p.Review(ctx, day); !errors.Is(err, context.Canceled) {
		t.Errorf("Review = %v; want it cancelled", err)
	}
	if err := p.Review(t.Context(), day); err != nil || len(*told) != 2 {
		t.Errorf("Review = %v, told %q; want both promoted the next time", err, *told)
	}
}

// With a Set, the Promotion changes no mode itself.
func TestPromotionBySomebodyElse(t *testing.T) {
	l, _, told := proven()
	var why string
	var wrong error
	p := Promotion{Learner: l, May: any, Rehearse: gains(1.25, nil), Set: func(_ context.Context, name, words string) error {
		why = name + ": " + words
		return wrong
	}}
	if err := p.Review(t.Context(), day); err != nil || why != "venue.get: proven by 600 forecasts, and the rehearsal gains 1.25" || l.Mode("venue.get") != Shadow {
		t.Errorf("Review = %v, %q, mode %v", err, why, l.Mode("venue.get"))
	}
	wrong = errBusy
	if err := p.Review(t.Context(), day); !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "promote venue.get") {
		t.Errorf("Review = %v; want it to be tried again, and the mistake", err)
	}
	why, p.Rehearse = "", gains(-1, nil)
	if err := p.Review(t.Context(), day); err != nil || why != "" || len(*told) != 1 {
		t.Errorf("a rehearsal that loses: %v, %q, told %q", err, why, *told)
	}
	prove(l.known("venue.get"))
	l.ProveAnew("venue.get")
	l.ProveAnew("venue.new")
	if e, _ := l.Explain("venue.get"); e.Proven {
		t.Error("proven, though the proof began anew")
	}
}

// The guard takes back what a promotion gave, at once, and nothing that an operator set.
func TestDemotion(t *testing.T) {
	for _, byHand := range []bool{false, true} {
		l, m, told := proven()
		if byHand {
			l.SetMode("venue.get", Active)
		} else if err := (Promotion{Learner: l, May: any, Rehearse: gains(0, nil)}).Review(t.Context(), day); err != nil {
			t.Fatal(err)
		}
		for i := range 50 {
			at := day.Add(time.Duration(i) * time.Second)
			l.tell(m, m.settle(&result{ok: true, retry: 1, against: true, earned: .9}, at, at.Add(time.Second)))
		}
		want, tells := Shadow, "venue.get: mode shadow: guard on"
		if byHand {
			want, tells = Active, "venue.get: guard on"
		}
		if got := l.Mode("venue.get"); got != want || !slices.Contains(*told, tells) || m.promoted || m.guard.trips != 1 {
			t.Errorf("by hand %v: mode %v, %d trips, told %q; want %v", byHand, got, m.guard.trips, *told, want)
		}
	}
}

// What an operator sets is not promoted until it is proven anew.
func TestOperatorsWordStands(t *testing.T) {
	l, m, _ := proven()
	l.SetMode("venue.get", Active)
	l.SetMode("venue.get", Shadow)
	p := Promotion{Learner: l, May: any, Rehearse: gains(1, nil)}
	if p.Review(t.Context(), day); l.Mode("venue.get") != Shadow {
		t.Error("promoted at once")
	}
	prove(m)
	if p.Review(t.Context(), day); l.Mode("venue.get") != Active {
		t.Error("not promoted when proven anew")
	}
}

func TestLearned(t *testing.T) {
	if _, ok := (&Learner{}).Learned("venue.get", day); ok {
		t.Error("something is known of an operation that was never called")
	}
	l := taught()
	m := l.known("venue.get")
	m.hazard[throttle].learn(1)
	m.took, m.attemptCost, m.delayCost = .1, .03, .05
	for range 200 {
		m.item[Internal][0].learn(0, true)
	}
	x, ok := l.Learned("venue.get", day)
	if !ok || x.Operation != "venue.get" || x.Rate <= 0 || x.Up <= .4 || x.Gap < time.Second || x.Kind != Internal || x.Pays < .95 ||
		x.AttemptCost != .03 || x.DelayCost != .05 || x.Throttling != .5 {
		x.Snapshot = nil
		t.Errorf("%+v", x)
	}
	if err := new(Learner).Load(x.Snapshot, day, "venue.get"); err != nil || len(x.Snapshot) != record {
		t.Errorf("a snapshot of %d bytes: %v", len(x.Snapshot), err)
	}
	m.guard.doesNot, m.guard.pays = 9, .5
	x, _ = l.Learned("venue.get", day)
	pupil := &Learner{}
	if err := pupil.Adopt(x, day); err != nil {
		t.Fatal(err)
	}
	if g := pupil.known("venue.get").guard; g.doesNot != 9 || g.pays != .5 || !bytes.Equal(pupil.Snapshot(day), x.Snapshot) {
		t.Errorf("adopted %+v", g)
	}
	if err := pupil.Adopt(Learned{Snapshot: x.Snapshot[1:]}, day); !errors.Is(err, ErrTruncated) {
		t.Errorf("Adopt = %v; want %v", err, ErrTruncated)
	}
	for _, throttling := range []bool{false, true} {
		g := available
		if throttling {
			g = throttle
		}
		before := 0.
		for _, share := range []float64{-1, 0, .1, .5, .9, .99} {
			d := x.Lasts(share, throttling)
			if want := -math.Log1p(-max(0, share)); math.Abs(m.hazard[g].at(d)-want) > 1e-9 || d < before {
				t.Errorf("%v of the outages last up to %v s, where the hazard is %v; want %v", share, d, m.hazard[g].at(d), want)
			}
			before = d
		}
		if d := x.Lasts(2, throttling); d != firstEdge*edge*2 {
			t.Errorf("the longest outage lasts %v s; want the end of the bins", d)
		}
	}
	if y, _ := new(Learner).fresh("venue.new"); y.Throttling != 0 || y.Rate != 0 || y.AttemptCost != 0 {
		t.Errorf("of a new operation %+v", y)
	}
}

// fresh returns what is known of an operation of which nothing was seen.
func (l *Learner) fresh(name string) (Learned, bool) {
	l.model(name)
	return l.Learned(name, day)
}
