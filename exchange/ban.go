package exchange

import (
	"context"
	"fmt"
	"time"
)

// A Ban is the time during which a venue wants nothing of us.
type Ban struct {
	Venue   string    `json:"venue"`             // name of the profile
	Account string    `json:"account,omitempty"` // empty: all requests from this IP
	Host    string    `json:"host"`              // that said so
	Scope   string    `json:"scope"`             // as in the facts
	Until   time.Time `json:"until"`
	First   time.Time `json:"first"` // when the first ban in a row began
	Count   int       `json:"count"` // bans in a row, each within a day of the one before
	Signal  string    `json:"signal"`
	Reason  string    `json:"reason"`
}

// A BanStore keeps bans beyond the life of this process, and shares them with other processes behind the same IP. Its methods
// are called concurrently. exchange/bantest checks any BanStore.
type BanStore interface {
	// Load returns all bans that are in force, and those that ended within a day, in any order.
	Load(ctx context.Context) ([]Ban, error)

	// Save makes a ban durable before it returns. There is one for a venue and account: of two the later Until, the
	// earlier First and the higher Count stay, with the Signal and Reason of the later Until.
	Save(ctx context.Context, b Ban) error
}

// Merge is what a [BanStore] keeps of two bans of the same venue and account. One that began more than a day after the
// other had ended stands alone.
func Merge(a, b Ban) Ban {
	if b.Until.After(a.Until) {
		a, b = b, a
	}
	if a.First.Sub(b.Until) >= inARow {
		return a
	}
	if !b.First.IsZero() && b.First.Before(a.First) {
		a.First = b.First
	}
	a.Count = max(a.Count, b.Count)
	return a
}

// A BanError is the refusal of a request inside a ban. Nothing was sent. It unwraps to ErrBanned.
type BanError struct {
	Ban       Ban
	After     time.Duration // until it may be tried again
	Returning bool          // the ban has ended, and one read must succeed before anything else is sent
}

// Error says until when.
func (e *BanError) Error() string {
	if e.Returning {
		return fmt.Sprintf("%s: %v: it ended at %s, and one read must succeed first", e.Ban.Venue, ErrBanned, e.Ban.Until.Format(time.RFC3339))
	}
	return fmt.Sprintf("%s: %v until %s: %s", e.Ban.Venue, ErrBanned, e.Ban.Until.Format(time.RFC3339), e.Ban.Signal)
}

// Unwrap returns ErrBanned.
func (e *BanError) Unwrap() error { return ErrBanned }

// RetryAfter returns After, for [retry.Hint].
func (e *BanError) RetryAfter() time.Duration { return e.After }
