package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/invopop/jsonschema"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// Named is a section with definitions by name.
type Named[T any] map[string]T

// errRange marks a value that would be right if it were larger or smaller.
var errRange = errors.New("out of range")

// A rangeError is such a value, with what is wrong.
type rangeError string

func (e rangeError) Error() string      { return string(e) }
func (rangeError) Is(target error) bool { return target == errRange }

// A scalar is a value with a text form of its own.
type scalar interface {
	parse(text string) error // says what is wrong, and what would be right
	noun() string
	String() string
}

// A Duration is above 0, and has its unit: 5s, 1m30s.
type Duration time.Duration

func (d *Duration) noun() string       { return "duration" }
func (d *Duration) std() time.Duration { return time.Duration(*d) }

func (d *Duration) parse(text string) error {
	v, err := duration(text)
	if err == nil && v == 0 {
		return rangeError("want more than 0; for no limit, leave the field out")
	}
	*d = Duration(v)
	return err
}

// String returns the text form: 1m rather than 1m0s.
func (d *Duration) String() string { return short(time.Duration(*d)) }

// JSONSchema is that of the text form.
func (Duration) JSONSchema() *jsonschema.Schema {
	s := DurationOrZero(0).JSONSchema()
	s.AllOf = []*jsonschema.Schema{{Pattern: `[1-9]`}}
	return s
}

// A DurationOrZero is a Duration where 0s has a meaning.
type DurationOrZero time.Duration

func (d *DurationOrZero) noun() string { return "duration" }

func (d *DurationOrZero) parse(text string) error {
	v, err := duration(text)
	*d = DurationOrZero(v)
	return err
}

// String returns the text form.
func (d *DurationOrZero) String() string { return short(time.Duration(*d)) }

// JSONSchema is that of the text form.
func (DurationOrZero) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"250ms", "5s", "1m30s"}}
}

// longestDuration is a year: what is longer is a mistake.
const longestDuration = 365 * 24 * time.Hour

func duration(text string) (time.Duration, error) {
	if text == "" || text[0] < '0' || text[0] > '9' {
		if strings.HasPrefix(text, "-") {
			return 0, rangeError("want one that is not negative")
		}
		return 0, errors.New(`write a number and a unit, such as "500ms" or "5s"`)
	}
	v, err := time.ParseDuration(text)
	switch {
	case err == nil && v > longestDuration:
		return 0, rangeError("want at most 8760h, a year")
	case err == nil:
		return v, nil
	}
	number, unit := split(text)
	together := number + unit
	_, whole := time.ParseDuration(strings.Join(strings.Fields(text), ""))
	switch {
	case strings.Trim(text, "0123456789.") == "" && whole != nil:
		return 0, fmt.Errorf(`say the unit: "%ss", or "%sms"`, text, text)
	case whole == nil:
		return 0, fmt.Errorf("write it without the space: %q", strings.Join(strings.Fields(text), ""))
	case unit == "d" || unit == "day" || unit == "days":
		if days, err := strconv.Atoi(number); err == nil && days < 366 {
			return 0, fmt.Errorf(`write days as hours: "%dh"`, 24*days)
		}
		return 0, errors.New("write days as hours")
	}
	for _, u := range [][2]string{{"sec", "s"}, {"min", "m"}, {"hour", "h"}, {"milli", "ms"}, {"micro", "us"}, {"hr", "h"}, {"S", "s"}, {"MS", "ms"}} {
		if strings.HasPrefix(unit, u[0]) {
			return 0, fmt.Errorf(`write it as "%s%s"`, number, u[1])
		}
	}
	if _, err := strconv.ParseFloat(number, 64); err == nil && together != "" && strings.Trim(unit, "nuµmsh") == "" {
		return 0, rangeError("want at most 8760h, a year")
	}
	if last := text[len(text)-1]; last >= '0' && last <= '9' {
		return 0, errors.New(`say the unit of the last number, too: "1h30m"`)
	}
	return 0, errors.New("the units are ns, us, ms, s, m and h")
}

// split parts a number from what follows it.
func split(text string) (number, unit string) {
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if i < 0 {
		i = len(text)
	}
	return text[:i], strings.TrimLeftFunc(text[i:], unicode.IsSpace)
}

func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// A Percent is a share: 50% is 0.5. It is above 0.
type Percent float64

func (p *Percent) noun() string { return "percentage" }

