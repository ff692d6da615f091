// Package relentfx provides relent to programs built with [fx].
//
//	fx.New(
//		relentfx.Module,
//		fx.Supply(process.Config{Listen: "127.0.0.1:8484"}),
//		fx.Provide(relentfx.Gate(newBreaker), relentfx.Component(newLink), newDesk),
//	).Run()
//
// Constructors then ask for *control.Registry, *halt.Tree, *audit.Log, *process.Process, [process.Stores] or one of
// the stores, and *control.Fleet, which is nil without a control plane. What is not supplied has its zero value. The folder
// example has a whole program.
//
// # Value groups
//
//	relent.gates        process.Gate          registered under its name
//	relent.classifiers  process.Classifier    registered under its name
//	relent.components   control.Component     registered with its health
//
// [Gate], [Classifier] and [Component] annotate constructors for them.
//
// # Life cycle
//
// The start of the app starts the checks, the emergency stop, the audit log, the fleet client and the dashboard. Its stop makes the
// process not ready, waits for the calls in flight within the deadline of the hook, and then ends all of it. What depends on
// the process, such as a server that makes the calls, is stopped before: fx stops in the reverse order.
//
// [fx]: https://pkg.go.dev/go.uber.org/fx
package relentfx
