package operate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/store/sqldb"
)

const resolveHelp = `Decide about an order that is parked or in breach, as two persons who have looked at the venue:

  parked  the venue has no such order, and none is coming: it is given up, and its symbol is open again
  breach  the venue's orders have been put right by hand: it is closed as it is, and its account is open again

If the order does exist, do not resolve it: report it through the program that trades (order.Machine.Seen), or let its reads
find it.

The decision is left in the database for the process that trades with the order's prefix, which is the only one that may
write about the order. It takes it within its sweep, a minute as a rule, or when it runs again, and refuses it if
anything about the order has changed since. What it takes is in the order's log for good: who, and why. The names are
not checked: whoever can write to the database vouches for them.`

func newResolve(p Program, scope *order.Scope) *cobra.Command {
	var r order.Resolution
	var wait time.Duration
	cmd := strict(&cobra.Command{
		Use: "resolve ID", Short: "decide about an order that is parked or in breach, by two persons", Long: resolveHelp,
		Example: "  relent orders resolve R1a2b3c4d5e6f7g8h9 --store sqlite:relent.db --venue binance --account main \\\n" +
			"    --actor ann --approver bob --reason 'neither in the order history nor in the trades of the web site, 14:30'",
	}, exactly("ID"))
	flags := cmd.Flags()
	flags.StringVar(&r.Actor, "actor", actor(), "`NAME` of who looked at the venue")
	flags.StringVar(&r.Approver, "approver", "", "`NAME` of somebody else, who agrees (required)")
	flags.StringVar(&r.Reason, "reason", "", "`WHAT` was seen, and where (required)")
	flags.StringVar(&r.Ticket, "ticket", "", "`ID` of an incident")
	flags.DurationVar(&wait, "wait", 90*time.Second, "`DURATION` to wait for the process to take it; 0 only leaves it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r.ID = args[0]
		errs := []error{named(scope)}
		if r.Approver == "" {
			errs = append(errs, errors.New("--approver: say who agrees: it takes two persons"))
		}
		reason, err := because(r.Reason)
		r.Reason = reason
		if err := errors.Join(append(errs, err)...); err != nil {
			return usage(cmd, err)
		}
		if err := r.Check(); err != nil { // one person with two names
			return usage(cmd, err)
		}
		return settings{p, cmd}.withOrders(func(ctx context.Context, log *sqldb.Orders) error {
			return settings{p, cmd}.resolveOrder(ctx, log, *scope, r, wait)
		})
	}
	return cmd
}

// named says which of venue and account is missing; nil if none.
func named(scope *order.Scope) error {
	var errs []error
	if scope.Venue == "" {
		errs = append(errs, errors.New("--venue: say which"))
	}
	if scope.Account == "" {
		errs = append(errs, errors.New("--account: say which"))
	}
	return errors.Join(errs...)
}

// undecided says that persons are waited for.
func undecided(o *order.Order) bool {
	return o.State == order.Parked || o.State == order.Breach && !o.Closed
}

// loadOrder reads an order that must be there.
func (s settings) loadOrder(ctx context.Context, log *sqldb.Orders, scope order.Scope, id string) (orderView, []order.Entry, error) {
	entries, err := log.Load(ctx, scope, id)
	if err != nil {
		return orderView{}, nil, failed(s.cmd, err, "relent doctor")
	}
	if len(entries) == 0 {
		return orderView{}, nil, failed(s.cmd, fmt.Errorf("%s, account %s, has no order %s", scope.Venue, scope.Account, plain(id)), fmt.Sprintf("relent orders --venue %s --account %s", quoted(scope.Venue), quoted(scope.Account)))
	}
	v, err := viewOf(entries)
	if err != nil {
		return orderView{}, nil, failed(s.cmd, err, "")
	}
	return v, entries, nil
}

func (s settings) resolveOrder(ctx context.Context, log *sqldb.Orders, scope order.Scope, r order.Resolution, wait time.Duration) error {
	show := fmt.Sprintf("relent orders show %s --venue %s --account %s", quoted(r.ID), quoted(scope.Venue), quoted(scope.Account))
	v, _, err := s.loadOrder(ctx, log, scope, r.ID)
	if err != nil {
		return err
	}
	if !undecided(&v.Order) {
		return failed(s.cmd, fmt.Errorf("order %s is %s: only what is parked or in breach is decided by persons", plain(r.ID), v.State), show)
	}
	r.Seen = v.Changed
	if err := log.Decide(ctx, scope, r); err != nil {
		return failed(s.cmd, err, show)
	}
	note(s.cmd, "the decision waits for the process that trades as %s, account %s", plain(scope.Venue), plain(scope.Account))
	for end := time.Now().Add(wait); r.Fits(&v.Order) && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return failed(s.cmd, context.Cause(ctx), show)
		case <-time.After(min(time.Second, max(time.Millisecond, time.Until(end)))):
		}
		if v, _, err = s.loadOrder(ctx, log, scope, r.ID); err != nil {
			return err
		}
	}
	switch {
	case r.Fits(&v.Order) && wait > 0:
		return failed(s.cmd, fmt.Errorf("nobody has taken the decision about %s within %v: the process that trades with its prefix does so when it runs", plain(r.ID), wait), show)
	case !r.Fits(&v.Order) && undecided(&v.Order):
		return failed(s.cmd, fmt.Errorf("order %s has changed meanwhile, and is still %s: look again, then decide again", plain(r.ID), v.State), show)
	}
	if format(s.cmd) != "table" {
		return document(s.cmd.OutOrStdout(), struct {
			V int `json:"v"`
			orderView
		}{1, v})
	}
	t := &table{Color: s.color(s.cmd.OutOrStdout())}
	t.add(bold(v.Intent.ID), stateCell(v.State), text(v.Why))
	return t.write(s.cmd.OutOrStdout(), 0)
}
