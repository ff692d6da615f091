package venue

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// DefaultKey and DefaultSecret open the account of a zero Config. They guard nothing.
const (
	DefaultKey    = "relent-demo-key"
	DefaultSecret = "relent-demo-secret"
)

// Unlimited is the value of a limit that never refuses.
const Unlimited = -1

// A Config describes a venue. The zero value is a venue that trades BTCUSDT and ETHUSDT with one account.
// New gives a meaning to every value; Validate names the values New had to replace.
type Config struct {
	Seed     uint64    // of the flow, the faults and generated ids; 0 means 1
	Symbols  []string  // such as "SOLUSDT": base asset, then one of the quote assets USDT, USDC, USD, EUR, BTC; default BTCUSDT and ETHUSDT
	Accounts []Account // default: one with DefaultKey and DefaultSecret
	Limits   Limits

	Profile string   // built-in name, see Profiles; default binance
	Custom  *Profile // a profile of one's own, in place of a built-in one

	// Markets changes the terms of some Symbols; zero fields keep their defaults.
	Markets map[string]Market

	Fee            decimal.Decimal // share of the received asset, below 1; 0 means 0.001, negative means none
	NoFlow         bool            // books start empty and only clients trade
	FlowPerRequest int             // steps of the background flow per request that touches a market; 0 means 2, negative means none
	FlowEvery      time.Duration   // one more step per so much time, taken when the next request comes; 0 means none
	GatewayDelay   time.Duration   // between the two checks of a request's window; default 0
	ReplicaLag     time.Duration   // order reads are behind by 0 to this, at most 10 s; default 0
	KeepLog        int             // log entries kept, the oldest go first; default 10000
	KeepBook       int             // changes of each book kept for lagging streams and for the oracle; default 10000
	MaxOrders      int             // client orders held for queries and the oracle, further ones are refused; default 250000

	Pulse      time.Duration // between the frames of fast depth streams; ten times that between those of slow ones; default 100 ms
	LinkLife   time.Duration // of a stream's connection; default 24 h
	PingEvery  time.Duration // the venue pings so often; default 20 s
	PongWait   time.Duration // and waits so long for the answer before it cuts; default 60 s
	ListenKeys bool          // the old /api/v3/userDataStream works; else it answers 410, as on the venue since 2026
	Clock      time.Duration // how far the venue's clock is ahead of the machine's; negative is behind
}

// An Account is a client of the venue.
type Account struct {
	Key, Secret string                     // default: DefaultKey and DefaultSecret for the first account; others without a key are left out
	Balances    map[string]decimal.Decimal // by asset; nil means 1,000,000 of each quote and 100 of each base asset, 1000 if it is neither BTC nor ETH
}

// A Market is the terms of one symbol. Zero and negative fields mean the defaults.
type Market struct {
	Price         decimal.Decimal // where the background flow begins; default 60000 for BTC, 3000 for ETH, else 100
	Tick          decimal.Decimal // default 0.01
	Step          decimal.Decimal // default 0.00001 for BTC, 0.0001 for ETH, else 0.001
	MinNotional   decimal.Decimal // smallest price times quantity; default 5
	MaxQuantity   decimal.Decimal // of one order; default 9000
	MaxOpenOrders int             // per account; default 200
	FlowEvery     time.Duration   // in place of Config.FlowEvery
	Volatility    float64         // largest share of the price moved by one step of the flow, up to 0.1; default 0.0002
}

// Limits are the venue's request limits. 0 means the default, Unlimited means none.
type Limits struct {
	WeightPerMinute   int           // per address; default 6000
	RequestsPer5Min   int           // per address; default 61000
	OrdersPer10s      int           // unfilled orders per account; default 100
	OrdersPerDay      int           // unfilled orders per account; default 200000
	ConnectsPer5Min   int           // streams opened per address; default 300
	MessagesPerSecond int           // from the client of a market stream, pings and pongs among them; default 5
	RefusalsUntilBan  int           // answers 429 within one minute that lead to a ban; default 10
	FirstBan          time.Duration // doubled by each further ban and by each tenth request inside one; default 2 min
	MaxBan            time.Duration // default 3 days
}

var quoteAssets = []string{"USDT", "USDC", "USD", "EUR", "BTC"}

// Validate returns all values of c that New would replace, joined; each error begins with the field's name.
func (c Config) Validate() error {
	_, err := c.complete()
	return err
}

