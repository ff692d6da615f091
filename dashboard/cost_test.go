//go:build unix

package dashboard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// viewing is the environment of a process that only looks: a URL, and how many look.
const viewing = "RELENT_TEST_VIEWERS"

// TestViewers is the process that BenchmarkViewers starts: it reads streams until its input ends, and says what it read.
func TestViewers(t *testing.T) {
	url, count, ok := strings.Cut(os.Getenv(viewing), " ")
	if !ok {
		t.Skip("BenchmarkViewers starts it")
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var mu sync.Mutex
	frames, bytes := 0, 0
	for range n {
		all.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, "GET", url+"/api/v1/stream", nil)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			for in := bufio.NewReaderSize(resp.Body, 1<<20); ; {
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				mu.Lock()
				if bytes += len(line); string(line) == "event: delta\n" {
					frames++
				}
				mu.Unlock()
			}
		})
	}
	io.Copy(io.Discard, os.Stdin)
	cancel()
	all.Wait()
	fmt.Printf("viewers read %d %d\n", frames, bytes)
}

// BenchmarkViewers is what the dashboard of a process costs with 200 operations, all of which are in use, at ten updates a second:
// the share of one core, with so many pages that another process reads. One operation of it is one second. The calls
// that are made meanwhile are in it.
func BenchmarkViewers(b *testing.B) {
	for _, viewers := range []int{0, 1, 20} {
		b.Run(fmt.Sprintf("viewers=%d", viewers), func(b *testing.B) {
			registry := &control.Registry{Instance: "bench"}
			var operations []*control.Operation
			for i := range 200 {
				o, err := registry.AddOperation("venue", &retry.Policy{Name: fmt.Sprintf("venue.operation_%03d", i)})
				if err != nil {
					b.Fatal(err)
				}
				operations = append(operations, o)
			}
			h, err := New(Config{Source: registry, Interval: 100 * time.Millisecond})
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			s := httptest.NewServer(h)
			defer s.Close()
			look := exec.Command(os.Args[0], "-test.run=^TestViewers$")
			look.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", viewing, s.URL, viewers))
			stdin, _ := look.StdinPipe()
			var said strings.Builder
			look.Stdout = &said
			if err := look.Start(); err != nil {
				b.Fatal(err)
			}
			for end := time.Now().Add(30 * time.Second); h.Stats().Clients < viewers; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					b.Fatalf("%d viewers came", h.Stats().Clients)
				}
			}
			before, began := used(b), time.Now()
			for b.Loop() {
				for range 10 {
					for _, o := range operations {
						if err := retry.Run(b.Context(), o, func(context.Context) error { return nil }); err != nil {
							b.Fatal(err)
						}
					}
					time.Sleep(100 * time.Millisecond)
				}
			}
			took := time.Since(began).Seconds()
			b.ReportMetric(100*(used(b)-before).Seconds()/took, "%core")
			stdin.Close()
			if err := look.Wait(); err != nil {
				b.Fatal(err, said.String())
			}
			var frames, bytes float64
			if _, text, _ := strings.Cut(said.String(), "viewers read"); viewers > 0 {
				if _, err := fmt.Sscan(text, &frames, &bytes); err != nil {
					b.Fatal(err, said.String())
				}
				b.ReportMetric(frames/float64(viewers)/took, "updates/s")
				b.ReportMetric(bytes/float64(viewers)/took/1000, "kB/s/viewer")
			}
		})
	}
}

// used is the time on a processor that this process has used.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
