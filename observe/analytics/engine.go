package analytics

import (
	"strings"
	"time"
)

const (
	late    = 5           // seconds that a record may come after its second
	jump    = 60          // seconds ahead that are believed when a second record agrees
	lateRun = 64          // late records in a row that mean that the clock was set back
	idle    = 600         // seconds after which a subject may give way
	longGap = 2 * 60 * 60 // seconds without records that are not lived through one by one
)

// Stats count what was left out. They only grow.
type Stats struct {
	Records  uint64 // taken in
	Late     uint64 // more than 5 s after their time, or alone with a time far ahead: dropped
	Overflow uint64 // counted under Other, for lack of room
	Evicted  uint64 // subjects that gave way
	Jumps    uint64 // of the clock
	Unkept   uint64 // findings for which there was no room
	Subjects int    // now
}

// An Engine finds patterns in records. It takes time from them only. Make one with [NewEngine]; it is not safe for concurrent
// use, which [Analyzer] is.
type Engine struct {
	// OnChange is told when a finding opens, gets worse or ends, unless another one explains it.
	OnChange func(Finding)

	config   Config
	subjects map[string]*subject
	list     []*subject // in the order of their first records, so that a replay agrees
	last     *subject   // of the last record
	deps     map[string]*shared
	known    map[findingKey]*known
	order    []findingKey // of known
	past     []Finding    // at most maxKept
	stopped  bool         // everything
	scratch  []int16      // of drift.learn

	started bool
	second  int64 // that is open
	lateRow int
	ahead   int64 // the second of a record far ahead; 0 means none
	stats   Stats
}

// NewEngine returns an engine without records.
func NewEngine(c Config) *Engine {
	return &Engine{config: c, subjects: map[string]*subject{}, deps: map[string]*shared{}, known: map[findingKey]*known{}, scratch: make([]int16, 0, blocks)}
}

// Feed takes in a record.
func (e *Engine) Feed(r *Record) {
	if e.place(r.At) {
		e.take(r)
	}
}

// Advance says that it is now, so that seconds without records end as well.
func (e *Engine) Advance(now time.Time) {
	if second := now.Unix(); e.started && second > e.second {
		e.to(second)
	}
}

// place moves to the second of a record, and says whether the record counts.
func (e *Engine) place(at time.Time) bool {
	second := at.Unix()
	if !e.started {
		e.started, e.second = true, second
	}
	switch {
	case second < e.second-late:
		e.ahead = 0
		if e.lateRow++; e.lateRow < lateRun {
			e.stats.Late++
			return false
		}
		e.leap(second)
	case second > e.second+jump:
		if e.ahead == 0 || second < e.ahead-late || second > e.ahead+jump {
			e.ahead = second
			e.stats.Late++
			return false
		}
		e.to(second)
	case second > e.second:
		e.to(second)
	}
	e.lateRow, e.ahead = 0, 0
	return true
}

// to ends all seconds before this one.
func (e *Engine) to(second int64) {
	if second-e.second > longGap {
		e.leap(second)
		return
	}
	for e.second < second {
		e.close()
		e.second++
	}
}

// leap follows a clock that was set. What was learnt stays; what is being watched begins anew.
func (e *Engine) leap(second int64) {
	e.stats.Jumps++
	e.second = second
	at := second * int64(time.Second)
	for _, s := range e.list {
		s.now, s.ten, s.mini, s.flap, s.bins = counts{}, counts{}, counts{}, flap{}, bins{}
		s.sec, s.min = [secs]counts{}, [mins]counts{}
		s.cycle, s.odd, s.shards, s.pay = [len(periods)]cycle{}, [5]bool{}, nil, payback{}
		s.shift, s.quick, s.storm = cusum{zero: at}, cusum{zero: at}, cusum{zero: at}
		s.seen, s.herd, s.beats, s.track = sightings{}, herd{}, beats{}, track{}
		s.drift.reset(at)
		s.active, s.born = second, second
		s.prints.reset()
	}
	for _, key := range e.order {
		if f := e.known[key]; f.Ended.IsZero() {
			e.end(f, at)
		}
	}
	for _, key := range e.order {
		e.keep(key)
	}
	e.order = e.order[:0]
}

