package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

// stamp is how times are told.
const stamp = "2006-01-02 15:04:05.000"

func (s settings) showOrder(ctx context.Context, log *sqldb.Orders, scope order.Scope, id string) error {
	v, entries, err := s.loadOrder(ctx, log, scope, id)
	if err != nil {
		return err
	}
	out := s.cmd.OutOrStdout()
	switch format(s.cmd) {
	case "json":
		lines := []entry{}
		for _, e := range entries {
			lines = append(lines, entry{e.At, e.Kind, e.Data})
		}
		return document(out, struct {
			V int `json:"v"`
			orderView
			Log []entry `json:"log"`
		}{1, v, lines})
	case "ndjson":
		for _, e := range entries {
			if err := document(out, struct {
				V int `json:"v"`
				entry
			}{1, entry{e.At, e.Kind, e.Data}}); err != nil {
				return err
			}
		}
		return nil
	}
	return s.story(out, &v, entries)
}

// story tells an order from its intent to its last entry.
func (s settings) story(out io.Writer, v *orderView, entries []order.Entry) error {
	now := time.Now()
	t := &table{Color: s.color(out)}
	state := stateCell(v.State)
	if v.Closed {
		state.text += ", done with"
	}
	t.add(dim("order"), bold(v.Intent.ID))
	t.add(dim("wants"), text(terms(&v.Order)))
	t.add(dim("state"), state)
	for _, line := range []struct{ name, value string }{
		{"why", v.Why}, {"venue id", v.VenueID}, {"venue says", string(v.Status)}, {"executed", string(v.Executed)}, {"filled", string(v.Filled)},
		{"strategy", v.Intent.Strategy}, {"sent", sent(v.Spent)}, {"fence", fence(&v.Order, now)},
		{"created", v.Intent.Created.UTC().Format(stamp) + ", " + span(now.Sub(v.Intent.Created)) + " ago"},
		{"in doubt", after("for ", doubt(&v.Order, now))},
	} {
		if line.value != "" {
			t.add(dim(line.name), text(line.value))
		}
	}
	width, _ := size(out)
	if err := t.write(out, width); err != nil {
		return err
	}
	fmt.Fprintln(out)
	log := &table{Color: s.color(out), Flex: -1, Wrap: true}
	log.add(dim("time (UTC, the venue's)"), dim("entry"), dim("what"))
	for _, e := range entries {
		log.add(text(e.At.UTC().Format(stamp)), text(string(e.Kind)), text(said(e.Data)))
	}
	if err := log.write(out, width); err != nil {
		return err
	}
	if v.State == order.Parked || v.State == order.Breach {
		return tell(out, "", fmt.Sprintf("Look at the venue for the client id %s. Two persons then decide, by relent orders resolve; until then %s stays closed.", plain(v.Intent.Wire), plain(v.Terms.Symbol)))
	}
	return nil
}

func sent(n int) string {
	switch n {
	case 0:
		return "never"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func doubt(o *order.Order, now time.Time) string {
	if o.Doubted.IsZero() {
		return ""
	}
	return span(now.Sub(o.Doubted))
}

// said is the data of an entry for people: what moved the order, a reason in words, and then all the rest.
func said(data []byte) string {
	var line map[string]any
	if json.Unmarshal(data, &line) != nil {
		return string(data)
	}
	var parts []string
	for _, name := range []string{"event", "why"} {
		if word, _ := line[name].(string); word != "" {
			parts = append(parts, strings.ReplaceAll(word, "_", " "))
		}
		delete(line, name)
	}
	var read struct{ Read *order.Read }
	if json.Unmarshal(data, &read) == nil && read.Read != nil {
		parts = append(parts, read.Read.What+": "+result(read.Read))
		delete(line, "read")
	}
	for _, name := range slices.Sorted(maps.Keys(line)) {
		parts = append(parts, name+" "+spoken(line[name]))
	}
	return strings.Join(parts, "; ")
}

// spoken is a value of JSON without most of its marks.
func spoken(value any) string {
	switch v := value.(type) {
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if v[name] != "" {
				parts = append(parts, name+" "+spoken(v[name]))
			}
		}
		return "(" + strings.Join(parts, ", ") + ")"
	case []any:
		var parts []string
		for _, one := range v {
			parts = append(parts, spoken(one))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case string:
		return v
	}
	data, _ := json.Marshal(value) // came out of JSON
	return string(data)
}
