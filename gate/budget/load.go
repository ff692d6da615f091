package budget

import (
	"fmt"
	"math"
)

// A Load declares what the other side must bear, so that a budget that could keep an outage going
// by itself is found before the outage. The zero value declares nothing.
type Load struct {
	Offered  float64 // first attempts per second, of all clients together; 0 means not declared
	Capacity float64 // attempts per second that the other side can serve; 0 means not declared
	Clients  int     // processes, each with budgets of its own; not positive means 1
}

// clients is Clients with its default.
func (l Load) clients() float64 { return float64(max(1, l.Clients)) }

// Worst returns the attempts per second for as long as every attempt fails, when ratio is the retries
// that a request earns whether it succeeds or not, and floor the retries per second that each client may
// make unearned. What only successes earn counts as 0: when all fail, nothing is earned.
func (l Load) Worst(ratio, floor float64) float64 {
	return l.Offered*(1+atLeast0(ratio)) + l.clients()*atLeast0(floor)
}

// atLeast0 keeps NaN.
func atLeast0(x float64) float64 { return math.Max(0, x) }

// Stable says whether the other side can recover while the retries go on: Offered·(1+ratio) + Clients·floor <
// Capacity. It is true where no load is declared, and false for a load that makes no sense.
func (l Load) Stable(ratio, floor float64) bool {
	if l.Offered == 0 || l.Capacity == 0 {
		return true
	}
	return l.Offered > 0 && l.Worst(ratio, floor) < l.Capacity
}

// Check returns nil or a [*Warning], by the rule of [Load.Stable].
func (l Load) Check(ratio, floor float64) error {
	if l.Stable(ratio, floor) {
		return nil
	}
	return &Warning{Load: l, Ratio: ratio, Floor: floor}
}

// A Warning says that a budget is no mistake in itself, but too much for the declared load.
type Warning struct {
	Load  Load
	Ratio float64 // retries that a request earns, even if it fails
	Floor float64 // retries per second that each client may make unearned
	Max   float64 // retries that each client may save up, if that is what the warning is about; else 0
}

// Error names the utilisation, the number of clients and the budget.
func (w *Warning) Error() string {
	if w.Max > 0 {
		return fmt.Sprintf("Max: %g retries saved up by each of %d clients are %.6g at once after an outage; use %d in a fleet of more than %d",
			w.Max, w.Load.Clients, w.Max*w.Load.clients(), DefaultFleetMax, LargeFleet)
	}
	l, s := w.Load, "s"
	if l.clients() == 1 {
		s = ""
	}
	return fmt.Sprintf("Load: an outage would keep itself going: %.4g/s offered to a capacity of %.4g/s (%.3g%% used), "+
		"with %.4g retries earned by each request and %g client%s free to make %.4g/s each, is %.4g/s",
		l.Offered, l.Capacity, 100*l.Offered/l.Capacity, w.Ratio, l.clients(), s, w.Floor, l.Worst(w.Ratio, w.Floor))
}
