// Package relentdo provides relent to programs built with [do], version 2.
//
//	injector := do.New(relentdo.Package)
//	do.ProvideValue(injector, process.Config{Listen: "127.0.0.1:8484"})
//	registry := do.MustInvoke[*control.Registry](injector)
//	…
//	report := injector.ShutdownWithContext(ctx)
//
// A [process.Config] may be provided, and has its zero value otherwise. Package provides [*Service], *control.Registry,
// *halt.Tree, *audit.Log, [process.Stores] or one of the stores, and *control.Fleet, which is nil without a control plane. They
// are lazy: the process starts when the first of them is asked for. The folder example has a whole program.
//
// [Service] is a shutdowner: the process becomes not ready, waits for the calls in flight within the context of the shutdown, and
// ends. Services that asked for its parts are shut down before it. It is a health checker, too: it fails when the registry's
// health is failing, and not while it is degraded.
//
// [do]: https://pkg.go.dev/github.com/samber/do/v2
package relentdo
