package breaker

// A word is all that an attempt in good times has to know of a breaker, so that one atomic load
// tells it: from the low end the state, whether someone watches durations, the CUSUM in millionths, the
// generation, and the number of the breaker in its tree. The word an attempt was admitted under goes
// with it as its note. 0 is a breaker that has seen nothing.
type word uint64

const (
	stateBits = 3
	watched   = word(1) << stateBits

	scoreShift = stateBits + 1
	scoreBits  = 25
	scoreMask  = (word(1)<<scoreBits - 1) << scoreShift

	generationShift = scoreShift + scoreBits
	generationBits  = 19
	generationMask  = (word(1)<<generationBits - 1) << generationShift

	numberShift = generationShift + generationBits // 48
)

func (w word) state() State { return State(w&(1<<stateBits-1)) - 1 }

func (w word) with(s State) word { return w&^(1<<stateBits-1) | word(s+1) }

// passes says that every attempt is admitted without a further thought.
func (w word) passes() bool { return w&(1<<stateBits-1) == word(Closed+1) }

// quiet says that a success needs to be counted and nothing else.
func (w word) quiet() bool {
	return w&(1<<stateBits-1|watched|scoreMask) == word(Closed+1)
}

// score is the CUSUM; in the note of a probe, the number of its lease.
func (w word) score() int64 { return int64(w & scoreMask >> scoreShift) }

func (w word) scored(s int64) word {
	return w&^scoreMask | word(s)<<scoreShift&scoreMask
}

func (w word) generation() uint32 { return uint32(w & generationMask >> generationShift) }

func (w word) next() word {
	return w&^generationMask | (w+1<<generationShift)&generationMask
}

// since says that w is of generation g or a later one. Generations wrap around after half a million
// transitions, which no attempt outlives.
func (w word) since(g uint32) bool {
	return (w.generation()-g)&(1<<generationBits-1) < 1<<(generationBits-1)
}

func (w word) number() int { return int(w >> numberShift) }
