//go:build unix

package rerun

import (
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// leftoverGrace is how long output is awaited from processes that outlive the command but still
// hold its stdout, such as the tee of "cmd > >(tee log)". Without it a daemon would hold relent for ever.
const leftoverGrace = 250 * time.Millisecond

// leftoverMax bounds what is read after the grace from a process that never stops writing. It is
// the largest capacity that Linux gives a pipe without privileges (pipe(7), pipe-max-size), so all
// that the command itself wrote is read.
const leftoverMax = 1 << 20

// An outlet carries what a command writes to one descriptor into a sink.
type outlet struct {
	r, w *os.File // of a pipe; the command has w
	sink io.Writer
	done chan struct{} // closed when all is in the sink
	err  error         // of the sink; read after done
}

func newOutlet(sink io.Writer) (*outlet, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &outlet{r: r, w: w, sink: sink, done: make(chan struct{})}, nil
}

// run copies until nobody holds the other end, or the grace after commandEnded is over.
func (o *outlet) run() {
	defer close(o.done)
	defer o.r.Close() // so that a command which goes on writing after the sink failed gets SIGPIPE
	piece := make([]byte, 32<<10)
	for {
		n, err := o.r.Read(piece)
		if n > 0 {
			if _, o.err = o.sink.Write(piece[:n]); o.err != nil {
				return
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.leftover(piece)
			return
		}
		if err != nil {
			return
		}
	}
}

// leftover copies what is in the pipe now. A deadline that has passed hides it from Read.
func (o *outlet) leftover(piece []byte) {
	if o.r.SetReadDeadline(time.Time{}) != nil {
		return
	}
	raw, err := o.r.SyscallConn()
	if err != nil {
		return
	}
	for total := 0; total < leftoverMax; {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			n, _ = unix.Read(int(fd), piece) // the descriptor does not block: empty is EAGAIN
			return true
		})
		if err != nil || n <= 0 {
			return
		}
		total += n
		if _, o.err = o.sink.Write(piece[:n]); o.err != nil {
			return
		}
	}
}

// commandEnded begins the grace.
func (o *outlet) commandEnded() { o.r.SetReadDeadline(time.Now().Add(leftoverGrace)) }

// A held output keeps what an attempt writes to stdout until it is known where that belongs. If it
// cannot be kept, it goes straight to out, since losing it would be worse; then the attempt must
// be the last.
type held struct {
	kept spool
	out  io.Writer
	lost error // why it could not be kept
}

// Write implements [io.Writer].
func (h *held) Write(p []byte) (int, error) {
	if h.lost == nil {
		n, err := h.kept.Write(p)
		if err == nil {
			return n, nil
		}
		h.lost = err
		if _, err := h.kept.WriteTo(h.out); err != nil {
			return n, err
		}
		h.kept.Close()
		m, err := h.out.Write(p[n:])
		return n + m, err
	}
	return h.out.Write(p)
}

// release writes what is kept to w and forgets it.
func (h *held) release(w io.Writer) error {
	_, err := h.kept.WriteTo(w)
	return errors.Join(err, h.kept.Close())
}
