package sim

import (
	"fmt"
	"strings"
)

// Worlds returns the ten of the reference, but for the trace, which needs a file: see [Trace].
func Worlds() []World {
	return []World{
		{Name: "iid", About: "failures that have nothing to do with each other", Noise: []float64{.01, .05, .2}, NoiseKind: []Failure{Reset, Unavailable, Reset}},
		{Name: "bursts", About: "short trouble of one operation at a time", Noise: []float64{.005},
			Outages: []Outage{{Each: true, Length: Length{Mean: 1.5}, Gap: 45, P: .9, Kind: Unavailable}}},
		{Name: "outages", About: "all operations are down, for 15 s or much longer", Noise: []float64{.005},
			Outages: []Outage{{Length: Length{A: 15, Sigma: 1.125}, Gap: 180, P: .98, Kind: Unavailable}}},
		{Name: "quota-hint", About: "80 calls in 10 s, and 429 with Retry-After", Noise: []float64{.003},
			Quota: Quota{Attempts: 80, Window: 10, Hint: true}, Surge: Surge{Factor: 3, Length: Length{A: 5, Mean: 15}, Gap: 90}},
		{Name: "quota-blind", About: "the same without Retry-After", Noise: []float64{.003},
			Quota: Quota{Attempts: 80, Window: 10}, Surge: Surge{Factor: 3, Length: Length{A: 5, Mean: 15}, Gap: 90}},
		{Name: "overload", About: "a server whose capacity halves at times", Noise: []float64{.005},
			Capacity: Capacity{PerSecond: 7.5, Dip: Length{A: 400, B: 450}, DipFor: 25}},
		{Name: "masked", About: "items that never succeed look like others", Noise: []float64{.03}, NoiseKind: []Failure{Internal}, Dead: []float64{0, .06, .02}},
		{Name: "periodic", About: "a restart each 10 min, and a stall each minute", Noise: []float64{.005}, Outages: []Outage{
			{Length: Length{A: 45}, Every: 600, P: .99, Kind: Unavailable},
			{Length: Length{A: 3}, Every: 60, P: .7, Kind: TimedOut},
		}},
		{Name: "classes", About: "outages, stalls and dead items together", Noise: []float64{.02}, Dead: []float64{.02}, Outages: []Outage{
			{Each: true, Length: Length{A: 5, B: 20}, Gap: 200, P: .98, Kind: Unavailable},
			{Each: true, Length: Length{Mean: 1}, Gap: 60, P: .8, Kind: TimedOut},
		}},
	}
}

// Mixtures returns worlds that are none of the reference: the trouble changes half-way, or is of several kinds at once.
func Mixtures() []World {
	return []World{
		{Name: "shift", About: "outages in the first half of the run, short trouble in the second", Noise: []float64{.005}, Outages: []Outage{
			{Length: Length{A: 15, Sigma: 1.125}, Gap: 180, P: .98, Kind: Unavailable, Until: .5},
			{Each: true, Length: Length{Mean: 1.5}, Gap: 45, P: .9, Kind: Unavailable, From: .5},
		}},
		{Name: "mixture", About: "outages, stalls, dead items and too little capacity at once", Noise: []float64{.01}, NoiseKind: []Failure{Internal}, Dead: []float64{0, .03, .01},
			Outages: []Outage{
				{Length: Length{A: 15, Sigma: 1.125}, Gap: 400, P: .98, Kind: Unavailable},
				{Each: true, Length: Length{Mean: 1}, Gap: 120, P: .8, Kind: TimedOut},
			},
			Capacity: Capacity{PerSecond: 9, Dip: Length{A: 400, B: 450}, DipFor: 25}},
	}
}

// FindWorld returns a world of [Worlds] or [Mixtures] by its name. The error lists all names.
func FindWorld(name string) (World, error) {
	var names []string
	for _, w := range append(Worlds(), Mixtures()...) {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return World{}, fmt.Errorf("unknown scenario %q: want one of %s", name, strings.Join(names, ", "))
}
