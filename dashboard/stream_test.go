package dashboard

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
)

// A pipe is a ResponseWriter that a test reads from.
type pipe struct {
	http.ResponseWriter
	w  io.Writer
	at time.Time // of the last write deadline
}

func (p *pipe) Write(b []byte) (int, error) {
	if len(b) == 0 { // which a pipe would wait with
		return 0, nil
	}
	return p.w.Write(b)
}
func (p *pipe) FlushError() error                   { return nil }
func (p *pipe) SetWriteDeadline(at time.Time) error { p.at = at; return nil }

// A stream is one that a test reads.
type testStream struct {
	lines *bufio.Scanner
	end   context.CancelFunc
	done  sync.WaitGroup
	out   *pipe
	r     *io.PipeReader
}

func listen(h *Handler, path string, change ...func(*http.Request)) *testStream {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	s := &testStream{lines: bufio.NewScanner(r), end: cancel, out: &pipe{httptest.NewRecorder(), w, time.Time{}}, r: r}
	s.lines.Buffer(nil, 1<<20)
	req := httptest.NewRequestWithContext(ctx, "GET", "http://localhost/api/v1/stream"+path, nil)
	for _, c := range change {
		c(req)
	}
	s.done.Go(func() { h.ServeHTTP(s.out, req); w.Close() })
	return s
}

// next returns the next frame: its lines but the data, and the data.
func (s *testStream) next() (head, data string) {
	for s.lines.Scan() {
		switch l := s.lines.Text(); {
		case l == "" && head+data != "":
			return head, data
		case strings.HasPrefix(l, "data: "):
			data = l[6:]
		default:
			head += l + "|"
		}
	}
	return head, data
}

func (s *testStream) close() {
	s.end()
	s.r.Close()
	s.done.Wait()
}

// expect reads frames until one contains a part.
func (s *testStream) expect(t *testing.T, event, part string) (head, data string) {
	t.Helper()
	for range 20 {
		if head, data = s.next(); strings.Contains(head, "event: "+event) && strings.Contains(data, part) {
			return head, data
		}
	}
	t.Fatalf("no %s with %s; last was %s %s", event, part, head, data)
	return "", ""
}

func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &telling{fake: fake{view: some()}}
		h := newHandler(t, Config{Source: f})
		s := listen(h, "")
		if head, data := s.next(); head != "retry: 2000|event: hello|" || data != `{"epoch":"`+h.hub.epoch+`","seq":1,"interval_ms":500,"heartbeat_ms":15000,"server":"a"}` {
			t.Errorf("first %s %s", head, data)
		}
		if head, data := s.next(); head != "id: "+h.hub.epoch+"-1|event: snapshot|" || !strings.Contains(data, `"seq":1,"topics":{"overview":{"at":`) {
			t.Errorf("then %s %s", head, data)
		}
		if left := s.out.at.Sub(time.Now()); left != writeDeadline {
			t.Errorf("a write may take %v; want %v", left, writeDeadline)
		}
		v := some()
		v.Circuits = v.Circuits[1:]
		f.set(v)
		s.expect(t, "delta", `"circuits":{"venue.place_order|host":null}`)
		f.registry.Note(control.Note{Kind: "failed", Text: "<b>"})
		s.expect(t, "events", `"text":"\u003cb\u003e"`)
		h.Close()
		if _, data := s.expect(t, "bye", "the server stops"); data != `{"reason":"the server stops","retry_ms":2000}` {
			t.Errorf("last %s", data)
		}
		s.done.Wait()
		if w := ask(h, "GET", "/api/v1/stream", ""); w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "GET /api/v1/topics/overview") {
			t.Errorf("after the end: %d %s", w.Code, w.Body)
		}
		if w := ask(h, "GET", "/api/v1/topics/overview", ""); w.Code != 200 {
			t.Errorf("what is advised instead: %d", w.Code)
		}
		if got := h.Stats(); got.Clients != 0 {
			t.Errorf("%d clients are left", got.Clients)
		}
	})
}

func TestStreamResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{view: some()}
		h := newHandler(t, Config{Source: f})
		defer h.Close()
		last := h.hub.epoch + "-1"
		v := some()
		v.Circuits[0].State = "closed"
		f.set(v)
		time.Sleep(3 * time.Second)
		for _, s := range []*testStream{listen(h, "?topics=circuits,events&last="+last), listen(h, "?topics=circuits", header("Last-Event-ID", last))} {
			s.expect(t, "hello", `"seq":1,`)
			if head, data := s.next(); !strings.Contains(head, "delta") || !strings.Contains(data, `"from":1,"topics":{"circuits":`) {
				t.Errorf("after the gap %s %s; want the missed frame, of the topic only", head, data)
			}
			s.close()
		}
		for _, odd := range []string{"?last=x", "?last=x-1", "?last=" + h.hub.epoch + "-99999", "?last=" + h.hub.epoch + "--1"} {
			s := listen(h, odd)
			s.expect(t, "snapshot", "topics")
			s.close()
		}
	})
}

func TestStreamBeatsAndExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{view: some()}
		h := newHandler(t, Config{Source: f, Auth: everyone})
		defer h.Close()
		c := signIn(t, h, viewer)
		s := listen(h, "?topics=stops", cookieOf(c)) // that never change
		s.expect(t, "snapshot", "topics")
		start := time.Now()
		if head, _ := s.next(); head != ": hb|" || time.Since(start) != heartbeat {
			t.Errorf("after %v %s; want a heartbeat after %v", time.Since(start), head, heartbeat)
		}
		for { // nobody uses the session but the stream, so it idles out
			head, data := s.next()
			if head == ": hb|" {
				continue
			}
			if !strings.Contains(data, "session expired") || time.Since(start) > sessionIdle+heartbeat {
				t.Errorf("after %v %s %s; want a good-bye", time.Since(start), head, data)
			}
			break
		}
		s.done.Wait()
	})
}

// A browser that goes away or does not read in time ends its stream, whatever is being written.
func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{view: some()}
		h := newHandler(t, Config{Source: f})
		defer h.Close()
		for _, test := range []struct{ path, until string }{{"", ""}, {"", "hello"}, {"", "snapshot"}, {"?topics=stops", "snapshot"}, {"?topics=overview", "delta"}} {
			s := listen(h, test.path)
			if test.until != "" {
				f.set(control.View{Instance: test.until + test.path})
				s.expect(t, test.until, "")
			}
			s.r.CloseWithError(http.ErrHandlerTimeout) // what a missed deadline looks like
			s.done.Wait()
		}
		s := listen(h, "?topics=stops")
		s.expect(t, "snapshot", "")
		s.end()
		s.done.Wait()
		if got := h.Stats(); got.Clients != 0 {
			t.Errorf("%d clients are left", got.Clients)
		}
	})
}

// While nobody looks, the source is asked once a second only.
func TestSamplingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := &counting{n: &n}
		h := newHandler(t, Config{Source: f, Interval: time.Millisecond})
		defer h.Close()
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if n < 9 || n > 12 {
			t.Errorf("%d samples in ten seconds without a page; want about 10", n)
		}
		n = 0
		s := listen(h, "?topics=stops")
		s.expect(t, "snapshot", "")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n < 190 || n > 210 {
			t.Errorf("%d samples in ten seconds with a page; want one each 50 ms, the least interval", n)
		}
		s.close()
	})
}

type counting struct{ n *int }

func (c *counting) View() control.View {
	*c.n++
	return control.View{}
}
