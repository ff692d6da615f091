package behaviour

import (
	"encoding/json"
	"flag"
	"os"
	"testing"
	"testing/synctest"

	"github.com/relent-go/relent/bench/internal/peer"
)

var table = flag.String("table", "", "write the table to this file, as JSON; also looks for races in the peers, which takes longer")

// A probe is a question: a row of the table.
type probe struct {
	name string
	want string // relent's answer

	// ask observes what a subject does, in a bubble, and returns "" if it lacks the feature.
	ask func(t *testing.T, s peer.Subject) string
}

// missing is the answer of a subject that lacks the feature.
const missing = "n/a"

func probes() []probe {
	return []probe{
		{"context already cancelled: does the operation run?", "not run", cancelledBefore},
		{"10 s wait, 1 s to the deadline", "refused at once, last error kept", beyondDeadline},
		{"cancelled after 1 s of a 10 s wait", "ended after 1s, last error kept", cancelledInWait},
		{"503 with Retry-After: 86400, own wait 1 s", "ended at once", hint("86400")},
		{"503 with Retry-After: a date in 2 min, own wait 1 s", "waited 2m1s", hintDate},
		{"503 with Retry-After: 9300000000, own wait 1 s", "ended at once", hint("9300000000")},
		{"503 with Retry-After: -5, own wait 1 s", "waited 1s", hint("-5")},
		{"POST without a key, answered 503", "sent 1x", postOnce},
		{"503, 503, 200: are the bodies of the 503s closed?", "2 of 2", closed},
		{"PUT with a body that cannot be rewound, answered 503", "sent 1x, whole", stream},
		{"attempt 200 of 100 ms doubling, most 1 h", "1h0m0s", attempt200},
		{"panic in a retry: is what it held given back?", "given back, the panic rises", panics},
		{"budget of rate 0: retries made of 2", "0", budgetZero},
		{"half-open breaker whose probe hangs, an hour later", "admits a call", hungProbe},
		{"five callers cancel their attempts: breaker of threshold 5", "stays closed", cancelledCallers},
	}
}

// A row is what the table has of a probe.
type row struct {
	Probe string            `json:"probe"`
	Cells map[string]string `json:"cells"` // by subject
}

func TestBehaviour(t *testing.T) {
	var rows []row
	for _, p := range probes() {
		r := row{p.name, map[string]string{}}
		for _, s := range peer.All()[1:] {
			t.Run(p.name+"/"+s.Name, func(t *testing.T) {
				answer := missing
				synctest.Test(t, func(t *testing.T) {
					if a := p.ask(t, s); a != "" {
						answer = a
					}
				})
				r.Cells[s.Name] = answer
				if s.Name == peer.Relent && answer != p.want {
					t.Errorf("relent: %s; want %s", answer, p.want)
				}
			})
		}
		rows = append(rows, r)
	}
	if *table == "" {
		return
	}
	rows = append(rows, races(t))
	data, err := json.MarshalIndent(rows, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*table, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
