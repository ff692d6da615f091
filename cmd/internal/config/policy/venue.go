package policy

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/relent-go/relent/exchange"
)

// A Venue is what the facts about an exchange permit after an order of unknown outcome.
type Venue struct {
	Profile string      `json:"profile"`
	Name    string      `json:"name"`
	AsOf    string      `json:"as_of"`
	Resend  string      `json:"resend"`        // never, after_proof or at_once
	Why     string      `json:"why,omitempty"` // why not sooner
	Facts   []VenueFact `json:"facts"`
	Sources []Source    `json:"sources"` // of the facts
}

// A Source is where facts were read.
type Source struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// A VenueFact is one of them, with its origin.
type VenueFact struct {
	Path       string   `json:"path"`
	Says       string   `json:"says"`
	Confidence string   `json:"confidence"`
	Trusted    bool     `json:"trusted"`          // may make relent less careful
	Sources    []string `json:"sources"`          // their ids
	Reason     string   `json:"reason,omitempty"` // why the configuration calls it tested
}

// venue says what is known about a venue that matters for a retry.
func venue(p *exchange.Profile) *Venue {
	resend := p.Resend()
	v := &Venue{Profile: p.Exchange, Name: p.Name, AsOf: p.AsOf, Resend: resend.When.String(), Why: resend.Why}
	used := map[string]bool{}
	says := said(p)
	for _, claim := range p.Claims() {
		text, ok := says[claim.Path]
		if !ok {
			continue
		}
		f := VenueFact{Path: claim.Path, Says: text, Confidence: string(claim.Fact.Confidence), Trusted: claim.Fact.Trusted(), Sources: claim.Fact.Src, Reason: claim.Reason}
		for _, id := range claim.Fact.Src {
			used[id] = true
		}
		v.Facts = append(v.Facts, f)
	}
	for _, s := range p.Sources {
		if used[s.ID] {
			v.Sources = append(v.Sources, Source{s.ID, strings.TrimSpace(s.Title + " " + s.Version)})
		}
	}
	return v
}

// said is what the facts that bear on orders say, by their paths.
func said(p *exchange.Profile) map[string]string {
	o := &p.Orders
	fence := p.Fence()
	deadline := "no request deadline that proves anything"
	if fence.Usable {
		deadline = fmt.Sprintf("late requests are refused %v after their deadline", fence.Residual)
	}
	query := "no query by our id"
	if o.QueryByClientID.Supported {
		query = "query by our id covers " + o.QueryByClientID.Covers
	}
	says := map[string]string{
		"orders.client_id":          fmt.Sprintf("an id sent twice: %s; unique by %s", strings.ReplaceAll(string(o.ClientID.Dedupe), "_", " "), o.ClientID.UniquenessScope),
		"orders.query_by_client_id": query,
		"orders.fence":              deadline,
		"orders.resubmit":           strings.ReplaceAll(string(o.Resubmit.SameID), "_", " "),
		"orders.fills":              "executions by " + o.Fills.By,
	}
	for _, l := range p.Rest.Limits {
		if l.Limit != nil && l.WindowMS != nil {
			says["rest.limits["+l.ID+"]"] = fmt.Sprintf("%g per %s, by %s", *l.Limit, milliseconds(*l.WindowMS), l.Scope)
		}
	}
	return says
}

// text is the venue for people.
func (v *Venue) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "venue: %s, facts of %s\n", v.Name, v.AsOf)
	when := map[string]string{
		"never":       "an order of unknown outcome is never sent again by itself",
		"after_proof": "an order of unknown outcome is sent again only when the venue is proven not to have it",
		"at_once":     "an order of unknown outcome may be sent again at once with its id, which the venue protects",
	}[v.Resend]
	b.WriteString(when)
	if v.Why != "" {
		b.WriteString(": " + v.Why)
	}
	b.WriteString("\n\n")
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FACT\tSAYS\tCONFIDENCE\tSOURCE")
	for _, f := range v.Facts {
		confidence := f.Confidence
		switch {
		case f.Reason != "":
			confidence += " (configured: " + f.Reason + ")"
		case !f.Trusted:
			confidence += " (not relied on)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Path, f.Says, confidence, strings.Join(f.Sources, ", "))
	}
	t.Flush()
	b.WriteByte('\n')
	t = tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range v.Sources {
		fmt.Fprintf(t, "%s\t%s\n", s.ID, s.Title)
	}
	t.Flush()
	return b.String()
}
