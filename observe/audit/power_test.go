package audit

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A volatile disk keeps what is written in memory until it is synced, and the names of new files until their
// directory is. The power goes out after a number of operations, and takes with it what is not on the platter.
type volatile struct {
	left    int             // operations until the power goes out
	fresh   map[string]bool // files whose names are not durable
	pending map[string][]func(*os.File)
}

func newVolatile(left int) *volatile {
	return &volatile{left, make(map[string]bool), make(map[string][]func(*os.File))}
}

var errPower = fmt.Errorf("the power is out: %w", io.ErrClosedPipe)

func (v *volatile) on() bool { v.left--; return v.left >= 0 }

func (v *volatile) open(name string, flag int) (handle, error) {
	if !v.on() {
		return nil, errPower
	}
	if _, err := os.Stat(name); err != nil {
		v.fresh[name] = true
	}
	f, err := os.OpenFile(name, flag, 0o600)
	return &volatileFile{f, v}, err
}

func (v *volatile) syncDir(dir string) error {
	if !v.on() {
		return errPower
	}
	for name := range v.fresh {
		if filepath.Dir(name) == dir {
			delete(v.fresh, name)
		}
	}
	return nil
}

// out removes what did not survive. Of what was written last, any part may have, as pages are written in any order.
func (v *volatile) out(t *testing.T) {
	for name, ops := range v.pending {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range ops {
			if rand.IntN(2) == 0 {
				op(f)
			}
		}
		f.Close()
	}
	for name := range v.fresh {
		if rand.IntN(2) == 0 {
			os.Remove(name)
		}
	}
}

type volatileFile struct {
	*os.File
	disk *volatile
}

func (f *volatileFile) later(op func(*os.File)) error {
	if !f.disk.on() {
		return errPower
	}
	f.disk.pending[f.Name()] = append(f.disk.pending[f.Name()], op)
	return nil
}

func (f *volatileFile) WriteAt(b []byte, offset int64) (int, error) {
	b = append([]byte(nil), b...)
	if len(b) > 200 { // two pages, either of which may get there
		f.later(func(to *os.File) { to.WriteAt(b[:200], offset) })
		return len(b), f.later(func(to *os.File) { to.WriteAt(b[200:], offset+200) })
	}
	return len(b), f.later(func(to *os.File) { to.WriteAt(b, offset) })
}

func (f *volatileFile) Truncate(size int64) error {
	return f.later(func(to *os.File) { to.Truncate(size) })
}

func (f *volatileFile) Sync() error {
	if !f.disk.on() {
		return errPower
	}
	for _, op := range f.disk.pending[f.Name()] {
		op(f.File)
	}
	delete(f.disk.pending, f.Name())
	return nil
}

// The power goes out after each number of operations, again and again: nothing acknowledged is lost, and the chain is sound.
func TestPowerFails(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 60
	}
	var dir string
	acknowledged := 0
	for round := range rounds {
		if round%60 == 0 {
			dir = t.TempDir()
		}
		f, err := OpenFile(dir, FileOptions{SegmentBytes: 3000})
		if err != nil {
			t.Fatal(err)
		}
		disk := newVolatile(round % 60)
		f.open, f.syncDir = disk.open, disk.syncDir
		var head Head
		for n := 0; err == nil; n++ {
			var h Head
			if h, err = f.Append(t.Context(), "n", testRecords(fmt.Sprint(round, "-", n, "-"), 1+n%3)); err == nil {
				head = h
				acknowledged++
			}
		}
		f.Close()
		disk.out(t)
		again, err := OpenFile(dir, FileOptions{})
		if err == nil { // which may have to put something aside
			_, err = again.Append(t.Context(), "n", nil)
			again.Close()
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		report, err := Verify(t.Context(), &Segments{Dir: dir}, "n", Verification{})
		if err != nil || report.Head.Sequence < head.Sequence {
			t.Fatalf("round %d: Verify() = %+v, %v; acknowledged up to %d", round, report, err, head.Sequence)
		}
	}
	if acknowledged < rounds {
		t.Errorf("only %d appends were acknowledged: this test tests nothing", acknowledged)
	}
}

// The same for the spool.
func TestPowerFailsUnderSpool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spool")
	known := map[string]bool{}
	for round := range 100 {
		disk := newVolatile(1 + round%20)
		s := &Spool{Path: path, wrap: func(f *os.File) handle { return &volatileFile{f, disk} }}
		for n := 0; ; n++ {
			batch := testRecords(fmt.Sprint(round, "-", n, "-"), 2)
			if s.put(batch) != nil {
				break
			}
			for _, r := range batch {
				known[r.ID] = true
			}
		}
		s.close()
		disk.out(t)
		again := &Spool{Path: path}
		kept, err := again.all()
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, r := range kept {
			found[r.ID] = true
		}
		for id := range known {
			if !found[id] {
				t.Fatalf("round %d: %s was acknowledged and is lost", round, id)
			}
		}
		again.close()
	}
	if len(known) < 100 {
		t.Errorf("only %d records were acknowledged", len(known))
	}
}
