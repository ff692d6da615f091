package chaos

import (
	"context"
	"net"
)

// Listen returns a listener with faults, as the operation accept. Its connections are a *Conn like shape, which may be nil; its Conn
// and Injector do not count. A client that meets a fault is cut off as soon as it has come; [Slow] holds back all who come later, too, as a
// busy server does; [Hang] lets nobody in any more. Both end when the listener is closed.
func Listen(l net.Listener, i *Injector, shape *Conn) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	return &listener{Listener: l, i: i, shape: shape, open: ctx, close: cancel}
}

type listener struct {
	net.Listener
	i     *Injector
	shape *Conn
	open  context.Context // until Close
	close context.CancelFunc
}

// Accept waits for a client that meets no fault.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := shaped(inner, l.i, l.shape)
		h := l.i.next("accept")
		err = h.before(l.open)
		if err == nil {
			err = h.after(l.open)
		}
		if err == nil {
			return c, nil
		}
		c.end(hit{fault: Cut}, err)
		if l.open.Err() != nil {
			return nil, net.ErrClosed
		}
	}
}

// Close closes the listener, and ends what waits.
func (l *listener) Close() error {
	l.close()
	return l.Listener.Close()
}

// shaped is a connection like shape.
func shaped(inner net.Conn, i *Injector, shape *Conn) *Conn {
	c := &Conn{Conn: inner, Injector: i}
	if shape != nil {
		c.ReadLimit, c.WriteLimit, c.Delay, c.Reset = shape.ReadLimit, shape.WriteLimit, shape.Delay, shape.Reset
	}
	return c
}
