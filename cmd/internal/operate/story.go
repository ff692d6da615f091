package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

// stamp is how times are told.
const stamp = "2006-01-02 15:04:05.000"

func (s settings) showOrder(ctx context.Context, log *sqldb.Orders, scope order.Scope, id string) error {
	entries, err := log.Load(ctx, scope, id)
	if err != nil {
		return failed(s.cmd, err, "relent doctor")
	}
	if len(entries) == 0 {
		return failed(s.cmd, fmt.Errorf("%s, account %s, has no order %s", scope.Venue, scope.Account, plain(id)), fmt.Sprintf("relent orders --venue %s --account %s", quoted(scope.Venue), quoted(scope.Account)))
	}
	v, err := viewOf(entries)
	if err != nil {
		return failed(s.cmd, err, "")
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
		_, err := fmt.Fprintf(out, "\nLook at the venue for the client id %s. Two persons then tell the process that has\nthe account what they saw, by order.Machine.Resolve; until then %s stays closed.\n", plain(v.Intent.Wire), plain(v.Terms.Symbol))
		return err
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

// said shortens the data of an entry for people: what moved the order, then a reason in words, then the rest as it is.
func said(data []byte) string {
	var line map[string]json.RawMessage
	if json.Unmarshal(data, &line) != nil {
		return string(data)
	}
	var parts []string
	for _, name := range []string{"event", "why"} {
		var word string
		if json.Unmarshal(line[name], &word) == nil && word != "" {
			parts = append(parts, strings.ReplaceAll(word, "_", " "))
		}
		delete(line, name)
	}
	var r order.Read
	if json.Unmarshal(line["read"], &r) == nil {
		parts = append(parts, r.What+": "+result(&r))
		delete(line, "read")
	}
	said := strings.Join(parts, "; ")
	if len(line) == 0 {
		return said
	}
	rest, err := json.Marshal(line)
	if err != nil {
		return said
	}
	return strings.TrimSpace(said + " " + string(rest))
}
