package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

const ordersHelp = `List the orders that are not done with, from the order log in the database: of all venues and accounts
that it has, or of those that are named.

  parked   their fate cannot be proven, or there are two of them: a person decides. Their symbols are closed meanwhile.
  unknown  bytes left, and nobody knows yet whether the order exists
  open     all that are not done with, those above included

The log is read as it is, while others write it, and nothing is changed. Look at the venue before you decide about a
parked order; two persons then do so with relent orders resolve.`

// page of the log that is read at a time.
const ordersAtATime = 500

func newOrders(p Program) *cobra.Command {
	var state string
	var scope order.Scope
	cmd := strict(&cobra.Command{
		Use: "orders", Short: "list orders that are parked or in doubt", Long: ordersHelp,
		Example: "  relent orders --store sqlite:relent.db --state parked\n  relent orders show R1a2b3c4d5e6f7g8h9 --store sqlite:relent.db --venue binance --account main",
	}, exactly())
	flags := cmd.PersistentFlags()
	flags.String("store", "", "`URL` of the order log: sqlite:FILE or postgres://... (default $RELENT_STORE, else server.store of the configuration)")
	flags.StringVar(&scope.Venue, "venue", "", "`NAME` of the venue, as the order machine has it (default all)")
	flags.StringVar(&scope.Account, "account", "", "`NAME` of the account, as the order machine has it (default all)")
	cmd.Flags().StringVar(&scope.Prefix, "prefix", "", "only client ids that begin with `TEXT`")
	cmd.Flags().StringVar(&state, "state", "open", "`STATE`: parked, unknown or open")
	offer(cmd, "state", "parked", "unknown", "open")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if state != "parked" && state != "unknown" && state != "open" {
			return usage(cmd, fmt.Errorf("--state: %q is none of parked, unknown and open", state))
		}
		return settings{p, cmd}.withOrders(func(ctx context.Context, log *sqldb.Orders) error {
			return settings{p, cmd}.listOrders(ctx, log, scope, state)
		})
	}
	show := strict(&cobra.Command{Use: "show ID", Short: "tell all that the log has of one order"}, exactly("ID"))
	show.RunE = func(cmd *cobra.Command, args []string) error {
		if err := named(&scope); err != nil {
			return usage(cmd, err)
		}
		return settings{p, cmd}.withOrders(func(ctx context.Context, log *sqldb.Orders) error {
			return settings{p, cmd}.showOrder(ctx, log, scope, args[0])
		})
	}
	cmd.AddCommand(show, newResolve(p, &scope))
	return cmd
}

// withOrders opens the log that is there.
func (s settings) withOrders(f func(context.Context, *sqldb.Orders) error) error {
	url, err := s.store()
	if err != nil {
		return err
	}
	if url.Value == "" {
		return usage(s.cmd, errors.New("--store: say where the order log is"))
	}
	timeout, _ := s.timeout()
	db, err := openStore(s.cmd.Context(), url.Value, timeout)
	if err != nil {
		return failed(s.cmd, err, "the same with --store URL")
	}
	err = f(s.cmd.Context(), db.Orders())
	if e := db.Close(); err == nil && e != nil {
		err = failed(s.cmd, e, "")
	}
	return err
}

