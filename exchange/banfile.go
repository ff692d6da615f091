package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/relent-go/relent/internal/durable"
)

// FileBans is a [BanStore] in one file, for the processes of one host. A write locks Path + ".lock" against other
// processes, and replaces the file: after a loss of power there is the old one or the new one. Path is required, and its
// directory must exist. It must not be copied once used.
type FileBans struct {
	Path string

	mu   sync.Mutex
	info os.FileInfo // of what was read last
	bans []Ban
}

var _ BanStore = (*FileBans)(nil)

// mostBanFile is how long the file may be.
const mostBanFile = 1 << 20

// Load reads the file, if it is not the same as last time. There is no ban if there is no file.
func (f *FileBans) Load(ctx context.Context) ([]Ban, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	bans, err := f.read()
	return slices.Clone(bans), err
}

// read returns what the file holds. f.mu is held.
func (f *FileBans) read() ([]Ban, error) {
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Dir(f.Path)); err != nil {
			return nil, err // a volume that is not mounted may hold bans
		}
		f.info, f.bans = nil, nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if f.info != nil && os.SameFile(f.info, info) && f.info.ModTime().Equal(info.ModTime()) && f.info.Size() == info.Size() {
		return f.bans, nil
	}
	if !info.Mode().IsRegular() || info.Size() > mostBanFile {
		return nil, fmt.Errorf("%s is no file of bans: %v, %d bytes", f.Path, info.Mode(), info.Size())
	}
	var bans []Ban
	data, err := os.ReadFile(f.Path)
	if err == nil {
		err = json.Unmarshal(data, &bans)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	f.info, f.bans = info, bans
	return bans, nil
}

// Save adds a ban to the file. It waits for other processes that write, as long as the context allows.
func (f *FileBans) Save(ctx context.Context, b Ban) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	lock, err := lockFor(ctx, f.Path+".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	have, err := f.read()
	if err != nil {
		return err
	}
	bans := []Ban{b}
	for _, old := range have {
		if old.Venue == b.Venue && old.Account == b.Account {
			bans[0] = Merge(old, bans[0])
		} else if time.Since(old.Until) < inARow {
			bans = append(bans, old)
		}
	}
	data, _ := json.MarshalIndent(bans, "", "\t") // all of it can be marshalled
	f.info = nil
	return durable.Replace(f.Path, append(data, '\n'))
}

// lockFor locks a file against other processes. Where files cannot be locked, a ban that two processes save at once may get lost
// for others, until one of them saves another.
func lockFor(ctx context.Context, name string) (*os.File, error) {
	for {
		lock, err := durable.LockIfPossible(name)
		if !errors.Is(err, durable.ErrHeld) {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}
