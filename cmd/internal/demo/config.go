package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// A Config says where and how to trade.
type Config struct {
	URL         string // of any endpoint compatible with Binance Spot, without a path
	Key, Secret string

	For  time.Duration // how long to trade; what is open then is settled first
	Seed uint64        // of the traders' choices

	// Residual is how long after a request's deadline the venue may still act on it. An order is
	// believed to be absent only after that (specified for Binance: 10 s, its API's own timeout).
	Residual time.Duration
	Traders  int           // at one time
	Pause    time.Duration // of each trader, between two rounds of a few calls

	// Ledger is the venue's own account of the orders, for the verdict. Nil asks the venue through
	// its API.
	Ledger func(context.Context) (Ledger, error)

	Control *Control // makes operations visible and stoppable; nil: nobody sees or stops them

	Ready func()         // called once, before trading begins; nil does nothing
	Show  func(Snapshot) // called five times a second while trading; nil shows nothing
}

// A Ledger is what a venue really holds, by client id.
type Ledger map[string]Holding

// A Holding is what the venue holds under one client id.
type Holding struct {
	Orders     int  // venue orders that carry it
	OverFilled bool // more was executed than intended
}

// window is how long the venue may take to accept a signed request. Short, because it is the time
// during which the fate of a lost order is open.
const window = time.Second

// filled returns c with defaults for what is not positive.
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
