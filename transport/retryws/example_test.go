package retryws_test

import (
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// A consumer of trades. The venue here is one in memory; contrib/ws connects to real ones.
func ExampleSession() {
	market := &venue{message: func(w *wire, m string) bool {
		w.answer(m)
		w.say("d trades.BTCUSDT 41 41")
		w.say("d trades.BTCUSDT 42 42")
		return true
	}}
	s := retryws.New(retryws.Config{
		Name:     "venue",
		Protocol: &words{},
		Dialer:   market,
		Budgets:  []*retryws.Budget{{Connects: 150, Per: 5 * time.Minute}},
		MaxAge:   24 * time.Hour,
	})
	trades := &retryws.Consumer{}
	s.Attach(trades)
	s.Want(retryws.Topic{Channel: "trades", Symbol: "BTCUSDT"})
	go s.Run(context.Background())
	defer s.Close()

	for e := range trades.Events(context.Background()) {
		switch e.Kind {
		case retryws.Live:
			fmt.Println(e.Topic, "is live: fill what is missing")
		case retryws.Message:
			fmt.Println("trade", e.Last)
		}
		if e.Last == 42 {
			break
		}
	}
	// Output:
	// trades.BTCUSDT is live: fill what is missing
	// trade 41
	// trade 42
}

// Topics that do not fit on one link are spread over several, and stay where they are.
func ExampleSpread() {
	topics := []retryws.Topic{{Channel: "BTC"}, {Channel: "ETH"}, {Channel: "SOL"}}
	links := retryws.Spread(topics, nil, retryws.Limits{Topics: 2}, nil)
	fmt.Println(links)
	fmt.Println(retryws.Spread(append(topics, retryws.Topic{Channel: "XRP"}), nil, retryws.Limits{Topics: 2}, links))
	// Output:
	// [[BTC SOL] [ETH]]
	// [[BTC SOL] [ETH XRP]]
}

// Connects of all sessions of a venue draw on one budget, private streams first.
func ExampleBudget() {
	b := &retryws.Budget{Connects: 8, Per: time.Hour}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	for range 7 {
		if err := b.Acquire(ctx, "stream.venue.example", false); err != nil {
			fmt.Println("public:", err)
		}
	}
	fmt.Println("private:", b.Acquire(context.Background(), "stream.venue.example", true))
	// Output:
	// public: context deadline exceeded
	// private: <nil>
}
