package order

import (
	"context"
	"errors"
	"time"
)

// A Venue is the adapter above an SDK. It translates; it never retries, waits, or guesses.
//
// Requests of Place, Cancel, Amend and Replace must go through a transport whose [exchange.Desk] is the machine, with
// the context that they were given where the SDK takes one. An adapter without such a transport calls Begin and End
// of the desk itself. Reads need no desk.
//
// Methods are called concurrently. Errors need not be classified: for what is sent the verdict counts, and a read that
// failed is a read that failed. An adapter that knows that nothing was sent marks the error as [retry.Transient].
type Venue interface {
	// Place sends the order once, with the client id o.Wire and exactly the terms of o. The report is what the answer
	// says, with the fields that the answer has; an answer that only says "accepted" has the status Accepted.
	Place(ctx context.Context, o *Intent) (Report, error)

	// Query reads an order by its client id, and by VenueID where that is known and the venue reads no client ids. Only
	// the answers that the venue documents as not found are [ErrNotFound]; an empty list, a 404 without the venue's code,
	// and everything else is another error. A venue that reads no orders by client id returns [ErrUnsupported].
	Query(ctx context.Context, r Ref) (Report, error)

	// Cancel asks to cancel an order, once, under the command's own id. "Unknown order" and "already done" are errors
	// like any other: the machine reads the order then. A nil error means that the venue took the request.
	Cancel(ctx context.Context, r Ref, command string) error
}

// A Lister is a Venue that lists orders. All pages are read, or an error returned.
type Lister interface {
	Open(ctx context.Context, symbol string) ([]Report, error)                      // that work now
	Finished(ctx context.Context, symbol string, since time.Time) ([]Report, error) // that ended at or after since, by the venue's clock
}

// A FillReader is a Venue that lists fills at or after since, by the venue's clock. All pages are read, or an error returned.
type FillReader interface {
	Fills(ctx context.Context, symbol string, since time.Time) ([]Fill, error)
}

// A Holder is a Venue that knows what the account holds: the position, or the whole balance of the asset that the
// symbol trades, locked parts included. If fresh, the answer comes from a read that began after the call; else a value
// that a private stream keeps is as good, and quicker.
type Holder interface {
	Holding(ctx context.Context, symbol string, fresh bool) (Decimal, error)
}

// A Custodian is a Holder that knows which assets a symbol is about, so that fees and other symbols are not taken for fills of an
// order in doubt. Base is what Holding counts, and quote what it is paid with, both by the names that FeeAsset has. An empty base
// means that Holding is a position, which only fills of the symbol change. It is asked once for each symbol.
//
// Of a Holder that is no Custodian nobody knows what fees were taken of: an order that can fill is then proven absent only if no
// other order of its symbol was filled meanwhile.
type Custodian interface {
	Assets(ctx context.Context, symbol string) (base, quote string, err error)
}

// A Prober is a Venue that can read an order known to exist through the path of Query, so that "not found" from a
// broken replica is not believed. Without it the machine reads an order of its own.
type Prober interface {
	Canary(ctx context.Context, symbol string) error
}

// An Amender is a Venue that changes working orders in place. Quantity and Price of t are absolute and what the order
// shall have; the other terms are as before.
type Amender interface {
	Amend(ctx context.Context, r Ref, command string, t Terms) (Report, error)
}

// A Replacer is a Venue whose cancel and replacement are one atomic call: the new order is placed only if the old one is
// cancelled.
type Replacer interface {
	Replace(ctx context.Context, old Ref, command string, o *Intent) (Legs, error)
}

// A Switch is a Venue that cancels all orders of the account when it has heard nothing for a while. Arm sets the time anew;
// units differ between venues, and how often it may be set. Closing the machine lets it run out.
type Switch interface {
	Arm(ctx context.Context, after time.Duration) error
}

// Legs are the two halves of a replacement, each with what the answer says of it. A half about which the answer
// says nothing is the zero value.
type Legs struct {
	Old, New Report
	OldErr   error // why the cancel failed
	NewErr   error // why the new order failed
}

// A Ref names an order.
type Ref struct {
	ID      string // ours
	Wire    string // client id as the venue sees it
	VenueID string // the venue's own; empty as long as it is unknown
	Symbol  string
	Side    Side
	Sent    time.Time // when the first attempt was signed, by the venue's clock: where the client id counts by the day
}

// A Status is how far an order is.
type Status string

// The statuses.
const (
	StatusAccepted      Status = "accepted" // the request was taken: evidence only as far as Rules.AckIsEngine says
	StatusNew           Status = "new"
	StatusPartial       Status = "partial"
	StatusPendingCancel Status = "pending_cancel"
	StatusFilled        Status = "filled"
	StatusCanceled      Status = "canceled"
	StatusExpired       Status = "expired"
	StatusRejected      Status = "rejected"
)

// A Report is what the venue says of an order, in an answer, a list or a stream.
type Report struct {
	Wire     string    `json:"wire"` // client id as the venue sees it: of the order, not of a cancel
	VenueID  string    `json:"venue_id,omitempty"`
	Status   Status    `json:"status"`
	Terms    Terms     `json:"terms"`              // what the venue says of them; empty fields are not stated
	Executed Decimal   `json:"executed,omitempty"` // cumulative quantity
	Created  time.Time `json:"created,omitzero"`   // by the venue's clock
	At       time.Time `json:"at,omitzero"`        // of the status, by the venue's clock
	Reason   string    `json:"reason,omitempty"`   // of the venue, for a rejection
	Fills    []Fill    `json:"fills,omitempty"`    // where the answer brings them along
}

// A Fill is one execution.
type Fill struct {
	Key      string    `json:"key"` // by the profile's dedupe key: what tells it from all other fills of the account
	Wire     string    `json:"wire,omitempty"`
	VenueID  string    `json:"venue_id,omitempty"` // of the order; either this or Wire is needed
	Symbol   string    `json:"symbol,omitempty"`
	Side     Side      `json:"side,omitempty"`
	Quantity Decimal   `json:"quantity"`
	Price    Decimal   `json:"price,omitempty"`
	Fee      Decimal   `json:"fee,omitempty"`       // negative for one that was paid to us
	FeeAsset string    `json:"fee_asset,omitempty"` // empty: the fee is not known
	At       time.Time `json:"at,omitzero"`
}

// What a Venue's methods say.
var (
	ErrNotFound    = errors.New("the venue says that it has no such order")
	ErrUnsupported = errors.New("the venue does not offer this")
)
