package halt

import (
	"path/filepath"
	"testing"
)

func TestReplaceWithoutDirectory(t *testing.T) {
	if replace(filepath.Join(t.TempDir(), "none", "stops"), nil) == nil {
		t.Error("written into a directory that is not there")
	}
}
