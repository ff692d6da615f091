package adaptive

const (
	scoreWeight = .005
	scoreBet    = .5  // of the wealth, on each forecast
	scoreTrips  = 20  // wealth at which the forecasts are found worse than the base rate
	scoreReturn = 200 // predictions, before it may be found better again
	scoreBins   = 10

	proofScored = 500        // forecasts
	proofFor    = 24 * 3600. // seconds that they must span
	proofBetter = .9         // of the base rate's Brier score
	proofOff    = .1         // calibration error
)

// A score compares the forecasts of launched retries with that of the base rate.
//
// It bets that they are worse. As long as they are not, the wealth is a supermartingale, and exceeds 20 in less than one of twenty runs (Ville's
// inequality), but for what the least wealth adds, which lets it see what comes after a long good time. Where the model is as good as the base rate,
// as for failures that have nothing to do with each other, chance alone would decide which average is lower.
type score struct {
	n, since    uint32 // predictions; when the fallback was entered
	from        uint32 // predictions before those of the proof
	fallback    bool
	worse       float64 // wealth of the bet that the forecasts are worse than the base rate
	model, base float64 // Brier scores, recent
	rate        float64 // of success
	first, last float64 // when forecasts of the proof were scored, seconds
	bin         [scoreBins]struct{ n, forecast, good float32 }
}

// add scores the forecast p of a retry that ended at a moment.
func (s *score) add(p float64, ok bool, at float64) {
	y := 0.
	if ok {
		y = 1
	}
	if s.n == 0 {
		s.rate, s.worse = .5, 1
	}
	if s.n == s.from {
		s.first = at
	}
	s.n++
	s.last = at
	w := max(scoreWeight, 1/float64(s.n))
	model, base := (p-y)*(p-y), (s.rate-y)*(s.rate-y)
	s.model += w * (model - s.model)
	s.base += w * (base - s.base)
	s.rate += w * (y - s.rate)
	b := &s.bin[min(int(p*scoreBins), scoreBins-1)]
	b.n++
	b.forecast += float32(p)
	b.good += float32(y)
	switch {
	case !s.fallback:
		if s.worse = max(leastWealth, s.worse*(1+scoreBet*(model-base))); s.worse >= scoreTrips {
			s.fallback, s.since, s.worse = true, s.n, 1
		}
	case s.n-s.since >= scoreReturn && s.model <= .9*s.base:
		s.fallback = false
	}
}

// restart begins the proof anew.
func (s *score) restart() {
	s.from = s.n
	clear(s.bin[:])
}

// calibration is the expected calibration error: how far forecasts are from what came true, 0 to 1.
func (s *score) calibration() float64 {
	var off, n float32
	for _, b := range s.bin {
		n += b.n
		off += max(b.forecast-b.good, b.good-b.forecast)
	}
	if n == 0 {
		return 0
	}
	return float64(off / n)
}

// proven says that the forecasts are many, span a day, are better than the base rate's, and come true as often as they say.
func (s *score) proven() bool {
	return s.n-s.from >= proofScored && s.last-s.first >= proofFor && s.model <= proofBetter*s.base && s.calibration() <= proofOff
}
