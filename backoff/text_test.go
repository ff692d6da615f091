package backoff_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/backoff"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text  string
		want  backoff.Strategy
		print string
	}{
		{"exponential(100ms, x2, max 30s, full)", backoff.Exponential{Base: 100 * ms, Max: 30 * sec, Multiplier: 2}, ""},
		{"exponential", backoff.Exponential{}, "exponential(100ms, x2, max 30s, full)"},
		{"exponential()", backoff.Exponential{}, "exponential(100ms, x2, max 30s, full)"},
		{" Exponential ( 1s,NONE , X1.5 ) ", backoff.Exponential{Base: sec, Multiplier: 1.5, Jitter: backoff.None}, "exponential(1s, x1.5, max 30s, none)"},
		{"exponential(max 1h, equal)", backoff.Exponential{Max: time.Hour, Jitter: backoff.Equal}, "exponential(100ms, x2, max 1h, equal)"},
		{"constant(1m, proportional 0.25)", backoff.Constant{Wait: time.Minute, Jitter: backoff.Proportional(0.25)}, ""},
		{"constant(0s, none)", backoff.Constant{Jitter: backoff.None}, ""},
		{"linear(1s, step 500ms, max 10s, none)", backoff.Linear{Base: sec, Step: 500 * ms, Max: 10 * sec, Jitter: backoff.None}, ""},
		{"linear(1s, step 0s)", backoff.Linear{Base: sec}, "linear(1s, step 0s, max 30s, full)"},
		{"fibonacci(50ms, max 1h30m, full)", backoff.Fibonacci{Base: 50 * ms, Max: 90 * time.Minute}, ""},
		{"decorrelated(5ms, max 2s)", backoff.Decorrelated{Base: 5 * ms, Max: 2 * sec}, ""},
	} {
		got, err := backoff.Parse(test.text)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("Parse(%q) = %#v, %v; want %#v", test.text, got, err, test.want)
			continue
		}
		want := test.print
		if want == "" {
			want = test.text
		}
		if got := fmt.Sprint(got); got != want {
			t.Errorf("Parse(%q) prints %q; want %q", test.text, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, says string }{
		{"", "unknown strategy"},
		{"exponental(1s)", `unknown strategy "exponental": want exponential`},
		{"custom", "unknown strategy"},
		{"exponential(1s", "closing parenthesis"},
		{"exponential(1s) 2", "closing parenthesis"},
		{"exponential((1s))", `argument "(1s)": want a duration`},
		{"exponential(1s,)", `argument "": want the duration first, then one of xMULTIPLIER, max MAX, a jitter`},
		{"exponential(100)", "want a duration such as 100ms"},
		{"exponential(-1s)", "not negative"},
		{"exponential(0s)", "above 0"},
		{"exponential(1s, 2s)", "want the duration first"},
		{"exponential(1s, x)", "want a multiplier"},
		{"exponential(1s, x0.5)", "want a multiplier"},
		{"exponential(1s, xNaN)", "want a multiplier"},
		{"exponential(1s, xInf)", "want a multiplier"},
		{"exponential(1s, max)", "want a duration such as"},
		{"exponential(1s, max 0s)", "above 0"},
		{"exponential(1s, step 1s)", "exponential takes a duration and xMULTIPLIER, max MAX, a jitter"},
		{"exponential(1s, full, none)", "given twice"},
		{"exponential(1s, proportional)", "with a fraction above 0"},
		{"exponential(1s, proportional 2)", "with a fraction above 0"},
		{"exponential(1s, proportional NaN)", "with a fraction above 0"},
		{"constant", "no wait"},
		{"constant(full)", "no wait"},
		{"linear(1s, step -1s)", "not negative"},
		{"decorrelated(1s, full)", "decorrelated takes a duration and max MAX"},
	} {
		got, err := backoff.Parse(test.text)
		if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), fmt.Sprintf("%q", test.text)) {
			t.Errorf("Parse(%q) = %v, %v; want an error with the text and %q", test.text, got, err, test.says)
		}
	}
}

func TestStringSpellsDefaultsOut(t *testing.T) {
	for _, test := range []struct {
		s    backoff.Strategy
		want string
	}{
		{backoff.Exponential{Base: -1, Multiplier: -1, Jitter: backoff.Proportional(3)}, "exponential(100ms, x2, max 30s, proportional 1)"},
		{backoff.Constant{Wait: -1}, "constant(0s, full)"},
		{backoff.Linear{Step: -1}, "linear(100ms, step 0s, max 30s, full)"},
		{backoff.Fibonacci{}, "fibonacci(100ms, max 30s, full)"},
		{backoff.Decorrelated{}, "decorrelated(100ms, max 30s)"},
		{backoff.Func(nil), "custom"},
		{backoff.Default(), "exponential(100ms, x2, max 30s, full)"},
	} {
		if got := fmt.Sprint(test.s); got != test.want {
			t.Errorf("%#v prints %q; want %q", test.s, got, test.want)
		}
	}
}

// Any text is refused or reads as a strategy that prints to itself and waits the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"exponential(100ms, x2, max 30s, full)", "constant(1s)", "linear(1s, step 1s, proportional 0.1)", "exponential(1s, x1e300)", "((", ",,", "x"} {
		f.Add(text, 3, 0.5)
	}
	f.Fuzz(func(t *testing.T, text string, n int, u float64) {
		s, err := backoff.Parse(text)
		if err != nil {
			return
		}
		again, err := backoff.Parse(fmt.Sprint(s))
		if err != nil {
			t.Fatalf("Parse(%q) prints %q, which does not parse: %v", text, s, err)
		}
		if fmt.Sprint(again) != fmt.Sprint(s) {
			t.Errorf("Parse(%q) prints %q, then %q", text, s, again)
		}
		a, b := s.Delay(n, sec, u), again.Delay(n, sec, u)
		if a < 0 || a != b {
			t.Errorf("%q waits %v, reprinted %v", text, a, b)
		}
	})
}

func ExampleParse() {
	s, err := backoff.Parse("exponential(50ms, max 2s)")
	fmt.Println(s, err)
	fmt.Println(s.Delay(1, 0, 0.5), s.Delay(2, 0, 0.5), s.Delay(100, 0, 0.5))

	_, err = backoff.Parse("exponential(50, max 2s)")
	fmt.Println(err)
	// Output:
	// exponential(50ms, x2, max 2s, full) <nil>
	// 25ms 50ms 1s
	// backoff "exponential(50, max 2s)": argument "50": want a duration such as 100ms or 1.5s
}

func ExampleFunc() {
	untilNextSlot := backoff.Func(func(n int, _ time.Duration, u float64) time.Duration {
		return time.Duration(n)*time.Second + time.Duration(u*float64(100*time.Millisecond))
	})
	fmt.Println(untilNextSlot.Delay(2, 0, 0.5))
	// Output: 2.05s
}
