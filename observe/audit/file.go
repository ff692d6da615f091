package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/relent-go/relent/internal/durable"
	"github.com/relent-go/relent/retry"
)

// A File is a [Store] of append-only files in a directory: for each chain a folder with segments, whose lines are JSON. Append returns when the
// file is synced, which takes as long as the disk does; a [Log] in front shares that between its callers. One process at a time has it open;
// [Segments] reads it beside that.
//
// A File remembers the ids of the last [MinRemembered] records of a chain at least. It is safe for concurrent use.
type File struct {
	segments     Segments
	segmentBytes int64
	lock         *os.File
	open         func(name string, flag int) (handle, error)
	syncDir      func(name string) error
	repairs      repairs

	mu       sync.Mutex
	closed   bool              // guarded by mu
	appends  map[string]*tail  // guarded by mu
	points   map[string]uint64 // sequence of the last checkpoint of each chain; guarded by mu
	anchored int64             // length of the file of checkpoints; guarded by mu
}

var _ Store = (*File)(nil)

// FileOptions are those of [OpenFile]. Zero fields mean defaults.
type FileOptions struct {
	SegmentBytes int64 // after which a new segment begins; not positive means 64 MiB
}

const defaultSegmentBytes = 64 << 20

// A handle is an open file, or what tests put in its place.
type handle interface {
	WriteAt(b []byte, offset int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// A Repair is something that a crash had left half-written, and that was put aside when the chain was opened: it had never been
// acknowledged. If nothing had crashed, somebody has damaged the end of the chain: a checkpoint tells.
type Repair struct {
	Chain    string
	Sequence uint64 // of the first record that was put aside, with all after it
	Bytes    int64
	Aside    string // the file that has them now
}

// repairs are those of a File. Their lock may be taken under any other.
type repairs struct {
	mu  sync.Mutex
	all []Repair
}

func (r *repairs) add(repair Repair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, repair)
}

// Errors of files.
var (
	ErrFileClosed  = errors.New("the audit files are closed")
	ErrFileDamaged = errors.New("the audit files are damaged: nothing is appended to them; see relent audit verify")
)

// OpenFile opens the store in a directory, and makes it if it is not there. It fails while another process, or another
// File, has it open.
func OpenFile(dir string, o FileOptions) (*File, error) {
	f := &File{
		segments: Segments{Dir: dir}, segmentBytes: o.SegmentBytes, syncDir: durable.SyncDir,
		appends: make(map[string]*tail), points: make(map[string]uint64),
		open: func(name string, flag int) (handle, error) { return os.OpenFile(name, flag, 0o600) },
	}
	if f.segmentBytes <= 0 {
		f.segmentBytes = defaultSegmentBytes
	}
	err := makeDir(filepath.Join(dir, chainsDir), f.syncDir)
	if err == nil {
		f.lock, err = durable.Lock(filepath.Join(dir, "lock"))
	}
	if err != nil {
		return nil, fmt.Errorf("open audit files: %w", err)
	}
	if err := f.openPoints(); err != nil {
		f.lock.Close()
		return nil, fmt.Errorf("open audit files: %w", err)
	}
	return f, nil
}

// makeDir makes a directory and those above it that are missing, and sees to it that they survive a power failure.
func makeDir(name string, sync func(string) error) error {
	above := filepath.Dir(name)
	if _, err := os.Stat(name); err == nil || above == name {
		return sync(above) // which whoever made it may not have come to
	}
	if err := makeDir(above, sync); err != nil {
		return err
	}
	if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return sync(above)
}

// Close ends the use of the files. It waits for what is being written.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	for _, t := range f.appends {
		t.mu.Lock()
		t.failed = retry.Mark(ErrFileClosed, retry.Permanent)
		errs = append(errs, t.shut())
		t.mu.Unlock()
	}
	return errors.Join(append(errs, f.lock.Close())...)
}

// Repairs returns what was put aside since the store was opened. A chain is opened when it is first used.
func (f *File) Repairs() []Repair {
	f.repairs.mu.Lock()
	defer f.repairs.mu.Unlock()
	return slices.Clone(f.repairs.all)
}

