package idempotent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Handler is an [http.Handler] that lets requests with an Idempotency-Key have at most one effect per key,
// after draft-ietf-httpapi-idempotency-key-header-07: 400 for a key that is missing or malformed, 409 while
// another request with it runs, 422 if it was used for another request, and the first response again once
// there is one. Each refusal has a body of type application/problem+json, whose "code" is for programs and
// whose "detail" says what to do next.
//
// Where the draft is silent: 503 says that the store is away and nothing was done; 500 that the outcome is
// unknown, no longer kept, or cannot be given again.
//
// Next and Store are needed; the other fields may be zero. A Handler in use is not modified; it is safe for
// concurrent use as far as its functions are.
type Handler struct {
	Next  http.Handler
	Store Store
	Name  string // of the resource: keys of different names never meet

	// Scope names the client that sends a request, such as the account that was authenticated: keys of
	// different clients never meet, so that nobody is shown the response to somebody else. Nil means that
	// all clients are one.
	Scope func(*http.Request) string

	Methods  []string // that need a key; nil means POST and PATCH; others pass as they are
	Optional bool     // a request without a key passes as it is, instead of a 400
	Bare     bool     // a key without quotes is taken as it is, as clients older than the draft send it
	Docs     string   // the URL of a page about keys, for the "type" of problems

	// Fingerprint stands for what a request asks for. Nil means the SHA-256 of method, path, query, content type and body.
	Fingerprint func(r *http.Request, body []byte) Fingerprint

	// Judge says what a response of Next means: Applied for one to be kept and given again, Absent if
	// nothing happened, so that the request may run again. Nil means [Judge].
	Judge func(status int, header http.Header) Effect

	// Reconcile finds out what became of an earlier request with key whose outcome is open; see [Guard].
	// r is the present request, whose body can be read. Of a Finding that is Applied, Value counts and not Err.
	Reconcile func(ctx context.Context, key string, r *http.Request) (Finding[Response], error)

	Lease       time.Duration // how long a claim holds, renewed while Next runs; not positive means 30 s
	Retain      time.Duration // how long a response is given again; not positive means 24 h
	Patience    time.Duration // how long a request goes on telling the store what happened; not positive means 5 s
	MaxRequest  int           // bytes of a request body, which is read ahead; not positive means 1 MiB; beyond it the answer is 413
	MaxResponse int           // bytes of a response body that are kept; not positive means 1 MiB; a longer one is sent, but cannot be given again
	Headers     []string      // of a response that are kept; nil means those of DefaultHeaders
}

// DefaultMaxBody is what MaxRequest and MaxResponse mean where they are not set.
const DefaultMaxBody = 1 << 20

// DefaultHeaders returns the fields of a response that are kept if no others are named: what describes the content
// and where to find it, and nothing that is meant for one client at one time, such as cookies.
func DefaultHeaders() []string {
	return []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Location",
		"Content-Type", "Etag", "Last-Modified", "Link", "Location", "Vary"}
}

// What the handler says about a response.
const (
	ReplayedHeader = "Idempotent-Replayed" // "true": it was made for an earlier request
	InDoubtHeader  = "Idempotent-In-Doubt" // "true": the store could not be told, so it may not be given again
)

