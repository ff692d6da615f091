package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relent-go/relent/adaptive"
	"github.com/relent-go/relent/control"
	"github.com/relent-go/relent/retry"
)

// reborn starts a process that keeps what it learns in a file, and returns what ends it.
func reborn(t *testing.T, file string, r *control.Registry) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

// What was learned is there after a restart, also for operations that are added late, and is written each minute.
func TestKeepLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "learned")
		first := &control.Registry{}
		if err := first.KeepLearned(file); err != nil {
			t.Fatal(err)
		}
		end := reborn(t, file, first)
		o, err := first.AddOperation("", teachable(&control.Learning{}))
		if err != nil {
			t.Fatal(err)
		}
		drive(t, o, 500)
		time.Sleep(time.Minute + time.Second)
		early, err := os.ReadFile(file)
		if err != nil || len(early) == 0 {
			t.Fatalf("after a minute: %d bytes, %v", len(early), err)
		}
		drive(t, o, 500)
		end()
		left, err := os.ReadFile(file)
		if err != nil || bytes.Equal(early, left) {
			t.Errorf("at the end: the same %d bytes, %v", len(left), err)
		}

		for name, late := range map[string]bool{"early": false, "late": true} {
			again := &control.Registry{Logger: slog.New(slog.DiscardHandler)}
			add := func() {
				t.Helper()
				if _, err := again.AddOperation("", teachable(&control.Learning{})); err != nil {
					t.Fatal(err)
				}
			}
			if !late {
				add()
			}
			if err := again.KeepLearned(file); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if late {
				add()
			}
			reborn(t, file, again)() // which writes at once what it knows
			now, err := os.ReadFile(file)
			const counts = 30 // after the header
			if err != nil || len(now) != len(left) || !bytes.Equal(now[counts:len(now)-4], left[counts:len(left)-4]) {
				t.Errorf("%s: another process knows something else, %v", name, err)
			}
		}
	})
}

// What another version wrote, or is damaged, is refused, said, and not used.
func TestKeepLearnedRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, "learned")
		r := &control.Registry{}
		r.KeepLearned(file)
		o, err := r.AddOperation("", teachable(&control.Learning{}))
		if err != nil {
			t.Fatal(err)
		}
		drive(t, o, 300)
		reborn(t, file, r)()
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		version, flipped := bytes.Clone(good), bytes.Clone(good)
		version[4]++
		flipped[100] ^= 1
		for _, test := range []struct {
			name string
			data []byte
			want error
		}{
			{"another version", version, adaptive.ErrVersion}, {"a flipped bit", flipped, adaptive.ErrDamaged}, {"cut short", good[:len(good)-1], adaptive.ErrTruncated},
		} {
			if err := os.WriteFile(file, test.data, 0o600); err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			fresh := &control.Registry{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			notes := fresh.Subscribe(control.Filter{}, 10)
			if err := fresh.KeepLearned(file); !errors.Is(err, test.want) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s: %v; want %v", test.name, err, test.want)
			}
			if _, err := fresh.AddOperation("", teachable(&control.Learning{})); err != nil {
				t.Fatal(err)
			}
			if told, _ := notes.Next(t.Context()); len(told) != 1 || told[0].Kind != "learning" || !strings.Contains(log.String(), "learning begins anew") {
				t.Errorf("%s: told %+v, and logged %s", test.name, told, log.String())
			}
			reborn(t, file, fresh)()
			if now, err := os.ReadFile(file); err != nil || len(now) != len(good) || bytes.Equal(now[30:len(now)-4], good[30:len(good)-4]) {
				t.Errorf("%s: it was used, %v", test.name, err)
			}
		}
		var log bytes.Buffer
		blocked := &control.Registry{Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if err := blocked.KeepLearned(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a folder: %v", err)
		}
		reborn(t, dir, blocked)()
		if !strings.Contains(log.String(), "learning is not kept") {
			t.Errorf("that a folder cannot be written is not logged: %s", log.String())
		}
	})
}

