package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/relent-go/relent/internal/durable"
)

var errDisk = errors.New("the disk fails")

// A badDisk fails the n-th operation from when it is armed.
type badDisk struct {
	left int // operations that succeed before one fails; negative for all
	torn bool
}

func (d *badDisk) fails() bool {
	if d.left < 0 {
		return false
	}
	d.left--
	return d.left < 0
}

// arm lets the operation after n others fail.
func (d *badDisk) arm(n int) { d.left = n }

func (d *badDisk) wrap(f *os.File) handle { return &badHandle{f, d} }

type badHandle struct {
	*os.File
	disk *badDisk
}

func (h *badHandle) WriteAt(b []byte, offset int64) (int, error) {
	if h.disk.fails() {
		h.File.WriteAt(b[:len(b)/2], offset) // half of it gets there
		return 0, errDisk
	}
	return h.File.WriteAt(b, offset)
}

func (h *badHandle) Truncate(size int64) error {
	if h.disk.fails() {
		return errDisk
	}
	return h.File.Truncate(size)
}

func (h *badHandle) Sync() error {
	if h.disk.fails() {
		return errDisk
	}
	return h.File.Sync()
}

// faulty opens a store on a bad disk.
func faulty(t *testing.T, dir string, o FileOptions) (*File, *badDisk) {
	t.Helper()
	f, err := OpenFile(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	d := &badDisk{left: -1}
	f.open = func(name string, flag int) (handle, error) {
		if d.fails() {
			return nil, errDisk
		}
		file, err := os.OpenFile(name, flag, 0o600)
		if err != nil {
			return nil, err
		}
		return d.wrap(file), nil
	}
	f.syncDir = func(name string) error {
		if d.fails() {
			return errDisk
		}
		return durable.SyncDir(name)
	}
	return f, d
}

func testRecords(prefix string, n int) (records []Record) {
	for i := range n {
		records = append(records, Record{ID: fmt.Sprint(prefix, i), Time: time.Unix(1e9, 0), Decision: Retry})
	}
	return records
}

// Wherever the disk fails in an append, nothing is acknowledged, nothing is broken, and the same batch can be appended
// again, now or after a restart.
func TestDiskFails(t *testing.T) {
	for _, o := range []FileOptions{{}, {SegmentBytes: 1}} {
		for _, restart := range []bool{false, true} {
			for point := range 20 {
				dir := t.TempDir()
				f, disk := faulty(t, dir, o)
				if point%2 == 0 { // else the first append of all fails
					if _, err := f.Append(t.Context(), "n", testRecords("a", 3)); err != nil {
						t.Fatal(err)
					}
				}
				disk.arm(point / 2)
				_, err := f.Append(t.Context(), "n", testRecords("b", 3))
				if reached := disk.left < 0; reached != errors.Is(err, errDisk) {
					t.Fatalf("point %d: %v", point, err)
				}
				disk.arm(-1)
				if restart {
					f.Close()
					f, _ = faulty(t, dir, o)
				}
				for _, batch := range [][]Record{testRecords("a", 3), testRecords("b", 3), testRecords("c", 3)} {
					if _, err := f.Append(t.Context(), "n", batch); err != nil {
						t.Fatalf("point %d, restart %v: again: %v", point, restart, err)
					}
				}
				report, err := Verify(t.Context(), &Segments{Dir: dir}, "n", Verification{})
				if err != nil || report.Records != 9 {
					t.Fatalf("point %d, restart %v: Verify() = %+v, %v; want 9 records", point, restart, report, err)
				}
			}
		}
	}
}

// What an append left there that failed is longer than what is written next: nothing of it may stay behind that.
func TestFailedAppendLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	f, disk := faulty(t, dir, FileOptions{})
	if _, err := f.Append(t.Context(), "n", testRecords("a", 1)); err != nil {
		t.Fatal(err)
	}
	disk.arm(1) // the sync after the write
	if _, err := f.Append(t.Context(), "n", testRecords("long", 20)); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	disk.arm(-1)
	if _, err := f.Append(t.Context(), "n", testRecords("b", 1)); err != nil {
		t.Fatal(err)
	}
	if report, err := Verify(t.Context(), &Segments{Dir: dir}, "n", Verification{}); err != nil || report.Records != 2 {
		t.Errorf("Verify() = %+v, %v; want 2 records and nothing else", report, err)
	}
}

