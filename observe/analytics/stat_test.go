package analytics

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s = %v; want %v", what, got, want)
	}
}

// The constants are those of the specification, or of closed forms.
func TestStatistics(t *testing.T) {
	for n, want := range map[int]float64{58: 1 - math.Pow(0.05, 1/58.0), 59: 1 - math.Pow(0.05, 1/59.0)} {
		near(t, "upperBound(0, n)", upperBound(0, n), want, 1e-9)
	}
	if !(upperBound(0, 58) > 0.05 && upperBound(0, 59) < 0.05) {
		t.Error("59 retries without a success are the fewest that say something")
	}
	near(t, "upperBound(3, 3)", upperBound(3, 3), 1, 0)
	near(t, "binomialTail(4, 2, 1/2)", binomialTail(4, 2, 0.5), 11.0/16, 1e-12)
	near(t, "binomialTail(4, 0)", binomialTail(4, 0, 0.5), 1, 0)
	near(t, "binomialTail(4, 5)", binomialTail(4, 5, 0.5), 0, 0)
	near(t, "binomialTail(4, 4, 1)", binomialTail(4, 4, 1), 1, 0)
	near(t, "binomialTail(4, 4, 0)", binomialTail(4, 4, 0), 0, 0)
	near(t, "nonzero", nonzero(0, 1e-300), 1e-300, 0)

	near(t, "poissonTail(1, 0)", poissonTail(1, 0), 1, 0)
	near(t, "poissonTail(1, 1)", poissonTail(1, 1), 1-math.Exp(-1), 1e-12)
	near(t, "poissonTail(5, 2)", poissonTail(5, 2), 1-6*math.Exp(-5), 1e-12)
	near(t, "poissonTail(2000, 1000)", poissonTail(2000, 1000), 1, 1e-12)
	near(t, "poissonTail(NaN, 1)", poissonTail(math.NaN(), 1), 0, 0)
	near(t, "poissonBinomialTail", poissonBinomialTail([]float64{0.5, 0.5, 0.5}, 2), 0.5, 1e-12)

	near(t, "shardLLR, 20 of 40 on one of ten", shardLLR(20, 100, 40, 1000), 20.43, 0.01)
	near(t, "shardLLR, 14 of 40", shardLLR(14, 100, 40, 1000), 9.08, 0.01)
	near(t, "shardLLR, less than its share", shardLLR(1, 100, 40, 1000), 0, 0)
	near(t, "shardLLR, all of them", shardLLR(40, 100, 40, 1000), 40*math.Log(10), 1e-9)

	weights := 0.0
	for i := 1; i <= 20; i++ {
		weights += flapWeight(i)
	}
	near(t, "the sum of weights", weights, 20, 1e-9)
	near(t, "the newest weight", flapWeight(20), 1.2, 1e-12)

	limit := periodicP / float64(len(periods))
	for _, v := range []struct{ n, m int }{{30, 21}, {12, 12}} {
		if votesP(12, v.n, v.m) >= limit || votesP(12, v.n, v.m-1) < limit {
			t.Errorf("of %d votes, %d are the fewest: p = %v and %v; limit %v", v.n, v.m, votesP(12, v.n, v.m), votesP(12, v.n, v.m-1), limit)
		}
	}
	for df, want := range []float64{math.Inf(1), 23.93, 27.63, 30.67} {
		if got := critical(df); got != want {
			t.Errorf("critical(%d) = %v; want %v", df, got, want)
		}
	}
	chi, df, distance := chiSquare([]float64{10, 20}, []float64{20, 10})
	near(t, "chi square", chi, 20.0/3, 1e-9)
	near(t, "distance", distance, 1.0/3, 1e-9)
	if df != 1 {
		t.Errorf("df = %d; want 1", df)
	}
	if _, df, _ := chiSquare([]float64{100, 1, 1}, []float64{100, 2, 1}); df != 1 {
		t.Errorf("with two columns pooled, df = %d; want 1", df)
	}
	if chi, df, _ := chiSquare([]float64{0, 0}, []float64{1, 1}); chi != 0 || df != 0 {
		t.Errorf("of nothing: %v, %d", chi, df)
	}
	near(t, "ratio", ratio(1, 0), 0, 0)
	near(t, "mod", float64(mod(-1, 10)), 9, 0)

	// Mean delays of the failure CUSUM at p0 = 1 %, p1 = 5 %, h = 30.
	s := &subject{}
	s.reset("a", nil, 0)
	s.base = 0.01
	s.rates()
	for p, want := range map[float64]float64{0.05: 727, 0.1: 242, 0.3: 66} {
		near(t, "delay in calls", shiftAlarm/(p*s.up+(1-p)*s.down), want, want*0.01)
	}
}

func FuzzStatistics(f *testing.F) {
	f.Add(10, 3, 0.1)
	f.Add(100000, 5, 1e-9)
	f.Fuzz(func(t *testing.T, n, k int, p float64) {
		n, k = int(uint(n)%100000), int(uint(k)%100000)
		if math.IsNaN(p) || p < 0 || p > 1 {
			p = 0.5
		}
		for name, x := range map[string]float64{"binomialTail": binomialTail(n, k, p), "poissonTail": poissonTail(p*1000, k), "upperBound": upperBound(k, n)} {
			if !(x >= -1e-9 && x <= 1+1e-9) {
				t.Errorf("%s(%d, %d, %v) = %v", name, n, k, p, x)
			}
		}
	})
}

// The values are the exact ones, from sums of the Poisson distribution, within 5 %.
func TestPoissonLower(t *testing.T) {
	for k, want := range map[float64]float64{0: 0, 1: 0, 2: 0, 8: 1.97, 16: 6.26, 200: 159} {
		got := poissonLower(k)
		if k > 2 && (math.Abs(got-want) > 0.05*want || math.Abs(poissonTail(got, int(k))-1e-3) > 3e-4) || k < 2 && got != 0 || got < 0 {
			t.Errorf("poissonLower(%v) = %v, of a chance of %v; want %v", k, got, poissonTail(got, int(k)), want)
		}
	}
}
