package venue

import (
	"net/http"
	"strconv"
	"time"
)

// Refusals of the Alpaca interface.
var (
	errAlpacaUnique  = alpacaRefusal(http.StatusUnprocessableEntity, 40010001, "client_order_id must be unique")
	errAlpacaFunds   = alpacaRefusal(http.StatusForbidden, 40310000, "insufficient buying power")
	errAlpacaUnknown = alpacaRefusal(http.StatusNotFound, 40410000, "order not found")
	errAlpacaDone    = alpacaRefusal(http.StatusUnprocessableEntity, 42210000, "order is not cancelable")
	errAlpacaSymbol  = alpacaRefusal(http.StatusUnprocessableEntity, 42210000, "asset not found")
)

func alpacaRefusal(status, code int, msg string) *apiError {
	return &apiError{status: status, alpaca: code, msg: msg}
}

// alpacaCodes are the codes of refusals that both fronts share, by status.
var alpacaCodes = map[int]int{
	http.StatusBadRequest: 40010001, http.StatusUnauthorized: 40110000, http.StatusForbidden: 40310000,
	http.StatusNotFound: 40410000, http.StatusTeapot: 42910000, http.StatusTooManyRequests: 42910000,
}

// alpacaAnswer writes a refusal as Alpaca does. What the other front answers with 400 is a 422 here.
func (e *apiError) alpacaAnswer() Answer {
	switch e {
	case errDuplicate:
		e = errAlpacaUnique
	case errBalance:
		e = errAlpacaFunds
	case errNoSuchOrder, errUnknownOrder:
		e = errAlpacaUnknown
	case errSymbol:
		e = errAlpacaSymbol
	}
	status, code := e.status, e.alpaca
	if code == 0 {
		code = alpacaCodes[status]
		switch {
		case code == 0:
			code = status * 100_000
		case status == http.StatusBadRequest:
			status = http.StatusUnprocessableEntity
		case status == http.StatusTeapot:
			status = http.StatusTooManyRequests
		}
	}
	a := Answer{Status: status, Body: encode(struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	}{code, e.msg})}
	if e.retryAfter > 0 {
		a.Header = http.Header{"Retry-After": {seconds(e.retryAfter)}}
	}
	return a
}

// alpacaHeader tells how much of the limit is left. The simulated account has 200 requests a minute unless the profile
// says otherwise.
func (v *Venue) alpacaHeader(c *call, h http.Header) {
	v.mu.Lock()
	defer v.mu.Unlock()
	limit, left, reset := c.world.limits.meters.remaining(c.key, time.Now())
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
}
