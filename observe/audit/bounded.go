package audit

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Clone returns a copy that shares nothing with r, as a store would give it back.
func (r Record) Clone() Record {
	for _, b := range []**float64{&r.BudgetBefore, &r.BudgetAfter} {
		if *b != nil {
			*b = new(**b)
		}
	}
	r.Time = r.Time.UTC().Truncate(time.Microsecond)
	return r
}

// Bounded returns r as every store takes it, but for ID, Decision and Time if they are missing: texts cut to the longest that they may
// be (with "…" at the end), what is not UTF-8 replaced, numbers brought into their ranges, what is no digest and no number left out.
// A record that is still longer than [MaxRecord], because of escapes, gets shorter texts.
func (r Record) Bounded() Record {
	r = r.Clone()
	r.texts(func(s *string, most int, _ string) { *s = clip(*s, most) })
	for _, d := range []*string{&r.Key, &r.Payload} {
		if !isDigest(*d) {
			*d = ""
		}
	}
	for _, d := range []*time.Duration{&r.Mono, &r.Delay, &r.Hint, &r.Left} {
		*d = max(-maxNumber, min(*d, maxNumber))
	}
	r.Cost = max(-maxNumber, min(r.Cost, maxNumber))
	r.Attempt = max(-maxNumber, min(r.Attempt, maxNumber))
	r.Epoch, r.Count, r.Sequence = min(r.Epoch, maxNumber), min(r.Count, maxNumber), min(r.Sequence, maxNumber)
	for _, b := range []**float64{&r.BudgetBefore, &r.BudgetAfter} {
		if *b != nil && !finite(**b) {
			*b = nil
		}
	}
	for most := maxText / 2; len(r.AppendJSON(nil)) > roomFor; most /= 2 { // 8 is always enough: six times that for each text
		r.texts(func(s *string, longest int, field string) {
			if field != "ID" && field != "Decision" && field != "Key" && field != "Payload" {
				*s = clip(*s, min(longest, most))
			}
		})
	}
	return r
}

// roomFor is what a record may take before its place in a chain is known.
const roomFor = MaxRecord - maxChain - 64

// clip returns s as UTF-8 of at most most bytes, of which there are enough for the mark.
func clip(s string, most int) string {
	const mark = "…"
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	end := most - len(mark)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
