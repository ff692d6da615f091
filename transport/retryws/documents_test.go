package retryws_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// papers are documents in memory.
type papers struct {
	mu       sync.Mutex
	versions map[string]uint64
	bodies   map[string][]byte
}

func (p *papers) Get(_ context.Context, name string) (uint64, []byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.versions[name], p.bodies[name], nil
}

func (p *papers) Put(_ context.Context, name string, version uint64, body []byte) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.versions[name] != version {
		return 0, errors.New("changed meanwhile")
	}
	if p.versions == nil {
		p.versions, p.bodies = map[string]uint64{}, map[string][]byte{}
	}
	p.versions[name], p.bodies[name] = version+1, body
	return version + 1, nil
}

// A restart finds the tokens as they were left: whoever crashes and comes back all the time opens no more links than one
// who stays.
func TestBudgetSurvivesRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs := &papers{}
		start, opened := time.Now(), 0
		for time.Since(start) < time.Minute {
			b := &retryws.Budget{Connects: 5, Per: 10 * time.Second, Shared: &retryws.DocumentLedger{Documents: docs}, Key: "venue"} // of a new process
			for range 2 {
				if err := b.Acquire(t.Context(), "host", true); err != nil {
					t.Fatal(err)
				}
				opened++
			}
		}
		if opened < 30 || opened > 5+31 {
			t.Errorf("%d connects in a minute; want those of the first burst and one each two seconds, 35", opened)
		}
	})
}

// Programs that share a document share the rate, and a hold.
func TestDocumentLedgerIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		docs := &papers{}
		var mu sync.Mutex
		opened := 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for range 4 {
			b := &retryws.Budget{Connects: 10, Per: 10 * time.Second, Shared: &retryws.DocumentLedger{Documents: docs}, Key: "venue"}
			all.Go(func() {
				for b.Acquire(ctx, "host", true) == nil {
					mu.Lock()
					opened++
					mu.Unlock()
					b.Release()
				}
			})
		}
		all.Wait()
		if opened < 60 || opened > 71 {
			t.Errorf("%d connects of four programs in a minute; want 10 at once and one a second, 70", opened)
		}
		one, two := &retryws.DocumentLedger{Documents: docs}, &retryws.DocumentLedger{Documents: docs}
		until := time.Now().Add(time.Minute)
		for _, u := range []time.Time{until, until.Add(-time.Second)} { // the later one counts
			if err := one.Hold(t.Context(), "host", u, "418"); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := two.Held(t.Context(), "host"); err != nil || !is.Equal(until) {
			t.Errorf("Held = %v, %v; want %v", is, err, until)
		}
		if is, err := two.Held(t.Context(), "another"); err != nil || !is.IsZero() {
			t.Errorf("Held = %v, %v; want nothing", is, err)
		}
		time.Sleep(2 * time.Minute)
		if is, err := two.Held(t.Context(), "host"); err != nil || !is.IsZero() {
			t.Errorf("Held = %v, %v; want the end of it", is, err)
		}
		if _, err := two.Take(t.Context(), "another venue", 1, time.Second); err != nil {
			t.Fatal(err)
		}
		if _, body, _ := docs.Get(t.Context(), "retryws.connects"); strings.Contains(string(body), `"host"`) || strings.Contains(string(body), `"venue"`) {
			t.Errorf("the document keeps what is over: %s", body)
		}
	})
}

// A store that does what it is told.
type oddDocuments struct {
	papers
	get, put error
	rival    bool // writes before each Put
}

func (d *oddDocuments) Get(ctx context.Context, name string) (uint64, []byte, error) {
	if d.get != nil {
		return 0, nil, d.get
	}
	return d.papers.Get(ctx, name)
}

func (d *oddDocuments) Put(ctx context.Context, name string, version uint64, body []byte) (uint64, error) {
	if d.put != nil {
		return 0, d.put
	}
	if d.rival {
		if _, err := d.papers.Put(ctx, name, version, []byte("{}")); err != nil {
			return 0, err
		}
	}
	return d.papers.Put(ctx, name, version, body)
}

func TestDocumentLedgerFailures(t *testing.T) {
	broken, written := errors.New("broken"), func(text string) *oddDocuments {
		d := &oddDocuments{}
		if _, err := d.papers.Put(t.Context(), "n", 0, []byte(text)); err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, test := range []struct {
		name string
		docs retryws.Documents
		want string // of the error
	}{
		{"no documents", nil, "is nil"},
		{"cannot be read", &oddDocuments{get: broken}, "broken"},
		{"cannot be written", &oddDocuments{put: broken}, "broken"},
		{"is something else", written("[]"), `document "n" counts no connects`},
		{"somebody is always first", &oddDocuments{rival: true}, retryws.ErrContended.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &retryws.DocumentLedger{Documents: test.docs, Name: "n"}
			if _, err := l.Take(t.Context(), "k", 1, time.Second); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Take = %v; want %q", err, test.want)
			}
		})
	}
	if _, err := (&retryws.DocumentLedger{}).Held(t.Context(), "host"); err == nil {
		t.Error("Held without documents says that nothing is held")
	}
}

// What a document can say that it should not means fewer connects.
func TestDocumentLedgerOddNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339Nano) }
		for body, want := range map[string]time.Duration{
			`{"buckets":{"k":{"tokens":0,"at":"` + at(time.Hour) + `"}}}`:      time.Second, // a clock that is ahead
			`{"buckets":{"k":{"tokens":-1e300,"at":"` + at(0) + `"}}}`:         time.Second,
			`{"buckets":{"k":{"tokens":1e300,"at":"` + at(0) + `"}}}`:          0,
			`{"buckets":{"k":{"tokens":0.5,"at":"` + at(0) + `"}}}`:            500 * time.Millisecond,
			`{"buckets":{"k":{"tokens":0,"at":"` + at(-time.Second/2) + `"}}}`: 500 * time.Millisecond,
			`{}`: 0,
		} {
			docs := &papers{}
			if _, err := docs.Put(t.Context(), "n", 0, []byte(body)); err != nil {
				t.Fatal(err)
			}
			l := &retryws.DocumentLedger{Documents: docs, Name: "n"}
			if wait, err := l.Take(t.Context(), "k", -1, -1); wait != want || err != nil {
				t.Errorf("%s: Take = %v, %v; want %v", body, wait, err, want)
			}
		}
	})
}
