package analytics

import (
	"time"
)

// alarm is a detector's word that its pattern is there at this moment.
type alarm struct {
	kind        Kind
	subject     Subject
	severity    Severity
	started, at int64           // nanoseconds
	hold        time.Duration   // lasts so long without another alarm; 0 means what its kind says
	evidence    func() Evidence // not asked for when it is not needed
	action      Action
	text        func() string
	covers      []*subject // operations whose findings this one explains
}

type findingKey struct {
	kind    Kind
	subject Subject
}

// known is a finding that lasts, or ended a short time ago.
type known struct {
	Finding
	alarmed int64 // nanoseconds
	hold    time.Duration
	covers  map[string]bool // policies
}

const (
	updateEvery  = 10 * time.Second
	reopenWithin = 5 * time.Minute
)

// holds says how long a finding lasts after the last alarm. What explains others lasts longer than they do.
var holds = map[Kind]time.Duration{ErrorShift: 30 * time.Second, RetryStorm: time.Minute, CorrelatedFailure: 150 * time.Second, Flapping: 90 * time.Second,
	HiddenDependency: 5 * time.Minute, Brownout: 3 * time.Minute, NewError: 10 * time.Minute, Herd: time.Minute, Synchronised: 2 * time.Minute,
	ClassShift: 6 * time.Minute, BadShard: 150 * time.Second, PaperingOver: 3 * time.Minute, Ineffective: 3 * time.Minute}

// folds says which findings about its operations a kind explains.
var folds = map[Kind][]Kind{
	ErrorShift: {NewError}, CorrelatedFailure: {ErrorShift, RetryStorm, Brownout, NewError}, BadShard: {ErrorShift, RetryStorm, NewError},
}

func policy(s *subject) Subject { return Subject{OfPolicy, s.name, ""} }

func (e *Engine) isOpen(k Kind, s Subject) bool {
	f := e.known[findingKey{k, s}]
	return f != nil && f.Ended.IsZero()
}

// raise opens a finding, opens it again, or brings it up to date.
func (e *Engine) raise(a alarm) {
	if a.kind != PaperingOver && (e.stopped || e.muted(&a)) {
		return
	}
	at := time.Unix(0, a.at).UTC()
	key := findingKey{a.kind, a.subject}
	f := e.known[key]
	isNew := f == nil
	if isNew {
		if len(e.known) >= maxKept && !e.forget() {
			e.stats.Unkept++
			return
		}
		started := time.Unix(0, a.started).UTC()
		f = &known{Finding: Finding{ID: FindingID(a.kind, a.subject, started), Kind: a.kind, Subject: a.subject, Started: started, Detected: at}}
		e.known[key] = f
		e.order = append(e.order, key)
	}
	again := !isNew && !f.Ended.IsZero()
	f.Ended, f.alarmed = time.Time{}, a.at
	if f.hold = a.hold; f.hold == 0 {
		f.hold = holds[a.kind]
	}
	worse := a.severity > f.Severity
	if worse || isNew {
		f.Severity = a.severity
	}
	if isNew || again || worse || at.Sub(f.Updated) >= updateEvery {
		f.Updated, f.Evidence, f.Action, f.Text = at, a.evidence().bounded(), a.action, a.text()
	}
	e.fold(f, &a)
	if isNew || again || worse {
		e.changed(f)
	}
	if s := e.subjects[a.subject.Name]; a.kind == ErrorShift && (isNew || again) && s != nil {
		s.outage(e.second)
	}
}

func (e *Engine) muted(a *alarm) bool {
	s := e.subjects[a.subject.Name]
	return a.subject.Kind != OfDependency && s != nil && s.muted
}

// fold marks what f explains, and f if another finding explains it.
func (e *Engine) fold(f *known, a *alarm) {
	if folds[f.Kind] != nil {
		if a.covers != nil {
			f.covers = map[string]bool{}
			for _, s := range a.covers {
				f.covers[s.name] = true
			}
		}
		for _, key := range e.order {
			if g := e.known[key]; g.Ended.IsZero() && f.explains(g) && !g.Folded {
				e.over(g, a.at)
				e.put(g, f)
			}
		}
	}
	for _, key := range e.order {
		if g := e.known[key]; !f.Folded && g.Ended.IsZero() && g.explains(f) {
			e.put(f, g)
		}
	}
}

func (f *known) explains(g *known) bool {
	own := f.Subject.Kind != OfDependency && f.Subject.Name == g.Subject.Name
	if !own && !f.covers[g.Subject.Name] || g.Subject.Kind != OfPolicy {
		return false
	}
	for _, k := range folds[f.Kind] {
		if k == g.Kind {
			return true
		}
	}
	return false
}

// over tells that a finding is over for who was told of it, since another one explains it from now on.
func (e *Engine) over(f *known, at int64) {
	one := *f
	one.Ended = time.Unix(0, at).UTC()
	e.changed(&one)
}

// put folds f into another finding.
func (e *Engine) put(f, into *known) {
	f.Folded = true
	if len(into.Related) < 64 {
		into.Related = append(into.Related, f.ID)
	}
}

// expire ends what had no alarm for a while, and forgets what cannot open again.
func (e *Engine) expire(at int64) {
	kept := e.order[:0]
	for _, key := range e.order {
		f := e.known[key]
		if f.Ended.IsZero() && at-f.alarmed > int64(f.hold) {
			e.end(f, at)
		}
		if !f.Ended.IsZero() && at-f.Ended.UnixNano() > int64(reopenWithin) {
			e.keep(key)
			continue
		}
		kept = append(kept, key)
	}
	e.order = kept
}

func (e *Engine) end(f *known, at int64) {
	f.Ended = time.Unix(0, at).UTC()
	if f.Kind == ErrorShift {
		if s := e.subjects[f.Subject.Name]; s != nil {
			s.shift, s.quick = cusum{zero: at}, cusum{zero: at}
		}
	}
	e.changed(f)
	e.unfold(f)
}

// unfold shows what goes on when the finding that explained it has ended.
func (e *Engine) unfold(ended *known) {
	for _, key := range e.order {
		g := e.known[key]
		if !g.Folded || !g.Ended.IsZero() || !ended.explains(g) {
			continue
		}
		g.Folded = false
		for _, key := range e.order {
			if other := e.known[key]; other.Ended.IsZero() && other.explains(g) {
				g.Folded = true
			}
		}
		e.changed(g)
	}
}

// keep moves a finding that ended to the past.
func (e *Engine) keep(key findingKey) {
	e.past = append(e.past, e.known[key].Finding)
	if len(e.past) > maxKept {
		e.past = append(e.past[:0], e.past[1:]...)
	}
	delete(e.known, key)
}

// forget makes room by giving up the finding that ended first, if one did.
func (e *Engine) forget() bool {
	for i, key := range e.order {
		if !e.known[key].Ended.IsZero() {
			e.keep(key)
			e.order = append(e.order[:i], e.order[i+1:]...)
			return true
		}
	}
	return false
}

// changed tells of a finding that opened, got worse or ended.
func (e *Engine) changed(f *known) {
	if e.OnChange != nil && !f.Folded {
		e.OnChange(f.Finding.clone())
	}
}

func (f Finding) clone() Finding {
	f.Related = append([]string(nil), f.Related...)
	return f
}
