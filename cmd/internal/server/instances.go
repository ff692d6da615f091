package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/store/sqldb"
)

// How long a process counts as connected after it was heard, and is shown after that.
const (
	connected = 5 * time.Second
	forgotten = 10 * time.Minute
)

// mostInstances are the processes that are shown. Those beyond them are served, and counted as overflow.
const mostInstances = 5000

// instances knows what the processes of a fleet report to this server, and what other servers say of theirs. It is safe
// for concurrent use.
type instances struct {
	self  *control.Registry // of this server: passes events on
	docs  *sqldb.Documents
	name  string // of this server
	plane *plane
	found *findings // of the fleet

	mu     sync.Mutex
	views  map[string]*reported // by instance
	others []control.View       // summaries of other servers
	merged control.View         // of everything, made by tick
	over   uint64               // reports of processes beyond mostInstances
}

type reported struct {
	view control.View
	at   time.Time
}

// take keeps a report and passes its events on.
func (in *instances) take(r control.Report) error {
	if r.View.Instance == "" || len(r.View.Instance) > 256 {
		return fmt.Errorf("the report is of nobody: its view needs an instance, a name of 1 to 256 bytes")
	}
	in.mu.Lock()
	_, known := in.views[r.View.Instance]
	if !known && len(in.views) >= mostInstances {
		in.over++
		in.mu.Unlock()
		return nil
	}
	in.views[r.View.Instance] = &reported{r.View, time.Now()}
	in.mu.Unlock()
	for _, n := range r.Notes {
		n.Instance = r.View.Instance
		in.self.Note(n)
	}
	return nil
}

// a summary is what a server tells the others.
type summary struct {
	At   time.Time    `json:"at"`
	View control.View `json:"view"`
}

const summaries = "view "

// tick merges what is known, tells the other servers, and listens to them.
func (in *instances) tick(ctx context.Context, servers []string) {
	now := time.Now()
	in.mu.Lock()
	views := []control.View{}
	for name, r := range in.views {
		if now.Sub(r.at) > forgotten {
			delete(in.views, name)
			continue
		}
		views = append(views, r.fresh(now))
	}
	slices.SortFunc(views, func(a, b control.View) int { return strings.Compare(a.Instance, b.Instance) })
	mine := control.Merge(views...)
	for i := range mine.Instances {
		one := &mine.Instances[i]
		if r := in.views[one.Name]; r != nil {
			one.Seen, one.Connected = r.at, now.Sub(r.at) < connected
		}
	}
	if in.over > 0 {
		if mine.Overflow == nil {
			mine.Overflow = map[string]uint64{}
		}
		mine.Overflow["instance"] += in.over
	}
	in.mu.Unlock()

	var others []control.View
	for _, name := range servers {
		if name == in.name {
			continue
		}
		var s summary
		if _, body, err := in.docs.Get(ctx, summaries+name); err == nil && json.Unmarshal(body, &s) == nil && now.Sub(s.At) < forgotten {
			if now.Sub(s.At) >= absent {
				s.View.Findings = nil
			}
			if now.Sub(s.At) > connected {
				for i := range s.View.Instances {
					s.View.Instances[i].Connected = false // as far as anybody knows
				}
			}
			others = append(others, s.View)
		}
	}
	if len(servers) > 1 {
		told := mine
		told.Stops = addDrills(slices.Clone(mine.Stops), in.plane.ownDrills(now))
		in.tell(ctx, summary{now, told})
	}
	all := append([]control.View{mine}, others...)
	merged := control.Merge(all...)
	merged.Instance, merged.Build = in.name, in.self.Build
	merged.At = now
	merged.Findings = in.found.see(now, merged.Findings, slices.Min(servers) == in.name)
	if own := in.self.View(); merged.Since.IsZero() {
		merged.Since, merged.Epoch = own.Since, own.Epoch
	} else {
		merged.Epoch = own.Epoch
	}
	in.mu.Lock()
	in.merged = merged
	in.mu.Unlock()
}

// tell puts the summary where other servers find it. Only this server writes there.
func (in *instances) tell(ctx context.Context, s summary) {
	body, err := json.Marshal(s)
	if err != nil {
		return
	}
	version, _, err := in.docs.Get(ctx, summaries+in.name)
	if err == nil {
		in.docs.Put(ctx, summaries+in.name, version, body) // the next one comes in a second
	}
}

// View implements dashboard.Source and prom.Source.
func (in *instances) View() control.View {
	in.mu.Lock()
	v := in.merged
	v.Policies = slices.Clone(v.Policies)
	in.mu.Unlock()
	own := in.self.View() // health, audit and configuration of this server
	v.Audit, v.Config = own.Audit, own.Config
	v.Components = append(slices.Clone(v.Components), own.Components...)
	in.plane.overlay(&v)
	return v
}

// Subscribe implements dashboard.Teller.
func (in *instances) Subscribe(f control.Filter, size int) *control.Subscription {
	return in.self.Subscribe(f, size)
}

// operation returns what processes say of an operation.
func (in *instances) operation(name string) (control.PolicyView, bool) {
	v := in.View()
	for _, p := range v.Policies {
		if p.Name == name {
			return p, true
		}
	}
	return control.PolicyView{}, false
}
