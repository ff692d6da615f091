package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/internal/durable"
)

// A memoryBans is a store in memory.
type memoryBans struct {
	mu   sync.Mutex
	bans []Ban
	err  error
	n    int // loads
}

func (s *memoryBans) Load(context.Context) ([]Ban, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.bans, s.err
}

func (s *memoryBans) Save(_ context.Context, b Ban) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.bans = append(s.bans, b)
	}
	return s.err
}

// A ban, one read, then a tenth, a quarter, a half and all of the target.
func TestSlowReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := testProfile(t, 1000)
		status, n := 418, 0
		var alerts []Alert
		tr := &Transport{Profile: p, PassOrders: true, Bans: &Bans{OnAlert: func(a Alert) { alerts = append(alerts, a) }},
			Base: baseFunc(func(r *http.Request) (*http.Response, error) {
				n++
				if status == 418 {
					return reply(r, 418, `{"code":-1003,"msg":"IP banned until 946684920000."}`), nil // two minutes from the beginning of the bubble
				}
				return reply(r, status, `{}`), nil
			})}
		get(t.Context(), tr, host+"/api/v3/klines")
		if len(alerts) != 1 || alerts[0].Kind != "banned" {
			t.Errorf("alerts %+v; want one of the ban", alerts)
		}
		until := tr.bans.Until("binance")
		if d := time.Until(until); d < 121*time.Second || d > 125*time.Second {
			t.Errorf("banned for %v; want 2 min and 1 to 5 s", d)
		}
		time.Sleep(time.Until(until) - 1)
		if _, err := get(t.Context(), tr, host+"/api/v3/klines"); !errors.Is(err, ErrBanned) || n != 1 {
			t.Errorf("inside the ban: %v, %d sent; want none", err, n-1)
		}
		time.Sleep(1)
		status = 200
		// An order does not go first, and of two reads only one.
		_, err := send(t.Context(), tr, "POST", orderURL, orderForm)
		if e, ok := errors.AsType[*BanError](err); !ok || !e.Returning || e.RetryAfter() != time.Second || !strings.Contains(e.Error(), "one read") {
			t.Errorf("an order after the ban: %v; want it refused until a read succeeds", err)
		}
		second := make(chan error, 1)
		tr.Base = baseFunc(func(r *http.Request) (*http.Response, error) {
			if n++; n == 2 {
				_, err := get(t.Context(), &Transport{Profile: p, Bans: tr.bans, Base: tr.Base}, host+"/api/v3/klines")
				second <- err
				return nil, errTest // the first read fails: it does not count
			}
			return reply(r, status, `{}`), nil
		})
		if _, err := get(t.Context(), tr, host+"/api/v3/klines"); !errors.Is(err, errTest) {
			t.Errorf("first read: %v", err)
		}
		if err := <-second; !errors.Is(err, ErrBanned) {
			t.Errorf("second read beside the first: %v; want it refused", err)
		}
		if _, err := get(t.Context(), tr, host+"/api/v3/klines"); err != nil {
			t.Errorf("next read: %v", err)
		}
		for i, want := range []float64{90, 225, 450, 900, 900} {
			for _, l := range tr.Stats().Limits.Ledgers {
				if l.Limit == "request_weight" && l.Target != want {
					t.Errorf("window %d: target %v; want %v", i, l.Target, want)
				}
			}
			time.Sleep(time.Minute)
		}
		if _, err := send(t.Context(), tr, "POST", orderURL, orderForm); err != nil {
			t.Errorf("an order later: %v", err)
		}
		if len(tr.bans.List()) != 0 {
			t.Errorf("List() = %+v; want none", tr.bans.List())
		}
	})
}

func TestBansGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Bans{}
		length := func() time.Duration { return time.Until(b.Until("v")).Truncate(time.Minute) }
		for i, want := range []time.Duration{10, 20, 40, 80, 160, 320, 640, 1280, 2560, 4320, 4320} {
			b.put(t.Context(), Ban{Venue: "v", Host: "h"}, 10*time.Minute, 0)
			if got := length(); got != want*time.Minute {
				t.Errorf("ban %d: %v; want %v", i+1, got, want*time.Minute)
			}
			b.put(t.Context(), Ban{Venue: "v", Host: "h"}, 10*time.Minute, 0) // the same one, seen by another request
			if got := b.List()[0].Count; got != i+1 {
				t.Errorf("count %d; want %d", got, i+1)
			}
			time.Sleep(time.Until(b.Until("v")))
		}
		time.Sleep(25 * time.Hour)
		b.put(t.Context(), Ban{Venue: "v", Host: "h"}, time.Minute, 400*24*time.Hour)
		if got := time.Until(b.Until("v")); got > maxWait+6*time.Second {
			t.Errorf("%v; want at most 7 days", got)
		}
		if b.List()[0].Count != 1 {
			t.Errorf("count %d after a quiet day; want 1", b.List()[0].Count)
		}
	})
}

