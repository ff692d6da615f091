package sim

import "time"

// A kind says what happens in an event.
type kind uint8

const (
	arrives  kind = iota // an operation of some client
	served               // the server finishes a request
	expires              // a client gives an attempt up
	wakes                // a wait between two attempts is over
	stalls               // the server
	resumes              // the server
	acts                 // the operator
	rejected             // not in the heap: a full queue, at once
	dropped              // not in the heap: an expired request
	finished             // not in the heap: a call, well or not
	reads                // in a contest: the row
	writes               // in a contest: the row, if it is as it was read
)

// An event is something that will happen. Events of one moment happen in the order in which they were made.
type event struct {
	at   time.Duration
	seq  uint64
	kind kind
	gen  uint64   // served: which one is meant; acts: which action
	req  *request // expires: it; wakes: the one that failed
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.seq < f.seq
}

// events is a binary heap, the earliest first.
type events struct {
	list []event
	seq  uint64
}

func (h *events) push(e event) {
	h.seq++
	e.seq = h.seq
	h.list = append(h.list, e)
	i := len(h.list) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h.list[parent].before(&e) {
			break
		}
		h.list[i] = h.list[parent]
		i = parent
	}
	h.list[i] = e
}

// pop takes the earliest event out; there must be one.
func (h *events) pop() event {
	first := h.list[0]
	n := len(h.list) - 1
	last := h.list[n]
	h.list[n] = event{}
	h.list = h.list[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h.list[child+1].before(&h.list[child]) {
			child++
		}
		if last.before(&h.list[child]) {
			break
		}
		h.list[i] = h.list[child]
		i = child
	}
	h.list[i] = last
	return first
}
