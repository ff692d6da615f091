package retrysql_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

type seen = retrysql.Seen

// at is a place that answers with its name, each time as current as the next in turn; the last stays.
func at(name string, turns ...seen) retrysql.Place[string] {
	return retrysql.Place[string]{Name: name, Read: func(context.Context) (string, retrysql.Seen, error) {
		s := turns[0]
		if len(turns) > 1 {
			turns = turns[1:]
		}
		return name, s, nil
	}}
}

func TestFresh(t *testing.T) {
	broken := retrysql.Place[string]{Name: "broken", Read: func(context.Context) (string, retrysql.Seen, error) {
		return "", retrysql.Seen{}, retry.Mark(io.EOF, retry.Transient)
	}}
	for _, test := range []struct {
		name                        string
		fresh                       retrysql.Fresh[string]
		attempts                    int
		want                        string // the place that served; "" for a StaleError
		stale, transport, attempted int64
	}{
		{"nothing asked", retrysql.Fresh[string]{Places: places(at("r", seen{}))}, 3, "r", 0, 0, 1},
		{"W4 too old, then not", retrysql.Fresh[string]{MaxStaleness: time.Second,
			Places: places(at("r", seen{Age: 3 * time.Second}, seen{Age: 200 * time.Millisecond}))}, 3, "r", 1, 0, 2},
		{"as old as allowed", retrysql.Fresh[string]{MaxStaleness: time.Second, Places: places(at("r", seen{Age: time.Second}))}, 3, "r", 0, 0, 1},
		{"of unknown age", retrysql.Fresh[string]{MaxStaleness: time.Second, Places: places(at("r", seen{Age: -1}), at("p", seen{}))}, 3, "p", 1, 0, 2},
		{"no age allowed", retrysql.Fresh[string]{MaxStaleness: -1, Places: places(at("r", seen{Age: 1}), at("p", seen{}))}, 3, "p", 1, 0, 2},
		{"age does not matter", retrysql.Fresh[string]{Places: places(at("r", seen{Age: time.Hour}))}, 3, "r", 0, 0, 1},
		{"replica, replica, primary", retrysql.Fresh[string]{AtLeast: 9, Places: places(at("r1", seen{Position: 8}), at("r2", seen{}), at("p", seen{Position: 9}))}, 5, "p", 2, 0, 3},
		{"the last attempt is the primary's", retrysql.Fresh[string]{AtLeast: 9, Places: places(at("r1", seen{Position: 8}), at("r2", seen{}), at("p", seen{Position: 9}))}, 2, "p", 1, 0, 2},
		{"a single attempt, too", retrysql.Fresh[string]{AtLeast: 9, Places: places(at("r1", seen{Position: 9}), at("p", seen{Position: 9}))}, 1, "p", 0, 0, 1},
		{"a replica fails", retrysql.Fresh[string]{AtLeast: 9, Places: places(broken, at("p", seen{Position: 10}))}, 3, "p", 0, 1, 2},
		{"the primary is stale", retrysql.Fresh[string]{AtLeast: 9, Places: places(at("r", seen{Position: 7}), at("p", seen{Position: 8}))}, 3, "", 3, 0, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			var tally retrysql.Tally
			test.fresh.Tally = &tally
			a, err := test.fresh.Read(t.Context(), &retry.Policy{MaxAttempts: test.attempts, Backoff: backoff.Constant{}})
			if test.want != "" && (a.Place != test.want || a.Value != test.want || err != nil) {
				t.Errorf("Read = %+v, %v; want %s", a, err, test.want)
			}
			if e, ok := errors.AsType[*retrysql.StaleError](err); test.want == "" && (!ok || e.AtLeast != 9 || e.Seen.Position != 8 || e.Place != "p") {
				t.Errorf("Read = %v; want both positions", err)
			}
			if tally.Stale.Load() != test.stale || tally.Transport.Load() != test.transport || tally.Invalid.Load() != 0 {
				t.Errorf("%d stale, %d transport; want %d, %d", tally.Stale.Load(), tally.Transport.Load(), test.stale, test.transport)
			}
		})
	}
}

func places(p ...retrysql.Place[string]) []retrysql.Place[string] { return p }

