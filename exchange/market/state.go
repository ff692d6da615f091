package market

import "errors"

// A State says what a book is worth.
//
//	EMPTY ── begin ──> BUFFERING ── snapshot ──> SYNCED
//	                       ^                        │ gap, mismatch, crossed, lag, link lost
//	                       └──── begin ──── STALE <─┘ (a lag heals by itself)
type State uint8

// The states.
const (
	Empty     State = iota // nothing is known
	Buffering              // a snapshot is on its way: no book
	Synced                 // equals the venue's book at its sequence
	Stale                  // the last book that was right, and no longer is
)

var stateNames = [...]string{"EMPTY", "BUFFERING", "SYNCED", "STALE"}

// String returns the name in capitals.
func (s State) String() string {
	if int(s) >= len(stateNames) {
		return stateNames[Stale]
	}
	return stateNames[s]
}

// Why a book is stale, or a snapshot was not taken. Test with errors.Is.
var (
	ErrGap         = errors.New("sequence gap")
	ErrChecksum    = errors.New("checksum mismatch")
	ErrCrossed     = errors.New("crossed book")
	ErrLevels      = errors.New("odd levels")
	ErrLag         = errors.New("data arrives too late")
	ErrLinkLost    = errors.New("link lost")
	ErrOldSnapshot = errors.New("snapshot is older than the deltas kept")
	ErrFrame       = errors.New("odd frame")
)
