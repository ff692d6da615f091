package auditlog

import (
	"context"

	"github.com/relent-go/relent/observe/audit"
)

// A Feed reads the records of all chains of a store that a filter selects, in the order of their times as far as the order
// within each chain allows. At the end it can go on later, with what was appended.
type Feed struct {
	store  Store
	filter audit.Filter
	chains []*ahead
}

// An ahead is what was read of one chain, and not handed out.
type ahead struct {
	name  string
	page  []audit.Record
	after audit.Cursor
	dry   bool // nothing more for now
}

// NewFeed returns one from the beginning.
func NewFeed(s Store, f audit.Filter) *Feed { return &Feed{store: s, filter: f} }

// Next returns the next record; nil if there is none for now. The one after that looks for more.
func (f *Feed) Next(ctx context.Context) (*audit.Record, error) {
	if f.chains == nil {
		if err := f.look(ctx); err != nil {
			return nil, err
		}
	}
	var first *ahead
	for _, a := range f.chains {
		if err := f.fill(ctx, a); err != nil {
			return nil, err
		}
		if len(a.page) > 0 && (first == nil || a.page[0].Time.Before(first.page[0].Time)) {
			first = a
		}
	}
	if first == nil {
		return nil, f.look(ctx)
	}
	r := &first.page[0]
	first.page = first.page[1:]
	return r, nil
}

// look finds new chains, and lets the old ones be read again.
func (f *Feed) look(ctx context.Context) error {
	names, err := f.store.Chains(ctx)
	if err != nil {
		return err
	}
	known := make(map[string]bool, len(f.chains))
	for _, a := range f.chains {
		a.dry = false
		known[a.name] = true
	}
	for _, name := range names {
		if !known[name] && (f.filter.Chain == "" || f.filter.Chain == name) {
			f.chains = append(f.chains, &ahead{name: name})
		}
	}
	return nil
}

// fill reads the next page of a chain.
func (f *Feed) fill(ctx context.Context, a *ahead) (err error) {
	if len(a.page) > 0 || a.dry {
		return nil
	}
	filter := f.filter
	filter.Chain = a.name
	a.page, a.after, err = f.store.Query(ctx, filter, a.after, 0)
	a.dry = len(a.page) == 0
	return err
}
