package lease

import (
	"cmp"
	"container/list"
	"math"
	"sync"
	"time"
)

// What zero fields mean, and what large ones are cut to.
const (
	DefaultCapacity  = 100_000 // milli-tokens
	DefaultValid     = 2 * time.Second
	DefaultDrift     = 10 // thousandths
	DefaultProcesses = 10_000

	least      = 1000 // milli-tokens: less than a retry costs is of no use to anybody
	share      = 20   // a grant is at most this part of the bucket
	retain     = 64   // a process is remembered for as many times Valid
	mostTokens = 1_000_000_000_000
	mostFloor  = 1_000_000_000
	mostValid  = time.Hour
	mostDrift  = 1000
	mostName   = 256 // bytes of a process's name
)

// A Coordinator lends the tokens of one bucket to many processes. It is a state machine: it
// does no input or output and reads no clock.
//
// The bucket gains Floor a second and what processes deposit, and holds Capacity at most. A grant is a twentieth of what is in it, at most what was asked for, and either a whole retry or more, or
// nothing, because a part of a retry would only be burnt. What was lent is settled by the next request of
// that process; if there is none before the lease runs out, it is burnt.
//
// A new coordinator cannot know what another lent before it. So it begins with nothing, and
// neither lends nor takes for Valid·(1+Drift). It must be given a higher Epoch.
//
// It is safe for concurrent use. The fields are not modified while in use, but by Change.
type Coordinator struct {
	Budget    string
	Epoch     uint64        // at the start; 0 means 1
	Capacity  int64         // most that is in the bucket, in milli-tokens, up to a billion tokens; not positive means 100 tokens
	Floor     int64         // milli-tokens that come in per second; negative means 0
	Valid     time.Duration // of a lease, up to an hour; not positive means 2 s
	Drift     int64         // by how many thousandths clocks may run apart, up to 1000; not positive means 10
	Processes int           // most that are remembered; not positive means 10 000; others are lent nothing

	mu       sync.Mutex
	epoch    uint64 // the fields below are guarded by mu
	latest   time.Time
	open     time.Time // when the start is over
	stopped  bool
	tokens   int64 // in the bucket
	lent     int64 // of all leases that run
	filled   time.Time
	fraction int64 // of a milli-token that came in, in billionths
	known    map[string]*loan
	running  list.List // of *loan, the first to run out in front
	silent   list.List // of *loan, the longest silent in front
}

// A loan is what the coordinator knows of one process.
type loan struct {
	process string
	grant   Grant     // the last
	held    int64     // of it, as far as the coordinator knows; 0 once it ran out
	until   time.Time // when it runs out
	at      *list.Element
	list    *list.List
}

// Start begins the time in which nothing is lent. Without it, the first request does.
func (c *Coordinator) Start(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(now)
}

// Grant answers a request. The same request again has the same answer and no effect, an older one and one of
// another epoch or budget, or from a process with a name of more than 256 bytes, have no effect, and are answered with nothing.
func (c *Coordinator) Grant(r Request, now time.Time) Grant {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = c.advance(now)
	g := Grant{Budget: c.Budget, Process: r.Process, Seq: r.Seq, Epoch: c.epoch, Valid: c.valid()}
	if len(r.Process) > mostName || r.Budget != c.Budget || r.Epoch != c.epoch || r.Seq == 0 {
		return g
	}
	l := c.loan(r.Process, now)
	switch {
	case l == nil:
		return g
	case r.Seq == l.grant.Seq:
		return l.grant
	case r.Seq < l.grant.Seq:
		return g
	}
	if !now.Before(c.open) && !c.stopped {
		c.credit(l, r)
		g.Tokens = c.lend(r.Want)
	}
	l.grant, l.held, l.until = g, g.Tokens, now.Add(c.guard())
	c.move(l, &c.running)
	return g
}

// credit settles the old lease of a process: what it does not return it has spent. What comes back fits as long
// as the bucket and all leases together stay within the capacity. Without that, a bucket that was filled up again
// while its tokens were lent would have them twice. The caller holds mu.
func (c *Coordinator) credit(l *loan, r Request) {
	c.lent -= l.held
	room := max(0, c.capacity()-c.lent-c.tokens)
	c.tokens += min(max(0, r.Return), l.held, room)
	c.fill(min(max(0, r.Deposit), mostTokens))
}

// lend takes a grant out of the bucket. The caller holds mu.
func (c *Coordinator) lend(want int64) int64 {
	if c.tokens < least {
		return 0
	}
	g := min(max(0, want), max(c.tokens/share, least))
	c.tokens -= g
	c.lent += g
	return g
}

// fill puts tokens into the bucket as far as they fit. The caller holds mu.
func (c *Coordinator) fill(n int64) {
	c.tokens = min(c.tokens+n, c.capacity())
}

