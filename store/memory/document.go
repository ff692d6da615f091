package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/relent-go/relent/retry"
)

// Documents are named pieces of state that are read and replaced as a whole, for one process and until it ends. The zero
// value is empty and ready to use. It is safe for concurrent use, must not be copied once used, and never blocks for long.
type Documents struct {
	MaxDocuments int // kept at one time; 0 means 10,000

	mu     sync.Mutex
	byName map[string]document // guarded by mu
}

type document struct {
	version uint64
	body    []byte
}

// ErrChanged is returned by Put when somebody else was first: read again, and decide again. Nothing was written.
var ErrChanged = retry.Mark(errors.New("the document was changed meanwhile"), retry.Permanent)

// ErrManyDocuments is returned by Put for a new document when there are as many as may be.
var ErrManyDocuments = retry.Mark(errors.New("there are as many documents as may be"), retry.Permanent)

// Get returns a document and its version; version 0 if there is none. The caller may change the body.
func (d *Documents) Get(ctx context.Context, name string) (version uint64, body []byte, err error) {
	if ctx.Err() != nil {
		return 0, nil, context.Cause(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	is := d.byName[name]
	return is.version, slices.Clone(is.body), nil
}

// Put replaces the document that has a version, and returns the new version; version 0 is for one that is not there yet.
func (d *Documents) Put(ctx context.Context, name string, version uint64, body []byte) (uint64, error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch is := d.byName[name].version; {
	case is != version:
		return 0, fmt.Errorf("%w: %q has version %d, and not %d", ErrChanged, name, is, version)
	case version == 0 && len(d.byName) >= d.most():
		return 0, fmt.Errorf("%w: %d", ErrManyDocuments, len(d.byName))
	}
	if d.byName == nil {
		d.byName = make(map[string]document)
	}
	d.byName[name] = document{version + 1, slices.Clone(body)}
	return version + 1, nil
}

func (d *Documents) most() int {
	if d.MaxDocuments == 0 {
		return 10_000
	}
	return max(0, d.MaxDocuments)
}
