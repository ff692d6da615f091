package auditlog

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/store/sqldb"
	"github.com/relent-go/relent/store/sqldb/postgrestest"
)

var at = time.Date(2026, 3, 14, 15, 0, 0, 0, time.UTC)

func record(id string, seconds int) audit.Record {
	return audit.Record{ID: id, Time: at.Add(time.Duration(seconds) * time.Second), Decision: audit.Retry, Operation: "venue.place_order", Attempt: 2, Actor: "algo-7"}
}

// must ends the test on an error.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fill writes two chains whose times interleave.
func fill(s audit.Store) {
	ctx := context.Background()
	must(s.Append(ctx, "a", []audit.Record{record("1", 1), record("3", 3)}))
	stop := record("4", 4)
	stop.Decision, stop.Actor, stop.Why, stop.Count, stop.Attempt, stop.Rule = audit.Stop, "ops1", "\x1b[31mred\nline", 2, 0, "api"
	must(s.Append(ctx, "b", []audit.Record{record("2", 2), stop}))
}

// server is started once, by the first test that needs it.
var server = sync.OnceValues(postgrestest.New)

func TestMain(m *testing.M) {
	code := m.Run()
	if started {
		if s, err := server(); err == nil {
			s.Remove()
		}
	}
	os.Exit(code)
}

var started bool // the server was asked for

// postgres returns the URL of a new database. Where there is no server, the test is skipped.
func postgres(t *testing.T) string {
	t.Helper()
	started = true
	s, err := server()
	if err != nil {
		postgrestest.Missing(t, err)
	}
	return s.URL(t)
}

// everywhere runs a test on each kind of store, filled, while its writer is there.
func everywhere(t *testing.T, test func(t *testing.T, name string, writer audit.Store)) {
	t.Run("files", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "files")
		files := must(audit.OpenFile(dir, audit.FileOptions{SegmentBytes: 1}))
		defer files.Close()
		fill(files)
		test(t, dir, files)
	})
	for kind, url := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "db") },
		"postgres": func() string { return postgres(t) },
	} {
		t.Run(kind, func(t *testing.T) {
			url := url()
			db := must(sqldb.Open(t.Context(), url))
			defer db.Close()
			fill(db.Audit())
			test(t, url, db.Audit())
		})
	}
}

// filled opens a store of files with what [fill] writes, while its writer is there, and returns its name.
func filled(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "files")
	files := must(audit.OpenFile(dir, audit.FileOptions{}))
	fill(files)
	t.Cleanup(func() { files.Close() })
	return dir
}

