package audittest

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/relent-go/relent/observe/audit"
	"github.com/relent-go/relent/retry"
)

func answersQueries(c check) {
	records := Records("r", 9)
	records[1].Operation = "venue.cancel_order"
	records[2].Call = "0000000000000001"
	records[3].Parent = "p"
	records[4].Outcome = audit.Unknown
	records[5].Actor = "ops1"
	records[6].Decision = audit.Stop
	records[6].Actor = "ops1"
	c.append("b", records[:5]...)
	c.append("a", records[5:]...)
	for _, test := range []struct {
		f    audit.Filter
		want []int
	}{
		{audit.Filter{}, []int{5, 6, 7, 8, 0, 1, 2, 3, 4}},
		{audit.Filter{Chain: "b"}, []int{0, 1, 2, 3, 4}},
		{audit.Filter{Chain: "c"}, nil},
		{audit.Filter{From: at.Add(6 * time.Second)}, []int{6, 7, 8}},
		{audit.Filter{From: at.Add(6*time.Second + 1)}, []int{7, 8}},
		{audit.Filter{To: at.Add(2 * time.Second)}, []int{0, 1}},
		{audit.Filter{From: at.Add(4 * time.Second), To: at.Add(6 * time.Second).In(time.FixedZone("", 3600))}, []int{5, 4}},
		{audit.Filter{Operation: "venue.cancel_order"}, []int{1}},
		{audit.Filter{Operation: "venue.cancel"}, nil},
		{audit.Filter{Operation: "venue.%"}, nil},
		{audit.Filter{Call: "0000000000000001"}, []int{2}},
		{audit.Filter{Parent: "p"}, []int{3}},
		{audit.Filter{Outcome: audit.Unknown}, []int{4}},
		{audit.Filter{Actor: "ops1"}, []int{5, 6}},
		{audit.Filter{Decision: audit.Stop}, []int{6}},
		{audit.Filter{Decision: audit.Retry, Actor: "ops1"}, []int{5}},
		{audit.Filter{Decision: "stop' OR '1'='1"}, nil},
	} {
		for _, limit := range []int{0, 1, 2} {
			found := c.query(test.f, limit)
			c.want(len(found) == len(test.want), "Query(%+v), limit %d, found %s; want %d records", test.f, limit, ids(found), len(test.want))
			for i, n := range test.want {
				want := records[n]
				want.Chain, want.Sequence = found[i].Chain, found[i].Sequence
				c.want(reflect.DeepEqual(found[i], want), "Query(%+v), limit %d, has\n%+v\nin place %d; want\n%+v", test.f, limit, found[i], i, want)
			}
		}
	}
}

func pagesQueries(c check) {
	for _, chain := range []string{"a", "b", "c"} {
		c.append(chain, Records("r", 500)...)
	}
	for _, limit := range []int{7, 500, 0, -1} {
		found := c.query(audit.Filter{}, limit)
		c.want(len(found) == 1500, "1500 records became %d in pages of %d", len(found), limit)
		for i, r := range found {
			c.want(r.Chain == string(rune('a'+i/500)) && r.Sequence == uint64(i%500+1), "record %d in pages of %d is %s", i, limit, ids(found[i:i+1]))
		}
	}
	page, _, err := c.store.Query(c.t.Context(), audit.Filter{}, audit.Cursor{Chain: "b", Sequence: 499}, 2)
	c.works("Query", err)
	c.want(ids(page) == ids(c.query(audit.Filter{}, 0)[999:1001]), "after b/499 came %s", ids(page))
	page, _, err = c.store.Query(c.t.Context(), audit.Filter{}, audit.Cursor{Chain: "b", Sequence: 1 << 60}, 1)
	c.works("Query", err)
	c.want(len(page) == 1 && page[0].Chain == "c" && page[0].Sequence == 1, "after the end of b came %s", ids(page))
}

func follows(c check) {
	records := Records("r", 6)
	c.append("n", records[:3]...)
	_, after, err := c.store.Query(c.t.Context(), audit.Filter{Chain: "n"}, audit.Cursor{}, 0)
	c.works("Query", err)
	for _, r := range records[3:] {
		c.append("n", r)
		page, next, err := c.store.Query(c.t.Context(), audit.Filter{Chain: "n"}, after, 0)
		c.works("Query", err)
		c.want(len(page) == 1 && page[0].ID == r.ID, "after %v came %s; want %s", after, ids(page), r.ID)
		after = next
	}
}

