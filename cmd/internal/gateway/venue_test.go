package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/adshao/go-binance/v2"
	"github.com/adshao/go-binance/v2/common"

	"github.com/relent-go/relent/cmd/internal/venue"
)

// trading is a configuration for one venue.
func trading(t testing.TB, upstream, more string) string {
	return fast + section(upstream, ", policy: api.keyed, venue: binance"+more) + fmt.Sprintf("  bans_file: %q\n", filepath.Join(t.TempDir(), "bans.json"))
}

// market starts a venue, and a proxy in front of it.
func market(t testing.TB, faults ...venue.Fault) (*venue.Venue, *proxied) {
	v := venue.New(venue.Config{Seed: 1})
	srv := httptest.NewServer(v)
	t.Cleanup(srv.Close)
	t.Cleanup(v.Close)
	for _, f := range faults {
		if err := v.Faults.Add(f); err != nil {
			t.Fatal(err)
		}
	}
	return v, start(t, trading(t, srv.URL, ""), Options{})
}

func sdk(p *proxied) *binance.Client {
	c := binance.NewClient(venue.DefaultKey, venue.DefaultSecret)
	c.BaseURL = p.url
	return c
}

func place(ctx context.Context, c *binance.Client, id string) error {
	_, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeLimit).
		TimeInForce(binance.TimeInForceTypeGTC).Quantity("0.01").Price("1000").NewClientOrderID(id).Do(ctx)
	return err
}

// isUnknown says whether an error of the SDK tells of an order of unknown outcome, and how to find out.
func isUnknown(err error, id string) bool {
	api, ok := errors.AsType[*common.APIError](err)
	return ok && strings.HasPrefix(api.Message, `outcome unknown: the order "`+id+`"`) && strings.Contains(api.Message, "GET /api/v3/order?symbol&origClientOrderId")
}

const orderPath = "/api/v3/order"

// What becomes of an order under each fault: how often it is sent, and what the SDK is told.
func TestOrders(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   venue.Fault
		sends   int
		orders  int
		unknown bool
		code    int64 // that the SDK finds
	}{
		{"all is well", venue.Fault{Kind: venue.StaleRead}, 1, 1, false, 0},
		{"the answer is lost", venue.Fault{Kind: venue.AcceptDropAnswer}, 1, 1, true, 0},
		{"the request is lost", venue.Fault{Kind: venue.Drop}, 1, 0, true, 0},
		{"503 of an order that exists", venue.Fault{Kind: venue.AcceptUnavailable}, 1, 1, true, -1007},
		{"503 of one that does not", venue.Fault{Kind: venue.Unavailable}, 1, 0, true, 0},
		{"502 page", venue.Fault{Kind: venue.BadGateway, Reached: true}, 1, 1, true, 0},
		{"200 that is cut", venue.Fault{Kind: venue.CutBody}, 1, 1, true, 0},
		{"429 is sent again", venue.Fault{Kind: venue.TooManyRequests, Count: 1, RetryAfter: time.Second}, 2, 1, false, 0},
		{"-1021 is the sender's to mend", venue.Fault{Kind: venue.ClockSkew}, 1, 0, false, -1021},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.fault.Match = venue.Match{Method: "POST", Path: orderPath}
			v, p := market(t, c.fault)
			err := place(t.Context(), sdk(p), "mine")
			o := v.Oracle()
			if n := len(o.Sends["mine"]); n != c.sends && c.fault.Kind != venue.TooManyRequests || len(o.Orders["mine"].OrderIDs) != c.orders {
				t.Errorf("sent %d times, %d orders; want %d, %d", n, len(o.Orders["mine"].OrderIDs), c.sends, c.orders)
			}
			if o.Totals.Duplicates > 0 || !o.Check().Pass {
				t.Errorf("%+v", o.Check())
			}
			api, _ := errors.AsType[*common.APIError](err)
			switch {
			case (err != nil) != (c.unknown || c.code != 0):
				t.Errorf("the SDK says %v", err)
			case c.code != 0 && (api == nil || api.Code != c.code):
				t.Errorf("the SDK says %v; want %d", err, c.code)
			case c.unknown && !isUnknown(err, "mine"):
				t.Errorf("the SDK says %v; want to be told that it is unknown, and whom to ask", err)
			}
			if got := p.live.Load().every[0].venue.unknown.Load(); (got == 1) != c.unknown {
				t.Errorf("%d counted as unknown", got)
			}
		})
	}
}

// signed is an order of a client without an SDK.
func signed(query string) string {
	query = fmt.Sprintf("%s&timestamp=%d", query, time.Now().UnixMilli())
	mac := hmac.New(sha256.New, []byte(venue.DefaultSecret))
	mac.Write([]byte(query))
	return orderPath + "?" + query + "&signature=" + hex.EncodeToString(mac.Sum(nil))
}

