package jobtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relent-go/relent/work/job"
)

// broken is a store that breaks a promise, by what it does before or after a model does it right.
type broken struct {
	*Model
	enqueue func(*job.Job)
	added   func(job.Job, error) error
	want    func(*job.Want)
	taken   func(*job.Taken)
	renew   func(*time.Duration)
	renewed func(error) error
	lease   func(*job.Lease)
	save    func(*job.Checkpoint)
	saved   func(error) error
	acked   func(job.Lease, error) error
	nack    func(*time.Duration, *job.Report)
	park    func(*job.Status)
	load    func(*job.Record)
	list    func(*[]job.Record)
	query   func(*job.Query)
	redrive func(*job.Redrive)
	redone  func(error) error
	forget  func(*time.Duration, *int)
	ctx     func(context.Context) context.Context
}

func (b *broken) in(ctx context.Context) context.Context {
	if b.ctx != nil {
		return b.ctx(ctx)
	}
	return ctx
}

func (b *broken) fence(l job.Lease) job.Lease {
	if b.lease != nil {
		b.lease(&l)
	}
	return l
}

func (b *broken) Enqueue(ctx context.Context, j job.Job) error {
	whole := j
	if b.enqueue != nil {
		b.enqueue(&j)
	}
	err := b.Model.Enqueue(b.in(ctx), j)
	if b.added != nil {
		err = b.added(whole, err)
	}
	return err
}

func (b *broken) Take(ctx context.Context, w job.Want) (job.Taken, error) {
	if b.want != nil {
		b.want(&w)
	}
	taken, err := b.Model.Take(b.in(ctx), w)
	if b.taken != nil {
		b.taken(&taken)
	}
	return taken, err
}

func (b *broken) Renew(ctx context.Context, l job.Lease, d time.Duration) error {
	if b.renew != nil {
		b.renew(&d)
	}
	err := b.Model.Renew(b.in(ctx), b.fence(l), d)
	if b.renewed != nil {
		err = b.renewed(err)
	}
	return err
}

func (b *broken) Save(ctx context.Context, l job.Lease, c job.Checkpoint) error {
	if b.save != nil {
		b.save(&c)
	}
	err := b.Model.Save(b.in(ctx), b.fence(l), c)
	if b.saved != nil {
		err = b.saved(err)
	}
	return err
}

func (b *broken) Ack(ctx context.Context, l job.Lease) error {
	err := b.Model.Ack(b.in(ctx), b.fence(l))
	if b.acked != nil {
		err = b.acked(l, err)
	}
	return err
}

func (b *broken) Nack(ctx context.Context, l job.Lease, d time.Duration, r job.Report) error {
	if b.nack != nil {
		b.nack(&d, &r)
	}
	return b.Model.Nack(b.in(ctx), b.fence(l), d, r)
}

func (b *broken) Park(ctx context.Context, l job.Lease, as job.Status, r job.Report) error {
	if b.park != nil {
		b.park(&as)
	}
	return b.Model.Park(b.in(ctx), b.fence(l), as, r)
}

func (b *broken) Load(ctx context.Context, id string) (job.Record, error) {
	r, err := b.Model.Load(b.in(ctx), id)
	if b.load != nil {
		b.load(&r)
	}
	return r, err
}

func (b *broken) List(ctx context.Context, q job.Query) ([]job.Record, error) {
	if b.query != nil {
		b.query(&q)
	}
	list, err := b.Model.List(b.in(ctx), q)
	if b.list != nil {
		b.list(&list)
	}
	return list, err
}

func (b *broken) Redrive(ctx context.Context, id string, r job.Redrive) error {
	if b.redrive != nil {
		b.redrive(&r)
	}
	err := b.Model.Redrive(b.in(ctx), id, r)
	if b.redone != nil {
		err = b.redone(err)
	}
	return err
}

func (b *broken) Forget(ctx context.Context, ago time.Duration, limit int) (int, error) {
	if b.forget != nil {
		b.forget(&ago, &limit)
	}
	return b.Model.Forget(b.in(ctx), ago, limit)
}

