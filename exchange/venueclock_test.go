package exchange_test

import (
	"testing"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
)

// A clock of the transport is the clock of the machine above it.
func TestClockOfTheMachine(t *testing.T) {
	var c order.Clock = &exchange.Clock{}
	if _, off, ok := c.Venue(); ok || off != exchange.UnheardError {
		t.Errorf("a clock that heard nothing is off by %v, ok %t", off, ok)
	}
}
