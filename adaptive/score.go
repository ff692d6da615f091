package adaptive

const (
	scoreWeight = .005
	scoreEnough = 100 // predictions, before a model may be found worse than the base rate
	scoreReturn = 200 // predictions, before it may be found better again
	scoreBins   = 10

	proofScored = 500        // forecasts
	proofFor    = 24 * 3600. // seconds that they must span
	proofBetter = .9         // of the base rate's Brier score
	proofOff    = .1         // calibration error
)

// A score compares the forecasts of launched retries with that of the base rate.
type score struct {
	n, since    uint32 // predictions; when the fallback was entered
	fallback    bool
	model, base float64 // Brier scores, recent
	rate        float64 // of success
	first, last float64 // when forecasts were scored, seconds
	bin         [scoreBins]struct{ n, forecast, good float32 }
}

// add scores the forecast p of a retry that ended at a moment.
func (s *score) add(p float64, ok bool, at float64) {
	y := 0.
	if ok {
		y = 1
	}
	s.n++
	if s.n == 1 {
		s.rate, s.first = .5, at
	}
	s.last = at
	w := max(scoreWeight, 1/float64(s.n))
	s.model += w * ((p-y)*(p-y) - s.model)
	s.base += w * ((s.rate-y)*(s.rate-y) - s.base)
	s.rate += w * (y - s.rate)
	b := &s.bin[min(int(p*scoreBins), scoreBins-1)]
	b.n++
	b.forecast += float32(p)
	b.good += float32(y)
	switch {
	case !s.fallback && s.n >= scoreEnough && s.model > s.base:
		s.fallback, s.since = true, s.n
	case s.fallback && s.n-s.since >= scoreReturn && s.model <= .9*s.base:
		s.fallback = false
	}
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
	return s.n >= proofScored && s.last-s.first >= proofFor && s.model <= proofBetter*s.base && s.calibration() <= proofOff
}
