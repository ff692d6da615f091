package chaos_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// A venue takes orders.
type venue struct {
	*httptest.Server
	mu     sync.Mutex
	orders []string
}

func open(t *testing.T) *venue {
	v := &venue{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.orders = append(v.orders, string(b))
		io.WriteString(w, "accepted")
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *venue) taken() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := strings.Join(v.orders, ",")
	v.orders = nil
	return s
}

func TestTransport(t *testing.T) {
	v := open(t)
	for _, test := range []struct {
		fault  chaos.Fault
		orders string
		answer string // "" if there is none
	}{
		{chaos.Pass, "buy", "accepted"},
		{chaos.Fail, "", ""},
		{chaos.Cut, "", ""},
		{chaos.ApplyThenFail, "buy", ""},
		{chaos.ApplyThenCut, "buy", "acce"},
		{chaos.Hang, "", ""},
		{chaos.ApplyThenHang, "buy", ""},
		{chaos.Slow, "buy", "accepted"},
		{chaos.Duplicate, "buy,buy", "accepted"},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			client := &http.Client{Transport: &chaos.Transport{Base: v.Client().Transport,
				Injector: chaos.New(1, chaos.Rule{Op: "POST /order", Fault: test.fault, Rate: 1, Delay: time.Nanosecond})}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.fault == chaos.Hang || test.fault == chaos.ApplyThenHang {
				time.AfterFunc(50*time.Millisecond, cancel) // of a real connection: no bubble
			}
			body := &closing{Reader: strings.NewReader("buy"), closed: make(chan struct{})}
			req, _ := http.NewRequestWithContext(ctx, "POST", v.URL+"/order", body)
			req.ContentLength = 3
			resp, err := client.Do(req)
			if (err == nil) != (test.answer != "") {
				t.Fatalf("Do = %v", err)
			}
			if err == nil {
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(b) != test.answer || errors.Is(err, syscall.ECONNRESET) != (test.answer == "acce") {
					t.Errorf("read %q, %v", b, err)
				}
			}
			if got := v.taken(); got != test.orders {
				t.Errorf("orders %q; want %q", got, test.orders)
			}
			select {
			case <-body.closed: // by net/http, perhaps after Do has returned
			case <-time.After(10 * time.Second):
				t.Error("the request's body is left open")
			}
		})
	}
}

type closing struct {
	io.Reader
	once   sync.Once
	closed chan struct{}
}

func (c *closing) Close() error { c.once.Do(func() { close(c.closed) }); return nil }

// V4: apply, then fail, on a POST without a key: exactly one effect, and the outcome is unknown.
func TestLostAnswer(t *testing.T) {
	v := open(t)
	for _, keyed := range []bool{false, true} {
		faults := chaos.New(1, chaos.Rule{Script: []chaos.Fault{chaos.ApplyThenFail}})
		client := &http.Client{Transport: &retryhttp.Transport{Policy: &retry.Policy{}, Base: &chaos.Transport{Injector: faults}}}
		req, _ := http.NewRequest("POST", v.URL, strings.NewReader("buy"))
		if keyed {
			req.Header.Set("Idempotency-Key", `"1"`)
		}
		resp, err := client.Do(req)
		if keyed {
			if err != nil || v.taken() != "buy,buy" { // the venue could tell them apart by the key
				t.Errorf("keyed: %v", err)
			} else {
				resp.Body.Close()
			}
			continue
		}
		e, ok := errors.AsType[*retry.Error](err)
		if got := v.taken(); !ok || !e.Unknown || e.Attempts != 1 || got != "buy" {
			t.Errorf("unkeyed: %v; orders %q", err, got)
		}
	}
}

func TestTransportDetails(t *testing.T) {
	v := open(t)
	named := &chaos.Transport{Op: func(*http.Request) string { return "order" },
		Injector: chaos.New(1, chaos.Rule{Op: "order", Fault: chaos.Duplicate, Rate: 1})}
	req, _ := http.NewRequest("GET", v.URL, nil)
	if resp, err := named.RoundTrip(req); err != nil || v.taken() != "," {
		t.Errorf("a GET twice: %v", err)
	} else {
		resp.Body.Close()
	}
	req, _ = http.NewRequest("POST", v.URL, io.MultiReader(strings.NewReader("b"), broken{}))
	if _, err := named.RoundTrip(req); !errors.Is(err, boom) || v.taken() != "" {
		t.Errorf("a body that breaks: %v", err)
	}
	named.Base = refuses{}
	req, _ = http.NewRequest("POST", v.URL, strings.NewReader("b"))
	if _, err := named.RoundTrip(req); err != boom {
		t.Errorf("Base fails: %v", err)
	}
	named.Injector = chaos.New(1, chaos.Rule{Fault: chaos.Fail, Rate: 1})
	req, _ = http.NewRequest("GET", v.URL, nil)
	if _, err := named.RoundTrip(req); !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, boom }

type refuses struct{}

func (refuses) RoundTrip(*http.Request) (*http.Response, error) { return nil, boom }
