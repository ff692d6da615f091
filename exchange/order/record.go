package order

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// A line is the data of an entry. What is known of an intent is the fold of its lines, and nothing else.
type line struct {
	Event   Event       `json:"event,omitempty"`
	Why     string      `json:"why,omitempty"`
	Intent  *Intent     `json:"intent,omitempty"`
	Attempt *Attempt    `json:"attempt,omitempty"`
	Answer  *Answer     `json:"answer,omitempty"`
	Report  *Report     `json:"report,omitempty"`
	Source  string      `json:"source,omitempty"` // of the report or fill: answer, stream, query, list
	Fill    *Fill       `json:"fill,omitempty"`
	Read    *Read       `json:"read,omitempty"`
	Command *Command    `json:"command,omitempty"`
	Resolve *Resolution `json:"resolve,omitempty"`
}

// An Attempt is one sending of an intent.
type Attempt struct {
	N        int           `json:"n"`
	Signed   time.Time     `json:"signed,omitzero"`   // by the venue's clock
	Deadline time.Time     `json:"deadline,omitzero"` // the venue does not take it later; the zero time: no fence
	Begun    time.Time     `json:"begun"`             // when it was recorded, by the venue's clock
	Off      time.Duration `json:"off,omitempty"`     // by how much the estimate of that clock may have been wrong
	Hash     string        `json:"hash,omitempty"`
	Probe    bool          `json:"probe,omitempty"` // sent in doubt, because the id protects for ever
	Held     *Decimal      `json:"held,omitempty"`  // what the account held before
}

// An Answer is what came back of an attempt.
type Answer struct {
	N       int    `json:"n"`
	Outcome string `json:"outcome"`
	Meaning string `json:"meaning,omitempty"`
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Err     string `json:"err,omitempty"`
}

// A Read is one look at the venue.
type Read struct {
	What  string    `json:"what"` // query, lists, fills, holding, canary
	Began time.Time `json:"began"`
	Found bool      `json:"found,omitempty"`
	Err   string    `json:"err,omitempty"` // the read failed and says nothing
}

