package promtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/relent-go/relent/contrib/prom"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
	"github.com/relent-go/relent/retry"
)

const rulesFile = "../../../deploy/prometheus/relent.rules.yaml"

// A target is a process with an emergency stop and a venue, as Prometheus sees it.
type target struct {
	parts control.Registry
	trips atomic.Uint64 // orders whose repetition was blocked
	calls *retry.Policy // those of the venue, which the stop holds back
	*httptest.Server
}

func newTarget(t *testing.T) *target {
	t.Helper()
	tree := &halt.Tree{Ramp: halt.Ramp{Step: time.Millisecond}}
	s := &target{calls: &retry.Policy{Name: "binance.fetch_book", Gates: []retry.Gate{tree.Gate("binance")}}}
	err := errors.Join(
		s.parts.AddStops(tree),
		s.parts.AddVenue("binance", func() control.VenueView { return control.VenueView{GuardTrips: s.trips.Load()} }),
	)
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prom.New(&s.parts, prom.Options{}))
	s.Server = httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(s.Close)
	return s
}

// A pager receives what Alertmanager sends, and remembers how each alert stands.
type pager struct {
	mu     sync.Mutex
	status map[string]string // by alert; guarded by mu
	*httptest.Server
}

func newPager(t *testing.T) *pager {
	p := &pager{status: map[string]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var page struct {
			Alerts []struct {
				Status string            `json:"status"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		}
		if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, a := range page.Alerts {
			p.status[a.Labels["alertname"]] = a.Status
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// expect says what is wrong unless an alert was paged and stands like this.
func (p *pager) expect(alert, status string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.status[alert]; got != status {
		return fmt.Errorf("%s is paged as %q; want %q", alert, got, status)
	}
	return nil
}

// write puts a file into a folder and returns its name.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Two alerts arrive at whoever is paged, and the one whose condition ends is called off. The second is the first trip
// ever of its guard: increase() sees it because the counter was there before, at 0.
func TestAlertsArrive(t *testing.T) {
	server := program(t, "prometheus", "prometheus")
	manager := program(t, "prometheus-alertmanager", "prometheus-alertmanager")
	amtool := program(t, "amtool", "prometheus-alertmanager")
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	dir, seen, who := t.TempDir(), newTarget(t), newPager(t)
	managed, watched := address(t), address(t)
	start(t, "http://"+managed+"/-/ready", manager,
		"--config.file="+write(t, dir, "alertmanager.yaml", fmt.Sprintf(managerConfig, who.URL)),
		"--storage.path="+filepath.Join(dir, "alerts"), "--web.listen-address="+managed, "--cluster.listen-address=")
	start(t, "http://"+watched+"/-/ready", server,
		"--config.file="+write(t, dir, "prometheus.yaml", fmt.Sprintf(serverConfig, rules, managed, strings.TrimPrefix(seen.URL, "http://"))),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+watched)

	query := func(expr string) (string, error) { return ask(t, "http://"+watched, expr) }
	shows := func(expr, want string) func() error {
		return func() error {
			if got, err := query(expr); err != nil || got != want {
				return fmt.Errorf("%s = %q, %w; want %s", expr, got, err, want)
			}
			return nil
		}
	}
	fires := func(alert string) func() error {
		return func() error { return firing(t, "http://"+watched, alert) }
	}
	holds := func(alert string, want bool) func() error {
		return func() error {
			out, err := exec.Command(amtool, "--alertmanager.url=http://"+managed, "alert", "query", "-o", "json", "alertname="+alert).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			if got := strings.Contains(string(out), alert); got != want {
				return fmt.Errorf("Alertmanager holds it: %v; want %v: %s", got, want, out)
			}
			return nil
		}
	}

	const stopped, duplicate = "RelentEmergencyStopEngaged", "RelentDuplicateOrderGuardTripped"
	eventually(t, 10*time.Second, "a scrape", shows(`count_over_time(relent_duplicate_guard_trips_total{venue="binance"}[1m]) > bool 2`, "1"))
	if err := shows(`increase(relent_duplicate_guard_trips_total[1m])`, "0")(); err != nil {
		t.Error(err)
	}
	stop, err := seen.parts.Stop(t.Context(), control.Stop{Scope: "global", State: "stopped", Reason: "prices look wrong", Actor: "ann", Source: "api"})
	if err != nil {
		t.Fatal(err)
	}
	seen.trips.Add(1)
	eventually(t, 10*time.Second, "the first trip is an increase", shows(`increase(relent_duplicate_guard_trips_total[1m]) > bool 0`, "1"))
	for _, alert := range []string{stopped, duplicate} {
		eventually(t, 30*time.Second, alert+" fires", fires(alert))
		eventually(t, 20*time.Second, alert+" is held by Alertmanager", holds(alert, true))
		eventually(t, 20*time.Second, alert+" is paged", func() error { return who.expect(alert, "firing") })
	}
	if _, err := seen.parts.Resume(t.Context(), control.Resume{Scope: "global", Epoch: stop.Epoch, Reason: "they are right", Actor: "bob", Approver: "cid", Source: "api"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "calls are let go again, step by step", func() error {
		var refused error
		for range 100 {
			err := retry.Run(t.Context(), seen.calls, func(context.Context) error { return nil })
			refused = errors.Join(refused, err)
		}
		return refused
	})
	eventually(t, 40*time.Second, stopped+" is over", holds(stopped, false))
	eventually(t, 20*time.Second, stopped+" is called off", func() error { return who.expect(stopped, "resolved") })
	if err := errors.Join(holds(duplicate, true)(), who.expect(duplicate, "firing")); err != nil {
		t.Errorf("%s ended with the stop: %v", duplicate, err)
	}
}

// ask returns the value of the only series that an expression has.
func ask(t *testing.T, server, expr string) (string, error) {
	body, err := get(t.Context(), server+"/api/v1/query?query="+url.QueryEscape(expr))
	if err != nil {
		return "", err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	if n := len(answer.Data.Result); n != 1 {
		return "", fmt.Errorf("%d series: %s", n, body)
	}
	return fmt.Sprint(answer.Data.Result[0].Value[1]), nil
}

// firing says what is wrong unless an alert fires and pages. The series ALERTS would say so too, but only from the third
// evaluation after a start.
func firing(t *testing.T, server, alert string) error {
	body, err := get(t.Context(), server+"/api/v1/alerts")
	if err != nil {
		return err
	}
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string            `json:"state"`
				Labels map[string]string `json:"labels"`
			} `json:"alerts"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == alert && a.Labels["severity"] == "page" && a.State == "firing" {
			return nil
		}
	}
	return fmt.Errorf("it does not: %s", body)
}

const managerConfig = `
route:
  receiver: pager
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: pager
    webhook_configs:
      - url: %s
        send_resolved: true
`

const serverConfig = `
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [%s]
alerting:
  alertmanagers:
    - static_configs:
        - targets: [%q]
scrape_configs:
  - job_name: relent
    metrics_path: /
    static_configs:
      - targets: [%q]
`
