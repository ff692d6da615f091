package exchange_test

import (
	"path/filepath"
	"testing"

	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/bantest"
)

func TestFileBans(t *testing.T) {
	bantest.Run(t, func(t *testing.T) (a, b exchange.BanStore) {
		path := filepath.Join(t.TempDir(), "bans.json")
		return &exchange.FileBans{Path: path}, &exchange.FileBans{Path: path}
	})
}
