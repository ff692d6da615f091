package dashboard

import (
	"fmt"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
)

// busy is a view of n policies after so many steps, each of which changes all of them.
func busy(n, step int) control.View {
	v := control.View{Instance: "bench", Epoch: 1, At: began.Add(time.Duration(step) * 100 * time.Millisecond)}
	bounds := []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
	for i := range n {
		p := counted(fmt.Sprintf("venue.operation_%03d", i), uint64(step*(40+i)), uint64(step), uint64(step/2))
		p.Call = control.Histogram{Bounds: bounds, Counts: []uint64{0, 0, 1, 2, uint64(step * 30), 9, 4, 1, 0, 0, 0, uint64(step), 0}}
		p.Attempt = p.Call
		v.Policies = append(v.Policies, p)
	}
	return v
}

// BenchmarkPublish is all that one sample costs with 200 policies and so many pages: at ten samples a
// second, 5 % of a core are 5 ms.
func BenchmarkPublish(b *testing.B) {
	for _, pages := range []int{0, 1, 20, 64} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			const steps = 64
			views := make([]control.View, steps)
			for i := range views {
				views[i] = busy(200, i)
			}
			s, h := newSampler(), newHub("e")
			clients := make([]*client, pages)
			for i := range clients {
				clients[i] = newClient(nil, nil)
				h.join(clients[i], "", 0)
			}
			b.ReportAllocs()
			bytes, i := 0, 0
			for b.Loop() {
				i++
				h.update(s.take(views[i%steps], began.Add(time.Duration(i)*100*time.Millisecond), Stats{}))
				for _, c := range clients {
					for f, d, _ := c.next(); f != nil; f, d, _ = c.next() {
						head, rest := c.message("e", f, d)
						bytes += len(head) + len(rest)
					}
				}
			}
			b.ReportMetric(float64(bytes)/float64(max(1, pages))/float64(b.N), "B/page")
		})
	}
}
