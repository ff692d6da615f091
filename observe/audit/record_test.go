package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/observe/audit/audittest"
	"github.com/relent-go/relent/retry"
)

func TestCheckNamesEachField(t *testing.T) {
	nan := math.NaN()
	r := audit.Record{
		Key: "k", Payload: strings.Repeat("z", 64), Mono: math.MaxInt64, Delay: -math.MaxInt64, Hint: 1 << 54, Left: -1 << 54, Cost: math.MinInt64, Attempt: 1 << 54,
		Sequence: math.MaxUint64, Epoch: 1 << 54, Count: 1 << 63, BudgetBefore: &nan, BudgetAfter: &nan, Actor: "\xff", Why: strings.Repeat("w", 513),
	}
	err := r.Check()
	for _, field := range []string{"ID", "Decision", "Key", "Payload", "Time", "Mono", "Delay", "Hint", "Left", "Cost", "Attempt", "Sequence", "Epoch", "Count", "BudgetBefore", "BudgetAfter", "Actor", "Why"} {
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+field+": ") {
			t.Errorf("Check() = %v\nwithout %s", err, field)
		}
	}
	r.ID, r.Decision, r.Time = "1", "x", time.Now()
	r = r.Bounded()
	if err := r.Check(); err != nil {
		t.Errorf("Bounded left %v", err)
	}
	if !strings.HasSuffix(r.Why, "w…") || len(r.Why) > 512 || r.BudgetBefore != nil || r.Cost != -1<<53 || r.Actor != "\uFFFD" {
		t.Errorf("Bounded() = %+v", r)
	}
}

func TestTextsAreCutBetweenCharacters(t *testing.T) {
	r := audit.Record{Why: strings.Repeat("é", 400), Actor: "a" + strings.Repeat("€", 100)}.Bounded()
	if r.Why != strings.Repeat("é", 254)+"…" || r.Actor != "a"+strings.Repeat("€", 41)+"…" {
		t.Errorf("cut to %q, %q", r.Why, r.Actor)
	}
	r = audit.Record{Actor: "\xffa"}
	if got := string(r.AppendJSON(nil)); !strings.HasPrefix(got, "{\"actor\":\"\uFFFDa\"") {
		t.Errorf("what is not UTF-8 became %s", got)
	}
}

// Texts that are as long as they may be and all escapes leave a record that a store takes.
func TestBoundedAtWorst(t *testing.T) {
	var r audit.Record
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		if v.Field(i).Kind() == reflect.String {
			v.Field(i).SetString(strings.Repeat("\x01", 600))
		}
	}
	r.Chain, r.Time = "", time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	big := -math.MaxFloat64
	r.Mono, r.Delay, r.Hint, r.Left, r.Cost, r.Attempt, r.Epoch, r.Count = -1<<62, -1<<62, -1<<62, -1<<62, -1<<62, -1<<62, 1<<62, 1<<62
	r.BudgetBefore, r.BudgetAfter, r.Key, r.Payload = &big, &big, audit.Digest(""), audit.Digest("")
	if _, err := (kept(t)).Append(t.Context(), strings.Repeat("n", 64), []audit.Record{r.Bounded()}); err != nil {
		t.Error(err)
	}
}

func TestExtendRefuses(t *testing.T) {
	if _, _, err := audit.Extend(audit.Head{Chain: ""}, nil); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("Extend of a chain without a name = %v", err)
	}
	if _, _, err := audit.Extend(audit.Head{Chain: "n"}, make([]audit.Record, audit.MaxBatch+1)); !errors.Is(err, audit.ErrInvalid) {
		t.Errorf("Extend with too many records = %v", err)
	}
	if _, _, err := audit.Extend(audit.Head{Chain: "n", Sequence: 1 << 53}, audittest.Records("a", 1)); !errors.Is(err, audit.ErrInvalid) || retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("Extend beyond what JSON can count = %v", err)
	}
}

