package idempotent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
)

// A request is sent to a handler without a network.
type request struct {
	method, path, key, body string
	header                  map[string]string
}

func send(t *testing.T, h http.Handler, r request) *httptest.ResponseRecorder {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	if r.path == "" {
		r.path = "/orders"
	}
	req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.body))
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// answered compares a response, by its status and the code of its problem or its body.
func answered(t *testing.T, w *httptest.ResponseRecorder, status int, want string, replayed bool) {
	t.Helper()
	got := w.Body.String()
	if w.Header().Get("Content-Type") == "application/problem+json" {
		var p struct {
			Title, Code, Detail string
			Status              int
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Title == "" || p.Detail == "" {
			t.Errorf("the problem is %s: %v", got, err)
		}
		got = p.Code
	}
	if w.Code != status || got != want || (w.Header().Get(idempotent.ReplayedHeader) == "true") != replayed {
		t.Errorf("answered %d %.200q, replayed %q; want %d %q, %v", w.Code, got, w.Header().Get(idempotent.ReplayedHeader), status, want, replayed)
	}
}

// counting answers with a number that rises.
type counting struct {
	mu sync.Mutex
	n  int
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.n++
	n := c.n
	c.mu.Unlock()
	w.Header().Set("Location", fmt.Sprintf("/orders/%d", n))
	w.Header().Set("Set-Cookie", "session=secret")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "order %d", n)
}

func TestHandlerVectors(t *testing.T) {
	c := &counting{}
	h := &idempotent.Handler{Next: c, Store: &idempotenttest.Model{}}

	// I1, I3
	w := send(t, h, request{key: `"k"`, body: "buy 1"})
	answered(t, w, 201, "order 1", false)
	if w.Header().Get("Set-Cookie") == "" {
		t.Error("the first response lacks what the handler set")
	}
	w = send(t, h, request{key: `"k"`, body: "buy 1"})
	answered(t, w, 201, "order 1", true)
	if l, s := w.Header().Get("Location"), w.Header().Get("Set-Cookie"); l != "/orders/1" || s != "" {
		t.Errorf("replayed with Location %q and Set-Cookie %q; want the first's location and no cookie", l, s)
	}
	// I5
	answered(t, send(t, h, request{key: `"k"`, body: "buy 2"}), 422, "mismatch", false)
	answered(t, send(t, h, request{key: `"k"`, body: "buy 1", path: "/orders?all"}), 422, "mismatch", false)
	answered(t, send(t, h, request{key: `"k"`, body: "buy 1", path: "/others"}), 422, "mismatch", false)
	answered(t, send(t, h, request{key: `"k"`, body: "buy 1", method: "PATCH"}), 422, "mismatch", false)
	answered(t, send(t, h, request{key: `"k"`, body: "buy 1", header: map[string]string{"Content-Type": "text/csv"}}), 422, "mismatch", false)
	// I6
	answered(t, send(t, h, request{body: "buy 1"}), 400, "missing_key", false)
	answered(t, send(t, h, request{key: `""`, body: "buy 1"}), 400, "missing_key", false)
	answered(t, send(t, h, request{key: `k`, body: "buy 1"}), 400, "malformed_key", false)
	answered(t, send(t, h, request{key: `"` + strings.Repeat("k", idempotent.MaxKey) + `"`}), 400, "long_key", false)
	twice := httptest.NewRequest("POST", "/orders", nil)
	twice.Header["Idempotency-Key"] = []string{`"a"`, `"b"`}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, twice)
	answered(t, rec, 400, "malformed_key", false)
	if c.n != 1 {
		t.Errorf("%d effects; want 1", c.n)
	}
	// Other methods pass.
	answered(t, send(t, h, request{method: "GET", key: `"k"`}), 201, "order 2", false)
	answered(t, send(t, h, request{method: "PUT"}), 201, "order 3", false)
	// A new key.
	answered(t, send(t, h, request{key: `"k2"`, body: "buy 1"}), 201, "order 4", false)
}

