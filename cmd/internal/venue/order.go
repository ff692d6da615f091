package venue

import (
	"time"

	"github.com/shopspring/decimal"
)

type side string

const (
	buy  side = "BUY"
	sell side = "SELL"
)

type orderType string

const (
	limit      orderType = "LIMIT"
	market     orderType = "MARKET"
	limitMaker orderType = "LIMIT_MAKER"
)

type timeInForce string

const (
	gtc timeInForce = "GTC"
	ioc timeInForce = "IOC"
	fok timeInForce = "FOK"
)

// Order statuses, as on the venue. A status only moves from NEW over PARTIALLY_FILLED to one of the others.
const (
	statusNew      = "NEW"
	statusPartial  = "PARTIALLY_FILLED"
	statusFilled   = "FILLED"
	statusCanceled = "CANCELED"
	statusExpired  = "EXPIRED"
	statusRejected = "REJECTED"
)

// maxLag is how far back a read can look.
const maxLag = 10 * time.Second

// An order is a client's, or the house's with id 0.
type order struct {
	id      int64
	client  string
	account *account
	market  *marketState

	side     side
	typ      orderType
	tif      timeInForce
	price    decimal.Decimal // zero for MARKET
	qty      decimal.Decimal // for an order by quote quantity, what was executed in the end
	quoteQty decimal.Decimal // zero unless the order is by quote quantity
	locked   decimal.Decimal // still set aside, in the asset that is paid

	executed decimal.Decimal
	spent    decimal.Decimal // cumulative quote quantity
	status   string
	rejected string // why, of a rejected order
	created  time.Time
	updated  time.Time
	ahead    time.Duration // of the venue's clock when the order came, so that clients are told times by that clock

	fills   []fill
	past    []moment // states, the oldest first; enough for maxLag
	facts   *facts   // nil for the house
	windows [2]time.Time

	replaces, replacedBy int64 // ids of orders, by the Alpaca interface
}

// told is a moment by the clock that the venue had when the order came.
func (o *order) told(t time.Time) time.Time { return t.Add(o.ahead) }

// A fill is one trade of the order that took.
type fill struct {
	trade      int64
	price, qty decimal.Decimal
	fee        decimal.Decimal
	feeAsset   string
}

// A moment is the state of an order from a time on.
type moment struct {
	at              time.Time
	status          string
	executed, spent decimal.Decimal
}

func (o *order) remaining() decimal.Decimal { return o.qty.Sub(o.executed) }

func (o *order) isOpen() bool { return isOpen(o.status) }

func isOpen(status string) bool { return status == statusNew || status == statusPartial }

// paid is the asset that o gives.
func (o *order) paid() string {
	if o.side == buy {
		return o.market.quote
	}
	return o.market.base
}

// crosses says whether o may trade at price.
func (o *order) crosses(price decimal.Decimal) bool {
	switch {
	case o.typ == market:
		return true
	case o.side == buy:
		return o.price.Cmp(price) >= 0
	default:
		return o.price.Cmp(price) <= 0
	}
}

// remember keeps the present state for lagging reads.
func (o *order) remember(now time.Time) {
	o.updated = now
	if o.account.house() {
		return
	}
	for len(o.past) > 1 && now.Sub(o.past[1].at) > maxLag {
		o.past = o.past[1:]
	}
	o.past = append(o.past, moment{now, o.status, o.executed, o.spent})
}

// at returns the state that a replica had at a time, and false if it did not know the order yet.
func (o *order) at(t time.Time) (moment, bool) {
	for i := len(o.past) - 1; i >= 0; i-- {
		if !o.past[i].at.After(t) {
			return o.past[i], true
		}
	}
	return moment{}, false
}
