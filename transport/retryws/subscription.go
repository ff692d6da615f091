package retryws

import (
	"cmp"
	"slices"
	"time"
)

// How often a confirmation is asked for again, how long a topic that failed is left alone, how many deaths of
// topics in what time end the link, and for how long answers are matched with requests that were given up.
const (
	askAgain   = 3
	failedWait = time.Minute
	deathsEnd  = 3
	deathsIn   = time.Minute
	requestAge = time.Minute
)

// A progress says where a subscription stands on one link.
type progress uint8

const (
	off     progress = iota // the venue does not send it
	asked                   // a subscribe awaits its confirmation
	on                      // confirmed
	leaving                 // an unsubscribe awaits its confirmation
)

// A subscription is a topic on one link. The link works on the difference between these and what is wanted.
type subscription struct {
	flow  *flow
	at    progress
	since time.Time // of asked and leaving: sent; of on: confirmed
	tries int       // subscribes without confirmation
	alone bool      // to be asked in a message of its own
	dead  bool      // to be unsubscribed although it is wanted
	retry time.Time // not asked again before

	seen    time.Time // the last message or heartbeat of the topic
	check   time.Time // silence is not looked at before
	first   int64     // Last of the first message on this link
	key     string    // of the first message on this link
	got     bool      // a message has come
	last    int64     // Last of the newest message on this link
	merging bool      // another link has brought, or brings, the same messages
}

// A request is a message that awaits its confirmation.
type request struct {
	subs   []*subscription
	unsubs bool
	at     time.Time
}

// plan returns the next message of the difference, or nil if there is none to send now.
func (l *link) plan(now time.Time) ([]byte, error) {
	var ask, leave []Topic
	for t := range l.s.want {
		sub := l.subs[t]
		if sub == nil {
			sub = &subscription{flow: l.s.flow(t)}
			l.subs[t] = sub
		}
		switch {
		case sub.at == on && sub.dead:
			return l.send([]Topic{t}, true, now)
		case sub.at != off || now.Before(sub.retry):
		case sub.alone:
			return l.send([]Topic{t}, false, now)
		default:
			ask = append(ask, t)
		}
	}
	for t, sub := range l.subs {
		if _, wanted := l.s.want[t]; wanted {
			continue
		}
		switch sub.at {
		case on:
			leave = append(leave, t)
		case off:
			delete(l.subs, t)
		}
	}
	switch {
	case len(leave) > 0: // first, since links hold a limited number
		return l.send(leave, true, now)
	case len(ask) > 0:
		return l.send(ask, false, now)
	}
	return nil, nil
}

// send builds a message for as many of the topics as fit, and takes note of it.
func (l *link) send(topics []Topic, unsubscribe bool, now time.Time) ([]byte, error) {
	slices.SortFunc(topics, func(a, b Topic) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Symbol, b.Symbol))
	})
	s := l.s
	build := s.c.Protocol.Subscribe
	if unsubscribe {
		build = s.c.Protocol.Unsubscribe
	}
	s.ids++
	r := &Request{ID: s.ids, Credentials: l.cred}
	var message []byte
	for n := min(len(topics), s.c.Limits.Batch); ; n /= 2 {
		r.Topics = topics[:n]
		var err error
		if message, err = build(r); err != nil {
			return nil, err
		}
		if n == 1 || s.c.Limits.BatchBytes <= 0 || len(message) <= s.c.Limits.BatchBytes {
			break
		}
	}
	q := &request{unsubs: unsubscribe, at: now}
	for _, t := range r.Topics {
		sub := l.subs[t]
		q.subs = append(q.subs, sub)
		sub.since = now
		if unsubscribe {
			sub.at = leaving
			s.goBroken(l, sub.flow, now)
			continue
		}
		sub.at = asked
		sub.tries++
		sub.got, sub.last = false, 0
	}
	l.requests[r.ID] = q
	s.update(now)
	return message, nil
}

// answered returns the subscriptions that a frame confirms or refuses.
func (l *link) answered(f *Frame) []*subscription {
	q := l.requests[f.ID]
	delete(l.requests, f.ID)
	if f.Topic == (Topic{}) && len(f.Topics) == 0 {
		if q == nil {
			return nil
		}
		return slices.DeleteFunc(q.subs, func(sub *subscription) bool { // what has been asked otherwise since
			return q.unsubs != (sub.at == leaving)
		})
	}
	var subs []*subscription
	for _, t := range append(f.Topics, f.Topic) {
		if sub := l.subs[t]; sub != nil {
			subs = append(subs, sub)
		}
	}
	return subs
}

func (l *link) confirmed(f *Frame, now time.Time) {
	for _, sub := range l.answered(f) {
		switch sub.at {
		case asked:
			sub.at, sub.since, sub.seen, sub.check = on, now, now, now
			sub.tries, sub.alone = 0, false
			if l.playing && !sub.merging && !sub.flow.live {
				l.s.goLive(l, sub.flow, now)
			}
		case leaving:
			l.left(sub)
		}
	}
}

// left takes note that the venue does not send a topic any more. If it is wanted still, it was dead.
func (l *link) left(sub *subscription) {
	sub.at, sub.alone, sub.dead = off, sub.dead, false
}

func (l *link) refused(f *Frame, now time.Time) {
	subs := l.answered(f)
	for _, sub := range subs {
		switch sub.at {
		case asked:
			sub.at, sub.alone = off, true
			if len(subs) > 1 {
				continue // one of them may be to blame: each alone will show
			}
			l.failed(sub, f.Text, now)
		case leaving:
			l.left(sub)
		}
	}
	if len(subs) == 0 {
		l.s.note(Change{Kind: Noticed, Link: l.number, Text: f.Text})
	}
}

// failed leaves a topic alone for a while.
func (l *link) failed(sub *subscription, text string, now time.Time) {
	sub.at, sub.alone, sub.tries, sub.retry = off, true, 0, now.Add(failedWait)
	l.s.note(Change{Kind: TopicFailed, Link: l.number, Topic: sub.flow.topic, Text: text})
}

// overdue asks again for what was not confirmed in time, alone.
func (l *link) overdue(now time.Time) {
	for _, sub := range l.subs {
		if sub.at != asked && sub.at != leaving || now.Sub(sub.since) < l.s.c.Clocks.Confirm {
			continue
		}
		switch {
		case sub.at == leaving: // as good as done
			l.left(sub)
		case sub.tries > askAgain:
			l.failed(sub, "not confirmed", now)
		default:
			l.s.stats.asked.Add(1)
			sub.at, sub.alone = off, true
		}
	}
	for id, q := range l.requests {
		if now.Sub(q.at) > requestAge {
			delete(l.requests, id)
		}
	}
}

// complete says whether everything wanted is confirmed.
func (l *link) complete() bool {
	for t := range l.s.want {
		if sub := l.subs[t]; sub == nil || sub.at != on {
			return false
		}
	}
	return true
}

// died subscribes a silent topic again, alone. It returns false if that happened too often.
func (l *link) died(sub *subscription, now time.Time) bool {
	l.deaths = append(slices.DeleteFunc(l.deaths, func(t time.Time) bool { return now.Sub(t) >= deathsIn }), now)
	if len(l.deaths) >= deathsEnd {
		return false
	}
	sub.dead = true
	l.s.goBroken(l, sub.flow, now)
	l.s.stats.resubs.Add(1)
	l.s.note(Change{Kind: Resubscribed, Link: l.number, Topic: sub.flow.topic})
	return true
}
