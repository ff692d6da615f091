//go:build unix

package rerun

import (
	"math"
	"strings"
	"testing"
)

func TestParseSize(t *testing.T) {
	for _, test := range []struct {
		text string
		want int64
		err  string
	}{
		{text: "16MiB", want: 16 << 20},
		{text: "0B", want: 0},
		{text: "12B", want: 12},
		{text: "3kB", want: 3000},
		{text: "3KiB", want: 3072},
		{text: "1TB", want: 1e12},
		{text: "9223372036854775807B", want: math.MaxInt64},
		{text: "8388607TiB", want: 8388607 << 40},
		{text: "8388608TiB", err: "too large"},
		{text: "9223372036854775808B", err: "too large"},
		{text: "99999999999999999999MiB", err: "too large"},
		{text: "16", err: "a unit"},
		{text: "", err: "a unit"},
		{text: "16M", err: "a unit"},
		{text: "16mib", err: "a unit"},
		{text: "16 MiB", err: "without a space"},
		{text: "-1MiB", err: "whole number"},
		{text: "1.5MiB", err: "whole number"},
		{text: "MiB", err: "a number before"},
	} {
		got, err := ParseSize(test.text)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("ParseSize(%q) = %d, %v; want %d, %q", test.text, got, err, test.want, test.err)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 1: "1B", 1000: "1000B", 1024: "1KiB", 16 << 20: "16MiB", 3 << 40: "3TiB"} {
		if got := FormatSize(n); got != want {
			t.Errorf("FormatSize(%d) = %s; want %s", n, got, want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, text := range []string{"", "B", "16MiB", "16", "1.5GB", "8388608TiB", "9223372036854775807B"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if n < 0 || err != nil && n != 0 {
			t.Errorf("ParseSize(%q) = %d, %v", text, n, err)
		}
		if err != nil {
			return
		}
		if again, err := ParseSize(FormatSize(n)); err != nil || again != n {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", FormatSize(n), again, err, n)
		}
	})
}
