package adaptive

const (
	controlShare = 10  // one call in as many is left as configured
	bet          = .5  // of the wealth, on each retry that was advised against
	guardTrips   = 100 // wealth at which stops are found to do harm
	guardReturns = 20  // likewise, at which they are found right again
	sure         = .9  // likewise, of the bet that they do not: it wins little at a time
	longOutage   = 30. // seconds after which stops in an outage are carried out without such proof: the budget would be spent, and the outage is plain to see
	trusted      = 5   // wealth of that bet from which stops are carried out
	leastWealth  = .05 // so that a long good time does not hide what came after it
)

// control says whether a call is left as configured.
func control(call uint64) bool { return mix(call)%controlShare == 0 }

// mix spreads the bits of x (the finalizer of splitmix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// A guard watches what retries earn that were made against the model's advice: those of the control arm, and those whose stop was
// left away. It bets that they pay. As long as they do not, wealth is a supermartingale, and exceeds 100 in less than one
// of a hundred runs, however long (Ville's inequality); above that, stops are believed to do harm, and none is carried out
// until the opposite bet has won.
type guard struct {
	on       bool
	trips    uint32
	pays     float64 // wealth of the bet that going on pays
	doesNot  float64 // of the opposite
	stopped  uint64  // calls
	until    float64 // when the last one that counted in an outage was over, in seconds
	observed uint64  // retries made against the advice
	earned   float64
}

func (g *guard) reset() { g.on, g.pays, g.doesNot = false, 1, 1 }

// lets says whether a stop may be carried out: one of five, until those that were not are found not to pay.
func (g *guard) lets(call uint64) bool {
	return g.doesNot >= trusted || mix(call^0x5bd1e995)%5 == 0
}

// add counts a retry that earned x, in successes.
func (g *guard) add(x float64) {
	x = min(1, max(-1, x))
	g.observed++
	g.earned += x
	g.doesNot = min(guardReturns, max(leastWealth, g.doesNot*(1-sure*x)))
	if !g.on {
		g.pays = max(leastWealth, g.pays*(1+bet*x))
		if g.pays >= guardTrips {
			g.on, g.doesNot = true, 1
			g.trips++
		}
		return
	}
	if g.doesNot >= guardReturns {
		g.on, g.pays = false, 1
	}
}
