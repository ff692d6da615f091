package sqldb

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/relent-go/relent/work/job"
)

// Jobs is a [job.Store] in a database. It is safe for concurrent use.
type Jobs struct {
	db *DB
}

var _ job.Store = (*Jobs)(nil)

// Jobs returns the store of jobs.
func (db *DB) Jobs() *Jobs { return &Jobs{db} }

var (
	jobAdd = newQuery(`INSERT INTO relent_job
		(id, kind, payload, status, due, fence, attempts, tries, began, seq, step, open)
		VALUES ($1, $2, $3, 0, {now} + $4, 0, 0, 0, 0, 0, 0, 0)`)
	jobSame = newQuery(`SELECT kind, payload FROM relent_job WHERE id = $1`)
	jobDue  = newQuery(`SELECT id, due FROM relent_job
		WHERE kind = $1 AND status < 2 AND due <= {then} ORDER BY due LIMIT $2 {skip}`)
	jobTake = newQuery(`UPDATE relent_job SET status = 1, due = {now} + $2, fence = fence + 1, attempts = attempts + 1,
		tries = tries + 1, began = CASE WHEN began = 0 THEN {now} ELSE began END WHERE id {texts $1}`)
	jobBegin = newQuery(`INSERT INTO relent_job_attempt (id, number, fence, worker, began, ended, how, err, class, seq)
		SELECT id, tries, fence, $2, {now}, 0, 0, '', 0, seq FROM relent_job WHERE id {texts $1}`)
	jobPrune = newQuery(`DELETE FROM relent_job_attempt WHERE id {texts $1}
		AND number <= (SELECT tries FROM relent_job j WHERE j.id = relent_job_attempt.id) - $2`)
	jobNext = newQuery(`SELECT coalesce(min((SELECT min(due) FROM relent_job WHERE kind = k.value AND status < 2)) - {now}, $2) FROM {each $1}`)
	jobLoad = newQuery(`SELECT id, kind, status, due - {now}, fence, attempts, CASE WHEN began = 0 THEN 0 ELSE {now} - began END,
		seq, step, open, payload, state FROM relent_job WHERE id {texts $1}`)
	jobHistory = newQuery(`SELECT id, fence, worker, began, ended, how, err, class, seq FROM relent_job_attempt
		WHERE id {texts $1} ORDER BY id, number`)
	jobList = newQuery(`SELECT id, kind, status, due - {now}, fence, attempts, CASE WHEN began = 0 THEN 0 ELSE {now} - began END,
		seq, step, open, NULL, NULL FROM relent_job WHERE id > $1 AND (kind = $2 OR length($2) = 0)
		AND CASE WHEN status = 1 AND due <= {then} THEN 0 ELSE status END {codes $3} ORDER BY id LIMIT $4`)
	jobParked = newQuery(`SELECT status, seq, step, open FROM relent_job WHERE id = $1 {lock}`)
	jobAgain  = newQuery(`UPDATE relent_job SET status = 0, due = {now} + $2, attempts = 0, began = 0, tries = tries + 1,
		seq = $3, step = $4, open = $5 WHERE id = $1`)
	jobNote = newQuery(`INSERT INTO relent_job_attempt (id, number, fence, worker, began, ended, how, err, class, seq)
		SELECT id, tries, fence, $2, {now}, {now}, $3, $4, 0, seq FROM relent_job WHERE id = $1`)
	jobForget = newQuery(`DELETE FROM relent_job WHERE id IN (
		SELECT id FROM relent_job WHERE status IN (2, 4) AND due <= {then} - $1 LIMIT $2)`)
)

// Enqueue is of [job.Store], as are the methods below.
func (s *Jobs) Enqueue(ctx context.Context, j job.Job) error {
	if err := j.Check(); err != nil {
		return err
	}
	j.Payload = bytes.Clone(j.Payload) // the caller may go when his context ends, and use it again
	return change(ctx, s.db, single, len(j.Payload), func(ctx context.Context, q session) error {
		for {
			_, err := q.exec(ctx, jobAdd, j.ID, j.Kind, j.Payload, micros(j.Delay))
			if !duplicate(err) {
				return err
			}
			var kind string
			var payload []byte
			found, err := q.row(ctx, jobSame, []any{j.ID}, &kind, &payload)
			switch {
			case err != nil:
				return err
			case found && (kind != j.Kind || !bytes.Equal(payload, j.Payload)):
				return fmt.Errorf("%w: %q", job.ErrExists, j.ID)
			case found:
				return nil
			} // it was forgotten in between
		}
	})
}

// Take leases jobs.
func (s *Jobs) Take(ctx context.Context, w job.Want) (job.Taken, error) {
	kinds := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(w.Kinds))), func(kind string) bool {
		return (&job.Job{ID: "x", Kind: kind}).Check() != nil // there is no such job
	})
	return write(ctx, s.db, whole, 0, func(ctx context.Context, q session) (taken job.Taken, err error) {
		ids, err := due(ctx, q, kinds, w.Max)
		if err != nil {
			return taken, err
		}
		if len(ids) > 0 {
			if err := begin(ctx, q, ids, clean(w.Worker), floor(w.Lease)); err != nil {
				return taken, err
			}
			if taken.Jobs, err = load(ctx, q, ids); err != nil {
				return taken, err
			}
		}
		const none = -1 << 62
		var left int64
		if _, err := q.row(ctx, jobNext, []any{kinds, int64(none)}, &left); err != nil {
			return taken, err
		}
		if left != none {
			taken.Next = max(1, span(left))
		}
		return taken, nil
	})
}

