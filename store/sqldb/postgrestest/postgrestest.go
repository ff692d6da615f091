//go:build unix

// Package postgrestest starts a real PostgreSQL server for tests, from the programs that Debian's package postgresql installs,
// on a free port of the loopback address and in a new folder.
//
//	server := postgrestest.Start(t)
//	db, err := sqldb.Open(ctx, server.URL(t))
//
// Where no server is installed the test is skipped, unless CI or RELENT_REQUIRE_POSTGRES is set: then it fails.
package postgrestest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ErrMissing says that no server is installed.
var ErrMissing = errors.New("PostgreSQL is not installed: apt-get install postgresql")

// A Server is one that runs, or was stopped and keeps its data. It is safe for concurrent use, but for Stop and Restart.
type Server struct {
	Port int

	programs string
	dir      string
	owner    *syscall.Credential // nil means this process's user
	log      lockedBuffer
	ended    chan struct{} // closed when the process has ended
	pid      int
}

// Start starts a server until the test ends. It skips the test, or fails it, if none can be started.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New()
	if err != nil {
		Missing(t, err)
	}
	t.Cleanup(s.Remove)
	return s
}

// Missing skips a test for the lack of a server if it may, and else fails it.
func Missing(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" && os.Getenv("RELENT_REQUIRE_POSTGRES") == "" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// New starts a server. Who calls it removes it. Should the process die first, the server does as well, on Linux.
func New() (*Server, error) {
	s := &Server{}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	for _, f := range found {
		s.programs = filepath.Dir(f) // the newest is the last
	}
	if s.programs == "" {
		initdb, err := exec.LookPath("initdb")
		if err != nil {
			return nil, ErrMissing
		}
		s.programs = filepath.Dir(initdb)
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "relent-postgres-"); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) begin() error {
	if err := s.disown(); err != nil {
		return err
	}
	initdb := s.command("initdb", "-D", s.dir+"/data", "-U", "relent", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	return s.Restart()
}

// disown gives the folder to somebody whom the server accepts, for root it does not.
func (s *Server) disown() error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(s.dir, int(uid), int(gid))
	}
	return errors.New("there is no user postgres or nobody to run the server")
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.programs, name), args...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	c.SysProcAttr = attributes(s.owner)
	return c
}

// Restart starts the server again on its port and with its data, and returns when it takes sessions.
func (s *Server) Restart() error {
	c := s.command("postgres", "-D", s.dir+"/data", "-p", strconv.Itoa(s.Port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=200",
		"-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal")
	c.Stdout, c.Stderr = &s.log, &s.log
	s.ended = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the server dies with the thread that started it
		defer runtime.UnlockOSThread()
		defer close(s.ended)
		err := c.Start()
		started <- err
		if err == nil {
			c.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.pid = c.Process.Pid
	for range 600 {
		if ready := s.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port)); ready.Run() == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("postgres ended: %s", s.log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("postgres does not answer: %s", s.log.String())
}

// A Mode is how a server is stopped. https://www.postgresql.org/docs/current/server-shutdown.html
type Mode syscall.Signal

// The modes.
const (
	Fast      = Mode(syscall.SIGINT)  // sessions end with 57P01
	Immediate = Mode(syscall.SIGQUIT) // as after a crash
)

// Stop stops the server, and returns when it has. Its data stays.
func (s *Server) Stop(m Mode) {
	if s.pid == 0 {
		return
	}
	syscall.Kill(s.pid, syscall.Signal(m))
	<-s.ended
	s.pid = 0
}

// Remove stops the server and removes its data.
func (s *Server) Remove() {
	s.Stop(Immediate)
	for range 100 { // its children may write a last file after it has ended
		if os.RemoveAll(s.dir) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Base is the URL of the database that each server has.
func (s *Server) Base() string {
	return fmt.Sprintf("postgres://relent@127.0.0.1:%d/postgres?sslmode=disable", s.Port)
}

// URL makes a new, empty database and returns its URL.
func (s *Server) URL(t testing.TB) string {
	t.Helper()
	name := "test_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	out, err := s.command("createdb", "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-U", "relent", name).CombinedOutput()
	if err != nil {
		t.Fatalf("createdb: %v: %s", err, out)
	}
	return strings.Replace(s.Base(), "/postgres?", "/"+name+"?", 1)
}

// A lockedBuffer is what the server says.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
