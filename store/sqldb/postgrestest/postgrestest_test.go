//go:build unix

package postgrestest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestServerKeepsItsDataOverARestart(t *testing.T) {
	s := Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url := s.URL(t)
	do := func(sql string) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, sql)
		return err
	}
	if err := do("CREATE TABLE kept (n int)"); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []Mode{Fast, Immediate} {
		s.Stop(mode)
		s.Stop(mode)
		if err := do("SELECT 1"); err == nil {
			t.Error("a server that was stopped answers")
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		if err := do("SELECT n FROM kept"); err != nil {
			t.Error(err)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("CI", "")
	t.Setenv("RELENT_REQUIRE_POSTGRES", "")
	if s := missing(ErrMissing); !s.skipped || s.failed {
		t.Errorf("without a server a test is %+v; want skipped", s)
	}
	if s := missing(errors.New("no room")); s.skipped || !s.failed {
		t.Errorf("with a server that does not start a test is %+v; want failed", s)
	}
	for _, name := range []string{"CI", "RELENT_REQUIRE_POSTGRES"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "1")
			if s := missing(ErrMissing); s.skipped || !s.failed {
				t.Errorf("with %s and without a server a test is %+v; want failed", name, s)
			}
		})
	}
}

// A spy is a test that tells what becomes of it.
type spy struct {
	testing.TB
	skipped, failed bool
}

func missing(err error) *spy {
	s := &spy{}
	func() {
		defer func() { recover() }()
		Missing(s, err)
	}()
	return s
}

func (s *spy) Helper()      {}
func (s *spy) Skip(...any)  { s.skipped = true; panic("skipped") }
func (s *spy) Fatal(...any) { s.failed = true; panic("failed") }
