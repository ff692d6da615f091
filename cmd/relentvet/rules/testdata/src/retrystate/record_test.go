package retrystate

import (
	"context"
	"testing"

	"github.com/relent-go/relent/retry"
)

// A test writes down what each attempt saw.
func TestRecord(t *testing.T) {
	var seen []string
	_ = retry.Run(t.Context(), nil, func(context.Context) error {
		seen = append(seen, "attempt")
		return nil
	})
}
