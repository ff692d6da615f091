package demo

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

// A Config says where and how to trade.
type Config struct {
	URL         string // of any endpoint compatible with Binance Spot, without a path
	Key, Secret string
	Dir         string // an existing folder, for the order log (orders.db) and the bans

	For  time.Duration // how long to trade; what is open then is settled first
	Seed uint64        // of the traders' choices

	// Residual is how long after a request's deadline the venue may still act on it; 0 means what is known of Binance, 10 s.
	Residual time.Duration
	Traders  int           // at one time
	Pause    time.Duration // of each trader, between two orders

	// Venue is the simulated exchange behind URL, whose oracle judges. Nil asks the venue through its API.
	Venue *venue.Venue

	Control *Control // makes operations visible and stoppable; nil: nobody sees or stops them

	Ready func()         // called once, when everything is connected and before trading begins; nil does nothing
	Show  func(Snapshot) // called five times a second while trading; nil shows nothing
}

// A Control makes the demo's operations visible and lets people stop them. Both fields are needed.
type Control struct {
	Registry *control.Registry
	Stops    *halt.Tree
}

// window is how long the venue may take to accept a signed order. Short, because it is the time during which the fate of a
// lost order is open.
const window = time.Second

// filled returns c with defaults for what is not set.
func (c Config) filled() Config {
	if c.Traders <= 0 {
		c.Traders = 4
	}
	if c.Pause <= 0 {
		c.Pause = 500 * time.Millisecond
	}
	if c.Ready == nil {
		c.Ready = func() {}
	}
	if c.Control == nil {
		c.Control = &Control{Registry: &control.Registry{Instance: "demo", Logger: slog.New(slog.DiscardHandler)}, Stops: &halt.Tree{}}
	}
	return c
}

// Validate returns all mistakes, each beginning with the flag that sets it.
func (c Config) Validate() error {
	var errs []error
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, fmt.Errorf("--venue: %q is not a URL such as https://testnet.binance.vision", c.URL))
	} else if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		errs = append(errs, fmt.Errorf("--venue: %q has a path or a query: give the scheme and the host alone", c.URL))
	}
	if c.Key == "" || c.Secret == "" {
		errs = append(errs, errors.New("--api-key, --api-secret: both are needed to place orders"))
	}
	if c.For <= 0 {
		errs = append(errs, fmt.Errorf("--for: %v is not above 0", c.For))
	}
	return errors.Join(errs...)
}

// hosts are where Binance has the streams of its REST hosts, market data and WebSocket API (web-socket-streams.md and
// web-socket-api.md of binance-spot-api-docs).
var hosts = map[string][2]string{
	"api.binance.com":        {"stream.binance.com:9443", "ws-api.binance.com:443"},
	"testnet.binance.vision": {"stream.testnet.binance.vision", "ws-api.testnet.binance.vision"},
}

// streams returns the addresses of the streams that belong to a REST address. Whoever is not Binance has all on one host.
func streams(rest string) (market, user string) {
	u, err := url.Parse(rest)
	if err != nil {
		return "", ""
	}
	scheme := "wss"
	if u.Scheme == "http" {
		scheme = "ws"
	}
	of := hosts[u.Host]
	return scheme + "://" + cmp.Or(of[0], u.Host) + "/ws", scheme + "://" + cmp.Or(of[1], u.Host) + "/ws-api/v3"
}
