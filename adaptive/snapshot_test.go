package adaptive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// taught returns a learner that has seen an outage in two operations.
func taught() *Learner {
	l := &Learner{}
	for _, name := range []string{"venue.get", "venue.put"} {
		m := l.model(name)
		for i := range 100 {
			m.observe(&result{ok: i < 80 || i > 90, at: float64(i), retry: i % 3})
		}
	}
	return l
}

func TestSnapshot(t *testing.T) {
	l := taught()
	b := l.Snapshot(day)
	if len(b) != 2*record {
		t.Fatalf("%d bytes; want 2 records of %d", len(b), record)
	}
	again := &Learner{}
	if err := again.Load(b, day, "venue.get", "venue.put", "venue.list"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Snapshot(day), b) {
		t.Error("loaded and written again, it is another")
	}
	m := again.known("venue.get")
	if m.belief[available].down != leastBelief || m.hazard[available].sum[bins] != l.known("venue.get").hazard[available].sum[bins] {
		t.Error("belief or hazard is not what a restart should find")
	}
	old := &Learner{}
	if err := old.Load(b, day.Add(1000*24*time.Hour), "venue.get"); err != nil {
		t.Fatal(err)
	}
	if names := old.Operations(); len(names) != 1 {
		t.Errorf("loaded %v; want what was asked for", names)
	}
	o := old.known("venue.get")
	if o.hazard[available] != newModel().hazard[available] || o.onsets > 1e-6 {
		t.Error("after years it has not forgotten")
	}
	half := &Learner{}
	half.Load(b, day.Add(24*time.Hour), "venue.get")
	if got, want := half.known("venue.get").onsets, l.known("venue.get").onsets/2; math.Abs(got-want) > 1e-6 {
		t.Errorf("after a day %v outages; want %v", got, want)
	}
	few := &Learner{MaxOperations: 1}
	few.model("venue.any")
	if err := few.Load(b, day, "venue.get"); err != nil || few.others.onsets != 0 {
		t.Error("a record was loaded into the model that operations share")
	}
}

// seal makes the checksum of a record right again.
func seal(r []byte) {
	binary.LittleEndian.PutUint32(r[record-4:], crc32.Checksum(r[:record-4], castagnoli))
}

// AD18: what is damaged starts cold, and the rest is loaded.
func TestDamagedSnapshots(t *testing.T) {
	number := func(i int, v float32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[record+header+4*i:], math.Float32bits(v))
			seal(b[record:])
			return b
		}
	}
	nan := float32(math.NaN())
	const phase, items, rest = int(groups) * bins * 2, int(groups)*bins*2 + int(groups)*len(periods)*3, floats - 3
	for _, test := range []struct {
		name string
		harm func([]byte) []byte // the second record
		want error
	}{
		{"cut by one byte", func(b []byte) []byte { return b[:len(b)-1] }, ErrTruncated},
		{"version + 1", func(b []byte) []byte { b[record+4]++; seal(b[record:]); return b }, ErrVersion},
		{"one flipped bit", func(b []byte) []byte { b[record+100] ^= 4; return b }, ErrDamaged},
		{"other magic", func(b []byte) []byte { b[record] = 'X'; seal(b[record:]); return b }, ErrDamaged},
		{"other constants", func(b []byte) []byte { b[record+6]++; seal(b[record:]); return b }, ErrSettings},
		{"one NaN", number(0, nan), ErrDamaged},
		{"infinity", number(phase, float32(math.Inf(1))), ErrDamaged},
		{"more back than at risk", number(1, 100), ErrDamaged},
		{"negative weight of a phase", number(phase+2, -1), ErrDamaged},
		{"negative count of an item", number(items, -1), ErrDamaged},
		{"always failing", number(rest, 0), ErrDamaged},
		{"negative exposure", number(rest+2, -1), ErrDamaged},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &Learner{}
			err := l.Load(test.harm(taught().Snapshot(day)), day, "venue.get", "venue.put")
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), "record 1: ") {
				t.Errorf("Load = %v; want record 1 and %v", err, test.want)
			}
			if names := l.Operations(); len(names) != 1 || names[0] != "venue.get" {
				t.Errorf("loaded %v; want venue.get alone", names)
			}
		})
	}
}

func TestSaveAndRestore(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "learned")
	l := taught()
	for range 2 {
		if err := l.Save(name, day); err != nil {
			t.Fatal(err)
		}
	}
	again := &Learner{}
	if err := again.Restore(name, day, "venue.get", "venue.put"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Snapshot(day), l.Snapshot(day)) {
		t.Error("restored, it is another")
	}
	if err := again.Restore(filepath.Join(dir, "none"), day); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Restore of nothing = %v", err)
	}
	if err := l.Save(filepath.Join(dir, "none", "learned"), day); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Save to nowhere = %v", err)
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Save(taken, day); err == nil {
		t.Error("Save over a folder succeeded")
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("%d files are left; want 2", len(files))
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte{})
	f.Add(taught().Snapshot(day))
	f.Add(taught().Snapshot(day)[:record+5])
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &Learner{}
		if b = bytes.Clone(b); len(b) >= record {
			seal(b) // or nothing but the checksum would be tried
		}
		l.Load(b, day, "venue.get", "venue.put")
		for _, name := range l.Operations() {
			m := l.known(name)
			for i, x := range delays {
				if h := m.hazard[0].at(x); !(h >= 0) || math.IsInf(h, 0) {
					t.Fatalf("hazard %d = %v", i, h)
				}
			}
			v := m.choose(&ask{left: 60, expected: .1, ceiling: 1, longest: 30, retry: 1, cost: .02, delayCost: .01})
			if !v.stop && !(v.success > 0) {
				t.Fatalf("advice %+v", v)
			}
		}
	})
}

// A model that learns no more keeps what a snapshot said of outages and items, while its belief moves.
func TestFrozenModel(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		m := newModel()
		before := struct {
			hazard [groups]hazard
			phase  [groups]phases
			item   [kinds][retriesSeen]item
			up     float64
		}{m.hazard, m.phase, m.item, m.up}
		moved := false
		for i := range 100 {
			m.observe(&result{ok: i < 80 || i > 90, at: float64(i), retry: i % 3, frozen: frozen})
			moved = moved || m.belief[available].down > outageBegins
		}
		same := m.hazard == before.hazard && m.phase == before.phase && m.item == before.item && m.up == before.up
		if same != frozen || !moved {
			t.Errorf("frozen %v: it learned %v, its belief moved %v", frozen, !same, moved)
		}
	}
}
