package retrysql_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"testing"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/transport/retrysql"
)

var fakePool = sql.OpenDB(&server{})

func TestChecks(t *testing.T) {
	total := func(rows []int) (sum int) {
		for _, n := range rows {
			sum += n
		}
		return sum
	}
	for _, test := range []struct {
		name  string
		check retrysql.Check[[]int]
		want  retry.Class
		text  string // "" if it passes
	}{
		{"count", retrysql.Count[int](2), 0, ""},
		{"fewer rows", retrysql.Count[int](3), retry.Transient, "invalid result: 2 rows; want 3"},
		{"more rows", retrysql.Count[int](1), retry.Permanent, "invalid result: 2 rows; want 1"},
		{"checksum", retrysql.Checksum(5, total), 0, ""},
		{"other checksum", retrysql.Checksum(6, total), retry.Transient, "invalid result: checksum 5; want 6"},
		{"holds", retrysql.Holds("sorted", func(rows []int) bool { return rows[0] < rows[1] }), 0, ""},
		{"does not hold", retrysql.Holds("reversed", func(rows []int) bool { return rows[0] > rows[1] }), retry.Permanent, "invalid result: does not hold: reversed"},
		{"nil", nil, 0, ""},
		{"affected", func([]int) error { return retrysql.Affected(1)(1) }, 0, ""},
		{"other affected", func([]int) error { return retrysql.Affected(1)(2) }, retry.Permanent, "invalid result: 2 rows affected; want 1"},
		{"throttled", func([]int) error { return retry.After(io.EOF, 1) }, retry.Throttled, "invalid result: EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, db := open(t)
			once := *plain
			once.MaxAttempts = 1
			_, err := retrysql.Do(t.Context(), db, &once, nil, retrysql.Checked(func(context.Context, *retrysql.Tx) ([]int, error) {
				return []int{2, 3}, nil
			}, test.check))
			if test.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*retrysql.InvalidError](err)
			if !ok || e.Error() != test.text || retry.DefaultClassify(err.(*retry.Error).Last) != test.want {
				t.Errorf("%v; want %v, %s", err, test.want, test.text)
			}
		})
	}
}

// W6: the check of the row count fails, then holds.
func TestCheckedCountsApart(t *testing.T) {
	s, db := open(t)
	var tally retrysql.Tally
	rows := []int{1}
	v, err := retrysql.Do(t.Context(), db, plain, &retrysql.Options{Tally: &tally}, retrysql.Checked(func(ctx context.Context, tx *retrysql.Tx) ([]int, error) {
		rows = append(rows, 2)
		return rows, effect(ctx, tx)
	}, retrysql.Count[int](3)))
	if len(v) != 3 || err != nil || count(s) != 1 {
		t.Errorf("Do = %v, %v; %d effects, and what did not pass is rolled back", v, err, count(s))
	}
	if tally.Invalid.Load() != 1 || tally.Transport.Load() != 0 || tally.Stale.Load() != 0 {
		t.Errorf("%d invalid, %d transport", tally.Invalid.Load(), tally.Transport.Load())
	}
	s.on = nth(1, "EFFECT", state("40001"))
	_, err = retrysql.Do(t.Context(), db, plain, &retrysql.Options{Tally: &tally}, retrysql.Checked(func(ctx context.Context, tx *retrysql.Tx) (int, error) {
		return 0, effect(ctx, tx)
	}, func(int) error { return io.EOF }))
	if err == nil || tally.Invalid.Load() != 2 || tally.Transport.Load() != 1 {
		t.Errorf("%v; %d invalid, %d transport", err, tally.Invalid.Load(), tally.Transport.Load())
	}
	retrysql.Run(t.Context(), db, plain, &retrysql.Options{Tally: &tally}, func(context.Context, *retrysql.Tx) error { return io.EOF })
	if tally.Transport.Load() != 1 {
		t.Error("an error of the function's counts as one of the transport")
	}
	f := &retrysql.Fresh[[]int]{Tally: &tally, Checks: []retrysql.Check[[]int]{retrysql.Count[int](1)}, Places: []retrysql.Place[[]int]{
		{Name: "r", Read: func(context.Context) ([]int, retrysql.Seen, error) { return nil, retrysql.Seen{}, nil }},
		{Name: "p", Read: func(context.Context) ([]int, retrysql.Seen, error) { return []int{1}, retrysql.Seen{}, nil }},
	}}
	if a, err := f.Read(t.Context(), plain); a.Place != "p" || err != nil || tally.Invalid.Load() != 3 {
		t.Errorf("Read = %+v, %v; %d invalid", a, err, tally.Invalid.Load())
	}
}