func TestBansOfAccounts(t *testing.T) {
	b := &Bans{}
	b.put(t.Context(), Ban{Venue: "v", Account: "one"}, time.Hour, 0)
	b.put(t.Context(), Ban{Venue: "v", Account: "two"}, time.Minute, 0)
	b.put(t.Context(), Ban{Venue: "w"}, time.Minute, 0)
	for _, test := range []struct {
		venue, account string
		banned         bool
	}{{"v", "one", true}, {"v", "two", true}, {"v", "three", false}, {"v", "", false}, {"w", "any", true}, {"x", "", false}} {
		if err := b.Check(t.Context(), test.venue, test.account); (err != nil) != test.banned {
			t.Errorf("Check(%q, %q) = %v", test.venue, test.account, err)
		}
		if _, err := b.enter(t.Context(), test.venue, test.account, Read); (err != nil) != test.banned {
			t.Errorf("enter(%q, %q) = %v", test.venue, test.account, err)
		}
		if err := b.again(test.venue, test.account); (err != nil) != test.banned {
			t.Errorf("again(%q, %q) = %v", test.venue, test.account, err)
		}
	}
	if list := b.List(); len(list) != 3 || list[0].Account != "one" {
		t.Errorf("List() = %+v; want the longest first", list)
	}
	b = &Bans{bans: map[banKey]*banned{}}
	end := time.Now().Add(time.Hour)
	for _, name := range []string{"b", "a"} {
		b.bans[banKey{name, ""}] = &banned{Ban: Ban{Venue: name, Until: end}}
	}
	if list := b.List(); list[0].Venue != "a" {
		t.Errorf("List() = %+v; want equal ends by name", list)
	}
}

// A read that may not pass for the account gives back what it took for the IP.
func TestProbeOfTwoBans(t *testing.T) {
	b := &Bans{bans: map[banKey]*banned{
		{"v", ""}:    {Ban: Ban{Venue: "v", Until: time.Now().Add(-time.Second)}},
		{"v", "one"}: {Ban: Ban{Venue: "v", Account: "one", Until: time.Now().Add(time.Hour)}},
	}}
	b.some.Store(true)
	if _, err := b.enter(t.Context(), "v", "one", Read); err == nil {
		t.Error("entered inside a ban")
	}
	p, err := b.enter(t.Context(), "v", "two", Read)
	if err != nil {
		t.Fatalf("the probe was not given back: %v", err)
	}
	b.bans[banKey{"v", "two"}] = &banned{Ban: Ban{Venue: "v"}, probe: true}
	if b.leave(&p, false) || !b.leave(&p, true) {
		t.Error("leave: want back only after a good answer")
	}
	b.bans[banKey{"v", ""}].lifted = false
	if _, err := b.enter(t.Context(), "v", "two", Read); err == nil || b.bans[banKey{"v", ""}].probe {
		t.Error("the second of two bans must give the first back")
	}
}

func TestBansAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryBans{}
		a, b := &Bans{Store: store}, &Bans{Store: store}
		if err := b.Check(t.Context(), "v", ""); err != nil {
			t.Fatal(err)
		}
		a.put(t.Context(), Ban{Venue: "v"}, time.Hour, 0)
		if err := b.Check(t.Context(), "v", ""); err != nil {
			t.Errorf("read again at once: %v", err)
		}
		time.Sleep(reload)
		if err := b.Check(t.Context(), "v", ""); !errors.Is(err, ErrBanned) {
			t.Errorf("Check() = %v; want the other process's ban", err)
		}
		a.put(t.Context(), Ban{Venue: "v"}, 3*time.Hour, 0)
		time.Sleep(reload)
		b.Check(t.Context(), "v", "")
		if d := time.Until(b.Until("v")); d < 2*time.Hour {
			t.Errorf("%v left; want what the other process prolonged", d)
		}
		n := store.n
		b.loading.Lock() // somebody else reads
		time.Sleep(reload)
		if err := b.Check(t.Context(), "w", ""); err != nil || store.n != n {
			t.Errorf("Check() = %v, %d reads; want neither a wait nor a read", err, store.n-n)
		}
		b.loading.Unlock()
		// One that ended long ago needs no read first; one that ended just now does.
		store.bans = []Ban{{Venue: "old", Until: time.Now().Add(-2 * time.Minute)}, {Venue: "new", Until: time.Now().Add(-time.Second)}}
		c := &Bans{Store: store}
		if _, err := c.enter(t.Context(), "old", "", Order); err != nil {
			t.Errorf("an order long after a ban: %v", err)
		}
		if _, err := c.enter(t.Context(), "new", "", Order); !errors.Is(err, ErrBanned) {
			t.Errorf("an order just after a ban: %v; want a read first", err)
		}
	})
}

func TestBrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memoryBans{err: errTest}
		var alerts []Alert
		b := &Bans{Store: store, OnAlert: func(a Alert) { alerts = append(alerts, a) }}
		if err := b.Check(t.Context(), "v", ""); !errors.Is(err, errTest) {
			t.Errorf("Check() = %v; want nothing to pass", err)
		}
		if _, err := b.enter(t.Context(), "v", "", Read); !errors.Is(err, errTest) {
			t.Errorf("enter() = %v; want nothing to pass", err)
		}
		b.put(t.Context(), Ban{Venue: "v"}, time.Minute, 0)
		if len(alerts) != 2 || alerts[1].Kind != "ban_store" {
			t.Errorf("alerts %+v; want the ban, and that it is not durable", alerts)
		}
		store.err = nil
		if err := b.Check(t.Context(), "w", ""); err != nil {
			t.Errorf("Check() = %v; want nil", err)
		}
		store.err, alerts = errTest, nil
		time.Sleep(reload)
		if err := b.Check(t.Context(), "w", ""); err != nil || len(alerts) != 1 {
			t.Errorf("Check() = %v, alerts %+v; want what is known, and an alert", err, alerts)
		}
	})
}

func TestFileBansRefusesWhatIsNone(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	long := write("long", strings.Repeat(" ", mostBanFile+1))
	for name, path := range map[string]string{
		"no directory": filepath.Join(dir, "none", "bans"), "a directory": dir, "no JSON": write("torn", `[{"venue":`), "too long": long,
		"a path through a file": filepath.Join(long, "x"),
	} {
		f := &FileBans{Path: path}
		if _, err := f.Load(t.Context()); err == nil {
			t.Errorf("%s: Load succeeded", name)
		}
		if err := f.Save(t.Context(), Ban{Venue: "v"}); err == nil {
			t.Errorf("%s: Save succeeded", name)
		}
	}
	secret := write("secret", "[]")
	os.Chmod(secret, 0)
	if _, err := (&FileBans{Path: secret}).Load(t.Context()); err == nil && os.Getuid() != 0 {
		t.Error("read a file that may not be read")
	}
}

func TestFileBansWaitsForOthers(t *testing.T) {
	f := &FileBans{Path: filepath.Join(t.TempDir(), "bans")}
	lock, err := durable.Lock(f.Path + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := f.Save(ctx, Ban{Venue: "v"}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, durable.ErrHeld) {
		t.Errorf("Save = %v; want that another process has it", err)
	}
	lock.Close()
	if err := f.Save(t.Context(), Ban{Venue: "v", Until: time.Now()}); err != nil {
		t.Error(err)
	}
	// What ended long ago is dropped.
	old := Ban{Venue: "w", Until: time.Now().Add(-25 * time.Hour)}
	f.Save(t.Context(), old)
	f.Save(t.Context(), Ban{Venue: "x", Until: time.Now()})
	if bans, err := f.Load(t.Context()); err != nil || len(bans) != 2 {
		t.Errorf("Load = %+v, %v; want v and x", bans, err)
	}
}

func TestBanErrorText(t *testing.T) {
	e := &BanError{Ban: Ban{Venue: "v", Until: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Signal: "HTTP 418"}, After: time.Minute}
	if got, want := e.Error(), "v: banned by the venue until 2026-01-02T03:04:05Z: HTTP 418"; got != want {
		t.Errorf("Error() = %q; want %q", got, want)
	}
	if e.RetryAfter() != time.Minute || fmt.Sprint(e.Unwrap()) != "banned by the venue" {
		t.Error("BanError lost its facts")
	}
}
