package dashboardtest

import (
	"testing"
	"time"

	"github.com/relent-go/relent/control"
)

// Every view says when the configuration has changed, was refused, or is not in force everywhere.
func TestConfigurationBanner(t *testing.T) {
	w := newWorld()
	b := open(t, serve(t, w, nil))
	b.until(`document.querySelector('#p-policies td')`)
	b.until(`!document.querySelector('#config')`) // it was loaded hours ago
	w.change(func(v *control.View) {
		v.Config = &control.ConfigView{Hash: "a1b2c3", Loaded: time.Now(), Good: true, Reloads: 3}
	})
	b.visit("?panel=circuits")
	b.until(`document.querySelector('#config')?.innerText.includes('Configuration changed')`)
	w.change(func(v *control.View) {
		v.Config = &control.ConfigView{Hash: "a1b2c3", Loaded: time.Now().Add(-time.Hour), Reloads: 3, Failures: 1, Errors: []string{"relent.yaml:6:5: <b>unknown</b> field", "relent.yaml:8:22: bad duration"}}
	})
	b.until(`(t => t.includes('Configuration refused') && t.includes('<b>unknown</b> field, and 1 more') && t.includes('1 h 0 m ago stays in force'))(document.querySelector('#config')?.innerText || '')`)
	b.click("#config summary")
	b.until(`document.querySelector('#config').innerText.includes('bad duration')`)
	b.picture("config-light")
	w.change(func(v *control.View) {
		v.Config = &control.ConfigView{Hash: "a1b2c3", Loaded: time.Now().Add(-time.Hour), Good: true, Reloads: 4}
		for name, hash := range map[string]string{"p1": "a1b2c3", "p2": "old", "p3": ""} {
			v.Instances = append(v.Instances, control.InstanceView{Name: name, Connected: true, Seen: time.Now(), Config: hash})
		}
	})
	b.until(`document.querySelector('#config')?.innerText.includes('1 of 3 instances have another one: p2')`)
	w.change(func(v *control.View) { v.Instances, v.Config = nil, nil })
	b.until(`!document.querySelector('#config')`)
}

// A drill says that it is one, and how far it came.
func TestDrillBanner(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	w.change(func(v *control.View) {
		now := time.Now()
		v.Stops = []control.StopView{
			{Scope: "okx", State: "drain", Epoch: 1, Actor: "mara", Source: "cli", Reason: "real", Since: now},
			{Scope: "okx", State: "stopped", Drill: true, Actor: "ines", Source: "cli", Reason: "monthly", Since: now, Expires: now.Add(time.Minute), Reached: 2, Processes: 3, Took: 12 * time.Millisecond},
		}
	})
	b.until(`document.querySelectorAll('.banner').length === 2`)
	b.until(`(t => t.includes('DRILL · Stop everything') && t.includes('reached 2 of 3 processes, the last after 12 ms') && t.includes('ends in'))(document.querySelector('.banner.drill').innerText)`)
	if n := eval[int](b, `document.querySelectorAll('.banner.drill button').length`); n != 0 {
		t.Errorf("a drill has %d buttons; there is nothing to release", n)
	}
}
