// Command waiting has one subject make many calls that all wait between two attempts, and prints
// what that costs as one line of JSON. It measures one subject in one process, so that heaps do
// not mix; the program above runs it once for each.
//
//	waiting -subject relent -calls 100000 -start burst
//
// The subjects are those of package peer, each call in a goroutine; "relent Go", which needs none;
// and "AfterFunc", one timer of the standard library per call, as a floor without goroutines.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/relent-go/relent/bench/internal/peer"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	subject := flag.String("subject", "relent", "whose calls wait")
	calls := flag.Int("calls", 10_000, "how many")
	start := flag.String("start", "burst", "burst: all at once; paced: evenly over the time of -pace")
	pace := flag.Duration("pace", time.Second, "over which a paced start is spread")
	wait := flag.Duration("wait", 2*time.Second, "between the attempts of a call")
	list := flag.Bool("list", false, "print the subjects, their modules and versions, and end")
	flag.Parse()

	out := json.NewEncoder(os.Stdout)
	if *list {
		return out.Encode(subjects())
	}
	begin, fail, err := starter(*subject, *wait)
	if err != nil {
		return err
	}
	if *start != "burst" && *start != "paced" {
		return fmt.Errorf("-start %q: want burst or paced", *start)
	}
	if *start == "burst" {
		*pace = 0
	}
	r, err := measure(begin, fail, *calls, *wait, *pace)
	if err != nil {
		return fmt.Errorf("%s, %d calls, %s: %w", *subject, *calls, *start, err)
	}
	r.Subject, r.Start = *subject, *start
	return out.Encode(r)
}

// A subject is a library as -list prints it.
type subject struct {
	Name    string `json:"name"`
	Module  string `json:"module,omitempty"`
	Version string `json:"version,omitempty"`
	Licence string `json:"licence,omitempty"`
	Waits   bool   `json:"waits"`
}

func subjects() (all []subject) {
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			versions[m.Path] = m.Version
		}
	}
	for _, s := range peer.All() {
		all = append(all, subject{s.Name, s.Module, versions[s.Module], s.Licence, s.Waiting != nil})
	}
	return all
}
