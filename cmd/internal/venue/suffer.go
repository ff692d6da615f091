package venue

import (
	"net/http"
	"time"
)

// suffer takes a request the way of a fault.
func (v *Venue) suffer(c *call, f *Fault) (Answer, Delivery) {
	if f.Func != nil {
		return v.custom(c, f)
	}
	c.reset = f.Reset
	switch f.Kind {
	case Drop:
		v.wait(f.Delay)
		return c.lost()
	case Delay:
		if !v.wait(f.Delay) {
			return c.lost()
		}
		c.ignoreWindow = f.IgnoreWindow
	case Hold:
		c.hold, c.ignoreWindow = f.Delay, f.IgnoreWindow
	case SlowEngine:
		c.slow = min(f.Delay, v.profile.Residual)
	case StaleRead:
		c.lag = min(f.Delay, maxLag)
	case StaleSnapshot:
		c.stale = f.Delay
	case HideOrder:
		c.hidden = true
	case Unavailable, BadGateway:
		if f.Reached {
			if _, d := v.pass(c); d == Nothing {
				return Answer{}, d
			}
		} else {
			c.decision = "faulted"
		}
		return f.page(), Whole
	case TooManyRequests, ClockSkew, Overloaded:
		c.decision = "faulted"
		return f.refusal(c), Whole
	case Ban:
		return v.ban(c, f).answer(c.style), Whole
	case Maintenance:
		return v.maintain(c, f).answer(c.style), Whole
	case PartialFills:
		c.steps, c.stepDelay = f.Steps, f.Delay
	case FillFirst:
		c.stress = func(e *engine, now time.Time) *apiError { return c.fillFirst(e, f, now) }
	case TakeBalance:
		c.stress = func(e *engine, now time.Time) *apiError { return v.takeBalance(c, e, f) }
	}
	a, d := v.pass(c)
	return v.mistreat(c, f, a, d)
}

// mistreat is what happens to an answer.
func (v *Venue) mistreat(c *call, f *Fault, a Answer, d Delivery) (Answer, Delivery) {
	if d == Nothing {
		return a, d
	}
	switch f.Kind {
	case AcceptDropAnswer:
		v.wait(f.Delay)
		return a, Nothing
	case AcceptUnavailable:
		if a.Status/100 == 2 {
			return f.changed(errTimeout).answer(c.style), Whole
		}
	case CutBody:
		return a, Cut
	case LateAnswer:
		if !v.wait(f.Delay) {
			return a, Nothing
		}
	case ReportFirst:
		if !v.wait(max(f.Delay, 100*time.Millisecond)) {
			return a, Nothing
		}
	}
	return a, d
}

// page is what a proxy or a gateway says that knows nothing of the API.
func (f *Fault) page() Answer {
	status, body := http.StatusServiceUnavailable, `{"msg":"Service Unavailable."}`
	if f.Kind == BadGateway {
		status = http.StatusBadGateway
	}
	if f.Status != 0 {
		status = f.Status
	}
	if f.Kind == Unavailable && !f.HTML {
		return Answer{Status: status, Body: []byte(body)}
	}
	title := http.StatusText(status)
	return Answer{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"),
	}
}

// refusal is what the venue says before the engine.
func (f *Fault) refusal(c *call) Answer {
	var e *apiError
	switch f.Kind {
	case ClockSkew:
		e = f.changed(errTooLate)
	case Overloaded:
		e = f.changed(errOverloaded)
	default:
		e = f.changed(errTooMany)
		e.retryAfter = f.RetryAfter
		if e.retryAfter == 0 {
			e.retryAfter = time.Second
		}
	}
	return e.answer(c.style)
}

// changed is a refusal with the status and the code of the rule.
func (f *Fault) changed(e *apiError) *apiError {
	c := *e
	if f.Status != 0 {
		c.status = f.Status
	}
	if f.Code != 0 {
		c.code = f.Code
		if f.Code == -1006 {
			c.msg = "An unexpected response was received from the message bus. Execution status unknown."
		}
	}
	return &c
}

func (v *Venue) custom(c *call, f *Fault) (Answer, Delivery) {
	c.decision = "faulted"
	a := f.Func(Call{Seq: c.seq, Method: c.method, Path: c.path, Params: c.params, ClientID: c.client, Engine: Engine{v, c}}, func() *Answer {
		if a, d := v.pass(c); d == Whole {
			return &a
		}
		return nil
	})
	switch {
	case a == nil:
		return Answer{}, Nothing
	case a.Status < 200 || a.Status > 599:
		return Answer{Status: http.StatusInternalServerError, Header: a.Header, Body: a.Body}, Whole
	}
	return *a, Whole
}
