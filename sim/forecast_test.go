package sim_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/relent-go/relent/sim"
)

// reference is the scenario of the closed forms.
var reference = sim.Forecast{Arrivals: 80, Service: 100, Timeout: time.Second, Stall: 10 * time.Second, Retries: 3}

func TestForecastRecovery(t *testing.T) {
	for _, test := range []struct {
		name            string
		allowance, want float64
	}{
		{"S10 no retries", 0, 35}, {"S10 an allowance of 10", 10, 35.5}, {"S10 of 100", 100, 40}, {"S10 of 10 000", 10_000, 535},
		{"aws-2026: 100 clients with 500/14", 500. / 14 * 100, 213.6}, {"an allowance that is not a number", math.NaN(), 35}, {"a negative one", -9, 35},
	} {
		f := reference
		f.Allowance = test.allowance
		if got := f.Recovery(); math.Abs(got-test.want) > 0.05 {
			t.Errorf("%s: %v s; want %v", test.name, got, test.want)
		}
	}
	fleet := reference
	fleet.Clients, fleet.Allowance = 100, 1
	if got := fleet.Recovery(); got != 40 {
		t.Errorf("100 clients with one retry each: %v s; want 40", got)
	}
	for arrivals, want := range map[float64]float64{100: math.Inf(1), 120: math.Inf(1), 5: 0, math.NaN(): 0} {
		f := reference
		f.Arrivals = arrivals
		if got := f.Recovery(); got != want {
			t.Errorf("Recovery of %v arrivals = %v; want %v", arrivals, got, want)
		}
	}
}

func TestLayers(t *testing.T) {
	for _, test := range []struct{ attempts, depth, want int }{
		{3, 3, 27}, {3, 5, 243}, {4, 3, 64}, // S11
		{3, 0, 1}, {3, -1, 1}, {1, 50, 1}, {0, 3, 1}, {-2, 3, 1}, {2, 62, 1 << 62}, {2, 63, math.MaxInt}, {math.MaxInt, math.MaxInt, math.MaxInt},
	} {
		if got := sim.Layers(test.attempts, test.depth); got != test.want {
			t.Errorf("Layers(%d, %d) = %d; want %d", test.attempts, test.depth, got, test.want)
		}
	}
}

func TestVulnerable(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*sim.Forecast)
		want   bool
	}{
		{"the reference", func(*sim.Forecast) {}, true},
		{"no retries", func(f *sim.Forecast) { f.Retries = 0 }, false},
		{"one retry", func(f *sim.Forecast) { f.Retries = 1 }, true},
		{"λ 24 is below 25", func(f *sim.Forecast) { f.Arrivals = 24 }, false},
		{"λ 30 is above", func(f *sim.Forecast) { f.Arrivals = 30 }, true},
		{"a stall that waits for less than the timeout", func(f *sim.Forecast) { f.Stall = time.Second }, false},
		{"a queue of half a second", func(f *sim.Forecast) { f.Queue = 50 }, false},
		{"a queue of five seconds", func(f *sim.Forecast) { f.Queue = 500 }, true},
		{"negative retries", func(f *sim.Forecast) { f.Retries = -1 }, false},
		{"no number", func(f *sim.Forecast) { f.Arrivals = math.NaN() }, false},
	} {
		f := reference
		if test.change(&f); f.Vulnerable() != test.want {
			t.Errorf("%s: Vulnerable = %v; want %v", test.name, f.Vulnerable(), test.want)
		}
	}
}

func TestBudgetLoad(t *testing.T) {
	for _, test := range []struct {
		name   string
		f      sim.Forecast
		load   float64
		stable bool
	}{
		{"finagle at 80", sim.Forecast{Arrivals: 80, Service: 100, Ratio: 0.2, Floor: 10}, 106, false},
		{"finagle at 70", sim.Forecast{Arrivals: 70, Service: 100, Ratio: 0.2, Floor: 10}, 94, true},
		{"finagle at 60", sim.Forecast{Arrivals: 60, Service: 100, Ratio: 0.2, Floor: 10}, 82, true},
		{"ratio 0.1", sim.Forecast{Arrivals: 80, Service: 100, Ratio: 0.1}, 88, true},
		{"ratio 0.25", sim.Forecast{Arrivals: 80, Service: 100, Ratio: 0.25}, 100, false},
		{"100 clients", sim.Forecast{Arrivals: 80, Service: 100, Ratio: 0.2, Floor: 10, Clients: 100}, 1096, false},
		{"success funding", sim.Forecast{Arrivals: 80, Service: 100}, 80, true},
	} {
		if got := test.f.BudgetLoad(); math.Abs(got-test.load) > 1e-9 || test.f.Stable() != test.stable {
			t.Errorf("%s: load %v, stable %v; want %v, %v", test.name, got, test.f.Stable(), test.load, test.stable)
		}
	}
}

func TestDrain(t *testing.T) {
	f := reference
	f.Queue = 500
	if f.Drain() != 25 || f.DrainAll() != 5 {
		t.Errorf("a queue of 500 needs %v s without retries, %v s without traffic; want 25, 5", f.Drain(), f.DrainAll())
	}
	f.Arrivals = 100
	if !math.IsInf(f.Drain(), 1) || !math.IsInf((sim.Forecast{}).DrainAll(), 1) {
		t.Error("a server without time to spare drains")
	}
}

func TestThrottleConstant(t *testing.T) {
	if got := sim.ThrottleConstant(10*time.Second, 2); got != 5 {
		t.Errorf("10 s with K 2: %v; want 5", got)
	}
	if got := sim.ThrottleConstant(-1, 2); got != 0 {
		t.Errorf("a negative window: %v; want 0", got)
	}
	if got := sim.ThrottleConstant(10*time.Second, 0); !math.IsInf(got, 1) {
		t.Errorf("K 0: %v; want never", got)
	}
}

func ExampleForecast() {
	f := sim.Forecast{Arrivals: 80, Service: 100, Timeout: time.Second, Stall: 10 * time.Second, Retries: 3}
	fmt.Println("can retries keep it down?", f.Vulnerable())
	fmt.Println("seconds to recover without retries:", f.Recovery())
	f.Clients, f.Allowance = 100, 500./5
	fmt.Println("with 100 clients that saved up 100 retries each:", f.Recovery())
	// Output:
	// can retries keep it down? true
	// seconds to recover without retries: 35
	// with 100 clients that saved up 100 retries each: 535
}
