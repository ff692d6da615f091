package inference_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

func ExampleLadder() {
	down := false
	net := func(_ context.Context, symbol string) (float64, error) {
		if down {
			return 0, retry.Mark(errors.New("http 503"), retry.Transient)
		}
		return 101.5, nil
	}
	lastTrade := func(context.Context, string) (float64, error) { return 100, nil }
	prices := &inference.Ladder[string, float64]{
		Name: "prices",
		Models: []inference.Model[string, float64]{
			{Name: "net", Version: "7", Quality: "full", Predict: net, Policy: &retry.Policy{Name: "net.predict", MaxAttempts: 1, Idempotent: true}},
			{Name: "last", Version: "1", Quality: "rule of thumb", Predict: lastTrade},
		},
		Key: strings.ToUpper, Cache: &inference.Cache[float64]{}, TTL: time.Minute,
	}
	defer prices.Close()
	show := func(symbol string) {
		a, err := prices.Predict(context.Background(), symbol)
		fmt.Println(a.Value, a.Model, a.Quality, a.Source, a.Degraded, err)
		if a.Why != nil {
			fmt.Println(a.Why)
		}
	}
	show("BTC")
	down = true
	show("btc")
	show("ETH")
	// Output:
	// 101.5 net full live false <nil>
	// 101.5 net full cached false <nil>
	// 100 last rule of thumb live true <nil>
	// prices: not answered by net: net.predict: gave up after 1 attempt: attempts exhausted: http 503
}

func ExampleLadder_Hold() {
	prices := &inference.Ladder[string, int]{
		Models: []inference.Model[string, int]{
			{Name: "net", Quality: "full", Predict: func(context.Context, string) (int, error) { return 1, nil }},
			{Name: "mean", Quality: "rough", Predict: func(context.Context, string) (int, error) { return 2, nil }},
		},
		OnChange: func(c inference.Change) { fmt.Printf("%s is %v: %s\n", c.Model, c.To, c.Cause) },
	}
	fmt.Println(prices.Hold("net", "drifts since the index changed"))
	a, err := prices.Predict(context.Background(), "BTC")
	fmt.Println(a.Model, a.Degraded, err)
	// Output:
	// net is held: drifts since the index changed
	// <nil>
	// mean true <nil>
}

func ExampleFeatures() {
	book := func(_ context.Context, symbol string) (inference.Reading[float64], error) {
		return inference.Reading[float64]{Value: 100.5, At: time.Now()}, nil
	}
	news := func(context.Context, string) (inference.Reading[float64], error) {
		return inference.Reading[float64]{}, retry.Mark(errors.New("feed is down"), retry.Transient)
	}
	neutral := 0.0
	f := &inference.Features[string, float64]{
		List: []inference.Feature[string, float64]{
			{Name: "mid", Fetch: book, MaxAge: time.Second},
			{Name: "news", Fetch: news, MaxAge: time.Hour, Policy: &retry.Policy{MaxAttempts: 1}},
			{Name: "mood", Fetch: news, MaxAge: time.Hour, Default: &neutral, Policy: &retry.Policy{MaxAttempts: 1}},
		},
		Timeout: time.Second,
	}
	defer f.Close()
	v, err := f.Fetch(context.Background(), "BTC")
	for _, x := range v.Values {
		fmt.Println(x.Name, x.Is, x.Value)
	}
	fmt.Println(err, v.Missing(), v.Need("mid", "news"))
	// Output:
	// mid fresh 100.5
	// news missing 0
	// mood default 0
	// <nil> [news] missing features: news
}

func ExampleCache() {
	c := &inference.Cache[[]float64]{Entries: 1000, Bytes: 1 << 20, Size: func(v []float64) int64 { return int64(8 * len(v)) }}
	fmt.Println(c.Check(), c.Stats().Entries)
	// Output: <nil> 0
}
