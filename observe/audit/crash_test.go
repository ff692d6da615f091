package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
)

// TestMain is the process that is killed, when it is told so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RELENT_AUDIT_VICTIM"); dir != "" {
		victim(dir, os.Getenv("RELENT_AUDIT_PREFIX"))
	}
	os.Exit(m.Run())
}

// victim appends for ever, and prints the ids of what was acknowledged.
func victim(dir, prefix string) {
	f, err := audit.OpenFile(dir, audit.FileOptions{SegmentBytes: 20_000})
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	var out sync.Mutex
	for w := range 4 {
		wg.Go(func() {
			for n := 0; ; n++ {
				records := audittest.Records(fmt.Sprintf("%s-%d-%d-", prefix, w, n), 1+n%5)
				if _, err := f.Append(context.Background(), "n", records); err != nil {
					fmt.Println("failed:", err)
					os.Exit(1)
				}
				var line strings.Builder
				for _, r := range records {
					line.WriteString(r.ID + "\n")
				}
				out.Lock()
				os.Stdout.WriteString(line.String())
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// kill -9 in the middle of appends: nothing that was acknowledged is lost, and the chain is sound.
func TestKilled(t *testing.T) {
	cycles := 50
	if os.Getenv("RELENT_SOAK") != "" {
		cycles = 1000
	}
	if testing.Short() {
		cycles = 3
	}
	var dir string
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	acknowledged := 0
	for cycle := range cycles {
		if cycle%50 == 0 {
			dir = t.TempDir()
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "RELENT_AUDIT_VICTIM="+dir, fmt.Sprintf("RELENT_AUDIT_PREFIX=c%d", cycle))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var ids []string
		lines := bufio.NewScanner(out)
		for lines.Scan() { // until the pipe ends, and with it the victim
			if strings.HasPrefix(lines.Text(), "failed") {
				t.Error(lines.Text())
			}
			if ids = append(ids, lines.Text()); len(ids) == 1 {
				time.AfterFunc(time.Duration(rand.Int64N(int64(20*time.Millisecond))), func() { cmd.Process.Kill() })
			}
		}
		cmd.Wait()
		acknowledged += len(ids)
		kept := make(map[string]bool)
		s := &audit.Segments{Dir: dir}
		if cycle%2 == 0 { // opened for writing, or only read
			f := openFile(t, dir, audit.FileOptions{})
			if _, err := f.Append(t.Context(), "n", nil); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		report, err := audit.Verify(t.Context(), s, "n", audit.Verification{})
		if err != nil {
			t.Fatalf("cycle %d: %v", cycle, err)
		}
		var after audit.Cursor
		for {
			page, next, err := s.Query(t.Context(), audit.Filter{}, after, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				kept[r.ID] = true
			}
			after = next
		}
		for _, id := range ids {
			if !kept[id] {
				t.Fatalf("cycle %d: %s was acknowledged and is lost; %d records are there", cycle, id, report.Records)
			}
		}
		if uint64(len(kept)) != report.Records {
			t.Fatalf("cycle %d: %d records, %d different", cycle, report.Records, len(kept))
		}
	}
	t.Logf("%d kills, %d records acknowledged, none lost", cycles, acknowledged)
}

// A crash may leave any part of the last batch: it is put aside, and what was there before is whole.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, audit.FileOptions{})
	first := audittest.Records("a", 3)
	head, err := f.Append(t.Context(), "n", first)
	if err != nil {
		t.Fatal(err)
	}
	name := segments(t, dir, "n")[0]
	before, _ := os.ReadFile(name)
	if _, err := f.Append(t.Context(), "n", audittest.Records("b", 3)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	all, _ := os.ReadFile(name)
	tails := map[string]string{
		"zeros":                    strings.Repeat("\x00", 700),
		"zeros, then the last one": strings.Repeat("\x00", 300) + "\n" + string(all[len(all)-300:]),
		"nonsense":                 "nonsense\n",
		"a long line":              strings.Repeat("x", 200_000) + "\n",
	}
	for cut := len(before); cut < len(all); cut += 13 {
		tails[fmt.Sprint("cut at ", cut)] = string(all[len(before):cut])
	}
	for what, tail := range tails {
		if err := os.WriteFile(name, []byte(string(before)+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		f := openFile(t, dir, audit.FileOptions{})
		got, err := f.Append(t.Context(), "n", first)
		if err != nil || got != head {
			t.Fatalf("%s: head %v, %v; want %v", what, got, err, head)
		}
		repairs := f.Repairs()
		if len(tail) == 0 {
			if len(repairs) != 0 {
				t.Errorf("%s: repaired %+v; nothing was broken", what, repairs)
			}
		} else if len(repairs) != 1 || repairs[0].Sequence != 4 || repairs[0].Chain != "n" || repairs[0].Bytes != int64(len(tail)) {
			t.Fatalf("%s: repaired %+v; want %d bytes from 4 on", what, repairs, len(tail))
		} else if aside, _ := os.ReadFile(repairs[0].Aside); string(aside) != tail {
			t.Errorf("%s: put aside %q", what, aside)
		}
		if h, err := f.Append(t.Context(), "n", audittest.Records("c", 2)); err != nil || h.Sequence != 5 {
			t.Errorf("%s: then appended %v, %v; want 5", what, h, err)
		}
		f.Close()
		if report, err := audit.Verify(t.Context(), &audit.Segments{Dir: dir}, "n", audit.Verification{}); err != nil || report.Records != 5 {
			t.Errorf("%s: Verify() = %+v, %v", what, report, err)
		}
	}
}

// Damage before the last batch was acknowledged: it is not put aside, and nothing is appended to it.
func TestDamagedBeforeTheEnd(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, audit.FileOptions{})
	for _, prefix := range []string{"a", "b", "c"} {
		if _, err := f.Append(t.Context(), "n", audittest.Records(prefix, 2)); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
	l := locate(t, dir)[2]
	edit(t, l.file, l.begin+250, l.begin+251, "?")
	f = openFile(t, dir, audit.FileOptions{})
	for range 2 {
		if _, err := f.Append(t.Context(), "n", audittest.Records("d", 1)); !errors.Is(err, audit.ErrFileDamaged) || !errors.Is(err, audit.ErrTampered) || !strings.Contains(err.Error(), "sequence 3") {
			t.Errorf("Append = %v; want %v", err, audit.ErrFileDamaged)
		}
	}
	if links, err := f.Links(t.Context(), "n", 1, 0); err != nil || len(links) != 6 {
		t.Errorf("Links() = %d, %v; want all 6, damaged or not", len(links), err)
	}
	if _, _, err := f.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 0); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Query() = %v; want %v", err, audit.ErrTampered)
	}
	if heads, err := f.Heads(t.Context()); err != nil || len(heads) != 1 || heads[0].Sequence != 6 {
		t.Errorf("Heads() = %v, %v", heads, err)
	}
	if _, err := f.Append(t.Context(), "other", audittest.Records("d", 1)); err != nil {
		t.Errorf("another chain: %v", err)
	}
}

// A reader follows while the writer crashes, and is started again: what was never acknowledged, and read nevertheless, is replaced.
func TestFollowsOverRepair(t *testing.T) {
	dir := t.TempDir()
	write := func(prefixes ...string) {
		f := openFile(t, dir, audit.FileOptions{})
		defer f.Close()
		for _, prefix := range prefixes {
			if _, err := f.Append(t.Context(), "n", audittest.Records(prefix, 2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("a", "b")
	s := &audit.Segments{Dir: dir}
	_, after, err := s.Query(t.Context(), audit.Filter{}, audit.Cursor{}, 0)
	if err != nil || after.Sequence != 4 {
		t.Fatal(after, err)
	}
	l := locate(t, dir)[3] // b is left without its second record
	text, _ := os.ReadFile(l.file)
	os.WriteFile(l.file, text[:l.begin], 0o600)
	write("a longer one ", "c")
	found, _, err := s.Query(t.Context(), audit.Filter{}, after, 0)
	if err != nil || len(found) != 2 || found[0].ID != "caaa" || found[0].Sequence != 5 {
		t.Errorf("Query() = %+v, %v; want those of c", found, err)
	}
}
