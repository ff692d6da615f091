package retryws

import "time"

// keysKept is how many keys of a topic are remembered, so that two links bring each message once.
const keysKept = 1024

// A flow is what consumers get of one topic, whatever link it comes on.
type flow struct {
	topic     Topic
	consumers []*Consumer
	live      bool
	last      int64 // sequence number of what was delivered last
	keys      keys
	gaps      gaps
}

// keys remembers the newest keys.
type keys struct {
	set  map[string]struct{}
	ring []string
	next int
}

func (k *keys) has(key string) bool { _, ok := k.set[key]; return ok }

func (k *keys) add(key string) {
	if k.set == nil {
		k.set = make(map[string]struct{})
	}
	if k.has(key) {
		return
	}
	if len(k.ring) < keysKept {
		k.ring = append(k.ring, key)
	} else {
		delete(k.set, k.ring[k.next])
		k.ring[k.next] = key
		k.next = (k.next + 1) % keysKept
	}
	k.set[key] = struct{}{}
}

// fresh says, while two links bring the same topic, or one has yet to come to where another was,
// whether an event of sub is to be delivered.
//
// Each link brings all messages in order, and the two overlap, so that whichever brings the next
// one first may deliver it: nothing is lost, doubled or out of order.
func (s *Session) fresh(l *link, sub *subscription, e *Event) bool {
	fl := sub.flow
	switch {
	case e.Last != 0:
		if e.Last < sub.last { // the venue counts anew: only one link can be followed
			if l == s.active {
				sub.merging = false
			}
			return l == s.active
		}
		if e.Last <= fl.last {
			return false
		}
	case e.Key != "":
		if fl.keys.has(e.Key) {
			return false
		}
	default:
		return l == s.active
	}
	sub.merging = s.older != nil
	return true
}

// deliver hands a message to the consumers of its topic. It returns false if one of them must not lose it and did.
func (s *Session) deliver(l *link, sub *subscription, e *Event) bool {
	fl := sub.flow
	if sub.merging && !s.fresh(l, sub, e) {
		s.stats.duplicates.Add(1)
		return true
	}
	if !fl.live {
		s.goLive(l, fl, e.At)
	}
	fl.last = e.Last
	if e.Key != "" {
		fl.keys.add(e.Key)
	}
	s.stats.delivered.Add(1)
	taken := true
	for _, c := range fl.consumers {
		if !c.push(e) {
			taken = false
		}
	}
	return taken
}

// goLive says that messages of a topic begin on a link.
func (s *Session) goLive(l *link, fl *flow, now time.Time) {
	fl.live = true
	s.tell(fl, Live, l, now)
}

// goBroken says that they end.
func (s *Session) goBroken(l *link, fl *flow, now time.Time) {
	if fl.live && l == s.active {
		fl.live = false
		s.tell(fl, Broken, l, now)
	}
}

func (s *Session) tell(fl *flow, kind EventKind, l *link, now time.Time) {
	e := Event{Kind: kind, Topic: fl.topic, At: now, Link: l.number}
	for _, c := range fl.consumers {
		c.push(&e)
	}
}

// flow returns that of a topic, and makes it when it is seen for the first time.
func (s *Session) flow(t Topic) *flow {
	fl := s.flows[t]
	if fl == nil {
		fl = &flow{topic: t}
		for _, c := range s.consumers {
			if c.Match == nil || c.Match(t) {
				fl.consumers = append(fl.consumers, c)
			}
		}
		s.flows[t] = fl
	}
	return fl
}
