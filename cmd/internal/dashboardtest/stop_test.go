package dashboardtest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/dashboard"
)

type ctx = context.Context

var errBusy = errors.New("busy")

var blur = chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`)

func serveHandler(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// Stop and release without a mouse.
func TestStopByKeyboard(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	b.expected = append(b.expected, "409")
	b.until(`document.querySelector('#p-policies td')`)
	for range 40 { // by tab
		if b.keys(kb.Tab); eval[bool](b, `document.activeElement.id === 'stop'`) {
			break
		}
	}
	b.until(`document.activeElement.id === 'stop'`)
	b.keys(kb.Enter)
	b.until(`document.activeElement.id === 'scope' && document.querySelector('#scope').options.length > 8`)
	b.until(`document.querySelector('.radius').innerText.includes('In flight\n56') && document.querySelector('.radius').innerText.includes('It does not unsend what was sent.')`)
	b.keys(kb.Tab + kb.ArrowDown + kb.ArrowDown + kb.ArrowDown)
	b.until(`document.querySelector('[name=state]:checked').value === 'stopped' && document.querySelector('#typed')`)
	b.keys(kb.Tab + "fills are missing" + kb.Enter)
	b.until(`document.querySelector('dialog') && document.querySelector('#engage').getAttribute('aria-disabled') === 'true'`) // not yet typed
	eval[bool](b, `document.querySelector('#typed').focus() || true`)
	b.keys("global" + kb.Enter)
	b.until(`!document.querySelector('dialog') && document.querySelector('.banner').innerText.includes('Stop everything')`)
	b.until(`document.activeElement.id === 'stop'`) // focus is back
	w.mu.Lock()
	got := w.stops
	w.mu.Unlock()
	if len(got) != 1 || got[0].Scope != "global" || got[0].State != "stopped" || got[0].Reason != "fills are missing" || got[0].Expires != 0 || len(got[0].Key) != 32 || got[0].Actor != "local" {
		t.Fatalf("stops = %+v", got)
	}
	b.visit("?panel=audit") // in every view
	b.until(`document.querySelector('.banner').innerText.includes('fills are missing') && document.querySelector('.banner').innerText.includes('local · dashboard')`)
	eval[bool](b, `document.querySelector('.banner button').focus() || true`)
	b.keys(kb.Enter)
	b.until(`document.activeElement.id === 'reason'`)
	b.keys("venue confirmed" + kb.Tab + "local" + kb.Enter)
	b.until(`document.querySelector('dialog .error').innerText.includes('may not approve')`)
	eval[bool](b, `(() => { const a = document.querySelector('#approver'); a.focus(); a.select(); return true; })()`)
	b.keys("ines" + kb.Enter)
	b.until(`!document.querySelector('dialog') && document.querySelector('.banner').innerText.includes('Releasing') && document.querySelector('.banner').innerText.includes('10.0 % admitted')`)
	b.until(`document.querySelector('.banner button').innerText === 'Stop again'`)
	w.change(func(v *control.View) { v.Stops[0].Ramp = .5 })
	b.until(`document.querySelector('.banner progress').value === 0.5`)
	w.change(func(v *control.View) { v.Stops = nil })
	b.until(`!document.querySelector('.banner')`)
}

// However often it is clicked, it engages once; while it is not answered the page says how to do without.
func TestDoubleClickEngagesOnce(t *testing.T) {
	w := newWorld()
	w.slow = make(chan struct{})
	url := serve(t, w, nil)
	b := open(t, url)
	b.click("#stop")
	b.until(`document.activeElement.id === 'scope'`)
	eval[bool](b, `(() => { const i = document.querySelector('#reason'); i.value = "it's late"; i.dispatchEvent(new InputEvent('input', {bubbles: true})); return true; })()`)
	eval[bool](b, `(() => { for (let i = 0; i < 5; i++) document.querySelector('#engage').click(); return true; })()`)
	b.until(`document.querySelector('.cli').innerText.includes("relent stop global --state no-retries --reason 'it'\\''s late'")`)
	b.until(`document.querySelector('#engage').innerText === 'Stopping…'`)
	b.picture("stop-waiting")
	close(w.slow)
	b.until(`!document.querySelector('dialog') && document.querySelector('.banner')`)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.stops) != 1 || w.stops[0].Reason != "it's late" || w.stops[0].State != "no-retries" {
		t.Errorf("stops = %+v; want one", w.stops)
	}
}

func TestStaleEpochIsRefused(t *testing.T) {
	w := newWorld()
	w.change(func(v *control.View) {
		v.Stops = []control.StopView{{Scope: "okx", State: "risk-reducing", Epoch: 4, Actor: "mara", Source: "cli", Reason: "odd fills", Since: time.Now()}, {Scope: "okx/okx.place_order", State: "drain", Epoch: 1, Actor: "jon", Source: "trip", Since: time.Now()}}
	})
	url := serve(t, w, nil)
	b := open(t, url)
	b.click(".banner button")
	b.until(`document.querySelector('dialog').innerText.includes('These remain stopped: okx/okx.place_order')`)
	w.change(func(v *control.View) { v.Stops[0].Epoch = 5 })
	b.until(`document.querySelector('dialog .error').innerText.includes('It was stopped again meanwhile')`)
	b.keys("all is well" + kb.Tab + "ines" + kb.Enter)
	b.until(`document.querySelector('dialog').innerText.includes('it was stopped again: epoch 5, not 4')`)
	b.expected = append(b.expected, "409")
}

// tokens are people with the secrets "v", "o" and "p".
var people = dashboard.TokenList{
	{Identity: dashboard.Identity{Name: "vera", Role: dashboard.Viewer}, Hash: dashboard.HashToken("v")},
	{Identity: dashboard.Identity{Name: "otto", Role: dashboard.Operator}, Hash: dashboard.HashToken("o")},
	{Identity: dashboard.Identity{Name: "petra", Role: dashboard.Operator}, Hash: dashboard.HashToken("p")},
}

func (b *tab) signIn(secret string) {
	b.Helper()
	b.until(`document.querySelector('#token')`)
	b.do(chromedp.SendKeys(chromedp.CSS("#token"), secret+kb.Enter))
}

func TestPeople(t *testing.T) {
	w := newWorld()
	url := serve(t, w, func(c *dashboard.Config) { c.Auth = dashboard.Tokens(people) })
	b := open(t, url)
	b.expected = append(b.expected, "401", "403")
	b.signIn("x")
	b.until(`document.querySelector('.error').innerText.includes('nobody has this token')`)
	b.picture("signin")
	eval[bool](b, `(document.querySelector('#token').value = '', true)`)
	b.signIn("v")
	b.until(`document.querySelector('#stop')?.getAttribute('aria-disabled') === 'true' && document.querySelector('#stop').title.includes('Takes the role operator')`)
	b.click("#stop")
	if eval[bool](b, `!!document.querySelector('dialog')`) {
		t.Error("a viewer gets the stop dialog")
	}
	status := eval[int](b, `fetch('api/v1/stop', {method: 'POST', body: '{"scope":"global","state":"drain","reason":"x"}'}).then(r => r.status)`)
	if status != 403 || len(w.stops) != 0 {
		t.Errorf("a viewer's stop = %d, %v; want 403 and nothing", status, w.stops)
	}
	b.keys("?")
	b.until(`document.querySelector('dialog').innerText.includes('vera, viewer')`)
	eval[bool](b, `[...document.querySelectorAll('dialog button')].find(x => x.innerText === 'Sign out').click() || true`)
	b.signIn("o")
	b.click("#stop:not([aria-disabled=true])")
	b.until(`document.activeElement.id === 'scope'`)
	b.keys(kb.Tab + kb.Tab + "drill it" + kb.Enter)
	b.until(`document.querySelector('.banner')?.innerText.includes('otto')`)
	b.click(".banner button")
	b.until(`document.activeElement.id === 'reason'`)
	b.keys("fine" + kb.Tab + "v" + kb.Enter)
	b.until(`document.querySelector('dialog .error').innerText.includes('nobody who may release')`)
	eval[bool](b, `(() => { const a = document.querySelector('#approver'); a.focus(); a.select(); return true; })()`)
	b.keys("p" + kb.Enter)
	b.until(`document.querySelector('.banner')?.innerText.includes('Releasing')`)
	if r := w.resumes[len(w.resumes)-1]; r.Actor != "otto" || r.Approver != "petra" {
		t.Errorf("release = %+v; want otto with petra", r)
	}
	// Without a page and without a token, a cookie is nothing.
	res, err := http.Post(url+"/api/v1/stop", "application/json", strings.NewReader(`{}`))
	if err != nil || res.StatusCode != 403 {
		t.Errorf("a stop from nowhere = %v, %v; want 403", res, err)
	}
}

func TestReadOnly(t *testing.T) {
	w := newWorld()
	url := serve(t, w, func(c *dashboard.Config) { c.ReadOnly = true })
	b := open(t, url)
	b.until(`document.querySelector('#stop').title.includes('read-only')`)
	if got := eval[int](b, `fetch('api/v1/tune', {method: 'POST', body: '{}'}).then(r => r.status)`); got != 403 {
		t.Errorf("tune = %d; want 403", got)
	}
	b.expected = append(b.expected, "403")
}
