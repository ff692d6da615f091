package control

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/retry"
)

// How many of the learner's last choices are kept for an operation, and how often one is.
const (
	mostChoices = 4
	choiceEvery = time.Second
)

// A lesson is what a registry remembers of the learning of one operation. Its zero value is ready.
type lesson struct {
	fallback, guard atomic.Bool  // the learner said that they are on
	harm            atomic.Bool  // the guard came on, and nobody looked yet whether a promotion is to be taken back
	next            atomic.Int64 // when a choice is kept again, in nanoseconds of Unix time

	mu      sync.Mutex
	choices []ChoiceView // the newest last; guarded by mu
}

// heard keeps what was chosen before an event, once a second. The learner knows the last advice alone: when many calls
// retry at a time, it may be that of another one, which is as good.
func (l *lesson) heard(learner *adaptive.Learner, name string, e *retry.Event) {
	stopped := e.Kind == retry.Finished && errors.Is(e.Reason, adaptive.ErrStopped)
	if e.Kind != retry.Retrying && !stopped {
		return
	}
	at, due := e.At.UnixNano(), l.next.Load()
	if at < due && due-at <= int64(choiceEvery) || !l.next.CompareAndSwap(due, at+int64(choiceEvery)) {
		return
	}
	x, ok := learner.Explain(name)
	if !ok {
		return
	}
	c := ChoiceView{
		At: e.At, Kind: x.Kind.String(), By: x.By.String(), Mode: x.Mode.String(), Advised: x.Delay, Configured: x.Configured, Waited: e.Wait, Stop: x.Stop, Stopped: stopped,
		Down: x.PDown, Net: finite(x.Net), Text: x.String(),
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.choices = append(l.choices, c); len(l.choices) > mostChoices {
		l.choices = append(l.choices[:0], l.choices[1:]...)
	}
}

// last returns the choices that were kept, the newest first.
func (l *lesson) last() []ChoiceView {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]ChoiceView, len(l.choices))
	for i, c := range l.choices {
		all[len(all)-1-i] = c
	}
	return all
}

// noticed is told what changes in the learner, in the goroutine of a call.
func (r *Registry) noticed(n adaptive.Notice) {
	s := &r.live
	s.mu.Lock()
	o := s.operations[n.Operation]
	s.mu.Unlock()
	if o == nil {
		return
	}
	if why, stays := strings.CutPrefix(n.What, "mode shadow stays: "); stays {
		r.Note(Note{Kind: "learning", Policy: n.Operation, Text: "not promoted: " + why})
		return
	}
	switch n.What {
	case "fallback on", "fallback off":
		o.lesson.fallback.Store(n.What == "fallback on")
	case "guard on", "guard off":
		o.lesson.guard.Store(n.What == "guard on")
		if n.What == "guard on" {
			r.guarded(o)
		}
	default:
		return // a mode is told by who changed it
	}
	r.Note(Note{Kind: "learning", Policy: n.Operation, Text: fmt.Sprintf("%s: %s", n.What, noticeWords[n.What])})
}

// noticeWords say what a notice means.
var noticeWords = map[string]string{
	"fallback on":  "forecasts were worse than the base rate's, so that the configured policy serves",
	"fallback off": "forecasts are better than the base rate's again",
	"guard on":     "retries that were advised against paid, so that no call is stopped",
	"guard off":    "retries that are advised against do not pay, so that calls may be stopped",
}
