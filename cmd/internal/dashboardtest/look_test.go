package dashboardtest

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"

	"github.com/relent-go/relent/control"
)

func navigate(url string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(url) }

var views = []string{"overview", "policies", "circuits", "budgets", "trading", "findings", "components", "events", "audit", "tuning"}

// Nothing is cut off or moves sideways, however narrow the window.
func TestLayout(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	w.chatter(40)
	b := open(t, url)
	for _, width := range []int64{320, 768, 1440} {
		b.size(width, 900)
		for _, v := range views {
			b.visit("?panel=" + v)
			b.until(`document.querySelector('main .panel') && !document.querySelector('.skeleton')`)
			if over := eval[int](b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
				t.Errorf("%s at %d px is %d px too wide", v, width, over)
			}
			small := eval[[]string](b, `[...document.querySelectorAll('button, a, select, input, summary')].filter(e => { const r = e.getBoundingClientRect(); return r.width && (r.width < 24 || r.height < 24) && !e.matches('[type=radio], [type=checkbox], p a, .hidden *'); }).map(e => e.outerHTML.slice(0, 90))`)
			if len(small) > 0 {
				t.Errorf("%s at %d px has targets below 24 px: %v", v, width, small)
			}
		}
	}
	b.size(1440, 1000)
	b.visit("")
	b.until(`document.querySelectorAll('#p-events tbody tr').length > 5`)
	shift := eval[float64](b, `new Promise(done => new PerformanceObserver(l => done(l.getEntries().filter(e => !e.hadRecentInput).reduce((n, e) => n + e.value, 0))).observe({type: 'layout-shift', buffered: true}) || setTimeout(() => done(0), 500))`)
	t.Logf("layout shift %.4f", shift)
	if shift > 0.02 {
		t.Errorf("the layout shifts by %.3f while it loads", shift)
	}
}

// The first data is there soon, and the page costs little from then on.
func TestSpeed(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	b := open(t, url)
	b.visit("?fresh")
	b.until(`document.querySelector('#p-policies td')`)
	first := eval[float64](b, `performance.getEntriesByName('first-data')[0]?.startTime ?? performance.now()`)
	t.Logf("first data after %.0f ms", first)
	if first > 1500 {
		t.Errorf("the first data came after %.0f ms; want 500 ms on a machine of its own", first)
	}
	heap := eval[float64](b, `performance.memory.usedJSHeapSize / 1e6`)
	t.Logf("%.1f MB of heap", heap)
	if heap > 60 {
		t.Errorf("the heap is %.0f MB; want below 60", heap)
	}
}

// Text can be read in both themes: WCAG 2.2, 1.4.3, from the colours in force.
func TestContrast(t *testing.T) {
	w := newWorld()
	b := open(t, serve(t, w, nil))
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		b.until(fmt.Sprintf(`document.documentElement.dataset.theme === %q`, theme))
		colour := func(name string) [3]float64 {
			hex := strings.TrimPrefix(eval[string](b, fmt.Sprintf(`getComputedStyle(document.documentElement).getPropertyValue('--%s').trim()`, name)), "#")
			if len(hex) == 3 {
				hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
			}
			var c [3]float64
			for i := range c {
				n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
				if err != nil {
					t.Fatalf("--%s is %q", name, hex)
				}
				c[i] = float64(n) / 255
			}
			return c
		}
		for _, pair := range []struct {
			text, ground string
			least        float64
		}{
			{"text", "bg", 4.5}, {"text", "panel", 4.5}, {"text", "raised", 4.5}, {"dim", "bg", 4.5}, {"dim", "panel", 4.5}, {"dim", "raised", 4.5},
			{"ok", "panel", 4.5}, {"warn", "panel", 4.5}, {"bad", "panel", 4.5}, {"accent", "panel", 4.5}, {"ok", "ok-bg", 4.5}, {"text", "ok-bg", 4.5},
			{"warn", "warn-bg", 4.5}, {"bad", "bad-bg", 4.5}, {"accent", "accent-bg", 4.5}, {"text", "accent-bg", 4.5}, {"text", "warn-bg", 4.5},
			{"warn", "raised", 4.5}, {"bad", "raised", 4.5}, {"ok", "raised", 4.5}, {"panel", "accent", 4.5}, {"dim", "ok-bg", 4.5}, {"dim", "accent-bg", 4.5},
			{"o1", "panel", 3}, {"o2", "panel", 3}, {"o5", "panel", 3}, {"o6", "panel", 3}, {"o7", "panel", 3}, {"o9", "panel", 3},
		} {
			if got := contrast(colour(pair.text), colour(pair.ground)); got < pair.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f; want %.1f", theme, pair.text, pair.ground, got, pair.least)
			}
		}
		if got := contrast([3]float64{1, 1, 1}, colour("solid")); got < 4.5 {
			t.Errorf("%s: white on solid has a contrast of %.2f", theme, got)
		}
	}
}

func contrast(a, b [3]float64) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + .05) / (min(x, y) + .05)
}

