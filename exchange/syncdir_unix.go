//go:build !windows && !plan9

package exchange

import (
	"errors"
	"os"
)

// syncDir puts the names in a directory on disk.
func syncDir(name string) error {
	d, err := os.Open(name)
	if d != nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	return err
}
