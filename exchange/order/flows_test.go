package order_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

// blindfold is a venue whose every read but that of holdings hides one order.
type blindfold struct {
	*venue
	wire  string
	broke func() error // of Assets
}

func (b *blindfold) Query(ctx context.Context, r order.Ref) (order.Report, error) {
	if r.Wire == b.wire {
		return order.Report{}, order.ErrNotFound
	}
	return b.venue.Query(ctx, r)
}

func (b *blindfold) Fills(ctx context.Context, symbol string, since time.Time) ([]order.Fill, error) {
	list, err := b.venue.Fills(ctx, symbol, since)
	return slices.DeleteFunc(list, func(f order.Fill) bool { return f.Wire == b.wire }), err
}

func (b *blindfold) Assets(ctx context.Context, symbol string) (base, quote string, err error) {
	if err := b.broke(); err != nil {
		return "", "", err
	}
	return b.venue.Assets(ctx, symbol)
}

// nameless is a Holder that is no Custodian.
type nameless struct {
	order.Venue
	order.FillReader
	order.Holder
	order.Prober
}

// An order that filled unseen must not be judged absent, whatever the fees of others do to the balance; and one that is absent
// must not be parked because of fees that are known.
func TestFeesInTheProof(t *testing.T) {
	buy := func(symbol string, quantity order.Decimal) order.Terms {
		return order.Terms{Symbol: symbol, Side: order.Buy, Type: order.Market, Quantity: quantity}
	}
	sell := func(symbol string, quantity order.Decimal) order.Terms {
		return order.Terms{Symbol: symbol, Side: order.Sell, Type: order.Market, Quantity: quantity}
	}
	const doubtful = "nobody knows by how much"
	for name, test := range map[string]struct {
		fee    order.Decimal
		feeIn  string
		lost   order.Terms
		others []order.Terms
		plain  bool   // no Custodian
		absent string // why an order that is absent is parked; empty if it is sent again
		exists string // why one that exists is parked
	}{
		"no fee, nobody else":         {"", "USD", buy("BTC/USD", "100"), nil, false, "", "holds 100;"},
		"fee of the base":             {"1", "BTC", buy("BTC/USD", "100"), []order.Terms{buy("BTC/USD", "200")}, false, "", "without the order it would hold 199"},
		"fee of the base, sold":       {"1", "BTC", sell("BTC/USD", "100"), []order.Terms{sell("BTC/USD", "200")}, false, "", "without the order it would hold -201"},
		"fee of the quote":            {"1", "USD", buy("BTC/USD", "100"), []order.Terms{buy("BTC/USD", "200")}, false, "", "without the order it would hold 200"},
		"fee of a third asset":        {"1", "BNB", buy("BTC/USD", "100"), []order.Terms{sell("BTC/USD", "200")}, false, "", "without the order it would hold -200"},
		"a fee that is paid to us":    {"-1", "BTC", buy("BTC/USD", "100"), []order.Terms{buy("BTC/USD", "200")}, false, "", "without the order it would hold 201"},
		"a fee nobody knows":          {"1", "", buy("BTC/USD", "100"), []order.Terms{buy("BTC/USD", "200")}, false, doubtful, doubtful},
		"a fee that is no number":     {"x", "BTC", buy("BTC/USD", "100"), []order.Terms{buy("BTC/USD", "200")}, false, doubtful, doubtful},
		"a fee of who knows what":     {"1", "", buy("BTC/USD", "100"), []order.Terms{buy("ETH/USD", "200")}, false, doubtful, doubtful},
		"fees as large as the order":  {"1", "BTC", buy("BTC/USD", "2"), []order.Terms{buy("BTC/USD", "100")}, false, "", "holds 100; without the order it would hold 99"},
		"the other way, elsewhere":    {"", "USD", buy("BTC/USD", "100"), []order.Terms{sell("BTC/EUR", "100")}, false, "", "holds 0; without the order it would hold -100"},
		"paid with it":                {"", "USD", buy("BTC/USD", "100"), []order.Terms{buy("ETH/BTC", "1")}, false, doubtful, doubtful},
		"of the asset that fees take": {"1", "BNB", buy("BNB/USD", "2"), []order.Terms{buy("BTC/USD", "100")}, false, "", "holds 0; without the order it would hold -1"},
		"no names, nobody else":       {"1", "BTC", buy("BTC/USD", "100"), nil, true, "", "holds 99;"},
		"no names":                    {"", "USD", buy("BTC/USD", "100"), []order.Terms{buy("BTC/USD", "200")}, true, doubtful, doubtful},
	} {
		for _, exists := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", absent", true: ", exists"}[exists], func(t *testing.T) {
				b := &blindfold{broke: func() error { return nil }}
				bubble(t, fenced, func(r *rig) {
					i := old(market(1))
					i.Terms = test.lost
					b.wire = id(i)
					r.venue.spot, r.venue.fee, r.venue.feeIn = true, test.fee, test.feeIn
					r.venue.plan = func(o *order.Intent, n int) trip {
						return trip{vanish: o.Wire == b.wire && n == 1 && !exists, lost: o.Wire == b.wire && n == 1, fill: 100}
					}
					if o := r.submit(i); o.State != order.Unknown {
						r.t.Fatalf("the order is %v; want it in doubt", o.State)
					}
					for n, terms := range test.others {
						other := old(market(uint64(n) + 2))
						other.Terms = terms
						r.submit(other)
					}
					why := test.absent
					if exists {
						why = test.exists
					}
					if why != "" {
						if o := r.done(b.wire, order.Parked); !strings.Contains(o.Why, why) || o.Spent != 1 {
							r.t.Errorf("parked after %d attempts because %q; want %q", o.Spent, o.Why, why)
						}
					} else if o := r.done(b.wire, order.Filled); o.Spent != 2 {
						r.t.Errorf("filled after %d attempts; want two", o.Spent)
					}
					if n := len(r.venue.truth(b.wire)); n > 1 {
						r.t.Errorf("the venue has %d orders of it", n)
					}
				}, func(m *order.Machine) {
					b.venue = m.Adapter.(*venue)
					m.Adapter = b
					if test.plain {
						m.Adapter = nameless{b, b, b, b}
					}
				})
			})
		}
	}
}

