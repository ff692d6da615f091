package retrysql

import (
	"context"
	"errors"
	"fmt"

	"github.com/relent-go/relent/retry"
)

// Savepoint runs fn, and undoes what it did if it returns an error, which Savepoint then returns. The
// transaction can go on after that, unless what failed has ended it whole: a serialization failure,
// a deadlock or a lost connection is not undone by a savepoint. A panic in fn rolls the whole
// transaction back.
//
//	err := tx.Savepoint(ctx, func(ctx context.Context) error {
//		_, err := tx.Exec(ctx, `INSERT …`) // may be there already
//		return err
//	})
func (tx *Tx) Savepoint(ctx context.Context, fn func(context.Context) error) error {
	if err := tx.refusal(); err != nil {
		return err
	}
	tx.savepoints++
	name := fmt.Sprintf("relent_%d", tx.savepoints)
	if _, err := tx.exec(ctx, "SAVEPOINT "+name); err != nil {
		return err
	}
	onces := tx.onces
	err := fn(ctx)
	if err == nil {
		_, err = tx.exec(ctx, "RELEASE SAVEPOINT "+name)
		return err
	}
	if !tx.revive() {
		return err
	}
	tx.onces = onces // its row is gone
	if _, failed := tx.exec(ctx, "ROLLBACK TO SAVEPOINT "+name); failed != nil {
		return errors.Join(err, failed)
	}
	if _, failed := tx.exec(ctx, "RELEASE SAVEPOINT "+name); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// revive forgets what failed, if a savepoint survives that.
func (tx *Tx) revive() bool {
	tx.closeRows() // those of fn, and any that were open before: SQLite cannot roll back under them
	tx.mu.Lock()
	defer tx.mu.Unlock()
	if e := ours(tx.first); e != nil && e.class != retry.Permanent {
		return false
	}
	tx.first = nil
	return true
}