// A place that is named twice gets the time of the backoff to catch up, within the deadline.
func TestFreshWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		replica := retrysql.Place[string]{Name: "r", Read: func(context.Context) (string, retrysql.Seen, error) {
			return "r", retrysql.Seen{Position: retrysql.Position(time.Since(began) / time.Second)}, nil
		}}
		f := &retrysql.Fresh[string]{AtLeast: 2, Places: places(replica, replica, replica, at("p", seen{Position: 99}))}
		p := &retry.Policy{MaxAttempts: 9, Backoff: backoff.Constant{Wait: time.Second, Jitter: backoff.None}}
		if a, err := f.Read(t.Context(), p); a.Place != "r" || err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("Read = %+v, %v after %v", a, err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		f.AtLeast = 1000
		_, err := f.Read(ctx, p)
		if _, ok := errors.AsType[*retrysql.StaleError](err); !ok || !errors.Is(err, retry.ErrDeadline) {
			t.Errorf("Read = %v", err)
		}
	})
}

func TestFreshText(t *testing.T) {
	for want, e := range map[string]*retrysql.StaleError{
		"stale answer of r: at position 8; want at least 9":  {Place: "r", AtLeast: 9, Seen: seen{Position: 8, Age: time.Hour}, Most: 1},
		"stale answer of r: 3s old; want at most 1s":         {Place: "r", Seen: seen{Age: 3 * time.Second}, Most: time.Second},
		"stale answer of r: of unknown age; want at most 0s": {Place: "r", Seen: seen{Age: -1}, Most: -1},
	} {
		if e.Error() != want {
			t.Errorf("%q; want %q", e, want)
		}
	}
	if _, err := new(retrysql.Fresh[int]).Read(t.Context(), plain); !errors.Is(err, retry.ErrPermanent) {
		t.Errorf("without a place: %v", err)
	}
}

func TestLSN(t *testing.T) {
	for text, want := range map[string]retrysql.LSN{"0/0": 0, "16/B374D848": 0x16B374D848, "FFFFFFFF/FFFFFFFF": 1<<64 - 1} {
		if got, err := retrysql.ParseLSN(text); got != want || err != nil || got.String() != text {
			t.Errorf("ParseLSN(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "/", "1", "1/", "/1", "1/2/3", "100000000/0", "0/100000000", "g/0", "-1/0", "+1/0", " 1/0", "0x1/0"} {
		if got, err := retrysql.ParseLSN(text); err == nil || got != 0 {
			t.Errorf("ParseLSN(%q) = %v", text, got)
		}
	}
}

func FuzzParseLSN(f *testing.F) {
	for _, text := range []string{"0/0", "16/B374D848", "ffffffff/1", "/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := retrysql.ParseLSN(text)
		if err != nil {
			return
		}
		if again, err := retrysql.ParseLSN(l.String()); again != l || err != nil {
			t.Errorf("ParseLSN(%q) = %v, whose text reads as %v, %v", text, l, again, err)
		}
	})
}

func TestPositions(t *testing.T) {
	s, db := open(t)
	// The fake answers a SELECT with its own words.
	if p, err := retrysql.Written(t.Context(), db); err == nil || p != 0 {
		t.Errorf("Written of no LSN = %v, %v", p, err)
	}
	if !strings.Contains(s.reached(), "SELECT pg_current_wal_lsn()::text") {
		t.Error("Written does not ask for the position of the primary")
	}
	s.on = nth(1, "SELECT", state("57P01"))
	if _, err := retrysql.Replayed(t.Context(), db); !errors.Is(err, state("57P01")) {
		t.Errorf("Replayed = %v", err)
	}
	if !strings.Contains(s.reached(), "pg_last_wal_replay_lsn()") {
		t.Error("Replayed does not ask for the position of a replica")
	}
	if p, err := retrysql.Written(t.Context(), answer("1/2")); p != 1<<32+2 || err != nil {
		t.Errorf("Written = %v, %v", p, err)
	}
}

// answer is a Querier with one answer.
type answer string

func (a answer) QueryRow(ctx context.Context, _ string, _ ...any) *retrysql.Row {
	pool := &retrysql.DB{Pool: fakePool}
	return pool.QueryRow(ctx, "SELECT '"+string(a)+"'")
}
