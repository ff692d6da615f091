package exchange

import (
	"crypto/sha256"
	"time"
)

// sending describes a guarded request.
func (p *Profile) sending(s *Sending, kind Kind, account string, r *reader) {
	s.Venue, s.Kind, s.Account, s.Symbol = p.Exchange, kind, account, r.at(p.Wire.Symbol)
	places := p.Wire.ClientID
	if kind == Cancel && len(p.Wire.CancelID) > 0 {
		places = p.Wire.CancelID
	}
	s.ClientID = r.at(places)
	s.Signed, s.Deadline = p.times(r)
	all := make([]byte, 0, 512) // on the stack, and enough for most
	for _, part := range [...]string{r.req.Method, r.req.URL.EscapedPath(), r.req.URL.RawQuery} {
		all = append(append(all, part...), '\n')
	}
	s.Hash = sha256.Sum256(append(all, r.body...))
}

// symbol is the instrument of a request whose body nobody read.
func (r *reader) symbol(p *Profile) string {
	for _, place := range p.Wire.Symbol {
		if len(place) > 5 && place[:6] == "query:" {
			if v := r.value(place); v != "" {
				return v
			}
		}
	}
	return ""
}

// times reads the signed time, and the moment after which the venue does not accept the request. Of several that a request
// holds the latest counts. The deadline is zero if there is none, or none that can be read.
func (p *Profile) times(r *reader) (signed, deadline time.Time) {
	for _, place := range p.Wire.Signed {
		if t, ok := parseMoment(r.value(place), p.Wire.SignedUnit); ok {
			signed = latest(signed, t)
		}
	}
	fence := p.Fence()
	if !fence.Usable {
		return signed, time.Time{}
	}
	for _, place := range p.Wire.Deadline {
		if t, ok := parseMoment(r.value(place), p.Wire.DeadlineUnit); ok {
			deadline = latest(deadline, t)
		}
	}
	window, found := fence.Window, false
	for _, place := range p.Wire.Window {
		text := r.value(place)
		if text == "" {
			continue
		}
		d, ok := parseMillis(text)
		if !ok {
			if d = fence.Max; d == 0 {
				return signed, time.Time{}
			}
		}
		if !found || d > window {
			window, found = d, true
		}
	}
	if deadline.IsZero() && !signed.IsZero() && window > 0 {
		deadline = signed.Add(window)
	}
	return signed, deadline
}