func (p *Percent) parse(text string) error {
	number, ok := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err != nil || strings.Trim(number, "0123456789. +-") != "":
		return errors.New(`write a number and a percent sign, such as "50%"`)
	case !ok && v > 0 && v <= 1:
		return fmt.Errorf(`say the unit: "%s%%"`, strconv.FormatFloat(100*v, 'g', 12, 64))
	case !ok:
		return fmt.Errorf(`say the unit: "%s%%"`, number)
	case strings.ContainsAny(number, " +"):
		return fmt.Errorf("write it as %q", strconv.FormatFloat(v, 'f', -1, 64)+"%")
	case v <= 0:
		return rangeError("want more than 0%")
	case v > 100:
		return rangeError("want at most 100%")
	}
	*p = Percent(v / 100)
	return nil
}

// String returns the text form.
func (p *Percent) String() string { return strconv.FormatFloat(100*float64(*p), 'g', 12, 64) + "%" }

// JSONSchema is that of the text form.
func (Percent) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Pattern: `^(100(\.0*)?|[0-9]?[0-9](\.[0-9]*)?|\.[0-9]+)%$`, Examples: []any{"50%"},
		AllOf: []*jsonschema.Schema{{Pattern: `[1-9]`}},
	}
}

// Bytes is a size with its unit: 16MiB.
type Bytes int64

func (b *Bytes) noun() string { return "size" }

var sizes = []struct {
	unit  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func (b *Bytes) parse(text string) error {
	number, unit := split(text)
	v, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		if strings.HasPrefix(text, "-") {
			return rangeError("want more than 0")
		}
		return errors.New(`write a whole number and a unit, such as "16MiB"`)
	}
	for _, s := range sizes {
		switch {
		case unit != s.unit:
			continue
		case text != number+unit:
			return fmt.Errorf("write it without the space: %q", number+unit)
		case v == 0:
			return rangeError("want more than 0")
		case v > math.MaxInt64/s.bytes || v*s.bytes > 1<<50:
			return rangeError("want at most 1024TiB")
		}
		*b = Bytes(v * s.bytes)
		return nil
	}
	if unit == "" {
		return fmt.Errorf(`say the unit: "%sB", or "%sMiB"`, number, number)
	}
	return errors.New("the units are B, KiB, MiB, GiB and TiB")
}

// String returns the text form, in the largest unit that divides it.
func (b *Bytes) String() string {
	for _, s := range sizes {
		if v := int64(*b); v >= s.bytes && v%s.bytes == 0 {
			return strconv.FormatInt(v/s.bytes, 10) + s.unit
		}
	}
	return "0B"
}

// JSONSchema is that of the text form.
func (Bytes) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^0*[1-9][0-9]*([KMGT]i)?B$`, Examples: []any{"16MiB"}}
}

// Attempts is a number of attempts, or unlimited.
type Attempts int

func (a *Attempts) noun() string { return "number of attempts" }

const mostAttempts = 1_000_000

func (a *Attempts) parse(text string) error {
	if text == "unlimited" {
		*a = retry.Unlimited
		return nil
	}
	v, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && v > mostAttempts:
		return rangeError("want at most 1000000, or unlimited")
	case err != nil || text != strconv.Itoa(v):
		return errors.New("want a whole number, or unlimited")
	case v < 1:
		return rangeError("want 1 or more: the first attempt counts")
	}
	*a = Attempts(v)
	return nil
}

// String returns the text form.
func (a *Attempts) String() string {
	if *a == retry.Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(int(*a))
}

// JSONSchema is a number or the word.
func (Attempts) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "1", Maximum: "1000000"}, {Const: "unlimited"}}}
}

// A Backoff is the text form of a strategy.
type Backoff struct{ backoff.Strategy }

func (b *Backoff) noun() string { return "backoff" }

func (b *Backoff) parse(text string) (err error) {
	b.Strategy, err = backoff.Parse(text)
	return err
}

// String returns the text form.
func (b *Backoff) String() string { return fmt.Sprint(b.Strategy) }

// JSONSchema names the strategies; what is between the parentheses is left to the loader.
func (Backoff) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Pattern: `^\s*(exponential|constant|linear|fibonacci|decorrelated)\s*(\(.*\)\s*)?$`,
		Examples: []any{"exponential(100ms, x2, max 30s, full)", "constant(1s, none)"},
	}
}
