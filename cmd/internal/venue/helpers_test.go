package venue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// A reply is what a client of the handler got; cut if the connection was.
type response struct {
	status int
	header http.Header
	body   string
	cut    bool
}

// code is the venue's error code in the body, 0 if there is none.
func (r response) code() int {
	var e struct{ Code int }
	_ = json.Unmarshal([]byte(r.body), &e) // not every body is JSON
	return e.Code
}

// values makes parameters of "name=value" words.
func values(words string) url.Values {
	v := url.Values{}
	for word := range strings.FieldsSeq(words) {
		name, value, _ := strings.Cut(word, "=")
		v.Set(name, value)
	}
	return v
}

// signed makes a request as go-binance does: timestamp in the query, the rest of a POST or DELETE in the body.
func signed(method, path, words, key, secret string) *http.Request {
	p, query := values(words), url.Values{}
	query.Set("timestamp", strconv.FormatInt(time.Now().UnixMilli(), 10))
	for _, name := range []string{"timestamp", "recvWindow"} {
		if p.Has(name) {
			query.Set(name, p.Get(name))
			p.Del(name)
		}
	}
	body := ""
	if method == http.MethodGet {
		for name := range p {
			query.Set(name, p.Get(name))
		}
	} else {
		body = p.Encode()
	}
	r := httptest.NewRequest(method, path+"?"+query.Encode()+"&signature="+signature(query.Encode()+body, secret), strings.NewReader(body))
	r.Header.Set("X-MBX-APIKEY", key)
	return r
}

func signature(text, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(text)) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

// send gives a request to the handler.
func send(v http.Handler, r *http.Request) (got response) {
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			got = response{cut: true, status: w.Code, header: w.Header(), body: w.Body.String()}
		}
	}()
	v.ServeHTTP(w, r)
	return response{status: w.Code, header: w.Header(), body: w.Body.String()}
}

// ask sends a signed request of the default account.
func ask(v *Venue, method, path, words string) response {
	return send(v, signed(method, "/api/v3/"+path, words, DefaultKey, DefaultSecret))
}

// get sends a public request.
func get(v *Venue, path string) response {
	return send(v, httptest.NewRequest(http.MethodGet, "/api/v3/"+path, nil))
}

func decode[T any](t *testing.T, r response) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(r.body), &out); err != nil {
		t.Fatalf("%d %s: %v", r.status, r.body, err)
	}
	return out
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func add(t *testing.T, v *Venue, faults ...Fault) {
	t.Helper()
	if err := v.Faults.Add(faults...); err != nil {
		t.Fatal(err)
	}
}

const restingBid = "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=GTC quantity=0.01 price=1000 newClientOrderId="
const marketBuy = "symbol=BTCUSDT side=BUY type=MARKET quantity=0.01 newClientOrderId="

// forward is the handler behind the sockets that go-binance is told of once.
type forward struct{}

func (forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	socketVenue.venue.Load().ServeHTTP(w, r)
}
