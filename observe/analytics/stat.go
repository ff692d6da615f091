package analytics

import "math"

// betaFraction is the continued fraction of the incomplete beta function, by the method of Lentz (NIST DLMF 8.17.22).
func betaFraction(a, b, x float64) float64 {
	const tiny = 1e-300
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1), tiny)
	h := d
	for m := 1.0; m <= 400; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonzero(1+even*d, tiny)
		c = nonzero(1+even/c, tiny)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonzero(1+odd*d, tiny)
		c = nonzero(1+odd/c, tiny)
		h *= d * c
		if math.Abs(d*c-1) < 1e-14 {
			break
		}
	}
	return h
}

func nonzero(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}

// beta is the regularised incomplete beta function I_x(a, b), for a and b above 0.
func beta(a, b, x float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	if x < (a+1)/(a+b+2) {
		return front * betaFraction(a, b, x) / a
	}
	return 1 - front*betaFraction(b, a, 1-x)/b
}

// binomialTail is P(X >= m) for X of n trials with probability p.
func binomialTail(n, m int, p float64) float64 {
	if m <= 0 {
		return 1
	}
	if m > n {
		return 0
	}
	return beta(float64(m), float64(n-m+1), p)
}

// upperBound is the upper 95 % bound of Clopper and Pearson for s successes of n trials.
func upperBound(s, n int) float64 {
	if s >= n {
		return 1
	}
	lo, hi := 0.0, 1.0
	for range 50 {
		mid := (lo + hi) / 2
		if 1-binomialTail(n, s+1, mid) > 0.05 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// poissonTail is P(X >= k) for X with mean m.
func poissonTail(m float64, k int) float64 {
	if k <= 0 {
		return 1
	}
	if !(m > 0) {
		return 0
	}
	lg, _ := math.Lgamma(float64(k) + 1)
	term := math.Exp(float64(k)*math.Log(m) - m - lg)
	if float64(k) <= m { // the lower part is the shorter sum
		below, t := 0.0, term
		for i := float64(k); i > 0; i-- {
			t *= i / m
			below += t
			if t < below*1e-17 {
				break
			}
		}
		return max(0, 1-below)
	}
	sum := term
	for i := float64(k) + 1; term > sum*1e-17; i++ {
		term *= m / i
		sum += term
	}
	return sum
}

// poissonLower is the mean of which k or more have a chance of 10⁻³, by Wilson and Hilferty (1931).
func poissonLower(k float64) float64 {
	if k < 2 {
		return 0
	}
	x := 1 - 1/(9*k) - 3.09/(3*math.Sqrt(k))
	return k * max(x, 0) * x * x
}

// poissonBinomialTail is P(K >= k) for the number of successes of independent trials, by dynamic programming.
func poissonBinomialTail(ps []float64, k int) float64 {
	dist := make([]float64, len(ps)+1)
	dist[0] = 1
	for i, p := range ps {
		for j := i + 1; j > 0; j-- {
			dist[j] = dist[j]*(1-p) + dist[j-1]*p
		}
		dist[0] *= 1 - p
	}
	sum := 0.0
	for j := len(ps); j >= max(k, 0); j-- {
		sum += dist[j]
	}
	return sum
}

// votesP bounds the chance that m of n votes fall into three adjacent ones of b phases.
func votesP(b, n, m int) float64 {
	return min(1, float64(b)*binomialTail(n, m, 3/float64(b)))
}

// shardLLR is the log-likelihood ratio of one shard that carries more than its share: f of all fails, with c of all calls.
func shardLLR(f, c, fails, calls float64) float64 {
	e := fails * c / calls
	if !(f > e) {
		return 0
	}
	llr := f * math.Log(f/e)
	if rest := fails - f; rest > 0 {
		llr += rest * math.Log(rest/(fails-e))
	}
	return llr
}

// chiSquare tests the counts now against those before, with columns of expected count below 5 pooled. Distance is the total
// variation between the two mixes.
func chiSquare(now, before []float64) (chi float64, df int, distance float64) {
	sumNow, sumBefore := 0.0, 0.0
	for i := range now {
		sumNow += now[i]
		sumBefore += before[i]
	}
	if sumNow == 0 || sumBefore == 0 {
		return 0, 0, 0
	}
	total := sumNow + sumBefore
	var poolNow, poolBefore float64
	columns := 0
	add := func(a, b float64) {
		if a+b == 0 {
			return
		}
		ea, eb := (a+b)*sumNow/total, (a+b)*sumBefore/total
		chi += (a-ea)*(a-ea)/ea + (b-eb)*(b-eb)/eb
		columns++
	}
	for i := range now {
		distance += math.Abs(now[i]/sumNow-before[i]/sumBefore) / 2
		if column := now[i] + before[i]; column*min(sumNow, sumBefore)/total < 5 {
			poolNow += now[i]
			poolBefore += before[i]
		} else {
			add(now[i], before[i])
		}
	}
	add(poolNow, poolBefore)
	return chi, max(columns-1, 0), distance
}

// critical holds the values of χ² at 10⁻⁶ for 1 to 3 degrees of freedom: there are four classes.
func critical(df int) float64 {
	return [...]float64{math.Inf(1), 23.93, 27.63, 30.67}[df]
}

// flapWeight is the weight of change i of 20, from 1, the newest last. They sum to 20.
func flapWeight(i int) float64 { return 0.8 + 0.4*float64(i-1)/19 }

// ewma moves a mean; n is how many values it has seen, with the new one.
func ewma(mean, x, alpha float64, n int) float64 {
	return mean + max(alpha, 1/float64(n))*(x-mean)
}

func clamp(x, lo, hi float64) float64 { return min(max(x, lo), hi) }

// ratio is a/b, and 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
