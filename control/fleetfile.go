package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/relent-go/relent/internal/durable"
)

// A wish is what a control plane wants of the operations of its processes.
type wish struct {
	Tunes  map[string]TuneOrder `json:"tunes,omitempty"`
	Config *ConfigOrder         `json:"config,omitempty"`
}

// A fleetFile is what fleet.json holds.
type fleetFile struct {
	V      int               `json:"v"`
	URL    string            `json:"url"` // of the control plane that said so
	Synced map[string]uint64 `json:"synced,omitempty"`
	wish
	Sum string `json:"sum"` // SHA-256 of the JSON of all this without it
}

const fleetVersion = 1

// mostFleet bounds the size of fleet.json.
const mostFleet = mostOrders

func (f *Fleet) path() string { return filepath.Join(f.Dir, "fleet.json") }

// sum is what Sum has to be.
func (k fleetFile) sum() string {
	k.Sum = ""
	data, _ := json.Marshal(k) // of texts and numbers
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// Restore puts in force what the control plane said last, as far as fleet.json knows it and its operations are registered: its
// configuration, and overrides. Stops need no help: they are in Tree.File. Run begins with it; a program that must not make a call
// without it calls it before, and not again.
//
// A file that is damaged, or of another control plane, is not used, and the error says so. Then the policies are the
// program's, and what the fleet stopped stays stopped until somebody releases it in this process. What could not be
// recorded is tried again while Run runs.
func (f *Fleet) Restore(ctx context.Context) error {
	f.init()
	f.mu.Lock()
	last := f.last
	f.mu.Unlock()
	return errors.Join(f.broken, f.carryOut(ctx, last))
}

// init reads what an earlier process knew. What cannot be read is as if it knew nothing: then more stays stopped, not less.
func (f *Fleet) init() {
	f.once.Do(func() {
		f.synced, f.tuned, f.told = map[string]uint64{}, map[string]bool{}, make(chan Drilled, mostDrills)
		if f.Dir == "" {
			return
		}
		known, err := readFleet(f.path(), f.URL)
		if err != nil {
			f.broken = fmt.Errorf("%s is not used: %w", f.path(), err)
			f.fail(f.broken)
			f.Registry.Note(Note{Kind: "config", Text: f.broken.Error()})
			return
		}
		if known.Synced != nil {
			f.synced = known.Synced
		}
		f.last = known.wish
	})
}

// readFleet reads what a control plane said. No file is one that says nothing.
func readFleet(name, url string) (known fleetFile, err error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fleetFile{}, nil
	}
	if err == nil && info.Size() > mostFleet {
		err = fmt.Errorf("it has %d bytes, and at most %d are read", info.Size(), mostFleet)
	}
	if err != nil {
		return fleetFile{}, err
	}
	data, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(data, &known)
	}
	switch {
	case err != nil:
		return fleetFile{}, err
	case known.V != fleetVersion:
		return fleetFile{}, fmt.Errorf("it is of version %d, not %d", known.V, fleetVersion)
	case known.Sum != known.sum():
		return fleetFile{}, errors.New("it is not what was written: its sum is another one")
	case known.URL != url:
		return fleetFile{}, fmt.Errorf("it is of another control plane, %s", known.URL)
	}
	return known, nil
}

// remember writes fleet.json if it is out of date. That may be a second late: a process that dies before knows less, and more
// stays stopped.
func (f *Fleet) remember() {
	f.mu.Lock()
	known, due := fleetFile{V: fleetVersion, URL: f.URL, Synced: f.synced, wish: f.last}, f.dirty && f.Dir != ""
	f.dirty = false
	f.mu.Unlock()
	if !due {
		return
	}
	known.Sum = known.sum()
	data, _ := json.Marshal(known) // as in sum
	if err := durable.Replace(f.path(), data); err != nil {
		f.fail(fmt.Errorf("remember what the control plane said: %w", err))
	}
}