func TestHandlerSettings(t *testing.T) {
	c := &counting{}
	h := &idempotent.Handler{
		Next: c, Store: &idempotenttest.Model{}, Methods: []string{"PUT"}, Optional: true, Bare: true, Docs: "https://venue.test/keys",
		Scope:   func(r *http.Request) string { return r.Header.Get("Account") },
		Headers: []string{"set-cookie", "absent"},
		Fingerprint: func(r *http.Request, body []byte) idempotent.Fingerprint {
			return idempotent.Fingerprinted(string(body))
		},
	}
	put := func(key, body, account, path string) *httptest.ResponseRecorder {
		return send(t, h, request{method: "PUT", path: path, key: key, body: body, header: map[string]string{"Account": account}})
	}
	answered(t, send(t, h, request{}), 201, "order 1", false)
	answered(t, put("", "x", "a", ""), 201, "order 2", false)
	answered(t, put("k", "x", "a", ""), 201, "order 3", false)
	w := put(`"k"`, "x", "a", "/elsewhere")
	answered(t, w, 201, "order 3", true)
	if l, s := w.Header().Get("Location"), w.Header().Get("Set-Cookie"); l != "" || s == "" {
		t.Errorf("replayed with Location %q and Set-Cookie %q; want the cookie only", l, s)
	}
	answered(t, put("k", "x", "b", ""), 201, "order 4", false)
	answered(t, put("ak", "x", "", ""), 201, "order 5", false) // another's key with the account cut otherwise
	w = put("k", "y", "a", "")
	answered(t, w, 422, "mismatch", false)
	if !strings.Contains(w.Body.String(), `"type":"https://venue.test/keys#mismatch"`) {
		t.Errorf("the problem is %s; want the type with the page about keys", w.Body)
	}
}

func TestHandlerInProgress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		release := make(chan struct{})
		h := &idempotent.Handler{Store: &idempotenttest.Model{}, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				<-release
			}
			io.Copy(w, r.Body)
		})}
		var group sync.WaitGroup
		group.Go(func() { answered(t, send(t, h, request{key: `"k"`, body: "buy 1"}), 200, "buy 1", false) })
		synctest.Wait()
		w := send(t, h, request{key: `"k"`, body: "buy 1"})
		answered(t, w, 409, "in_progress", false)
		if w.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After is %q; want 1", w.Header().Get("Retry-After"))
		}
		close(release)
		group.Wait()
		answered(t, send(t, h, request{key: `"k"`, body: "buy 1"}), 200, "buy 1", true)
	})
}

// What a response of the handler means for its key.
func TestHandlerJudges(t *testing.T) {
	for _, test := range []struct {
		status     int
		retryAfter string
		judge      func(int, http.Header) idempotent.Effect
		again      int // the second response
		code       string
		runs       int
	}{
		{200, "", nil, 200, "", 1},
		{303, "", nil, 303, "", 1},
		{400, "", nil, 400, "", 1},
		{401, "", nil, 401, "", 2},
		{403, "", nil, 403, "", 1},
		{407, "", nil, 407, "", 2},
		{408, "", nil, 500, "unknown", 1},
		{409, "", nil, 409, "", 1},
		{425, "", nil, 425, "", 2},
		{429, "1", nil, 429, "", 2},
		{500, "", nil, 500, "unknown", 1},
		{501, "", nil, 501, "", 1},
		{502, "", nil, 500, "unknown", 1},
		{503, "", nil, 500, "unknown", 1},
		{503, "1", nil, 503, "", 2},
		{504, "", nil, 500, "unknown", 1},
		{500, "", func(int, http.Header) idempotent.Effect { return idempotent.Applied }, 500, "", 1},
	} {
		t.Run(fmt.Sprintf("%d %s", test.status, test.retryAfter), func(t *testing.T) {
			runs := 0
			h := &idempotent.Handler{Store: &idempotenttest.Model{}, Judge: test.judge, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				runs++
				if test.retryAfter != "" {
					w.Header().Set("Retry-After", test.retryAfter)
				}
				w.WriteHeader(test.status)
			})}
			answered(t, send(t, h, request{key: `"k"`}), test.status, "", false)
			answered(t, send(t, h, request{key: `"k"`}), test.again, test.code, test.runs == 1 && test.code == "")
			if runs != test.runs {
				t.Errorf("%d runs; want %d", runs, test.runs)
			}
		})
	}
}