func TestCursor(t *testing.T) {
	c := audit.Cursor{Chain: "b", Sequence: 5}
	for _, test := range []struct {
		chain    string
		sequence uint64
		want     bool
	}{{"a", 9, false}, {"b", 4, false}, {"b", 5, false}, {"b", 6, true}, {"c", 1, true}} {
		if got := c.Before(&audit.Record{Chain: test.chain, Sequence: test.sequence}); got != test.want {
			t.Errorf("%v before %s/%d: %v; want %v", c, test.chain, test.sequence, got, test.want)
		}
	}
}

func TestHashText(t *testing.T) {
	var h audit.Hash
	if err := json.Unmarshal([]byte(`"`+strings.Repeat("ab", 32)+`"`), &h); err != nil || h[31] != 0xab {
		t.Errorf("%v, %v", h, err)
	}
	for _, bad := range []string{"", "ab", strings.Repeat("zz", 32)} {
		if err := h.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("UnmarshalText(%q) works", bad)
		}
	}
	if text, err := json.Marshal(audit.Genesis); err != nil || string(text) != `"`+strings.Repeat("0", 64)+`"` {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := audit.ParseRecord([]byte("nonsense")); err == nil {
		t.Error("nonsense is a record")
	}
}

func TestWith(t *testing.T) {
	s := kept(t)
	l := started(t, &audit.Log{Store: s})
	ctx := audit.With(audit.With(t.Context(), audit.Who{Actor: "a", Tenant: "t", Payload: []byte("p")}), audit.Who{Actor: "b", Strategy: "s"})
	l.Observe(ctx, finished(orders, 1))
	l.Close()
	records, _, _ := s.Query(t.Context(), audit.Filter{Operation: orders.Name}, audit.Cursor{}, 0)
	if r := records[0]; r.Actor != "b" || r.Tenant != "t" || r.Strategy != "s" || r.Payload != audit.Digest("p") || r.Key != "" {
		t.Errorf("record %+v", r)
	}
}

// A store of links as a test wants them.
type links []audit.Link

func (l links) Links(_ context.Context, _ string, from uint64, limit int) (found []audit.Link, _ error) {
	for _, link := range l {
		if link.Sequence >= from && len(found) < limit {
			found = append(found, link)
		}
	}
	return found, nil
}

func sealed(prev audit.Hash, sequence uint64, body string) audit.Link {
	return audit.Link{Chain: "n", Sequence: sequence, Body: []byte(body), Hash: audit.Next(prev, []byte(body))}
}

