//go:build unix

package rerun

import (
	"errors"
	"io"
	"os"
	"sync"
)

var errInputTooLarge = errors.New("stdin was larger than --stdin-max")

// An input reads stdin at the pace of the attempt that consumes it, and keeps what it read so that
// each attempt is given all of it from the beginning. Nobody else's input is read ahead of need.
//
// Only one attempt is fed at a time. A read that is under way when an attempt ends stays under way, and
// what it yields is for the next attempt: a read of a terminal or a pipe cannot be taken back.
type input struct {
	src *os.File
	max int64 // most bytes to keep

	mu      sync.Mutex
	kept    spool         // guarded by mu, like all below
	last    []byte        // the newest piece if it could not be kept
	size    int64         // bytes read in all; last ends here
	reading bool          // a read is under way
	end     error         // io.EOF, or why src cannot be read further
	lost    error         // why the input can no longer be replayed
	changed chan struct{} // closed when a read ends
}

func newInput(src *os.File, most int64) *input {
	return &input{src: src, max: most, changed: make(chan struct{})}
}

// feed writes the input from its beginning to w until it ends, w fails or is closed, or stop is
// closed, and then closes w.
func (in *input) feed(w *os.File, stop <-chan struct{}) {
	defer w.Close()
	piece := make([]byte, 32<<10)
	for at := int64(0); ; {
		n, err := in.next(piece, at, stop)
		if err != nil {
			return
		}
		if _, err := w.Write(piece[:n]); err != nil { // EPIPE: the command has closed its stdin
			return
		}
		at += int64(n)
	}
}

// next fills p with what follows the first at bytes, waiting for src if need be.
func (in *input) next(p []byte, at int64, stop <-chan struct{}) (int, error) {
	for {
		in.mu.Lock()
		switch {
		case at < in.kept.size:
			n, err := in.kept.ReadAt(p[:min(int64(len(p)), in.kept.size-at)], at)
			in.mu.Unlock()
			return n, err
		case at < in.size:
			n := copy(p, in.last[int64(len(in.last))-(in.size-at):])
			in.mu.Unlock()
			return n, nil
		case in.end != nil:
			err := in.end
			in.mu.Unlock()
			return 0, err
		}
		if !in.reading {
			in.reading = true
			go in.read()
		}
		changed := in.changed
		in.mu.Unlock()
		select {
		case <-changed:
		case <-stop:
			return 0, os.ErrClosed
		}
	}
}

// read takes one piece from src.
func (in *input) read() {
	p := make([]byte, 32<<10)
	n, err := in.src.Read(p)

	in.mu.Lock()
	defer in.mu.Unlock()
	if n > 0 {
		in.keep(p[:n])
	}
	if err != nil {
		in.end = err
	}
	in.reading = false
	close(in.changed)
	in.changed = make(chan struct{})
}

// keep adds a piece, or notes why nobody after the running attempt can have it. mu is held.
func (in *input) keep(p []byte) {
	begin := in.size
	in.size += int64(len(p))
	if in.lost == nil && in.size > in.max {
		in.lost = errInputTooLarge
	}
	if in.lost == nil {
		if _, err := in.kept.Write(p); err != nil {
			in.lost = err
		}
	}
	if in.lost != nil {
		in.last = p[max(0, in.kept.size-begin):] // a failed write may have kept a part
	}
}

// replayable returns nil if another attempt can be given the whole input.
func (in *input) replayable() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.lost
}

// failure returns why src could not be read to its end, if that is so.
func (in *input) failure() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.end == io.EOF {
		return nil
	}
	return in.end
}

// close frees what was kept.
func (in *input) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.kept.Close()
	in.max = 0 // a read that is still under way keeps nothing
}
