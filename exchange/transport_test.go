package exchange

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

const (
	host      = "https://api.example"
	orderURL  = host + "/api/v3/order?timestamp=1767225600000&recvWindow=1500"
	orderForm = "symbol=BTCUSDT&side=BUY&newClientOrderId=a1b2c3"
)

func TestOrderThroughDesk(t *testing.T) {
	desk := &fakeDesk{}
	var got *http.Request
	tr := &Transport{Profile: mustLoad(t, "binance"), Account: "main", Desk: desk, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		if len(desk.begun) != 1 || len(desk.ended) != 0 {
			t.Errorf("sent with %d begun and %d ended; want 1 and 0", len(desk.begun), len(desk.ended))
		}
		got = r
		return reply(r, 200, `{"symbol":"BTCUSDT","orderId":28,"clientOrderId":"a1b2c3"}`), nil
	})}
	ctx, verdict := WithVerdict(t.Context())
	resp, err := send(ctx, tr, "POST", orderURL, orderForm)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), `"orderId":28`) {
		t.Errorf("body for the SDK is %q", body)
	}
	signed := time.UnixMilli(1767225600000)
	want := Sending{
		Venue: "binance", Kind: Order, Account: "main", Symbol: "BTCUSDT", ClientID: "a1b2c3", Signed: signed,
		Deadline: signed.Add(1500 * time.Millisecond),
		Hash:     sha256.Sum256([]byte("POST\n/api/v3/order\ntimestamp=1767225600000&recvWindow=1500\n" + orderForm)),
	}
	if len(desk.begun) != 1 || desk.begun[0] != want {
		t.Errorf("Begin got %+v; want %+v", desk.begun, want)
	}
	if len(desk.ended) != 1 || desk.ended[0].Outcome != Exists || desk.ended[0].OrderID != "28" || desk.ended[0].EchoID != "a1b2c3" {
		t.Errorf("End got %+v; want one that exists", desk.ended)
	}
	if verdict.Outcome != Exists || verdict.Status != 200 || string(verdict.Body) != string(body) {
		t.Errorf("verdict %+v; want exists, 200, the body", verdict)
	}
	if got.GetBody != nil {
		t.Error("the request has a GetBody: net/http could send it again")
	}
}

