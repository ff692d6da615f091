//go:build !windows && !plan9

package durable

import (
	"errors"
	"os"
)

// SyncDir puts the names in a directory on disk.
func SyncDir(name string) error {
	d, err := os.Open(name)
	if d != nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	return err
}