func open(t *testing.T, name string) Store {
	t.Helper()
	s, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	os.WriteFile(plain, []byte("no database"), 0o600)
	for name, want := range map[string]string{
		filepath.Join(dir, "nowhere"): "no such directory",
		plain:                         "this is a file",
		dir:                           "no audit files",
		filepath.Join(plain, "x"):     "not a directory",
		"sqlite:" + filepath.Join(dir, "nowhere"): "no such file",
		"sqlite:":                                "a file is needed",
		"sqlite:" + plain:                        "plain",
		"postgres://nobody:hidden@127.0.0.1:1/x": "127.0.0.1",
	} {
		_, err := Open(name)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("Open(%s) = %v; want %q", name, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("Open made what was not there")
	}
}

func TestQuery(t *testing.T) {
	everywhere(t, func(t *testing.T, name string, _ audit.Store) {
		s := open(t, name)
		for _, test := range []struct {
			f     audit.Filter
			limit int
			ids   string
			more  bool
		}{
			{audit.Filter{}, 0, "1 2 3 4", false},
			{audit.Filter{}, 4, "1 2 3 4", false},
			{audit.Filter{}, 3, "1 2 3", true},
			{audit.Filter{Chain: "b"}, 0, "2 4", false},
			{audit.Filter{Chain: "c"}, 0, "", false},
			{audit.Filter{Actor: "ops1"}, 1, "4", false},
			{audit.Filter{From: at.Add(2 * time.Second), To: at.Add(4 * time.Second)}, 0, "2 3", false},
		} {
			var out bytes.Buffer
			more, err := Query(t.Context(), s, test.f, test.limit, &Printer{W: &out, JSON: true})
			if got := ids(t, out.String()); err != nil || got != test.ids || more != test.more {
				t.Errorf("Query(%+v, %d) = %s, %v, %v; want %s, %v", test.f, test.limit, got, more, err, test.ids, test.more)
			}
		}
	})
}

// ids returns those of records in JSON lines.
func ids(t *testing.T, lines string) string {
	t.Helper()
	var found []string
	for line := range strings.Lines(lines) {
		var r struct {
			V  int
			ID string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.V != 1 {
			t.Fatalf("%s: %v", line, err)
		}
		found = append(found, r.ID)
	}
	return strings.Join(found, " ")
}

func TestTable(t *testing.T) {
	s := open(t, filled(t))
	var out bytes.Buffer
	if _, err := Query(t.Context(), s, audit.Filter{Chain: "b"}, 0, &Printer{W: &out}); err != nil {
		t.Fatal(err)
	}
	want := `TIME                      CHAIN         SEQ  DECISION OPERATION                    CALL             ATT  OUTCOME      DETAILS
2026-03-14T15:00:02.000Z  b               1  retry    venue.place_order                               2               by algo-7
2026-03-14T15:00:04.000Z  b               2  stop     venue.place_order                                               api; by ops1; why \x1b[31mred\nline; 2 records are missing
`
	if out.String() != want {
		t.Errorf("table\n%s\nwant\n%s", out.String(), want)
	}
	for _, p := range []*Printer{{W: full{}}, {W: full{}, JSON: true}} {
		if _, err := Query(t.Context(), s, audit.Filter{}, 0, p); !errors.Is(err, errFull) {
			t.Errorf("Query to a full disk = %v", err)
		}
		if err := Tail(t.Context(), s, audit.Filter{}, 2, time.Second, p); !errors.Is(err, errFull) {
			t.Errorf("Tail to a full disk = %v", err)
		}
	}
	if err := Export(t.Context(), s, audit.Filter{}, full{}); !errors.Is(err, errFull) {
		t.Errorf("Export to a full disk = %v", err)
	}
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// A pipe is where Tail writes, and where a test reads as it comes.
type pipe struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *pipe) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// waitFor looks until the records are there.
func waitFor(t *testing.T, p *pipe, want string) {
	t.Helper()
	for range 5000 {
		if ids(t, p.text()) == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("tail printed %s; want %s", ids(t, p.text()), want)
}

func TestTail(t *testing.T) {
	everywhere(t, func(t *testing.T, name string, writer audit.Store) {
		s := open(t, name)
		ctx, cancel := context.WithCancel(t.Context())
		var out pipe
		ended := make(chan error, 1)
		go func() {
			ended <- Tail(ctx, s, audit.Filter{Operation: "venue.place_order"}, 2, time.Millisecond, &Printer{W: &out, JSON: true})
		}()
		waitFor(t, &out, "3 4")
		must(writer.Append(ctx, "a", []audit.Record{record("5", 5)}))
		waitFor(t, &out, "3 4 5")
		other := record("x", 6)
		other.Operation = "other"
		must(writer.Append(ctx, "new", []audit.Record{record("6", 6), other}))
		waitFor(t, &out, "3 4 5 6")
		must(writer.Append(ctx, "b", []audit.Record{record("7", 7), record("8", 8)}))
		waitFor(t, &out, "3 4 5 6 7 8")
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Tail() = %v when its context ended; want nil", err)
		}
		if err := Tail(ctx, s, audit.Filter{}, 0, time.Second, &Printer{W: &pipe{}}); err != nil {
			t.Errorf("Tail() = %v with a context that had ended", err)
		}
	})
}

func TestExport(t *testing.T) {
	everywhere(t, func(t *testing.T, name string, _ audit.Store) {
		s := open(t, name)
		var out bytes.Buffer
		if err := Export(t.Context(), s, audit.Filter{}, &out); err != nil {
			t.Fatal(err)
		}
		// Whoever has the lines can verify the chain.
		hashes := map[string]audit.Hash{}
		n := 0
		for line := range strings.Lines(out.String()) {
			var l struct {
				V      int
				Hash   audit.Hash
				Record json.RawMessage
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil || l.V != 1 {
				t.Fatalf("%s: %v", line, err)
			}
			r := must(audit.ParseRecord(l.Record))
			hashes[r.Chain] = audit.Next(hashes[r.Chain], l.Record)
			if hashes[r.Chain] != l.Hash {
				t.Errorf("%s does not have its hash", line)
			}
			n++
		}
		if n != 4 {
			t.Errorf("%d lines; want 4", n)
		}
		out.Reset()
		if err := Export(t.Context(), s, audit.Filter{Chain: "b", Decision: audit.Stop}, &out); err != nil || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), `"id":"4"`) {
			t.Errorf("export of the stop: %v\n%s", err, out.String())
		}
	})
}

// A store that fails, where a function is set.
type failing struct {
	Store
	chains, start, points, links, query error
}

var errStore = errors.New("the store fails")

func (f *failing) Chains(ctx context.Context) ([]string, error) {
	c, err := f.Store.Chains(ctx)
	return c, errors.Join(err, f.chains)
}

func (f *failing) Start(chain string) (audit.Head, error) {
	h, err := f.Store.Start(chain)
	return h, errors.Join(err, f.start)
}

func (f *failing) Checkpoints(ctx context.Context, chain string, after uint64, limit int) ([]audit.Checkpoint, error) {
	p, err := f.Store.Checkpoints(ctx, chain, after, limit)
	return p, errors.Join(err, f.points)
}

func (f *failing) Links(ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
	l, err := f.Store.Links(ctx, chain, from, limit)
	return l, errors.Join(err, f.links)
}

func (f *failing) Query(ctx context.Context, q audit.Filter, after audit.Cursor, limit int) ([]audit.Record, audit.Cursor, error) {
	r, next, err := f.Store.Query(ctx, q, after, limit)
	return r, next, errors.Join(err, f.query)
}

func TestStoreFails(t *testing.T) {
	s := open(t, filled(t))
	for _, f := range []failing{{chains: errStore}, {start: errStore}, {points: errStore}, {links: errStore}, {query: errStore}} {
		f.Store = s
		_, queried := Query(t.Context(), &f, audit.Filter{}, 0, &Printer{W: &pipe{}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		tailed := Tail(ctx, &f, audit.Filter{}, 0, time.Millisecond, &Printer{W: &pipe{}})
		cancel()
		exported := Export(t.Context(), &f, audit.Filter{}, &pipe{})
		_, verified := Verify(t.Context(), &f, "", nil, nil)
		for what, got := range map[string][2]bool{
			"Query":  {errors.Is(queried, errStore), f.chains != nil || f.query != nil},
			"Tail":   {errors.Is(tailed, errStore), f.chains != nil || f.query != nil},
			"Export": {errors.Is(exported, errStore), f.chains != nil || f.start != nil || f.links != nil},
			"Verify": {errors.Is(verified, errStore), f.chains != nil || f.points != nil || f.links != nil},
		} {
			if got[0] != got[1] {
				t.Errorf("%+v: %s fails: %v; want %v", f, what, got[0], got[1])
			}
		}
	}
}

func TestVerify(t *testing.T) {
	public, key, _ := ed25519.GenerateKey(nil)
	trusted := []ed25519.PublicKey{public}
	everywhere(t, func(t *testing.T, name string, _ audit.Store) {
		s := open(t, name)
		heads := map[string]audit.Head{}
		for _, chain := range []string{"a", "b"} {
			report := must(audit.Verify(t.Context(), s, chain, audit.Verification{}))
			heads[chain] = report.Head
		}
		point := func(chain string, sequence uint64, flip byte) audit.Checkpoint {
			h := heads[chain]
			h.Chain, h.Sequence = chain, sequence
			h.Hash[0] ^= flip
			return audit.Sign(key, h, at)
		}
		for _, test := range []struct {
			name     string
			points   []audit.Checkpoint
			trusted  []ed25519.PublicKey
			firstBad string
			text     string
		}{
			{"nothing elsewhere", nil, nil, "a:0 b:0", "sound"},
			{"what fits", []audit.Checkpoint{point("a", 2, 0), point(audit.HeadsChain, 9, 0)}, trusted, "a:0 b:0", "sound"},
			{"a tail cut off", []audit.Checkpoint{point("b", 3, 0)}, trusted, "a:0 b:3", "BAD: first bad sequence 3: the chain ends here"},
			{"written anew", []audit.Checkpoint{point("b", 2, 1)}, trusted, "a:0 b:1", "BAD: first bad sequence 1: or a later one, up to 2"},
			{"a chain removed", []audit.Checkpoint{point("c", 2, 0)}, trusted, "a:0 b:0 c:1", "BAD"},
			{"another key", []audit.Checkpoint{point("b", 2, 0)}, []ed25519.PublicKey{make(ed25519.PublicKey, 32)}, "a:0 b:0", "BAD: checkpoint 2 of audit chain b"},
		} {
			verdicts, err := Verify(t.Context(), s, "", test.points, test.trusted)
			var got []string
			for _, v := range verdicts {
				got = append(got, fmt.Sprintf("%s:%d", v.Chain, v.FirstBad))
			}
			var out bytes.Buffer
			WriteVerdicts(&out, verdicts)
			if err != nil || strings.Join(got, " ") != test.firstBad || !strings.Contains(out.String(), test.text) {
				t.Errorf("%s: first bad %s, %v; want %s\n%s", test.name, got, err, test.firstBad, out.String())
			}
		}
		if v, err := Verify(t.Context(), s, "b", nil, nil); err != nil || len(v) != 1 || v[0].Chain != "b" || v[0].Records != 2 {
			t.Errorf("Verify of one chain = %+v, %v", v, err)
		}
		if _, err := Verify(t.Context(), s, "z", nil, nil); err == nil {
			t.Error("a chain that is not there was verified")
		}
	})
}

// What is damaged is named, and the checkpoints that the store itself has count.
func TestVerifyDamagedFiles(t *testing.T) {
	name := filled(t)
	segment := filepath.Join(name, "chains", "b", "00000000000000000001.jsonl")
	text := must(os.ReadFile(segment))
	s := open(t, name)
	for what, damage := range map[string]struct {
		text string
		bad  uint64
	}{
		"a record":       {strings.Replace(string(text), "ops1", "ops2", 1), 2},
		"the first line": {"x" + string(text[1:]), 1},
		"everything":     {strings.Repeat("nonsense\n", 3), 1},
	} {
		os.WriteFile(segment, []byte(damage.text), 0o600)
		verdicts, err := Verify(t.Context(), s, "", nil, nil)
		if err != nil || len(verdicts) != 2 || !verdicts[0].Sound || verdicts[1].FirstBad != damage.bad {
			t.Errorf("%s: Verify() = %+v, %v; want b bad at %d", what, verdicts, err, damage.bad)
		}
		if err := Export(t.Context(), s, audit.Filter{Chain: "b"}, &pipe{}); what != "a record" && err == nil {
			t.Errorf("%s: exported", what)
		}
	}
	os.WriteFile(segment, text, 0o600)
	head := must(audit.Verify(t.Context(), s, "b", audit.Verification{})).Head
	head.Hash[0]++
	writer := must(json.Marshal(audit.Sign(ed25519.NewKeyFromSeed(make([]byte, 32)), head, at)))
	os.WriteFile(filepath.Join(name, "checkpoints.jsonl"), append(writer, '\n'), 0o600)
	if verdicts, err := Verify(t.Context(), s, "b", nil, nil); err != nil || verdicts[0].Sound {
		t.Errorf("Verify() = %+v, %v; want the checkpoint of the store to count", verdicts, err)
	}
	if err := Export(t.Context(), &shuffled{s}, audit.Filter{Chain: "b"}, &pipe{}); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("Export of what is out of order = %v", err)
	}
}

// A shuffled store returns links backwards.
type shuffled struct{ Store }

func (s *shuffled) Links(ctx context.Context, chain string, from uint64, limit int) ([]audit.Link, error) {
	l, err := s.Store.Links(ctx, chain, from, limit)
	if len(l) > 1 {
		l[0], l[1] = l[1], l[0]
	}
	return l, err
}

func TestReadCheckpoints(t *testing.T) {
	dir := t.TempDir()
	f := must(audit.OpenFile(dir, audit.FileOptions{}))
	defer f.Close()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	for n := range uint64(3) {
		if err := f.Anchor(t.Context(), audit.Sign(key, audit.Head{Chain: "n", Sequence: n + 1}, at)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{dir, filepath.Join(dir, "checkpoints.jsonl")} {
		if points, err := ReadCheckpoints(name); err != nil || len(points) != 3 || points[2].Check(key.Public().(ed25519.PublicKey)) != nil {
			t.Errorf("ReadCheckpoints(%s) = %d, %v", name, len(points), err)
		}
	}
	bad := filepath.Join(dir, "bad")
	os.WriteFile(bad, []byte("{\"chain\":\"n\"}\n{}\n"), 0o600)
	if _, err := ReadCheckpoints(bad); err == nil || !strings.Contains(err.Error(), "bad:2:") {
		t.Errorf("ReadCheckpoints of nonsense = %v; want the line", err)
	}
	if _, err := ReadCheckpoints(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestParseKey(t *testing.T) {
	public, _, _ := ed25519.GenerateKey(nil)
	file := filepath.Join(t.TempDir(), "key")
	os.WriteFile(file, []byte(hex.EncodeToString(public)+"\n"), 0o600)
	for _, text := range []string{hex.EncodeToString(public), base64.StdEncoding.EncodeToString(public), file} {
		if key, err := ParseKey(text); err != nil || !key.Equal(public) {
			t.Errorf("ParseKey(%s) = %x, %v", text, key, err)
		}
	}
	for _, text := range []string{"", "abcd", file + "x"} {
		if _, err := ParseKey(text); err == nil {
			t.Errorf("ParseKey(%q) works", text)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "90m": at.Add(-90 * time.Minute), "2026-03-14T15:09:26.5+01:00": time.Date(2026, 3, 14, 14, 9, 26, 5e8, time.UTC), "2026-03-14": time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := ParseTime(text, at); err != nil || !got.Equal(want) {
			t.Errorf("ParseTime(%q) = %v, %v; want %v", text, got, err, want)
		}
	}
	if _, err := ParseTime("yesterday", at); err == nil {
		t.Error("yesterday is a time")
	}
}