func TestNothingSentWithoutLeave(t *testing.T) {
	binance := mustLoad(t, "binance")
	banned := &Bans{}
	banned.put(t.Context(), Ban{Venue: "binance", Host: "h"}, time.Minute, 0)
	full := &Limits{Profile: binance, MaxWait: -1}
	canceled, cancel := context.WithCancel(t.Context())
	late := &fakeDesk{}
	for _, test := range []struct {
		name   string
		tr     *Transport
		ctx    context.Context
		body   io.Reader
		want   error
		class  retry.Class
		ended  int
		before func()
	}{
		{name: "no profile", tr: &Transport{}, want: errNoProfile, class: retry.Permanent},
		{name: "no desk", tr: &Transport{Profile: binance}, want: ErrNoDesk, class: retry.Permanent},
		{name: "desk refuses", tr: &Transport{Profile: binance, Desk: &fakeDesk{refuse: errTest}}, want: errTest},
		{name: "ban", tr: &Transport{Profile: binance, Desk: &fakeDesk{}, Bans: banned}, want: ErrBanned, class: retry.Throttled},
		{name: "limit", tr: &Transport{Profile: binance, Desk: &fakeDesk{}, Limits: full}, want: ErrLimited, class: retry.Throttled,
			before: func() {
				for full.reserve(t.Context(), &request{kind: Order, method: "POST", path: "/api/v3/order"}, &grant{}) == nil {
				}
			}},
		{name: "halt", tr: &Transport{Profile: binance, Desk: &fakeDesk{}, Halt: func(context.Context, Kind) error { return errTest }}, want: errTest, ended: 1},
		{name: "context ends in Begin", tr: &Transport{Profile: binance, Desk: &deskFunc{late, func() { cancel() }}}, ctx: canceled, want: context.Canceled, class: retry.Permanent, ended: 1},
		{name: "ban comes in Begin", tr: &Transport{Profile: binance, Bans: &Bans{}, Desk: &fakeDesk{}}, want: ErrBanned, class: retry.Throttled, ended: 1},
		{name: "long body", tr: &Transport{Profile: binance, Desk: &fakeDesk{}}, body: strings.NewReader(strings.Repeat("x", maxBody+1)), want: nil, class: retry.Permanent},
		{name: "broken body", tr: &Transport{Profile: binance, Desk: &fakeDesk{}}, body: broken{errTest}, want: errTest, class: retry.Permanent},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := test.tr
			tr.Base = baseFunc(func(*http.Request) (*http.Response, error) { t.Error("sent"); return nil, errTest })
			if test.before != nil {
				test.before()
			}
			if test.name == "ban comes in Begin" {
				tr.Desk = &deskFunc{late, func() {
					tr.Bans.put(t.Context(), Ban{Venue: "binance", Host: "h"}, time.Minute, 0)
				}}
			}
			late.ended = nil
			if d, ok := tr.Desk.(*fakeDesk); ok {
				defer func() {
					if len(d.ended) != test.ended {
						t.Errorf("%d ended; want %d", len(d.ended), test.ended)
					}
				}()
			}
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			ctx, verdict := WithVerdict(ctx)
			body := test.body
			if body == nil {
				body = strings.NewReader(orderForm)
			}
			closed := &closeCounter{Reader: body}
			req, _ := http.NewRequestWithContext(ctx, "POST", orderURL, closed)
			_, err := tr.RoundTrip(req)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("RoundTrip = %v; want %v", err, test.want)
			}
			if got := retry.DefaultClassify(err); got != test.class {
				t.Errorf("class %v; want %v", got, test.class)
			}
			if closed.n == 0 {
				t.Error("the body was not closed")
			}
			if tr.Profile != nil && verdict.Outcome != NotSent {
				t.Errorf("outcome %v; want not_sent", verdict.Outcome)
			}
			if _, ok := tr.Desk.(*deskFunc); ok && (len(late.ended) != 1 || late.ended[0].Outcome != NotSent) {
				t.Errorf("End got %+v; want one that was not sent", late.ended)
			}
			if tr.Profile != nil && test.name != "limit" {
				for _, l := range tr.Stats().Limits.Ledgers {
					if l.Used != 0 {
						t.Errorf("%s: %v is used; want all given back", l.Limit, l.Used)
					}
				}
			}
		})
	}
}

// A deskFunc does something in Begin.
type deskFunc struct {
	*fakeDesk
	do func()
}

func (d *deskFunc) Begin(ctx context.Context, s *Sending) error {
	d.do()
	return nil
}

type closeCounter struct {
	io.Reader
	n int
}

func (c *closeCounter) Close() error { c.n++; return nil }

func TestPassOrders(t *testing.T) {
	tr := &Transport{Profile: mustLoad(t, "binance"), PassOrders: true, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		return reply(r, 200, `{"orderId":1}`), nil
	})}
	if _, err := send(t.Context(), tr, "POST", orderURL, orderForm); err != nil {
		t.Error(err)
	}
}

