package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

// A Source is what the dashboard shows.
type Source interface {
	// View returns what can be seen now. It is called about twice a second, and what
	// it returned is kept: it must not change later.
	View() control.View
}

// A Teller is a Source that also tells single events, for the live tail; [control.Registry] is one.
// Without it the tail says that it has no source.
type Teller interface {
	// Subscribe collects the events that a filter selects, from now on, at most size that nobody read yet.
	Subscribe(f control.Filter, size int) *control.Subscription
}

// An Audit reads the audit log.
type Audit interface {
	// Records returns the newest records whose text contains q, newest first, at most limit.
	Records(ctx context.Context, q string, limit int) ([]audit.Record, error)
	// Verify checks the whole chain. Its error names the first record that does not fit.
	Verify(ctx context.Context) error
}

// A Config says what to show, and to whom.
type Config struct {
	Source    Source
	Commander control.Commander // nil: nothing can be stopped, released or tuned here
	Audit     Audit             // nil: the panel says that it has no source
	Auth      Auth              // nil: whoever reaches the loopback address may do everything
	Hosts     []string          // names, with ports, that requests may ask for; loopback names always may
	ReadOnly  bool              // refuse whatever changes something
	Interval  time.Duration     // between samples; default 500 ms, at least 50 ms
}

// Check returns all mistakes, each beginning with its field's name.
func (c Config) Check() error {
	var errs []error
	if c.Source == nil {
		errs = append(errs, errors.New("Source: is nil, so there is nothing to show"))
	}
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("Interval: %v is negative", c.Interval))
	}
	for _, h := range c.Hosts {
		if h == "" || strings.ContainsAny(h, "/ *") {
			errs = append(errs, fmt.Errorf("Hosts: %q is not a host name with an optional port", h))
		} else if c.Auth == nil && !loopback(h) {
			errs = append(errs, fmt.Errorf("Hosts: %s is not a loopback name and Auth is nil: anybody could stop trading; set Auth", h))
		}
	}
	return errors.Join(errs...)
}

// loopback reports whether a host, with or without a port, names this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