func TestHandlerPanics(t *testing.T) {
	s := &idempotenttest.Model{}
	h := &idempotent.Handler{Store: s, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})}
	func() {
		defer func() {
			if r := recover(); r != http.ErrAbortHandler {
				t.Errorf("recovered %v; want %v", r, http.ErrAbortHandler)
			}
		}()
		send(t, h, request{key: `"k"`})
	}()
	answered(t, send(t, h, request{key: `"k"`}), 500, "unknown", false)

	h.Next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(99) })
	func() {
		defer func() {
			if r := recover(); r != "invalid status 99" {
				t.Errorf("recovered %v; want invalid status 99", r)
			}
		}()
		send(t, h, request{key: `"k2"`})
	}()
	answered(t, send(t, h, request{key: `"k2"`}), 500, "unknown", false)
}

// Over a real connection, as net/http treats panics and streams itself.
func TestHandlerOnAConnection(t *testing.T) {
	runs := 0
	h := &idempotent.Handler{Store: &idempotenttest.Model{}, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs++
		w.Header().Set("Trailer", "Sum")
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "one ")
		w.(http.Flusher).Flush()
		w.(http.Flusher).Flush()
		fmt.Fprint(w, "two")
		w.Header().Set("Sum", "7")
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
	})}
	server := httptest.NewServer(h)
	defer server.Close()
	post := func(path string) (string, *http.Response, error) {
		req, _ := http.NewRequest("POST", server.URL+path, strings.NewReader("x"))
		req.Header.Set("Idempotency-Key", `"k`+path+`"`)
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), resp, err
	}
	if body, resp, err := post("/"); body != "one two" || err != nil || resp.Trailer.Get("Sum") != "7" {
		t.Errorf("streamed %q, %v, trailer %v; want one two and the sum", body, err, resp.Trailer)
	}
	if body, resp, err := post("/"); body != "one two" || err != nil || resp.Header.Get(idempotent.ReplayedHeader) != "true" {
		t.Errorf("replayed %q, %v; want one two", body, err)
	}
	if body, _, err := post("/panic"); !strings.HasPrefix(body, "one ") || err == nil {
		t.Errorf("a stream that broke read %q, %v; want its beginning and an error", body, err)
	}
	if body, resp, err := post("/panic"); resp.StatusCode != 500 || !strings.Contains(body, `"unknown"`) || err != nil || runs != 2 {
		t.Errorf("after it %d %q, %v, %d runs; want 500 unknown, 2 runs", resp.StatusCode, body, err, runs)
	}
}

func TestHandlerBodies(t *testing.T) {
	long := strings.Repeat("x", 100)
	h := &idempotent.Handler{Store: &idempotenttest.Model{}, MaxRequest: 100, MaxResponse: 100, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints) // dropped
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", "/first")
		n, err := w.Write(b)
		if n != len(b) || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
		w.Header().Set("Location", "/too/late")
		w.WriteHeader(http.StatusTeapot) // too late
		if r.URL.Path == "/more" {
			io.WriteString(w, "y")
			io.WriteString(w, "z")
		}
	})}
	answered(t, send(t, h, request{key: `"a"`, body: long}), 200, long, false)
	w := send(t, h, request{key: `"a"`, body: long})
	answered(t, w, 200, long, true)
	if l := w.Header().Get("Location"); l != "/first" {
		t.Errorf("Location is %s; want that of the status", l)
	}
	answered(t, send(t, h, request{key: `"b"`, body: long + "x"}), 413, "long_body", false)
	answered(t, send(t, h, request{key: `"c"`, body: long, path: "/more"}), 200, long+"yz", false)
	answered(t, send(t, h, request{key: `"c"`, body: long, path: "/more"}), 500, "no_result", false)

	w = httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", iotest.ErrReader(errDown))
	r.Header.Set("Idempotency-Key", `"d"`)
	h.ServeHTTP(w, r)
	answered(t, w, 400, "incomplete_body", false)

	w = httptest.NewRecorder()
	r = httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Idempotency-Key", `"e"`)
	r.Body = nil
	h.ServeHTTP(w, r)
	answered(t, w, 200, "", false)
}

