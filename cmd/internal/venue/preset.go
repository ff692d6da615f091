package venue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Preset returns the rules of a named bad day:
//
//   - calm: none.
//   - lossy: about 7 in 100 requests suffer. 2 in 100 answers get lost, 1 in 100 requests is dropped, 1 in 100 is held
//     for up to 3 s, the rest are 503, 502 and cut bodies, and a few stale reads.
//   - storm: about 28 in 100 suffer, from everything, 429 and -1021 included.
//   - outage: nothing answers for 10 s, then a brown-out of 30 s in which more than half of the requests suffer.
//
// The error of an unknown name lists the known ones.
func Preset(name string) ([]Fault, error) {
	presets := map[string][]Fault{"calm": {}, "lossy": lossy(), "storm": storm(), "outage": outage()}
	faults, ok := presets[name]
	if !ok {
		return nil, fmt.Errorf("no preset %q, there are %s", name, strings.Join(slices.Sorted(maps.Keys(presets)), ", "))
	}
	return faults, nil
}

func often(p float64, f Fault) Fault {
	f.Match.Probability = p
	return f
}

func lossy() []Fault {
	return []Fault{
		often(0.020, Fault{Name: "lost answer", Kind: AcceptDropAnswer}),
		often(0.010, Fault{Name: "dropped request", Kind: Drop}),
		often(0.010, Fault{Name: "held request", Kind: Hold, Delay: 200 * time.Millisecond, DelayMax: 3 * time.Second}),
		often(0.010, Fault{Name: "503 after the engine", Kind: AcceptUnavailable}),
		often(0.005, Fault{Name: "503 before the engine", Kind: Unavailable}),
		often(0.005, Fault{Name: "502 before the engine", Kind: BadGateway}),
		often(0.005, Fault{Name: "502 after the engine", Kind: BadGateway, Reached: true}),
		often(0.007, Fault{Name: "cut body", Kind: CutBody}),
		often(0.010, Fault{Name: "stale read", Kind: StaleRead, Delay: 100 * time.Millisecond, DelayMax: 2 * time.Second}),
	}
}

func storm() []Fault {
	return []Fault{
		often(0.060, Fault{Name: "lost answer", Kind: AcceptDropAnswer}),
		often(0.030, Fault{Name: "dropped request", Kind: Drop}),
		often(0.015, Fault{Name: "late request", Kind: Delay, Delay: 100 * time.Millisecond, DelayMax: 2 * time.Second}),
		often(0.030, Fault{Name: "held request", Kind: Hold, Delay: 200 * time.Millisecond, DelayMax: 6 * time.Second}),
		often(0.030, Fault{Name: "503 after the engine", Kind: AcceptUnavailable}),
		often(0.010, Fault{Name: "503 before the engine", Kind: Unavailable}),
		often(0.010, Fault{Name: "503 page before the engine", Kind: Unavailable, HTML: true}),
		often(0.010, Fault{Name: "502 before the engine", Kind: BadGateway}),
		often(0.015, Fault{Name: "502 after the engine", Kind: BadGateway, Reached: true}),
		often(0.025, Fault{Name: "cut body", Kind: CutBody}),
		often(0.020, Fault{Name: "late answer", Kind: LateAnswer, Delay: 200 * time.Millisecond, DelayMax: 4 * time.Second}),
		often(0.020, Fault{Name: "429", Kind: TooManyRequests}),
		often(0.005, Fault{Name: "429 without a hint", Kind: TooManyRequests, RetryAfter: -1}),
		often(0.010, Fault{Name: "clock", Kind: ClockSkew}),
		often(0.010, Fault{Name: "overloaded", Kind: Overloaded}),
		often(0.050, Fault{Name: "stale read", Kind: StaleRead, Delay: 100 * time.Millisecond, DelayMax: 5 * time.Second}),
	}
}

func outage() []Fault {
	const dark, end = 10 * time.Second, 40 * time.Second
	brown := func(p float64, f Fault) Fault {
		f.Match.After, f.Match.Until = dark, end
		return often(p, f)
	}
	return []Fault{
		{Name: "dark", Kind: Drop, Match: Match{Until: dark}},
		brown(0.15, Fault{Name: "brown-out 503", Kind: Unavailable}),
		brown(0.10, Fault{Name: "brown-out 503 after the engine", Kind: AcceptUnavailable}),
		brown(0.10, Fault{Name: "brown-out 502", Kind: BadGateway}),
		brown(0.10, Fault{Name: "brown-out overloaded", Kind: Overloaded}),
		brown(0.30, Fault{Name: "brown-out slow", Kind: LateAnswer, Delay: 200 * time.Millisecond, DelayMax: 3 * time.Second}),
	}
}
