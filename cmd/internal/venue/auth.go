package venue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
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
	case c.route == nil && c.methods != nil:
		return errMethod
	case c.route == nil:
		return errNotFound
	case c.route.signed, c.route.keyed:
		account, ok := v.keys[c.key]
		switch {
		case c.key == "":
			return errKeyFormat
		case !ok:
			return errKey
		}
		c.account = account
		if c.front == frontAlpaca && c.secret != v.cfg.Accounts[account].Secret {
			return errKey
		}
		if !c.route.signed || c.front == frontAlpaca {
			break
		}
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
	return v.checkWindow(c, time.Now())
}

// checkSignature computes the HMAC over the query and the body as they were sent, without the signature itself.
func (c *call) checkSignature(secret string) *apiError {
	query, inQuery := cutSignature(c.query)
	body, inBody := cutSignature(c.body)
	if c.link != nil {
		query, body, inQuery = c.signed, "", c.params.Get("signature")
	}
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

// checkWindow refuses a signed request whose time is over or has not begun, as the profile's fence says. It is asked at
// arrival and again before the engine.
func (v *Venue) checkWindow(c *call, now time.Time) *apiError {
	if !c.route.signed || c.front == frontAlpaca {
		return nil
	}
	now = now.Add(v.cfg.Clock + c.shift)
	late := c.ignoreWindow || v.profile.HonourLate
	window, signed, err := c.window()
	switch {
	case v.profile.Fence == FenceNone:
		return nil
	case v.profile.Fence == FenceDeadline:
		return c.checkDeadline(now, late)
	case err != nil:
		return err
	case late:
		return nil
	case signed.Sub(now) >= futureTolerance:
		return errTooEarly
	case now.Sub(signed) > window:
		return errTooLate
	}
	return nil
}

// checkDeadline refuses a request after the time that it names itself, if it names one.
func (c *call) checkDeadline(now time.Time, late bool) *apiError {
	if c.deadline == "" {
		return nil
	}
	ms, err := strconv.ParseInt(c.deadline, 10, 64)
	switch {
	case err != nil:
		return refuse(-1102, "The deadline of this request is not a number of milliseconds.")
	case !late && now.After(time.UnixMilli(ms)):
		return errDeadline
	}
	return nil
}

// window reads the timing of a signed request.
func (c *call) window() (window time.Duration, signed time.Time, err *apiError) {
	window = defaultWindow
	if raw := c.params.Get("recvWindow"); raw != "" {
		ms, ok := parseAmount(raw)
		switch {
		case !ok || ms.Exponent() < -3:
			return 0, signed, illegal("recvWindow", `^([0-9]{1,5})(\.[0-9]{1,3})?$`)
		case ms.Cmp(decimal.NewFromInt(maxWindow.Milliseconds())) > 0:
			return 0, signed, errRecvWindow
		}
		window = time.Duration(ms.Shift(6).IntPart())
	}
	stamp, given, err := c.integer("timestamp")
	if err != nil || !given {
		return 0, signed, mandatory("timestamp")
	}
	signed = time.UnixMilli(stamp)
	if stamp >= 1e14 { // the venue takes microseconds too, and milliseconds reach this in the year 5138
		signed = time.UnixMicro(stamp)
	}
	return window, signed, nil
}

func (v *Venue) countHeaders(h http.Header, c *call) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, w := range orderWindows {
		h[w.usageHeaders] = []string{decimal.NewFromInt(int64(c.placed.account.counts[i].used)).String()}
	}
}
