package retryws

import (
	"context"
	"fmt"
	"time"

	"github.com/relent-go/relent/backoff"
)

var renewBackoff = backoff.Exponential{Base: time.Second, Max: time.Minute}

// credentials returns those in use, or fetches some.
func (s *Session) credentials(ctx context.Context) (Credentials, error) {
	if s.c.Credentials == nil {
		return Credentials{}, nil
	}
	s.mu.Lock()
	c := s.cred
	s.mu.Unlock()
	if !c.Issued.IsZero() && (c.Expires.IsZero() || time.Now().Before(c.Expires)) {
		return c, nil
	}
	limit, cancel := context.WithTimeout(ctx, s.c.DialTimeout)
	defer cancel()
	c, err := s.c.Credentials(limit)
	if err != nil {
		e := credentialError(limit, err)
		e.err = fmt.Errorf("fetch credentials: %w", err)
		return c, &endError{e}
	}
	s.keepCredentials(c)
	return s.credentialsInUse(), nil
}

func (s *Session) credentialsInUse() Credentials {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cred
}

// keepCredentials puts them in use.
func (s *Session) keepCredentials(c Credentials) {
	if c.Issued.IsZero() {
		c.Issued = time.Now()
	}
	s.mu.Lock()
	s.cred = c
	s.mu.Unlock()
	raise(s.renewed)
}

// forget has the next link fetch new ones.
func (s *Session) forget() {
	s.mu.Lock()
	s.cred = Credentials{}
	s.mu.Unlock()
}

// renewer prolongs the credentials at two thirds of their life. When they expire all the same, the link
// ends, since the venue may only have forgotten to.
func (s *Session) renewer(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	timer.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.renewed:
			failures = 0
			if c := s.credentialsInUse(); c.Expires.After(c.Issued) {
				timer.Reset(time.Until(c.Issued.Add(c.Expires.Sub(c.Issued) / 3 * 2)))
			} else {
				timer.Stop()
			}
			continue
		case <-timer.C:
		}
		old := s.credentialsInUse()
		if old.Issued.IsZero() {
			continue // forgotten: the next link fetches new ones
		}
		if !time.Now().Before(old.Expires) {
			s.expire()
			continue
		}
		c, err := s.renew(ctx, old)
		if err != nil {
			failures++
			wait := max(renewBackoff.Delay(failures, 0, s.c.Rand()), time.Second)
			s.tellOf(Change{Kind: Alerted, Reason: AuthReason, Err: err, Wait: wait})
			timer.Reset(min(wait, time.Until(old.Expires)))
			continue
		}
		s.keepCredentials(c)
		if c.Value != old.Value {
			s.Reconnect()
		}
	}
}

func (s *Session) renew(ctx context.Context, old Credentials) (c Credentials, err error) {
	ctx, cancel := context.WithDeadline(ctx, old.Expires)
	defer cancel()
	if s.c.Renew != nil {
		c, err = s.c.Renew(ctx, old)
	} else {
		c, err = s.c.Credentials(ctx)
	}
	if err != nil {
		return c, fmt.Errorf("renew credentials that expire at %v: %w", old.Expires, err)
	}
	return c, nil
}

// expire ends the link whose credentials have.
func (s *Session) expire() {
	s.mu.Lock()
	s.cred = Credentials{}
	if l := s.active; l != nil {
		l.end(ending{sign: Lost, reason: AuthReason, err: ErrExpired}, CloseNormal)
	}
	s.mu.Unlock()
	s.flush()
}
