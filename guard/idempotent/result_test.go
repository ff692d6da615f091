package idempotent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

// Results that cannot be encoded, or not be read any more.
func TestResultsThatAreLost(t *testing.T) {
	errCodec := errors.New("bad codec")
	for _, test := range []struct {
		name   string
		stored func(g *idempotent.Guard[order, int], s idempotent.Store)
	}{
		{"not encoded", func(g *idempotent.Guard[order, int], s idempotent.Store) { g.Codec = codec{encode: errCodec} }},
		{"not decoded", func(g *idempotent.Guard[order, int], s idempotent.Store) { g.Codec = codec{decode: errCodec} }},
		{"nothing stored", func(g *idempotent.Guard[order, int], s idempotent.Store) { complete(s, nil) }},
		{"another form", func(g *idempotent.Guard[order, int], s idempotent.Store) { complete(s, []byte("?5")) }},
		{"a broken error", func(g *idempotent.Guard[order, int], s idempotent.Store) { complete(s, []byte("e?")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, v := &idempotenttest.Model{}, &venue{}
			g := guard(s)
			test.stored(g, s)
			if r, err := g.Call(t.Context(), order{"k", 5}, v.place); g.Codec != nil {
				ends(t, "Call", r, err, result{Value: 5}, nil)
			}
			r, err := g.Call(t.Context(), order{"k", 5}, v.place)
			r.Value = 0
			ends(t, "the replay", r, err, result{Replayed: true}, idempotent.ErrNoResult)
			if retry.DefaultClassify(err) != retry.Ambiguous || v.count("k") > 1 {
				t.Errorf("%v is %v, %d effects; want ambiguous, at most 1", err, retry.DefaultClassify(err), v.count("k"))
			}
		})
	}
}

// complete stores what no guard would, for order{"k", 5}.
func complete(s idempotent.Store, result []byte) {
	b := idempotent.Bid{
		Key: "venue.place_order\x00k", Owner: idempotent.NewNonce(), Fingerprint: idempotent.Fingerprinted(`{"Key":"k","Amount":5}`),
		Lease: time.Hour, Retain: time.Hour,
	}
	r, _ := s.Claim(context.Background(), b)
	s.Complete(context.Background(), r.Claim(), result)
}

type codec struct{ encode, decode error }

func (c codec) Encode(v int) ([]byte, error)     { return fmt.Append(nil, v), c.encode }
func (c codec) Decode(b []byte) (v int, _ error) { fmt.Sscan(string(b), &v); return v, c.decode }

func TestCodec(t *testing.T) {
	s, v := &idempotenttest.Model{}, &venue{}
	g := guard(s)
	g.Codec = codec{}
	for _, want := range []result{{Value: 5}, {Value: 5, Replayed: true}} {
		r, err := g.Call(t.Context(), order{"k", 5}, v.place)
		ends(t, "Call", r, err, want, nil)
	}
	if r, _ := s.Get(t.Context(), "venue.place_order\x00k"); string(r.Result) != "v5" {
		t.Errorf("stored %q; want v5", r.Result)
	}
}

func TestTooLong(t *testing.T) {
	for key, want := range map[string]error{
		"": idempotent.ErrNoKey, "k": nil, strings.Repeat("k", idempotent.MaxKey): nil, strings.Repeat("k", idempotent.MaxKey+1): idempotent.ErrLongKey,
	} {
		if err := idempotent.CheckKey(key); !errors.Is(err, want) {
			t.Errorf("CheckKey of %d bytes = %v; want %v", len(key), err, want)
		}
	}
	if err := idempotent.CheckResult(make([]byte, idempotent.MaxResult)); err != nil {
		t.Errorf("CheckResult at the limit = %v", err)
	}
	s := &idempotenttest.Model{}
	long := strings.Repeat("x", idempotent.MaxResult)
	for _, want := range []error{nil, idempotent.ErrNoResult} {
		if _, err := idempotent.Do(t.Context(), s, "k", func(context.Context) (string, error) { return long, nil }); !errors.Is(err, want) {
			t.Errorf("Do = %v; want %v", err, want)
		}
	}
}
