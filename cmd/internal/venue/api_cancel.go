package venue

import (
	"net/http"
	"slices"
	"time"
)

// serveCancel asks the engine itself, which does not lag.
func serveCancel(e *engine, c *call, now time.Time) (any, *apiError) {
	if m := e.markets[c.symbol]; m != nil {
		e.flow(m, now)
	}
	o, err := c.find(e)
	if err != nil {
		return nil, err
	}
	name, err := c.clientID("newClientOrderId")
	if err != nil {
		return nil, err
	}
	return c.takeBack(e, o, name, now)
}

// takeBack cancels an order, if it is open and the restriction of the request allows it.
func (c *call) takeBack(e *engine, o *order, name string, now time.Time) (any, *apiError) {
	restriction := c.params.Get("cancelRestrictions")
	if !slices.Contains([]string{"", "ONLY_NEW", "ONLY_PARTIALLY_FILLED"}, restriction) {
		return nil, refuse(-1130, "Data sent for parameter 'cancelRestrictions' is not valid.")
	}
	switch {
	case o == nil || !o.isOpen():
		return nil, errUnknownOrder
	case restriction == "ONLY_NEW" && o.status != statusNew, restriction == "ONLY_PARTIALLY_FILLED" && o.status != statusPartial:
		return nil, errCancelRestrict
	}
	name = e.cancelName(name)
	e.cancel(o, name, now)
	return canceledView{o.client, resultView{o.ack(name, now), o.terms(o.present())}}, nil
}

// cancelName is the client id of a cancel, made up if it has none.
func (e *engine) cancelName(name string) string {
	if name == "" {
		e.cancels++
		name = generatedID(e.cfg.Seed, "cancel", e.cancels)
	}
	return name
}

// serveCancelAll cancels all open orders of a symbol; that there are none is an error, as on the venue.
func serveCancelAll(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	open := e.accounts[c.account].openOf(m)
	if len(open) == 0 {
		return nil, errUnknownOrder
	}
	views := make([]any, len(open))
	for i, o := range open {
		if views[i], err = c.takeBack(e, o, "", now); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// Results of the legs of cancelReplace.
const (
	legDone    = "SUCCESS"
	legFailed  = "FAILURE"
	legSkipped = "NOT_ATTEMPTED"
)

type replaceView struct {
	CancelResult     string `json:"cancelResult"`
	NewOrderResult   string `json:"newOrderResult"`
	CancelResponse   any    `json:"cancelResponse"`
	NewOrderResponse any    `json:"newOrderResponse"`
}

// serveCancelReplace cancels one order and places another. The two legs are not atomic: one can fail and the other not.
func serveCancelReplace(e *engine, c *call, now time.Time) (any, *apiError) {
	m, err := c.market(e)
	if err != nil {
		return nil, err
	}
	mode := c.params.Get("cancelReplaceMode")
	switch {
	case mode == "":
		return nil, mandatory("cancelReplaceMode")
	case mode != "STOP_ON_FAILURE" && mode != "ALLOW_FAILURE":
		return nil, refuse(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
	}
	n, answer, err := c.newOrder(e, m)
	if err != nil {
		return nil, err
	}
	o, err := c.findBy(e, "cancelOrderId", "cancelOrigClientOrderId")
	if err != nil {
		return nil, err
	}
	name, err := c.clientID("cancelNewClientOrderId")
	if err != nil {
		return nil, err
	}
	e.flow(m, now)
	v := replaceView{CancelResult: legDone, NewOrderResult: legSkipped}
	if v.CancelResponse, err = c.takeBack(e, o, name, now); err != nil {
		v.CancelResult, v.CancelResponse = legFailed, err.body()
	}
	if v.CancelResult == legDone || mode == "ALLOW_FAILURE" {
		v.NewOrderResult = legDone
		if v.NewOrderResponse, err = c.submit(e, n, answer, now); err != nil {
			v.NewOrderResult, v.NewOrderResponse = legFailed, err.body()
		}
	}
	return v.answer()
}

// answer is the whole result, or a refusal that carries what there is of it.
func (v replaceView) answer() (any, *apiError) {
	var e apiError
	switch {
	case v.CancelResult == legDone && v.NewOrderResult == legDone:
		return v, nil
	case v.CancelResult == legDone || v.NewOrderResult == legDone:
		e = *errReplaceHalf
	default:
		e = *errReplaceFailed
		e.status = http.StatusBadRequest
	}
	e.data = v
	return nil, &e
}
