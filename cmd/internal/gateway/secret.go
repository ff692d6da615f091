package gateway

import (
	"os"
	"sync"
	"time"

	"github.com/relent-go/relent/cmd/internal/config"
)

// A secret is the value of a header. One that comes from a file is read again when the file changes.
type secret struct {
	config.Credential

	mu     sync.Mutex
	looked time.Time
	stamp  time.Time
	size   int64
	value  string
	err    error
}

// often is how long what was read is believed.
const often = time.Second

// get returns the value, or why there is none.
func (s *secret) get() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.looked.IsZero() && (s.File == "" || now.Sub(s.looked) < often) {
		return s.value, s.err
	}
	s.looked = now
	if s.File != "" {
		info, err := os.Stat(s.File)
		if err == nil && s.err == nil && s.value != "" && info.ModTime().Equal(s.stamp) && info.Size() == s.size {
			return s.value, nil
		}
		if err == nil {
			s.stamp, s.size = info.ModTime(), info.Size()
		}
	}
	s.value, s.err = s.Value(os.LookupEnv)
	return s.value, s.err
}
