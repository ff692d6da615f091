//go:build darwin || linux

package halt_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/gate/halt"
)

// Opening a pipe without a writer waits for ever.
func TestPipesAreNotOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "pipe")
		if err := syscall.Mkfifo(file, 0o600); err != nil {
			t.Fatal(err)
		}
		tree := &halt.Tree{Trigger: file}
		defer run(t, tree)()
		time.Sleep(time.Second)
		if s := look(t, tree, halt.Global); s.State != halt.Stopped || !strings.Contains(s.Stops[0].Why, file+" is no regular file") {
			t.Errorf("%+v; want stopped, and why", s)
		}
		if err := (&halt.Tree{File: file}).Open(); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("Open of a pipe = %v; want an error", err)
		}
	})
}
