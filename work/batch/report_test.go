package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
	"github.com/relent-go/relent/work/batch"
)

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := func(o *options) (list []string) {
			runs := 0
			r := &batch.Report[string]{}
			r, _ = batch.Do(t.Context(), nil, count(2), func(ctx context.Context, i int) (string, error) {
				if runs++; i == 1 && runs < 4 {
					list = append(list, batch.Key(ctx))
					return "", transient()
				}
				return "", nil
			}, o)
			list = append(list, r.Outcomes[1].Key)
			return list
		}
		if got := keys(&options{Key: "b", Concurrency: 1}); len(got) < 2 || slices.ContainsFunc(got, func(k string) bool { return k != "b/1" }) {
			t.Errorf("keys of all attempts: %q; want b/1", got)
		}
		if got := keys(&options{ItemKey: func(i int, item int) string { return fmt.Sprint("mine", i, item) }}); got[0] != "mine1 1" {
			t.Errorf("keys of the caller's: %q", got)
		}
		if a, b := keys(nil), keys(nil); a[0] == b[0] || len(a[0]) < 20 {
			t.Errorf("keys of two batches without one: %q, %q; want them to differ", a, b)
		}
		if got := batch.Key(t.Context()); got != "" {
			t.Errorf("Key() outside of a batch = %q; want none", got)
		}
	})
}

func TestProgress(t *testing.T) {
	var seen []batch.Progress
	one := func(i int) (string, error) { return "", []error{nil, permanent(), errBusy, nil}[i] }
	do(t, false, nil, count(4), one, &options{
		Concurrency: 1, Order: func(int) string { return "one" }, Progress: func(p batch.Progress) { seen = append(seen, p) },
	})
	want := []batch.Progress{{4, 1, 1, 0, 0, 0}, {4, 2, 1, 1, 0, 0}, {4, 3, 1, 1, 1, 0}, {4, 4, 1, 1, 1, 1}}
	if !slices.Equal(seen, want) {
		t.Errorf("progress %v; want %v", seen, want)
	}
}

// That a batch has gates of its own must not let an unlimited policy run for ever.
func TestUnlimitedStaysBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bulk := range []bool{false, true} {
			n := 0
			do(t, bulk, &retry.Policy{MaxAttempts: retry.Unlimited}, count(1), func(int) (string, error) { n++; return "", transient() }, nil)
			if n != retry.DefaultMaxAttempts {
				t.Errorf("bulk %v: %d attempts; want %d", bulk, n, retry.DefaultMaxAttempts)
			}
		}
	})
}

func TestError(t *testing.T) {
	for _, test := range []struct {
		errs  []error
		class retry.Class
		text  string
	}{
		{[]error{permanent(), permanent()}, retry.Permanent, "0 of 2 items succeeded, 2 failed: retry: gave up"},
		{[]error{transient(), permanent()}, retry.Permanent, "0 of 2 items succeeded, 2 failed: "},
		{[]error{nil, permanent()}, retry.Ambiguous, "1 of 2 items succeeded, 1 failed: "},
		{[]error{errBusy, permanent()}, retry.Ambiguous, "0 of 2 items succeeded, 1 failed, 1 with an unknown outcome: "},
	} {
		_, err := batch.Do(t.Context(), &retry.Policy{MaxAttempts: 1}, test.errs, func(_ context.Context, err error) (string, error) { return "", err }, nil)
		e, ok := errors.AsType[*batch.Error](err)
		if !ok || e.Class() != test.class || !strings.HasPrefix(e.Error(), test.text) {
			t.Errorf("%v: %v, %v; want %q, %v", test.errs, err, e.Class(), test.text, test.class)
		}
	}
	if got := batch.State(9).String(); got != "state(9)" {
		t.Errorf("State(9) = %q", got)
	}
	if got := (&batch.Error{Total: 1, NotSent: 1}).Error(); got != "0 of 1 items succeeded, 1 not sent" {
		t.Errorf("Error() = %q", got)
	}
}

func TestCheck(t *testing.T) {
	o := &options{Concurrency: -1, Size: -2}
	if got, want := fmt.Sprint(o.Check()), "Concurrency: -1 is negative and means 8\nSize: -2 is negative and means 100"; got != want {
		t.Errorf("Check() = %q; want %q", got, want)
	}
	if err := new(options).Check(); err != nil {
		t.Errorf("Check() of the zero value = %v", err)
	}
}

