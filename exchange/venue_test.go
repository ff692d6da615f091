package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange"
)

// A venue is one file of facts: docs/guides/venues.md shows this one.
func TestAddAVenue(t *testing.T) {
	data, err := os.ReadFile("testdata/acme.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := exchange.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	answer, status, header := `{"order":{"id":7,"cid":"a1"}}`, 200, ""
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if header != "" {
			w.Header().Set("X-Acme-Wait", header)
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	desk := &clerk{}
	tr := &exchange.Transport{Profile: p, Account: "main", Desk: desk, Base: srv.Client().Transport}
	client := &http.Client{Transport: tr}
	place := func() (*exchange.Verdict, error) {
		ctx, v := exchange.WithVerdict(t.Context())
		req, _ := http.NewRequestWithContext(ctx, "POST", srv.URL+"/orders?ts=1767225600000", strings.NewReader(`{"market":"BTC-USD","cid":"a1","size":"1"}`))
		resp, err := client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		return v, err
	}
	v, err := place()
	if err != nil || v.Outcome != exchange.Exists || v.OrderID != "7" || v.EchoID != "a1" {
		t.Errorf("an order: %+v, %v; want one that exists", v, err)
	}
	s := desk.last
	if s.ClientID != "a1" || s.Symbol != "BTC-USD" || !s.Deadline.Equal(time.UnixMilli(1767225603000)) {
		t.Errorf("the desk was told %+v; want the id, the market, and a deadline of 3 s", s)
	}
	answer, status = `{"error":{"code":"NO_MONEY","text":"not enough"}}`, 400
	if v, _ := place(); v.Outcome != exchange.NotPlaced || v.Meaning != exchange.InsufficientFunds || v.Message != "not enough" {
		t.Errorf("a refusal: %+v; want not placed", v)
	}
	answer, status = `<html>502</html>`, 502
	if v, _ := place(); v.Outcome != exchange.Unknown {
		t.Errorf("a gateway: %+v; want unknown", v)
	}
	answer, status, header = `{"error":{"code":"SLOW_DOWN"}}`, 429, "60000"
	if v, _ := place(); v.Meaning != exchange.RateLimited || v.After != time.Minute {
		t.Errorf("slow down: %+v; want a minute", v)
	}
	if _, err := place(); !errors.Is(err, exchange.ErrLimited) {
		t.Errorf("after that: %v; want it refused here", err)
	}
	if r := p.Resend(); r.When != exchange.ResendAfterProof || r.RestOnly {
		t.Errorf("Resend() = %+v; want after proof", r)
	}
}

// A clerk is a Desk that lets everything pass.
type clerk struct{ last exchange.Sending }

func (c *clerk) Begin(_ context.Context, s *exchange.Sending) error { c.last = *s; return nil }

func (c *clerk) End(context.Context, *exchange.Sending, *exchange.Verdict) {}

func ExampleProfile_Classify() {
	p, err := exchange.Load("binance")
	if err != nil {
		panic(err)
	}
	v := p.Classify(exchange.Order, 503, nil, []byte(`{"code":-1007,"msg":"Timeout waiting for response from backend server."}`))
	fmt.Println(v.Outcome, v.Class, v.Advice)
	v = p.Classify(exchange.Order, 503, nil, []byte(`{"code":-1008,"msg":"Server is currently overloaded."}`))
	fmt.Println(v.Outcome, v.Class, v.Advice)
	// Output:
	// unknown ambiguous verify_first
	// not_placed transient wait_then_verify
}

func ExampleProfile_Resend() {
	for _, name := range []string{"coinbase", "binance", "okx", "bitfinex"} {
		p, err := exchange.Load(name)
		if err != nil {
			panic(err)
		}
		r := p.Resend()
		fmt.Println(name, r.When, r.RestOnly)
	}
	// Output:
	// coinbase at_once false
	// binance after_proof false
	// okx after_proof true
	// bitfinex never false
}

func ExampleTransport() {
	p, err := exchange.Load("binance")
	if err != nil {
		panic(err)
	}
	bans := &exchange.Bans{Store: &exchange.FileBans{Path: "bans.json"}}
	limits := &exchange.Limits{Profile: p, Clock: &exchange.Clock{}}
	t := &exchange.Transport{Profile: p, Account: "main", Limits: limits, Bans: bans}
	fmt.Println(t.Check())
	// Output: Desk: is nil, so that no order is sent; PassOrders lets them through without one
}

func ExampleWithVerdict() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		io.WriteString(w, `{"code":-2013,"msg":"Order does not exist."}`)
	}))
	defer srv.Close()
	p, err := exchange.Load("binance")
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: &exchange.Transport{Profile: p}}
	ctx, verdict := exchange.WithVerdict(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/api/v3/order?symbol=BTCUSDT&origClientOrderId=a1", nil)
	resp, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(verdict.Kind, verdict.Meaning, verdict.Outcome)
	// Output: verify order_not_found not_proof
}
