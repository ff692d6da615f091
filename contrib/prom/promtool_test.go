package prom_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/relent-go/relent/contrib/prom"
)

// Prometheus's own parser and linter take what a scrape gets.
func TestPromtool(t *testing.T) {
	program, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is not installed: apt-get install prometheus")
		}
		t.Skip("promtool is not installed: apt-get install prometheus")
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(prom.New(source(full), prom.Options{}))
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c := exec.Command(program, "check", "metrics")
	c.Stdin = resp.Body
	if out, err := c.CombinedOutput(); err != nil || len(out) != 0 {
		t.Errorf("promtool check metrics: %v: %s", err, out)
	}
}
