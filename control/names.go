package control

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Errors of names.
var (
	ErrUnknown       = errors.New("unknown")           // there is nothing of this name
	ErrUnknownPolicy = errors.New("no such operation") // matches ErrUnknown, too
	ErrDuplicate     = errors.New("registered already")
	ErrUnnamed       = errors.New("has no name")
)

// insert adds v under a name that must be new.
func insert[T any](m *map[string]T, kind, name string, v T) error {
	switch _, exists := (*m)[name]; {
	case name == "":
		return fmt.Errorf("%s %w: give it one", kind, ErrUnnamed)
	case exists:
		return fmt.Errorf("%s %q is %w: choose another name", kind, name, ErrDuplicate)
	}
	if *m == nil {
		*m = make(map[string]T)
	}
	(*m)[name] = v
	return nil
}

// find returns what is under a name, or an error that lists the names there are.
func find[T any](m map[string]T, kind, name string) (T, error) {
	v, ok := m[name]
	if !ok {
		return v, unknown(kind, name, slices.Sorted(maps.Keys(m)))
	}
	return v, nil
}

const mostListed = 20 // names in an error

func unknown(kind, name string, known []string) error {
	err := fmt.Errorf("%w %s %q", ErrUnknown, kind, name)
	if similar := similar(name, known); len(similar) > 0 {
		return fmt.Errorf("%w; did you mean %s?", err, strings.Join(similar, " or "))
	}
	switch n := len(known); {
	case n == 0:
		return fmt.Errorf("%w; none is registered", err)
	case n > mostListed:
		return fmt.Errorf("%w; known are %s and %d more", err, strings.Join(known[:mostListed], ", "), n-mostListed)
	}
	return fmt.Errorf("%w; known are %s", err, strings.Join(known, ", "))
}

// similar returns at most three names that a slip of the pen could have turned into name, the closest first.
func similar(name string, known []string) []string {
	most := 2
	if len(name) <= 4 {
		most = 1
	}
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	for _, k := range known {
		if d := distance(name, k); d <= most {
			found = append(found, candidate{fmt.Sprintf("%q", k), d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.far - b.far })
	var names []string
	for _, c := range found[:min(3, len(found))] {
		names = append(names, c.name)
	}
	return names
}

// distance counts the letters to insert, delete, replace or swap with their neighbour (Damerau–Levenshtein, each
// letter once). Names are short.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if d := len(x) - len(y); d > 2 || d < -2 {
		return 3
	}
	var before, last []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before, last, row = last, row, make([]int, len(y)+1)
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(y)]
}
