package gateway

import (
	"strings"
	"testing"
	"time"
)

// What calls do is analysed, and what the analysis drops is counted, with an audit log and without.
func TestAnalysis(t *testing.T) {
	up, _ := echo(t)
	for name, more := range map[string]string{"plain": "", "with an audit log": "audit: { dir: " + t.TempDir() + " }\n"} {
		t.Run(name, func(t *testing.T) {
			p := start(t, fast+more+section(up, ", policy: api.call"), Options{})
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if strings.Contains(ask(t, "GET", p.admin+"/metrics", "").body, `relent_events_dropped_total{sink="analytics"} 0`) {
					break
				} else if time.Now().After(end) {
					t.Fatal("after 20 s the analysis is not counted")
				}
			}
		})
	}
}