// A fleet sets the mode of an operation as it sets other fields, and hears what was learned.
func TestFleetLearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := &book{}
		r := &control.Registry{Instance: "p1", Recorder: records, Logger: slog.New(slog.DiscardHandler)}
		o, err := r.AddOperation("", teachable()) // the program says nothing of learning
		if err != nil {
			t.Fatal(err)
		}
		bare, err := r.AddOperation("", &retry.Policy{Name: "bare"})
		if err != nil {
			t.Fatal(err)
		}
		f := join(t, &control.Fleet{Registry: r})
		defer func() { f.end() }()
		f.plane.order(control.Orders{Version: 1, Config: &control.ConfigOrder{Hash: "h1", Policies: map[string]map[string]string{"venue.get": {"adaptive": "shadow(max 10s)"}}}})
		if v := o.View(); v.Base["adaptive"] != "shadow(max 10s)" || v.Learning == nil || v.Learning.Mode != "shadow" {
			t.Errorf("by the configuration: %+v", v)
		}
		f.plane.order(control.Orders{Version: 2, Tunes: map[string]control.TuneOrder{
			"venue.get": {Fields: map[string]string{"adaptive": "active(max 10s)"}, Actor: "ann", Reason: "proven"},
			"bare":      {Fields: map[string]string{"adaptive": "active"}, Actor: "ann", Reason: "proven"},
		}})
		if v := o.View(); v.Override["adaptive"] != "active(max 10s)" || v.Learning.Mode != "active" {
			t.Errorf("by an operator: %+v", v)
		}
		if v := bare.View(); v.Learning != nil || len(v.Override) != 0 {
			t.Errorf("without a budget: %+v", v)
		}
		drive(t, o, 100)
		time.Sleep(2 * time.Second)
		f.plane.set(func() {
			reports := f.plane.reports
			last := reports[len(reports)-1].View
			if len(last.Policies) != 2 || last.Policies[0].Learning != nil || last.Policies[1].Learning.Results < 100 || !last.Policies[1].Budgeted {
				t.Errorf("reported %+v", last.Policies)
			}
		})
		f.plane.order(control.Orders{Version: 3, Config: &control.ConfigOrder{Hash: "h1"}})
		if v := o.View(); v.Learning.Mode != "shadow" || len(v.Override) != 0 {
			t.Errorf("the override was taken back: %+v", v)
		}
		var modes []string
		for _, line := range records.take() {
			if strings.Contains(line, "venue.get") {
				modes = append(modes, line)
			}
		}
		want := "config   : venue.get.adaptive: off -> shadow(max 10s)|tune ann venue.get : adaptive: shadow(max 10s) -> active(max 10s)|tune fleet venue.get : adaptive: active(max 10s) -> shadow(max 10s)"
		if got := strings.Join(modes, "|"); got != want {
			t.Errorf("recorded %s", got)
		}
	})
}

// What a control plane says of an operation that shares its model does not keep it from being.
func TestFleetCannotLeadShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &control.Registry{Instance: "p1", Logger: slog.New(slog.DiscardHandler)}
		for i := range adaptive.DefaultMaxOperations {
			if _, err := r.AddOperation("", &retry.Policy{Name: fmt.Sprint("o", i), Gates: []retry.Gate{&control.Learning{}}}); err != nil {
				t.Fatal(err)
			}
		}
		f := join(t, &control.Fleet{Registry: r})
		defer func() { f.end() }()
		f.plane.order(control.Orders{Version: 1, Config: &control.ConfigOrder{Hash: "h1", Policies: map[string]map[string]string{"venue.get": {"adaptive": "active"}}}})
		o, err := r.AddOperation("", teachable())
		if err != nil {
			t.Fatal(err)
		}
		if c := r.View().Config; o.View().Base["adaptive"] != "off" || c.Good || !strings.Contains(c.Errors[0], "venue.get: what the control plane's configuration says is not in force: adaptive: the model that operations share is never active") {
			t.Errorf("%+v, %+v", o.View(), c)
		}
	})
}
