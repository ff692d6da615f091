package idempotenttest_test

import (
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
)

func TestModel(t *testing.T) {
	idempotenttest.Run(t, func(*testing.T) idempotent.Store { return &idempotenttest.Model{} }, idempotenttest.Options{})
}

// A store with a clock of its own, which the tests move, as a database has.
func TestModelWithAClock(t *testing.T) {
	var passed time.Duration
	start := time.Now()
	open := func(*testing.T) idempotent.Store {
		return &idempotenttest.Model{Now: func() time.Time { return start.Add(passed) }}
	}
	idempotenttest.Run(t, open, idempotenttest.Options{
		Pass: func(_ *testing.T, d time.Duration) { passed += d }, Lease: time.Second, Rounds: 100,
	})
}