// complete returns c with every field set, and what had to be replaced.
func (c Config) complete() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	c.Seed = cmp.Or(c.Seed, 1)
	c.FlowPerRequest = cmp.Or(c.FlowPerRequest, 2)
	if c.Fee.IsZero() {
		c.Fee = decimal.New(1, -3)
	}
	if c.Fee.Cmp(decimal.New(1, 0)) >= 0 {
		bad("Fee: %s is not below 1", c.Fee)
		c.Fee = decimal.New(1, -3)
	}
	if c.Fee.IsNegative() {
		c.Fee = decimal.Zero
	}
	for _, f := range []struct {
		name string
		d    *time.Duration
		max  time.Duration
	}{
		{"FlowEvery", &c.FlowEvery, math.MaxInt64},
		{"GatewayDelay", &c.GatewayDelay, time.Minute},
		{"ReplicaLag", &c.ReplicaLag, maxLag},
		{"Pulse", &c.Pulse, time.Minute},
		{"LinkLife", &c.LinkLife, math.MaxInt64},
		{"PingEvery", &c.PingEvery, math.MaxInt64},
		{"PongWait", &c.PongWait, math.MaxInt64},
		{"Limits.FirstBan", &c.Limits.FirstBan, math.MaxInt64},
		{"Limits.MaxBan", &c.Limits.MaxBan, math.MaxInt64},
	} {
		if *f.d < 0 || *f.d > f.max {
			bad("%s: %v is outside 0 to %v", f.name, *f.d, f.max)
			*f.d = min(max(*f.d, 0), f.max)
		}
	}
	c.Custom = c.completeProfile(bad)
	usual := func(n int) int { // other exchanges have ledgers of their own
		if len(c.Custom.Limits) > 0 || c.Custom.Name == "strict" {
			return Unlimited
		}
		return n
	}
	for _, f := range []struct {
		name string
		n    *int
		def  int
		min  int
	}{
		{"KeepLog", &c.KeepLog, 10_000, 1},
		{"KeepBook", &c.KeepBook, 10_000, 1},
		{"MaxOrders", &c.MaxOrders, 250_000, 1},
		{"Limits.WeightPerMinute", &c.Limits.WeightPerMinute, usual(6000), Unlimited},
		{"Limits.RequestsPer5Min", &c.Limits.RequestsPer5Min, usual(61_000), Unlimited},
		{"Limits.OrdersPer10s", &c.Limits.OrdersPer10s, usual(100), Unlimited},
		{"Limits.OrdersPerDay", &c.Limits.OrdersPerDay, usual(200_000), Unlimited},
		{"Limits.ConnectsPer5Min", &c.Limits.ConnectsPer5Min, 300, Unlimited},
		{"Limits.MessagesPerSecond", &c.Limits.MessagesPerSecond, 5, Unlimited},
		{"Limits.RefusalsUntilBan", &c.Limits.RefusalsUntilBan, 10, Unlimited},
	} {
		if *f.n = cmp.Or(*f.n, f.def); *f.n < f.min {
			bad("%s: %d is below %d", f.name, *f.n, f.min)
			*f.n = f.def
		}
	}
	c.Pulse = cmp.Or(c.Pulse, 100*time.Millisecond)
	c.LinkLife = cmp.Or(c.LinkLife, 24*time.Hour)
	c.PingEvery = cmp.Or(c.PingEvery, 20*time.Second)
	c.PongWait = cmp.Or(c.PongWait, time.Minute)
	c.Limits.FirstBan = cmp.Or(c.Limits.FirstBan, 2*time.Minute)
	c.Limits.MaxBan = max(cmp.Or(c.Limits.MaxBan, 72*time.Hour), c.Limits.FirstBan)

	c.Symbols = c.completeSymbols(bad)
	markets := make(map[string]Market, len(c.Symbols))
	for _, s := range c.Symbols {
		markets[s] = c.Markets[s].complete(s, bad)
	}
	for s := range c.Markets {
		if _, ok := markets[s]; !ok {
			bad("Markets: %q is not among Symbols", s)
		}
	}
	c.Markets = markets
	c.Accounts = c.completeAccounts(bad)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return c, errors.Join(errs...)
}

func (c Config) completeSymbols(bad func(string, ...any)) []string {
	var symbols []string
	for _, s := range c.Symbols {
		switch base, _ := split(s); {
		case base == "":
			bad("Symbols: %q is not a base asset and one of %s", s, strings.Join(quoteAssets, ", "))
		case slices.Contains(symbols, s):
			bad("Symbols: %q is there twice", s)
		default:
			symbols = append(symbols, s)
		}
	}
	if len(symbols) == 0 {
		return []string{"BTCUSDT", "ETHUSDT"}
	}
	return symbols
}
