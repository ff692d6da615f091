package peer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// newRequest is http.NewRequestWithContext for the bodies of a [Send].
func newRequest(ctx context.Context, method, url string, body any) (*http.Request, error) {
	switch b := body.(type) {
	case nil:
		return http.NewRequestWithContext(ctx, method, url, nil)
	case []byte:
		return http.NewRequestWithContext(ctx, method, url, bytes.NewReader(b))
	case io.Reader:
		return http.NewRequestWithContext(ctx, method, url, b)
	}
	return nil, fmt.Errorf("body of type %T", body)
}

// reader returns the body of a [Send] as a reader, or nil.
func reader(body any) io.Reader {
	switch b := body.(type) {
	case []byte:
		return bytes.NewReader(b)
	case io.Reader:
		return b
	}
	return nil
}
