package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retryhttp"
)

// mostBody is the longest answer that is read; those of this workload have a few kB.
const mostBody = 1 << 20

// whole reads each answer to its end before it hands it on, so that one that is cut counts as an
// attempt that failed. Above, the SDK would only see an unexpected EOF after a 200.
type whole struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (w whole) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostBody+1))
	resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("%s %s: status %d, then the answer was cut: %w", r.Method, r.URL.Path, resp.StatusCode, err)
	}
	if len(body) > mostBody {
		return nil, fmt.Errorf("%s %s: answer longer than %d bytes", r.Method, r.URL.Path, mostBody)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// A verdict is what an answer proves about the attempt that it answers.
type verdict struct {
	answered bool
	class    retry.Class
	hint     time.Duration
	code     int // the venue's own; 0 for none
	status   int
}

type verdictKey struct{}

// attempt runs one attempt of an SDK call, and marks its error with what the transport saw.
func attempt(ctx context.Context, call func(context.Context) error) (verdict, error) {
	v := &verdict{}
	err := call(context.WithValue(ctx, verdictKey{}, v))
	if err != nil && v.answered {
		err = retry.MarkAfter(fmt.Errorf("http %d: %w", v.status, err), v.class, v.hint)
	}
	return *v, err
}

// judge notes, for the attempt that a request belongs to, what its answer proves. It also takes
// away the usage headers, which the SDK would write into the client without a lock.
type judge struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (j judge) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := j.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for name := range resp.Header {
		if strings.HasPrefix(name, "X-Mbx-") {
			resp.Header.Del(name)
		}
	}
	if v, ok := r.Context().Value(verdictKey{}).(*verdict); ok {
		body, err := io.ReadAll(resp.Body) // whole has it in memory
		if err != nil {
			return nil, err
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		*v = judged(resp, body)
	}
	return resp, nil
}

// judged applies the rules of Binance Spot (rest-api.md and errors.md of binance-spot-api-docs):
// 5xx means that the execution status is unknown; 429 and 418 that nothing was done; another 4xx that the request
// was refused, if it carries a code of the venue, and nothing at all if it does not.
func judged(resp *http.Response, body []byte) verdict {
	var e struct {
		Code int `json:"code"`
	}
	v := verdict{answered: true, status: resp.StatusCode}
	if json.Unmarshal(body, &e) == nil {
		v.code = e.Code
	}
	v.hint, _ = retryhttp.ParseHint(resp.Header, time.Now())
	switch {
	case resp.StatusCode == http.StatusTeapot: // a ban: any request makes it longer
		v.class = retry.Permanent
	case resp.StatusCode == http.StatusTooManyRequests, v.code == codeOverloaded && resp.StatusCode < 500:
		v.class = retry.Throttled
	case resp.StatusCode >= 500, resp.StatusCode < 400, v.code == 0, v.code == codeUnknown, v.code == codeDisconnected, v.code == codeTimeout, v.code == codeUnexpected:
		v.class = retry.Ambiguous
	case v.code == codeClock: // refused before the engine; signed anew it may pass
		v.class = retry.Transient
	default:
		v.class = retry.Permanent
	}
	return v
}

// Codes of Binance Spot, errors.md.
const (
	codeUnknown      = -1000
	codeDisconnected = -1001
	codeUnexpected   = -1006
	codeTimeout      = -1007
	codeOverloaded   = -1008
	codeClock        = -1021
	codeRejected     = -2010
	codeCancelFailed = -2011
	codeNoSuchOrder  = -2013
)
