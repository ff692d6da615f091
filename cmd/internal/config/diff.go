package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A Change is one field that differs between two files.
type Change struct {
	Path    string `json:"path"`
	From    string `json:"from,omitempty"` // empty: not given; *** if it is secret
	To      string `json:"to,omitempty"`
	Restart bool   `json:"needs_restart,omitempty"` // cannot be changed while the program runs
}

// Diff returns what differs from a to b, in the order of the format; names are in alphabetical order.
func Diff(a, b *Content) []Change {
	from, to := flatten(a), flatten(b)
	both := map[string]string{} // path by key
	for _, entries := range []map[string]entry{from, to} {
		for key, e := range entries {
			both[key] = dotted(e.path)
		}
	}
	var changes []Change
	for _, key := range slices.Sorted(maps.Keys(both)) {
		if path := both[key]; from[key].text != to[key].text {
			changes = append(changes, Change{Path: path, From: from[key].shown(), To: to[key].shown(), Restart: fixed(path)})
		}
	}
	return changes
}

// fixed says that a field cannot be changed while the program runs.
func fixed(path string) bool {
	switch path {
	case "server.listen", "server.store", "audit.dir", "adaptive.state_file":
		return true
	}
	section, rest, _ := strings.Cut(path, ".")
	if section != "proxy" {
		return section == "halt" // a tree in use is not modified
	}
	// Listeners and what they share stay; routes, and how long clients may take, are looked up for each request.
	return !strings.HasPrefix(rest, "routes[") && rest != "max_hops" && rest != "client_idle" && rest != "drain"
}

// An entry is one field that a file gives, as text.
type entry struct {
	path, text string
	secret     bool
}

func (e entry) shown() string {
	if e.secret && e.text != "" {
		return mask
	}
	return e.text
}

// flatten returns the fields that a file gives, by keys that sort in the order of the format.
func flatten(c *Content) map[string]entry {
	all := map[string]entry{}
	collect("", "", reflect.ValueOf(c).Elem(), &field{}, all)
	return all
}

func collect(key, path string, v reflect.Value, f *field, all map[string]entry) {
	add := func(text string) { all[key] = entry{path, text, f.secret} }
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return
		}
		v = v.Elem()
		if v.IsZero() && v.Kind() != reflect.Struct {
			if s, ok := v.Addr().Interface().(scalar); ok {
				add(s.String())
			} else {
				add("0")
			}
			return
		}
	} else if v.IsZero() && v.Kind() != reflect.Struct {
		return
	}
	if s, ok := v.Addr().Interface().(scalar); ok {
		add(s.String())
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		n := len(all)
		for _, row := range tableOf(v.Type()).fields {
			collect(join(key, fmt.Sprintf("%03d", row.index)), join(path, row.name), v.Field(row.index), &row, all)
		}
		if len(all) == n && path != "" {
			add("{}")
		}
	case reflect.Map:
		for _, name := range sortedKeys(v) {
			item := reflect.New(v.Type().Elem()).Elem()
			item.Set(v.MapIndex(reflect.ValueOf(name)))
			collect(join(key, name), join(path, name), item, &field{}, all)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				collect(join(key, fmt.Sprintf("[%06d]", i)), join(path, fmt.Sprintf("[%d]", i)), v.Index(i), &field{}, all)
			}
			return
		}
		var items []string
		for i := range v.Len() {
			items = append(items, v.Index(i).String())
		}
		add("[" + strings.Join(items, ", ") + "]")
	case reflect.Bool:
		add("true")
	case reflect.Int:
		add(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		add(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	default:
		add(v.String())
	}
}

func sortedKeys(v reflect.Value) []string {
	names := Named[struct{}]{}
	for _, key := range v.MapKeys() {
		names[key.String()] = struct{}{}
	}
	return sorted(names)
}
