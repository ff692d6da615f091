package dashboard

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
)

// Rows are encoded ten times a second, by the hundred. So their JSON is written by hand; a test
// compares it with what the tags of the fields say.

// MarshalJSON returns at most six digits after the point.
func (n Number) MarshalJSON() ([]byte, error) { return appendNumber(nil, n), nil }

func appendNumber(b []byte, n Number) []byte {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, math.Round(f*1e6)/1e6, 'f', -1, 64)
}

// A jsonObject is one that is being written.
type jsonObject []byte

func (o jsonObject) key(name string) jsonObject {
	if o[len(o)-1] != '{' {
		o = append(o, ',')
	}
	return append(appendText(o, name), ':')
}

func (o jsonObject) text(name, value string) jsonObject { return appendText(o.key(name), value) }
func (o jsonObject) number(name string, n Number) jsonObject {
	return appendNumber(o.key(name), n)
}
func (o jsonObject) integer(name string, n int64) jsonObject {
	return strconv.AppendInt(o.key(name), n, 10)
}

// counts writes those of a list that are not zero, by name.
func (o jsonObject) counts(name string, m map[string]uint64) jsonObject {
	o = append(o.key(name), '{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		o = strconv.AppendUint(o.key(k), m[k], 10)
	}
	return append(o, '}')
}

func (o jsonObject) texts(name string, m map[string]string) jsonObject {
	if len(m) == 0 {
		return o
	}
	o = append(o.key(name), '{')
	for _, k := range slices.Sorted(maps.Keys(m)) {
		o = o.text(k, m[k])
	}
	return append(o, '}')
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			q, _ := json.Marshal(s) // text
			return append(b, q...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// fieldsOf is the part of a row that hardly ever changes, and took the most of the time.
func fieldsOf(base, override map[string]string) []byte {
	return jsonObject{' '}.texts("base", base).texts("override", override)[1:]
}

// MarshalJSON returns the row as the tags of its fields say.
func (r Row) MarshalJSON() ([]byte, error) {
	o := append(make(jsonObject, 0, 640), '{').text("name", r.Name)
	if r.Component != "" {
		o = o.text("component", r.Component)
	}
	o = o.text("policy", r.Policy)
	o = strconv.AppendUint(o.key("version"), r.Version, 10)
	if r.fields == nil {
		r.fields = fieldsOf(r.Base, r.Override)
	}
	o = append(o, r.fields...)
	o = o.number("calls", r.Calls).number("retries", r.Retries).number("success", r.Success).number("first_try", r.FirstTry)
	o = o.number("amplification", r.Amplification).number("call_p50", r.CallP50).number("call_p99", r.CallP99)
	o = o.number("attempt_p50", r.AttemptP50).number("attempt_p99", r.AttemptP99)
	o = o.integer("in_flight", r.InFlight).integer("waiting", r.Waiting)
	o = o.counts("outcomes", r.Outcomes).counts("suppressed", r.Suppressed)
	return append(o, '}'), nil
}
