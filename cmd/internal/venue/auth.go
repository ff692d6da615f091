package venue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// The venue's request window (Binance spot REST docs, "Timing security").
const (
	defaultWindow   = 5 * time.Second
	maxWindow       = 60 * time.Second
	futureTolerance = time.Second
)

// check does what the venue does on arrival.
func (v *Venue) check(c *call) *apiError {
	switch {
	case c.tooLarge:
		return errTooLarge
	case c.route == nil && routes[c.path] != nil:
		return errMethod
	case c.route == nil:
		return errNotFound
	case c.route.signed:
		account, ok := v.keys[c.key]
		switch {
		case c.key == "":
			return errKeyFormat
		case !ok:
			return errKey
		}
		c.account = account
		if err := c.checkSignature(v.cfg.Accounts[account].Secret); err != nil {
			return err
		}
	}
	if c.malformed {
		return refuse(-1100, "Illegal characters found in a parameter.")
	}
	if c.repeated != "" {
		return refuse(-1101, "Duplicate values for parameter '%s' detected.", clip(c.repeated))
	}
	return c.checkWindow(time.Now())
}

// checkSignature computes the HMAC over the query and the body as they were sent, without the signature itself.
func (c *call) checkSignature(secret string) *apiError {
	query, inQuery := cutSignature(c.query)
	body, inBody := cutSignature(c.body)
	signature := inQuery
	if signature == "" {
		signature = inBody
	}
	if signature == "" {
		return mandatory("signature")
	}
	got, err := hex.DecodeString(signature)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(query)) // a hash never fails
	mac.Write([]byte(body))
	if err != nil || !hmac.Equal(got, mac.Sum(nil)) {
		return errSignature
	}
	return nil
}

func cutSignature(raw string) (rest, signature string) {
	const name = "signature="
	at := strings.Index(raw, name)
	for at > 0 && raw[at-1] != '&' {
		next := strings.Index(raw[at+1:], name)
		if next < 0 {
			return raw, ""
		}
		at += 1 + next
	}
	if at < 0 {
		return raw, ""
	}
	signature, after, more := strings.Cut(raw[at+len(name):], "&")
	switch {
	case more:
		rest = raw[:at] + after
	default:
		rest = strings.TrimSuffix(raw[:at], "&")
	}
	return rest, signature
}

// checkWindow refuses a signed request whose window is over or has not begun. It is asked at arrival and again
// before the engine.
func (c *call) checkWindow(now time.Time) *apiError {
	if !c.route.signed {
		return nil
	}
	window := defaultWindow
	if raw := c.params.Get("recvWindow"); raw != "" {
		ms, ok := parseAmount(raw)
		switch {
		case !ok || ms.Exponent() < -3:
			return illegal("recvWindow", `^([0-9]{1,5})(\.[0-9]{1,3})?$`)
		case ms.Cmp(decimal.NewFromInt(maxWindow.Milliseconds())) > 0:
			return errRecvWindow
		}
		window = time.Duration(ms.Shift(6).IntPart())
	}
	stamp, given, err := c.integer("timestamp")
	if err != nil || !given {
		return mandatory("timestamp")
	}
	signed := time.UnixMilli(stamp)
	if stamp >= 1e14 { // the venue takes microseconds too, and milliseconds reach this in the year 5138
		signed = time.UnixMicro(stamp)
	}
	switch {
	case c.ignoreWindow:
		return nil
	case signed.Sub(now) >= futureTolerance:
		return errTooEarly
	case now.Sub(signed) > window:
		return errTooLate
	}
	return nil
}

func (v *Venue) countHeaders(h http.Header, c *call) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, w := range orderWindows {
		h[w.usageHeaders] = []string{decimal.NewFromInt(int64(c.placed.account.counts[i].used)).String()}
	}
}
