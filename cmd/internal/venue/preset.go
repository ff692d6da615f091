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
//   - late: 4 in 100 requests are held for up to 6 s and forwarded, 2 in 100 wait in the engine for up to 10 s, half of
//     the order reads lag by up to 3 s.
//   - ratelimit: about 10 in 100 are refused: 429 with and without a hint, -1008, and a ban now and then.
//   - storm: about 33 in 100 suffer, from everything, 429 and -1021 included; streams as under ws.
//   - outage: nothing answers for 10 s, then a brown-out of 30 s in which more than half of the requests suffer.
//   - ws: every way in which streams fail: refused and limited connects, short lives, half-open ones, gaps, duplicates,
//     frames in the wrong order or late, stale snapshots, reports before answers.
//   - clock: the venue's clock is 2 s ahead, then 2 s behind, by turns of 20 s for ten minutes, and 1 in 100 requests is
//     told so for no reason.
//
// The error of an unknown name lists the known ones.
func Preset(name string) ([]Fault, error) {
	presets := map[string][]Fault{"calm": {}, "lossy": lossy(), "late": late(), "ratelimit": ratelimit(), "storm": storm(), "outage": outage(), "ws": streams(), "clock": clock()}
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
	return append([]Fault{
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
		often(0.010, Fault{Name: "slow engine", Kind: SlowEngine, Delay: 100 * time.Millisecond, DelayMax: 9 * time.Second}),
		often(0.010, Fault{Name: "partial fills", Kind: PartialFills, Steps: []float64{0.3, 0.3}, Delay: time.Second}),
		often(0.050, Fault{Name: "fill before the cancel", Kind: FillFirst, Steps: []float64{0.5}}),
		often(0.005, Fault{Name: "balance taken", Kind: TakeBalance, Delay: time.Second}),
	}, streams()...)
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

func late() []Fault {
	return []Fault{
		often(0.04, Fault{Name: "held request", Kind: Hold, Delay: 200 * time.Millisecond, DelayMax: 6 * time.Second}),
		often(0.02, Fault{Name: "slow engine", Kind: SlowEngine, Delay: 100 * time.Millisecond, DelayMax: 10 * time.Second}),
		often(0.01, Fault{Name: "late answer", Kind: LateAnswer, Delay: time.Second, DelayMax: 10 * time.Second}),
		often(0.50, Fault{Name: "lagging read", Kind: StaleRead, Delay: 50 * time.Millisecond, DelayMax: 3 * time.Second}),
	}
}

func ratelimit() []Fault {
	return []Fault{
		often(0.050, Fault{Name: "429", Kind: TooManyRequests, RetryAfter: 2 * time.Second}),
		often(0.020, Fault{Name: "429 without a hint", Kind: TooManyRequests, RetryAfter: -1}),
		often(0.030, Fault{Name: "overloaded", Kind: Overloaded}),
		often(0.002, Fault{Name: "ban", Kind: Ban, RetryAfter: 30 * time.Second}),
	}
}

func streams() []Fault {
	at := func(path string, f Fault) Fault {
		f.Match.Path = path
		return f
	}
	return []Fault{
		at("/ws*", often(0.05, Fault{Name: "refused", Kind: Refuse})),
		at("/stream", often(0.05, Fault{Name: "refused stream", Kind: Refuse})),
		at("/ws*", often(0.03, Fault{Name: "limited", Kind: TooManyRequests, RetryAfter: time.Second})),
		at("/stream", often(0.03, Fault{Name: "limited stream", Kind: TooManyRequests, RetryAfter: time.Second})),
		often(0.10, Fault{Name: "short life", Kind: CloseLink, Delay: 10 * time.Millisecond, DelayMax: 20 * time.Second}),
		often(0.05, Fault{Name: "half-open", Kind: HalfOpen, Delay: 100 * time.Millisecond, DelayMax: 30 * time.Second}),
		often(0.05, Fault{Name: "no pongs", Kind: NoPong}),
		often(0.05, Fault{Name: "life cut", Kind: LifeCut, Delay: 10 * time.Second, DelayMax: time.Minute}),
		often(0.05, Fault{Name: "shutdown", Kind: ServerShutdown, Delay: 5 * time.Second, DelayMax: time.Minute}),
		often(0.01, Fault{Name: "gap", Kind: FrameGap}),
		often(0.01, Fault{Name: "duplicate", Kind: FrameDuplicate}),
		often(0.01, Fault{Name: "reorder", Kind: FrameReorder}),
		often(0.01, Fault{Name: "late frame", Kind: FrameDelay, Delay: 50 * time.Millisecond, DelayMax: 2 * time.Second}),
		at("/api/v3/depth", often(0.20, Fault{Name: "stale snapshot", Kind: StaleSnapshot, Delay: 100 * time.Millisecond, DelayMax: 5 * time.Second})),
		at("/api/v3/order", often(0.05, Fault{Name: "report first", Kind: ReportFirst})),
	}
}

func clock() []Fault {
	const turn = 20 * time.Second
	var faults []Fault
	for i := range time.Duration(30) {
		f := Fault{Name: "ahead", Kind: ClockShift, Shift: 2 * time.Second, Match: Match{After: i * turn, Until: (i + 1) * turn}}
		if i%2 == 1 {
			f.Name, f.Shift = "behind", -f.Shift
		}
		faults = append(faults, f)
	}
	return append(faults, often(0.01, Fault{Name: "clock", Kind: ClockSkew}))
}
