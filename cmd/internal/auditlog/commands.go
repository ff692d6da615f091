package auditlog

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/relent-go/relent/observe/audit"
)

// Query prints up to limit records, the first ones; not positive means all. It says whether there are more.
func Query(ctx context.Context, s Store, f audit.Filter, limit int, p *Printer) (more bool, err error) {
	feed := NewFeed(s, f)
	for n := 0; ; n++ {
		r, err := feed.Next(ctx)
		if err != nil || r == nil {
			return false, err
		}
		if limit > 0 && n == limit {
			return true, nil
		}
		if err := p.Print(r); err != nil {
			return false, err
		}
	}
}

// Tail prints the last n records, and then those that come, until ctx ends: then it returns nil.
func Tail(ctx context.Context, s Store, f audit.Filter, n int, every time.Duration, p *Printer) error {
	feed := NewFeed(s, f)
	var last []*audit.Record
	for {
		r, err := feed.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		if last = append(last, r); len(last) > max(0, n) {
			last = last[1:]
		}
	}
	for _, r := range last {
		if err := p.Print(r); err != nil {
			return err
		}
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		r, err := feed.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case r != nil:
			if err := p.Print(r); err != nil {
				return err
			}
			continue
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Export writes links as they are stored, one object a line, for others to verify: {"v":1,"hash":…,"record":…}. With a filter that leaves some out, the
// hashes are still those of the chain.
func Export(ctx context.Context, s Store, f audit.Filter, w io.Writer) error {
	chains, err := s.Chains(ctx)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		if f.Chain != "" && f.Chain != chain {
			continue
		}
		start, err := s.Start(chain)
		if err != nil {
			return err
		}
		for from := start.Sequence + 1; ; {
			links, err := s.Links(ctx, chain, from, 0)
			if err != nil {
				return err
			}
			if len(links) == 0 {
				break
			}
			for _, l := range links {
				r, err := audit.ParseRecord(l.Body)
				if err != nil || l.Sequence < from {
					return &audit.BadError{Chain: chain, Sequence: from, Why: "it cannot be exported"}
				}
				from = l.Sequence + 1
				if !f.Match(&r) {
					continue
				}
				if _, err := fmt.Fprintf(w, "{\"v\":1,\"hash\":\"%v\",\"record\":%s}\n", l.Hash, l.Body); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
