package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is what the proxy shows to its clients. It is read again when its files change; one that cannot be read leaves that
// of before in use.
type certificate struct {
	cert, key string // files
	log       *slog.Logger

	mu     sync.Mutex
	looked time.Time
	stamp  [2]time.Time
	pair   *tls.Certificate
}

// config returns what a listener needs, or why the files cannot be used.
func (c *certificate) config() (*tls.Config, error) {
	if err := c.read(time.Now()); err != nil {
		return nil, err
	}
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(time.Now()), nil },
		NextProtos:     []string{"http/1.1"}, // the framing of which is looked at
	}, nil
}

// get returns the newest pair that could be read.
func (c *certificate) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) >= often {
		if err := c.read(now); err != nil {
			c.log.Error("the new certificate cannot be used; the one before stays", "error", err)
		}
	}
	return c.pair
}

// read reads the files if they are not those of before. mu is held, or nobody else knows c.
func (c *certificate) read(now time.Time) error {
	c.looked = now
	var stamp [2]time.Time
	for i, name := range []string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
		stamp[i] = info.ModTime()
	}
	if c.pair != nil && stamp == c.stamp {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.cert, c.key, err)
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}
