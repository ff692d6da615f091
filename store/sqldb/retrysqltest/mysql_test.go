//go:build linux

package retrysqltest

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/transport/retrysql"
)

func init() { others["mysql"] = mysqlWorld }

// A maria is a MariaDB server, which speaks MySQL's protocol and has its error numbers, from Debian's package
// mariadb-server-core, whose installer needs mariadb-client-core.
type maria struct {
	port  int
	dir   string
	log   bytes.Buffer // read when the server has ended
	pid   int
	ended chan struct{}
}

var errNoMaria = errors.New("MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core")

var mariaServer = sync.OnceValues(func() (*maria, error) {
	for _, program := range []string{"mariadbd", "mariadb-install-db", "my_print_defaults"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, errNoMaria
		}
	}
	dir, err := os.MkdirTemp("", "relent-maria-")
	if err != nil {
		return nil, err
	}
	s := &maria{dir: dir, ended: make(chan struct{})}
	atTheEnd = append(atTheEnd, s.remove)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	return s, s.start()
})

func (s *maria) start() error {
	asRoot := []string{}
	if os.Getuid() == 0 {
		asRoot = append(asRoot, "--user=root")
	}
	install := exec.Command("mariadb-install-db", append(asRoot, "--no-defaults", "--datadir="+s.dir+"/data", "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")...)
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w: %s", err, out)
	}
	c := exec.Command("mariadbd", append([]string{"--no-defaults"}, append(asRoot, "--datadir="+s.dir+"/data", "--socket="+s.dir+"/s", "--pid-file="+s.dir+"/pid",
		"--bind-address=127.0.0.1", "--port="+strconv.Itoa(s.port), "--skip-name-resolve", "--innodb-buffer-pool-size=32M")...)...)
	c.Stdout, c.Stderr = &s.log, &s.log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	begun := make(chan error)
	go func() {
		runtime.LockOSThread() // the server dies with the thread that started it
		defer runtime.UnlockOSThread()
		defer close(s.ended)
		err := c.Start()
		begun <- err
		if err == nil {
			c.Wait()
		}
	}()
	if err := <-begun; err != nil {
		return err
	}
	s.pid = c.Process.Pid
	pool := sql.OpenDB(s.connector(""))
	defer pool.Close()
	for range 1200 {
		if pool.Ping() == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("mariadbd ended: %s", s.log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("mariadbd does not answer")
}

func (s *maria) remove() {
	if s.pid != 0 {
		syscall.Kill(s.pid, syscall.SIGKILL)
		<-s.ended
	}
	os.RemoveAll(s.dir)
}

func (s *maria) connector(database string) driver.Connector {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), database
	c.MultiStatements = true
	c.Logger = quiet{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		panic(err) // the configuration above is wrong
	}
	return connector
}

// quiet hears what the driver would write to the standard error: that connections are lost, which the tests see to.
type quiet struct{}

func (quiet) Print(...any) {}

// mysqlWorld is a database of its own on a MariaDB server that all tests share.
func mysqlWorld(t *testing.T) *world {
	s, err := mariaServer()
	if errors.Is(err, errNoMaria) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	root := sql.OpenDB(s.connector(""))
	defer root.Close()
	if _, err := root.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	w := &world{faults: chaos.New(1), look: sql.OpenDB(s.connector(name))}
	pool := sql.OpenDB(chaos.Connector(s.connector(name), w.faults))
	w.sql = &retrysql.DB{Pool: pool, Kind: retrysql.MySQL, Codes: mysqlCodes}
	w.db = w.sql
	w.prepare(t, pool, retrysql.MySQL)
	return w
}

// mysqlCodes is what the documentation of retrysql.DB shows.
func mysqlCodes(err error) string {
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return strconv.Itoa(int(e.Number))
	}
	if errors.Is(err, mysql.ErrInvalidConn) {
		return retrysql.Lost
	}
	return ""
}

// I17: 1205 rolls back the statement only, and so the whole transaction is begun anew: what it did before is not done twice.
func TestMySQLLockWait(t *testing.T) {
	w := mysqlWorld(t)
	w.exec(t, "SET GLOBAL innodb_lock_wait_timeout = 1") // seconds, for sessions to come
	holder, err := w.look.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.Exec("UPDATE counter SET n = 1"); err != nil {
		t.Fatal(err)
	}
	var codes []string
	attempts := 0
	err = retrysql.Run(t.Context(), w.db, patient, nil, func(ctx context.Context, tx *retrysql.Tx) error {
		if attempts++; attempts == 2 {
			if err := holder.Rollback(); err != nil {
				t.Error(err)
			}
		}
		if err := w.effect(ctx, tx, "a"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "UPDATE counter SET n = 2")
		if e, ok := errors.AsType[*retrysql.Error](err); ok {
			codes = append(codes, e.Code)
		}
		return err
	})
	if n := w.number(t, "SELECT count(*) FROM effects"); err != nil || n != 1 || attempts != 2 || len(codes) != 1 || codes[0] != "1205" {
		t.Errorf("%v; %d effects after %d attempts, codes %v; want 1 after 2, and 1205", err, n, attempts, codes)
	}
}

// What others wrote since a transaction looked is an error where MariaDB keeps its snapshots apart, which it does by itself from
// 11.6 on, and a reason to begin anew.
func TestMariaDBSnapshot(t *testing.T) {
	w := mysqlWorld(t)
	attempts := 0
	var codes []string
	err := retrysql.Run(t.Context(), w.db, patient, &retrysql.Options{Isolation: sql.LevelRepeatableRead}, func(ctx context.Context, tx *retrysql.Tx) error {
		attempts++
		if _, err := tx.Exec(ctx, "SET innodb_snapshot_isolation = ON"); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, "SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		if attempts == 1 {
			w.exec(t, "UPDATE counter SET n = 40")
		}
		_, err := tx.Exec(ctx, "UPDATE counter SET n = ?", n+1)
		if e, ok := errors.AsType[*retrysql.Error](err); ok {
			codes = append(codes, e.Code)
		}
		return err
	})
	if n := w.number(t, "SELECT n FROM counter"); err != nil || n != 41 || attempts != 2 || len(codes) != 1 || codes[0] != "1020" {
		t.Errorf("%v; counter %d after %d attempts, codes %v; want 41 after 2, and 1020", err, n, attempts, codes)
	}
}
