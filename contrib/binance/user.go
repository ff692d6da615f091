package binanceorders

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// UserTopic is the one topic of a [User] stream.
var UserTopic = retryws.Topic{Channel: "user"}

// User is the [retryws.Protocol] of an account's private stream: a link to the WebSocket API on which the events of the
// account are subscribed with a signature (userDataStream.subscribe.signature; listen keys are gone since 2026). Events
// are messages of UserTopic; [Execution] reads those about orders.
type User struct {
	URL         string // such as wss://ws-api.binance.com:443/ws-api/v3
	Key, Secret string

	// Now returns the venue's time, to sign with; nil means this machine's.
	Now func() time.Time
}

var _ retryws.Protocol = (*User)(nil)

// Address is of [retryws.Protocol].
func (u *User) Address(retryws.Credentials) retryws.Address { return retryws.Address{URL: u.URL} }

// Auth is of [retryws.Protocol]: it is the subscription that is signed.
func (u *User) Auth(*retryws.Request) ([]byte, error) { return nil, nil }

// Subscribe is of [retryws.Protocol].
func (u *User) Subscribe(r *retryws.Request) ([]byte, error) {
	now := time.Now()
	if u.Now != nil {
		now = u.Now()
	}
	q := url.Values{"apiKey": {u.Key}, "timestamp": {strconv.FormatInt(now.UnixMilli(), 10)}}
	sum := hmac.New(sha256.New, []byte(u.Secret))
	sum.Write([]byte(q.Encode())) // sorted by name, as the venue wants it
	return json.Marshal(map[string]any{"id": r.ID, "method": "userDataStream.subscribe.signature", "params": map[string]any{
		"apiKey": u.Key, "timestamp": now.UnixMilli(), "signature": hex.EncodeToString(sum.Sum(nil)),
	}})
}

// Unsubscribe is of [retryws.Protocol].
func (u *User) Unsubscribe(r *retryws.Request) ([]byte, error) {
	return json.Marshal(map[string]any{"id": r.ID, "method": "userDataStream.unsubscribe"})
}

// Ping is of [retryws.Protocol]: Binance takes ping frames.
func (u *User) Ping() []byte { return nil }

// Classify is of [retryws.Protocol].
func (u *User) Classify(message []byte, f *retryws.Frame) {
	var v struct {
		ID     uint64     `json:"id"`
		Status int        `json:"status"`
		Event  *userEvent `json:"event"`
		Error  *struct {
			Code int    `json:"code"`
			Text string `json:"msg"`
			Data struct {
				RetryAfter int64 `json:"retryAfter"` // the moment, in ms
				ServerTime int64 `json:"serverTime"`
			} `json:"data"`
		} `json:"error"`
		userEvent // of a notice that belongs to no subscription
	}
	if json.Unmarshal(message, &v) != nil {
		return
	}
	switch {
	case v.Event != nil && v.Event.Kind == "eventStreamTerminated":
		f.Kind, f.Sign, f.Text = retryws.Fault, retryws.Lost, "the venue ended the subscription"
	case v.Event != nil && v.Event.Kind != "serverShutdown":
		f.Kind, f.Topic, f.Time = retryws.Data, UserTopic, at(v.Event.At)
		if v.Event.Kind == "executionReport" {
			f.Key = v.Event.Symbol + "/" + string(v.Event.Execution)
		}
	case v.Event != nil, v.Kind == "serverShutdown":
		f.Kind, f.Closing, f.Text = retryws.Notice, true, "serverShutdown"
	case v.Status == http.StatusOK:
		f.Kind, f.ID = retryws.Confirmed, v.ID
	case v.Status != 0 && v.Error != nil:
		f.Kind, f.Sign, f.Text = retryws.Fault, signOf(v.Status, v.Error.Code), v.Error.Text
		if d := v.Error.Data; d.RetryAfter > d.ServerTime && d.ServerTime > 0 {
			f.After = time.Duration(d.RetryAfter-d.ServerTime) * time.Millisecond
		}
	}
}

// A userEvent is what events have in common, and the number of an execution.
type userEvent struct {
	Kind      string          `json:"e"`
	At        int64           `json:"E"`
	Symbol    string          `json:"s"`
	Side      json.RawMessage `json:"S"`
	Execution json.RawMessage `json:"I"`
	Order     json.RawMessage `json:"i"`
}

// signOf says what a refusal is a sign of. A clock that is off, an overload and what is not known are tried again by backoff.
func signOf(status, code int) retryws.Sign {
	switch {
	case status == http.StatusTeapot:
		return retryws.Banned
	case status == http.StatusTooManyRequests:
		return retryws.Throttled
	case code == -2015, code == -2014, code == -1022: // the key, its form, the signature (errors.md)
		return retryws.Unauthorized
	}
	return retryws.Lost
}
