package order

import (
	"fmt"
	"time"
)

// read checks that a report can be read, brings its numbers into shape, and returns what it says.
func (m *Machine) read(s *story, r *Report, source string) (Event, error) {
	bad := func(format string, args ...any) (Event, error) {
		return NoEvent, fmt.Errorf("%w: %w", ErrEvidence, fmt.Errorf(format, args...))
	}
	if r.VenueID == "" && (source == fromAnswer || r.Wire == "") {
		return bad("the report names no order of the venue")
	}
	if r.Wire == "" && source == fromQuery && r.VenueID != s.VenueID {
		return bad("the report does not name our client id %q", s.Intent.Wire)
	}
	for _, n := range []*Decimal{&r.Executed, &r.Terms.Quantity, &r.Terms.Price, &r.Terms.StopPrice} {
		d, err := signed(*n)
		if err != nil || d.Sign() < 0 {
			return bad("%q is no quantity or price", *n)
		}
		*n = d
	}
	switch r.Status {
	case StatusAccepted, StatusNew, StatusPartial, StatusPendingCancel:
		return SeenWorking, nil
	case StatusFilled:
		if r.Executed == "" {
			r.Executed = s.Terms.Quantity // where the venue does not repeat it
		}
		return SeenFilled, nil
	case StatusCanceled:
		return SeenCanceled, nil
	case StatusExpired:
		return SeenExpired, nil
	case StatusRejected:
		return SeenRejected, nil
	}
	return bad("status %.40q is unknown", r.Status)
}

// why says what a report says.
func (r *Report) why() string {
	if r.Reason == "" {
		return "the venue has it: " + string(r.Status)
	}
	return fmt.Sprintf("the venue has it: %s: %.300s", r.Status, r.Reason)
}

func (s *story) firstSent() time.Time {
	if len(s.Attempts) == 0 {
		return time.Time{}
	}
	return s.Attempts[0].sent()
}

// mismatch says in what a report contradicts the intent; empty if in nothing.
func (s *story) mismatch(r *Report) string {
	if r.Wire != "" && r.Wire != s.Intent.Wire {
		return fmt.Sprintf("the venue names client id %.60q instead of %q", r.Wire, s.Intent.Wire)
	}
	if s.VenueID != "" && r.VenueID != "" && r.VenueID != s.VenueID {
		return fmt.Sprintf("the venue has two orders for it, %.60s and %.60s", s.VenueID, r.VenueID)
	}
	field := s.Terms.differs(&r.Terms)
	if field != "" && s.Intent.Terms.differs(&r.Terms) == "" {
		field = "" // the answer of a read from before an amend
	}
	if field != "" && s.hoped != nil && s.hoped.differs(&r.Terms) == "" {
		field = ""
	}
	if field != "" {
		return fmt.Sprintf("the venue's order %.60s has another %s", r.VenueID, field)
	}
	return ""
}

// rank orders the statuses: an order only moves forward.
func (s Status) rank() int {
	switch s {
	case "":
		return -1
	case StatusAccepted:
		return 0
	case StatusNew:
		return 1
	case StatusPartial, StatusPendingCancel:
		return 2
	}
	return 3
}

// stale says that a report knows less than we do.
func (s *story) stale(r *Report, e Event) bool {
	switch c := r.Executed.Cmp(s.Executed); {
	case c < 0:
		return true
	case c > 0:
		return false
	case s.State.Terminal() && s.State != Rejected && s.State != Abandoned && e == SeenWorking:
		return true
	}
	return r.Status.rank() < s.Status.rank()
}

// says says that a report is worth an entry: something in it is new.
func (s *story) says(r *Report, source string) bool {
	if r.Executed.Cmp(s.Executed) > 0 || r.Status != s.Status && r.Status != StatusAccepted || s.VenueID == "" && r.VenueID != "" {
		return true
	}
	return !s.firm && source != fromAnswer && r.Status != StatusAccepted
}

// fresh returns the fills that are not known, each once, with their numbers in shape.
func (s *story) fresh(list []Fill) ([]Fill, error) {
	var fresh []Fill
	seen := make(map[string]bool)
	for _, f := range list {
		q, err := ParseDecimal(string(f.Quantity))
		switch {
		case f.Key == "":
			return nil, fmt.Errorf("%w: a fill of %s has no key", ErrEvidence, s.Intent.ID)
		case err != nil:
			return nil, fmt.Errorf("%w: fill %.60q: %w", ErrEvidence, f.Key, err)
		case q.Sign() <= 0:
			return nil, fmt.Errorf("%w: fill %.60q: %s is no quantity", ErrEvidence, f.Key, q)
		case s.keys[f.Key], seen[f.Key]:
			continue
		}
		seen[f.Key] = true
		f.Quantity = q
		fresh = append(fresh, f)
	}
	return fresh, nil
}

// filled makes entries of fills.
func filled(list []Fill, source string) []entry {
	var entries []entry
	for _, f := range list {
		entries = append(entries, entry{KindFill, f.Key, line{Fill: &f, Source: source}})
	}
	return entries
}

// whole says that the fills are all there.
func (s *story) whole() bool { return s.Filled == s.Executed }
