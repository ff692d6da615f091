package server

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/observe/audit"
)

func TestVerified(t *testing.T) {
	v := &verified{}
	view := v.over(func() control.AuditView { return control.AuditView{Records: 7, Head: "h"} })
	noon := time.Unix(1_800_000_000, 0)
	for _, test := range []struct {
		name   string
		err    error
		broken bool
		at     time.Time
	}{
		{"all is right", nil, false, noon},
		{"a store that is away", errors.New("away"), false, noon},
		{"a record that was changed", fmt.Errorf("chain: %w", &audit.BadError{Chain: "a", Sequence: 3}), true, noon},
		{"a store that is away after that", errors.New("away"), true, noon},
	} {
		v.found(test.err, noon)
		if a := view(); a.Broken != test.broken || !a.Verified.Equal(test.at) || a.Records != 7 || a.Head != "h" {
			t.Errorf("%s: %+v; want broken %v since %v", test.name, a, test.broken, test.at)
		}
	}
	v.found(nil, noon.Add(time.Hour))
	if a := view(); a.Broken || !a.Verified.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v; want it right again", a)
	}
}

// The head of the server's chain is shown, and when all of the log was verified.
func TestAuditIsShown(t *testing.T) {
	s, _ := serve(t, Config{Store: file(t)})
	if code := ask(t, s, "POST", "/api/v1/stop", "as ann", control.Stop{Scope: "desk", State: "drain", Reason: "r"}, nil); code != http.StatusOK {
		t.Fatalf("stop: %d", code)
	}
	if code := ask(t, s, "POST", "/api/v1/audit/verify", "as ann", map[string]any{}, nil); code != http.StatusOK {
		t.Fatalf("verify: %d", code)
	}
	until(t, "head and time are shown", func() bool {
		var v control.View
		ask(t, s, "GET", "/api/v1/view", "", nil, &v)
		return v.Audit != nil && len(v.Audit.Head) == 64 && !v.Audit.Verified.IsZero() && !v.Audit.Broken
	})
}