// While the disk goes on failing, appends fail, and then they do not any more.
func TestDiskFailsForLong(t *testing.T) {
	f, disk := faulty(t, t.TempDir(), FileOptions{})
	for n := range 12 {
		disk.arm(n % 4)
		if _, err := f.Append(t.Context(), "n", testRecords(fmt.Sprint("x", n, "-"), 1)); err == nil && disk.left < 0 {
			t.Errorf("append %d succeeded on a disk that fails", n)
		}
	}
	disk.arm(-1)
	if _, err := f.Append(t.Context(), "n", testRecords("y", 2)); err != nil {
		t.Error(err)
	}
	if _, err := Verify(t.Context(), f, "n", Verification{}); err != nil {
		t.Error(err)
	}
}

func TestDiskFailsUnderCheckpoints(t *testing.T) {
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	f, disk := faulty(t, t.TempDir(), FileOptions{})
	for point := range 6 {
		c := Sign(key, Head{Chain: "n", Sequence: uint64(point + 1)}, time.Now())
		disk.arm(point)
		err := f.Anchor(t.Context(), c)
		if reached := disk.left < 0; reached != errors.Is(err, errDisk) {
			t.Errorf("point %d: %v", point, err)
		}
		disk.arm(-1)
		if err := f.Anchor(t.Context(), c); err != nil {
			t.Errorf("point %d: again: %v", point, err)
		}
	}
	points, err := f.Checkpoints(t.Context(), "n", 0, 0)
	if err != nil || len(points) != 6 {
		t.Errorf("Checkpoints() = %d, %v; want 6", len(points), err)
	}
	late := Sign(key, Head{Chain: "n", Sequence: 7}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
	if err := f.Anchor(t.Context(), late); !errors.Is(err, ErrInvalid) {
		t.Errorf("a checkpoint of the year 10000: %v", err)
	}
	os.WriteFile(filepath.Join(f.segments.Dir, pointsFile), []byte("nonsense\n"), 0o600)
	if err := f.Anchor(t.Context(), Sign(key, Head{Chain: "n", Sequence: 1}, time.Now())); err == nil {
		t.Error("a checkpoint was compared with nonsense")
	}
	if _, err := f.Checkpoints(t.Context(), "n", 0, 0); err == nil {
		t.Error("nonsense was read as checkpoints")
	}
	dir := f.segments.Dir
	f.Close()
	if err := f.Anchor(t.Context(), late); !errors.Is(err, ErrFileClosed) {
		t.Errorf("Anchor after Close = %v", err)
	}
	if _, err := OpenFile(dir, FileOptions{}); err == nil {
		t.Error("files with nonsense for checkpoints can be opened")
	}
}

func TestFileClosed(t *testing.T) {
	f, _ := faulty(t, t.TempDir(), FileOptions{})
	f.Append(t.Context(), "n", testRecords("a", 1))
	held, err := f.tail("n") // somebody who came before Close
	if err != nil {
		t.Fatal(err)
	}
	held.mu.Unlock()
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := f.Append(t.Context(), "n", testRecords("b", 1)); !errors.Is(err, ErrFileClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	if err := held.load(); !errors.Is(err, ErrFileClosed) {
		t.Errorf("load after Close = %v", err)
	}
	if links, err := f.Links(t.Context(), "n", 1, 0); err != nil || len(links) != 1 {
		t.Errorf("Links after Close = %d, %v", len(links), err)
	}
}

func TestOpenFileFails(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	os.WriteFile(plain, nil, 0o600)
	if _, err := OpenFile(filepath.Join(plain, "below"), FileOptions{}); err == nil {
		t.Error("a directory below a file was opened")
	}
	locked := filepath.Join(dir, "locked")
	os.MkdirAll(filepath.Join(locked, "lock"), 0o700)
	if _, err := OpenFile(locked, FileOptions{}); err == nil {
		t.Error("a directory whose lock is a directory was opened")
	}
	f, err := OpenFile(filepath.Join(dir, "store"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := OpenFile(filepath.Join(dir, "store"), FileOptions{}); err == nil || !strings.Contains(err.Error(), "lock") {
		t.Errorf("OpenFile twice = %v; want one writer", err)
	}
	if err := durable.SyncDir(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a directory that is not there was synced")
	}
}

// What stands where files should be, in each place.
func TestWrongFiles(t *testing.T) {
	ctx := t.Context()
	build := func(segments int) string {
		dir := t.TempDir()
		f, _ := faulty(t, dir, FileOptions{SegmentBytes: 1})
		for i := range segments {
			if _, err := f.Append(ctx, "n", testRecords(fmt.Sprint("s", i, "-"), 2)); err != nil {
				t.Fatal(err)
			}
		}
		f.Close()
		return dir
	}
	replace := func(name string, by func(string) error) {
		t.Helper()
		os.RemoveAll(name)
		if err := by(name); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(name string) error { return os.Mkdir(name, 0o700) }
	dangling := func(name string) error { return os.Symlink("nowhere", name) }
	empty := func(name string) error { return os.WriteFile(name, nil, 0o600) }
	segment := func(dir string, first uint64) string { return filepath.Join(dir, chainsDir, "n", segmentName(first)) }
	for name, by := range map[string]func(string) error{"folder": folder, "dangling link": dangling} {
		for _, first := range []uint64{1, 3, 5} {
			dir := build(3)
			replace(segment(dir, first), by)
			s := &Segments{Dir: dir}
			if _, err := s.Links(ctx, "n", 1, 0); err == nil {
				t.Errorf("%s for segment %d: Links works", name, first)
			}
			if _, _, err := s.Query(ctx, Filter{}, Cursor{}, 0); err == nil {
				t.Errorf("%s for segment %d: Query works", name, first)
			}
			if _, err := s.Heads(ctx); (err == nil) != (first < 5) {
				t.Errorf("%s for segment %d: Heads: %v", name, first, err)
			}
			if _, err := s.Start("n"); (err == nil) != (first > 1) {
				t.Errorf("%s for segment %d: Start: %v", name, first, err)
			}
			if _, err := Verify(ctx, s, "n", Verification{}); err == nil {
				t.Errorf("%s for segment %d: Verify works", name, first)
			}
			f, _ := faulty(t, dir, FileOptions{})
			if _, err := f.Append(ctx, "n", testRecords("x", 1)); err == nil {
				t.Errorf("%s for segment %d: Append works", name, first)
			}
			if _, err := f.Heads(ctx); (err == nil) != (first < 5) {
				t.Errorf("%s for segment %d: Heads: %v", name, first, err)
			}
		}
	}
	dir := build(2)
	s := &Segments{Dir: dir}
	if _, err := s.Links(ctx, "n", 1, 3); err != nil { // which remembers a place in the second segment
		t.Fatal(err)
	}
	replace(segment(dir, 3), folder)
	if _, err := s.Links(ctx, "n", 4, 3); err == nil {
		t.Error("Links reads on in a folder")
	}
	if _, err := s.scanSegment(ctx, "n", &place{name: segmentName(3)}, 1, readAll, nil); err == nil {
		t.Error("a reader that is on its way reads on in a folder")
	}
	replace(segment(dir, 3), empty)
	for range 2 { // a segment of which nothing was read
		if links, err := s.Links(ctx, "n", 2, 0); err != nil || len(links) != 1 {
			t.Errorf("Links() before an empty segment = %d, %v", len(links), err)
		}
		if links, err := s.Links(ctx, "n", 3, 0); err != nil || len(links) != 0 {
			t.Errorf("Links() of an empty segment = %d, %v", len(links), err)
		}
	}
	s.places["n"] = place{next: 2, name: segmentName(99)} // of a segment that is gone
	if links, err := s.Links(ctx, "n", 2, 0); err != nil || len(links) != 1 {
		t.Errorf("Links() from a segment that is gone = %d, %v", len(links), err)
	}
	if h, err := s.Heads(ctx); err != nil || len(h) != 0 {
		t.Errorf("Heads() with an empty last segment = %v, %v", h, err)
	}
	f, _ := faulty(t, dir, FileOptions{})
	if h, err := f.Append(ctx, "n", nil); err != nil || h.Sequence != 2 || len(f.Repairs()) != 1 {
		t.Errorf("head %v, %v, repairs %v; want 2 and the empty segment put aside", h, err, f.Repairs())
	}
	f.Close()
	if err := os.WriteFile(segment(dir, 1), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	folder(segment(dir, 1) + ".torn-0")
	f, _ = faulty(t, dir, FileOptions{})
	if _, err := f.Append(ctx, "n", nil); err == nil {
		t.Error("nonsense was put aside where there was no place")
	}
	if _, err := s.Start("n"); err == nil {
		t.Error("Start reads nonsense")
	}
	f.Close()
	replace(filepath.Join(dir, chainsDir, "n"), empty)
	if _, err := s.Links(ctx, "n", 1, 0); err == nil {
		t.Error("a chain that is a file was read")
	}
	if _, err := s.Start("n"); err == nil {
		t.Error("Start reads a chain that is a file")
	}
	f, _ = faulty(t, dir, FileOptions{})
	if _, err := f.Append(ctx, "n", nil); err == nil {
		t.Error("a chain that is a file was opened")
	}
	f.Close()
	replace(filepath.Join(dir, chainsDir), empty)
	if _, err := s.Heads(ctx); err == nil {
		t.Error("Heads reads a file for chains")
	}
	if _, _, err := s.Query(ctx, Filter{}, Cursor{}, 0); err == nil {
		t.Error("Query reads a file for chains")
	}
	os.RemoveAll(filepath.Join(dir, chainsDir))
	if h, err := s.Heads(ctx); err != nil || len(h) != 0 {
		t.Errorf("Heads() of a new directory = %v, %v", h, err)
	}
	if _, err := (&Segments{Dir: filepath.Join(dir, "nowhere")}).Heads(ctx); err == nil {
		t.Error("Heads reads a directory that is not there")
	}
	os.Mkdir(filepath.Join(dir, pointsFile), 0o700)
	if _, err := s.Checkpoints(ctx, "n", 0, 0); err == nil {
		t.Error("Checkpoints reads a folder")
	}
	os.Remove(filepath.Join(dir, pointsFile))
	os.Symlink(pointsFile, filepath.Join(dir, pointsFile)) // to itself
	if _, err := s.Checkpoints(ctx, "n", 0, 0); err == nil {
		t.Error("Checkpoints reads a link to itself")
	}
	c := scanner{first: 1}
	if err := c.scan(io.MultiReader(strings.NewReader(string(appendHeader(nil, Head{Chain: "n"}))), iotest.ErrReader(errDisk)), "n"); !errors.Is(err, errDisk) {
		t.Errorf("scan of what cannot be read = %v", err)
	}
}

// A segment without its first line, when the older ones were removed: nobody knows what it goes on from.
func TestHeadless(t *testing.T) {
	dir := t.TempDir()
	f, _ := faulty(t, dir, FileOptions{SegmentBytes: 1})
	for i := range 2 {
		if _, err := f.Append(t.Context(), "n", testRecords(fmt.Sprint(i, "-"), 2)); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	last := filepath.Join(dir, chainsDir, "n", segmentName(3))
	text, _ := os.ReadFile(last)
	os.WriteFile(last, append([]byte("x"), text...), 0o600)
	os.Rename(filepath.Join(dir, chainsDir, "n", segmentName(1)), filepath.Join(dir, "away"))
	f, _ = faulty(t, dir, FileOptions{})
	if _, err := f.Append(t.Context(), "n", testRecords("x", 1)); !errors.Is(err, ErrFileDamaged) {
		t.Errorf("Append = %v; want %v", err, ErrFileDamaged)
	}
	f.Close()
	os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, chainsDir, "n", segmentName(1)))
	f, _ = faulty(t, dir, FileOptions{})
	if h, err := f.Append(t.Context(), "n", nil); err != nil || h.Sequence != 2 || len(f.Repairs()) != 1 || f.Repairs()[0].Sequence != 3 {
		t.Errorf("with the older one: head %v, %v, repairs %+v; want 2, and 3 put aside", h, err, f.Repairs())
	}
}

// A folder where the chain should be made.
func TestAppendNowhere(t *testing.T) {
	f, _ := faulty(t, t.TempDir(), FileOptions{})
	dir := f.segments.chainDir("n")
	tail, err := f.tail("n")
	if err != nil {
		t.Fatal(err)
	}
	tail.mu.Unlock()
	os.WriteFile(dir, nil, 0o600)
	if _, err := f.Append(t.Context(), "n", testRecords("a", 1)); err == nil {
		t.Error("a chain was made where a file is")
	}
}

func TestSpoolFails(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	os.WriteFile(plain, nil, 0o600)
	for name, path := range map[string]string{"in a file": filepath.Join(plain, "spool"), "below a file": filepath.Join(plain, "x", "spool"), "a folder": dir} {
		s := &Spool{Path: path}
		if err := s.put(testRecords("a", 1)); err == nil {
			t.Errorf("%s: put works", name)
		}
		if _, _, err := s.next(1); err == nil && name == "a folder" {
			t.Errorf("%s: next works", name)
		}
	}
	locked := &Spool{Path: filepath.Join(dir, "locked")}
	if err := errors.Join(locked.put(testRecords("a", 1)), locked.close(), locked.close()); err != nil {
		t.Fatal(err)
	}
	if err := locked.put(testRecords("b", 1)); err != nil {
		t.Fatal(err)
	}
	if err := (&Spool{Path: locked.Path}).put(nil); err == nil {
		t.Error("two have one spool")
	}
	disk := &badDisk{left: -1}
	s := &Spool{Path: filepath.Join(dir, "bad"), wrap: disk.wrap}
	for point := range 5 {
		disk.arm(point)
		err := s.put(testRecords(fmt.Sprint("p", point, "-"), 2))
		if reached := disk.left < 0; reached != errors.Is(err, errDisk) {
			t.Errorf("point %d: %v", point, err)
		}
		disk.arm(-1)
	}
	kept, err := s.all()
	if err != nil {
		t.Fatal(err)
	}
	s.close()
	again := &Spool{Path: s.Path}
	if records, err := again.all(); err != nil || len(records) < len(kept) || len(kept) == 0 {
		t.Errorf("%d records survive, %v; want %d", len(records), err, len(kept))
	}
	again.close()
	sound, _ := os.ReadFile(s.Path)
	sound = sound[:bytes.LastIndexByte(sound, '\n')+1]
	for _, tail := range []string{"nonsense\n", "zzzzzzzz {}\n", "00000000 {}\n", "00000000"} {
		os.WriteFile(s.Path, append(slices.Clone(sound), tail...), 0o600)
		again := &Spool{Path: s.Path}
		if records, err := again.all(); err != nil || len(records) < len(kept) {
			t.Errorf("behind %q, %d records survive, %v; want %d", tail, len(records), err, len(kept))
		}
		if torn, err := os.ReadFile(s.Path + ".torn"); err != nil || string(torn) != tail {
			t.Errorf("put aside %q, %v; want %q", torn, err, tail)
		}
		again.close()
	}
	os.WriteFile(filepath.Join(dir, "odd"), []byte("nonsense\n"), 0o600)
	odd := &Spool{Path: filepath.Join(dir, "odd")}
	os.Mkdir(odd.Path+".torn", 0o700)
	if _, err := odd.all(); err == nil {
		t.Error("nonsense was put aside where there was no place")
	}
	if err := (&Spool{}).adopt(iotest.ErrReader(errDisk)); !errors.Is(err, errDisk) {
		t.Errorf("adopt of what cannot be read = %v", err)
	}
	if most := (&Spool{MaxBytes: 1 << 40}).most(); most != maxSpool {
		t.Errorf("most = %d", most)
	}
}

// A spool that is damaged while it is used: the store counts as failed, so that nothing overtakes.
func TestSpoolDamaged(t *testing.T) {
	dir := t.TempDir()
	s := &Spool{Path: filepath.Join(dir, "spool")}
	if err := s.put(testRecords("a", 3)); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(s.Path, []byte("nonsense\nnonsense\n"), 0o600)
	s.size = 18
	w := writer{log: &Log{Spool: s}, spooled: true}
	if err := w.store(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("store() = %v", err)
	}
	if _, err := w.log.Recover(t.Context(), time.Time{}); err == nil {
		t.Error("Recover reads a damaged spool")
	}
	s.close()
	other := &Spool{Path: dir}
	if err := (&Log{Store: fakeStore{}, Spool: other}).Run(t.Context()); err == nil {
		t.Error("Run works with a folder for a spool")
	}
}

type fakeStore struct{ Store }

func (fakeStore) Append(context.Context, string, []Record) (Head, error) { return Head{}, nil }
func (fakeStore) Query(context.Context, Filter, Cursor, int) ([]Record, Cursor, error) {
	return nil, Cursor{}, nil
}

// Records that went from the spool to the store just when it was emptied: the writer asks once more.
func TestSpoolEmptiedExactly(t *testing.T) {
	s := &Spool{Path: filepath.Join(t.TempDir(), "spool")}
	if err := s.put(testRecords("a", 2)); err != nil {
		t.Fatal(err)
	}
	w := writer{log: &Log{Store: fakeStore{}, Spool: s, Batch: 1}, spooled: true, heads: make(chan Head, 1)}
	if err := w.store(t.Context(), nil); err != nil || w.spooled {
		t.Errorf("store() = %v, spooled %v", err, w.spooled)
	}
	if info, _ := os.Stat(s.Path); info.Size() != 0 {
		t.Errorf("an empty spool has %d bytes", info.Size())
	}
	s.close()
}

func TestGenerationsOfIDs(t *testing.T) {
	var l tail
	key := func(n int) [16]byte { return idKey(fmt.Append(nil, n)) }
	for n := range 2*MinRemembered + 10 {
		l.remember(key(n))
		if old := n - MinRemembered + 1; old >= 0 && !l.knows(key(old)) {
			t.Fatalf("after %d, %d is forgotten", n, old)
		}
	}
	if l.knows(key(0)) {
		t.Error("nothing is ever forgotten")
	}
}

func TestLines(t *testing.T) {
	_, head, err := Extend(Head{Chain: "n"}, testRecords("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	links, _, _ := Extend(Head{Chain: "n"}, testRecords("a", 1))
	good := string(appendLine(nil, &links[0], 1, 1))
	if l, err := parseLine([]byte(good)); err != nil || l.hash != head.Hash || l.first != 1 || l.last != 1 {
		t.Errorf("parseLine(%s) = %+v, %v", good, l, err)
	}
	backwards := appendLine(nil, &links[0], 2, 1)
	if _, err := parseLine(backwards); err == nil {
		t.Error("a batch that ends before it begins was read")
	}
	if got := string(idOf(links[0].Body)); got != "a0" {
		t.Errorf("idOf(%s) = %q", links[0].Body, got)
	}
}

// A context that ends when it was asked a few times.
type endingContext struct {
	context.Context
	left int
}

func (c *endingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestContextEndsOnTheWay(t *testing.T) {
	f, _ := faulty(t, t.TempDir(), FileOptions{})
	if _, err := f.Append(t.Context(), "n", testRecords("a", 5)); err != nil {
		t.Fatal(err)
	}
	if links, err := f.Links(&endingContext{t.Context(), 3}, "n", 1, 0); !errors.Is(err, context.Canceled) || len(links) > 2 {
		t.Errorf("Links() = %d, %v; want %v on the way", len(links), err, context.Canceled)
	}
}

// hasty returns a store that syncs nothing.
func hasty(dir string) *File {
	return &File{
		segments: Segments{Dir: dir}, segmentBytes: defaultSegmentBytes, appends: make(map[string]*tail), points: make(map[string]uint64),
		syncDir: func(string) error { return nil },
		open: func(name string, flag int) (handle, error) {
			f, err := os.OpenFile(name, flag, 0o600)
			return hastyFile{f}, err
		},
	}
}

type hastyFile struct{ *os.File }

func (hastyFile) Sync() error { return nil }

// Somebody who knows how lines are made claims other batches, so that a repair would cut off the wrong ones.
func TestBatchesThatDoNotFit(t *testing.T) {
	links, _, _ := Extend(Head{Chain: "n"}, testRecords("a", 3))
	for _, test := range []struct {
		batches [3][2]uint64
		bad     uint64
	}{
		{[3][2]uint64{{1, 3}, {1, 3}, {1, 3}}, 0}, {[3][2]uint64{{1, 1}, {2, 3}, {2, 3}}, 0},
		{[3][2]uint64{{1, 3}, {1, 3}, {3, 3}}, 3}, {[3][2]uint64{{1, 2}, {2, 2}, {3, 3}}, 2}, {[3][2]uint64{{2, 3}, {2, 3}, {2, 3}}, 1}, {[3][2]uint64{{1, 1}, {1, 2}, {3, 3}}, 2},
	} {
		dir := t.TempDir()
		os.MkdirAll(filepath.Join(dir, chainsDir, "n"), 0o700)
		text := appendHeader(nil, Head{Chain: "n"})
		for i := range links {
			text = appendLine(text, &links[i], test.batches[i][0], test.batches[i][1])
		}
		os.WriteFile(filepath.Join(dir, chainsDir, "n", segmentName(1)), text, 0o600)
		_, err := Verify(t.Context(), &Segments{Dir: dir}, "n", Verification{})
		if bad, _ := errors.AsType[*BadError](err); (bad == nil) != (test.bad == 0) || bad != nil && bad.Sequence != test.bad {
			t.Errorf("batches %v: Verify() = %v; want first bad %d", test.batches, err, test.bad)
		}
	}
}

// Whatever stands in a file, readers and writers bear it.
func FuzzSegment(f *testing.F) {
	links, head, _ := Extend(Head{Chain: "n"}, testRecords("a", 3))
	text := appendHeader(nil, Head{Chain: "n"})
	for i := range links {
		text = appendLine(text, &links[i], 1, 3)
	}
	f.Add(text)
	f.Add(text[:len(text)-5])
	f.Add([]byte(`{"audit":1,"chain":"n","after":{"chain":"n","sequence":5,"hash":"` + head.Hash.String() + `"}}` + "\n"))
	f.Add([]byte("\n\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		name := filepath.Join(dir, chainsDir, "n", segmentName(1))
		os.MkdirAll(filepath.Dir(name), 0o700)
		os.WriteFile(name, text, 0o600)
		s := &Segments{Dir: dir}
		s.Query(t.Context(), Filter{}, Cursor{}, 0)
		s.Heads(t.Context())
		before, badBefore := Verify(t.Context(), s, "n", Verification{})
		file := hasty(dir)
		defer file.Close()
		h, err := file.Append(t.Context(), "n", testRecords("new", 2))
		if err != nil {
			return // damaged, and said so
		}
		start, _ := s.Start("n")
		after, bad := Verify(t.Context(), s, "n", Verification{Start: start})
		if _, ok := errors.AsType[*BadError](bad); bad != nil && (!ok || start.Sequence == 0) {
			t.Fatalf("after an append, Verify = %v; before, %v", bad, badBefore)
		}
		if badBefore == nil && after.Records < before.Records {
			t.Fatalf("an append to a sound chain of %d leaves %d, head %v", before.Records, after.Records, h)
		}
	})
}
