// Inference shows what callers of a model see when its server dies. A small model is trained and served over HTTP by a process of
// its own, which is killed. Cached answers, stale ones and a rule of thumb stand in for it, each labelled as what it is;
// and when the server is back, its model comes back by steps.
//
//	go run ./examples/inference
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/inference"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "-serve" { // the process that will be killed
		serve(context.Background(), os.Args[2], os.Stdout)
		return
	}
	train, test := load(fills)
	fmt.Printf("right about orders it has not seen: model %.0f %%, rule of thumb %.0f %%\n", 100*right(test, fit(train).predict),
		100*right(test, func(o order) float64 { return must(thumb(nil, o)) }))

	server := &remote{address: "127.0.0.1:0"}
	server.start()
	back := make(chan bool, 1)
	l := &inference.Ladder[order, float64]{
		Name: "fill_probability",
		Models: []inference.Model[order, float64]{
			{Name: "logistic", Version: "1", Quality: "full", Predict: server.predict, Policy: &retry.Policy{
				Name: "logistic.predict", MaxAttempts: 2, Idempotent: true, AttemptTimeout: time.Second, Backoff: backoff.Constant{Wait: 10 * time.Millisecond}}},
			{Name: "thumb", Version: "1", Quality: "rule of thumb", Predict: thumb},
		},
		Key: func(o order) string { return fmt.Sprint(o) }, Cache: &inference.Cache[float64]{}, TTL: 2 * time.Second, StaleFor: time.Hour,
		Rules: inference.Rules{ProbeAfter: 50 * time.Millisecond, Span: 200 * time.Millisecond, Step: 200 * time.Millisecond},
		OnChange: func(c inference.Change) {
			fmt.Printf("  logistic: %v, asked for %d %% of the keys\n", c.To, c.Percent)
			if c.To == inference.Normal {
				back <- true
			}
		},
	}
	defer l.Close()
	known := order{Spread: 1, Queue: 0.1, Imbalance: 0.5}
	ask(l, "the server is up", known)
	ask(l, "the same again", known)
	ask(l, "bad input", order{Queue: 7})

	server.kill()
	ask(l, "killed", known)
	time.Sleep(l.TTL + 100*time.Millisecond)
	for i := range 3 { // the third failure is one too many
		ask(l, "when TTL is over", known)
		ask(l, "never asked", order{Spread: 1, Queue: 0.9, Imbalance: float64(i) / 10})
	}
	ask(l, "left out", order{Spread: 2, Queue: 0.9}) // one attempt: nobody waits for the dead any more

	server.start()
	defer server.kill()
	for i := 0; len(back) == 0; i++ { // other callers, whose input probes borrow
		must(l.Predict(context.Background(), order{Spread: 3, Queue: float64(i%1000) / 1000}))
		time.Sleep(5 * time.Millisecond)
	}
	ask(l, "back", order{Spread: 1, Queue: 0.2, Imbalance: 0.5})
}

// ask prints an answer with all that is said about it.
func ask(l *inference.Ladder[order, float64], when string, o order) {
	a, err := l.Predict(context.Background(), o)
	if err != nil {
		fmt.Printf("%-16s  no answer: permanent: %v, attempts %d\n", when, errors.Is(err, retry.ErrPermanent), a.Attempts)
		return
	}
	fmt.Printf("%-16s  %.2f by %-8s (%s), %v, age %v, %d attempts, degraded: %v\n",
		when, a.Value, a.Model, a.Quality, a.Source, a.Age.Truncate(time.Second), a.Attempts, a.Degraded)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
