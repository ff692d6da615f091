package idempotent_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/relent-go/relent/guard/idempotent"
	"github.com/relent-go/relent/guard/idempotent/idempotenttest"
	"github.com/relent-go/relent/retry"
)

func TestParseHeader(t *testing.T) {
	for _, test := range []struct {
		value, want string
		err         error
	}{
		{`"8e03978e-40d5-43dd-bc93-6894a57f9324"`, "8e03978e-40d5-43dd-bc93-6894a57f9324", nil},
		{`  "a b"	`, "a b", nil},
		{`"a\"b\\c"`, `a"b\c`, nil},
		{`" "`, " ", nil},
		{`""`, "", idempotent.ErrNoKey},
		{``, "", idempotent.ErrHeader},
		{`"`, "", idempotent.ErrHeader},
		{`abc`, "", idempotent.ErrHeader},
		{`'abc'`, "", idempotent.ErrHeader},
		{`"abc`, "", idempotent.ErrHeader},
		{`abc"`, "", idempotent.ErrHeader},
		{`"a"b"`, "", idempotent.ErrHeader},
		{`"a", "b"`, "", idempotent.ErrHeader},
		{`"a";p=1`, "", idempotent.ErrHeader},
		{`"a\n"`, "", idempotent.ErrHeader},
		{`"a\"`, "", idempotent.ErrHeader},
		{`"ä"`, "", idempotent.ErrHeader},
		{"\"a\x7fb\"", "", idempotent.ErrHeader},
		{"\"a\tb\"", "", idempotent.ErrHeader},
		{`:YWJj:`, "", idempotent.ErrHeader},
	} {
		got, err := idempotent.ParseHeader(test.value)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("ParseHeader(%q) = %q, %v; want %q, %v", test.value, got, err, test.want, test.err)
		}
		if err != nil && retry.DefaultClassify(err) != retry.Permanent {
			t.Errorf("ParseHeader(%q): %v is %v; want permanent", test.value, err, retry.DefaultClassify(err))
		}
	}
}

func TestFormatHeader(t *testing.T) {
	for key, want := range map[string]string{
		"":      "",
		"a":     `"a"`,
		`a"\`:   `"a\"\\"`,
		"ä":     `"33e6d73fee82904c8d7afb78de1154d1e8dc2a0edb08120e63df5b9385c2d9cc"`,
		"a\x00": `"ffe9aaeaa2a2d5048174df0b80599ef0197ec024c4b051bc9860cff58ef7f9f3"`,
	} {
		if got := idempotent.FormatHeader(key); got != want {
			t.Errorf("FormatHeader(%q) = %s; want %s", key, got, want)
		}
	}
	if idempotent.FormatHeader("ä") == idempotent.FormatHeader("ö") {
		t.Error("two keys have one field value")
	}
	if h := idempotent.Header(t.Context()); h != "" {
		t.Errorf("Header outside of a guard = %q; want none", h)
	}
	guard(&idempotenttest.Model{}).Call(t.Context(), order{Key: "k"}, func(ctx context.Context, _ order) (int, error) {
		if h := idempotent.Header(ctx); h != `"k"` {
			t.Errorf("Header = %s; want %q", h, `"k"`)
		}
		return 0, nil
	})
}

// A key survives the wire, and nothing that is not a key is taken for one.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"", `"`, `"a"`, `"a\"b"`, `"a\`, "ä", "\x00", `"a";b`, " \"a\" "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if key, err := idempotent.ParseHeader(s); err == nil {
			if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("ParseHeader(%q) = %q; want visible ASCII", s, key)
			}
			if again, err := idempotent.ParseHeader(idempotent.FormatHeader(key)); again != key || err != nil {
				t.Errorf("%q became %q, %v on the wire", key, again, err)
			}
		} else if key != "" {
			t.Errorf("ParseHeader(%q) = %q with %v; want no key", s, key, err)
		}
		value := idempotent.FormatHeader(s)
		if key, err := idempotent.ParseHeader(value); s != "" && (err != nil || key == "") {
			t.Errorf("FormatHeader(%q) = %s, which reads as %q, %v", s, value, key, err)
		}
		if strings.ContainsAny(value, "\r\n\x00") || http.CanonicalHeaderKey(value) == "" && s != "" {
			t.Errorf("FormatHeader(%q) = %q, which no field can hold", s, value)
		}
	})
}
