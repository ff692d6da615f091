package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

func TestMain(m *testing.M) {
	switch os.Getenv("CHAOS_CHILD") {
	case "steps":
		for range 3 {
			Point("step")
			fmt.Print("+")
		}
		Point("end")
		fmt.Print("!")
		os.Exit(0)
	case "fails":
		fmt.Print("sorry")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func child(kind string) func(context.Context) *exec.Cmd {
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), "CHAOS_CHILD="+kind)
		return cmd
	}
}

func unix(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a kill cannot be told there")
	}
}

func TestCrash(t *testing.T) {
	unix(t)
	for _, test := range []struct {
		point  string
		nth    int
		killed bool
		output string
	}{
		{"step", 1, true, ""},
		{"step", 3, true, "++"},
		{"step", 4, false, "+++!"},
		{"end", 1, true, "+++"},
		{"other", 1, false, "+++!"},
	} {
		d, err := Crash(child("steps")(t.Context()), test.point, test.nth)
		if err != nil || d.Killed != test.killed || string(d.Output) != test.output || d.Point != test.point || d.Nth != test.nth {
			t.Errorf("Crash(%s, %d) = %+v, %v, output %q", test.point, test.nth, d, err, d.Output)
		}
	}
	if d, err := Crash(child("fails")(t.Context()), "step", 1); err == nil || d.Killed || string(d.Output) != "sorry" {
		t.Errorf("Crash of what fails by itself = %+v, %v", d, err)
	}
	if _, err := Crash(exec.Command("there is no such program"), "step", 1); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Crash of nothing: %v", err)
	}
	if _, err := Crash(child("steps")(t.Context()), "a#b", 1); err == nil {
		t.Error("a point with a # was armed")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := Crash(child("steps")(ctx), "step", 1); !errors.Is(err, context.Canceled) || d.Killed {
		t.Errorf("Crash of what is cancelled = %+v, %v", d, err)
	}
}

func TestCrashEach(t *testing.T) {
	unix(t)
	var seen []string
	verify := func(d Death) error {
		seen = append(seen, fmt.Sprintf("%s%d%t", d.Point, d.Nth, d.Killed))
		return nil
	}
	kills, err := CrashEach(t.Context(), []string{"step", "end"}, 9, child("steps"), verify)
	if want := "step1true step2true step3true step4false end1true end2false"; kills != 4 || err != nil || strings.Join(seen, " ") != want {
		t.Errorf("CrashEach = %d, %v; %v", kills, err, seen)
	}
	if kills, err := CrashEach(t.Context(), []string{"step", "end"}, 1, child("steps"), verify); kills != 2 || err != nil {
		t.Errorf("CrashEach of one passing = %d, %v", kills, err)
	}
	bad := errors.New("lost")
	if kills, err := CrashEach(t.Context(), []string{"step"}, 9, child("steps"), func(Death) error { return bad }); kills != 1 || !errors.Is(err, bad) {
		t.Errorf("CrashEach = %d, %v; want what verify says", kills, err)
	}
	if _, err := CrashEach(t.Context(), []string{"step"}, 9, child("fails"), verify); err == nil || !strings.Contains(err.Error(), "sorry") {
		t.Errorf("CrashEach of what fails = %v; want its output", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(bad)
	if _, err := CrashEach(ctx, []string{"step"}, 9, child("steps"), verify); err != bad {
		t.Errorf("CrashEach = %v; want the cause", err)
	}
}

func TestTrap(t *testing.T) {
	for _, test := range []struct {
		variable, point string
		want            int // the passing that is the last; 0 for none
	}{
		{"", "", 0},
		{"", "a", 0},
		{"a", "a", 1},
		{"a", "b", 0},
		{"a#1", "a", 1},
		{"a#3", "a", 3},
		{"a#0", "a", 0},
		{"a#-1", "a", 0},
		{"a#x", "a", 0},
		{"a#", "a", 0},
		{"a#99999999999999999999", "a", 0},
	} {
		trap, got := parseTrap(test.variable), 0
		for n := 1; n < 6; n++ {
			if pid := trap.victim(test.point); pid == os.Getpid() {
				got = n
			} else if pid != 0 {
				t.Errorf("%q: victim %d", test.variable, pid)
			}
		}
		if got != test.want {
			t.Errorf("%q kills at passing %d of %q; want %d", test.variable, got, test.point, test.want)
		}
	}
	Point("nobody armed this")
}

func FuzzTrap(f *testing.F) {
	for _, s := range []string{"", "a", "a#2", "#", "a#b#1", "#1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		trap := parseTrap(s)
		if trap.victim("") != 0 {
			t.Errorf("%q kills at a point without a name", s)
		}
		if trap.name != "" && trap.nth < 1 {
			t.Errorf("%q never kills", s)
		}
	})
}

// The kill itself, on a process that is not this one.
func TestKill(t *testing.T) {
	unix(t)
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Skip("there is no sleep:", err)
	}
	kill(0)
	kill(cmd.Process.Pid)
	if err := cmd.Wait(); err == nil || !died(cmd.ProcessState) {
		t.Errorf("sleep ended with %v", err)
	}
}

func BenchmarkPoint(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Point("nobody armed this")
	}
}
