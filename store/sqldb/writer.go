package sqldb

import (
	"context"
	"database/sql"
	"runtime"
	"sync/atomic"
)

const (
	// QueueLength is how many operations on a SQLite file wait their turn. Further callers wait for a place among them.
	QueueLength = 1024

	maxBatch = 1024     // operations in one transaction
	maxBytes = 16 << 20 // that make a batch long enough
)

// An operation is what one caller wants to have changed.
type operation struct {
	kind  kind
	size  int // about how many bytes it writes
	run   func(context.Context, session) error
	state atomic.Int32
	err   error         // what is answered; set before done
	done  chan struct{} // closed when it is answered
}

// The states of an operation. It leaves queued once.
const (
	queued int32 = iota
	begun
	withdrawn
)

func (o *operation) leave(to int32) bool { return o.state.CompareAndSwap(queued, to) }

func (o *operation) answer(err error) {
	o.err = err
	close(o.done)
}

// A writer commits what many callers want together. One goroutine does, from newWriter to close.
type writer struct {
	where   string
	session writeSession
	queue   chan *operation
	closing chan struct{} // closed by close
	stopped chan struct{} // closed when the goroutine has ended
}

var (
	sqlBegin     = newQuery(`BEGIN IMMEDIATE`) // I14: a transaction that reads first may be refused when it writes
	sqlCommit    = newQuery(`COMMIT`)
	sqlRollback  = newQuery(`ROLLBACK`)
	sqlSavepoint = newQuery(`SAVEPOINT op`)
	sqlBack      = newQuery(`ROLLBACK TO op`)
	sqlRelease   = newQuery(`RELEASE op`)
)

// newWriter brings the tables up to date and begins to take operations.
func newWriter(ctx context.Context, db *sql.DB, where string) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		where: where, session: writeSession{conn, make(map[*query]*sql.Stmt), make(map[string]any)},
		queue: make(chan *operation, QueueLength), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := w.migrate(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	go w.loop()
	return w, nil
}

func (w *writer) migrate(ctx context.Context) error {
	_, err := w.session.exec(ctx, sqlBegin)
	if err != nil {
		return err
	}
	if err = migrate(ctx, &w.session, w.where); err == nil {
		_, err = w.session.exec(ctx, sqlCommit)
	}
	if err != nil {
		w.session.exec(context.WithoutCancel(ctx), sqlRollback)
	}
	return err
}

// do has an operation done and returns how it ended. When ctx ends first, an operation that was not begun is withdrawn;
// of one that was, the outcome is unknown.
func (w *writer) do(ctx context.Context, o *operation) error {
	select {
	case <-w.closing:
		return fault(w.where, ErrClosed, nil)
	default:
	}
	select {
	case w.queue <- o:
	case <-ctx.Done():
		return left(ctx)
	case <-w.closing:
		return fault(w.where, ErrClosed, nil)
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		if o.leave(withdrawn) {
			return left(ctx)
		}
		return fault(w.where, ErrUnknown, context.Cause(ctx))
	case <-w.stopped:
		if o.leave(withdrawn) {
			return fault(w.where, ErrClosed, nil)
		}
		<-o.done // it was, before the goroutine ended
		return o.err
	}
}

// close is called once. It returns when the last transaction has ended.
func (w *writer) close() {
	close(w.closing)
	<-w.stopped
	for _, st := range w.session.statements {
		st.Close() // or else the file stays open
	}
	w.session.conn.Close()
}

func (w *writer) ended() bool {
	select {
	case <-w.stopped:
		return true
	default:
		return false
	}
}

func (w *writer) loop() {
	defer close(w.stopped)
	var batch []*operation
	for {
		select {
		case <-w.closing:
			return
		case o := <-w.queue:
			batch = w.collect(batch[:0], o)
			w.commit(batch)
			clear(batch)
		}
	}
}

// collect adds the operations that wait. Those whose callers were just answered get the chance to ask again first, so that
// they do not all miss the next commit by a moment.
func (w *writer) collect(batch []*operation, o *operation) []*operation {
	size := 0
	for yielded := false; ; {
		if o.leave(begun) {
			batch = append(batch, o)
			size += o.size
		}
		if len(batch) >= maxBatch || size >= maxBytes {
			return batch
		}
		select {
		case o = <-w.queue:
			continue
		default:
		}
		if yielded {
			return batch
		}
		runtime.Gosched()
		yielded = true
		select {
		case o = <-w.queue:
		default:
			return batch
		}
	}
}

// commit does the operations of a batch in one transaction, and answers them.
func (w *writer) commit(batch []*operation) {
	if len(batch) == 0 {
		return
	}
	ctx := context.Background() // a caller's context ends the waiting, not the work for others
	clear(w.session.known)      // it may be of a transaction that was undone
	_, err := w.session.exec(ctx, sqlBegin)
	if err != nil {
		w.reject(batch, sqliteFault(w.where, err, false))
		return
	}
	if err = w.apply(ctx, batch); err == nil {
		if _, err = w.session.exec(ctx, sqlCommit); err == nil {
			for _, o := range batch {
				o.answer(o.err)
			}
			return
		}
		err = sqliteFault(w.where, err, true)
	} else {
		err = sqliteFault(w.where, err, false)
	}
	w.session.exec(ctx, sqlRollback) // fails if the error has ended the transaction already
	if len(batch) == 1 || ambiguous(err) {
		w.reject(batch, err)
		return
	}
	for i := range batch { // so that the one for which there is no room does not take the others with it
		w.commit(batch[i : i+1])
	}
}

func (w *writer) reject(batch []*operation, err error) {
	for _, o := range batch {
		o.answer(err)
	}
}

// apply runs the operations, and keeps their errors for their answers. It returns an error if the transaction is lost.
func (w *writer) apply(ctx context.Context, batch []*operation) error {
	for _, o := range batch {
		err := w.try(ctx, o)
		if spoils(err) {
			return err
		}
		o.err = sqliteFault(w.where, err, false)
	}
	return nil
}

// try runs an operation. If it fails it has changed nothing.
func (w *writer) try(ctx context.Context, o *operation) error {
	if o.kind != whole { // a statement that fails undoes itself
		return o.run(ctx, &w.session)
	}
	if _, err := w.session.exec(ctx, sqlSavepoint); err != nil {
		return err
	}
	err := o.run(ctx, &w.session)
	if spoils(err) {
		return err
	}
	if err != nil {
		if _, err := w.session.exec(ctx, sqlBack); err != nil {
			return err
		}
	}
	if _, err := w.session.exec(ctx, sqlRelease); err != nil {
		return err
	}
	return err
}
