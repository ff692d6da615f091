package relentfx

import (
	"go.uber.org/fx"

	"github.com/relent-go/relent/contrib/process"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/work/job"
)

// The value groups that Module reads.
const (
	Gates       = `group:"relent.gates"`
	Classifiers = `group:"relent.classifiers"`
	Components  = `group:"relent.components"`
)

// Module provides the parts of relent and starts and stops them with the app. A [process.Config] may be supplied; what the value
// groups hold is added to what it has.
var Module = fx.Module("relent",
	fx.Provide(newProcess, parts),
	fx.Invoke(func(*process.Process) {}), // so that an app without a call of its own can be stopped, too
)

type in struct {
	fx.In

	Life        fx.Lifecycle
	Config      process.Config       `optional:"true"`
	Gates       []process.Gate       `group:"relent.gates"`
	Classifiers []process.Classifier `group:"relent.classifiers"`
	Components  []control.Component  `group:"relent.components"`
}

func newProcess(i in) (*process.Process, error) {
	c := i.Config
	c.Gates = append(c.Gates[:len(c.Gates):len(c.Gates)], i.Gates...)
	c.Classifiers = append(c.Classifiers[:len(c.Classifiers):len(c.Classifiers)], i.Classifiers...)
	c.Components = append(c.Components[:len(c.Components):len(c.Components)], i.Components...)
	p, err := process.New(c)
	if err != nil {
		return nil, err
	}
	i.Life.Append(fx.StartStopHook(p.Start, p.Stop))
	return p, nil
}

type out struct {
	fx.Out

	Registry *control.Registry
	Stops    *halt.Tree
	Audit    *audit.Log
	Fleet    *control.Fleet
	Stores   process.Stores
	Keys     idempotent.Store
	Jobs     job.Store
	Orders   order.Log
}

func parts(p *process.Process) out {
	return out{
		Registry: p.Registry, Stops: p.Stops, Audit: p.Audit, Fleet: p.Fleet,
		Stores: p.Stores, Keys: p.Stores.Keys, Jobs: p.Stores.Jobs, Orders: p.Stores.Orders,
	}
}

// Gate annotates a constructor of a process.Gate.
func Gate(constructor any) any { return fx.Annotate(constructor, fx.ResultTags(Gates)) }

// Classifier annotates a constructor of a process.Classifier.
func Classifier(constructor any) any { return fx.Annotate(constructor, fx.ResultTags(Classifiers)) }

// Component annotates a constructor of a control.Component.
func Component(constructor any) any { return fx.Annotate(constructor, fx.ResultTags(Components)) }