func luminance(c [3]float64) float64 {
	lin := func(x float64) float64 {
		if x <= .04045 {
			return x / 12.92
		}
		return math.Pow((x+.055)/1.055, 2.4)
	}
	return .2126*lin(c[0]) + .7152*lin(c[1]) + .0722*lin(c[2])
}

// Every control has a name; every state is a word beside its colour; every chart has a table.
func TestAccessibility(t *testing.T) {
	w := newWorld()
	b := open(t, serve(t, w, nil))
	w.chatter(10)
	for _, v := range append(views, "stop") {
		if v == "stop" {
			b.visit("")
			b.click("#stop")
			b.until(`document.querySelector('dialog')`)
		} else {
			b.visit("?panel=" + v)
			b.until(`document.querySelector('main .panel') && !document.querySelector('.skeleton')`)
		}
		tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		controls := 0
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			role := fmt.Sprintf("%s", n.Role.Value)
			switch strings.Trim(role, `"`) {
			case "button", "link", "textbox", "searchbox", "combobox", "radio", "checkbox", "dialog", "region", "progressbar":
				controls++
				if n.Name == nil || strings.Trim(fmt.Sprintf("%s", n.Name.Value), `"`) == "" {
					t.Errorf("%s: a %s has no name", v, role)
				}
			}
		}
		if controls < 10 {
			t.Errorf("%s: only %d controls are in the tree of names", v, controls)
		}
		if bare := eval[int](b, `[...document.querySelectorAll('.state')].filter(s => !s.innerText.trim() || !s.querySelector('svg')).length`); bare > 0 {
			t.Errorf("%s: %d states are told by colour alone", v, bare)
		}
	}
	if moving := eval[int](b, `document.getAnimations().length`); moving > 0 {
		t.Errorf("%d animations run although reduced motion is asked for", moving)
	}
}

// Pictures are kept for people to look at; a test sees only whether there is something on them.
func TestPictures(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	rest := time.Second
	if os.Getenv("RELENT_SCREENSHOTS") != "" {
		rest = 75 * time.Second // so that the charts have a past
	}
	time.Sleep(rest)
	w.chatter(60)
	b := open(t, url)
	b.visit("?range=1m")
	b.until(`document.querySelectorAll('#p-events tbody tr').length > 5 && document.querySelector('#p-outcomes canvas')`)
	shots := map[string][]byte{}
	for _, theme := range []string{"light", "dark"} {
		b.theme(theme)
		b.size(1440, 1800)
		for _, v := range []string{"overview", "policies", "circuits", "findings", "trading", "components", "events", "audit", "tuning"} {
			height := int64(900)
			if v == "overview" {
				height = 1790
			}
			b.size(1440, height)
			b.visit("?range=1m&panel=" + v)
			b.until(`document.querySelector('main .panel') && !document.querySelector('.skeleton') && document.querySelector('#stream').innerText.includes('Live')`)
			b.rest(300)
			shots[v+"-"+theme] = b.picture(v + "-" + theme)
		}
		b.visit("?range=1m")
		b.click("#stop")
		b.until(`document.querySelector('.radius .facts')`)
		shots["stop-"+theme] = b.picture("stop-" + theme)
		b.keys("\x1b")
		w.change(func(v *control.View) {
			v.Stops = []control.StopView{{Scope: "okx", State: "risk-reducing", Epoch: 4, Actor: "mara", Source: "cli", Reason: "fills are missing", Ticket: "OPS-411", Since: time.Now().Add(-3 * time.Minute)}, {Scope: "pricing/risk.score", State: "running", Epoch: 2, Actor: "ines", Source: "dashboard", Reason: "model is back", Since: time.Now().Add(-20 * time.Second), Ramp: .5}}
		})
		b.until(`document.querySelectorAll('.banner').length === 2`)
		shots["banner-"+theme] = b.picture("banner-" + theme)
		w.change(func(v *control.View) { v.Stops = nil })
		b.size(320, 2600)
		b.visit("?range=1m")
		b.until(`document.querySelector('#p-policies td')`)
		shots["narrow-"+theme] = b.picture("narrow-" + theme)
		b.size(768, 1800)
		b.rest(300)
		shots["middle-"+theme] = b.picture("middle-" + theme)
	}
	for name, shot := range shots {
		img, err := png.Decode(bytes.NewReader(shot))
		if err != nil {
			t.Fatal(err)
		}
		if n := colours(img); n <= 50 {
			t.Errorf("%s has %d colours: it is blank", name, n)
		}
		if light, ok := strings.CutSuffix(name, "-light"); ok && bytes.Equal(shot, shots[light+"-dark"]) {
			t.Errorf("%s looks the same in both themes", light)
		}
	}
}

func colours(img image.Image) int {
	seen := map[[3]uint32]bool{}
	r := img.Bounds()
	for y := r.Min.Y; y < r.Max.Y; y += 2 {
		for x := r.Min.X; x < r.Max.X; x += 2 {
			cr, cg, cb, _ := img.At(x, y).RGBA()
			seen[[3]uint32{cr, cg, cb}] = true
		}
	}
	return len(seen)
}
