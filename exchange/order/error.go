package order

import "errors"

// Why the machine refuses. Nothing was sent, unless the text says otherwise. Test with errors.Is.
var (
	ErrNotReady  = errors.New("the order machine does not run")
	ErrExists    = errors.New("the client id is in use for the same terms")
	ErrReused    = errors.New("the client id was used for other terms; make a new intent")
	ErrNoOrder   = errors.New("no such order")
	ErrFull      = errors.New("the machine holds as many open orders as it may")
	ErrGuard     = errors.New("a check before the send failed")
	ErrUnsent    = errors.New("the request is recorded, has not left yet, and will be made again")
	ErrGated     = errors.New("closed for new orders until an order in doubt is resolved")
	ErrNoAttempt = errors.New("the request belongs to no attempt that the order machine knows, and was not sent")
	ErrEvidence  = errors.New("what the venue says cannot be read")
	ErrState     = errors.New("not possible in this state")
	ErrPersons   = errors.New("two different persons must agree")
	ErrLog       = errors.New("the order log cannot be written")
)