func TestVerify(t *testing.T) {
	old, _, _ := audit.Extend(audit.Head{Chain: "n"}, audittest.Records("a", 4))
	head := audit.Head{Chain: "n", Sequence: 2, Hash: old[1].Hash} // records 1 and 2 were removed
	point := func(sequence uint64) audit.Checkpoint {
		return audit.Sign(trusted, audit.Head{Chain: "n", Sequence: sequence, Hash: old[sequence-1].Hash}, time.Now())
	}
	forged := point(2)
	forged.Hash[0]++
	elsewhere := point(4)
	elsewhere.Chain = "other"
	for _, test := range []struct {
		name  string
		links links
		v     audit.Verification
		bad   uint64
		text  string
	}{
		{"older records removed, nobody vouches", old[2:], audit.Verification{Start: head}, 1, "one of 1 to 2: they are missing"},
		{"older records removed, a later checkpoint vouches", old[2:], audit.Verification{Start: head, Checkpoints: []audit.Checkpoint{point(4)}}, 0, ""},
		{"older records removed, that one vouches", old[2:], audit.Verification{Start: head, Checkpoints: []audit.Checkpoint{point(1), point(2)}}, 0, ""},
		{"older records removed, another start", old[2:], audit.Verification{Start: head, Checkpoints: []audit.Checkpoint{forged}}, 2, "another hash"},
		{"a checkpoint of another chain", old, audit.Verification{Checkpoints: []audit.Checkpoint{elsewhere}, Trusted: public(trusted)}, 0, ""},
		{"what is no record", links{sealed(audit.Genesis, 1, "nonsense")}, audit.Verification{}, 1, "audit record"},
		{"a record of another chain", links{sealed(audit.Genesis, 1, `{"chain":"m","seq":1}`)}, audit.Verification{}, 1, "number 1 of chain m"},
		{"a link in another place than its record", links{{Chain: "n", Sequence: 2, Body: old[0].Body, Hash: old[0].Hash}}, audit.Verification{}, 1, "number 2 is in its place"},
		{"a record of another place", links{sealed(audit.Genesis, 1, `{"chain":"n","seq":2}`)}, audit.Verification{}, 1, "number 2 of chain n"},
	} {
		report, err := audit.Verify(t.Context(), test.links, "n", test.v)
		bad, _ := errors.AsType[*audit.BadError](err)
		if test.bad == 0 && err != nil || test.bad > 0 && (bad == nil || bad.Sequence != test.bad || !strings.Contains(err.Error(), test.text)) {
			t.Errorf("%s: Verify() = %+v, %v; want first bad %d, %q", test.name, report, err, test.bad, test.text)
		}
	}
	if _, err := audit.Verify(canceledContext(t), kept(t), "n", audit.Verification{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify with a context that has ended = %v", err)
	}
}

// Segments that were removed, because nobody has to keep them any longer.
func TestOlderSegmentsRemoved(t *testing.T) {
	dir, points := written(t)
	names := segments(t, dir, "n")
	for _, name := range names[:2] {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	f := openFile(t, dir, audit.FileOptions{})
	start, err := f.Start("n")
	if err != nil || start.Sequence == 0 {
		t.Fatal(start, err)
	}
	report, err := audit.Verify(t.Context(), f, "n", audit.Verification{Start: start, Checkpoints: points, Trusted: public(trusted)})
	if err != nil || report.Records != 30-start.Sequence || report.Anchored != 30 {
		t.Errorf("Verify() = %+v, %v", report, err)
	}
	if _, err := audit.Verify(t.Context(), f, "n", audit.Verification{Start: start}); err == nil {
		t.Error("nobody vouches for what follows, and Verify is content")
	}
	if h, err := f.Append(t.Context(), "n", audittest.Records("new", 1)); err != nil || h.Sequence != 31 {
		t.Errorf("Append() = %v, %v", h, err)
	}
}

// A reader does not see what its File has not made durable, and ends with its context.
func TestFileReadsWhatIsDurable(t *testing.T) {
	dir := t.TempDir()
	f := openFile(t, dir, audit.FileOptions{})
	f.Append(t.Context(), "n", audittest.Records("a", 3))
	all, _, err := audit.Extend(audit.Head{Chain: "n"}, audittest.Records("a", 3))
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else writes on, as an append does that fails before it is synced.
	name := segments(t, dir, "n")[0]
	text, _ := os.ReadFile(name)
	other := t.TempDir()
	openFile(t, other, audit.FileOptions{}).Append(t.Context(), "n", append(audittest.Records("a", 3), audittest.Records("b", 2)...))
	longer, _ := os.ReadFile(segments(t, other, "n")[0])
	edit(t, name, 0, len(text), string(longer))
	links, err := f.Links(t.Context(), "n", 1, 0)
	if err != nil || len(links) != 3 || links[2].Hash != all[2].Hash {
		t.Errorf("Links() = %d, %v", len(links), err)
	}
	s := &audit.Segments{Dir: dir}
	ctx, cancel := context.WithCancel(t.Context())
	feed := &endless{Segments: s, cancel: cancel}
	if _, err := audit.Verify(ctx, feed, "n", audit.Verification{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify whose context ends on the way = %v", err)
	}
	if l, err := s.Links(t.Context(), "../n", 1, 0); err != nil || len(l) != 0 {
		t.Errorf("Links of a name that leads elsewhere = %v, %v", l, err)
	}
}

// endless ends the context behind the first page.
type endless struct {
	*audit.Segments
	cancel func()
}

func (e *endless) Links(ctx context.Context, chain string, from uint64, _ int) ([]audit.Link, error) {
	defer e.cancel()
	return e.Segments.Links(ctx, chain, from, 1)
}