// A Command is a cancel or an amend.
type Command struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`           // cancel, amend
	End  string `json:"end,omitempty"`  // done, failed; empty while it is under way
	Want *Terms `json:"want,omitempty"` // of an amend
}

// An Order is what is known of an intent at one moment.
type Order struct {
	Intent   Intent    `json:"intent"`
	State    State     `json:"state"`
	Status   Status    `json:"status,omitempty"` // what the venue said last
	VenueID  string    `json:"venue_id,omitempty"`
	Terms    Terms     `json:"terms"`              // as amended
	Attempts []Attempt `json:"attempts,omitempty"` // that were begun
	Spent    int       `json:"spent"`              // attempts of which bytes left
	Executed Decimal   `json:"executed,omitempty"` // cumulative, as the venue says
	Filled   Decimal   `json:"filled,omitempty"`   // sum of the fills
	Fills    []Fill    `json:"fills,omitempty"`
	Doubted  time.Time `json:"doubted,omitzero"`  // since when its fate has been unknown; the zero time if it is known
	Deadline time.Time `json:"deadline,omitzero"` // the last one of all attempts
	Why      string    `json:"why,omitempty"`     // of the last change
	Changed  time.Time `json:"changed"`           // by the venue's clock
	Command  *Command  `json:"command,omitempty"` // under way
	Closed   bool      `json:"closed,omitempty"`  // nothing more is to be done
}

// Ref returns the name of the order.
func (o *Order) Ref() Ref {
	r := Ref{ID: o.Intent.ID, Wire: o.Intent.Wire, VenueID: o.VenueID, Symbol: o.Terms.Symbol, Side: o.Terms.Side}
	if len(o.Attempts) > 0 {
		r.Sent = o.Attempts[0].sent()
	}
	return r
}

func (a *Attempt) sent() time.Time {
	if a.Signed.IsZero() {
		return a.Begun
	}
	return a.Signed
}

// A book of one intent: everything that its entries say.
type story struct {
	Order
	facts     Facts
	keys      map[string]bool // of the fills
	most      Decimal         // that may be executed: the largest quantity it ever had
	unfenced  bool            // an attempt that may have been sent has no deadline
	refused   bool            // the venue refused the last attempt for good
	duplicate bool            // the venue said that the id is in use
	firm      bool            // somebody else than the answer to the send has named it
	commands  int
	hoped     *Terms // of an amend that may take effect
	wanted    bool   // somebody wants it cancelled
	late      bool   // it was given up, and then found to exist
}

// Replay returns what the entries of an intent say.
func Replay(entries []Entry) (Order, error) {
	s, err := replay(entries)
	if err != nil {
		return Order{}, err
	}
	return s.show(), nil
}

func replay(entries []Entry) (*story, error) {
	s := &story{keys: make(map[string]bool)}
	for i := range entries {
		var l line
		if err := json.Unmarshal(entries[i].Data, &l); err != nil {
			return nil, fmt.Errorf("order log: entry %d of %s (%s): %w", i, entries[i].ID, entries[i].Kind, err)
		}
		s.fold(entries[i].Kind, entries[i].At, &l)
	}
	return s, nil
}

// show returns a copy that stays as it is.
func (s *story) show() Order {
	o := s.Order
	o.Attempts = slices.Clone(o.Attempts)
	o.Fills = slices.Clone(o.Fills)
	if o.Command != nil {
		o.Command = new(*o.Command)
	}
	return o
}

// fold applies one line.
func (s *story) fold(k Kind, at time.Time, l *line) {
	switch k {
	case KindIntent:
		s.Intent, s.Terms, s.most = *l.Intent, l.Intent.Terms, l.Intent.Quantity
	case KindSending:
		s.begin(l.Attempt)
	case KindReport:
		s.learn(l.Report, l.Source)
	case KindFill:
		s.fill(l.Fill)
	case KindCommand:
		s.command(l.Command)
	}
	s.Closed = k == KindClosed
	if l.Why != "" {
		s.Why = l.Why
	}
	s.move(l.Event, at)
	s.Changed = at
}

// move applies an event.
func (s *story) move(e Event, at time.Time) {
	to, ok := Next(s.State, e, s.facts)
	if !ok {
		return
	}
	switch e {
	case Unproven:
		s.facts = Facts{Doubt: true}
		s.unfenced = s.unfenced || s.last().Deadline.IsZero()
	case NothingSent:
		s.Spent--
	case Refused:
		s.refused = true
	case DuplicateID:
		s.duplicate = true
	case ProofComplete:
		s.facts.Proven = true
	}
	if to == Breach && e != Mismatch {
		s.late = true
		if s.State != Breach {
			s.Why = "the venue has it, although it was given up as not existing"
		}
	}
	s.State = to
	if to.Terminal() {
		s.Command = nil
	}
	switch {
	case !to.Doubtful() && to != Absent, to == Sending && !s.facts.Doubt:
		s.Doubted = time.Time{}
	case s.Doubted.IsZero():
		s.Doubted = at
	}
}

// last needs an attempt.
func (s *story) last() *Attempt { return &s.Attempts[len(s.Attempts)-1] }

func (s *story) begin(a *Attempt) {
	s.Attempts = append(s.Attempts, *a)
	s.Spent++
	s.refused = false
	s.Deadline = latest(s.Deadline, a.Deadline)
}

// learn takes what a report says. It has been judged before it was written.
func (s *story) learn(r *Report, source string) {
	if s.VenueID == "" {
		s.VenueID = r.VenueID
	}
	if r.Executed.Cmp(s.Executed) > 0 {
		s.Executed = r.Executed
	}
	if r.Status != StatusAccepted {
		s.firm = s.firm || source != fromAnswer
		s.Status = r.Status
	} else if s.Status == "" {
		s.Status = StatusAccepted
	}
}

func (s *story) fill(f *Fill) {
	s.keys[f.Key] = true
	s.Fills = append(s.Fills, *f)
	s.Filled = s.Filled.Add(f.Quantity)
	if s.Filled.Cmp(s.Executed) > 0 {
		s.Executed = s.Filled
	}
	if s.VenueID == "" {
		s.VenueID = f.VenueID
	}
	s.firm = true
}

func (s *story) command(c *Command) {
	if c.End == "" {
		s.commands++
		s.Command = new(*c)
		s.wanted = s.wanted || c.Kind == cancelling
		if c.Want != nil {
			s.hoped = c.Want
			if c.Want.Quantity.Cmp(s.most) > 0 {
				s.most = c.Want.Quantity
			}
		}
		return
	}
	if c.End == ended && c.Want != nil {
		s.Terms = *c.Want
	}
	s.hoped = nil
	if s.Command != nil && s.Command.ID == c.ID {
		s.Command = nil // else a cancel has followed, which is under way
	}
}

// Kinds and ends of commands.
const (
	cancelling = "cancel"
	amending   = "amend"
	ended      = "done"
	failed     = "failed"
)

// Sources of reports.
const (
	fromAnswer = "answer"
	fromStream = "stream"
	fromQuery  = "query"
	fromList   = "list"
)

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// MarshalText writes the name of the state.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name of a state.
func (s *State) UnmarshalText(text []byte) error {
	i := slices.Index(stateNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown state %.40q", text)
	}
	*s = State(i)
	return nil
}

// MarshalText writes the name of the event.
func (e Event) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the name of an event.
func (e *Event) UnmarshalText(text []byte) error {
	i := slices.Index(eventNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown event %.40q", text)
	}
	*e = Event(i)
	return nil
}
