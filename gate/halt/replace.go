package halt

import (
	"errors"
	"os"
	"path/filepath"
)

// replace gives a file new contents that survive a loss of power: they are on disk under another name before
// they take the place of the old ones, and the directory is on disk, too.
func replace(name string, data []byte) error {
	next := name + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(next, name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return syncDir(filepath.Dir(name))
}
