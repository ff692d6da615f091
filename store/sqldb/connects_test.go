package sqldb

import (
	"testing"
	"time"

	"github.com/relent-go/relent/transport/retryws"
)

// The connects of a venue outlive the program that made them.
func TestDocumentsKeepConnects(t *testing.T) {
	both(t, func(t *testing.T, open func(testing.TB) *DB) {
		docs := open(t).Documents()
		until := time.Now().Add(time.Hour).Round(0)
		for n := range 3 {
			l := &retryws.DocumentLedger{Documents: docs, Name: t.Name()} // of a new program each time
			wait, err := l.Take(t.Context(), "venue", 2, time.Hour)
			if err != nil || (wait > 0) != (n == 2) {
				t.Errorf("connect %d waits for %v, %v; want only the third to wait", n+1, wait, err)
			}
			if err := l.Hold(t.Context(), "host", until, "418"); err != nil {
				t.Error(err)
			}
			if is, err := l.Held(t.Context(), "host"); err != nil || !is.Equal(until) {
				t.Errorf("Held = %v, %v; want %v", is, err, until)
			}
		}
	})
}