func TestHandlerWithoutABody(t *testing.T) {
	h := &idempotent.Handler{Store: &idempotenttest.Model{}, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		if _, err := io.WriteString(w, "x"); !errors.Is(err, http.ErrBodyNotAllowed) {
			t.Errorf("Write after 204 = %v; want %v", err, http.ErrBodyNotAllowed)
		}
		w.(http.Flusher).Flush()
	})}
	answered(t, send(t, h, request{key: `"k"`}), 204, "", false)
	answered(t, send(t, h, request{key: `"k"`}), 204, "", true)
}

// A writer whose client went away.
type broken struct{ http.ResponseWriter }

func (broken) Write([]byte) (int, error) { return 0, errDown }

func TestHandlerWithoutAClient(t *testing.T) {
	runs := 0
	h := &idempotent.Handler{Store: &idempotenttest.Model{}, MaxResponse: 4, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runs++
		if r.URL.Path == "/nothing" {
			<-r.Context().Done()
			return
		}
		io.WriteString(w, "four")
		if _, err := io.WriteString(w, "more"); err != errDown {
			t.Errorf("Write = %v; want %v", err, errDown)
		}
	})}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Idempotency-Key", `"k"`)
	h.ServeHTTP(broken{httptest.NewRecorder()}, r)
	answered(t, send(t, h, request{key: `"k"`, path: "/"}), 500, "no_result", false)

	ctx, cancel := context.WithCancel(t.Context())
	r = httptest.NewRequestWithContext(ctx, "POST", "/nothing", nil)
	r.Header.Set("Idempotency-Key", `"k2"`)
	time.AfterFunc(time.Millisecond, cancel)
	h.ServeHTTP(httptest.NewRecorder(), r)
	answered(t, send(t, h, request{key: `"k2"`, path: "/nothing"}), 500, "unknown", false)
	w := httptest.NewRecorder()
	r.Header.Set("Idempotency-Key", `"k3"`)
	h.ServeHTTP(w, r) // its context ended before
	answered(t, w, 503, "unavailable", false)
	if runs != 2 {
		t.Errorf("%d runs; want 2", runs)
	}
}

func TestHandlerStoreAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f, c := newFaulty(), &counting{}
		h := &idempotent.Handler{Store: f, Next: c}
		f.set(f.before, "claim", errRefused)
		w := send(t, h, request{key: `"k"`})
		answered(t, w, 503, "unavailable", false)
		if w.Header().Get("Retry-After") != "1" {
			t.Errorf("Retry-After is %q; want 1", w.Header().Get("Retry-After"))
		}
		f.set(f.before, "complete", always(errDown)...)
		w = send(t, h, request{key: `"k"`})
		answered(t, w, 201, "order 1", false)
		if w.Header().Get(idempotent.InDoubtHeader) != "true" {
			t.Error("the response does not say that it is in doubt")
		}
		f.set(f.before, "complete", idempotent.ErrClaimLost)
		answered(t, send(t, h, request{key: `"k2"`}), 500, "claim_lost", false)
		f.set(f.before, "complete")
		time.Sleep(time.Minute)
		answered(t, send(t, h, request{key: `"k"`}), 500, "unknown", false)
		send(t, h, request{key: `"k3"`})
		time.Sleep(24 * time.Hour)
		answered(t, send(t, h, request{key: `"k3"`}), 500, "expired", false)
	})
}

