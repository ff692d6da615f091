//go:build unix

package rerun

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/relent-go/relent/backoff"
)

// A value is a flag whose text is checked as it is read. It implements pflag.Value.
type value struct {
	kind string // in the help: "--backoff STRATEGY"
	text string // what was set, or the default
	read func(text string) error
}

func (v *value) String() string { return v.text }
func (v *value) Type() string   { return v.kind }

// Set reads text.
func (v *value) Set(text string) error {
	if err := v.read(text); err != nil {
		return err
	}
	v.text = text
	return nil
}

// count reads a whole number between least and most.
func count(to *int, least, most int) func(string) error {
	return func(text string) error {
		n, err := strconv.Atoi(text)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return errors.New("too large")
		case err != nil:
			return errors.New("want a whole number")
		case n < least:
			return fmt.Errorf("want %d or more", least)
		case n > most:
			return fmt.Errorf("want at most %d", most)
		}
		*to = n
		return nil
	}
}

// duration reads a duration above 0 with its unit. Leaving the flag out is the way to say "none".
func duration(to *time.Duration) func(string) error {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		switch {
		case err != nil:
			return errors.New("want a duration with its unit, such as 500ms or 5s")
		case d <= 0:
			return errors.New("want more than 0")
		}
		*to = d
		return nil
	}
}

// codes reads a list of exit codes; a flag given twice adds to itself.
func codes(to *Codes) func(string) error {
	return func(text string) error {
		c, err := ParseCodes(text)
		*to = to.Union(c)
		return err
	}
}

func size(to *int64) func(string) error {
	return func(text string) error {
		n, err := ParseSize(text)
		if err == nil && n == 0 {
			err = errors.New("want more than 0, or --stdin none")
		}
		if err == nil {
			*to = n
		}
		return err
	}
}

func expression(to **regexp.Regexp) func(string) error {
	return func(text string) error {
		re, err := regexp.Compile(text)
		if err == nil {
			*to = re
		}
		return err
	}
}

func strategy(to *backoff.Strategy) func(string) error {
	return func(text string) error {
		s, err := backoff.Parse(text)
		if err == nil {
			*to = s
		}
		return err
	}
}

// choice reads one of words.
func choice[S ~string](to *S, words ...S) func(string) error {
	return func(text string) error {
		for _, w := range words {
			if text == string(w) {
				*to = w
				return nil
			}
		}
		return fmt.Errorf("want one of %v", words)
	}
}
