package exchange

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// shapeOf compares decoded JSON with the struct it is for, and returns every field that is missing or unknown.
func shapeOf(tree any, into any) []error {
	var errs []error
	shape("", tree, reflect.TypeOf(into).Elem(), func(path, text string) {
		errs = append(errs, fmt.Errorf("%s: %s", path, text))
	})
	return errs
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func shape(path string, v any, t reflect.Type, complain func(path, text string)) {
	switch t.Kind() {
	case reflect.Pointer:
		if v != nil {
			shape(path, v, t.Elem(), complain)
		}
	case reflect.Slice:
		if list, ok := v.([]any); ok {
			for i, e := range list {
				shape(fmt.Sprintf("%s[%d]", path, i), e, t.Elem(), complain)
			}
		} else if !reflect.PointerTo(t).Implements(unmarshaler) {
			complain(path, "is no list")
		}
	case reflect.Struct:
		m, ok := v.(map[string]any)
		if !ok {
			complain(path, "is no object")
			return
		}
		known := make(map[string]bool)
		fields(t, func(f reflect.StructField) {
			name := tagName(f)
			known[name] = true
			if e, ok := m[name]; ok {
				shape(join(path, name), e, f.Type, complain)
			} else if !strings.Contains(f.Tag.Get("json"), ",omit") {
				complain(join(path, name), "is missing")
			}
		})
		var unknown []string
		for name := range m {
			if !known[name] {
				unknown = append(unknown, name)
			}
		}
		slices.Sort(unknown)
		for _, name := range unknown {
			complain(join(path, name), "is unknown")
		}
	}
}

// fields calls do for the fields that JSON sees, those of embedded structs included.
func fields(t reflect.Type, do func(reflect.StructField)) {
	for i := range t.NumField() {
		switch f := t.Field(i); {
		case f.Anonymous:
			fields(f.Type, do)
		case f.IsExported():
			do(f)
		}
	}
}
