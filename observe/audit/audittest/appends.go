package audittest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

func chains(c check) {
	records := Records("r", 5)
	first := c.append("node-1", records[:2]...)
	last := c.append("node-1", records[2:]...)
	links := c.links("node-1", 1, 0)
	c.want(len(links) == 5 && first.Sequence == 2 && last.Sequence == 5, "5 records gave %d links and heads %v, %v", len(links), first, last)
	var hash audit.Hash
	for i, l := range links {
		records[i].Chain, records[i].Sequence = "node-1", uint64(i+1)
		hash = audit.Next(hash, records[i].AppendJSON(nil))
		c.want(l.Chain == "node-1" && l.Sequence == uint64(i+1) && l.Hash == hash && string(l.Body) == string(records[i].AppendJSON(nil)),
			"link %d is %s/%d with hash %v and body %s", i+1, l.Chain, l.Sequence, l.Hash, l.Body)
	}
	c.want(links[1].Hash == first.Hash && hash == last.Hash && last.Chain == "node-1", "heads %v, %v are not the hashes of 2 and 5", first, last)
	heads, err := c.store.Heads(c.t.Context())
	c.works("Heads", err)
	c.want(slices.Equal(heads, []audit.Head{last}), "Heads() = %v; want %v", heads, last)
	c.want(c.verify("node-1") == last, "Verify found another head than %v", last)
}

func keepsFields(c check) {
	before, after := 0.1, 1e21
	r := audit.Record{
		ID: "ид \"1\"\n\u2028", Time: at, Mono: 5, Node: "node", Build: "v1.2.3", Config: "c0ffee",
		Actor: "Zoë", Strategy: "mm", Tenant: "desk 1", Parent: "p1", Operation: "venue.place_order", Call: "00000000000000ff", Key: audit.Digest("k"),
		Attempt: 2, Decision: audit.Deny, Rule: "attempts exhausted", Scope: "global", State: "stopped", Approver: "ops2", Why: "\t<&>\\", Ticket: "T-1",
		Outcome: audit.Unknown, Class: "ambiguous", Delay: time.Second, Hint: time.Minute, BudgetBefore: &before, BudgetAfter: &after, Breaker: "open",
		Epoch: 1 << 53, Left: -1, Cost: -3, Validation: "ok", Payload: audit.Digest("payload"), Count: 7,
	}
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		c.want(!v.Field(i).IsZero() || name == "Chain" || name == "Sequence", "the suite lacks a value for %s", name)
	}
	c.append("n", r)
	r.Chain, r.Sequence = "n", 1
	found := c.query(audit.Filter{}, 0)
	c.want(reflect.DeepEqual(found, []audit.Record{r}), "one record\n%+v\nbecame\n%+v", r, found)
}

func appendsOnce(c check) {
	records := Records("r", 10)
	first := c.append("n", records[:6]...)
	c.want(c.append("n", records[:6]...) == first, "the head moved when a batch was appended again")
	c.want(c.append("n", records[2:4]...) == first, "the head moved when a part of a batch was appended again")
	second := c.append("n", append(slices.Clone(records[4:8]), records[7])...)
	c.want(second.Sequence == 8, "8 different records, some of them twice in a batch, gave the head %v", second)
	c.append("n", records[8:]...)
	found := c.query(audit.Filter{}, 0)
	for i := range min(len(found), len(records)) {
		c.want(found[i].ID == records[i].ID, "records %s; want each once, in order", ids(found))
	}
	c.want(len(found) == 10, "10 records became %d", len(found))
	c.verify("n")
}

func allOrNothing(c check) {
	c.append("n", Records("first", 3)...)
	for what, spoil := range map[string]func(*audit.Record){
		"no id":       func(r *audit.Record) { r.ID = "" },
		"no decision": func(r *audit.Record) { r.Decision = "" },
		"no time":     func(r *audit.Record) { r.Time = time.Time{} },
		"a long name": func(r *audit.Record) { r.Actor = strings.Repeat("a", 129) },
		"a payload":   func(r *audit.Record) { r.Payload = "buy 100" },
		"no text":     func(r *audit.Record) { r.Why = "\xff" },
		"a huge size": func(r *audit.Record) { r.Why, r.Rule = strings.Repeat("\x01", 512), strings.Repeat("\x02", 512) },
	} {
		batch := Records("second", 100)
		spoil(&batch[56])
		_, err := c.store.Append(c.t.Context(), "n", batch)
		c.want(errors.Is(err, audit.ErrInvalid) && retry.DefaultClassify(err) == retry.Permanent, "Append of a batch whose 57th record has %s = %v; want %v, permanent", what, err, audit.ErrInvalid)
	}
	_, err := c.store.Append(c.t.Context(), "n", make([]audit.Record, audit.MaxBatch+1))
	c.want(errors.Is(err, audit.ErrInvalid), "Append of %d records = %v; want %v", audit.MaxBatch+1, err, audit.ErrInvalid)
	found := c.query(audit.Filter{}, 0)
	c.want(len(found) == 3, "3 records, and refused batches, became %d", len(found))
	c.want(c.append("n", Records("second", 100)...).Sequence == 103, "the same batch, sound, was not appended")
	c.verify("n")
}

