package config

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// A field is one row of a table: what the tags of a struct's field say.
type field struct {
	name     string
	index    int
	required bool
	least    *float64
	most     *float64
	words    []string // the only values
	secret   bool     // never printed
	env      bool     // may name environment variables
	names    string   // what sort of names a section has, for its keys
}

// A table holds the fields of one struct, in their order.
type table struct {
	fields []field
	byName map[string]*field
	names  []string
}

var tables sync.Map // reflect.Type to *table

// tableOf returns the table of a struct, derived once.
func tableOf(t reflect.Type) *table {
	if known, ok := tables.Load(t); ok {
		return known.(*table)
	}
	made := &table{byName: map[string]*field{}}
	for i := range t.NumField() {
		f := t.Field(i)
		row := field{name: f.Tag.Get("yaml"), index: i}
		for part := range strings.SplitSeq(f.Tag.Get("jsonschema"), ",") {
			key, value, _ := strings.Cut(part, "=")
			switch key {
			case "required":
				row.required = true
			case "minimum":
				row.least = number(value)
			case "maximum":
				row.most = number(value)
			case "enum":
				row.words = append(row.words, value)
			}
		}
		for part := range strings.SplitSeq(f.Tag.Get("check"), ",") {
			switch part {
			case "secret":
				row.secret = true
			case "env":
				row.env = true
			default:
				row.names = part
			}
		}
		made.fields = append(made.fields, row)
		made.names = append(made.names, row.name)
	}
	for i := range made.fields {
		made.byName[made.fields[i].name] = &made.fields[i]
	}
	known, _ := tables.LoadOrStore(t, made)
	return known.(*table)
}

func tableFor(v any) *table { return tableOf(reflect.TypeOf(v)) }

func number(text string) *float64 {
	v, _ := strconv.ParseFloat(text, 64)
	return &v
}
