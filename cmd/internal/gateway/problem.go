package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// A result is what became of a request, for metrics and problems.
type result string

// The results. Each but the first and the last is the end of a problem's type.
const (
	forwarded   result = "forwarded"            // the upstream's answer was passed on
	malformed   result = "malformed-request"    // it could be read in more than one way, or not at all
	noMethod    result = "method-not-supported" // CONNECT and TRACE
	noRoute     result = "no-route"
	looped      result = "loop"
	tooLarge    result = "body-too-large"
	tooSlow     result = "body-too-slow"
	crowded     result = "no-room"
	noSecret    result = "credentials-unavailable"
	stopped     result = "stopped"
	refused     result = "refused"
	limited     result = "rate-limited"
	unreachable result = "upstream-unreachable"
	late        result = "upstream-timeout"
	broken      result = "upstream-failed"
	unknown     result = "outcome-unknown" // of an order
	abandoned   result = "abandoned"       // by the client
)

var results = []result{
	forwarded, malformed, noMethod, noRoute, looped, tooLarge, tooSlow, crowded, noSecret, stopped, refused, limited,
	unreachable, late, broken, unknown, abandoned,
}

var statuses = map[result]int{
	malformed: http.StatusBadRequest, noMethod: http.StatusMethodNotAllowed, noRoute: http.StatusNotFound,
	looped: http.StatusLoopDetected, tooLarge: http.StatusRequestEntityTooLarge, tooSlow: http.StatusRequestTimeout,
	crowded: http.StatusServiceUnavailable, noSecret: http.StatusServiceUnavailable, stopped: http.StatusServiceUnavailable,
	refused: http.StatusServiceUnavailable, limited: http.StatusTooManyRequests, unreachable: http.StatusBadGateway,
	late: http.StatusGatewayTimeout, broken: http.StatusBadGateway, unknown: http.StatusBadGateway,
	abandoned: http.StatusServiceUnavailable,
}

var titles = map[result]string{
	malformed: "the request is malformed", noMethod: "the method is not supported", noRoute: "no route leads there",
	looped: "the request goes in circles", tooLarge: "the body is too large", tooSlow: "the body comes too slowly",
	crowded: "no room for the body", noSecret: "the proxy lacks credentials", stopped: "stopped by operators",
	refused: "refused by the proxy", limited: "the rate limit of the venue", unreachable: "the upstream cannot be reached",
	late: "the upstream did not answer in time", broken: "the upstream failed", unknown: "the outcome of the order is unknown",
	abandoned: "the client gave up",
}

// What is known about the effect of a request.
const (
	notSent  = "not_sent" // or known to have done nothing
	maybeWas = "unknown"
)

// A problem is an answer of the proxy itself.
type problem struct {
	kind     result
	detail   string
	outcome  string        // empty where nobody asks
	after    time.Duration // Retry-After
	attempts int
	extra    map[string]any // further members; the standard ones win
}

// write answers with the problem.
func (p problem) write(w http.ResponseWriter) {
	members := map[string]any{}
	for name, value := range p.extra {
		members[name] = value
	}
	status := statuses[p.kind]
	members["type"], members["title"], members["status"] = "urn:relent:proxy:"+string(p.kind), titles[p.kind], status
	members["detail"] = p.detail
	h := w.Header()
	if p.outcome != "" {
		members["outcome"] = p.outcome
		h.Set("Relent-Outcome", p.outcome)
	}
	if p.attempts > 0 {
		members["attempts"] = p.attempts
	}
	if p.after > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.after+time.Second-1)/time.Second)))
	}
	text, err := json.Marshal(members)
	if err != nil {
		panic(err) // all of it is text, or was JSON before
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	w.Write(text)
}