// A transaction as a database's library makes them.
type bank struct {
	committed []string
	log       []string
	commit    func(try int) error
	tries     int
}

type txKey struct{}

func (b *bank) tx(ctx context.Context, f func(context.Context) error) error {
	b.tries++
	var pending []string
	if err := f(context.WithValue(ctx, txKey{}, &pending)); err != nil {
		b.log = append(b.log, "rollback")
		return err
	}
	if err := b.commit(b.tries); err != nil {
		b.log = append(b.log, "commit failed")
		return err
	}
	b.log = append(b.log, "commit")
	b.committed = append(b.committed, pending...)
	return nil
}

func pay(ctx context.Context, i int) (string, error) {
	pending := ctx.Value(txKey{}).(*[]string)
	*pending = append(*pending, batch.Key(ctx))
	return fmt.Sprint("paid ", i), nil
}

func TestAtomic(t *testing.T) {
	fine := func(int) error { return nil }
	for name, test := range map[string]struct {
		commit    func(try int) error
		fn        func(context.Context, int) (string, error)
		states    string
		log       string
		committed int
		reason    error
	}{
		"all": {fine, pay, "SSS", "commit", 3, nil},
		"a serialisation failure": {func(try int) error {
			if try == 1 {
				return transient()
			}
			return nil
		}, pay, "SSS", "commit failed commit", 3, nil},
		"an item that fails": {fine, func(ctx context.Context, i int) (string, error) {
			if i == 1 {
				return "", permanent()
			}
			return pay(ctx, i)
		}, "FFF", "rollback", 0, retry.ErrPermanent},
		"a lost commit": {func(int) error { return errBusy }, pay, "UUU", "commit failed", 0, retry.ErrAmbiguous},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bank{commit: test.commit}
				ended := 0
				r, err := batch.Atomic(t.Context(), &retry.Policy{Backoff: backoff.Constant{}}, count(3), b.tx, test.fn, &options{Key: "b", Progress: func(p batch.Progress) { ended = p.Ended }})
				sees(t, r, test.states)
				if got := strings.Join(b.log, " "); got != test.log || len(b.committed) != test.committed || !errors.Is(err, test.reason) || ended != 3 {
					t.Errorf("%s, %d committed, %v, %d ended; want %s, %d, %v", got, len(b.committed), err, ended, test.log, test.committed, test.reason)
				}
				if o := r.Outcomes[2]; test.committed > 0 && (o.Value != "paid 2" || b.committed[2] != "b/2" || o.Attempts != b.tries) {
					t.Errorf("outcome %+v, committed %v", o, b.committed)
				}
				if name == "an item that fails" && (!strings.Contains(err.Error(), "item 1: busy") || r.Outcomes[0].Value != "") {
					t.Errorf("the error %v should name the item, and item 0 has %q", err, r.Outcomes[0].Value)
				}
			})
		})
	}
}

// A library that swallows the error, or never calls, does not make a success of it.
func TestAtomicTrustsNobody(t *testing.T) {
	swallow := func(ctx context.Context, f func(context.Context) error) error { f(ctx); return nil }
	r, err := batch.Atomic(t.Context(), nil, count(2), swallow, func(context.Context, int) (string, error) { return "", permanent() }, nil)
	sees(t, r, "FF")
	if !errors.Is(err, errBusy) {
		t.Errorf("swallowed: %v", err)
	}
	r, err = batch.Atomic(t.Context(), nil, count(2), func(context.Context, func(context.Context) error) error { return nil }, pay, nil)
	sees(t, r, "FF")
	if !errors.Is(err, batch.ErrNoTransaction) {
		t.Errorf("never called: %v", err)
	}
}

func TestReconcileAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, _ := batch.Do(ctx, nil, count(1), func(ctx context.Context, _ int) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, &options{Reconcile: func(context.Context, batch.Item[int], error) (string, batch.Finding, error) {
			t.Error("reconciled with a context that has ended")
			return "", batch.Applied, nil
		}})
		sees(t, r, "U")
	})
}