// What has gone out cannot be taken back, and nothing is added to it.
func TestHandlerStreamsWithoutItsClaim(t *testing.T) {
	f := newFaulty()
	f.set(f.before, "complete", idempotent.ErrClaimLost)
	h := &idempotent.Handler{Store: f, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
	})}
	answered(t, send(t, h, request{key: `"k"`}), 200, "one", false)
}

func TestHandlerReconciles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFaulty()
		found := idempotent.Finding[idempotent.Response]{}
		h := &idempotent.Handler{
			Store: f,
			Next:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }),
			Reconcile: func(ctx context.Context, key string, r *http.Request) (idempotent.Finding[idempotent.Response], error) {
				body, _ := io.ReadAll(r.Body)
				if key != "k" || string(body) != "buy" || idempotent.Fence(r.Context()) == 0 {
					t.Errorf("asked about %q with %q, fence %d; want k, buy and a fence", key, body, idempotent.Fence(r.Context()))
				}
				return found, nil
			},
		}
		buy := request{key: `"k"`, body: "buy"}
		answered(t, send(t, h, buy), 502, "", false)
		answered(t, send(t, h, buy), 500, "unknown", false)
		found.Effect = idempotent.Absent
		answered(t, send(t, h, buy), 502, "", false)
		found = idempotent.Finding[idempotent.Response]{Effect: idempotent.Applied, Value: idempotent.Response{Status: 201, Body: []byte("order 7")}}
		f.set(f.before, "complete", always(errDown)...)
		answered(t, send(t, h, buy), 201, "order 7", true) // in doubt, but true
		f.set(f.before, "complete")
		time.Sleep(time.Minute)
		answered(t, send(t, h, buy), 201, "order 7", true)
		answered(t, send(t, h, buy), 201, "order 7", true)
	})
}

// Bytes in the store that no handler has written.
func TestHandlerReadsWhatIsStored(t *testing.T) {
	for _, stored := range []string{`v{"status":7}`, `v{`, `e{"text":"gone","class":3}`} {
		s := &idempotenttest.Model{}
		ran := 0
		h := &idempotent.Handler{Store: s, Name: "orders", Next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ }),
			Fingerprint: func(*http.Request, []byte) idempotent.Fingerprint { return idempotent.Fingerprint{} }}
		r, _ := s.Claim(t.Context(), idempotent.Bid{Key: "orders\x00k", Owner: idempotent.NewNonce(), Lease: time.Hour, Retain: time.Hour})
		if err := s.Complete(t.Context(), r.Claim(), []byte(stored)); err != nil {
			t.Fatal(err)
		}
		w := send(t, h, request{key: `"k"`})
		if w.Code != 500 || ran != 0 || !bytes.Contains(w.Body.Bytes(), []byte("Do not send")) {
			t.Errorf("%s: answered %d %s after %d runs; want 500 and none", stored, w.Code, w.Body, ran)
		}
	}
}

func TestHandlerCheck(t *testing.T) {
	good := &idempotent.Handler{Next: &counting{}, Store: &idempotenttest.Model{}}
	if err := good.Check(); err != nil {
		t.Errorf("Check of a good handler = %v; want nil", err)
	}
	for _, test := range []struct {
		h    idempotent.Handler
		want []string
	}{
		{idempotent.Handler{Lease: -1, MaxRequest: -1, MaxResponse: -1}, []string{"Next: ", "Store: ", "Lease: ", "MaxRequest: ", "MaxResponse: "}},
		{idempotent.Handler{Next: good.Next, Store: good.Store, MaxResponse: idempotent.MaxResult}, []string{"MaxResponse: "}},
	} {
		lines := strings.Split(test.h.Check().Error(), "\n")
		if len(lines) != len(test.want) {
			t.Fatalf("Check found %q; want %q", lines, test.want)
		}
		for i := range lines {
			if !strings.HasPrefix(lines[i], test.want[i]) {
				t.Errorf("mistake %d is %q; want %q", i, lines[i], test.want[i])
			}
		}
	}
}