// tail returns the end of a chain, locked, with its head known.
func (f *File) tail(chain string) (*tail, error) {
	if err := CheckChain(chain); err != nil {
		return nil, err
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, retry.Mark(ErrFileClosed, retry.Permanent)
	}
	t := f.appends[chain]
	if t == nil {
		t = &tail{of: f, head: Head{Chain: chain}}
		f.appends[chain] = t
	}
	f.mu.Unlock()
	t.mu.Lock()
	if err := t.load(); err != nil {
		t.mu.Unlock()
		return nil, err
	}
	return t, nil
}

// Append implements [Store].
func (f *File) Append(ctx context.Context, chain string, records []Record) (Head, error) {
	if ctx.Err() != nil {
		return Head{}, retry.Mark(context.Cause(ctx), retry.Transient)
	}
	t, err := f.tail(chain)
	if err != nil {
		return Head{}, fmt.Errorf("append to audit files: %w", err)
	}
	defer t.mu.Unlock()
	if err := t.append(records); err != nil {
		return Head{}, fmt.Errorf("append to audit files: %w", err)
	}
	return t.head, nil
}

// end returns the sequence of the last durable record of a chain.
func (f *File) end(chain string) uint64 {
	t, err := f.tail(chain)
	if err != nil {
		return readAll // what cannot be opened for writing can still be read
	}
	defer t.mu.Unlock()
	return t.head.Sequence
}

// Query implements [Store].
func (f *File) Query(ctx context.Context, q Filter, after Cursor, limit int) ([]Record, Cursor, error) {
	return f.segments.query(ctx, q, after, limit, f.end)
}

// Links implements [Store].
func (f *File) Links(ctx context.Context, chain string, from uint64, limit int) ([]Link, error) {
	return f.segments.links(ctx, chain, from, f.end(chain), limit)
}

// Heads implements [Store].
func (f *File) Heads(ctx context.Context) ([]Head, error) {
	heads, err := f.segments.Heads(ctx)
	if err != nil {
		return nil, err
	}
	known := heads[:0]
	for _, h := range heads {
		t, err := f.tail(h.Chain)
		if err == nil {
			h = t.head
			t.mu.Unlock()
		}
		if h.Sequence > 0 {
			known = append(known, h)
		}
	}
	return known, nil
}

// Start returns the head after which the oldest segment of a chain goes on: see [Segments.Start].
func (f *File) Start(chain string) (Head, error) { return f.segments.Start(chain) }

// openPoints reads the checkpoints.
func (f *File) openPoints() (err error) {
	f.anchored, err = f.segments.points(func(c Checkpoint) { f.points[c.Chain] = max(f.points[c.Chain], c.Sequence) })
	return err
}

// Anchor implements [Anchor].
func (f *File) Anchor(ctx context.Context, c Checkpoint) error {
	if ctx.Err() != nil {
		return retry.Mark(context.Cause(ctx), retry.Transient)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return retry.Mark(ErrFileClosed, retry.Permanent)
	}
	if last, ok := f.points[c.Chain]; ok && c.Sequence <= last {
		known, err := f.segments.Checkpoints(ctx, c.Chain, c.Sequence-1, 1)
		if err != nil {
			return fmt.Errorf("keep a checkpoint: %w", err)
		}
		if len(known) > 0 && known[0].Sequence == c.Sequence {
			if known[0].Hash != c.Hash {
				return retry.Mark(ErrConflict, retry.Permanent)
			}
			return nil
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return invalid("checkpoint: %w", err)
	}
	if err := f.appendPoint(append(text, '\n')); err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	f.points[c.Chain] = max(f.points[c.Chain], c.Sequence)
	return nil
}

// appendPoint adds a line to the file of checkpoints. mu is held.
func (f *File) appendPoint(text []byte) error {
	file, err := f.open(filepath.Join(f.segments.Dir, pointsFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer file.Close()
	err = file.Truncate(f.anchored) // what was left half-written before
	if err == nil {
		_, err = file.WriteAt(text, f.anchored)
	}
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = f.syncDir(f.segments.Dir)
	}
	if err == nil {
		f.anchored += int64(len(text))
	}
	return err
}

// Checkpoints implements [Store].
func (f *File) Checkpoints(ctx context.Context, chain string, after uint64, limit int) ([]Checkpoint, error) {
	return f.segments.Checkpoints(ctx, chain, after, limit)
}
