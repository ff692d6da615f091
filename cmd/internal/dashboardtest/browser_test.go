package dashboardtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/relent-go/relent/dashboard"
)

// browser is the one that all tests open pages in; nil without Chromium.
var browser context.Context

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.WindowSize(1440, 1000))...)
		defer stop()
		ctx, cancel := chromedp.NewContext(allocator)
		defer cancel()
		if err := chromedp.Do(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "the browser does not start:", err)
			return 1
		}
		browser = ctx
		code := m.Run()
		end, done := context.WithTimeout(ctx, 10*time.Second)
		defer done()
		if err := chromedp.Cancel(end); err != nil && !errors.Is(err, context.Canceled) {
			fmt.Fprintln(os.Stderr, "the browser does not end:", err)
			return 1
		}
		return code
	}
	return m.Run()
}

// A tab is one page of the browser that looks at one dashboard.
type tab struct {
	*testing.T
	ctx context.Context
	url string

	mu       sync.Mutex
	console  []string
	expected []string // parts of messages that are no mistake
}

// open opens a page with an empty console, and checks at the end that it stayed so.
func open(t *testing.T, url string) *tab {
	t.Helper()
	if browser == nil {
		t.Skip("no browser: install Debian's packages chromium and fonts-liberation")
	}
	ctx, cancel := chromedp.NewContext(browser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	b := &tab{T: t, url: url}
	var listener sync.WaitGroup
	messages := chromedp.Console(ctx)
	listener.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, fmt.Sprint(m))
			b.mu.Unlock()
		}
	})
	limited, stop := context.WithTimeout(ctx, 3*time.Minute)
	b.ctx = limited
	t.Cleanup(func() {
		stop()
		cancel()
		listener.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
	next:
		for _, m := range b.console {
			for _, part := range b.expected {
				if strings.Contains(m, part) {
					continue next
				}
			}
			t.Errorf("the console says %s", m)
		}
	})
	b.size(1440, 1000)
	b.theme("light")
	b.visit("")
	return b
}

// visit opens an address below the dashboard and waits for the first data.
func (b *tab) visit(query string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url + "/" + query))
	b.until(`document.querySelector('#stream, .signin')`)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// until waits until an expression is true.
func (b *tab) until(js string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 15*time.Second)
	defer cancel()
	poll := chromedp.Poll[bool]("(() => { try { return !!(" + js + ") } catch { return false } })()")
	_, err := chromedp.Run(ctx, poll)
	for err != nil && ctx.Err() == nil { // the page was loaded again meanwhile
		_, err = chromedp.Run(ctx, poll)
	}
	if err != nil {
		shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.search + ' with the focus at ' + document.activeElement.outerHTML.slice(0, 200) + ', filter ' + document.querySelector('#filter')?.value + ':\n' + document.body.innerText.slice(-3000)`))
		b.Fatalf("never true: %s: %v\nthe page shows: %s", js, err, shown)
	}
}

func eval[T any](b *tab, js string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", js, err)
	}
	return v
}

func (b *tab) click(selector string) {
	b.Helper()
	b.until(fmt.Sprintf("document.querySelector(%q)", selector))
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) keys(s string) { b.Helper(); b.do(chromedp.KeyEvent(s)) }

func (b *tab) size(width, height int64) { b.Helper(); b.do(chromedp.EmulateViewport(width, height)) }

func (b *tab) theme(name string) {
	b.Helper()
	p := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, p); err != nil {
		b.Fatal(err)
	}
}

// picture takes the whole page, and keeps it where the environment says.
func (b *tab) picture(name string) []byte {
	b.Helper()
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	if folder := os.Getenv("RELENT_SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return png
}

// serve serves a dashboard of a world on a loopback address.
func serve(t *testing.T, w *world, change func(c *dashboard.Config)) string {
	t.Helper()
	c := dashboard.Config{Source: w, Commander: w, Audit: w}
	if change != nil {
		change(&c)
	}
	h, err := dashboard.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Config = dashboard.Server("", http.Handler(h))
	s.Start()
	t.Cleanup(func() { h.Close(); s.CloseClientConnections(); s.Close() })
	return s.URL
}

// rest lets the page run for some milliseconds.
func (b *tab) rest(ms int) {
	b.Helper()
	eval[bool](b, fmt.Sprintf(`new Promise(r => setTimeout(() => r(true), %d))`, ms))
}
