package exchange

import (
	"net/http"
	"net/http/httptrace"
)

var gotConn httptrace.GotConnInfo

func traceOf(r *http.Request) *httptrace.ClientTrace {
	return httptrace.ContextClientTrace(r.Context())
}
