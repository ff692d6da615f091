package operate

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

func (d *doctor) versions() {
	d.say("version", ok, fmt.Sprintf("relent %s, %s, %s/%s", cmp.Or(d.program.Version, "(unknown)"), runtime.Version(), runtime.GOOS, runtime.GOARCH), "")
}

// firstLine is the text of an error, without what to try.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(line, "doctor: ")
}

// credentials looks at the file of the token, and never shows what is in it.
func (d *doctor) credentials() {
	v := d.tokenFile()
	if v.Value == "" {
		d.say("token", ok, "none: a server on the loopback address may do without", "")
		return
	}
	if _, err := readToken(v.Value); err != nil {
		d.say("token", fail, firstLine(err), "relent token NAME operator > FILE, and name it with --token-file")
		return
	}
	info, err := os.Stat(v.Value)
	if err != nil {
		d.say("token", fail, err.Error(), "")
		return
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 {
		d.say("token", fail, fmt.Sprintf("%s can be read or written by others (%v)", v.Value, mode.Perm()), "chmod 600 "+quoted(v.Value)+"; if others use the machine, make a new token")
		return
	}
	d.say("token", ok, fmt.Sprintf("%s is only its owner's (from %s)", v.Value, v.Source), "")
}

// plainHTTP says whether what is sent to a server can be read on the way.
func plainHTTP(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// port sees whether relent serve could listen.
func (d *doctor) port() {
	listen, level := "127.0.0.1:8470", warn
	if d.file != nil && d.file.Server != nil && d.file.Server.Listen != "" {
		listen, level = d.file.Server.Listen, fail
	}
	l, err := net.Listen("tcp", listen)
	switch {
	case err == nil:
		l.Close()
		d.say("port", ok, listen+" is free for relent serve", "")
	case errors.Is(err, syscall.EADDRINUSE) && d.there != nil && strings.HasSuffix(d.there.base, "//"+reachable(listen)):
		d.say("port", ok, listen+" is that of the server that answers", "")
	case errors.Is(err, syscall.EADDRINUSE):
		d.say("port", level, listen+" is in use by another program", "if relent serve is to run here: server.listen, or --listen")
	default:
		d.say("port", level, fmt.Sprintf("relent serve could not listen: %v", err), "if relent serve is to run here: server.listen, or --listen")
	}
}

// database opens the database, which refuses one that is not durable.
func (d *doctor) database() {
	v, err := d.store()
	if err != nil {
		d.say("store", fail, firstLine(err), "")
		return
	}
	if v.Value == "" {
		d.say("store", ok, "none is configured; relent serve would use sqlite:relent.db", "")
		return
	}
	if name, isFile := strings.CutPrefix(v.Value, "sqlite:"); isFile {
		if remote(filepath.Dir(name)) {
			d.say("store", fail, name+" is on a file system over a network, which does not keep the promises of a disk", "a local disk, or postgres://...")
			return
		}
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			d.folder("store", name+" is not there yet", filepath.Dir(name))
			return
		}
	}
	timeout, _ := d.timeout()
	db, err := openStore(d.ctx, v.Value, timeout)
	if err != nil {
		d.say("store", fail, firstLine(err), "check the URL (from "+v.Source+"), and that the database runs")
		return
	}
	_, _, err = db.Documents().Get(d.ctx, "fleet")
	if err = errors.Join(err, db.Close()); err != nil {
		d.say("store", fail, firstLine(err), "")
		return
	}
	d.say("store", ok, fmt.Sprintf("%v answers, and is durable", db), "")
}

// folder sees whether files can be made in a folder, or it can be made.
func (d *doctor) folder(name, about, dir string) {
	at := dir
	for {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		at = filepath.Dir(at)
	}
	f, err := os.CreateTemp(at, ".relent-doctor-*")
	if err != nil {
		d.say(name, fail, fmt.Sprintf("%s, and %s cannot be written: %v", about, at, err), "make the folder, and let the user of the processes write there")
		return
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		d.say(name, fail, err.Error(), "")
		return
	}
	if at != dir {
		d.say(name, warn, fmt.Sprintf("%s: its folder is not there yet", about), "mkdir -p "+quoted(dir))
		return
	}
	d.say(name, ok, fmt.Sprintf("%s; %s can be written", about, dir), "")
}

func (d *doctor) auditFolder() {
	if d.file == nil || d.file.Audit == nil {
		d.say("audit", ok, "no folder is configured", "")
		return
	}
	d.folder("audit", "records go to "+d.file.Audit.Dir, d.file.Audit.Dir)
}

// stopFiles looks at the files of the emergency stop.
func (d *doctor) stopFiles() {
	if d.file == nil || d.file.Halt == nil {
		d.say("stop", ok, "no files are configured: without a server only the processes themselves can stop", "")
		return
	}
	h := d.file.Halt
	if h.StateFile == "" {
		d.say("stop", warn, "halt.state_file is not set: stops do not survive a restart", "set it in the configuration")
	} else if f, err := os.Open(h.StateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.say("stop", fail, fmt.Sprintf("the state file cannot be read, which stops orders: %v", err), "let the user of the processes read it")
	} else {
		f.Close()
		d.folder("stop", "state file "+h.StateFile, filepath.Dir(h.StateFile))
	}
	if h.TriggerFile == "" {
		d.say("stop", warn, "halt.trigger_file is not set: relent stop needs a server", "set it in the configuration")
		return
	}
	if _, err := os.Lstat(h.TriggerFile); !errors.Is(err, fs.ErrNotExist) {
		d.say("stop", warn, "the trigger file "+h.TriggerFile+" is there: it stops what it names", "look into it; relent status shows what is stopped")
	}
	d.folder("stop", "trigger file "+h.TriggerFile, filepath.Dir(h.TriggerFile))
}
