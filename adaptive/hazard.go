package adaptive

import "math"

// bins is how many octaves of outage length a hazard tells apart, from 20 ms on.
const bins = 21

// What is known of a bin before any outage: a scale-free prior, whose tail is a power law of exponent 0.62. Public
// outage feeds fit lognormal or heavier tails, never exponential ones.
const (
	priorRisk  = 2
	priorBack  = .7
	binDecay   = .97
	firstEdge  = .02 // seconds
	mostHazard = .98 // of a bin that recovers nearly always
)

// A hazard is what past outages say about how long one lasts: for each octave of length, how many reached it, and
// how many ended in it.
type hazard struct {
	risk, back [bins]float32
	sum        [bins + 1]float64 // of the hazard up to the lower edge of each bin
}

func (h *hazard) reset() {
	for i := range bins {
		h.risk[i], h.back[i] = priorRisk, priorBack
	}
	h.tally()
}

// tally works out the sums again, after a change.
func (h *hazard) tally() {
	for i := range bins {
		h.sum[i+1] = h.sum[i] - math.Log1p(-min(mostHazard, float64(h.back[i])/float64(h.risk[i])))
	}
}

// bin returns the bin that holds t seconds, and how far into it t lies, 0 to 1. Beyond the last edge the last bin goes on.
func bin(t float64) (int, float64) {
	x := t * (1 / firstEdge)
	if x <= 1 {
		return 0, max(0, x)
	}
	i := int(math.Float64bits(x)>>52) - 1023 // the exponent: 2^i ≤ x
	low := math.Float64frombits(uint64(i+1023) << 52)
	if x == low {
		return min(i, bins-1), 1
	}
	if i++; i >= bins {
		return bins - 1, (x - edge) / edge
	}
	return i, (x - low) / low
}

// edge is the lower edge of the last bin, in units of the first.
const edge = 1 << (bins - 2)

// at returns the cumulative hazard of an outage of t seconds.
func (h *hazard) at(t float64) float64 {
	i, part := bin(t)
	return h.sum[i] + part*(h.sum[i+1]-h.sum[i])
}

// learn adds an outage that lasted d seconds.
func (h *hazard) learn(d float64) {
	last, _ := bin(d)
	for i := range bins {
		h.risk[i] = priorRisk + binDecay*(h.risk[i]-priorRisk)
		h.back[i] = priorBack + binDecay*(h.back[i]-priorBack)
		if i <= last {
			h.risk[i]++
		}
	}
	h.back[last]++
	h.tally()
}
