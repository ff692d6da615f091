package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkBeside asks the same upstream through httputil.ReverseProxy alone and through the gateway, by turns in one run, and
// says what the gateway adds: to the 50th and 99th percentile of a request's time, one client at a time, and to the throughput of
// sixteen.
//
//	go test -run - -bench Beside -benchtime 20x ./internal/gateway
func BenchmarkBeside(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(make([]byte, 1<<10))
	}))
	defer up.Close()
	target, err := url.Parse(up.URL)
	if err != nil {
		b.Fatal(err)
	}
	alone := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	})
	defer alone.Close()
	text := strings.Replace(fast+section(up.URL, ", policy: api.gated"), "policies:", `budgets: { b: { ratio: 0.1 } }
breakers: { b: { window: 10s } }
policies:
  api.gated: { max_attempts: 3, attempt_timeout: 5s, idempotent: true, gates: [halt, breaker.b, budget.b] }`, 1)
	p := start(b, text, Options{})
	for _, body := range []int{0, 4 << 10} {
		b.Run(fmt.Sprintf("body=%d", body), func(b *testing.B) {
			var times [2][]time.Duration
			var rates [2][]float64
			for b.Loop() {
				for i, to := range [2]string{alone.URL, p.url} {
					times[i] = append(times[i], latencies(b, to, body, 300)...)
					rates[i] = append(rates[i], throughput(b, to, body, 1500))
				}
			}
			of := func(i int, q float64) time.Duration {
				slices.Sort(times[i])
				return times[i][int(q*float64(len(times[i])-1))]
			}
			median := func(l []float64) float64 { slices.Sort(l); return l[len(l)/2] }
			b.ReportMetric(float64(of(1, .5)-of(0, .5))/1e3, "µs-added-p50")
			b.ReportMetric(float64(of(1, .99)-of(0, .99))/1e3, "µs-added-p99")
			b.ReportMetric(median(rates[0]), "requests/s-alone")
			b.ReportMetric(median(rates[1]), "requests/s")
			b.ReportMetric(100*median(rates[1])/median(rates[0]), "%-of-alone")
		})
	}
}

func request(b testing.TB, c *http.Client, to string, body int) {
	method, content := "GET", io.Reader(nil)
	if body > 0 {
		method, content = "POST", strings.NewReader(strings.Repeat("x", body))
	}
	r, err := http.NewRequest(method, to, content)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		b.Fatal(resp.Status)
	}
}

func latencies(b testing.TB, to string, body, n int) []time.Duration {
	c := &http.Client{Transport: &http.Transport{}}
	defer c.CloseIdleConnections()
	request(b, c, to, body)
	all := make([]time.Duration, n)
	for i := range all {
		began := time.Now()
		request(b, c, to, body)
		all[i] = time.Since(began)
	}
	return all
}

func throughput(b testing.TB, to string, body, n int) float64 {
	const clients = 16
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer c.CloseIdleConnections()
	began := time.Now()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range n / clients {
				request(b, c, to, body)
			}
		})
	}
	all.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// Clients that send their bodies slowly, and clients that wait for the rest of their answers, cost little each, and all bodies
// together no more than the buffer. With RELENT_SOAK they are 10,000. They are in a process of their own.
func TestSlowClients(t *testing.T) {
	clients, buffer := 300, int64(8<<20)
	if os.Getenv("RELENT_SOAK") != "" {
		clients, buffer = 10_000, 64<<20
	}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			w.Write(make([]byte, 32<<10)) // the rest never comes
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		io.Copy(io.Discard, r.Body)
	}))
	defer up.Close()
	p := start(t, fast+section(up.URL, ", policy: api.call, max_body: 1MiB")+fmt.Sprintf("  client_idle: 5m\n  buffer: %dB\n", buffer), Options{})
	before := memory()
	slow := exec.Command(os.Args[0], "-test.run", "^$")
	slow.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", slowVariable, p.addr, clients))
	slow.Stderr = os.Stderr
	in, err := slow.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := slow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	defer slow.Wait()
	defer in.Close()
	if text, err := bufio.NewReader(out).ReadString('\n'); text != "ready\n" {
		t.Fatalf("the clients say %q, %v", text, err)
	}
	for until := time.Now().Add(30 * time.Second); p.open() < clients && time.Now().Before(until); {
		runtime.Gosched()
	}
	after, held := memory(), p.full-p.room.free.Load()
	if n := p.open(); n != clients || held > buffer || held < buffer/4 {
		t.Errorf("%d clients, %d bytes of bodies; want %d, and up to %d", n, held, clients, buffer)
	}
	each := (int64(after) - int64(before) - held) / int64(clients)
	t.Logf("%d clients: %d MiB of bodies, and %d KiB for each client", clients, held>>20, each>>10)
	if each > 100<<10 {
		t.Errorf("%d KiB a client, beside the bodies; want at most 100", each>>10)
	}
	// Somebody who is not slow is served as ever.
	if got := ask(t, "POST", p.url, "quick"); got.StatusCode != 200 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// slowVariable makes the test binary a crowd of slow clients: its value is the address and the number.
const slowVariable = "GATEWAY_TEST_SLOW"

func TestMain(m *testing.M) {
	if text := os.Getenv(slowVariable); text != "" {
		beSlow(text)
		return
	}
	os.Exit(m.Run())
}

// beSlow keeps connections until the end of its standard input. One in twenty waits for the rest of an answer, the others do not
// finish their bodies; half of the first few hundred have sent a good part.
func beSlow(text string) {
	var addr string
	var clients int
	fmt.Sscan(text, &addr, &clients)
	conns := make([]net.Conn, clients)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			panic(err)
		}
		conns[i] = c
		c.SetWriteDeadline(time.Now().Add(10 * time.Second))
		switch {
		case i%20 == 0:
			io.WriteString(c, lines("GET / HTTP/1.1", "Host: a"))
		case i%2 == 0 && i < 300:
			io.WriteString(c, lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1000000")+strings.Repeat("x", 100_000))
		default:
			io.WriteString(c, lines("POST / HTTP/1.1", "Host: a", "Content-Length: 1000")+"x")
		}
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns)
}

// memory is what the process has from the system, of which nothing is idle.
func memory() uint64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
