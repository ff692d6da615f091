package config

import (
	"cmp"
	"slices"
)

// suggest returns up to three of the names that somebody may have meant by name, the closest first:
// one mistake in a name of up to four letters, two in a longer one.
func suggest(name string, names []string) []string {
	typed := []rune(name)
	most := 2
	if len(typed) <= 4 {
		most = 1
	}
	type near struct {
		name     string
		distance int
	}
	var found []near
	for _, n := range names {
		if d := distance(typed, []rune(n), most); d <= most && n != name {
			found = append(found, near{n, d})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	var best []string
	for _, f := range found[:min(3, len(found))] {
		best = append(best, f.name)
	}
	return best
}

// distance is that of Damerau and Levenshtein, where no part of a text is edited twice: how many letters are to be
// inserted, deleted, replaced or swapped with their neighbour. Beyond most it returns most+1.
func distance(a, b []rune, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most || len(a) > 200 {
		return most + 1
	}
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
			least = min(least, now[j])
		}
		if least > most {
			return most + 1
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
