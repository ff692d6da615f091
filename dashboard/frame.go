package dashboard

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/relent-go/relent/control"
)

// A patch is what changed: of each topic, values by key; null for a key that is gone.
type patch map[string]map[string]json.RawMessage

var gone = json.RawMessage("null")

// diff returns what leads from one state to the next. A new point of a series always counts.
func diff(from, to state) patch {
	p := patch{}
	for topic, values := range to {
		changed := map[string]json.RawMessage{}
		for k, v := range values {
			if old, ok := from[topic][k]; !ok || !bytes.Equal(old, v) {
				changed[k] = v
			}
		}
		for k := range from[topic] {
			if _, ok := values[k]; !ok && topic != "series" {
				changed[k] = gone
			}
		}
		if len(changed) > 0 {
			p[topic] = changed
		}
	}
	return p
}

// merge puts a newer patch over an older one. Neither is changed.
func merge(older, newer patch) patch {
	p := patch{}
	maps.Copy(p, older)
	for topic, values := range newer {
		m := maps.Clone(p[topic])
		if m == nil {
			m = map[string]json.RawMessage{}
		}
		maps.Copy(m, values)
		p[topic] = m
	}
	return p
}

// A note is an event, decoded for filters and encoded once for all.
type note struct {
	control.Note
	raw json.RawMessage
}

func noteOf(n control.Note) note {
	b, _ := json.Marshal(n) // text and numbers only
	return note{n, b}
}

// A frame is one message to all clients: a patch or events. What surrounds it differs by client.
type frame struct {
	seq     uint64
	patch   patch
	encoded map[string][]byte // of each topic of the patch, once for all clients
	whole   []byte            // of all topics
	notes   []note
	dropped uint64 // events that were shed before this frame
}

func patchFrame(seq uint64, p patch) *frame {
	f := &frame{seq: seq, patch: p, encoded: make(map[string][]byte, len(p))}
	for topic, values := range p {
		f.encoded[topic] = object(nil, values)
	}
	f.whole = f.chosen(func(string) bool { return true })
	return f
}

// object appends the JSON object of the values, by key.
func object(b []byte, values map[string]json.RawMessage) []byte {
	b = append(b, '{')
	for i, k := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(k) // text
		b = append(append(append(b, name...), ':'), values[k]...)
	}
	return append(b, '}')
}

// state returns the end of a snapshot or delta for a client that wants some topics.
func (f *frame) state(c *client) []byte {
	if c.all {
		return f.whole
	}
	return f.chosen(func(topic string) bool { return c.wants[topic] })
}

func (f *frame) chosen(wanted func(topic string) bool) []byte {
	size := 64
	for _, e := range f.encoded {
		size += len(e) + 16
	}
	b := append(make([]byte, 0, size), `"topics":{`...)
	comma := false
	for _, topic := range topics {
		if e := f.encoded[topic]; e != nil && wanted(topic) {
			if comma {
				b = append(b, ',')
			}
			b = append(append(strconv.AppendQuote(b, topic), ':'), e...)
			comma = true
		}
	}
	return append(b, "}}\n\n"...)
}

// wanted reports whether a client that wants some topics gets anything out of a frame.
func (f *frame) wanted(wants map[string]bool) bool {
	if f.patch == nil {
		return wants[events]
	}
	for topic := range f.patch {
		if wants[topic] {
			return true
		}
	}
	return false
}
