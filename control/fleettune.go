package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// carryOut puts in force what the control plane wants of operations. What cannot be is told, and is an error.
func (f *Fleet) carryOut(ctx context.Context, w wish) error {
	f.present = f.Registry.count()
	var err error
	if w.Config != nil {
		err = f.Registry.follow(ctx, *w.Config)
	}
	err = errors.Join(err, f.tune(ctx, w.Tunes))
	f.undone, f.tried = errors.Is(err, ErrNotAudited), time.Now()
	return err
}

// untilAgain is how long to wait before orders that could not be recorded are carried out again.
const untilAgain = 5 * time.Second

// catchUp carries the last orders out again when there are operations that they did not find, or when they could not be
// recorded. Operations that are as they should be are left alone.
func (f *Fleet) catchUp(ctx context.Context) {
	if f.present == f.Registry.count() && (!f.undone || time.Since(f.tried) < untilAgain) {
		return
	}
	f.mu.Lock()
	last := f.last
	f.mu.Unlock()
	f.carryOut(ctx, last)
}

// tune gives operations the overrides that orders have for them, and takes back those of earlier orders.
func (f *Fleet) tune(ctx context.Context, orders map[string]TuneOrder) error {
	wanted := maps.Clone(orders)
	if wanted == nil {
		wanted = map[string]TuneOrder{}
	}
	for name := range f.tuned {
		if _, ok := wanted[name]; !ok {
			wanted[name] = TuneOrder{Actor: fleetSource, Reason: "the override was taken back"}
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		op, err := f.Registry.Operation(name)
		if err != nil {
			continue // of another process
		}
		w := wanted[name]
		f.tuned[name] = true
		now := op.about()
		fields := maps.Clone(w.Fields)
		if fields == nil {
			fields = map[string]string{}
		}
		for field := range now.Override {
			if _, ok := fields[field]; !ok {
				fields[field] = "" // reverts it
			}
		}
		if len(fields) > 0 && !maps.Equal(fields, now.Override) {
			_, err = f.Registry.Tune(ctx, Tune{Operation: name, Version: now.Version, Fields: fields, Actor: w.Actor, Reason: w.Reason, Source: fleetSource})
		}
		if err != nil {
			f.Registry.Note(Note{Kind: "config", Policy: name, Text: fmt.Sprintf("the fleet's override is not in force: %v", err)})
			errs = append(errs, err)
		} else if _, still := orders[name]; !still {
			delete(f.tuned, name)
		}
	}
	return errors.Join(errs...)
}
