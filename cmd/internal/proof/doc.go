// Package proof judges order safety end to end: the order machine above an unmodified SDK, the venue transport below
// it, a simulated exchange that fails in every way, and that exchange's own account of what happened. It holds tests only.
package proof
