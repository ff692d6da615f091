// Package process puts the parts of relent together for one program: registry, emergency stop, audit log, stores, analysis,
// fleet client and dashboard, with a start and a stop. It is wiring by hand, in plain constructors: relentfx and relentdo
// are the same for uber/fx and samber/do.
//
//	p, err := process.New(process.Config{Listen: "127.0.0.1:8484"})
//	…
//	place, err := p.Registry.AddOperation("binance", &retry.Policy{Name: "binance.place_order", Gates: p.Gates("binance", "place_order")})
//	…
//	err = p.Start(ctx)
//	defer p.Stop(ctx)
//
// Nothing is global, and nothing runs before Start.
package process