// A Response is what is kept of one.
type Response struct {
	Status int         `json:"status"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}

// Judge is what a response means unless a Handler has a Judge of its own. 401, 407, 425, 429, and 503
// with Retry-After say that nothing was done, so the request may run again. 500, 502, 504, 408, and 503 without
// Retry-After leave open whether it was. All else is final and kept, client errors included.
func Judge(status int, header http.Header) Effect {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusTooEarly, http.StatusTooManyRequests:
		return Absent
	case http.StatusServiceUnavailable:
		if header.Get("Retry-After") != "" {
			return Absent
		}
		return Undetermined
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return Undetermined
	}
	return Applied
}

var (
	errBodyLost = errors.New("request body incomplete")
	errBodyLong = errors.New("request body too long")
	errNothing  = retry.Mark(errors.New("the response says that nothing was done"), retry.Transient)
	errOpen     = retry.Mark(errors.New("the response leaves open what was done"), retry.Ambiguous)
)

// Check returns all mistakes in h, joined, each beginning with its field's name, or nil. Without Store no request
// with a key is served; without Next none is.
func (h *Handler) Check() error {
	var errs []error
	if h.Next == nil {
		errs = append(errs, errors.New("Next: without one nothing is served"))
	}
	if err := h.guard().Check(); err != nil {
		errs = append(errs, err)
	}
	if h.MaxRequest < 0 {
		errs = append(errs, fmt.Errorf("MaxRequest: %d is negative and means %d", h.MaxRequest, DefaultMaxBody))
	}
	switch {
	case h.MaxResponse < 0:
		errs = append(errs, fmt.Errorf("MaxResponse: %d is negative and means %d", h.MaxResponse, DefaultMaxBody))
	case h.MaxResponse > MaxResult/2:
		errs = append(errs, fmt.Errorf("MaxResponse: a response of %d bytes may not fit into a result, which has %d at most", h.MaxResponse, MaxResult))
	}
	return errors.Join(errs...)
}

// An exchange is one request with a key.
type exchange struct {
	r    *http.Request
	body []byte
	key  string
	rec  recorder
}

// ServeHTTP lets Next serve the request, if its key is new, and else answers in its place.
//
// The response of Next is kept back until the store has it, unless Next flushes it or it is longer than
// MaxResponse. The writer that Next is given can be flushed, but not hijacked; informational responses are dropped.
// If Next panics, or returns without a response because the client went away, the outcome is unknown. The
// request's context carries [Key] and [Fence], and ends when the claim is lost.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.keyed(r.Method) || h.Optional && len(r.Header.Values(HeaderName)) == 0 {
		h.Next.ServeHTTP(w, r)
		return
	}
	x := &exchange{r: r, rec: recorder{w: w, header: make(http.Header), max: atMost(h.MaxResponse)}}
	var err error
	if x.key, err = h.key(r); err == nil {
		x.body, err = readAll(w, r, int64(atMost(h.MaxRequest)))
	}
	if err != nil {
		h.refuse(w, err)
		return
	}
	g := h.guard()
	result, err := g.Call(r.Context(), x, h.serve)
	h.answer(x, result, err)
}

func (h *Handler) keyed(method string) bool {
	if h.Methods == nil {
		return method == http.MethodPost || method == http.MethodPatch
	}
	return slices.Contains(h.Methods, method)
}

// key returns the key of a request, with the scope.
func (h *Handler) key(r *http.Request) (string, error) {
	values := r.Header.Values(HeaderName)
	switch {
	case len(values) == 0:
		return "", ErrNoKey
	case len(values) > 1:
		return "", ErrHeader
	}
	key, err := ParseHeader(values[0])
	if h.Bare && values[0] != "" && values[0][0] != '"' {
		key, err = values[0], nil
	}
	if err == nil && h.Scope != nil {
		scope := h.Scope(r)
		key = strconv.Itoa(len(scope)) + ":" + scope + key // so that no two scopes are taken for each other
	}
	return key, err
}

func atMost(bytes int) int {
	if bytes <= 0 {
		return DefaultMaxBody
	}
	return bytes
}

func readAll(w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, errBodyLong
	}
	if err != nil {
		return nil, errBodyLost
	}
	return b, nil
}

// guard is what a handler is made of.
func (h *Handler) guard() *Guard[*exchange, Response] {
	g := &Guard[*exchange, Response]{
		Name: h.Name, Store: h.Store, Lease: h.Lease, Retain: h.Retain, Patience: h.Patience,
		Key:         func(x *exchange) string { return x.key },
		Fingerprint: h.print,
		Codec:       responses{},
	}
	if h.Reconcile != nil {
		g.Reconcile = func(ctx context.Context, key string, x **exchange) (Finding[Response], error) {
			return h.Reconcile(ctx, key, (*x).request(ctx))
		}
	}
	return g
}

func (h *Handler) print(x *exchange) Fingerprint {
	if h.Fingerprint != nil {
		return h.Fingerprint(x.request(x.r.Context()), x.body)
	}
	return Fingerprinted(x.r.Method, x.r.URL.EscapedPath(), x.r.URL.RawQuery, x.r.Header.Get("Content-Type"), string(x.body))
}

// request returns the request with its body to be read from the beginning.
func (x *exchange) request(ctx context.Context) *http.Request {
	r := x.r.WithContext(ctx)
	r.Body = io.NopCloser(bytes.NewReader(x.body))
	return r
}

// serve lets Next answer, and says by its error what that means.
func (h *Handler) serve(ctx context.Context, x *exchange) (Response, error) {
	rec := &x.rec
	h.Next.ServeHTTP(rec, x.request(ctx))
	if rec.status == 0 && ctx.Err() != nil {
		return Response{}, errOpen
	}
	rec.WriteHeader(http.StatusOK)
	judge := h.Judge
	if judge == nil {
		judge = Judge
	}
	switch judge(rec.status, rec.sent) {
	case Absent:
		return Response{}, errNothing
	case Undetermined:
		return Response{}, errOpen
	}
	if rec.long {
		return Response{}, nil // which cannot be given again
	}
	return h.kept(rec), nil
}

// kept returns what is kept of a response.
func (h *Handler) kept(rec *recorder) Response {
	names := h.Headers
	if names == nil {
		names = DefaultHeaders()
	}
	kept := Response{Status: rec.status, Header: make(http.Header), Body: rec.body.Bytes()}
	for _, name := range names {
		if values := rec.sent.Values(name); values != nil {
			kept.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	return kept
}

// responses is the codec of responses. It refuses to give again what is not one.
type responses struct{ JSON[Response] }

var errNotWhole = errors.New("the response was not kept")

func (c responses) Decode(b []byte) (Response, error) {
	r, err := c.JSON.Decode(b)
	if err == nil && (r.Status < 200 || r.Status > 999) {
		err = errNotWhole
	}
	return r, err
}

// answer sends the response: that of Next, an earlier one, or a problem.
func (h *Handler) answer(x *exchange, result Result[Response], err error) {
	rec := &x.rec
	switch {
	case rec.live: // it went out as it came
	case result.Replayed && (err == nil || errors.Is(err, ErrInDoubt)):
		rec.w.Header().Set(ReplayedHeader, "true")
		send(rec.w, result.Value.Status, result.Value.Header)
		if len(result.Value.Body) > 0 {
			rec.w.Write(result.Value.Body)
		}
	case rec.status == 0, errors.Is(err, ErrClaimLost):
		h.refuse(rec.w, err)
	default:
		if errors.Is(err, ErrInDoubt) {
			rec.sent.Set(InDoubtHeader, "true")
		}
		rec.release()
	}
}