func TestNetworkFailures(t *testing.T) {
	cut := io.ErrUnexpectedEOF
	for _, test := range []struct {
		name    string
		method  string
		asked   bool // for a connection
		got     bool
		nothing bool // neither answer nor error
		outcome Outcome
		class   retry.Class
	}{
		{"order, dial failed", "POST", true, false, false, NotSent, retry.Transient},
		{"order, connection broke", "POST", true, true, false, Unknown, retry.Ambiguous},
		{"order, base reports nothing", "POST", false, false, false, Unknown, retry.Ambiguous},
		{"order, neither answer nor error", "POST", true, true, true, Unknown, retry.Ambiguous},
		{"cancel, connection broke", "DELETE", true, true, false, Unknown, retry.Ambiguous},
		{"read, dial failed", "GET", true, false, false, NotSent, retry.Transient},
		{"read, connection broke", "GET", true, true, false, NoOrder, retry.Transient},
	} {
		t.Run(test.name, func(t *testing.T) {
			tr := &Transport{Profile: mustLoad(t, "binance"), Desk: &fakeDesk{}, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
				trace := traceOf(r)
				if test.asked {
					trace.GetConn("")
				}
				if test.got {
					trace.GotConn(gotConn)
				}
				if test.nothing {
					return nil, nil
				}
				return nil, cut
			})}
			ctx, v := WithVerdict(t.Context())
			_, err := send(ctx, tr, test.method, orderURL, "")
			if err == nil || !test.nothing && !errors.Is(err, cut) {
				t.Fatalf("RoundTrip = %v; want %v", err, cut)
			}
			if v.Outcome != test.outcome || v.Class != test.class || retry.DefaultClassify(err) != test.class {
				t.Errorf("verdict %v, %v, error %v; want %v, %v", v.Outcome, v.Class, retry.DefaultClassify(err), test.outcome, test.class)
			}
			used := slices.ContainsFunc(tr.Stats().Limits.Ledgers, func(l LedgerStats) bool { return l.Used > 0 })
			if used == (test.outcome == NotSent) {
				t.Errorf("used: %v; want what was not sent given back, and all else kept", used)
			}
		})
	}
}

func TestReadCanceledByCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr := &Transport{Profile: mustLoad(t, "binance"), Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		cancel()
		return nil, context.Canceled
	})}
	if _, err := get(ctx, tr, host+"/api/v3/depth"); retry.DefaultClassify(err) != retry.Permanent {
		t.Errorf("%v is %v; want permanent", err, retry.DefaultClassify(err))
	}
}

func TestCutAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   io.Reader
		want   Meaning
	}{
		{"cut", 200, io.MultiReader(strings.NewReader(`{"orderId":1`), broken{io.ErrUnexpectedEOF}), UnknownOutcome},
		{"cut 429", 429, broken{io.ErrUnexpectedEOF}, RateLimited},
		{"too long", 200, strings.NewReader(strings.Repeat(" ", maxBody+2)), UnknownOutcome},
	} {
		t.Run(test.name, func(t *testing.T) {
			desk := &fakeDesk{}
			tr := &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
				resp := reply(r, test.status, "")
				resp.Body = io.NopCloser(test.body)
				return resp, nil
			})}
			resp, err := send(t.Context(), tr, "POST", orderURL, orderForm)
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(resp.Body)
			if test.name == "too long" {
				if len(data) != maxBody+2 || err != nil {
					t.Errorf("the SDK read %d bytes, %v; want all", len(data), err)
				}
			} else if err != io.ErrUnexpectedEOF {
				t.Errorf("the SDK read %v; want what the network said", err)
			}
			resp.Body.Close()
			if v := desk.ended[0]; v.Outcome != Unknown || v.Class != retry.Ambiguous || v.Meaning != test.want || v.Err == nil {
				t.Errorf("verdict %+v; want unknown", v)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		desk, n := &fakeDesk{}, 0
		client := &http.Client{Transport: &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			n++
			return reply(r, status, "", "Location: https://elsewhere.example/api/v3/order"), nil
		})}}
		resp, err := client.Post(orderURL, "application/x-www-form-urlencoded", strings.NewReader(orderForm))
		if err != nil || resp.StatusCode != status || n != 1 {
			t.Errorf("%d: %v, %d sent; want the answer as it is, 1 sent", status, err, n)
		}
		if v := desk.ended[0]; v.Outcome != Unknown || v.Class != retry.Ambiguous {
			t.Errorf("%d: verdict %v, %v; want unknown, ambiguous", status, v.Outcome, v.Class)
		}
	}
}