// openStore opens a database that is there: reading makes none.
func openStore(ctx context.Context, url string, timeout time.Duration) (*sqldb.DB, error) {
	if name, ok := strings.CutPrefix(url, "sqlite:"); ok && name != "" {
		if _, err := os.Stat(name); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return sqldb.Open(ctx, url)
}

// An entry is a line of the log, as JSON has it.
type entry struct {
	At   time.Time       `json:"at"`
	Kind order.Kind      `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// An orderView is an order, and what was last read of it.
type orderView struct {
	order.Order
	Reads []order.Read `json:"reads,omitempty"` // that were to settle its fate, the last three
}

// kept is how many reads are shown.
const kept = 3

func viewOf(entries []order.Entry) (orderView, error) {
	o, err := order.Replay(entries)
	v := orderView{Order: o}
	for _, e := range entries {
		if r := readOf(e); r != nil {
			v.Reads = append(v.Reads, *r)
		}
	}
	v.Reads = v.Reads[max(0, len(v.Reads)-kept):]
	return v, err
}

// readOf is the read that an entry is about, if it is about one.
func readOf(e order.Entry) *order.Read {
	var line struct{ Read *order.Read }
	if e.Kind != order.KindRead || json.Unmarshal(e.Data, &line) != nil {
		return nil
	}
	return line.Read
}

// wanted says whether an order is to be listed.
func wanted(o *order.Order, state string) bool {
	switch state {
	case "parked":
		return o.State == order.Parked || o.State == order.Breach
	case "unknown":
		return o.State.Doubtful()
	}
	return true
}

// scopesOf returns the accounts of the log that are wanted; one that is named is wanted whether the log has it or not.
func (s settings) scopesOf(ctx context.Context, log *sqldb.Orders, want order.Scope) ([]order.Scope, error) {
	if want.Venue != "" && want.Account != "" {
		return []order.Scope{want}, nil
	}
	all, err := log.Scopes(ctx)
	if err != nil {
		return nil, failed(s.cmd, err, "relent doctor")
	}
	if len(all) == sqldb.MaxScopes {
		note(s.cmd, "the log has more accounts than the first %d, which are looked through: name a --venue and an --account", len(all))
	}
	kept := all[:0]
	for _, scope := range all {
		if (want.Venue == "" || want.Venue == scope.Venue) && (want.Account == "" || want.Account == scope.Account) {
			scope.Prefix = want.Prefix
			kept = append(kept, scope)
		}
	}
	return kept, nil
}

func (s settings) listOrders(ctx context.Context, log *sqldb.Orders, want order.Scope, state string) error {
	scopes, err := s.scopesOf(ctx, log, want)
	if err != nil {
		return err
	}
	out := s.cmd.OutOrStdout()
	if len(scopes) == 0 && format(s.cmd) == "table" {
		_, err := fmt.Fprintln(out, "the log has no order of such an account")
		return err
	}
	list, all := []orderView{}, 0
	for _, scope := range scopes {
		some, n, err := s.ordersOf(ctx, log, scope, state)
		if err != nil {
			return err
		}
		list, all = append(list, some...), all+n
		if format(s.cmd) == "table" {
			if err := s.orderTable(some, scope, state, n, len(scopes) > 1); err != nil {
				return err
			}
		}
	}
	if format(s.cmd) != "json" {
		return nil
	}
	return document(out, map[string]any{"v": 1, "venue": want.Venue, "account": want.Account, "state": state, "open": all, "orders": list})
}

// ordersOf reads the orders of an account: those in a state, and how many are not done with. As lines it writes them at once.
func (s settings) ordersOf(ctx context.Context, log *sqldb.Orders, scope order.Scope, state string) (list []orderView, all int, err error) {
	for after := ""; ; {
		ids, err := log.Open(ctx, scope, after, ordersAtATime)
		if err != nil {
			return nil, 0, failed(s.cmd, err, "relent doctor")
		}
		for _, id := range ids {
			entries, err := log.Load(ctx, scope, id)
			if err != nil {
				return nil, 0, failed(s.cmd, err, "relent doctor")
			}
			v, err := viewOf(entries)
			if err != nil {
				return nil, 0, failed(s.cmd, err, "")
			}
			v.Intent.Venue, v.Intent.Account = scope.Venue, scope.Account
			all++
			if !wanted(&v.Order, state) {
				continue
			}
			if format(s.cmd) != "ndjson" {
				list = append(list, v)
				continue
			}
			if err := document(s.cmd.OutOrStdout(), struct {
				V int `json:"v"`
				orderView
			}{1, v}); err != nil {
				return nil, 0, err
			}
		}
		if len(ids) < ordersAtATime {
			return list, all, nil
		}
		after = ids[len(ids)-1]
	}
}

func (s settings) orderTable(list []orderView, scope order.Scope, state string, all int, several bool) error {
	out := s.cmd.OutOrStdout()
	if len(list) == 0 {
		word := state
		if state == "unknown" {
			word = "of unknown outcome"
		}
		_, err := fmt.Fprintf(out, "no order of %s, account %s, is %s; %s not done with\n", plain(scope.Venue), plain(scope.Account), word, are(all))
		return err
	}
	if several {
		if _, err := fmt.Fprintf(out, "%s, account %s\n", plain(scope.Venue), plain(scope.Account)); err != nil {
			return err
		}
	}
	width, _ := size(out)
	t := &table{Color: s.color(out), Flex: -1}
	t.add(dim("id"), dim("state"), right("age"), right("sent"), dim("fence"), dim("order"))
	now := time.Now()
	for i := range list {
		o := &list[i]
		t.add(bold(o.Intent.ID), stateCell(o.State), number(span(now.Sub(o.Intent.Created))), number(fmt.Sprint(o.Spent)), text(fence(&o.Order, now)), text(terms(&o.Order)))
	}
	for i, line := range t.lines(width) {
		lines := []string{line}
		if i > 0 {
			for _, more := range wrap(plain(about(&list[i-1], now)), width, 4) {
				lines = append(lines, t.paint(more, faint))
			}
		}
		if _, err := fmt.Fprintln(out, strings.Join(lines, "\n")); err != nil {
			return err
		}
	}
	note(s.cmd, "all of one: relent orders show ID --venue %s --account %s", quoted(scope.Venue), quoted(scope.Account))
	return nil
}

func are(n int) string {
	if n == 1 {
		return "1 is"
	}
	return many(n) + " are"
}

func stateCell(s order.State) cell {
	c := text(s.String())
	switch {
	case s == order.Parked || s == order.Breach:
		c.style = red
	case s.Doubtful():
		c.style = yellow
	}
	return c
}

// terms are what an order wants, in words.
func terms(o *order.Order) string {
	price := string(o.Terms.Type)
	if o.Terms.Price != "" {
		price = "at " + string(o.Terms.Price)
	}
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", o.Terms.Side, o.Terms.Quantity, o.Terms.Symbol, price)), " ")
}

// fence says when the venue can no longer accept what was sent.
func fence(o *order.Order, now time.Time) string {
	switch {
	case o.Spent == 0 && len(o.Attempts) == 0:
		return "not sent"
	case o.Deadline.IsZero():
		return "none"
	case o.Deadline.After(now):
		return "in " + span(o.Deadline.Sub(now))
	}
	return "passed"
}

// about is what is known beside the table: why the order is where it is, and what was read last.
func about(o *orderView, now time.Time) string {
	parts := []string{}
	if o.Why != "" {
		parts = append(parts, o.Why)
	}
	if n := len(o.Reads); n > 0 {
		r := &o.Reads[n-1]
		parts = append(parts, fmt.Sprintf("last read: %s %s ago, %s", r.What, span(now.Sub(r.Began)), result(r)))
	}
	return strings.Join(parts, "; ")
}

func result(r *order.Read) string {
	switch {
	case r.Err != "":
		return "failed: " + r.Err
	case r.Found:
		return "found"
	}
	return "not found"
}
