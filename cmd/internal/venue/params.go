package venue

import (
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

const (
	amountPattern   = `^([0-9]{1,20})(\.[0-9]{1,20})?$`
	integerPattern  = `^[0-9]{1,20}$`
	clientIDPattern = `^[a-zA-Z0-9-_]{1,36}$`
)

func (c *call) given(name string) bool { return c.params.Get(name) != "" }

// integer reads a non-negative integer; given is false if it was not sent.
func (c *call) integer(name string) (n int64, given bool, err *apiError) {
	raw := c.params.Get(name)
	if raw == "" {
		return 0, false, nil
	}
	n, parseErr := strconv.ParseInt(raw, 10, 64)
	if parseErr != nil || n < 0 || raw[0] == '+' {
		return 0, true, illegal(name, integerPattern)
	}
	return n, true, nil
}

// amount reads a decimal; given is false if it was not sent.
func (c *call) amount(name string) (d decimal.Decimal, given bool, err *apiError) {
	raw := c.params.Get(name)
	if raw == "" {
		return d, false, nil
	}
	d, ok := parseAmount(raw)
	switch {
	case !ok:
		return d, true, illegal(name, amountPattern)
	case d.Truncate(digits).Cmp(d) != 0:
		return d, true, refuse(-1111, "Parameter '%s' has too much precision.", name)
	}
	return d, true, nil
}

// clientID reads an optional client id.
func (c *call) clientID(name string) (string, *apiError) {
	id := c.params.Get(name)
	ok := len(id) <= 36
	for i := 0; ok && i < len(id); i++ {
		b := id[i] | 0x20
		ok = b >= 'a' && b <= 'z' || id[i] >= '0' && id[i] <= '9' || id[i] == '-' || id[i] == '_'
	}
	if !ok {
		return "", illegal(name, clientIDPattern)
	}
	return id, nil
}

// limit reads how many items are wanted. More than most means most, as on the venue.
func (c *call) limit(usual, most int64) (int, *apiError) {
	n, given, err := c.integer("limit")
	switch {
	case err != nil:
		return 0, err
	case !given:
		return int(usual), nil
	case n == 0:
		return 0, refuse(-1130, "Data sent for parameter 'limit' is not valid.")
	}
	return int(min(n, most)), nil
}

// A period is an optional range of time; both ends count.
type period struct{ from, to time.Time }

func (c *call) period() (p period, err *apiError) {
	for _, end := range []struct {
		name string
		t    *time.Time
	}{{"startTime", &p.from}, {"endTime", &p.to}} {
		ms, given, err := c.integer(end.name)
		if err != nil {
			return p, err
		}
		if given {
			*end.t = time.UnixMilli(min(ms, 1<<50)) // far enough, and no overflow
		}
	}
	return p, nil
}

// holds compares in milliseconds, the resolution in which the client was told the time.
func (p period) holds(t time.Time) bool {
	ms := t.UnixMilli()
	return (p.from.IsZero() || ms >= p.from.UnixMilli()) && (p.to.IsZero() || ms <= p.to.UnixMilli())
}

func (p period) longerThanDay() bool {
	return !p.from.IsZero() && !p.to.IsZero() && p.to.Sub(p.from) > 24*time.Hour
}

// market returns the market of the mandatory parameter symbol.
func (c *call) market(e *engine) (*marketState, *apiError) {
	if c.symbol == "" {
		return nil, mandatory("symbol")
	}
	if m := e.markets[c.symbol]; m != nil {
		return m, nil
	}
	if strings.Trim(c.symbol, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || len(c.symbol) > 20 {
		return nil, illegal("symbol", "^[A-Z0-9-_.]{1,20}$")
	}
	return nil, errSymbol
}
