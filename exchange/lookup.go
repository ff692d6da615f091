package exchange

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
)

// decode reads JSON, numbers as they are written. It is false for anything but one whole value.
func decode(data []byte) (any, bool) {
	if len(data) == 0 {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	if d.Decode(&tree) != nil {
		return nil, false
	}
	if _, err := d.Token(); err != io.EOF { // More would take a bracket for the end of something
		return nil, false
	}
	return tree, true
}

// lookup calls do for each scalar at a path, and says whether a list was on the way.
func lookup(tree any, path []string, do func(value string)) (many bool) {
	switch v := tree.(type) {
	case map[string]any:
		if len(path) > 0 {
			return lookup(v[path[0]], path[1:], do)
		}
	case []any:
		if len(path) > 0 {
			if i, err := strconv.Atoi(path[0]); err == nil {
				if i >= 0 && i < len(v) {
					return lookup(v[i], path[1:], do)
				}
				return false
			}
		}
		for _, e := range v {
			lookup(e, path, do)
		}
		return len(v) > 1
	case string:
		if len(path) == 0 {
			do(v)
		}
	case json.Number:
		if len(path) == 0 {
			do(v.String())
		}
	case bool:
		if len(path) == 0 {
			do(strconv.FormatBool(v))
		}
	}
	return false
}

// first returns the first scalar that is not empty at any of the paths.
func first(tree any, paths [][]string) string {
	found := ""
	for _, path := range paths {
		lookup(tree, path, func(value string) {
			if found == "" {
				found = value
			}
		})
		if found != "" {
			return found
		}
	}
	return ""
}
