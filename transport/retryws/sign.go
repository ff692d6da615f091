package retryws

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// The backoff between links. CCXT's stream client, which resets it after 30 s without a break, has
// the best of the public strategies; those that reset it on connect are where ban reports come from.
const (
	backoffBase  = 500 * time.Millisecond
	backoffCap   = 30 * time.Second
	refusedCap   = 60 * time.Second
	stableAfter  = 30 * time.Second
	crowdedWait  = 30 * time.Second
	policyWait   = time.Minute
	shortestBan  = 10 * time.Minute
	longestBan   = 3 * 24 * time.Hour
	longestHint  = 7 * 24 * time.Hour
	banRepeats   = 24 * time.Hour
	banJitter    = 4 * time.Second // above one second
	writeTimeout = 10 * time.Second
)

// An ending is why a link ended, or could not be opened.
type ending struct {
	sign   Sign
	reason Reason
	after  time.Duration // that the venue asks to wait
	err    error
}

// An endError is an error that knows its ending.
type endError struct{ ending }

func (e *endError) Error() string { return e.err.Error() }
func (e *endError) Unwrap() error { return e.err }

// judge says what an error of a dial or of a link means.
func judge(err error, dial bool) ending {
	if e, ok := errors.AsType[*endError](err); ok {
		return e.ending
	}
	if e, ok := errors.AsType[*HandshakeError](err); ok {
		return handshake(e, err)
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		switch e.Code {
		case ClosePolicy, CloseUnsupported, CloseTooBig:
			return ending{sign: Disallowed, reason: RefusedReason, err: err}
		}
		return ending{sign: Lost, reason: EOF, err: err}
	}
	reason := EOF
	switch timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); {
	case ok && timeout.Timeout():
		reason = Timeout
	case dial:
		reason = RefusedReason
	}
	return ending{sign: Lost, reason: reason, err: err}
}

// handshake says what a refused one means. Alpaca's 406 is "connection limit exceeded".
func handshake(e *HandshakeError, err error) ending {
	end := ending{reason: RefusedReason, after: e.After, err: err}
	switch e.Status {
	case 401:
		end.sign, end.reason = Unauthorized, AuthReason
	case 403, 418:
		end.sign = Banned
	case 406:
		end.sign = Crowded
	case 429:
		end.sign = Throttled
	case 400, 404, 405, 410, 426:
		end.sign = Disallowed
	default:
		end.sign = Lost
	}
	return end
}

// A pace is the wait before the next link.
type pace struct {
	failures int       // in a row
	bans     int       // within a day of one another
	banned   time.Time // the last one
}

// wait returns how long to wait after an ending, and until when others to the same host have to, the zero
// time if they do not. A hint is never cut short; a nonsensical one does not count.
func (p *pace) wait(e ending, now time.Time, u float64) (wait time.Duration, hold time.Time) {
	p.failures++
	hint := e.after
	if hint < 0 || hint > longestHint {
		hint = 0
	}
	most := backoffCap
	if e.sign == Throttled || e.sign == Banned {
		most = refusedCap
	}
	wait = backoff.Exponential{Base: backoffBase, Max: most}.Delay(p.failures, 0, u)
	switch e.sign {
	case Disallowed:
		return max(hint, policyWait) + wait, time.Time{}
	case Crowded:
		return max(hint, crowdedWait) + wait, time.Time{}
	case Banned:
		if now.Sub(p.banned) > banRepeats {
			p.bans = 0
		}
		p.banned = now
		if hint == 0 {
			hint = min(shortestBan<<min(p.bans, 20), longestBan)
		}
		p.bans++
		hint += time.Second + time.Duration(u*float64(banJitter))
		return hint, now.Add(hint)
	case Throttled:
		if hint > 0 {
			hold = now.Add(hint)
		}
	}
	return hint + wait, hold
}

// credentialError says what a failure to fetch credentials means.
func credentialError(ctx context.Context, err error) ending {
	end := ending{sign: Lost, reason: AuthReason, after: retry.Hint(err), err: err}
	if ctx.Err() == nil && retry.DefaultClassify(err) == retry.Permanent {
		end.sign = Unauthorized
	}
	return end
}

// host is what bans go by.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	return u.Host
}
