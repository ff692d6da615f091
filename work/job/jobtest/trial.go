package jobtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/job"
)

// long is a lease that does not end during a check.
const long = time.Hour

// A trial is one check of one store.
type trial struct {
	suite
	t     *testing.T
	store job.Store
}

func (t *trial) ctx() context.Context { return t.t.Context() }

func (t *trial) pass(d time.Duration) { t.Pass(t.t, d) }

// expect complains unless err is want, which may be nil. What the store refuses is Permanent.
func (t *trial) expect(what string, err, want error) {
	if !errors.Is(err, want) || err != nil && want == nil || want != nil && retry.DefaultClassify(err) != retry.Permanent {
		t.report("%s = %v; want %v", what, err, want)
	}
}

// same complains unless two values print alike.
func (t *trial) same(what string, got, want any) {
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.report("%s = %s; want %s", what, g, w)
	}
}

func (t *trial) enqueue(id string, delay time.Duration) {
	t.expect("Enqueue", t.store.Enqueue(t.ctx(), job.Job{ID: id, Kind: "kind", Payload: []byte("of " + id), Delay: delay}), nil)
}

func want(max int, lease time.Duration) job.Want {
	return job.Want{Worker: "worker", Kinds: []string{"kind"}, Max: max, Lease: lease}
}

// take takes jobs that must be those named.
func (t *trial) take(w job.Want, ids ...string) []job.Record {
	taken, err := t.store.Take(t.ctx(), w)
	t.expect("Take", err, nil)
	got := []string{}
	for _, r := range taken.Jobs {
		got = append(got, r.ID)
	}
	t.same("the jobs of Take", got, append([]string{}, ids...))
	return taken.Jobs
}

// hold takes one job, and returns its lease.
func (t *trial) hold(id string, lease time.Duration) job.Lease {
	for _, r := range t.take(want(1, lease), id) {
		return r.Lease()
	}
	return job.Lease{ID: id}
}

// begun enqueues a job and takes it.
func (t *trial) begun(id string, lease time.Duration) job.Lease {
	t.enqueue(id, 0)
	return t.hold(id, lease)
}

func (t *trial) load(id string) job.Record {
	r, err := t.store.Load(t.ctx(), id)
	t.expect("Load", err, nil)
	return r
}

func (t *trial) see(id string, want job.Status) job.Record {
	r := t.load(id)
	t.same("the status of "+id, r.Status, want)
	return r
}

func (t *trial) save(l job.Lease, seq uint64, state string, want error) {
	t.expect("Save", t.store.Save(t.ctx(), l, job.Checkpoint{Seq: seq, State: []byte(state)}), want)
}

func (t *trial) renew(l job.Lease, span time.Duration, want error) {
	t.expect("Renew", t.store.Renew(t.ctx(), l, span), want)
}

func (t *trial) ack(l job.Lease, want error) { t.expect("Ack", t.store.Ack(t.ctx(), l), want) }

func (t *trial) nack(l job.Lease, delay time.Duration, r job.Report, want error) {
	t.expect("Nack", t.store.Nack(t.ctx(), l, delay, r), want)
}

func (t *trial) park(l job.Lease, as job.Status, want error) {
	t.expect("Park", t.store.Park(t.ctx(), l, as, job.Report{Err: "poison", Class: retry.Permanent}), want)
}

func (t *trial) redrive(id string, r job.Redrive, want error) {
	t.expect("Redrive", t.store.Redrive(t.ctx(), id, r), want)
}

func (t *trial) list(q job.Query, want ...string) []job.Record {
	records, err := t.store.List(t.ctx(), q)
	t.expect("List", err, nil)
	ids := []string{}
	for _, r := range records {
		ids = append(ids, r.ID)
	}
	t.same("List", ids, append([]string{}, want...))
	return records
}

// hows returns how the attempts in a history ended.
func hows(history []job.Attempt) []job.How {
	list := []job.How{}
	for _, a := range history {
		list = append(list, a.How)
	}
	return list
}
