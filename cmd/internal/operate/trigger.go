package operate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/gate/halt"
)

// mostTrigger is how long a trigger file may be, by gate/halt; a longer one stops everything.
const mostTrigger = 64 << 10

// patience is how long another command may take to write the same file.
const patience = time.Second

// triggerLine is a stop in the format of a trigger file (halt.Tree.Run): scope, state, why.
func triggerLine(path []string, s control.Stop, by string) string {
	scope := string(halt.At(path...))
	if _, err := halt.ParseState(scope); err == nil || strings.HasPrefix(scope, "#") { // would be read as a state, or skipped
		scope = string(halt.Global) + "/" + scope
	}
	why := s.Reason
	if s.Ticket != "" {
		why += ", " + strings.Join(strings.Fields(s.Ticket), " ")
	}
	return fmt.Sprintf("%s %s %s (%s)", scope, s.State, why, by)
}

// addTrigger adds a line to a trigger file: as a whole, and without taking away what is stopped already. It says
// whether the line was there.
func addTrigger(ctx context.Context, name, line string) (stands bool, err error) {
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return false, err
	}
	defer dir.Close()
	lock(ctx, dir)
	text, err := readTrigger(name)
	if err != nil {
		return false, err
	}
	if slices.Contains(strings.Split(text, "\n"), line) {
		return true, nil
	}
	text += line + "\n"
	if len(text) > mostTrigger {
		return false, fmt.Errorf("%s: is full: its stops are in force, and no other one fits in", name)
	}
	return false, replace(dir, name, text)
}

// lock keeps other commands from writing into the folder at the same time, if that is possible. A stop does not wait
// long for it.
func lock(ctx context.Context, dir *os.File) {
	for end := time.Now().Add(patience); ctx.Err() == nil && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			return
		}
	}
}

// readTrigger returns the lines of a trigger file. One that has none stops everything, and must go on to do so.
func readTrigger(name string) (string, error) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > mostTrigger {
		return "", fmt.Errorf("%s: is there, and is no list of stops, which stops everything: it is left as it is", name)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("%w: processes that cannot read it either stop everything", err)
	}
	text := string(data)
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			if !strings.HasSuffix(text, "\n") {
				text += "\n"
			}
			return text, nil
		}
	}
	return "global stopped the file was there, without a stop of its own\n", nil
}

// replace puts a file in the place of another, which a reader sees before or after, and not in between.
func replace(dir *os.File, name, text string) error {
	f, err := os.CreateTemp(dir.Name(), ".relent-stop-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which is gone if all went well
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil { // processes of other users read it, too
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return dir.Sync()
}