func TestPanicsAreSettled(t *testing.T) {
	desk := &fakeDesk{}
	tr := &Transport{Profile: mustLoad(t, "binance"), Desk: desk, Base: baseFunc(func(*http.Request) (*http.Response, error) { panic("base") })}
	func() {
		defer func() {
			if r := recover(); r != "base" {
				t.Errorf("recovered %v; want base", r)
			}
		}()
		send(t.Context(), tr, "POST", orderURL, orderForm)
	}()
	if len(desk.ended) != 1 || desk.ended[0].Outcome != Unknown {
		t.Errorf("End got %+v; want one unknown", desk.ended)
	}
	tr = &Transport{Profile: tr.Profile, Bans: &Bans{Store: panicking{}}}
	body := &closeCounter{Reader: strings.NewReader("")}
	func() {
		defer func() { recover() }()
		req, _ := http.NewRequest("GET", host+"/x", body)
		tr.RoundTrip(req)
	}()
	if body.n != 1 {
		t.Errorf("body closed %d times; want 1", body.n)
	}
}

type panicking struct{}

func (panicking) Load(context.Context) ([]Ban, error) { panic("store") }
func (panicking) Save(context.Context, Ban) error     { panic("store") }

func TestDropUsage(t *testing.T) {
	for _, drop := range []bool{false, true} {
		tr := &Transport{Profile: mustLoad(t, "binance"), DropUsage: drop, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			return reply(r, 200, `{}`, "X-MBX-USED-WEIGHT-1M: 100", "Content-Type: application/json"), nil
		})}
		resp, err := get(t.Context(), tr, host+"/api/v3/klines")
		if err != nil {
			t.Fatal(err)
		}
		if has := resp.Header.Get("X-MBX-USED-WEIGHT-1M") != ""; has == drop || resp.Header.Get("Content-Type") == "" {
			t.Errorf("DropUsage %v: headers %v", drop, resp.Header)
		}
		for _, l := range tr.Stats().Limits.Ledgers {
			if l.Limit == "request_weight" && l.Used < 100 {
				t.Errorf("used %v; want what the header said", l.Used)
			}
		}
	}
}

func TestCheckTransport(t *testing.T) {
	p := mustLoad(t, "binance")
	good := &Transport{Profile: p, Desk: &fakeDesk{}, Bans: &Bans{Store: &FileBans{}}, Limits: &Limits{Profile: p}}
	if err := good.Check(); err != nil {
		t.Errorf("Check() = %v; want nil", err)
	}
	for want, tr := range map[string]*Transport{
		"Profile":    {PassOrders: true, Bans: good.Bans},
		"Desk":       {Profile: p, Bans: good.Bans},
		"PassOrders": {Profile: p, Desk: good.Desk, PassOrders: true, Bans: good.Bans},
		"Bans":       {Profile: p, Desk: good.Desk},
		"Limits":     {Profile: p, Desk: good.Desk, Bans: good.Bans, Limits: &Limits{}},
	} {
		if err := tr.Check(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Check() = %v; want one mistake, about %s", err, want)
		}
	}
}

func TestCloseIdleConnections(t *testing.T) {
	idle := &idleBase{}
	(&Transport{Base: idle}).CloseIdleConnections()
	if idle.n != 1 {
		t.Errorf("closed %d times; want 1", idle.n)
	}
	(&Transport{Base: baseFunc(nil)}).CloseIdleConnections()
	(&Transport{}).CloseIdleConnections()
	if s := (&Transport{}).Stats(); s.Venue != "" {
		t.Errorf("Stats() = %+v; want nothing", s)
	}
}

type idleBase struct {
	http.RoundTripper
	n int
}

func (b *idleBase) CloseIdleConnections() { b.n++ }
