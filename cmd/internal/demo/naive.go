package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/adshao/go-binance/v2"
)

// Naive is what the same load does with the retry that bots write by hand: three tries of every
// call, whatever it is, 100 ms apart. As with the SDK's default, each try of an order has a new client id.
type Naive struct {
	OrdersIntended int     `json:"orders_intended"`
	OrdersExecuted int     `json:"orders_executed"` // at the venue, in all
	Duplicates     int     `json:"duplicates"`      // orders beyond the first of an intent
	Amplification  float64 `json:"amplification"`
}

// RunNaive trades like [Run], naively, until cfg.For has passed, stop is closed or ctx ends, and counts.
func RunNaive(ctx context.Context, stop <-chan struct{}, cfg Config) (Naive, error) {
	if err := cfg.Validate(); err != nil {
		return Naive{}, err
	}
	cfg = cfg.filled()
	cfg.Ready()
	base := http.DefaultTransport.(*http.Transport).Clone()
	defer base.CloseIdleConnections()
	sdk := binance.NewClient(cfg.Key, cfg.Secret)
	sdk.BaseURL = strings.TrimSuffix(cfg.URL, "/")
	sdk.HTTPClient = &http.Client{Transport: judge{whole{base}}, Timeout: 2 * time.Second}

	trading, cancel := context.WithTimeout(ctx, cfg.For)
	defer cancel()
	go func() { // ends with trading
		select {
		case <-stop:
			cancel()
		case <-trading.Done():
		}
	}()
	var mu sync.Mutex
	var intended []string
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
	intents := &run{cfg: cfg}
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
				if err == nil && choose.Float64() < 0.6 {
					if o := intents.intend(choose, symbol, book, fmt.Sprintf("n%dx%d", number, count)); o != nil {
						mu.Lock()
						intended = append(intended, o.id)
						mu.Unlock()
						thrice(func(try int) error {
							s := sdk.NewCreateOrderService().Symbol(o.symbol).Side(o.side).Type(o.kind).
								Quantity(o.quantity).NewClientOrderID(fmt.Sprintf("%sy%d", o.id, try))
							if o.kind == binance.OrderTypeLimit {
								s.TimeInForce(o.force).Price(o.price)
							}
							_, err := s.Do(ctx)
							return err
						})
					}
				}
				sleep(trading, time.Duration((0.5+choose.Float64())*float64(cfg.Pause)))
			}
		})
	}
	traders.Wait()
	ledger, err := cfg.Ledger(ctx)
	if err != nil {
		return Naive{}, err
	}
	n := Naive{OrdersIntended: len(intended), Amplification: 1}
	perIntent := make(map[string]int)
	for id, held := range ledger {
		intent, _, _ := strings.Cut(id, "y")
		perIntent[intent] += held.Orders
		n.OrdersExecuted += held.Orders
	}
	for _, orders := range perIntent {
		n.Duplicates += max(0, orders-1)
	}
	if calls > 0 {
		n.Amplification = round(float64(attempts) / float64(calls))
	}
	return n, nil
}
