package memory_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/store/memory"
	"github.com/relent-go/relent/transport/retryhttp"
)

// The client and the server side of keys work together: whoever comes second waits for what the first did.
func TestAgainstTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		server := &idempotent.Handler{
			Store: &memory.Idempotent{},
			Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				runs++
				time.Sleep(1500 * time.Millisecond)
				fmt.Fprint(w, "done")
			}),
		}
		client := &retryhttp.Transport{Base: handled{server}, Policy: &retry.Policy{MaxAttempts: 5}}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "http://venue/order", strings.NewReader("buy 1"))
				req.Header.Set("Idempotency-Key", `"k"`)
				resp, err := client.RoundTrip(req)
				if err != nil {
					t.Error(err)
					return
				}
				if body, _ := io.ReadAll(resp.Body); string(body) != "done" {
					t.Errorf("answer %d %q; want done", resp.StatusCode, body)
				}
			})
		}
		wg.Wait()
		if runs != 1 {
			t.Errorf("%d runs; want 1", runs)
		}
	})
}

// handled sends requests straight to a handler.
type handled struct{ http.Handler }

func (h handled) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}