// As long as the assets of a symbol are not known, none of its fills says how it moved a balance.
func TestAssetsAreUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		fails int // times that they cannot be read, from the second order on
		lost  string
		want  string
	}{
		"of the order itself": {100, "ETH/USD", "what the account held before the send is not known"},
		"of another":          {100, "BTC/USD", "nobody knows by how much"},
		"and then known":      {1, "BTC/USD", "nobody knows by how much"},
	} {
		t.Run(name, func(t *testing.T) {
			left := 0
			b := &blindfold{broke: func() error {
				if left--; left >= 0 {
					return errTest
				}
				return nil
			}}
			bubble(t, fenced, func(r *rig) {
				r.venue.spot, r.venue.feeIn = true, "USD"
				r.venue.plan = func(_ *order.Intent, n int) trip { return trip{fill: 100} }
				first := old(market(1))
				first.Symbol = "BTC/USD"
				r.submit(first) // now its assets are known
				left = test.fails
				i := old(market(2))
				i.Symbol, b.wire = test.lost, id(i)
				r.venue.plan = func(o *order.Intent, n int) trip {
					return trip{vanish: o.Wire == b.wire, lost: o.Wire == b.wire, fill: 100}
				}
				r.submit(i)
				other := old(market(3))
				other.Symbol = "SOL/USD"
				r.submit(other)
				if o := r.done(b.wire, order.Parked); !strings.Contains(o.Why, test.want) {
					r.t.Errorf("parked because %q; want %q", o.Why, test.want)
				}
			}, func(m *order.Machine) { b.venue = m.Adapter.(*venue); m.Adapter = b })
		})
	}
}

// What a resting order fills counts, too, also one that a restart has found: it is no reason to park another.
func TestFillsOfRestingOrders(t *testing.T) {
	for name, restart := range map[string]bool{"of this process": false, "found by a restart": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fenced, func(r *rig) {
				r.venue.spot, r.venue.feeIn = true, "USD"
				resting := limit(1)
				resting.Symbol, resting.PostOnly = "BTC/USD", true
				lost := old(market(2))
				lost.Symbol = "ETH/USD"
				r.venue.plan = func(o *order.Intent, n int) trip {
					if o.Wire == id(resting) {
						return trip{after: []event{{time.Minute, "", 100}}}
					}
					return trip{vanish: n == 1, lost: n == 1, fill: 100}
				}
				r.venue.stream = func(rep order.Report) {
					if err := r.live.Load().Seen(context.Background(), rep); err != nil {
						r.t.Error(err)
					}
				}
				r.submit(resting)
				if restart {
					pass(time.Second)
					r.restart()
				}
				pass(58 * time.Second)
				r.submit(lost)
				if o := r.done(id(lost), order.Filled); o.Spent != 2 {
					r.t.Errorf("filled after %d attempts; want two", o.Spent)
				}
				r.state(id(resting), order.Filled)
			})
		})
	}
}
