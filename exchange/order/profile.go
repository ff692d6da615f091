package order

import (
	"time"

	"github.com/relent-go/relent/exchange"
)

// RulesOf makes rules of a venue's profile. The profile's methods take the strict value for each fact that is too weak to
// rely on; an operator who tested a fact raises it there.
func RulesOf(p *exchange.Profile) Rules {
	fence, resend, sees, plan, id := p.Fence(), p.Resend(), p.Visibility(), p.VerifyPlan(), p.IDRule()
	r := Rules{
		Venue: p.Exchange,
		Fence: fence.Usable, Residual: fence.Residual,
		ResendTaking: !resend.RestOnly, ResendWithin: resend.Within,
		QueryClosed: sees.SeesClosed,
		FirstWait:   max(plan.FirstWait, time.Millisecond), Spacing: plan.Spacing, Reads: plan.Reads, MinTotal: plan.MinTotal,
		Budget:      max(time.Minute, plan.MinTotal),
		AckIsEngine: p.AckIsEngine(), AmendKeepID: p.AmendKeepsID(),
		IDPrefix: id.Prefix, IDInteger: id.Integer,
	}
	switch resend.When {
	case exchange.ResendAfterProof:
		r.Resend = ResendAfterProof
	case exchange.ResendAtOnce:
		r.Resend = ResendIsQuery
	}
	return r
}
