package sim

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/backoff"
)

// A Contest is the experiment of Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015):
// each client reads one row, and then writes it if its version is still the one that was read. Whoever
// comes too late waits as Backoff says, and begins anew. Messages take |Normal(10, 2)| ms each way, and all clients
// begin at once.
//
// A Contest is plain data. Contention costs nothing but calls here, so callers that never wait are done first:
// what counts is the number of calls.
type Contest struct {
	Seed    uint64
	Clients int              // default 100; the most is MostClients
	Backoff backoff.Strategy // nil means that nobody waits
}

// A Score is what a contest took.
type Score struct {
	Calls int           // writes, successful or not
	Time  time.Duration // until the last client was done
}

// A Spacing is a backoff that the experiment compares.
type Spacing struct {
	Name    string
	Backoff backoff.Strategy
}

// Spacings returns the backoffs of the experiment in its order: from 5 ms to 2 s, where the first wait
// of the exponential ones has the exponent 1.
func Spacings() []Spacing {
	const base, most = 5 * time.Millisecond, 2 * time.Second
	return []Spacing{
		{"none", backoff.Constant{}},
		{"exponential", backoff.Exponential{Base: 2 * base, Max: most, Jitter: backoff.None}},
		{"equal", backoff.Exponential{Base: 2 * base, Max: most, Jitter: backoff.Equal}},
		{"full", backoff.Exponential{Base: 2 * base, Max: most, Jitter: backoff.Full}},
		// As published: cut to the maximum after the draw, so that many waits are exactly the maximum.
		// backoff.Decorrelated draws below the maximum: as many calls, and done sooner.
		{"decorrelated", backoff.Func(func(_ int, last time.Duration, u float64) time.Duration {
			return min(most, base+time.Duration(u*float64(3*max(last, base)-base)))
		})},
	}
}

// A contender is one client of a contest.
type contender struct {
	random  *rand.Rand
	version int // that it read
	losses  int
	wait    time.Duration // the last one
}

// trip is how long a message takes.
func (c *contender) trip() time.Duration {
	return time.Duration(math.Abs(10+2*c.random.NormFloat64()) * float64(time.Millisecond))
}

// Play returns what a contest took. The same contest yields the same score. The end of ctx ends it, with the cause.
func (c Contest) Play(ctx context.Context) (Score, error) {
	n := min(c.Clients, MostClients)
	if n <= 0 {
		n = 100
	}
	strategy := c.Backoff
	if strategy == nil {
		strategy = backoff.Constant{}
	}
	var events events
	clients := make([]contender, n)
	for i := range clients {
		clients[i].random = stream(c.Seed, network, i)
		events.push(event{at: clients[i].trip(), kind: reads, gen: uint64(i)})
	}
	var score Score
	version := 0
	for step := 0; len(events.list) > 0; step++ {
		if step&1023 == 0 && ctx.Err() != nil {
			return Score{}, context.Cause(ctx)
		}
		e := events.pop()
		client := &clients[e.gen]
		if e.kind == reads {
			client.version = version
			e.kind, e.at = writes, e.at+client.trip()+client.trip() // the answer, then the write
			events.push(e)
			continue
		}
		score.Calls++
		answer := e.at + client.trip()
		if client.version == version {
			version++
			score.Time = max(score.Time, answer)
			continue
		}
		client.losses++
		client.wait = max(0, strategy.Delay(client.losses, client.wait, client.random.Float64()))
		e.kind, e.at = reads, answer+client.wait+client.trip()
		events.push(e)
	}
	return score, nil
}
