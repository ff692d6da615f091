package server

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

// An audit log that somebody alters is noticed without anybody asking, and shows in the metric that the alert is made of.
func TestTamperedLogIsNoticed(t *testing.T) {
	for name, alter := range map[string]string{
		"a record that was changed": `UPDATE relent_audit SET body = replace(body, 'prices', 'praise') WHERE sequence = 1`,
		"a tail that was cut off":   `DELETE FROM relent_audit WHERE sequence = (SELECT max(sequence) FROM relent_audit)`,
		"a chain that is gone":      `DELETE FROM relent_audit`,
	} {
		t.Run(name, func(t *testing.T) {
			store := file(t)
			s, _ := serve(t, Config{Store: store, Verify: 20 * time.Millisecond})
			for range 3 {
				if code := ask(t, s, "POST", "/api/v1/stop", "as ann", control.Stop{Scope: "desk", State: "drain", Reason: "prices"}, nil); code != http.StatusOK {
					t.Fatalf("stop: %d", code)
				}
			}
			metric := func(value string) bool {
				resp, err := http.Get(s.URL() + "metrics")
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				text, _ := io.ReadAll(resp.Body)
				return strings.Contains(string(text), "\nrelent_audit_chain_broken "+value+"\n")
			}
			var v control.View
			until(t, "all of it was verified", func() bool {
				began := v.At
				ask(t, s, "GET", "/api/v1/view", "", nil, &v)
				return v.Audit.Records >= 3 && !began.IsZero() && v.Audit.Verified.After(began)
			})
			if v.Audit.Broken || !metric("0") {
				t.Fatalf("%+v; want it whole", v.Audit)
			}
			db, err := sql.Open("sqlite", strings.TrimPrefix(store, "sqlite:")+"?_pragma=busy_timeout(10000)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if done, err := db.ExecContext(t.Context(), alter); err != nil {
				t.Fatal(err)
			} else if n, _ := done.RowsAffected(); n == 0 {
				t.Fatal("nothing was altered")
			}
			until(t, "it is noticed", func() bool { return metric("1") })
			var notes []control.Note
			until(t, "the live tail tells of it", func() bool {
				ask(t, s, "GET", "/api/v1/events?filter=kind:health", "", nil, &notes)
				return len(notes) == 1 && strings.Contains(notes[0].Text, "the audit log is not what was written: audit chain server-")
			})
		})
	}
}

// A store that is away says nothing about the log, and what was found is told once.
func TestWatchTellsOnce(t *testing.T) {
	_, _, db := newPlane(t)
	v := &verified{}
	r := reader{db.Audit(), v}
	v.good(audit.Head{Chain: "lost", Sequence: 7})
	v.good(audit.Head{Chain: "lost", Sequence: 3}) // an earlier result that comes later
	ctx, cancel := context.WithCancel(t.Context())
	var told []error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.watch(ctx, time.Millisecond, func(err error) { told = append(told, err) })
	}()
	until(t, "it is noticed", func() bool { v.mu.Lock(); defer v.mu.Unlock(); return v.broken })
	db.Close()
	if err := r.Verify(ctx); err == nil {
		t.Error("verified a log that is away")
	}
	v.mu.Lock()
	broken := v.broken
	v.mu.Unlock()
	cancel()
	<-ended
	if len(told) != 1 || !strings.Contains(told[0].Error(), "audit chain lost") || !strings.Contains(told[0].Error(), "a checkpoint was made at 7") || !broken {
		t.Errorf("told %v, broken %v; want it once", told, broken)
	}
}

type pages struct{ took time.Duration }

func (p pages) Links(context.Context, string, uint64, int) ([]audit.Link, error) {
	time.Sleep(p.took)
	return make([]audit.Link, 1), nil
}

// A verification takes a twentieth of the time, and ends with its context.
func TestGentle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gentle{store: pages{10 * time.Millisecond}}
		began := time.Now()
		for range 11 {
			if _, err := g.Links(t.Context(), "a", 1, 1); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 10*200*time.Millisecond+10*time.Millisecond {
			t.Errorf("eleven pages of 10 ms took %v", took)
		}
		began, g = time.Now(), &gentle{store: pages{time.Hour}}
		g.Links(t.Context(), "a", 1, 1)
		g.Links(t.Context(), "a", 1, 1)
		if took := time.Since(began); took != 2*time.Hour+19*rested {
			t.Errorf("two pages of an hour took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Links(ctx, "a", 1, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want %v", err, context.Canceled)
		}
	})
}
