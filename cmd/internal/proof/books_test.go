package proof

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/contrib/ws"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/market"
	"github.com/relent-go/relent/transport/retryws"
)

// depth is Binance's protocol, as far as depth streams need it.
type depth struct{}

func (depth) Address(retryws.Credentials) retryws.Address {
	return retryws.Address{URL: "ws://venue/ws"}
}
func (depth) Auth(*retryws.Request) ([]byte, error)          { return nil, nil }
func (depth) Subscribe(r *retryws.Request) ([]byte, error)   { return request("SUBSCRIBE", r) }
func (depth) Unsubscribe(r *retryws.Request) ([]byte, error) { return request("UNSUBSCRIBE", r) }
func (depth) Ping() []byte                                   { return nil }

func request(method string, r *retryws.Request) ([]byte, error) {
	var params []string
	for _, t := range r.Topics {
		params = append(params, strings.ToLower(t.Symbol)+"@depth@100ms")
	}
	return json.Marshal(map[string]any{"method": method, "params": params, "id": r.ID})
}

func (depth) Classify(m []byte, f *retryws.Frame) {
	var v struct {
		ID     uint64          `json:"id"`
		Event  string          `json:"e"`
		At     int64           `json:"E"`
		Symbol string          `json:"s"`
		First  int64           `json:"U"`
		Last   int64           `json:"u"`
		Error  json.RawMessage `json:"error"`
	}
	switch err := json.Unmarshal(m, &v); {
	case err != nil:
	case v.ID != 0 && v.Error == nil:
		f.Kind, f.ID = retryws.Confirmed, v.ID
	case v.Event == "depthUpdate":
		f.Kind, f.Topic, f.First, f.Last, f.Time = retryws.Data, retryws.Topic{Channel: "depth", Symbol: v.Symbol}, v.First, v.Last, time.UnixMilli(v.At)
	}
}

// I11: a book that says that it is SYNCED is the venue's book at that sequence, whatever streams and snapshots suffer, and
// it comes back after each fault.
func TestBooks(t *testing.T) {
	for _, faults := range []string{"calm", "ws", "storm"} {
		t.Run(faults, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { followBooks(t, faults) })
		})
	}
}

func followBooks(t *testing.T, faults string) {
	v := venue.New(venue.Config{Seed: 2, FlowEvery: 20 * time.Millisecond, KeepBook: 1 << 20})
	rules, err := venue.Preset(faults)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Faults.Add(rules...); err != nil {
		t.Fatal(err)
	}
	facts, err := exchange.Load("binance")
	if err != nil {
		t.Fatal(err)
	}
	bans := &exchange.Bans{}
	rest := &http.Client{Transport: &exchange.Transport{Base: v.Transport(), Profile: facts, Bans: bans, PassOrders: true}}
	ctx, cancel := context.WithCancel(t.Context())
	follow, _ := market.VenueRules("binance")
	books := &market.Books{Rules: follow, Source: func(ctx context.Context, symbol string) (*market.Snapshot, error) { return snapshot(ctx, rest, symbol) }}
	s := retryws.New(retryws.Config{
		Name: "venue", Protocol: depth{}, Dialer: &ws.Coder{Options: &websocket.DialOptions{HTTPClient: v.Client()}},
		Halt: func() error { return bans.Check(ctx, "binance", "") },
	})
	stream := &retryws.Consumer{Size: 1 << 16}
	s.Attach(stream)
	pair := []string{"BTCUSDT", "ETHUSDT"}
	for _, symbol := range pair {
		books.Add(symbol, 1)
	}
	s.Want(retryws.Topic{Channel: "depth", Symbol: pair[0]}, retryws.Topic{Channel: "depth", Symbol: pair[1]})
	done := make(chan error, 3)
	go func() { done <- books.Run(ctx) }()
	go func() { done <- s.Run(ctx) }()
	go func() { done <- feed(ctx, stream, books) }()

	watch := books.Watch(0, pair...)
	var report venue.Report
	synced, breaks := map[string]int{}, 0
	until := time.Now().Add(span())
	for time.Now().Before(until) {
		var view market.View
		wait, stop := context.WithDeadline(ctx, until)
		err := watch.Next(wait, &view)
		stop()
		if err != nil {
			break
		}
		if view.State != market.Synced {
			breaks++
			continue
		}
		synced[view.Symbol]++
		report.Books = append(report.Books, venue.BookReport{Symbol: view.Symbol, Sequence: view.Sequence, Bids: levels(view.Bids), Asks: levels(view.Asks)})
		if len(report.Books) == 200 { // judged while the venue still knows them
			judgeBooks(t, v, &report)
		}
	}
	judgeBooks(t, v, &report)
	stats := books.Stats()
	v.Faults.Clear()
	time.Sleep(3 * time.Minute)
	for _, symbol := range pair {
		if top := books.Top(symbol); top.State != market.Synced {
			t.Errorf("three minutes after the last fault the book of %s is %v", symbol, top.State)
		}
	}
	watch.Close()
	s.Close()
	cancel()
	for range 3 {
		<-done
	}
	v.Close()
	t.Logf("%s: %v views of books were SYNCED and right, %d were not SYNCED; %+v; faults hit %d requests", faults, synced, breaks, stats, v.Oracle().Totals.Faulted)
	if faults != "calm" && stats.Stale == 0 || synced["BTCUSDT"] < 50 {
		t.Error("the run did not come to what it is for")
	}
}

// span is how long books are followed under faults.
func span() time.Duration {
	if os.Getenv("RELENT_SOAK") != "" {
		return 5 * time.Minute
	}
	return 20 * time.Second
}

func judgeBooks(t *testing.T, v *venue.Venue, r *venue.Report) {
	for _, i := range v.Oracle().Check(*r).Invariants {
		if i.ID == "I11" && !i.Pass {
			t.Errorf("I11: %v", i.Events[:min(len(i.Events), 3)])
		}
	}
	r.Books = nil
}

func levels(list []market.Level) (pairs [][2]string) {
	for _, l := range list {
		pairs = append(pairs, [2]string{l.Price.String(), l.Quantity.String()})
	}
	return pairs
}

// feed hands what the stream says to the books: between Live and Broken nothing is missing.
func feed(ctx context.Context, stream *retryws.Consumer, books *market.Books) error {
	links := map[string]*market.Link{}
	for e := range stream.Events(ctx) {
		symbol := e.Topic.Symbol
		switch e.Kind {
		case retryws.Live:
			decoder, err := market.NewDecoder("binance")
			if err != nil {
				return err
			}
			links[symbol] = books.Link(decoder)
			links[symbol].Subscribed(symbol)
		case retryws.Message:
			_, _ = links[symbol].Receive(e.Data) // a gap makes the book STALE by itself
		default: // broken, or a hole
			if l := links[symbol]; l != nil {
				l.Lost(errors.New("the stream broke"))
			}
		}
	}
	return context.Cause(ctx)
}

func snapshot(ctx context.Context, c *http.Client, symbol string) (*market.Snapshot, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://venue/api/v3/depth?limit=5000&symbol="+symbol, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("depth: http %d", resp.StatusCode)
	}
	return market.BinanceSnapshot(symbol, body)
}
