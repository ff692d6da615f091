package venue

import (
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

func servePlace(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	n, answer, err := c.newOrder(e, m)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	return c.submit(e, n, answer, now)
}

// submit places an order and writes the answer.
func (c *call) submit(e *engine, n newOrder, answer string, now time.Time) (any, *apiError) {
	o, err := e.place(n, now)
	if err != nil {
		return nil, err
	}
	c.placed = o
	result := resultView{o.ack(o.client, now), o.terms(o.present())}
	if e.cfg.Custom.Ack == AckAcceptedOnly {
		answer = "ACK"
	}
	switch answer {
	case "ACK":
		return result.ackView, nil
	case "RESULT":
		return result, nil
	}
	full := fullView{resultView: result, Fills: make([]fillView, len(o.fills))}
	for i, f := range o.fills {
		full.Fills[i] = fillView{text(f.price), text(f.qty), text(f.fee), f.feeAsset, f.trade}
	}
	return full, nil
}

// newOrder reads the parameters of an order and how the answer should look.
func (c *call) newOrder(e *engine, m *marketState) (n newOrder, answer string, err *apiError) {
	n = newOrder{account: e.accounts[c.account], market: m, dedupe: e.cfg.Custom.Dedupe, steps: c.steps, delay: c.stepDelay}
	if c.front == frontAlpaca {
		n.dedupe = DedupeAlways
	}
	fail := func(err *apiError) (newOrder, string, *apiError) { return newOrder{}, "", err }

	for _, name := range []string{"side", "type"} {
		if !c.given(name) {
			return fail(mandatory(name))
		}
	}
	if n.side = side(c.params.Get("side")); n.side != buy && n.side != sell {
		return fail(errSide)
	}
	needs, forbids := []string{"quantity", "price"}, []string{"quoteOrderQty"}
	switch n.typ = orderType(c.params.Get("type")); n.typ {
	case limit:
		needs = append(needs, "timeInForce")
	case limitMaker:
		forbids = append(forbids, "timeInForce")
	case market:
		needs, forbids = nil, []string{"timeInForce", "price"}
		switch {
		case !c.given("quantity") && !c.given("quoteOrderQty"):
			return fail(refuse(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"))
		case c.given("quantity") && c.given("quoteOrderQty"):
			return fail(errCombination)
		}
	default:
		return fail(errOrderType)
	}
	for _, name := range needs {
		if !c.given(name) {
			return fail(mandatory(name))
		}
	}
	for _, name := range append(forbids, "stopPrice", "icebergQty", "trailingDelta") {
		if c.given(name) {
			return fail(refuse(-1106, "Parameter '%s' sent when not required.", name))
		}
	}
	n.tif = gtc
	if c.given("timeInForce") {
		n.tif = timeInForce(c.params.Get("timeInForce"))
	}
	if n.tif != gtc && n.tif != ioc && n.tif != fok {
		return fail(errTimeInForce)
	}
	for _, p := range []struct {
		name string
		d    *decimal.Decimal
		text string
	}{{"quantity", &n.qty, "Invalid quantity."}, {"quoteOrderQty", &n.quoteQty, "Invalid quote order qty."}, {"price", &n.price, "Invalid price."}} {
		d, given, err := c.amount(p.name)
		switch {
		case err != nil:
			return fail(err)
		case given && !d.IsPositive():
			return fail(refuse(-1013, "%s", p.text))
		}
		*p.d = d
	}
	if n.client, err = c.clientID("newClientOrderId"); err != nil {
		return fail(err)
	}
	if mode := c.params.Get("selfTradePreventionMode"); mode != "" && mode != "NONE" {
		return fail(errSelfTrade)
	}
	answer = c.params.Get("newOrderRespType")
	switch {
	case answer == "" && n.typ == limitMaker:
		answer = "ACK"
	case answer == "":
		answer = "FULL"
	case !slices.Contains([]string{"ACK", "RESULT", "FULL"}, answer):
		return fail(refuse(-1130, "Data sent for parameter 'newOrderRespType' is not valid."))
	}
	return n, answer, nil
}
