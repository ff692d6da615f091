package idempotent_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// A Ticket is what a strategy wants to buy.
type Ticket struct{ ClientID, Symbol string }

// One intent, however often it is delivered.
func ExampleGuard_Wrap() {
	guard := &idempotent.Guard[Ticket, string]{
		Name:  "venue.place_order",
		Store: &idempotenttest.Model{}, // a store of store/sqldb in a program
		Key:   func(t Ticket) string { return t.ClientID },
	}
	placed := 0
	place := guard.Wrap(func(_ context.Context, t Ticket) (string, error) {
		placed++
		return fmt.Sprintf("order %d for %s", placed, t.Symbol), nil
	})
	for _, t := range []Ticket{{"c1", "BTCUSDT"}, {"c1", "BTCUSDT"}, {"c1", "ETHUSDT"}, {"c2", "ETHUSDT"}} {
		fmt.Println(place(context.Background(), t))
	}
	// Output:
	// order 1 for BTCUSDT <nil>
	// order 1 for BTCUSDT <nil>
	//  venue.place_order: key "c1": the key belongs to another request: a new intent needs a new key
	// order 2 for ETHUSDT <nil>
}

// Call also says whether the result is a replay.
func ExampleGuard_Call() {
	guard := &idempotent.Guard[Ticket, string]{Store: &idempotenttest.Model{}, Key: func(t Ticket) string { return t.ClientID }}
	place := func(context.Context, Ticket) (string, error) { return "order 1", nil }
	for range 2 {
		r, err := guard.Call(context.Background(), Ticket{ClientID: "c1"}, place)
		fmt.Println(r.Value, r.Replayed, err)
	}
	// Output:
	// order 1 false <nil>
	// order 1 true <nil>
}

func ExampleDo() {
	store := &idempotenttest.Model{}
	for i := range 2 {
		fmt.Println(idempotent.Do(context.Background(), store, "transfer 7", func(context.Context) (int, error) { return i, nil }))
	}
	// Output:
	// 0 <nil>
	// 0 <nil>
}

// The answer got lost, so nobody knows whether the order exists, until somebody asks.
func ExampleGuard_reconcile() {
	atVenue := map[string]string{}
	guard := &idempotent.Guard[Ticket, string]{Name: "venue.place_order", Store: &idempotenttest.Model{}, Key: func(t Ticket) string { return t.ClientID }}
	place := guard.Wrap(func(_ context.Context, t Ticket) (string, error) {
		atVenue[t.ClientID] = "order 1"
		return "", errors.New("connection reset")
	})
	_, err := place(context.Background(), Ticket{"c1", "BTCUSDT"})
	fmt.Println(errors.Is(err, idempotent.ErrUnknown))

	guard.Reconcile = func(_ context.Context, key string, _ *Ticket) (idempotent.Finding[string], error) {
		if id, ok := atVenue[key]; ok {
			return idempotent.Finding[string]{Effect: idempotent.Applied, Value: id}, nil
		}
		return idempotent.Finding[string]{}, nil // not found proves nothing here: this venue's reads lag
	}
	fmt.Println(place(context.Background(), Ticket{"c1", "BTCUSDT"}))
	// Output:
	// true
	// order 1 <nil>
}

// One key over all attempts, from the intent to the wire, and a server that honours it. The guard is
// outside, so the client's retries share one claim; the policy may say Idempotent, because the server has a
// Handler. Here the server does its work and then loses the first answer.
func Example_endToEnd() {
	lost := false
	orders := 0
	server := httptest.NewServer(loseFirst(&lost, &idempotent.Handler{
		Store: &idempotenttest.Model{},
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			orders++
			fmt.Fprintf(w, "order %d under %s", orders, idempotent.Key(r.Context()))
		}),
	}))
	defer server.Close()

	client := &http.Client{Transport: &retryhttp.Transport{
		Policy: &retry.Policy{Name: "venue.place_order", Backoff: backoff.Constant{Jitter: backoff.None}},
		Key:    func(r *http.Request) string { return idempotent.Header(r.Context()) }, // hands the guard's key on
	}}
	guard := &idempotent.Guard[Ticket, string]{Name: "venue.place_order", Store: &idempotenttest.Model{}, Key: func(t Ticket) string { return t.ClientID }}
	place := guard.Wrap(func(ctx context.Context, t Ticket) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/orders?symbol="+t.Symbol, nil)
		if err != nil {
			return "", retry.Mark(err, retry.Permanent)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	})
	fmt.Println(place(context.Background(), Ticket{"c1", "BTCUSDT"}))
	fmt.Println(orders, "order")
	// Output:
	// order 1 under c1 <nil>
	// 1 order
}

// loseFirst has the effect of the first request, and answers 502 in place of its response.
func loseFirst(lost *bool, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if *lost {
			h.ServeHTTP(w, r)
			return
		}
		*lost = true
		h.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusBadGateway)
	})
}

// A retry around a guard waits for whoever runs under the key.
func Example_wait() {
	guard := &idempotent.Guard[Ticket, string]{Store: &idempotenttest.Model{}, Key: func(t Ticket) string { return t.ClientID }}
	started, finish := make(chan struct{}), make(chan struct{})
	place := guard.Wrap(func(context.Context, Ticket) (string, error) {
		close(started)
		<-finish
		return "order 1", nil
	})
	go place(context.Background(), Ticket{ClientID: "c1"})
	<-started

	_, err := place(context.Background(), Ticket{ClientID: "c1"})
	fmt.Println(errors.Is(err, idempotent.ErrInProgress))
	close(finish)
	patient := retry.Wrap(&retry.Policy{MaxAttempts: 50}, place)
	fmt.Println(patient(context.Background(), Ticket{ClientID: "c1"}))
	// Output:
	// true
	// order 1 <nil>
}

// The resource remembers the largest token that it has seen.
func ExampleWatermark() {
	var account idempotent.Watermark
	fmt.Println(account.Pass(34))
	fmt.Println(account.Pass(33))
	// Output:
	// <nil>
	// stale fencing token: 33 after 34
}

// A handler in front of one that has effects.
func ExampleHandler() {
	orders := 0
	handler := &idempotent.Handler{
		Name:  "orders",
		Store: &idempotenttest.Model{},
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			orders++
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, "order %d", orders)
		}),
	}
	for _, key := range []string{`"c1"`, `"c1"`, ``} {
		r := httptest.NewRequest(http.MethodPost, "/orders", nil)
		if key != "" {
			r.Header.Set(idempotent.HeaderName, key)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get(idempotent.ReplayedHeader), w.Body)
	}
	// Output:
	// 201  order 1
	// 201 true order 1
	// 400  {"title":"Idempotency-Key is missing","status":400,"code":"missing_key","detail":"Nothing was done. Send the request with an Idempotency-Key header: one new quoted string for each intent, the same on all its attempts."}
}

// What a client sends and a server reads.
func ExampleParseHeader() {
	fmt.Println(idempotent.FormatHeader(`my "first" order`))
	fmt.Println(idempotent.ParseHeader(`"my \"first\" order"`))
	fmt.Println(idempotent.ParseHeader(`my first order`))
	// Output:
	// "my \"first\" order"
	// my "first" order <nil>
	//  not a quoted key, such as "8e03978e-40d5-43dd-bc93-6894a57f9324"
}
