package control

import (
	"cmp"
	"slices"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// DrillShown is how long a drill is shown that does not say when it ends.
const DrillShown = time.Minute

// mostDrills are shown at one time, the latest ones.
const mostDrills = 20

// drill remembers a drill, which the tree does not hold since it stops nothing.
func (c *commands) drill(r halt.Record, source string) {
	v := StopView{
		Scope: string(r.Scope), State: r.State.String(), Drill: true, Epoch: r.Epoch, Actor: r.Who, Source: source,
		Reason: r.Why, Ticket: r.Ticket, Since: r.At, Expires: r.Until, Reached: 1, Processes: 1, Took: r.Saved,
	}
	if v.Expires.IsZero() {
		v.Expires = r.At.Add(DrillShown)
	}
	c.noted.Lock()
	defer c.noted.Unlock()
	c.drills = slices.DeleteFunc(c.drills, func(one StopView) bool { return one.Scope == v.Scope || !r.At.Before(one.Expires) })
	c.drills = append(c.drills, v)
	c.drills = c.drills[max(0, len(c.drills)-mostDrills):]
}

// drilled returns the drills that are shown, by scope.
func (c *commands) drilled(at time.Time) (views []StopView) {
	c.noted.Lock()
	defer c.noted.Unlock()
	for _, one := range c.drills {
		if at.Before(one.Expires) {
			views = append(views, one)
		}
	}
	slices.SortFunc(views, func(a, b StopView) int { return cmp.Compare(a.Scope, b.Scope) })
	return views
}
