package behaviour

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/avast/retry-go/v5"
	cenkalti "github.com/cenkalti/backoff/v6"
	"github.com/relent-go/relent/bench/internal/peer"
	sethvargo "github.com/sethvargo/go-retry"
)

// everybody, in the environment, lets TestShared run for the peers, too. Some of them have races,
// which is what it is for, so it fails.
const everybody = "RELENT_BENCH_SHARED"

const callers = 100

// TestShared uses one policy, or whatever a subject has in its place, in 100 goroutines at once.
func TestShared(t *testing.T) {
	for _, s := range peer.All()[1:] {
		t.Run(s.Name, func(t *testing.T) {
			if s.Name != peer.Relent && os.Getenv(everybody) == "" {
				t.Skip("only for the table")
			}
			made := hammer(t.Context(), s)
			fmt.Printf("shared %s %d\n", s.Name, made)
			if want := int64(callers * peer.Attempts); s.Name == peer.Relent && made != want {
				t.Errorf("%d attempts; want %d", made, want)
			}
		})
	}
}

// hammer returns how many attempts were made by 100 calls that all fail.
func hammer(ctx context.Context, s peer.Subject) int64 {
	const wait = time.Millisecond
	call := caller(s, wait)
	switch s.Name { // those whose usual way of calling shares less than one might
	case "cenkalti":
		b := cenkalti.WithBackOff(&cenkalti.ExponentialBackOff{InitialInterval: wait, Multiplier: 2, MaxInterval: time.Second})
		call = func(ctx context.Context, fn peer.Func) (peer.Quote, error) {
			return cenkalti.Retry(ctx, func() (peer.Quote, error) { return fn(ctx) }, cenkalti.WithMaxTries(peer.Attempts), b)
		}
	case "avast":
		r := retry.NewWithData[peer.Quote](retry.Attempts(peer.Attempts), retry.Delay(wait))
		call = func(ctx context.Context, fn peer.Func) (peer.Quote, error) {
			return r.Do(func() (peer.Quote, error) { return fn(ctx) })
		}
	case "sethvargo":
		b := sethvargo.WithMaxRetries(peer.Attempts-1, sethvargo.NewExponential(wait))
		call = func(ctx context.Context, fn peer.Func) (peer.Quote, error) {
			return sethvargo.DoValue(ctx, b, sethvargo.RetryFuncValue[peer.Quote](fn))
		}
	}
	var made atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			call(ctx, func(context.Context) (peer.Quote, error) {
				made.Add(1)
				return peer.Quote{}, busy(s)
			})
		})
	}
	wg.Wait()
	return made.Load()
}

// races runs TestShared for everybody under the race detector, in another process, since a race
// fails the process that has it.
func races(t *testing.T) row {
	r := row{"one policy value shared by 100 goroutines", map[string]string{}}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "go", "test", "-race", "-count=1", "-v", "-run", "^TestShared$", ".")
	cmd.Env = append(os.Environ(), everybody+"=1")
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	ran := false
	for _, s := range peer.All()[1:] {
		r.Cells[s.Name] = "not observed"
		for line := range strings.Lines(out.String()) {
			var made int
			if n, _ := fmt.Sscanf(line, "shared "+s.Name+" %d", &made); n == 1 {
				ran = true
				r.Cells[s.Name] = verdict(strings.Contains(out.String(), "--- FAIL: TestShared/"+s.Name+" "), made)
			}
		}
	}
	if !ran {
		t.Logf("no race detector here: %v\n%s", err, out.String())
	}
	return r
}

func verdict(race bool, made int) string {
	answer := "no race"
	if race {
		answer = "race"
	}
	if want := callers * peer.Attempts; made != want {
		answer += fmt.Sprintf(", %d of %d retries made", made-callers, want-callers)
	}
	return answer
}