// advance goes forward to now, burning what runs out and letting the floor come in meanwhile, in the order of
// time. It returns the time, which never goes back. The caller holds mu.
func (c *Coordinator) advance(now time.Time) time.Time {
	if c.known == nil {
		c.known = map[string]*loan{}
		c.epoch = cmp.Or(c.Epoch, 1)
		c.latest = now
		c.open = now.Add(c.guard())
		c.filled = c.open
	}
	if now.Before(c.latest) {
		return c.latest
	}
	c.latest = now
	for e := c.running.Front(); e != nil; e = c.running.Front() {
		l := e.Value.(*loan)
		if now.Before(l.until) {
			break
		}
		c.flow(l.until)
		c.lent -= l.held
		l.held = 0
		c.move(l, &c.silent)
	}
	c.flow(now)
	return now
}

// flow lets the floor come in up to t. The caller holds mu.
func (c *Coordinator) flow(t time.Time) {
	floor := min(max(0, c.Floor), mostFloor)
	if floor == 0 || !t.After(c.filled) {
		return
	}
	d := min(t.Sub(c.filled), c.full(floor))
	c.filled = t
	c.fraction += int64(d%time.Second) * floor
	c.fill(int64(d/time.Second)*floor + c.fraction/int64(time.Second))
	c.fraction %= int64(time.Second)
	if c.tokens == c.capacity() {
		c.fraction = 0 // a full bucket saves nothing
	}
}

// full is a time in which the floor fills the whole bucket.
func (c *Coordinator) full(floor int64) time.Duration {
	return time.Duration(min(c.capacity()/floor+1, math.MaxInt64/int64(time.Second))) * time.Second
}

// loan returns what is known of a process; nil if that is nothing, and there is no room. The caller holds mu.
func (c *Coordinator) loan(process string, now time.Time) *loan {
	if l := c.known[process]; l != nil {
		return l
	}
	if len(c.known) >= c.processes() && !c.forget(now) {
		return nil
	}
	l := &loan{process: process}
	c.known[process] = l
	return l
}

// forget makes room for a process, at the expense of one that has been silent for so long that no message of it
// can be on its way. The caller holds mu.
func (c *Coordinator) forget(now time.Time) bool {
	e := c.silent.Front()
	if e == nil || now.Sub(e.Value.(*loan).until) < retain*c.valid() {
		return false
	}
	delete(c.known, c.silent.Remove(e).(*loan).process)
	return true
}

// move puts l at the end of a list. The caller holds mu.
func (c *Coordinator) move(l *loan, to *list.List) {
	if l.list != nil {
		l.list.Remove(l.at)
	}
	l.list, l.at = to, to.PushBack(l)
}

// Stop voids all leases by a new epoch, and lends nothing until Resume. A process learns of it with
// its next request; one that cannot ask has nothing left when its lease runs out.
func (c *Coordinator) Stop(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(now)
	c.stopped = true
	c.epoch++
	c.lent = 0
	for _, l := range c.known {
		l.held, l.grant.Tokens, l.grant.Epoch = 0, 0, c.epoch
	}
}

// Change gives the bucket another capacity and floor, with their defaults. It keeps its tokens as far as they fit, and
// gets none.
func (c *Coordinator) Change(capacity, floor int64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now = c.advance(now); now.After(c.filled) {
		c.filled = now // a floor of before, which may have been none, has come in
	}
	c.Capacity, c.Floor = capacity, floor
	c.fill(0)
}

// Resume lends again.
func (c *Coordinator) Resume(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(now)
	c.stopped = false
}

// A State is what a coordinator holds.
type State struct {
	Epoch     uint64
	Tokens    int64 // in the bucket, in milli-tokens
	Lent      int64 // in leases that run, in milli-tokens
	Processes int   // that are remembered
	Starting  bool  // nothing is lent yet
	Stopped   bool
}

// State returns what the coordinator holds at a time.
func (c *Coordinator) State(now time.Time) State {
	c.mu.Lock()
	defer c.mu.Unlock()
	now = c.advance(now)
	return State{c.epoch, c.tokens, c.lent, len(c.known), now.Before(c.open), c.stopped}
}

func (c *Coordinator) capacity() int64 {
	if c.Capacity <= 0 {
		return DefaultCapacity
	}
	return min(c.Capacity, mostTokens)
}

func (c *Coordinator) processes() int {
	if c.Processes <= 0 {
		return DefaultProcesses
	}
	return c.Processes
}

func (c *Coordinator) valid() time.Duration { return valid(c.Valid) }

// valid is T with its default.
func valid(t time.Duration) time.Duration {
	if t <= 0 {
		return DefaultValid
	}
	return min(t, mostValid)
}

// guard is how long a lease counts here: until the process, whose clock may be slower, has surely stopped using it.
func (c *Coordinator) guard() time.Duration {
	drift := c.Drift
	if drift <= 0 {
		drift = DefaultDrift
	}
	return c.valid() + c.valid()/1000*time.Duration(min(drift, mostDrift))
}
