package linear

import (
	"math/rand/v2"
	"time"

	"github.com/relent-go/relent/retry"
)

// epoch is when all histories begin.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	perClient = 10 // attempts that one client may make
	attempts  = (workers + 1) * perClient
)

// A held is an attempt that was admitted and is not settled.
type held struct {
	id uint8 // within the history
	retry.Attempt
}

// hands are the attempts that each client holds.
type hands [workers + 1]struct {
	made int
	held []*held
}

// attempt returns a new one, or nil if c has made as many as it may.
func (h *hands) attempt(c *client, p *retry.Policy, number int, at time.Duration) *held {
	mine := &h[c.id]
	if mine.made == perClient {
		return nil
	}
	id := c.id*perClient + mine.made
	mine.made++
	return &held{id: uint8(id), Attempt: retry.Attempt{
		Policy: p, Call: uint64(id) + 1, Number: number, At: epoch.Add(at), Lane: c.rand.Uint32N(4), Note: new(uint64),
	}}
}

func (h *hands) keep(c *client, a *held) { h[c.id].held = append(h[c.id].held, a) }

// take returns one of those that c holds, which it does not hold any more; nil if there is none.
func (h *hands) take(c *client) *held {
	mine := &h[c.id]
	if len(mine.held) == 0 {
		return nil
	}
	i := c.rand.IntN(len(mine.held))
	a := mine.held[i]
	mine.held = append(mine.held[:i], mine.held[i+1:]...)
	return a
}

// deal gives the attempts that c holds to the first clients.
func (h *hands) deal(c *client, clients int) {
	for i, a := range h[c.id].held {
		h[i%clients].held = append(h[i%clients].held, a)
	}
	h[c.id].held = nil
}

// one returns one of several, by lot.
func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
