package exchange

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

// How much of an answer is looked at that is none to an order.
const (
	peekFailure = 64 << 10
	peekSuccess = 8 << 10
)

// answered does all that comes after the answer.
func (x *trip) answered(resp *http.Response, sent, received time.Time) {
	t := x.t
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	server, ok := t.clock.date(resp.Header)
	if ok && resp.Header["Age"] == nil {
		t.clock.Observe(sent, received, server, time.Second)
	}
	body, cut := x.look(resp)
	if cut != nil && x.s != nil {
		x.v = Verdict{
			Kind: x.r.kind, Outcome: Unknown, Class: retry.Ambiguous, Meaning: UnknownOutcome, Advice: AdviseVerify,
			Status: resp.StatusCode, Err: cut, Body: body,
		}
		if late := t.Profile.Classify(x.r.kind, resp.StatusCode, resp.Header, nil); late.Meaning == Banned || late.Meaning == RateLimited {
			x.v.Meaning = late.Meaning // for the pace; the order stays unknown
		}
	} else {
		x.v = t.Profile.classify(x.r.kind, resp.StatusCode, resp.Header, body, x.s)
	}
	x.teach(body, sent, received)
	x.pace(resp.Header, body, received)
	t.limits.correct(&x.g, resp.Header, server, received)
	if x.s != nil {
		resp.Header.Del("Location")
		t.ages.note(x.r.kind, x.s.ClientID, x.v.Outcome, received)
	}
	if t.DropUsage {
		dropUsage(resp.Header, t.names.usage)
	}
	x.finish(true, x.v.Meaning != Banned && x.v.Meaning != RateLimited)
}

// look reads as much of the body as is needed, and leaves the answer as if it had not. cut is why it has no end.
func (x *trip) look(resp *http.Response) (body []byte, cut error) {
	most := 0
	switch {
	case x.s != nil:
		most = maxBody
	case resp.StatusCode/100 != 2, x.learn == learnLimits:
		most = peekFailure
	case x.t.Profile.table.inBody || x.learn != "":
		most = peekSuccess
	}
	if most == 0 || resp.Body == http.NoBody {
		return nil, nil
	}
	body, err := readMost(make([]byte, 0, room(resp.ContentLength)), resp.Body, most)
	if err == nil && len(body) <= most {
		resp.Body.Close()
		w := x.wholeBody()
		w.Reset(body)
		resp.Body = w
		return body, nil
	}
	rest := io.Reader(resp.Body)
	if err != nil {
		rest, cut = broken{err}, fmt.Errorf("exchange: answer was cut: %w", err)
	} else {
		cut = fmt.Errorf("exchange: answer is longer than %d bytes", most)
	}
	resp.Body = rejoined{io.MultiReader(bytes.NewReader(body), rest), resp.Body}
	return body, cut
}

func (x *trip) wholeBody() *whole {
	if x.more != nil {
		return &x.more.answer
	}
	return &whole{}
}

// room is how much memory a body of some length takes, with a byte for its end.
func room(length int64) int64 {
	if length <= 0 {
		return 512
	}
	return min(length+1, mostKept)
}

// A whole body is one that is in memory.
type whole struct{ bytes.Reader }

// Close does nothing: the body of the base is closed.
func (*whole) Close() error { return nil }

// A rejoined body is one of which the beginning was read already.
type rejoined struct {
	io.Reader
	io.Closer
}

// broken is where a body was cut.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// teach learns the venue's time and limits from the routes that tell.
func (x *trip) teach(body []byte, sent, received time.Time) {
	p := x.t.Profile
	if x.learn == "" || x.v.Meaning != "" {
		return
	}
	if x.learn == learnLimits {
		x.t.limits.learnLimits(body)
		return
	}
	tree, _ := decode(body)
	resolution := time.Millisecond
	if p.Wire.TimeUnit == "epoch_s" {
		resolution = time.Second
	}
	if server, ok := parseMoment(first(tree, p.table.time), p.Wire.TimeUnit); ok {
		x.t.clock.Observe(sent, received, server, resolution)
	}
}

// pace holds back who must wait, before anybody hears of the answer.
func (x *trip) pace(h http.Header, body []byte, received time.Time) {
	t := x.t
	if x.v.Meaning != RateLimited && x.v.Meaning != Banned && x.v.Meaning != Overloaded && x.v.Meaning != Maintenance {
		return
	}
	venue, _, _ := t.clock.At(received)
	asked := t.Profile.hint(h, body, venue)
	x.v.After = asked.wait
	if asked.unread > 0 {
		t.limits.unreadHint()
	}
	switch x.v.Meaning {
	case Banned:
		b := t.Profile.table.ban(x.v.Status, x.v.Code, x.v.Message)
		ban := Ban{Venue: t.Profile.Exchange, Scope: b.scope, Host: x.from.URL.Host, Reason: x.v.Message}
		ban.Signal = strings.TrimSpace(fmt.Sprintf("HTTP %d %s", x.v.Status, x.v.Code))
		if !strings.Contains(b.scope, "ip") {
			ban.Account = t.Account
		}
		t.bans.put(x.from.Context(), ban, b.least, asked.wait)
		x.v.After = time.Until(t.bans.Until(ban.Venue))
	case RateLimited:
		wait := t.Profile.throttleWait()
		if !asked.trusted || asked.wait == 0 {
			asked.wait = max(asked.wait, wait)
			asked.wait += time.Duration(rand.Float64() * float64(wait)) // full jitter above the default
		}
		x.v.After = asked.wait
		t.limits.throttled(&x.g, &x.v, asked.wait)
	}
}

// throttleWait is how long to wait when a venue says to slow down, and not for how long.
func (p *Profile) throttleWait() time.Duration {
	wait := time.Second
	if p.Wire.ThrottleMS > 0 {
		wait = millis(&p.Wire.ThrottleMS)
	}
	return wait
}

// dropUsage takes usage headers out of an answer.
func dropUsage(h http.Header, usage []usage) {
	for _, u := range usage {
		delete(h, u.name)
		for name := range h {
			if u.many && strings.HasPrefix(name, u.name) {
				delete(h, name)
			}
		}
	}
}
