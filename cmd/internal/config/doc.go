// Package config reads relent.yaml: it finds every mistake at once, each with its place in the file, builds the
// policies and gates that the file describes, and exchanges them while the program runs.
//
//	file, err := config.Read("relent.yaml", os.LookupEnv) // *config.Invalid: every mistake
//	set, err := file.Build(nil)
//	policy, err := set.Policy("binance.place_order")
//
// The structs of [Content] are all there is to the format. Their tags make the tables by which the loader walks the
// file, and the JSON Schema, so that the two cannot differ.
package config
