package dashboardtest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
	"github.com/relent-go/relent/gate/budget"
	"github.com/relent-go/relent/retry"
)

// taught is a registry with an operation that has learned for a while, of a dependency that was down for some of it, and one
// that has no budget.
func taught(t *testing.T) (*control.Registry, *control.Operation) {
	t.Helper()
	reg := &control.Registry{Instance: "real-1", Logger: slog.New(slog.DiscardHandler)}
	add := func(name string, gates ...retry.Gate) *control.Operation {
		o, err := reg.AddOperation("venue", &retry.Policy{
			Name: name, Idempotent: true, MaxElapsed: time.Second, Backoff: backoff.Constant{Wait: 2 * time.Millisecond}, Gates: append(gates, &control.Learning{}),
		})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	led := add("venue.get_balance", &budget.Budget{Ratio: 1, Max: 1000})
	for _, o := range []*control.Operation{led, add("venue.bare")} {
		var all sync.WaitGroup
		for i := range 120 {
			all.Go(func() {
				n := 0
				_ = retry.Run(context.Background(), o, func(context.Context) error {
					if n++; n == 1 && i%3 == 0 || i > 100 {
						return retry.Mark(errBusy, retry.Transient)
					}
					return nil
				})
			})
			if i%10 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		all.Wait()
	}
	return reg, led
}

// What is learned is shown with its reasons, and an operator sets the mode.
func TestLearning(t *testing.T) {
	reg, led := taught(t)
	h, err := dashboard.New(dashboard.Config{Source: reg, Commander: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b := open(t, serveHandler(t, h))
	b.visit("?panel=tuning&policy=venue.get_balance")
	b.until(`document.querySelectorAll('#p-learning tbody tr').length === 2`)
	cell := func(column int) string {
		return `[...document.querySelectorAll('#p-learning tbody tr')].find(r => r.cells[0].innerText === 'venue.get_balance').cells[` + string(rune('0'+column)) + `].innerText`
	}
	b.until(cell(1) + ` === 'shadow'`)
	b.until(cell(2) + `.startsWith('as configured')`)
	b.until(cell(4) + `.includes('configured')`)
	b.until(`document.querySelector('#p-learning li').innerText.includes('venue.get_balance unavailable: down ')`)
	b.until(`document.querySelector('#p-learning li').innerText.includes('; by ')`)
	b.picture("learning-light")
	b.theme("dark")
	b.until(`document.documentElement.dataset.theme === 'dark'`)
	b.picture("learning-dark")

	set := func(mode, why string) {
		t.Helper()
		b.until(`(() => { const put = (i, v, e) => { i.value = v; i.dispatchEvent(new Event(e, {bubbles: true})); };
			put(document.querySelector('#mode'), '` + mode + `', 'change'); put(document.querySelector('#why-mode'), '` + why + `', 'input'); return document.querySelector('#mode').value === '` + mode + `'; })()`)
		b.until(`document.querySelector('#set-mode').getAttribute('aria-disabled') === 'false'`)
		b.click("#set-mode")
	}
	set("active", "proven")
	b.until(cell(1) + ` === 'active'`)
	if v := led.View(); v.Override["adaptive"] != "active" || v.Learning.Mode != "active" {
		t.Errorf("in force: %v, %+v", v.Override, v.Learning)
	}
	set("shadow", "storm")
	b.until(cell(1) + ` === 'shadow'`)
	if v := led.View(); len(v.Override) != 0 {
		t.Errorf("as the program has it, and overridden by %v", v.Override)
	}

	// What is refused says why, and changes nothing.
	b.visit("?panel=tuning&policy=venue.bare")
	b.until(`document.querySelector('#p-learning h3').innerText === 'venue.bare' && document.querySelector('#mode')`)
	b.expected = append(b.expected, "409")
	set("active", "proven")
	b.until(`document.querySelector('#p-learning .error').innerText.includes('active needs a budget')`)

	// The tuning form has the field, too.
	b.until(`[...document.querySelectorAll('#p-tuning td')].some(c => c.innerText === 'adaptive')`)
	b.size(320, 800)
	b.until(`document.documentElement.scrollWidth <= 320`)
	set("off", "enough")
	b.until(`document.querySelectorAll('#p-learning tbody tr').length === 1`)
}

// A viewer sees what is learned, and cannot change it. Without learners the panel says how to get one.
func TestLearningForViewers(t *testing.T) {
	reg, _ := taught(t)
	h, err := dashboard.New(dashboard.Config{Source: reg, Commander: reg, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b := open(t, serveHandler(t, h))
	b.visit("?panel=tuning")
	b.until(`document.querySelector('#mode').disabled && document.querySelector('#set-mode').title === 'This dashboard is read-only'`)

	b = open(t, serve(t, newWorld(), nil))
	b.visit("?panel=tuning")
	b.until(`document.querySelector('#p-learning').innerText.includes('Nothing learns') && document.querySelector('#p-learning').innerText.includes('relent policy mode')`)
}
