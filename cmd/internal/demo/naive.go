package demo

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/adshao/go-binance/v2"

	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange/market"
)

// Naive is what the same load does with the retry that bots write by hand: three tries of every
// call, whatever it is, 100 ms apart. As with the SDK's default, each try of an order has a new client id.
type Naive struct {
	OrdersIntended int     `json:"orders_intended"`
	OrdersExecuted int     `json:"orders_executed"` // at the venue, in all
	Duplicates     int     `json:"duplicates"`      // orders beyond the first of an intent
	Amplification  float64 `json:"amplification"`
}

// An unmetered transport takes away the usage headers, which the SDK would write into the client without a lock.
type unmetered struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (u unmetered) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := u.base.RoundTrip(r)
	if err == nil {
		for name := range resp.Header {
			if strings.HasPrefix(name, "X-Mbx-") {
				resp.Header.Del(name)
			}
		}
	}
	return resp, err
}

// RunNaive trades like [Run] on a simulated venue, naively, until cfg.For has passed, stop is closed or ctx ends, and counts.
func RunNaive(ctx context.Context, stop <-chan struct{}, cfg Config) (Naive, error) {
	if err := cfg.Validate(); err != nil {
		return Naive{}, err
	}
	cfg = cfg.filled()
	cfg.Ready()
	base := http.DefaultTransport.(*http.Transport).Clone()
	defer base.CloseIdleConnections()
	sdk := binance.NewClient(cfg.Key, cfg.Secret)
	sdk.BaseURL, sdk.Logger = strings.TrimSuffix(cfg.URL, "/"), log.New(io.Discard, "", 0)
	sdk.HTTPClient = &http.Client{Transport: unmetered{base}, Timeout: 2 * time.Second}

	trading, cancel := context.WithTimeout(ctx, cfg.For)
	defer cancel()
	go func() { // ends with trading
		select {
		case <-stop:
			cancel()
		case <-trading.Done():
		}
	}()
	var mu sync.Mutex // guards the variables of this block
	intended := 0
	calls, attempts := 0, 0
	thrice := func(fn func(try int) error) error {
		var err error
		for try := range 3 {
			mu.Lock()
			attempts++
			mu.Unlock()
			if err = fn(try); err == nil {
				break
			}
			sleep(ctx, 100*time.Millisecond)
		}
		mu.Lock()
		calls++
		mu.Unlock()
		return err
	}
	var traders sync.WaitGroup
	for number := range cfg.Traders {
		traders.Go(func() {
			choose := rand.New(rand.NewPCG(cfg.Seed, uint64(number)))
			for count := 0; trading.Err() == nil; count++ {
				symbol := symbols[choose.IntN(len(symbols))]
				var book *binance.DepthResponse
				err := thrice(func(int) (err error) {
					book, err = sdk.NewDepthService().Symbol(symbol).Limit(5).Do(ctx)
					return err
				})
				thrice(func(int) error {
					_, err := sdk.NewKlinesService().Symbol(symbol).Interval("1m").Limit(5).Do(ctx)
					return err
				})
				if err == nil && len(book.Bids) > 0 && len(book.Asks) > 0 {
					snapshot, _ := binanceorders.Snapshot(symbol, book)
					i := intend(choose, symbol, &market.View{Bids: snapshot.Bids, Asks: snapshot.Asks})
					mu.Lock()
					intended++
					mu.Unlock()
					thrice(func(try int) error {
						s := sdk.NewCreateOrderService().Symbol(symbol).Side(binance.SideType(strings.ToUpper(string(i.Side)))).
							Type(binance.OrderType(strings.ToUpper(string(i.Type)))).Quantity(string(i.Quantity)).
							NewClientOrderID(fmt.Sprintf("n%dx%dy%d", number, count, try))
						if i.Price != "" {
							s.TimeInForce(binance.TimeInForceType(strings.ToUpper(string(i.TIF)))).Price(string(i.Price))
						}
						_, err := s.Do(ctx)
						return err
					})
				}
				sleep(trading, time.Duration((0.5+choose.Float64())*float64(cfg.Pause)))
			}
		})
	}
	traders.Wait()
	n := Naive{OrdersIntended: intended, Amplification: 1}
	perIntent := make(map[string]int)
	for id, held := range ledgerOf(cfg.Venue.Oracle()) {
		intent, _, _ := strings.Cut(id, "y")
		perIntent[intent] += held.orders
		n.OrdersExecuted += held.orders
	}
	for _, orders := range perIntent {
		n.Duplicates += max(0, orders-1)
	}
	if calls > 0 {
		n.Amplification = round(float64(attempts) / float64(calls))
	}
	return n, nil
}
