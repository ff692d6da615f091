//go:build unix

package rerun

import (
	"io"
	"os"
)

// A plumbing connects one attempt's descriptors.
type plumbing struct {
	files [3]*os.File // of the command
	mine  []*os.File  // those of files that nobody but the command needs

	feed    func(stop <-chan struct{}) // nil if stdin needs no help
	stdin   *os.File                   // what feed writes to
	stop    chan struct{}
	fed     chan struct{}
	outlets []*outlet
	stdout  *outlet // among outlets, or nil
	held    *held   // nil unless stdout is held back

	matchers []*matcher
}

// plumb prepares attempt number n.
func (r *run) plumb(n int) (*plumbing, error) {
	p := &plumbing{stop: make(chan struct{}), fed: make(chan struct{})}
	if err := p.connect(r, n); err != nil {
		p.abort()
		return nil, err
	}
	return p, nil
}

func (p *plumbing) connect(r *run, n int) error {
	switch {
	case r.stdin != nil:
		in, out, err := os.Pipe()
		if err != nil {
			return err
		}
		p.files[0], p.stdin, p.mine = in, out, append(p.mine, in)
		p.feed = func(stop <-chan struct{}) { r.stdin.feed(out, stop) }
	case r.Stdin == StdinPass && n == 1:
		p.files[0] = r.In
	default:
		null, err := os.Open(os.DevNull)
		if err != nil {
			return err
		}
		p.files[0], p.mine = null, append(p.mine, null)
	}

	matching := r.UntilMatch != nil || r.FailMatch != nil
	p.files[1], p.files[2] = r.Out, r.Err
	if r.Stdout == StdoutOnce {
		p.held = &held{out: r.Out}
	}
	for fd := 1; fd <= 2; fd++ {
		var sinks []io.Writer
		if fd == 1 && p.held != nil {
			sinks = append(sinks, p.held)
		}
		if matching {
			if len(sinks) == 0 {
				sinks = append(sinks, p.files[fd])
			}
			m := &matcher{until: r.UntilMatch, fail: r.FailMatch}
			p.matchers = append(p.matchers, m)
			sinks = append(sinks, m)
		}
		if len(sinks) == 0 {
			continue // the command writes there itself, and sees what it is
		}
		o, err := newOutlet(io.MultiWriter(sinks...))
		if err != nil {
			return err
		}
		p.outlets = append(p.outlets, o)
		p.files[fd], p.mine = o.w, append(p.mine, o.w)
		if fd == 1 {
			p.stdout = o
		}
	}
	return nil
}

// started closes what only the command needs and sets everything moving.
func (p *plumbing) started() {
	for _, f := range p.mine {
		f.Close()
	}
	for _, o := range p.outlets {
		go o.run()
	}
	if p.feed == nil {
		close(p.fed)
		return
	}
	go func() {
		defer close(p.fed)
		p.feed(p.stop)
	}()
}

// ended ends the feeding, whether or not the command has read its input, and lets the outlets finish.
func (p *plumbing) ended() {
	close(p.stop)
	if p.stdin != nil {
		p.stdin.Close() // ends a write that nobody reads
	}
	<-p.fed
	for _, o := range p.outlets {
		o.commandEnded()
	}
}

// drain waits until all output is where it belongs. It blocks while a reader of ours does not read.
func (p *plumbing) drain() {
	for _, o := range p.outlets {
		<-o.done
	}
	for _, m := range p.matchers {
		m.finish()
	}
}

// abort closes everything if the command could not be started.
func (p *plumbing) abort() {
	for _, f := range p.mine {
		f.Close()
	}
	if p.stdin != nil {
		p.stdin.Close()
	}
	for _, o := range p.outlets {
		o.r.Close()
	}
}

// seen says what was found in the output. It is for after drain.
func (p *plumbing) seen() (until, fail bool) {
	for _, m := range p.matchers {
		until, fail = until || m.untilSeen, fail || m.failSeen
	}
	return until, fail
}

// outputError returns why stdout could not be written, and why it could not be held back.
func (p *plumbing) outputError() (written, held error) {
	if p.stdout != nil {
		written = p.stdout.err
	}
	if p.held != nil {
		held = p.held.lost
	}
	return written, held
}
