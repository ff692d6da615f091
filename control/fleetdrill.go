package control

import (
	"context"
	"fmt"
	"slices"

	"github.com/relent-go/relent/gate/halt"
)

// fleetSource is by which way the commands of a control plane come.
const fleetSource = "fleet"

// rehearse goes through drills, each once: all that a stop would do here, but for stopping. It does not wait for the control
// plane to be told.
func (f *Fleet) rehearse(drills []DrillOrder) {
	if f.Stops == nil {
		return // nor would a stop reach this process, so nothing is said
	}
	for _, d := range drills {
		if slices.Contains(f.drilled, d.ID) {
			continue
		}
		f.drilled = append(f.drilled, d.ID)
		f.drilled = f.drilled[max(0, len(f.drilled)-mostDrills):]
		state, _ := halt.ParseState(d.State) // what is none is the strictest one
		r, err := f.Stops.Stop(halt.Command{
			Scope: halt.Scope(d.Scope), State: state, Who: d.Actor, Why: d.Reason, Ticket: d.Ticket, Source: fleetSource, Expires: d.For, Drill: true,
		})
		done := Drilled{ID: d.ID, Took: r.Saved}
		if err != nil {
			done.Error = err.Error()
		}
		select {
		case f.told <- done:
		default: // more at once than are shown
		}
	}
}

// tell says at once which drills were gone through.
func (f *Fleet) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case done := <-f.told:
			if err := f.post(ctx, DrillPath, done, nil); err != nil && ctx.Err() == nil {
				f.fail(fmt.Errorf("drill: %w", err))
			}
		}
	}
}
