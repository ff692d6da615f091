package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
)

// A followed gateway has a file that can be replaced.
type followed struct {
	*proxied
	file    string
	hangups chan os.Signal
}

func follow(t *testing.T, text string) *followed {
	t.Helper()
	f := &followed{file: filepath.Join(t.TempDir(), "relent.yaml"), hangups: make(chan os.Signal, 1)}
	f.write(t, text)
	f.proxied = startFile(t, f.file, text, Options{Follow: true, Hangups: f.hangups})
	return f
}

// write replaces the file as a whole.
func (f *followed) write(t *testing.T, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(f.file+".new", []byte(text), 0o600), os.Rename(f.file+".new", f.file)); err != nil {
		t.Fatal(err)
	}
}

// reload replaces the file, and waits until it is in force, or refused.
func (f *followed) reload(t *testing.T, text string) error {
	t.Helper()
	before := f.watcher.Status()
	f.write(t, text)
	f.hangups <- syscall.SIGHUP
	until(t, func() bool { s := f.watcher.Status(); return s.Reloads+s.Failures > before.Reloads+before.Failures })
	if s := f.watcher.Status(); !s.Good {
		return errors.New(strings.Join(s.Errors, "\n"))
	}
	return nil
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it takes too long")
		}
	}
}

// named is an upstream that says its name.
func named(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) }))
	t.Cleanup(s.Close)
	return s.URL
}

// While routes are exchanged again and again no request is lost, and none meets half of a table.
func TestReloadLosesNothing(t *testing.T) {
	a := fast + section(named(t, "a"), ", policy: api.call")
	b := fast + section(named(t, "b"), ", policy: api.call, replay: 1KiB") + "    - { match: /more, upstream: " + named(t, "more") + ", policy: api.keyed }\n"
	f := follow(t, a)
	done := make(chan struct{})
	var clients sync.WaitGroup
	total := [4]uint64{}
	for i := range total {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, err := http.Post(f.url+"/x", "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(text) != "a" && string(text) != "b" {
					t.Errorf("%d %q, %v", resp.StatusCode, text, err)
					return
				}
				total[i]++
			}
		})
	}
	for i := range 12 {
		if err := f.reload(t, []string{b, a}[i%2]); err != nil {
			t.Error(err)
		}
		want, more := []string{"b", "a"}[i%2], []string{"more", "a"}[i%2]
		if got := ask(t, "GET", f.url, ""); got.body != want {
			t.Errorf("%q answers after reload %d; want %s", got.body, i, want)
		}
		if got := ask(t, "GET", f.url+"/more", ""); got.body != more {
			t.Errorf("%q answers for /more after reload %d; want %s", got.body, i, more)
		}
	}
	close(done)
	clients.Wait()
	want := uint64(12 + 6)
	for _, n := range total {
		want += n
	}
	forgotten := func() uint64 { return want - f.live.Load().every[0].results[forwarded].Load() }
	until(t, func() bool { return forgotten() == 0 }) // a client may have its answer before it is counted
	if c := f.Registry.View().Config; !c.Good || c.Reloads < 12 {
		t.Errorf("the registry shows %+v", c)
	}
}

// A request that is under way when its route goes ends as it began.
func TestReloadLeavesRequests(t *testing.T) {
	began, finish := make(chan struct{}), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-finish
		io.WriteString(w, "old")
	}))
	defer slow.Close()
	f := follow(t, fast+section(slow.URL, ", policy: api.call"))
	answer := make(chan string, 1)
	go func() { answer <- ask(t, "GET", f.url, "").body }()
	<-began
	other := strings.Replace(fast+section(named(t, "new"), ", policy: api.call"), "match: /,", "match: /new,", 1)
	if err := f.reload(t, other); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, "GET", f.url, ""); !got.is(noRoute) {
		t.Errorf("%d %s; the route is gone", got.StatusCode, got.body)
	}
	if got := ask(t, "GET", f.url+"/new", ""); got.body != "new" {
		t.Errorf("%q", got.body)
	}
	close(finish)
	if got := <-answer; got != "old" {
		t.Errorf("%q; want the answer of the old route", got)
	}
}

