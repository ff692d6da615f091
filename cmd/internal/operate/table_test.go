package operate

import (
	"strings"
	"testing"
	"time"
)

func TestTexts(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"no time", span(-time.Second), "0s"},
		{"seconds", span(59900 * time.Millisecond), "59s"},
		{"minutes", span(61 * time.Second), "1m01s"},
		{"hours", span(47*time.Hour + 59*time.Minute), "47h59m"},
		{"days", span(50 * time.Hour), "2d02h"},
		{"three digits", many(999), "999"},
		{"four digits", many(1000), "1,000"},
		{"seven digits", many(1234567), "1,234,567"},
		{"below zero", many(-1234), "-1,234"},
		{"three below zero", many(-123), "-123"},
		{"a word", quoted("a/b-C_1.x%20"), "a/b-C_1.x%20"},
		{"two words", quoted("a b"), "'a b'"},
		{"nothing", quoted(""), "''"},
		{"a quote", quoted("it's $x"), `'it'\''s $x'`},
		{"short enough", cut("äöü", 3), "äöü"},
		{"too long", cut("äöüß", 3), "äö…"},
		{"all but one", percent(.99999), "99.9%"},
		{"all", percent(1), "100.0%"},
		{"fast", rate(1234.5), "1,235"},
		{"slow", rate(.04), "0.0"},
		{"wrapped", strings.Join(wrap("aa bb  cc dd", 7, 2), "|"), "  aa bb|  cc dd"},
		{"a long word", strings.Join(wrap("aaaaaaaaaa b", 5, 0), "|"), "aaaaa|aaaaa|b"},
		{"wrapped without a width", strings.Join(wrap("aa bb", 0, 1), "|"), " aa bb"},
		{"nothing wrapped", strings.Join(wrap("", 5, 1), "|"), ""},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q; want %q", test.name, test.got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	rows := &table{Indent: 1, Flex: 0, Wrap: true}
	rows.add(text("a long name"), number("1"), text("words that go on and on until the end"))
	rows.add(text("b"), number("22"), text(""))
	for width, want := range map[int]string{
		0:  " a long name   1  words that go on and on until the end\n b            22",
		40: " a long n…   1  words that go on and on\n                until the end\n b          22",
		20: " a long …   1  word…\n b         22",
	} {
		if got := strings.Join(rows.lines(width), "\n"); got != want {
			t.Errorf("width %d:\n%s\nwant\n%s", width, got, want)
		}
	}
}

func TestShellCompletes(t *testing.T) {
	for args, want := range map[string]string{"stop a --state": "risk-reducing\n", "orders --state": "parked\n"} {
		_, out, _ := relent(t, append(append([]string{"__complete"}, strings.Fields(args)...), "")...)
		has(t, out, want)
	}
}
