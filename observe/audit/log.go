package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relent-go/relent/retry"
)

// A Log writes to one chain of a store what calls do and what people command. It is three things:
//
//   - A retry.Gate. Before an order is attempted again, its intent to do so is durable: Admit waits for that, and refuses the attempt with
//     [ErrUnrecorded] if it cannot be. Reads pass.
//   - A retry.Observer, which records retries and how calls ended. Reads that succeed at once are not recorded, unless All is set.
//   - A recorder of commands: see [Log.Record].
//
// A policy wants it in both places. An order is a call whose policy is not Idempotent, or one that Orders names.
//
// Run writes what was told, many records with one sync. It has to run before the first order is attempted again. While the store fails, the Spool takes
// the records; if there is none, or it is full, the Log is closed: orders are refused, first attempts too, and go on by themselves when the store
// is back.
//
// Records that wait to be written take a bounded room. When reads have filled their half of it, records of reads are dropped and counted, and the
// log has a record that says how many. Orders and commands wait, as long as their contexts allow.
//
// Set the fields before first use. A Log is safe for concurrent use and must not be copied after first use.
type Log struct {
	Store  Store
	Chain  string // one that no other process writes, or the store orders the writers; empty means main
	Node   string // in each record, as are Build and Config
	Build  string
	Config string // hash of the configuration, for records that name none themselves

	Orders   func(*retry.Policy) bool       // nil means those that are not Idempotent; it must be quick
	Describe func(context.Context, *Record) // adds what the log does not know, such as the state of a breaker; nil adds nothing
	All      bool                           // records reads that succeed at once, too
	Spool    *Spool                         // nil means none

	Queue   int           // records that may wait; not positive means 8192
	Batch   int           // most records that are written at once; not positive means 1000, and more than MaxBatch counts as that
	Timeout time.Duration // of one write to the store; not positive means 1 s
	Again   time.Duration // between two attempts to reach a store that failed; not positive means 500 ms

	Anchor Anchor             // gets the checkpoints; nil means that none are made
	Key    ed25519.PrivateKey // signs them; nil means that none are made
	Every  int                // records after which one is made; not positive means 10 000
	Within time.Duration      // time after which one is made, if there are new records; not positive means 10 s

	lazy sync.Once
	base time.Time // for monotonic times
	ids  string    // what the ids of this log begin with
	n    atomic.Uint64
	shut atomic.Bool // neither the store nor the spool takes anything

	mu      sync.Mutex
	waiting []item        // guarded by mu, as all that follows
	running bool          //
	ended   bool          // Run is over
	closing bool          // Close was called
	room    chan struct{} // closed when there is room again; nil if nobody waits for it
	dropped uint64        // since the last record of that
	stats   Stats

	wake chan struct{} // of Run; holds one
	stop context.CancelFunc
	done chan struct{} // closed when Run has ended
}

var (
	_ retry.Gate     = (*Log)(nil)
	_ retry.Observer = (*Log)(nil)
)

// An item is a record that waits to be written.
type item struct {
	record Record
	done   chan<- error // nil if nobody waits; holds one
}

// Errors of a log. An attempt that the log refuses ends its call with an error that matches ErrUnrecorded.
var (
	ErrUnrecorded = errors.New("not attempted because the audit log cannot record it")
	ErrClosed     = errors.New("the audit log is closed: its store takes nothing")
	ErrNotRunning = errors.New("the audit log does not run: call its Run")
)

// Stats are counts since the log was made.
type Stats struct {
	Written     uint64 // records that the store took, with those from the spool
	Spooled     uint64 // records that the spool took
	Dropped     uint64 // records of reads that found no room
	LostOrders  uint64 // ends of retries of orders that found no room: their intents stay open
	Batches     uint64 // writes to the store that succeeded
	Checkpoints uint64 // that the anchor took
	Head        Head   // of the chain, as of the last write that succeeded
	Waiting     int    // records that wait
	Closed      bool   // orders are refused
	Err         error  // why the last write to the store failed; nil if it did not
	AnchorErr   error  // why the last checkpoint was not kept; nil if it was
}

// Stats returns the counts.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	s.Waiting, s.Closed = len(l.waiting), l.shut.Load()
	return s
}

// Check returns all mistakes in the fields, joined, each beginning with its field's name, or nil.
func (l *Log) Check() error {
	var errs []error
	if l.Store == nil {
		errs = append(errs, errors.New("Store: missing"))
	}
	if err := CheckChain(l.chain()); err != nil {
		errs = append(errs, err)
	}
	for field, d := range map[string]int64{"Queue": int64(l.Queue), "Batch": int64(l.Batch), "Timeout": int64(l.Timeout), "Again": int64(l.Again), "Every": int64(l.Every), "Within": int64(l.Within)} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is negative and means the default", field, d))
		}
	}
	if l.Batch > MaxBatch {
		errs = append(errs, fmt.Errorf("Batch: %d counts as %d", l.Batch, MaxBatch))
	}
	if (l.Anchor == nil) != (l.Key == nil) {
		errs = append(errs, errors.New("Anchor: no checkpoints are made unless Key is set, too"))
	}
	if l.Key != nil && len(l.Key) != ed25519.PrivateKeySize {
		errs = append(errs, fmt.Errorf("Key: %d bytes are no Ed25519 key, and no checkpoints are made", len(l.Key)))
	}
	return errors.Join(errs...)
}

func (l *Log) chain() string { return or(l.Chain, "main") }

// or returns v, or what it means if it is not set.
func or[T interface{ ~int | ~int64 | ~string }](v, usual T) T {
	var zero T
	if v <= zero {
		return usual
	}
	return v
}

func (l *Log) queue() int { return or(l.Queue, 8192) }

func (l *Log) batch() int { return min(or(l.Batch, 1000), MaxBatch) }

// init makes what the methods need.
func (l *Log) init() {
	l.lazy.Do(func() {
		var random [12]byte
		rand.Read(random[:]) // never fails
		l.ids = hex.EncodeToString(random[:]) + "-"
		l.base = time.Now()
		l.wake = make(chan struct{}, 1)
		l.done = make(chan struct{})
	})
}

// complete fills in what every record has, and bounds it.
func (l *Log) complete(r Record) Record {
	if r.ID == "" {
		r.ID = l.ids + strconv.FormatUint(l.n.Add(1), 10)
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	if r.Mono == 0 {
		r.Mono = r.Time.Sub(l.base)
	}
	r.Node, r.Build, r.Config = l.Node, l.Build, or(r.Config, l.Config)
	r.Decision = or(r.Decision, End)
	return r.Bounded()
}

// order says whether a call must not be attempted again without a record.
func (l *Log) order(p *retry.Policy) bool {
	if l.Orders != nil && p != nil {
		return l.Orders(p)
	}
	return p == nil || !p.Idempotent
}