// What a file must not change, and what is wrong, changes nothing at all, and shows.
func TestReloadRefused(t *testing.T) {
	good := fast + section(named(t, "good"), ", policy: api.call")
	f := follow(t, good)
	other := strings.Replace(good, "policy: api.call", "policy: api.keyed", 1)
	for _, c := range []struct{ name, text, want string }{
		{"a mistake", strings.Replace(other, "upstream:", "upstram:", 1), "did you mean"},
		{"a policy without a stop", strings.Replace(other, "idempotent: true, gates: [halt]", "idempotent: true", 1), "emergency stop does not reach"},
		{"no such credential", strings.Replace(other, "policy: api.keyed", "policy: api.keyed, credentials: [{header: A, env: GATEWAY_TEST_NOT_SET}]", 1), "GATEWAY_TEST_NOT_SET"},
		{"another listener", strings.Replace(other, "listen: 127.0.0.1:0", "listen: 127.0.0.1:1", 1), "proxy.listen: needs restart"},
		{"another room", other + "  buffer: 1MiB\n", "proxy.buffer: needs restart"},
		{"no proxy", fast, "needs restart"},
		{"a component", other + "components: { other: {} }\n", "components.other: needs restart"},
	} {
		t.Run(c.name, func(t *testing.T) {
			failures := f.Registry.View().Config.Failures
			if err := f.reload(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
			until(t, func() bool { return f.Registry.View().Config.Failures > failures })
			if got := ask(t, "GET", f.url, ""); got.body != "good" || f.live.Load().every[0].config.Policy != "api.call" {
				t.Errorf("%d %s by %s; want the old route in force", got.StatusCode, got.body, f.live.Load().every[0].config.Policy)
			}
			if view := f.Registry.View().Config; view.Good || view.Failures != failures+1 || len(view.Errors) == 0 {
				t.Errorf("the registry shows %+v", view)
			}
			if got := ask(t, "GET", f.admin+"/healthz", ""); !strings.HasPrefix(got.body, "degraded") || got.StatusCode != 200 {
				t.Errorf("health says %d %s", got.StatusCode, got.body)
			}
		})
	}
	f.write(t, good)
	f.hangups <- syscall.SIGHUP
	until(t, func() bool { return f.Registry.View().Config.Good })
	if got := ask(t, "GET", f.admin+"/metrics", ""); !strings.Contains(got.body, "relent_config_last_reload_success 1") {
		t.Error("the metrics do not say that all is well again")
	}
}

// What is not told apart by its own field is in force at once, too.
func TestReloadOfTheRest(t *testing.T) {
	good := fast + section(named(t, "good"), ", policy: api.call, max_body: 1KiB") + "  max_hops: 1\n"
	f := follow(t, good)
	via := func() said { return ask(t, "GET", f.url, "", "Via", "1.1 other") }
	if got := via(); !got.is(looped) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	text := strings.NewReplacer("max_hops: 1", "max_hops: 2\n  client_idle: 7s", "drain: 1s", "drain: 2s", "max_body: 1KiB", "max_body: 2KiB").Replace(good)
	if err := f.reload(t, strings.Replace(text, "api.call: { max_attempts: 3", "api.call: { max_attempts: 1", 1)); err != nil {
		t.Fatal(err)
	}
	now := f.live.Load()
	if got := via(); got.body != "good" || now.idle != 7*time.Second || now.drain != 2*time.Second || now.every[0].maxBody != 2<<10 || now.every[0].policy().MaxAttempts != 1 {
		t.Errorf("%d %s, %+v", got.StatusCode, got.body, now)
	}
}

// A venue that comes with a reload is one; what an earlier one was told stays through reloads.
func TestReloadOfVenues(t *testing.T) {
	v := venue.New(venue.Config{Seed: 1})
	srv := httptest.NewServer(v)
	defer srv.Close()
	defer v.Close()
	if err := v.Faults.Add(venue.Fault{Kind: venue.AcceptDropAnswer, Match: venue.Match{Method: "POST", Path: orderPath}}); err != nil {
		t.Fatal(err)
	}
	bans := "  bans_file: " + filepath.Join(t.TempDir(), "bans.json") + "\n"
	plain := fast + section(srv.URL, ", policy: api.keyed") + bans
	trade := fast + section(srv.URL, ", policy: api.keyed, venue: binance") + bans
	f := follow(t, plain)
	if n := len(f.Registry.View().Venues); n != 0 {
		t.Fatalf("%d venues", n)
	}
	if err := f.reload(t, trade); err != nil {
		t.Fatal(err)
	}
	if err := place(t.Context(), sdk(f.proxied), "one"); !isUnknown(err, "one") {
		t.Errorf("%v; want it unknown", err)
	}
	if n := len(v.Oracle().Sends["one"]); n != 1 {
		t.Errorf("sent %d times", n)
	}
	limits := f.live.Load().every[0].venue.sends.Limits
	if err := f.reload(t, strings.Replace(trade, "venue: binance", "venue: binance, account: other, replay: 1KiB", 1)); err != nil {
		t.Fatal(err)
	}
	d := f.live.Load().every[0].venue
	if view := f.Registry.View().Venues; len(view) != 1 || view[0].GuardTrips != 1 || d.sends.Limits != limits || d.sends.Account != "other" {
		t.Errorf("%+v: the venue began anew", view)
	}
	facts := trade + "venues: { binance: { tested: { orders.fence: held a request in the sandbox } } }\n"
	if err := f.reload(t, facts); err == nil || !strings.Contains(err.Error(), "venues.binance") {
		t.Errorf("%v; the facts of a venue in use need a restart", err)
	}
}

// A file that nobody can watch any more is told of, and the proxy goes on.
func TestReloadWithoutAFolder(t *testing.T) {
	text := fast + section(named(t, "good"), ", policy: api.call")
	p := startFile(t, filepath.Join(t.TempDir(), "no", "relent.yaml"), text, Options{Follow: true})
	until(t, func() bool { return !p.Registry.View().Config.Good })
	if got := ask(t, "GET", p.url, ""); got.body != "good" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
