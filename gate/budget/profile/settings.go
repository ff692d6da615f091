package profile

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// set writes settings of the form name=value into fields, and returns what could not be read. Here
// a zero is a zero: where a field has a range without it, it is a mistake.
func set(fields []field, settings []string) error {
	var errs []error
	for _, s := range settings {
		if err := setOne(fields, s); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func setOne(fields []field, setting string) error {
	name, value, _ := strings.Cut(setting, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	for _, f := range fields {
		if strings.EqualFold(f.name, name) {
			return f.set(value)
		}
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return fmt.Errorf("%s: no such field: want one of %s", name, strings.Join(names, ", "))
}

func (f field) set(value string) error {
	var err error
	zero := false
	switch at := f.at.(type) {
	case *int:
		if *at, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("%s: %q is not a whole number", f.name, value)
		}
		if zero = *at == 0; zero && f.none {
			*at = f.zero()
		}
	case *float64:
		if *at, err = strconv.ParseFloat(value, 64); err != nil {
			return fmt.Errorf("%s: %q is not a number", f.name, value)
		}
		if zero = *at == 0; zero && f.none {
			*at = float64(f.zero())
		}
	case *time.Duration:
		if *at, err = time.ParseDuration(value); err != nil {
			return fmt.Errorf("%s: %q is not a duration such as 100ms or 10s", f.name, value)
		}
		zero = *at == 0
	case *bool:
		if *at, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%s: %q is neither true nor false", f.name, value)
		}
	}
	if zero && !f.none {
		return f.mistake("0")
	}
	return nil
}

// zero is what spells zero in a field that may be zero.
func (f field) zero() int { return cmp.Or(f.spelled, None) }