// due returns the IDs of up to most jobs that are due, and holds them. Those that have been the longest come first.
func due(ctx context.Context, q session, kinds []string, most int) ([]string, error) {
	type place struct {
		id  string
		due int64
	}
	var line []place
	if most <= 0 {
		return nil, nil
	}
	for _, kind := range kinds {
		if err := q.rows(ctx, jobDue, []any{kind, most}, func(scan func(...any) error) error {
			var p place
			err := scan(&p.id, &p.due)
			line = append(line, p)
			return err
		}); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(line, func(a, b place) int { return cmp.Compare(a.due, b.due) })
	line = line[:min(len(line), most)]
	ids := make([]string, len(line))
	for i := range line {
		ids[i] = line[i].id
	}
	return ids, nil
}

func begin(ctx context.Context, q session, ids []string, worker string, lease int64) error {
	if _, err := q.exec(ctx, jobTake, ids, lease); err != nil {
		return err
	}
	if _, err := q.exec(ctx, jobBegin, ids, worker); err != nil {
		return err
	}
	_, err := q.exec(ctx, jobPrune, ids, job.MaxHistory)
	return err
}

// load returns jobs with their history, in the order of their IDs as given.
func load(ctx context.Context, q session, ids []string) ([]job.Record, error) {
	byID := make(map[string]*job.Record, len(ids))
	if err := q.rows(ctx, jobLoad, []any{ids}, func(scan func(...any) error) error {
		r, err := scanJob(scan)
		byID[r.ID] = &r
		return err
	}); err != nil {
		return nil, err
	}
	if err := q.rows(ctx, jobHistory, []any{ids}, func(scan func(...any) error) error {
		var a job.Attempt
		var id string
		var began, ended int64
		err := scan(&id, &a.Fence, &a.Worker, &began, &ended, &a.How, &a.Err, &a.Class, &a.Seq)
		a.Began = time.UnixMicro(began)
		if ended != 0 {
			a.Ended = time.UnixMicro(ended)
		}
		byID[id].History = append(byID[id].History, a)
		return err
	}); err != nil {
		return nil, err
	}
	jobs := make([]job.Record, 0, len(ids))
	for _, id := range ids {
		if r := byID[id]; r != nil {
			jobs = append(jobs, *r)
		}
	}
	return jobs, nil
}

func scanJob(scan func(...any) error) (r job.Record, err error) {
	var left, elapsed int64
	var open int
	err = scan(&r.ID, &r.Kind, &r.Status, &left, &r.Fence, &r.Attempts, &elapsed, &r.Seq, &r.Step, &open, &r.Payload, &r.State)
	r.Open = open != 0
	if r.Status.Terminal() {
		return r, err
	}
	r.Left, r.Elapsed = span(left), span(elapsed)
	if r.Left == 0 {
		r.Status = job.Waiting
	}
	return r, err
}

// clean makes a text one that tables can have.
func clean(text string) string { return job.Report{Err: text}.Cut().Err }

// Load shows a job.
func (s *Jobs) Load(ctx context.Context, id string) (job.Record, error) {
	if clean(id) != id {
		return job.Record{}, fmt.Errorf("%w: %q", job.ErrNotFound, id)
	}
	jobs, err := read(ctx, s.db, whole, func(ctx context.Context, q session) ([]job.Record, error) {
		return load(ctx, q, []string{id})
	})
	if err == nil && len(jobs) == 0 {
		err = fmt.Errorf("%w: %q", job.ErrNotFound, id)
	}
	if err != nil {
		return job.Record{}, err
	}
	return jobs[0], nil
}

// List shows several.
func (s *Jobs) List(ctx context.Context, l job.Query) ([]job.Record, error) {
	codes := []int64{0, 1, 2, 3, 4, 5}
	if len(l.Statuses) > 0 {
		codes = codes[:0]
		for _, status := range l.Statuses {
			codes = append(codes, int64(status))
		}
	}
	args := []any{clean(l.After), clean(l.Kind), codes, max(0, l.Max)}
	return read(ctx, s.db, single, func(ctx context.Context, q session) (list []job.Record, err error) {
		return list, q.rows(ctx, jobList, args, func(scan func(...any) error) error {
			r, err := scanJob(scan)
			list = append(list, r)
			return err
		})
	})
}

// Redrive sends a parked job on its way.
func (s *Jobs) Redrive(ctx context.Context, id string, r job.Redrive) error {
	if clean(id) != id {
		return fmt.Errorf("%w: %q", job.ErrNotFound, id)
	}
	return change(ctx, s.db, whole, 0, func(ctx context.Context, q session) error {
		var status job.Status
		var c job.Checkpoint
		var open int
		found, err := q.row(ctx, jobParked, []any{id}, &status, &c.Seq, &c.Step, &open)
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("%w: %q", job.ErrNotFound, id)
		case !status.Parked():
			return fmt.Errorf("%w: %q is %v", job.ErrNotParked, id, status)
		}
		c.Open = open != 0
		if c, err = c.Resolve(r.Open); err != nil {
			return err
		}
		if _, err := q.exec(ctx, jobAgain, id, micros(r.Delay), int64(c.Seq), int64(c.Step), flag(c.Open)); err != nil {
			return err
		}
		if _, err := q.exec(ctx, jobNote, id, clean(r.By), int64(job.Redriven), clean(r.Note)); err != nil {
			return err
		}
		_, err = q.exec(ctx, jobPrune, []string{id}, job.MaxHistory)
		return err
	})
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Forget removes jobs.
func (s *Jobs) Forget(ctx context.Context, ago time.Duration, limit int) (int, error) {
	return write(ctx, s.db, single, 0, func(ctx context.Context, q session) (int, error) {
		n, err := q.exec(ctx, jobForget, micros(ago), max(0, limit))
		return int(n), err
	})
}
