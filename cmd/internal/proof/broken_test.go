package proof

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// A machine that was broken on purpose is caught by the rule that it breaks.
func TestBrokenMachines(t *testing.T) {
	for _, test := range []struct {
		name            string
		want            string // begins a complaint
		faults, profile string
		spoil           func(*process, *exchange.Transport)
	}{
		{"takes ids for protected", "I2 ", "lossy", "deribit", func(p *process, _ *exchange.Transport) {
			p.machine.Rules.Resend, p.machine.Rules.ResendTaking = order.ResendIsQuery, true
		}},
		{"believes reads before the fence", "breach", "late", "deribit", func(p *process, t *exchange.Transport) {
			p.machine.Rules.Residual, p.machine.Rules.FirstWait, p.machine.Rules.Spacing = 0, time.Millisecond, time.Millisecond
			p.machine.SendTimeout = 300 * time.Millisecond
			t.Desk = early{p.machine}
		}},
		{"forgets its log at a crash", "lost", "calm", "binance", func(p *process, _ *exchange.Transport) {
			p.machine.Log.(*journal).Log = inMemory()
		}},
		{"loses fills", "I4 ", "calm", "binance", func(p *process, _ *exchange.Transport) { sabotage(p, noFills) }},
		{"tells nobody", "I5 ", "storm", "strict", func(p *process, _ *exchange.Transport) { p.machine.Alert = nobody{} }},
		{"writes after it has sent", "I6 ", "calm", "binance", func(p *process, _ *exchange.Transport) { sabotage(p, tooLate) }},
		{"ignores stops", "I7 ", "calm", "binance", func(p *process, _ *exchange.Transport) { p.machine.Gates = nil }},
		{"sends what is old", "I7 ", "ratelimit", "binance", func(p *process, _ *exchange.Transport) {
			p.machine.Rules.MaxAges = order.MaxAges{Immediate: time.Hour, Marketable: time.Hour, Resting: time.Hour}
		}},
		{"asks inside bans", "I8 ", "ratelimit", "binance", func(p *process, _ *exchange.Transport) {
			pester(p, time.Second, func(t venue.Totals) bool { return t.InsideBans > 0 })
		}},
		{"asks without end", "I9 ", "calm", "binance", func(p *process, _ *exchange.Transport) {
			pester(p, 2*time.Millisecond, func(t venue.Totals) bool { return t.OverLimit > 0 })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var seen []string
			for seed := range uint64(8) {
				c := trial{faults: test.faults, profile: test.profile, seed: seed + 1, traders: 8, each: 30, crashes: 2, halts: 6, spoil: test.spoil}
				seen = c.run(t).wrong
				if slices.ContainsFunc(seen, func(w string) bool { return strings.HasPrefix(w, test.want) }) {
					return
				}
			}
			t.Errorf("nobody has noticed: the last run says %q", first(seen, 3))
		})
	}
}

// early is a desk that takes the deadline of an order for past.
type early struct{ *order.Machine }

func (e early) Begin(ctx context.Context, s *exchange.Sending) error {
	sent := *s
	sent.Deadline = sent.Signed.Add(-time.Minute)
	return e.Machine.Begin(ctx, &sent)
}

type nobody struct{}

func (nobody) Raise(context.Context, order.Alarm) {}

// A saboteur sits between a journal and its log.
type saboteur struct {
	order.Log
	journal *journal
	how     func(*saboteur, context.Context, order.Lease, []order.Entry) error
}

func sabotage(p *process, how func(*saboteur, context.Context, order.Lease, []order.Entry) error) {
	j := p.machine.Log.(*journal)
	p.machine.Log = &saboteur{j, j, how}
}

func (s *saboteur) Append(ctx context.Context, l order.Lease, entries ...order.Entry) error {
	return s.how(s, ctx, l, entries)
}

func noFills(s *saboteur, ctx context.Context, l order.Lease, entries []order.Entry) error {
	kept := slices.DeleteFunc(slices.Clone(entries), func(e order.Entry) bool { return e.Kind == order.KindFill })
	return s.Log.Append(ctx, l, kept...)
}

func tooLate(s *saboteur, ctx context.Context, l order.Lease, entries []order.Entry) error {
	if len(entries) == 1 && entries[0].Kind == order.KindSending {
		time.AfterFunc(50*time.Millisecond, func() { _ = s.Log.Append(context.Background(), l, entries...) })
		return nil
	}
	return s.Log.Append(ctx, l, entries...)
}

// pester asks the venue past the transport until it has done harm: each tenth request inside a ban doubles it.
func pester(p *process, every time.Duration, harm func(venue.Totals) bool) {
	sdk := newSDK(p.arena.venue.Client())
	p.work.Go(func() {
		for n := 0; n < 1000 && p.life.Err() == nil && !harm(p.arena.venue.Oracle().Totals); n++ {
			_, _ = sdk.NewGetAccountService().Do(p.life)
			rest(p.life, every)
		}
	})
}
