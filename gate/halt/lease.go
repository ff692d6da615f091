package halt

import (
	"errors"
	"time"
)

// DefaultLease is three heartbeats of a second, a usual Lease.
const DefaultLease = 3 * time.Second

// Lost says what scopes are while the control plane is lost, by their kind. It only ever makes them stricter
// than their stops do.
type Lost struct {
	Orders State // Running means RiskReducingOnly: an order scope without control plane is never left alone
	Other  State // Running means NoRetries
	Reads  State // the zero value leaves them Running
}

func (l Lost) rule() [kinds]State {
	rule := [kinds]State{Orders: RiskReducingOnly, Other: NoRetries, Reads: min(l.Reads, Stopped)}
	if l.Orders != Running {
		rule[Orders] = min(l.Orders, Stopped)
	}
	if l.Other != Running {
		rule[Other] = min(l.Other, Stopped)
	}
	return rule
}

var errNoLease = errors.New("the control plane has not been heard for longer than the lease")

// Heartbeat says that the control plane was heard at a time, which renews the lease from then on. It counts
// only while Run listens, and a time in the future counts as now. When the control plane is back, what its
// loss had closed is let go again with a ramp.
func (t *Tree) Heartbeat(at time.Time) {
	t.open()
	now := time.Now()
	at = now.Add(-max(0, now.Sub(at))) // by the monotonic clock from here on, whatever at was read from
	t.mu.Lock()
	until := at.Add(t.Lease)
	if t.Lease <= 0 || !t.heard || !until.After(t.until) {
		t.mu.Unlock()
		return
	}
	t.until = until
	back := t.conditions[lease] != nil && until.After(now)
	if back {
		t.ease(lease)
	}
	t.mu.Unlock()
	t.hurry()
	if back {
		t.note(notice(ActionBack, lease, nil, now))
	}
}

// listen begins the time in which heartbeats count, unless it has begun. The first time comes with a lease.
func (t *Tree) listen(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running {
		return false
	}
	t.running, t.heard = true, true
	if t.Lease > 0 && t.until.IsZero() {
		t.until = now.Add(t.Lease)
		t.conditions[lease] = nil // no ramp: nothing was kept waiting yet
		t.restate()
		t.refresh(t.root, nil)
	}
	return true
}

// leave ends it, and the lease with it. It returns whether that was a loss.
func (t *Tree) leave(now time.Time) (lost bool) {
	t.mu.Lock()
	t.heard, t.until = false, now
	t.mu.Unlock()
	_, lost = t.lapse(now)
	return lost
}

// lapse makes the tree stricter if the lease has run out, and returns whether it did. Otherwise it returns when it
// will run out; the zero time if there is nothing to run out.
func (t *Tree) lapse(now time.Time) (until time.Time, lost bool) {
	t.mu.Lock()
	if t.Lease <= 0 || t.conditions[lease] != nil {
		t.mu.Unlock()
		return time.Time{}, false
	}
	if until := t.until; until.After(now) {
		t.mu.Unlock()
		return until, false
	}
	ends := t.worsen(lease, t.Lost.rule(), "tree", errNoLease, nil)
	t.mu.Unlock()
	t.wake(ends)
	return time.Time{}, true
}

// AuditFailed says that audit records cannot be written: retries of orders are refused from now on.
// [Tree.AuditBack] ends that. A Recorder that fails does it by itself, until it succeeds.
func (t *Tree) AuditFailed(err error) {
	if err == nil {
		err = errors.New("the audit sink fails")
	}
	t.open()
	t.sink(&t.sinkFails, err)
}

// AuditBack says that audit records can be written again. A ramp follows.
func (t *Tree) AuditBack() {
	t.open()
	t.sink(&t.sinkFails, nil)
}

// sink takes notice of what became of a record. which is one of the two that can fail.
func (t *Tree) sink(which *bool, err error) {
	switch t.learn(which, err) {
	case ActionLost:
		t.note(notice(ActionLost, audit, err, time.Now()))
	case ActionBack:
		t.note(notice(ActionBack, audit, nil, time.Now()))
	}
}

// learn is sink without a record: it returns what there is to be recorded.
func (t *Tree) learn(which *bool, err error) (news Action) {
	t.mu.Lock()
	*which = err != nil
	failing, before := t.sinkFails || t.recorderFails, t.conditions[audit] != nil
	var ends []end
	switch {
	case failing && !before:
		ends = t.worsen(audit, [kinds]State{Orders: NoRetries}, "tree", err, nil)
		news = ActionLost
	case before && !failing:
		t.ease(audit)
		news = ActionBack
	}
	t.mu.Unlock()
	t.wake(ends)
	return news
}

// note records what became of a condition. What becomes of that record changes no condition: a Recorder that
// fails now and then would be asked without end. The next command shows how it is.
func (t *Tree) note(r Record) {
	if t.Recorder != nil {
		t.Recorder.Record(r)
	}
}

// notice is the record of what became of a condition.
func notice(action Action, which int, err error, at time.Time) Record {
	why := [conditions]string{lease: "control plane", audit: "audit sink"}[which]
	return Record{Action: action, Scope: Global, Who: "tree", Source: "tree", Why: why, At: at, Err: err}
}
