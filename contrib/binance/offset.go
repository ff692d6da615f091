package binanceorders

import (
	"time"

	"github.com/adshao/go-binance/v2"
)

// step is how exactly requests are signed by the venue's clock: its estimate moves all the time.
const step = 50 * time.Millisecond

// sdk is the client to sign with. The SDK reads its offset without a lock, so a new offset is a new client.
func (v *Venue) sdk() *binance.Client {
	if v.Offset == nil {
		return v.Client
	}
	behind := -v.Offset().Round(step).Milliseconds() // the SDK takes it off
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.signer == nil || v.signer.TimeOffset != behind {
		c := *v.Client
		c.TimeOffset = behind
		v.signer = &c
	}
	return v.signer
}
