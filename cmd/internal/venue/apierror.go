package venue

import (
	"fmt"
	"net/http"
	"time"
)

// An apiError is a refusal in the venue's words (Binance spot API errors).
type apiError struct {
	status     int
	code       int
	msg        string
	data       any           // of a half result; nil if there is none
	alpaca     int           // code of the Alpaca interface, if it is one of its refusals
	retryAfter time.Duration // sent rounded up to seconds if positive
}

// answer writes a refusal. A style that puts the code into a 200 does so with what was understood and refused; limits,
// missing rights and outages keep their status.
func (e *apiError) answer(style ErrorStyle) Answer {
	if style == alpacaStyle {
		return e.alpacaAnswer()
	}
	status := e.status
	if style == CodeInBody && status == http.StatusBadRequest {
		status = http.StatusOK
	}
	a := Answer{Status: status, Body: encode(e.body())}
	if e.data != nil {
		a.Body = encode(struct {
			errorBody
			Data any `json:"data"`
		}{e.body(), e.data})
	}
	if e.retryAfter > 0 {
		a.Header = http.Header{"Retry-After": {seconds(e.retryAfter)}}
	}
	return a
}

type errorBody struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
}

func (e *apiError) body() errorBody { return errorBody{e.code, e.msg} }

// seconds rounds up: a client that waits as told must find the limit open.
func seconds(d time.Duration) string { return fmt.Sprint(int64((d + time.Second - 1) / time.Second)) }

func refuse(code int, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, msg: fmt.Sprintf(format, args...)}
}

func mandatory(name string) *apiError {
	return refuse(-1102, "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name)
}

func illegal(name, pattern string) *apiError {
	return refuse(-1100, "Illegal characters found in parameter '%s'; legal range is '%s'.", name, pattern)
}

func filterFailure(filter string) *apiError { return refuse(-1013, "Filter failure: %s", filter) }

// Errors without arguments, -11xx for parameters and -2xxx for the engine.
var (
	errTooLate        = refuse(-1021, "Timestamp for this request is outside of the recvWindow.")
	errTooEarly       = refuse(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
	errDeadline       = refuse(-1021, "The deadline of this request is over.")
	errSignature      = refuse(-1022, "Signature for this request is not valid.")
	errTimeInForce    = refuse(-1115, "Invalid timeInForce.")
	errOrderType      = refuse(-1116, "Invalid orderType.")
	errSide           = refuse(-1117, "Invalid side.")
	errInterval       = refuse(-1120, "Invalid interval.")
	errSymbol         = refuse(-1121, "Invalid symbol.")
	errTimeSpan       = refuse(-1127, "More than 24 hours between startTime and endTime.")
	errCombination    = refuse(-1128, "Combination of optional parameters invalid.")
	errRecvWindow     = refuse(-1131, "recvWindow must be less than 60000.")
	errBalance        = refuse(-2010, "Account has insufficient balance for requested action.")
	errDuplicate      = refuse(-2010, "Duplicate order sent.")
	errWouldMatch     = refuse(-2010, "Order would immediately match and take.")
	errSelfTrade      = refuse(-2010, "This symbol does not allow the specified self-trade prevention mode.")
	errReplaceFailed  = refuse(-2022, "Order cancel-replace failed.")
	errReplaceHalf    = &apiError{status: http.StatusConflict, code: -2021, msg: "Order cancel-replace partially failed."}
	errGone           = &apiError{status: http.StatusGone, code: -1000, msg: "This endpoint was removed. Use userDataStream.subscribe.signature of the WebSocket API."}
	errNoQuery        = refuse(-1106, "Parameter 'origClientOrderId' sent when not required.")
	errMaintenance    = &apiError{status: http.StatusServiceUnavailable, code: -1016, msg: "This service is no longer available."}
	errListenKey      = refuse(-1125, "This listenKey does not exist.")
	errFull           = refuse(-2010, "The venue has reached its limit of orders.")
	errUnknownOrder   = refuse(-2011, "Unknown order sent.")
	errCancelRestrict = refuse(-2011, "Order was not canceled due to cancel restrictions.")
	errNoSuchOrder    = refuse(-2013, "Order does not exist.")
	errIDMismatch     = refuse(-2039, "Client order ID is not correct for this order ID.")
	errKeyFormat      = &apiError{status: http.StatusUnauthorized, code: -2014, msg: "API-key format invalid."}
	errKey            = &apiError{status: http.StatusUnauthorized, code: -2015, msg: "Invalid API-key, IP, or permissions for action."}
	errNotFound       = &apiError{status: http.StatusNotFound, code: -1000, msg: "Path not found."}
	errMethod         = &apiError{status: http.StatusMethodNotAllowed, code: -1000, msg: "Request method is not supported."}
	errTooLarge       = &apiError{status: http.StatusRequestEntityTooLarge, code: -1000, msg: "Request entity too large."}
	errTimeout        = &apiError{status: http.StatusServiceUnavailable, code: -1007, msg: "Timeout waiting for response from backend server. Send status unknown; execution status unknown."}
	errOverloaded     = &apiError{status: http.StatusServiceUnavailable, code: -1008, msg: "Server is currently overloaded with other requests. Please try again in a few minutes."}
	errTooMany        = &apiError{status: http.StatusTooManyRequests, code: -1003, msg: "Too many requests queued."}
)