// Each promise is one that a broken store breaks.
func TestSuiteComplains(t *testing.T) {
	for name, list := range map[string][]broken{
		"keeps what was enqueued": {
			{enqueue: func(j *job.Job) { j.Payload = bytes.TrimRight(j.Payload, "\x00") }},
			{load: func(r *job.Record) { r.Attempts++ }},
		},
		"enqueues once": {
			{added: func(_ job.Job, err error) error { return nil }},
			{added: func(_ job.Job, err error) error { return job.ErrExists }},
		},
		"refuses bad jobs": {{enqueue: func(j *job.Job) {
			j.ID, j.Kind = strings.TrimRight(j.ID+"x", "\x00"), j.Kind+"x"
			j.ID = j.ID[:min(len(j.ID), job.MaxID)]
		}}},
		"takes only what was asked for": {
			{want: func(w *job.Want) { w.Max = max(w.Max, 1) }},
			{want: func(w *job.Want) { w.Kinds = append(w.Kinds, "y") }},
			{want: func(w *job.Want) { w.Max *= 2 }},
		},
		"takes in order of due times":         {{taken: func(taken *job.Taken) { slices.Reverse(taken.Jobs) }}},
		"gives a job to one worker at a time": {{want: func(w *job.Want) { w.Lease = 0 }}},
		"has one taker in a race":             {{taken: func(taken *job.Taken) { taken.Jobs = append(taken.Jobs, taken.Jobs...) }}, {enqueue: loses}},
		"is never early": {
			{enqueue: func(j *job.Job) { j.Delay -= 10 * time.Millisecond }},
			{enqueue: loses},
		},
		"says when the next job is due":    {{taken: func(taken *job.Taken) { taken.Next = 0 }}, {taken: func(taken *job.Taken) { taken.Next *= 2 }}},
		"ends leases by its own clock":     {{want: func(w *job.Want) { w.Lease *= 2 }}},
		"renews":                           {{renew: func(d *time.Duration) { *d = 0 }}, {renewed: func(error) error { return nil }}},
		"hears late reports":               {{saved: func(error) error { return job.ErrLeaseLost }}, {nack: func(d *time.Duration, _ *job.Report) { *d = 0 }}},
		"fences the one who lost":          {{lease: func(l *job.Lease) { l.Fence = max(l.Fence, 2) }}},
		"saves in sequence":                {{save: func(c *job.Checkpoint) { c.Step, c.Open = 0, false }}, {saved: func(error) error { return nil }}},
		"keeps checkpoints as they are":    {{save: func(c *job.Checkpoint) { c.State = bytes.TrimRight(c.State, "\x00") }}, {save: func(c *job.Checkpoint) { c.State = c.State[:min(len(c.State), 100)] }}},
		"acks once":                        {{acked: func(_ job.Lease, err error) error { return job.ErrLeaseLost }}, {redone: func(error) error { return nil }}},
		"nacks with a delay":               {{nack: func(d *time.Duration, _ *job.Report) { *d = 0 }}, {nack: func(_ *time.Duration, r *job.Report) { r.Err = "" }}},
		"counts attempts":                  {{nack: func(_ *time.Duration, r *job.Report) { r.Free = false }}, {nack: func(_ *time.Duration, r *job.Report) { r.Free = true }}},
		"parks":                            {{park: func(as *job.Status) { *as = job.Failed }}},
		"redrives by hand":                 {{redrive: func(r *job.Redrive) { r.Delay = 0 }}, {redrive: func(r *job.Redrive) { r.By = "" }}},
		"asks what became of an open step": {{redrive: func(r *job.Redrive) { r.Open = job.Absent }}, {redrive: func(r *job.Redrive) { r.Open = job.Applied }}},
		"keeps the history bounded":        {{load: func(r *job.Record) { r.History = append(r.History, r.History...) }}},
		"lists": {
			{list: func(l *[]job.Record) { slices.Reverse(*l) }},
			{query: func(q *job.Query) { q.Kind = "" }},
			{query: func(q *job.Query) { q.After = "" }},
			{query: func(q *job.Query) { q.Statuses = nil }},
			{query: func(q *job.Query) { q.Max++ }},
			{list: func(l *[]job.Record) {
				for i := range *l {
					(*l)[i].Payload = []byte("p")
				}
			}},
		},
		"forgets when told":                     {{forget: func(ago *time.Duration, _ *int) { *ago = 0 }}, {forget: func(_ *time.Duration, n *int) { *n++ }}},
		"compares IDs byte by byte":             {{enqueue: func(j *job.Job) { j.ID = strings.ToLower(j.ID) }}, {enqueue: func(j *job.Job) { j.Kind = strings.ToLower(j.Kind) }}},
		"bears odd spans":                       {{enqueue: func(j *job.Job) { j.Delay += time.Hour }}},
		"does nothing for a context that ended": {{ctx: context.WithoutCancel}},
	} {
		i := slices.IndexFunc(promises, func(p promise) bool { return p.name == name })
		if i < 0 {
			t.Fatalf("no promise %q", name)
		}
		for n, b := range list {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				var mu sync.Mutex
				var complaints []string
				s := suite{
					open: func(*testing.T) job.Store { b.Model = &Model{}; return &b },
					report: func(format string, args ...any) {
						mu.Lock()
						complaints = append(complaints, fmt.Sprintf(format, args...))
						mu.Unlock()
					},
					Options: Options{Rounds: 20},
				}
				promises[i].run(t, s)
				if len(complaints) == 0 || !strings.HasSuffix(complaints[0], promises[i].reason) {
					t.Errorf("complaints: %q; want one, with the reason", complaints)
				}
			})
		}
	}
	if len(promises) != 27 {
		t.Errorf("%d promises; each needs a store that breaks it here", len(promises))
	}
}

// loses lets a job take the place of another.
func loses(j *job.Job) {
	if j.ID == "5" {
		j.ID = "6"
		j.Payload = []byte("of 6")
	}
}
