package exchange

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A Confidence says how a fact is known.
type Confidence string

// The confidences, and their grades.
const (
	Doc      Confidence = "doc"      // A: the vendor's own documentation or SDK text
	Code     Confidence = "code"     // A: code or documentation of a maintained third party
	Tested   Confidence = "tested"   // A: shown by running the named software, or the venue's sandbox
	Reported Confidence = "reported" // B: a third party's statement, not read again at the vendor
	Recalled Confidence = "recalled" // C: general knowledge: verify before relying on it
	Design   Confidence = "design"   // a choice of this project, not a fact about a venue
)

var confidences = []Confidence{Doc, Code, Tested, Reported, Recalled, Design}

// A Source is where facts were read.
type Source struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Title   string `json:"title"`
	Version string `json:"version"`
}

// A Fact is the origin of what stands beside it.
type Fact struct {
	Src        []string   `json:"src"` // IDs of sources
	Confidence Confidence `json:"confidence"`

	independent int // sources that are neither memory nor a choice of this project
}

// Trusted says whether a fact may make this library less careful: permit a resend, a higher rate, a shorter wait, a
// shorter proof, or "this answer means not placed". It takes grade A, or grade B from two sources.
func (f Fact) Trusted() bool {
	switch f.Confidence {
	case Doc, Code, Tested:
		return true
	case Reported:
		return f.independent >= 2
	}
	return false
}

// A Claim is a fact with its place in the profile, such as "orders.fence" or "rest.limits[request_weight]".
type Claim struct {
	Path   string
	Fact   Fact
	Reason string // why an operator raised it to Tested; empty if nobody did
}

// Claims returns all facts of the profile in the order of the file.
func (p *Profile) Claims() []Claim {
	var claims []Claim
	eachFact(p, func(path string, f *Fact) { claims = append(claims, Claim{path, *f, p.raised[path]}) })
	return claims
}

// Raise returns a copy of the profile in which the facts at the given paths count as Tested. It is for operators who
// tested a fact at the venue, or take the risk; reasons, by path, must say which. The caller keeps the record of it.
func (p *Profile) Raise(reasons map[string]string) (*Profile, error) {
	return p.regrade(reasons, Tested)
}

// regrade returns a copy in which some facts have another confidence.
func (p *Profile) regrade(reasons map[string]string, c Confidence) (*Profile, error) {
	next := *p
	clone(reflect.ValueOf(&next).Elem())
	next.raised = make(map[string]string)
	for path, reason := range p.raised {
		next.raised[path] = reason
	}
	left := make(map[string]bool)
	var errs []error
	for path, reason := range reasons {
		left[path] = true
		if strings.TrimSpace(reason) == "" {
			errs = append(errs, fmt.Errorf("%s: says no reason", path))
		}
	}
	eachFact(&next, func(path string, f *Fact) {
		if reason, ok := reasons[path]; ok {
			f.Confidence = c
			next.raised[path] = reason
			delete(left, path)
		}
	})
	for path := range left {
		errs = append(errs, fmt.Errorf("%s: is no fact of %s", path, p.Exchange))
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, fmt.Errorf("exchange: raise: %w", errors.Join(errs...))
	}
	next.compile()
	return &next, nil
}

// weigh counts the independent sources of each fact.
func (p *Profile) weigh() {
	weak := map[string]bool{}
	for _, s := range p.Sources {
		weak[s.ID] = s.Kind == "memory" || s.Kind == "design"
	}
	eachFact(p, func(_ string, f *Fact) {
		src := slices.Clone(f.Src)
		slices.Sort(src)
		for _, id := range slices.Compact(src) {
			if !weak[id] {
				f.independent++
			}
		}
	})
}

// eachFact calls do for every fact below p, with its path.
func eachFact(p *Profile, do func(path string, f *Fact)) {
	walk("", reflect.ValueOf(p).Elem(), do)
}

var factType = reflect.TypeFor[Fact]()

func walk(path string, v reflect.Value, do func(string, *Fact)) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			switch {
			case field.Type == factType:
				do(path, v.Field(i).Addr().Interface().(*Fact))
			case field.IsExported():
				walk(join(path, tagName(field)), v.Field(i), do)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			name := fmt.Sprint(i)
			if e := v.Index(i); e.Kind() == reflect.Struct && e.FieldByName("ID").IsValid() {
				name = e.FieldByName("ID").String()
			}
			walk(path+"["+name+"]", v.Index(i), do)
		}
	}
}

// clone gives every slice below v, and so every fact, a place of its own.
func clone(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clone(v.Field(i))
			}
		}
	case reflect.Slice:
		s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(s, v)
		v.Set(s)
		for i := range v.Len() {
			clone(v.Index(i))
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// tagName is the name of a field in JSON.
func tagName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
