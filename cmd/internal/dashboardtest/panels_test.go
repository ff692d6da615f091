package dashboardtest

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/retry"
)

// text returns what a part of the page shows.
func (b *tab) text(selector string) string {
	b.Helper()
	return eval[string](b, fmt.Sprintf(`(document.querySelector(%q) || {innerText: 'nothing at ' + %q}).innerText`, selector, selector))
}

// Every panel shows what the API says.
func TestPanels(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	time.Sleep(2500 * time.Millisecond) // some traffic for the rates to be of
	w.change(func(*control.View) { w.frozen = true })
	b := open(t, url)
	b.until(`document.querySelector('#p-policies td')`)
	w.chatter(20)
	b.until(`document.querySelector('#p-events td')`)
	b.do() // let the last delta be drawn
	format, err := os.ReadFile("../../../dashboard/assets/format.js")
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string]map[string]any
	getJSON(t, url+"/api/v1/topics/policies", &rows)
	for name, r := range rows {
		line := eval[string](b, fmt.Sprintf(`[...document.querySelectorAll('#p-policies tbody tr')].find(r => r.cells[0].innerText === %q)?.innerText || ''`, name))
		if !strings.Contains(line, fmt.Sprint(r["in_flight"])) {
			t.Errorf("policy %s: %q does not show %v in flight", name, line, r["in_flight"])
		}
		for _, js := range [][2]string{{"pct", "success"}, {"pct", "first_try"}, {"times", "amplification"}, {"rate", "calls"}, {"dur", "call_p50"}, {"dur", "call_p99"}, {"dur", "attempt_p50"}, {"dur", "attempt_p99"}} {
			number, _ := json.Marshal(r[js[1]])
			want := eval[string](b, fmt.Sprintf(`(() => { %s; return %s(%s); })()`, strings.ReplaceAll(string(format), "export ", ""), js[0], number))
			if !strings.Contains(line, want) {
				t.Errorf("policy %s: %q does not show %s", name, line, want)
			}
		}
	}
	for selector, wants := range map[string][]string{
		"#p-circuits":   {"1 open of 6", "okx.place_order", "open", "suspect", "probing", "held closed", "62.0 %", "closed"},
		"#p-budgets":    {"okx", "3.4 of 50", "1.1/s", "holds", "20 of 20", "3 policies"},
		"#p-trading":    {"Unknown orders\n2", "oldest", "Resends blocked\n11", "request weight", "71.0 % left", "Parked\n1", "3 timeout"},
		"#p-findings":   {"2 active", "page", "etry storm", "okx.place_order", "Retries are 38 %", "Keep the circuit open", "retry share\n0.38"},
		"#p-components": {"5 up of 7", "execution", "critical", "okx is failing", "degraded", "postgres", "above"},
		"#p-events":     {"retrying", "refused", "okx.place_order", "attempt 2 · transient"},
		"#p-outcomes":   {"objective 99.9 %", "success first try"},
		"#p-reasons":    {"breaker", "the circuit was open"},
		".tiles":        {"Circuits open\n1", "Unknown orders\n2"},
	} {
		got := b.text(selector)
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("%s shows %q; want %q in it", selector, got, want)
			}
		}
	}
	for panel, wants := range map[string][]string{
		"audit":  {"48.3 k records", "chain whole", "mara", "risk-reducing", "fills are missing (OPS-411)", "with jon"},
		"tuning": {"max_attempts", "800ms", "exponential(100ms, x2, max 30s, full)", "Review changes"},
		"nope":   {"There is no view nope"},
	} {
		b.visit("?panel=" + panel)
		b.until(`document.querySelector('main table, main .empty')`)
		for _, want := range wants {
			want := strings.ReplaceAll(want, "risk-reducing", "risk reducing")
			b.until(fmt.Sprintf(`document.querySelector('main').innerText.includes(%q)`, want))
		}
	}
	b.visit("?panel=audit")
	b.click("#p-audit header button")
	b.until(`document.querySelector('#p-audit').innerText.includes('The whole chain fits.')`)
}

