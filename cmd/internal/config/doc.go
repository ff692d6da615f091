// Package config reads relent.yaml: it finds every mistake at once, each with its place in the file, builds the
// policies and gates that the file describes, and exchanges them while the program runs.
//
//	file, err := config.Read("relent.yaml", os.LookupEnv) // *config.Invalid: every mistake
//	set, err := file.Build(nil)
//	policy, err := set.Policy("binance.place_order")
//
// A program that lives longer watches the file:
//
//	set, err := file.Register(ctx, registry)
//	w := &config.Watcher{Name: "relent.yaml", Lookup: os.LookupEnv, Signals: hangups}
//	w.Publish = func(next *config.Set, e config.Event) error { return next.Publish(ctx, registry, w.Current(), e) }
//	w.Audit = func(e config.Event) { ... } // also of what was refused
//	w.Adopt(set)
//	go w.Run(ctx)
//
// The structs of [Content] are all there is to the format. Their tags make the tables by which the loader walks the
// file, and the JSON Schema, so that the two cannot differ.
package config
