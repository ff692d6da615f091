package retryhttp

import "net/http"

const (
	keyHeader  = "Idempotency-Key"
	xKeyHeader = "X-Idempotency-Key"
)

// isSafe and isIdempotent are RFC 9110 §9.2.1 and §9.2.2. "" is GET, as in net/http.
func isSafe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

func isIdempotent(method string) bool {
	return isSafe(method) || method == http.MethodPut || method == http.MethodDelete
}

// isKeyed says that the caller has given h a key, or declared the request idempotent with an empty
// slice, which net/http takes as a key that is not sent.
func isKeyed(h http.Header) bool {
	for _, name := range [...]string{keyHeader, xKeyHeader} {
		if values, ok := h[name]; ok && (len(values) == 0 || values[0] != "") {
			return true
		}
	}
	return false
}

// hasKeyHeader is what net/http looks for, where an empty key counts, too.
func hasKeyHeader(h http.Header) bool {
	_, key := h[keyHeader]
	_, xKey := h[xKeyHeader]
	return key || xKey
}

// withHeader returns a copy of r with one header set.
func withHeader(r *http.Request, name, value string) *http.Request {
	r = r.WithContext(r.Context())
	if r.Header = r.Header.Clone(); r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header.Set(name, value)
	return r
}

// isCanceled looks at the deprecated way to cancel a request.
func isCanceled(r *http.Request) bool {
	select {
	case <-r.Cancel:
		return true
	default:
		return false
	}
}

// isInvalid says that net/http cannot send r, whenever it tries. Its errors for that have no types.
func isInvalid(r *http.Request) bool {
	return r.URL == nil || r.URL.Host == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" ||
		r.Header == nil || !validFields(r.Header) || !validFields(r.Trailer) ||
		r.Method != "" && !isToken(r.Method) ||
		hasControl(r.URL.RequestURI()) ||
		r.ContentLength != 0 && r.Body == nil
}

// validFields is RFC 9110 §5.1 and §5.5.
func validFields(h http.Header) bool {
	for name, values := range h {
		if !isToken(name) {
			return false
		}
		for _, v := range values {
			for i := range len(v) {
				if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
					return false
				}
			}
		}
	}
	return true
}

func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '!', c >= '#' && c <= '\'', c == '*', c == '+', c == '-', c == '.', c == '^', c == '_', c == '`', c == '|', c == '~':
		default:
			return false
		}
	}
	return s != ""
}