// The answer says which order it is about, and how to find out.
func TestUnknownOutcome(t *testing.T) {
	v, p := market(t, venue.Fault{Kind: venue.AcceptDropAnswer, Match: venue.Match{Method: "POST", Path: orderPath}})
	got := ask(t, "POST", p.url+signed("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=1000&newClientOrderId=mine"), "", "X-MBX-APIKEY", venue.DefaultKey)
	if !got.is(unknown) || got.Header.Get("Relent-Outcome") != maybeWas {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	how, _ := got.member(t, "verify").(map[string]any)
	if got.member(t, "client_order_id") != "mine" || how["client_order_id"] != "mine" || how["symbol"] != "BTCUSDT" || how["field"] != "origClientOrderId" || got.member(t, "attempts") != 1.0 {
		t.Errorf("%s", got.body)
	}
	if moment, err := time.Parse(time.RFC3339Nano, fmt.Sprint(how["not_before"])); err != nil || time.Until(moment) < 10*time.Second || time.Until(moment) > 30*time.Second {
		t.Errorf("not_before %v, %v; want the window of 5 s, the residual of 10 s, and the error of the clock", how["not_before"], err)
	}
	if ask := fmt.Sprint(how["ask"]); !strings.Contains(ask, "GET /api/v3/order") {
		t.Errorf("ask %s", ask)
	}
	// The sender does as it was told, through the proxy.
	found, err := sdk(p).NewGetOrderService().Symbol("BTCUSDT").OrigClientOrderID("mine").Do(t.Context())
	if err != nil || found.ClientOrderID != "mine" {
		t.Errorf("%+v, %v", found, err)
	}
	if s := p.log.String(); !strings.Contains(s, "level=WARN") || !strings.Contains(s, "client_order_id=mine") || strings.Contains(s, venue.DefaultKey) || strings.Contains(s, "signature") {
		t.Errorf("the log says %s", s)
	}
	if view := p.Registry.View(); len(view.Venues) != 1 || view.Venues[0].GuardTrips != 1 {
		t.Errorf("%+v", view.Venues)
	}
	_ = v
}

// Under lossy weather a client that believes the proxy makes no duplicates; a cancel and a read are tried again.
func TestSDKInLossyWeather(t *testing.T) {
	faults, err := venue.Preset("lossy")
	if err != nil {
		t.Fatal(err)
	}
	for i := range faults {
		faults[i].Delay, faults[i].DelayMax = faults[i].Delay/20, faults[i].DelayMax/20
		faults[i].Match.Probability *= 3
	}
	v, p := market(t, faults...)
	c := sdk(p)
	placed, lost := 0, 0
	for i := range 60 {
		id := fmt.Sprintf("order-%d", i)
		if err := place(t.Context(), c, id); err == nil {
			placed++
		} else if isUnknown(err, id) {
			lost++
		} else {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := c.NewCancelOrderService().Symbol("BTCUSDT").OrigClientOrderID(id).Do(t.Context()); err != nil && i%20 == 0 {
			t.Log(err)
		}
		if _, err := c.NewDepthService().Symbol("BTCUSDT").Limit(5).Do(t.Context()); err != nil && i%20 == 0 {
			t.Log(err)
		}
	}
	o := v.Oracle()
	if o.Totals.Duplicates != 0 || !o.Check().Pass || placed == 0 || lost == 0 {
		t.Errorf("%d placed, %d of unknown outcome, %d duplicates: %+v", placed, lost, o.Totals.Duplicates, o.Check())
	}
	for id, sends := range o.Sends {
		if len(sends) > 1 {
			t.Errorf("%s was sent %d times", id, len(sends))
		}
	}
}

func TestStopReachesOrders(t *testing.T) {
	v, p := market(t)
	c := sdk(p)
	if err := place(t.Context(), c, "before"); err != nil {
		t.Fatal(err)
	}
	stopAll(t, p, "risk-reducing")
	err := place(t.Context(), c, "after")
	if api, ok := errors.AsType[*common.APIError](err); !ok || !strings.Contains(string(api.Response), string(stopped)) || !strings.Contains(string(api.Response), notSent) {
		t.Errorf("%v; want it stopped", err)
	}
	if _, err := c.NewCancelOrderService().Symbol("BTCUSDT").OrigClientOrderID("before").Do(t.Context()); err != nil {
		t.Errorf("a cancel reduces risk: %v", err)
	}
	stopAll(t, p, "stopped")
	if _, err := c.NewServerTimeService().Do(t.Context()); err == nil {
		t.Error("a read passed a full stop")
	}
	if o := v.Oracle(); len(o.Sends["after"]) != 0 {
		t.Error("an order left after the stop")
	}
}

// The body of an order must be in memory as a whole.
func TestOrderBodies(t *testing.T) {
	v, p := market(t)
	if got := ask(t, "POST", p.url+orderPath, strings.Repeat("x", 1<<20+1)); !got.is(tooLarge) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	p.room.take(p.full)
	got := ask(t, "POST", p.url+orderPath, "symbol=BTCUSDT")
	if p.room.give(p.full); !got.is(crowded) || got.Header.Get("Retry-After") != "1" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if n := v.Oracle().Totals.Requests; n != 0 {
		t.Errorf("%d requests reached the venue", n)
	}
}

// What an exchange never answers to an order proves nothing about it, and nothing is followed.
func TestOddAnswersToOrders(t *testing.T) {
	for name, answer := range map[string]string{
		"a redirect":           "HTTP/1.1 307 There\r\nLocation: /api/v3/order\r\nContent-Length: 0\r\n\r\n",
		"a redirect elsewhere": "HTTP/1.1 301 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		"a page":               "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
		"half of an answer":    "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"orderId\":1",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"no HTTP":              "SSH-2.0-OpenSSH\r\n\r\n",
		"nothing":              "",
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int32
			up := rude(t, func(_ int, _ *http.Request, c net.Conn) {
				sent.Add(1)
				io.WriteString(c, answer)
			})
			p := start(t, trading(t, up, ""), Options{})
			got := ask(t, "POST", p.url+signed("symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=mine"), "", "Idempotency-Key", "k")
			if !got.is(unknown) || got.member(t, "client_order_id") != "mine" || sent.Load() != 1 {
				t.Errorf("sent %d times, %d %s; want once, and its outcome unknown", sent.Load(), got.StatusCode, got.body)
			}
		})
	}
}
