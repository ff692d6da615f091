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
	case StaleRead:
		c.lag = min(f.Delay, maxLag)
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
		return f.refusal(), Whole
	}
	a, d := v.pass(c)
	if d == Nothing {
		return a, d
	}
	switch f.Kind {
	case AcceptDropAnswer:
		v.wait(f.Delay)
		return a, Nothing
	case AcceptUnavailable:
		if a.Status/100 == 2 {
			return withStatus(errTimeout, f.Status).answer(), Whole
		}
	case CutBody:
		return a, Cut
	case LateAnswer:
		if !v.wait(f.Delay) {
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
func (f *Fault) refusal() Answer {
	var e *apiError
	switch f.Kind {
	case ClockSkew:
		e = withStatus(errTooLate, f.Status)
	case Overloaded:
		e = withStatus(errOverloaded, f.Status)
	default:
		e = withStatus(errTooMany, f.Status)
		e.retryAfter = f.RetryAfter
		if e.retryAfter == 0 {
			e.retryAfter = time.Second
		}
	}
	return e.answer()
}

func withStatus(e *apiError, status int) *apiError {
	c := *e
	if status != 0 {
		c.status = status
	}
	return &c
}

func (v *Venue) custom(c *call, f *Fault) (Answer, Delivery) {
	c.decision = "faulted"
	a := f.Func(Call{Seq: c.seq, Method: c.method, Path: c.path, Params: c.params, ClientID: c.client}, func() *Answer {
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
