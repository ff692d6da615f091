package config

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestScalars(t *testing.T) {
	for _, test := range []struct {
		to    scalar
		text  string
		want  string // printed again; or what is wrong
		wrong bool
		limit bool // out of range
	}{
		{new(Duration), "5s", "5s", false, false},
		{new(Duration), "1m0s", "1m", false, false},
		{new(Duration), "3600s", "1h", false, false},
		{new(Duration), "1h30m", "1h30m", false, false},
		{new(Duration), ".5s", `write a number and a unit`, true, false},
		{new(Duration), "0s", "want more than 0", true, true},
		{new(DurationOrZero), "0s", "0s", false, false},
		{new(Duration), "-5s", "not negative", true, true},
		{new(Duration), "5", `say the unit: "5s", or "5ms"`, true, false},
		{new(Duration), "2 s", `write it without the space: "2s"`, true, false},
		{new(Duration), "1h 30m", `write it without the space: "1h30m"`, true, false},
		{new(Duration), "3d", `write days as hours: "72h"`, true, false},
		{new(Duration), "1.5 days", "write days as hours", true, false},
		{new(Duration), "5 sec", `write it as "5s"`, true, false},
		{new(Duration), "2min", `write it as "2m"`, true, false},
		{new(Duration), "2hrs", `write it as "2h"`, true, false},
		{new(Duration), "5S", `write it as "5s"`, true, false},
		{new(Duration), "1h30", `say the unit of the last number, too`, true, false},
		{new(Duration), "5 parsecs", "the units are ns, us, ms, s, m and h", true, false},
		{new(Duration), "9000h", "want at most 8760h", true, true},
		{new(Duration), "99999999999999999999h", "want at most 8760h", true, true},
		{new(Duration), "", "write a number and a unit", true, false},
		{new(Percent), "50%", "50%", false, false},
		{new(Percent), "0.1%", "0.1%", false, false},
		{new(Percent), "100%", "100%", false, false},
		{new(Percent), "33.3%", "33.3%", false, false},
		{new(Percent), "0.5", `say the unit: "50%"`, true, false},
		{new(Percent), "50", `say the unit: "50%"`, true, false},
		{new(Percent), "5 %", `write it as "5%"`, true, false},
		{new(Percent), "0%", "more than 0%", true, true},
		{new(Percent), "-1%", "more than 0%", true, true},
		{new(Percent), "101%", "at most 100%", true, true},
		{new(Percent), "1e1%", "write a number and a percent sign", true, false},
		{new(Percent), "NaN%", "write a number and a percent sign", true, false},
		{new(Bytes), "16MiB", "16MiB", false, false},
		{new(Bytes), "1024KiB", "1MiB", false, false},
		{new(Bytes), "7B", "7B", false, false},
		{new(Bytes), "16 MiB", `without the space: "16MiB"`, true, false},
		{new(Bytes), "16", `say the unit: "16B", or "16MiB"`, true, false},
		{new(Bytes), "16MB", "the units are", true, false},
		{new(Bytes), "0B", "more than 0", true, true},
		{new(Bytes), "-1B", "more than 0", true, true},
		{new(Bytes), "2000TiB", "at most 1024TiB", true, true},
		{new(Bytes), "9223372036854775807TiB", "at most 1024TiB", true, true},
		{new(Bytes), "much", "write a whole number and a unit", true, false},
		{new(Attempts), "3", "3", false, false},
		{new(Attempts), "unlimited", "unlimited", false, false},
		{new(Attempts), "0", "1 or more", true, true},
		{new(Attempts), "1000001", "at most 1000000", true, true},
		{new(Attempts), "99999999999999999999", "at most 1000000", true, true},
		{new(Attempts), "0x10", "a whole number", true, false},
		{new(Attempts), "+3", "a whole number", true, false},
		{new(Backoff), "constant(1s)", "constant(1s, full)", false, false},
		{new(Backoff), "linear()", "linear(100ms, step 0s, max 30s, full)", false, false},
		{new(Backoff), "constant()", "no wait", true, false},
	} {
		err := test.to.parse(test.text)
		switch {
		case test.wrong && (err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, errRange) != test.limit):
			t.Errorf("%T of %q: %v; want %q, out of range %v", test.to, test.text, err, test.want, test.limit)
		case !test.wrong && (err != nil || test.to.String() != test.want):
			t.Errorf("%T of %q = %s, %v; want %s", test.to, test.text, test.to, err, test.want)
		}
	}
	if text := (new(Bytes)).String(); text != "0B" {
		t.Errorf("no bytes: %s", text)
	}
}

// What the patterns of the schema take and refuse is what the loader does.
func TestPatternsAgree(t *testing.T) {
	texts := []string{"5s", "0s", "0.0s", "-5s", "1h30m", "5", "", "2 s", "1.5h", "1.s", "50%", "0%", "100%", "100.1%", "101%", "0.5%", "00.5%", "5.%", "%", ".5%", "16MiB", "0B", "1B", "01KiB", "1KB", "16"}
	for _, test := range []struct {
		make func() scalar
		all  []string
	}{
		{func() scalar { return new(Duration) }, patterns(Duration(0).JSONSchema().Pattern, Duration(0).JSONSchema().AllOf[0].Pattern)},
		{func() scalar { return new(DurationOrZero) }, patterns(DurationOrZero(0).JSONSchema().Pattern)},
		{func() scalar { return new(Percent) }, patterns(Percent(0).JSONSchema().Pattern, Percent(0).JSONSchema().AllOf[0].Pattern)},
		{func() scalar { return new(Bytes) }, patterns(Bytes(0).JSONSchema().Pattern)},
	} {
		for _, text := range texts {
			value := test.make()
			loader := value.parse(text) == nil
			schema := true
			for _, p := range test.all {
				schema = schema && regexp.MustCompile(p).MatchString(text)
			}
			if loader != schema {
				t.Errorf("%T of %q: the loader takes it: %v, the schema: %v", value, text, loader, schema)
			}
		}
	}
}

func patterns(all ...string) []string { return all }

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"halt", "halt", 0}, {"hatl", "halt", 1}, {"hlat", "halt", 1}, {"hal", "halt", 1}, {"halts", "halt", 1},
		{"max_attemps", "max_attempts", 1}, {"abcdef", "badcfe", 3}, {"abc", "xyz", 3}, {"abc", "abcdef", 3}, {"取引", "取引所", 1},
	} {
		if got := distance([]rune(test.a), []rune(test.b), 2); got != test.want {
			t.Errorf("distance(%q, %q) = %d; want %d", test.a, test.b, got, test.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"max_attempts", "max_elapsed", "max_hint", "cost", "gates", "coast", "coats", "boast", "coasters"}
	for name, want := range map[string]string{
		"max_attemps": "max_attempts",
		"max_atemps":  "max_attempts",
		"cots":        "coats cost",
		"czzt":        "", // two mistakes in four letters
		"nothing":     "",
		"coasts":      "coast coats boast", // the closest first, then by name, at most three
	} {
		if got := strings.Join(suggest(name, names), " "); got != want {
			t.Errorf("suggest(%q) = %q; want %q", name, got, want)
		}
	}
}
