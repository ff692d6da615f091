package adaptive

import "math"

// periods are those that recoveries are searched for, in seconds: rate limits reset on the clock.
var periods = [...]float64{1, 5, 10, 15, 30, 60, 600}

const (
	phaseDecay  = .9
	phaseEnough = 4   // recoveries, decayed
	phaseSharp  = .93 // mean resultant length: how alike the phases are, 0 to 1
)

// phases is when recoveries came, as a mean direction on the circle of each period.
type phases [len(periods)]struct{ cos, sin, weight float32 }

// learn adds a recovery at t, in seconds since 1970.
func (p *phases) learn(t float64) {
	for i := range p {
		sin, cos := math.Sincos(2 * math.Pi * math.Mod(t, periods[i]) / periods[i])
		p[i].cos = phaseDecay*p[i].cos + float32(cos)
		p[i].sin = phaseDecay*p[i].sin + float32(sin)
		p[i].weight = phaseDecay*p[i].weight + 1
	}
}

// next returns how long after t the next recovery is due by the longest period that is plain to see.
func (p *phases) next(t float64) (wait float64, known bool) {
	for i := len(p) - 1; i >= 0; i-- {
		c, s, w := float64(p[i].cos), float64(p[i].sin), float64(p[i].weight)
		if w < phaseEnough || c*c+s*s <= phaseSharp*phaseSharp*w*w {
			continue
		}
		wait = math.Mod(math.Atan2(s, c)/(2*math.Pi)*periods[i]-math.Mod(t, periods[i]), periods[i])
		if wait < 0 {
			wait += periods[i]
		}
		return wait, true
	}
	return 0, false
}