func keepsApart(c check) {
	for _, chain := range []string{"b", "a", "B"} {
		c.append(chain, Records("r", 2)...)
	}
	heads, err := c.store.Heads(c.t.Context())
	c.works("Heads", err)
	c.want(len(heads) == 3 && heads[0].Chain == "B" && heads[1].Chain == "a" && heads[2].Chain == "b", "Heads() = %v; want B, a, b", heads)
	for _, h := range heads {
		c.want(h.Sequence == 2 && c.verify(h.Chain) == h, "the head of %s is %v, %v to Verify", h.Chain, h, c.verify(h.Chain))
	}
	c.want(heads[0].Hash != heads[1].Hash, "the same records have one hash in two chains: they could be exchanged")
	c.want(len(c.links("c", 1, 0)) == 0, "a chain that is not there has links")
}

func refusesNames(c check) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a b", "-a", "é", "a\x00", strings.Repeat("a", 65)} {
		_, err := c.store.Append(c.t.Context(), name, Records("r", 1))
		c.want(errors.Is(err, audit.ErrInvalid) && retry.DefaultClassify(err) == retry.Permanent, "Append to the chain %q = %v; want %v, permanent", name, err, audit.ErrInvalid)
	}
	c.append(strings.Repeat("a", 64), Records("r", 1)...)
	c.append("A.b_c-9", Records("r", 1)...)
}

func takesEmpty(c check) {
	c.want(c.append("n") == audit.Head{Chain: "n"}, "an empty batch gave an empty chain the head %v", c.append("n"))
	heads, err := c.store.Heads(c.t.Context())
	c.works("Heads", err)
	c.want(len(heads) == 0, "a chain without records has a head: %v", heads)
	head := c.append("n", Records("r", 3)...)
	c.want(c.append("n") == head, "an empty batch returned another head than %v", head)
}

func bearsMany(c check) {
	const writers, batches, size = 8, 10, 5
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for b := range batches {
				_, err := c.store.Append(c.t.Context(), "n", Records(fmt.Sprintf("%c%c", 'a'+w, 'a'+b), size))
				errs[w] = errors.Join(errs[w], err)
			}
		})
	}
	wg.Wait()
	c.works("Append of many at once", errors.Join(errs...))
	found := c.query(audit.Filter{}, 7)
	c.want(len(found) == writers*batches*size, "%d records became %d", writers*batches*size, len(found))
	for i := 0; i < len(found); i += size {
		prefix := found[i].ID[:2]
		for j, want := range Records(prefix, size) {
			c.want(found[i+j].ID == want.ID, "batches are mixed: %s", ids(found[i:i+size]))
		}
	}
	c.want(c.verify("n").Sequence == writers*batches*size, "the chain has gaps")
}

func keepsNoSlices(c check) {
	records := Records("r", 2)
	before := 1.0
	records[0].BudgetBefore = &before
	head := c.append("n", records...)
	c.want(records[0].Sequence == 0 && records[0].Chain == "", "Append wrote to the records of its caller")
	records[0].ID, before = "changed", 2
	for _, l := range c.links("n", 1, 0) {
		l.Body[0] ^= 1
	}
	c.want(c.verify("n") == head, "a caller's slice is a part of the store")
	*c.query(audit.Filter{}, 0)[0].BudgetBefore = 3
	c.want(*c.query(audit.Filter{}, 0)[0].BudgetBefore == 1, "a caller's pointer is a part of the store")
}

func obeysContexts(c check) {
	ctx, cancel := context.WithCancel(c.t.Context())
	cancel()
	_, err := c.store.Append(ctx, "n", Records("r", 2))
	c.want(err != nil, "Append with a context that had ended wrote something")
	_, _, err = c.store.Query(ctx, audit.Filter{}, audit.Cursor{}, 0)
	c.want(err != nil, "Query with a context that had ended answered")
	_, err = c.store.Links(ctx, "n", 1, 0)
	c.want(err != nil, "Links with a context that had ended answered")
	_, err = c.store.Heads(ctx)
	c.want(err != nil, "Heads with a context that had ended answered")
	c.want(c.store.Anchor(ctx, audit.Checkpoint{Chain: "n", Sequence: 1}) != nil, "Anchor with a context that had ended wrote something")
	_, err = c.store.Checkpoints(ctx, "n", 0, 0)
	c.want(err != nil, "Checkpoints with a context that had ended answered")
	c.want(len(c.query(audit.Filter{}, 0)) == 0, "there are records of a caller who had left")
}
