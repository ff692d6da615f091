//go:build unix

package rerun

import (
	"strings"
	"testing"
)

func TestParseCodes(t *testing.T) {
	for _, test := range []struct {
		text, want, err string
	}{
		{text: "1", want: "1"},
		{text: "255", want: "255"},
		{text: "1,75,100-110", want: "1,75,100-110"},
		{text: "3,1,2", want: "1-3"},
		{text: "64,63,5-5,63", want: "5,63,64"},
		{text: "1-255", want: "1-255"},
		{text: "007", want: "7"},
		{text: "", err: "want codes and ranges"},
		{text: "1,", err: "want codes and ranges"},
		{text: "-", err: "want codes and ranges"},
		{text: "5-", err: "want codes and ranges"},
		{text: "-5", err: "want codes and ranges"},
		{text: "1 ,2", err: "want codes and ranges"},
		{text: "+1", err: "want codes and ranges"},
		{text: "1-2-3", err: "want codes and ranges"},
		{text: "x", err: "want codes and ranges"},
		{text: "0", err: "0 is success"},
		{text: "0-5", err: "0 is success"},
		{text: "256", err: "at most 255"},
		{text: "99999999999999999999", err: "at most 255"},
		{text: "9-3", err: "write 3-9"},
	} {
		c, err := ParseCodes(test.text)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || !c.Empty() {
				t.Errorf("ParseCodes(%q) = %v, %v; want nothing and an error with %q", test.text, c, err, test.err)
			}
			continue
		}
		if err != nil || c.String() != test.want {
			t.Errorf("ParseCodes(%q) = %v, %v; want %s", test.text, c, err, test.want)
		}
	}
}

func TestCodesHas(t *testing.T) {
	c, err := ParseCodes("1,64-66,255")
	if err != nil {
		t.Fatal(err)
	}
	for code := -1; code < 300; code++ {
		want := code == 1 || 64 <= code && code <= 66 || code == 255
		if got := c.Has(code); got != want {
			t.Errorf("Has(%d) = %v; want %v", code, got, want)
		}
	}
}

func FuzzParseCodes(f *testing.F) {
	for _, text := range []string{"", "1", "1,75,100-110", "0-5", "9-3", "1-255", ",", "--", "256"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCodes(text)
		if err != nil {
			if !c.Empty() {
				t.Errorf("ParseCodes(%q) = %v and an error", text, c)
			}
			return
		}
		if c.Empty() || c.Has(0) || c.Has(256) {
			t.Errorf("ParseCodes(%q) = %v", text, c)
		}
		if again, err := ParseCodes(c.String()); err != nil || again != c {
			t.Errorf("ParseCodes(%q) = %v, %v; want what it was printed from", c, again, err)
		}
	})
}
