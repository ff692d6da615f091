package ordertest

import (
	"errors"
	"testing"
	"time"

	"github.com/relent-go/relent/exchange/order"
)

func TestModel(t *testing.T) {
	Run(t, func(*testing.T) order.Log { return &Model{} }, Options{})
}

func TestModelByRealTime(t *testing.T) {
	promises := []promise{promises[0], promises[3]}
	for _, p := range promises {
		p.run(t, suite{
			Options: Options{Pass: func(_ *testing.T, d time.Duration) { time.Sleep(d) }, Lease: 20 * time.Millisecond},
			open:    func(*testing.T) order.Log { return &Model{} }, report: t.Errorf,
		})
	}
}

func TestModelBreaks(t *testing.T) {
	broken := errors.New("disk full")
	m := &Model{}
	l, err := m.Acquire(t.Context(), scope, "one", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	m.Broken = func([]order.Entry) error { return broken }
	if err := m.Append(t.Context(), l, intent(id(1))); !errors.Is(err, broken) {
		t.Errorf("Append = %v; want %v", err, broken)
	}
	m.Broken = func([]order.Entry) error { return nil }
	if err := m.Append(t.Context(), l, intent(id(1))); err != nil {
		t.Errorf("Append = %v; want nil", err)
	}
}
