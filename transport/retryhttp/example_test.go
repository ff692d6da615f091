package retryhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// busy returns a server that is busy for the first n requests, and tells of each.
func busy(n int) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("%s, key %q, attempt %q\n", r.Method, r.Header.Get("Idempotency-Key"), r.Header.Get("Relent-Attempt"))
		if n--; n >= 0 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "done")
	}))
}

func ExampleTransport() {
	server := busy(2)
	defer server.Close()

	client := &http.Client{Transport: &retryhttp.Transport{
		Policy: &retry.Policy{Name: "venue.fetch_book", Backoff: backoff.Constant{Wait: time.Millisecond}},
	}}
	resp, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(string(body), err)
	// Output:
	// GET, key "", attempt ""
	// GET, key "", attempt "1"
	// GET, key "", attempt "2"
	// done <nil>
}

func ExampleTransport_key() {
	server := busy(1)
	defer server.Close()

	orders := &http.Client{Transport: &retryhttp.Transport{
		Policy: &retry.Policy{Name: "venue.place_order", Backoff: backoff.Constant{Wait: time.Millisecond}},
		Key:    func(r *http.Request) string { return "order-7" }, // a new one for each order
	}}
	resp, err := orders.Post(server.URL, "text/plain", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// POST, key "order-7", attempt ""
	// POST, key "order-7", attempt "1"
	// 200 OK
}

func ExampleReason() {
	server := busy(9)
	defer server.Close()

	resp, err := retryhttp.Client(&retry.Policy{Name: "venue.place_order"}).Post(server.URL, "text/plain", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	reason := retryhttp.Reason(resp)
	fmt.Println(resp.StatusCode, reason.Attempts, reason.Unknown, reason.Reason)
	// Output:
	// POST, key "", attempt ""
	// 503 1 true outcome unknown, and not repeated because the policy does not say Idempotent: true
}

func ExampleHandler() {
	handler := retryhttp.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("previous attempts:", retry.PreviousAttempts(r.Context()))
		// Calls made with r.Context() make one attempt: the caller is retrying already.
	}))
	r := httptest.NewRequest("GET", "/book", nil)
	r.Header.Set("Relent-Attempt", "2")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	// Output: previous attempts: 2
}

func ExampleParseHint() {
	h := http.Header{"Retry-After": {"120"}}
	fmt.Println(retryhttp.ParseHint(h, time.Now()))
	// Output: 2m0s true
}
