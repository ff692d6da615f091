package server

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/dashboard"
)

// A tokenFile is a dashboard.TokenStore of lines name:role:hash, as `relent token` prints them. Lines that begin with #
// are skipped. The file is read again when it changes; one that cannot be read any more lets nobody in.
type tokenFile struct {
	path string

	mu     sync.Mutex
	looked time.Time
	stamp  string
	list   []dashboard.Token
	err    error
}

// often is how long what was read is believed.
const often = time.Second

// Tokens implements dashboard.TokenStore.
func (f *tokenFile) Tokens() []dashboard.Token {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) < often {
		return f.list
	}
	f.looked = time.Now()
	info, err := os.Stat(f.path)
	if err == nil && f.err == nil && f.stamp == stamp(info) {
		return f.list
	}
	f.list, f.err = nil, err
	if err == nil {
		f.stamp = stamp(info)
		f.list, f.err = readTokens(f.path)
	}
	return f.list
}

func stamp(info os.FileInfo) string { return fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size()) }

// readTokens reads a file, and returns all its mistakes.
func readTokens(path string) (list []dashboard.Token, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var errs []error
	names := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		t, err := dashboard.ParseToken(line)
		if err == nil && names[t.Name] {
			err = fmt.Errorf("token %q: is there twice", t.Name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", path, n, err))
			continue
		}
		names[t.Name] = true
		list = append(list, t)
	}
	if len(errs) == 0 && len(list) == 0 {
		errs = append(errs, fmt.Errorf("%s: has no tokens; make one with relent token NAME ROLE", path))
	}
	return list, errors.Join(errs...)
}

// Tokens returns the tokens of a file, which is read again when it changes. A file with mistakes is an error.
func Tokens(path string) (dashboard.TokenStore, error) {
	_, err := readTokens(path)
	return &tokenFile{path: path}, err
}
