package auditlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/relent-go/relent/observe/audit"
)

// A Store is what is read.
type Store interface {
	Query(ctx context.Context, f audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error)
	Links(ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error)
	Checkpoints(ctx context.Context, chain string, after uint64, limit int) ([]audit.Checkpoint, error)

	// Chains returns the names of all chains, in order.
	Chains(ctx context.Context) ([]string, error)

	// Start returns the head after which a chain goes on, if older records were removed.
	Start(chain string) (audit.Head, error)

	Close() error
}

// Open opens the store that a person names: a directory of audit files. It changes nothing there, and needs nobody
// who writes to stop.
func Open(name string) (Store, error) {
	if scheme, _, ok := strings.Cut(name, ":"); ok && (scheme == "sqlite" || scheme == "postgres" || scheme == "postgresql") {
		return openDB(name)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such directory", name)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s: this is a file, and not a directory of audit files", name)
	}
	if _, err := os.Stat(filepath.Join(name, "chains")); err != nil {
		return nil, fmt.Errorf("%s: there are no audit files in this directory", name)
	}
	return files{&audit.Segments{Dir: name}}, nil
}

// files is a Store of audit files.
type files struct{ *audit.Segments }

func (f files) Chains(context.Context) ([]string, error) { return f.Segments.Chains() }
func (f files) Close() error                             { return nil }
