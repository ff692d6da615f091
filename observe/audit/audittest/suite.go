package audittest

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/observe/audit"
)

// Run checks the stores that open returns, with the [Suite] that has nothing else.
func Run(t *testing.T, open func(t *testing.T) audit.Store) {
	t.Helper()
	Suite{Open: open}.Run(t)
}

// A Suite is what a store says about itself. Only Open is needed.
type Suite struct {
	// Open returns a new store without records. It arranges for its end with t.Cleanup.
	Open func(t *testing.T) audit.Store

	// Reopen ends a store, as well as a crash allows, and opens it again. Nil means that it is not durable.
	Reopen func(t *testing.T, s audit.Store) audit.Store

	// Tamper replaces the body of a record behind the back of the store. Nil means that this cannot be done.
	Tamper func(t *testing.T, s audit.Store, chain string, sequence uint64, body []byte)
}

// Run checks the store, one subtest for each promise.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	for _, p := range promises {
		if p.skip != nil && p.skip(s) {
			continue
		}
		t.Run(p.name, func(t *testing.T) { p.check(t, s, t.Error) })
	}
}

// A promise is one that every store makes.
type promise struct {
	name, reason string
	skip         func(Suite) bool
	test         func(check)
}

// check reports how a store breaks the promise.
func (p promise) check(t *testing.T, s Suite, report func(...any)) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case failure:
			report(fmt.Sprintf("%s\n%s", e, p.reason))
		default:
			panic(e)
		}
	}()
	p.test(check{t, s, s.Open(t)})
}

// A check is a promise being checked.
type check struct {
	t     *testing.T
	suite Suite
	store audit.Store
}

// A failure ends a check.
type failure string

// want ends the check unless ok.
func (c check) want(ok bool, format string, args ...any) {
	if !ok {
		panic(failure(fmt.Sprintf(format, args...)))
	}
}

// works ends the check if the store does not do what it has to.
func (c check) works(what string, err error) { c.want(err == nil, "%s: %v", what, err) }

var promises = []promise{
	{
		"chains records", "Whoever verifies a chain must find the hashes that the records give.", nil, chains,
	},
	{
		"keeps every field", "What is missing from a record cannot be shown to an auditor.", nil, keepsFields,
	},
	{
		"K26 appends a batch once", "A batch whose answer got lost is appended again.", nil, appendsOnce,
	},
	{
		"ST8 appends all or nothing", "Half of a batch would be there twice, or not at all, after it is appended again.", nil, allOrNothing,
	},
	{
		"keeps chains apart", "Each process has a chain of its own, and any of them may use any id.", nil, keepsApart,
	},
	{
		"refuses names of chains", "A name becomes a part of file names and keys.", nil, refusesNames,
	},
	{
		"takes an empty batch", "That is how the head of a chain is asked for.", nil, takesEmpty,
	},
	{
		"answers queries", "A query that leaves something out is a record withheld.", nil, answersQueries,
	},
	{
		"pages queries", "Whoever reads page by page must see each record once.", nil, pagesQueries,
	},
	{
		"follows", "A cursor at the end finds what is appended later.", nil, follows,
	},
	{
		"pages links", "A verification reads the chain piece by piece.", nil, pagesLinks,
	},
	{
		"bears many writers", "Batches of several callers must not mix, nor take each other's numbers.", nil, bearsMany,
	},
	{
		"keeps no slices of the caller", "Callers use their memory again.", nil, keepsNoSlices,
	},
	{
		"keeps checkpoints", "The first checkpoint of a place is the evidence: a later one must not replace it.", nil, keepsCheckpoints,
	},
	{
		"obeys contexts", "Nothing may be written for a caller who has left before.", nil, obeysContexts,
	},
	{
		"survives", "Nothing acknowledged is lost.", func(s Suite) bool { return s.Reopen == nil }, survives,
	},
	{
		"K17 shows tampering", "That is what the chain is for.", func(s Suite) bool { return s.Tamper == nil }, showsTampering,
	},
}

// at is the time of the first record of a batch.
var at = time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)

// Records returns n valid records whose ids begin with prefix, one second apart.
func Records(prefix string, n int) []audit.Record {
	records := make([]audit.Record, n)
	for i := range records {
		records[i] = audit.Record{
			ID: prefix + string(rune('a'+i/26/26%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i%26)), Time: at.Add(time.Duration(i) * time.Second),
			Decision: audit.Retry, Operation: "venue.place_order", Call: "00000000000000ff", Attempt: 2,
		}
	}
	return records
}

// key signs the checkpoints of tests.
var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// append appends records to a chain.
func (c check) append(chain string, records ...audit.Record) audit.Head {
	h, err := c.store.Append(c.t.Context(), chain, records)
	c.works("Append to "+chain, err)
	return h
}

// query reads what a filter selects, page by page.
func (c check) query(f audit.Filter, limit int) (found []audit.Record) {
	var after audit.Cursor
	for {
		page, next, err := c.store.Query(c.t.Context(), f, after, limit)
		c.works("Query", err)
		if len(page) == 0 {
			c.want(next == after, "an empty result moved the cursor from %v to %v", after, next)
			return found
		}
		c.want(limit <= 0 || len(page) <= limit, "Query with limit %d gave %d records", limit, len(page))
		found, after = append(found, page...), next
	}
}

// links reads a chain from a place on.
func (c check) links(chain string, from uint64, limit int) []audit.Link {
	links, err := c.store.Links(c.t.Context(), chain, from, limit)
	c.works("Links of "+chain, err)
	return links
}

// verify returns the head of a chain that must be sound.
func (c check) verify(chain string) audit.Head {
	report, err := audit.Verify(c.t.Context(), c.store, chain, audit.Verification{})
	c.works("Verify", err)
	return report.Head
}

// ids returns those of records, with spaces between.
func ids(records []audit.Record) string {
	var b strings.Builder
	for i := range records {
		fmt.Fprintf(&b, "%s/%d:%s ", records[i].Chain, records[i].Sequence, records[i].ID)
	}
	return b.String()
}