func pagesLinks(c check) {
	c.append("n", Records("r", 1100)...)
	for _, test := range []struct {
		from  uint64
		limit int
		first uint64
		want  int
	}{
		{1, 10, 1, 10}, {0, 10, 1, 10}, {11, 1, 11, 1}, {1, 0, 1, 1000}, {1001, -1, 1001, 100}, {1100, 10, 1100, 1}, {1101, 10, 0, 0}, {1 << 62, 10, 0, 0},
	} {
		links := c.links("n", test.from, test.limit)
		c.want(len(links) == test.want, "Links from %d, limit %d, gave %d links; want %d", test.from, test.limit, len(links), test.want)
		for i, l := range links {
			c.want(l.Sequence == test.first+uint64(i), "link %d from %d is number %d", i, test.from, l.Sequence)
		}
	}
	c.verify("n")
}

func keepsCheckpoints(c check) {
	var points []audit.Checkpoint
	for _, sequence := range []uint64{20, 10, 30} {
		h := audit.Head{Chain: "elsewhere", Sequence: sequence, Hash: audit.Hash{byte(sequence)}}
		p := audit.Sign(key, h, at.Add(time.Duration(sequence)))
		points = append(points, p)
		c.works("Anchor", c.store.Anchor(c.t.Context(), p))
		c.works("Anchor of the same", c.store.Anchor(c.t.Context(), p))
		h.Hash[1] = 1
		err := c.store.Anchor(c.t.Context(), audit.Sign(key, h, at))
		c.want(errors.Is(err, audit.ErrConflict) && retry.DefaultClassify(err) == retry.Permanent, "Anchor of another hash for %d = %v; want %v, permanent", sequence, err, audit.ErrConflict)
	}
	c.works("Anchor", c.store.Anchor(c.t.Context(), audit.Sign(key, audit.Head{Chain: audit.HeadsChain, Sequence: 1}, at)))
	points[0], points[1] = points[1], points[0]
	for _, test := range []struct {
		chain    string
		after    uint64
		limit    int
		from, to int
	}{
		{"elsewhere", 0, 0, 0, 3}, {"elsewhere", 0, 2, 0, 2}, {"elsewhere", 10, -1, 1, 3}, {"elsewhere", 19, 1, 1, 2}, {"elsewhere", 30, 0, 0, 0}, {"nowhere", 0, 0, 0, 0},
	} {
		found, err := c.store.Checkpoints(c.t.Context(), test.chain, test.after, test.limit)
		c.works("Checkpoints", err)
		want := points[test.from:test.to]
		c.want(len(found) == len(want) && (len(want) == 0 || reflect.DeepEqual(found, want)), "Checkpoints(%q, %d, %d) =\n%+v\nwant\n%+v", test.chain, test.after, test.limit, found, want)
		for i := range found {
			c.works("Check of a checkpoint", found[i].Check(key.Public().(ed25519.PublicKey)))
		}
	}
	if c.suite.Reopen != nil {
		c.store = c.suite.Reopen(c.t, c.store)
		found, err := c.store.Checkpoints(c.t.Context(), "elsewhere", 0, 0)
		c.works("Checkpoints", err)
		c.want(reflect.DeepEqual(found, points), "checkpoints were lost: %d are left", len(found))
	}
}

func survives(c check) {
	head := c.append("n", Records("r", 50)...)
	c.append("m", Records("r", 5)...)
	for i := range 3 {
		c.store = c.suite.Reopen(c.t, c.store)
		c.want(c.verify("n") == head && c.append("n") == head, "the head %v was lost", head)
		c.want(c.append("n", Records("r", 50)...) == head, "a batch from before was appended again")
		head = c.append("n", Records(fmt.Sprint("s", i), 50)...)
	}
	c.want(c.verify("n").Sequence == 200 && c.verify("m").Sequence == 5, "records were lost")
}

func showsTampering(c check) {
	c.append("n", Records("r", 20)...)
	r := c.query(audit.Filter{}, 0)[6]
	r.Actor = "nobody"
	c.suite.Tamper(c.t, c.store, "n", 7, r.AppendJSON(nil))
	_, err := audit.Verify(c.t.Context(), c.store, "n", audit.Verification{})
	bad, ok := errors.AsType[*audit.BadError](err)
	c.want(ok && bad.Sequence == 7 && errors.Is(err, audit.ErrTampered), "Verify after record 7 was changed = %v", err)
}
