package halt

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/retry"
)

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{
		``, `[]`, `{"scopes":[{"scope":"a","epoch":-1}]}`, `{"unknown":1}`,
		`{"scopes":[{"scope":"a//b"}]}`, `{"scopes":[{"scope":"a"},{"scope":"global/a"}]}`,
		`{"scopes":[{"scope":"a","stops":{"running":{}}}]}`, `{"scopes":[{"scope":"a","stops":{"stopped":null}}]}`,
		`{"scopes":[{"scope":"a","stops":{"paused":{}}}]}`,
		`{"scopes":[{"scope":"a","stops":{"stopped":{"until":"2030-01-01T00:00:00Z"}}}]}`,
	} {
		if s, err := parseBody([]byte(body)); err == nil {
			t.Errorf("parseBody(%s) = %+v; want an error", body, s)
		}
	}
}

// FuzzState reads what a file might hold. What is read is written as it was, and makes a tree.
func FuzzState(f *testing.F) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	s := &state{FirstEpoch: 3, Damaged: true, Scopes: []savedScope{
		{Scope: Global, Epoch: 4, Stops: map[State]*entry{Stopped: {Who: "ops1", Since: now}}, Stoppers: []string{"ops1"}},
		{Scope: "a/b%2Fc", Epoch: 9, Stops: map[State]*entry{NoRetries: {Since: now, Until: now}}, Lifted: [kinds]doors{1, 2, 3, 255}},
	}}
	data := s.encode()
	f.Add(data)
	_, body, _ := bytes.Cut(data, []byte("\n"))
	f.Add(body)
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parse(data); err == nil && !strings.HasPrefix(string(data), header) {
			t.Errorf("read %+v from a file without header", s)
		}
		s, err := parseBody(data)
		if err != nil {
			return
		}
		back, err := parse(s.encode())
		if err != nil || !reflect.DeepEqual(norm(back), norm(s)) {
			t.Errorf("%+v reads back as %+v, %v", s, back, err)
		}
	})
}

// norm forgets what JSON does: whether a list or a map without elements is nil.
func norm(s *state) *state {
	for i := range s.Scopes {
		scope := &s.Scopes[i]
		if len(scope.Stops) == 0 {
			scope.Stops = nil
		}
		if len(scope.Stoppers) == 0 {
			scope.Stoppers = nil
		}
		for _, e := range scope.Stops {
			e.Since, e.Until = e.Since.UTC(), e.Until.UTC()
		}
	}
	if len(s.Scopes) == 0 {
		s.Scopes = nil
	}
	return s
}

// FuzzTrigger: whatever a trigger says, it stops something.
func FuzzTrigger(f *testing.F) {
	f.Add("stopped\n# no\n\na/b drain why not")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		commands := parseTrigger(text)
		if len(commands) == 0 {
			t.Error("no stop")
		}
		for _, c := range commands {
			if err := c.bounded().check(); err != nil {
				t.Errorf("%+v: %v", c, err)
			}
		}
	})
}

func FuzzScope(f *testing.F) {
	f.Add("a/b%2Fc")
	f.Add("global")
	f.Fuzz(func(t *testing.T, text string) {
		path, err := Scope(text).Path()
		if err != nil {
			if !errors.Is(err, ErrScope) {
				t.Errorf("%v is no ErrScope", err)
			}
			return
		}
		back, err := At(path...).Path()
		if err != nil || strings.Join(back, "\x00") != strings.Join(path, "\x00") {
			t.Errorf("%q reads back as %q, %v", path, back, err)
		}
	})
}

func TestLanes(t *testing.T) {
	for processors, want := range map[int]int{0: 4, 1: 4, 2: 4, 3: 8, 16: 32, 1000: 64} {
		if got := lanesFor(processors); got != want {
			t.Errorf("lanesFor(%d) = %d; want %d", processors, got, want)
		}
	}
}

// When all is over, attempts take the short way again.
func TestFlagsComeDown(t *testing.T) {
	var tree Tree
	g := tree.Gate("desk")
	flags := func() (up int) {
		for i := range g.leaf.lanes {
			if g.leaf.lanes[i].begun.Load() < 0 {
				up++
			}
		}
		return up
	}
	if flags() != 0 {
		t.Error("flags are up at first")
	}
	r, _ := tree.Stop(Command{Scope: "desk", Who: "ops1"})
	if flags() != len(g.leaf.lanes) {
		t.Errorf("%d flags of %d are up after a stop", flags(), len(g.leaf.lanes))
	}
	tree.Resume(Release{Scope: "desk", Epoch: r.Epoch, Requester: "anna", Approver: "boris"})
	if flags() != len(g.leaf.lanes) {
		t.Errorf("%d flags of %d are up in a ramp", flags(), len(g.leaf.lanes))
	}
	at := time.Now()
	for range len(shares) + 1 {
		g.Admit(t.Context(), &retry.Attempt{At: at, Note: new(uint64)})
		at = at.Add(DefaultStep)
	}
	if flags() != 0 {
		t.Error("flags are up after the ramp")
	}
}
