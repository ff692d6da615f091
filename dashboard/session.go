package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

const (
	cookieName  = "relent_session"
	sessionIdle = time.Hour
	sessionLife = 12 * time.Hour
	maxSessions = 1000
	signIns     = 5 // tries a minute and address
)

// sessions are the browsers that are signed in. They are kept by the hash of their cookie.
type sessions struct {
	mu    sync.Mutex
	by    map[[sha256.Size]byte]*session
	tries map[string][]time.Time // of signing in, by address
}

type session struct {
	token      [sha256.Size]byte
	name       string
	since, use time.Time
}

func newSessions() *sessions {
	return &sessions{by: map[[sha256.Size]byte]*session{}, tries: map[string][]time.Time{}}
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.use) >= sessionIdle || now.Sub(s.since) >= sessionLife
}

// open begins a session and returns its cookie. When there are too many, the one that was idle
// longest ends.
func (s *sessions) open(name string, token [sha256.Size]byte, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest [sha256.Size]byte
	for k, v := range s.by {
		if v.over(now) {
			delete(s.by, k)
		} else if o := s.by[oldest]; o == nil || v.use.Before(o.use) {
			oldest = k
		}
	}
	if len(s.by) >= maxSessions {
		delete(s.by, oldest)
	}
	cookie := rand.Text()
	s.by[HashToken(cookie)] = &session{token, name, now, now}
	return cookie
}

// find returns the token behind a cookie. Only a request of a person keeps a session from idling out.
func (s *sessions) find(cookie string, now time.Time, used bool) (token [sha256.Size]byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := HashToken(cookie)
	v := s.by[key]
	if v == nil {
		return token, false
	}
	if v.over(now) {
		delete(s.by, key)
		return token, false
	}
	if used {
		v.use = now
	}
	return v.token, true
}

func (s *sessions) close(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, HashToken(cookie))
}

// closeAll ends the sessions of one name, and returns how many.
func (s *sessions) closeAll(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.by {
		if v.name == name {
			delete(s.by, k)
			n++
		}
	}
	return n
}

// try reports whether an address may try to sign in now. It remembers at most 1,000 addresses; while
// that many tried within the last minute, others have to wait.
func (s *sessions) try(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tries) >= maxSessions {
		for a, at := range s.tries {
			if now.Sub(at[len(at)-1]) >= time.Minute {
				delete(s.tries, a)
			}
		}
	}
	at, known := s.tries[address]
	for len(at) > 0 && now.Sub(at[0]) >= time.Minute {
		at = at[1:]
	}
	if len(at) >= signIns || !known && len(s.tries) >= maxSessions {
		return false
	}
	s.tries[address] = append(at, now)
	return true
}