// take counts a record in the second that is open.
func (e *Engine) take(r *Record) {
	e.stats.Records++
	if r.Policy == "" && (r.Event == Stopped || r.Event == Resumed) {
		e.stopped = r.Event == Stopped
		for _, s := range e.list {
			e.halted(s, e.stopped, max(r.At.UnixNano(), e.second*int64(time.Second)))
		}
		return
	}
	s := e.subject(r.Policy)
	s.active = e.second
	n := max(r.Count, 1)
	at := max(r.At.UnixNano(), e.second*int64(time.Second))
	switch r.Event {
	case Call:
		s.fold(r, n)
		if !r.Ended || r.Attempt != 1 {
			return
		}
		if r.Shard != "" {
			h := s.shard(r.Shard)
			h.calls[mod(e.second/10, tens)] += n
			if !r.OK {
				h.fails[mod(e.second/10, tens)] += n
			}
		}
		e.errorShift(s, r.OK, n, at)
		if !r.OK && r.Code != "" {
			s.seen.see(fingerprint(r.Class, r.Code), e.second, n)
		}
	case Circuit:
		e.halted(s, r.State == Open, at)
		if r.State == Open && s.flap.circuitOpened(e.second) {
			e.flaps(s, "circuit_openings", 4, 4, at)
		}
	case Stopped, Resumed:
		s.muted = r.Event == Stopped
		e.halted(s, s.muted, at)
	}
}

// halted notes that calls are held up from now on, or are let through again.
func (e *Engine) halted(s *subject, held bool, at int64) {
	if !held {
		s.recovers(at)
		return
	}
	s.outage(e.second)
	e.relapse(s, at)
}

// subject returns the subject of a name, or that of Other when there is no room.
func (e *Engine) subject(name string) *subject {
	if s := e.last; s != nil && s.name == name {
		return s
	}
	name = name[:min(len(name), maxName)]
	s := e.subjects[name]
	if s == nil {
		if len(e.list) < e.config.maxSubjects()-1 || name == Other {
			s = &subject{}
			e.list = append(e.list, s)
		} else if s = e.evict(); s == nil {
			e.stats.Overflow++
			return e.subject(Other)
		}
		name = strings.Clone(name)
		s.reset(name, e.config.above(name), e.second)
		e.subjects[name] = s
	}
	e.last = s
	return s
}

// evict frees the subject that was idle for the longest time, if it was for long.
func (e *Engine) evict() *subject {
	var oldest *subject
	for _, s := range e.list {
		if s.name != Other && (oldest == nil || s.active < oldest.active) {
			oldest = s
		}
	}
	if oldest == nil || e.second-oldest.active < idle {
		return nil
	}
	e.stats.Evicted++
	for _, key := range e.order {
		if f := e.known[key]; key.subject.Kind != OfDependency && key.subject.Name == oldest.name && f.Ended.IsZero() {
			e.end(f, e.second*int64(time.Second))
		}
	}
	delete(e.subjects, oldest.name)
	e.last = nil
	return oldest
}

// close ends the second that is open.
func (e *Engine) close() {
	at := (e.second + 1) * int64(time.Second)
	ten, minute := mod(e.second+1, 10) == 0, mod(e.second+1, 60) == 0
	for _, s := range e.list {
		e.closeSecond(s, at, ten, minute)
	}
	if ten {
		e.correlated(at)
		e.pairs(at)
	}
	e.expire(at)
}

func (e *Engine) closeSecond(s *subject, at int64, ten, minute bool) {
	e.keepShift(s, at)
	e.retryStorm(s, at)
	e.periodically(s, at)
	e.herding(s, at)
	if mod(e.second+1, blockSeconds) == 0 {
		e.brownout(s, at)
	}
	if mod(e.second, 600) == s.turn {
		s.drift.learn(e.second, e.scratch)
	}
	open := e.isOpen(ErrorShift, policy(s)) || e.isOpen(RetryStorm, policy(s))
	s.ten.add(&s.now)
	s.mini.add(&s.now)
	s.pay.close(e.second, e.isOpen(ErrorShift, policy(s)))
	if ten {
		calm := s.healthy(open)
		s.bin(calm)
		s.track.add(s.bins.active, s.bins.isBad)
		e.synchronised(s, at)
		e.flapping(s, at)
		e.badShards(s, at)
		if calm {
			s.learn()
		}
		s.ten = counts{}
	}
	if minute {
		s.min[mod(e.second/60, mins)] = s.mini
		e.classShift(s, at)
		e.hidden(s, at)
		e.disguised(s, at)
		e.newErrors(s, at)
		e.ineffective(s, at)
		s.mini = counts{}
	}
	s.sec[mod(e.second, secs)] = s.now
	s.now = counts{}
}

// Findings returns those that last and that no other explains, in the order in which they were found.
func (e *Engine) Findings() []Finding {
	list := []Finding{}
	for _, key := range e.order {
		if f := e.known[key]; f.Ended.IsZero() && !f.Folded {
			list = append(list, f.Finding.clone())
		}
	}
	return list
}

// All returns the findings that are kept, those that ended and those that another explains included: at most 512.
func (e *Engine) All() []Finding {
	list := []Finding{}
	for _, f := range e.past {
		list = append(list, f.clone())
	}
	for _, key := range e.order {
		list = append(list, e.known[key].Finding.clone())
	}
	return list
}

// Stats returns what was left out so far.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.Subjects = len(e.list)
	return s
}