// Through the real registry: what calls do is what the page shows.
func TestRegistry(t *testing.T) {
	reg := &control.Registry{Instance: "real-1"}
	op, err := reg.AddOperation("venue", &retry.Policy{Name: "venue.fetch_book", Idempotent: true})
	if err != nil {
		t.Fatal(err)
	}
	h, err := dashboard.New(dashboard.Config{Source: reg, Commander: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	url := serveHandler(t, h)
	b := open(t, url)
	b.until(`document.querySelector('#p-policies td')`)
	for i := range 40 {
		n := 0
		_ = retry.Run(t.Context(), op, func(ctx ctx) error {
			if n++; n == 1 && i%4 == 0 {
				return retry.After(retry.Mark(errBusy, retry.Throttled), time.Millisecond)
			}
			return nil
		})
	}
	b.until(`document.querySelector('#p-policies').innerText.includes('100 %')`)
	b.until(`document.querySelector('#p-policies').innerText.includes('first try 75.0 %')`)
	b.until(`document.querySelector('#p-policies').innerText.includes('1.25×')`)
	b.until(`document.querySelector('#p-events').innerText.includes('recovered')`)
	b.visit("?panel=tuning")
	b.until(`[...document.querySelectorAll('#p-tuning td')].some(c => c.innerText === 'max_attempts')`)
	b.until(`document.querySelector('[aria-label="Override of max_attempts"]')`)
	eval[bool](b, `(() => { const set = (i, v) => { i.value = v; i.dispatchEvent(new InputEvent('input', {bubbles: true})); };
		set(document.querySelector('[aria-label="Override of max_attempts"]'), '2'); set(document.querySelector('#p-tuning [required]'), 'the venue is slow'); return true; })()`)
	b.click("#p-tuning form button.primary")
	b.until(`document.querySelector('.diff').innerText.includes('max_attempts 3 → 2')`)
	b.click("#apply")
	b.until(`[...document.querySelectorAll('#p-tuning tr')].some(r => r.cells[0].innerText === 'max_attempts' && r.cells[3].innerText === '2')`)
	if got := op.View().Override["max_attempts"]; got != "2" {
		t.Errorf("override = %q; want 2", got)
	}
}

func TestFilterSortAndLinks(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	b.until(`document.querySelectorAll('#p-policies tbody tr').length === 8`)
	b.keys("/")
	b.until(`document.activeElement.id === 'filter'`)
	b.keys("policy:binance.*")
	b.until(`document.querySelectorAll('#p-policies tbody tr').length === 3 && location.search.includes('filter=policy%3Abinance')`)
	b.visit("?filter=policy:okx.*") // a link; survives being loaded again
	b.until(`document.querySelectorAll('#p-policies tbody tr').length === 1 && document.querySelector('#filter').value === 'policy:okx.*'`)
	b.visit("?filter=zzz")
	b.until(`document.querySelector('#p-policies').innerText.includes('No policy matches the filter')`)
	b.visit("")
	b.until(`document.querySelectorAll('#p-policies tbody tr').length === 8`)
	b.click("#p-policies th:nth-child(4) button")
	b.until(`document.querySelector('#p-policies th:nth-child(4)').getAttribute('aria-sort') === 'ascending' && document.querySelector('#p-policies tbody tr').innerText.startsWith('fix.logon')`)
	b.click("#p-policies th:nth-child(4) button")
	b.until(`document.querySelector('#p-policies th:nth-child(4)').getAttribute('aria-sort') === 'descending' && document.querySelector('#p-policies tbody tr').innerText.startsWith('binance.fetch_book')`)
	b.until(`location.search.includes('sort=policies%3A-calls')`)
	w.chatter(20)
	b.click("#p-reasons a")
	b.until(`location.search.includes('panel=events') && location.search.includes('filter=reason')`)
	eval[bool](b, `history.back() || true`)
	b.until(`!location.search.includes('panel') && document.querySelector('#p-policies')`)
	for _, to := range []struct{ key, panel string }{{"c", "circuits"}, {"b", "budgets"}, {"a", "audit"}, {"o", "policies"}} {
		b.do(blur)
		b.keys("g" + to.key)
		b.until(fmt.Sprintf(`document.querySelector('#p-%s') && document.querySelector('nav [aria-current=page]')`, to.panel))
	}
	b.keys("?")
	b.until(`document.querySelector('dialog[open]').innerText.includes('Saved views')`)
	b.keys("\x1b")
	b.until(`!document.querySelector('dialog')`)
	b.click("[aria-label='View as table']")
	b.until(`document.querySelector('#p-outcomes table')`)
}

// Paused, nothing moves and nothing is lost.
func TestPause(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	w.chatter(21)
	b.until(`document.querySelectorAll('#p-events tbody tr').length === 21`)
	b.keys("p")
	b.until(`document.querySelector('#stream').innerText.includes('PAUSED') && location.search.includes('paused')`)
	before := b.text("#p-policies")
	w.chatter(14)
	b.until(`document.querySelector('#new') && document.querySelector('#new').innerText === '14 new'`)
	if after := b.text("#p-policies"); after != before {
		t.Errorf("paused, the policies changed from %q to %q", before, after)
	}
	eval[bool](b, `(() => { const i = document.querySelector('#filter'); i.value = 'kind:order'; i.dispatchEvent(new InputEvent('input', {bubbles: true})); return true; })()`)
	b.until(`document.querySelectorAll('#p-events tbody tr').length === 3`) // filters work
	eval[bool](b, `(() => { const i = document.querySelector('#filter'); i.value = ''; i.dispatchEvent(new InputEvent('input', {bubbles: true})); i.blur(); return true; })()`)
	b.click("#new")
	b.until(`document.querySelectorAll('#p-events tbody tr').length === 35 && document.querySelector('#stream').innerText.includes('Live')`)
}

// Names and errors that contain markup are text.
func TestHostileText(t *testing.T) {
	const evil = `<img src=x onerror="document.title='owned'">{{7*7}}<script>document.title='owned'</script>`
	w := newWorld()
	w.change(func(v *control.View) {
		v.Instance = evil
		v.Policies[0].Name, v.Policies[0].Policy = evil, evil
		v.Circuits[0].Policy, v.Circuits[0].Cause, v.Circuits[0].Target = evil, evil, evil
		v.Findings[0].Summary, v.Findings[0].Subject = evil, evil
		v.Findings[0].Evidence = map[string]any{evil: evil}
		v.Components[0].Name, v.Components[0].Cause = evil, evil
		v.Budgets[0].Name, v.Venues[0].Name = evil, evil
		v.Stops = []control.StopView{{Scope: evil, State: "drain", Reason: evil, Actor: evil, Source: evil, Epoch: 1, Since: time.Now()}}
	})
	url := serve(t, w, nil)
	b := open(t, url)
	b.until(`document.querySelector('#p-policies td')`)
	w.Note(control.Note{Kind: "failed", Policy: evil, Text: evil, Target: evil, Trace: evil})
	for _, panel := range []string{"overview", "policies", "circuits", "findings", "components", "events", "tuning"} {
		b.visit("?panel=" + panel)
		b.until(`document.querySelector('main').innerText.includes('<img src=x') && document.querySelector('.banner').innerText.includes('<script>')`)
	}
	if got := eval[string](b, `document.title + document.querySelectorAll('main img, main script').length`); got != "relent0" {
		t.Errorf("title and elements are %s; want relent0", got)
	}
}

// A source without anything says so in every panel, and how to get something.
func TestEmpty(t *testing.T) {
	w := newWorld()
	w.change(func(v *control.View) { *v = control.View{Instance: "empty-1"}; w.kinds = nil })
	url := serve(t, w, func(c *dashboard.Config) { c.Audit, c.Source = nil, quiet{w} })
	b := open(t, url)
	for panel, want := range map[string]string{
		"policies": "No policies yet", "circuits": "No circuit breakers", "budgets": "No retry budgets", "trading": "No venues", "findings": "Nothing found",
		"components": "No components", "events": "No events are connected", "audit": "No audit log is connected", "tuning": "No operations", "overview": "Every failure was retried",
	} {
		b.visit("?panel=" + panel)
		b.until(fmt.Sprintf(`document.querySelector('main').innerText.includes(%q)`, want))
	}
	b.visit("")
	b.until(`document.querySelectorAll('.empty').length >= 7`)
	b.picture("empty-light")
}

// quiet hides that a world tells events.
type quiet struct{ w *world }

func (q quiet) View() control.View { return q.w.View() }

// More rows than fit are not drawn, and still all there.
func TestManyPolicies(t *testing.T) {
	w := newWorld()
	for i := range 192 {
		w.add(fmt.Sprintf("many.operation_%03d", i), "many", trade{rate: 3, median: .01})
	}
	url := serve(t, w, func(c *dashboard.Config) { c.Interval = 100 * time.Millisecond })
	b := open(t, url)
	b.visit("?panel=policies")
	b.until(`document.querySelector('#p-policies table')?.getAttribute('aria-rowcount') === '200'`)
	if n := eval[int](b, `document.querySelectorAll('#p-policies tbody tr').length`); n > 120 {
		t.Errorf("%d rows are in the document; want those that are seen", n)
	}
	b.visit("") // ten updates a second, and no frame takes long
	b.until(`document.querySelector('#p-policies td')`)
	worst := eval[[]float64](b, `new Promise(done => { const t = []; let last = performance.now(), n = 0; const step = now => { t.push(now - last); last = now; ++n < 150 ? requestAnimationFrame(step) : done(t); }; requestAnimationFrame(step); })`)
	slices.Sort(worst)
	t.Logf("200 policies at 10 Hz: a frame takes %.1f ms at the median, %.1f at p95, %.1f at worst", worst[75], worst[142], worst[149])
	if worst[75] > 34 {
		t.Errorf("half of the frames take more than %.1f ms", worst[75])
	}
}
