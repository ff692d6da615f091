package operate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Venues refuse what is signed a second off, so that is where a clock begins to hurt.
const (
	clockWarn = time.Second
	clockFail = 5 * time.Second
)

// clocks compares the clock of this machine with all that are known.
func (d *doctor) clocks() {
	const try = "synchronise the clock: chrony, systemd-timesyncd or the like"
	switch known, synced := synchronized(); {
	case !known:
		d.say("clock", ok, "the system does not say whether its clock is synchronised", "")
	case !synced:
		d.say("clock", warn, "the system says that its clock is not synchronised", try)
	default:
		d.say("clock", ok, "synchronised, says the system", "")
	}
	timeout, _ := d.timeout()
	h := &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	urls := maps.Clone(d.venues)
	if urls == nil {
		urls = map[string]string{}
	}
	if d.there != nil {
		urls["the server"] = d.there.base + "/api/v1/me"
	}
	for _, name := range slices.Sorted(maps.Keys(urls)) {
		off, sure, err := offset(d.ctx, h, urls[name])
		if err != nil {
			d.say("clock", warn, fmt.Sprintf("%s was not asked for its time: %v", name, plainly(err, timeout)), "check the network, and run it again")
			continue
		}
		level, advice := distant(off, sure), ""
		if level != ok {
			advice = try
		}
		d.say("clock", level, apart(off, sure)+" "+name, advice)
	}
}

// distant judges an offset by what it is at least.
func distant(off, sure time.Duration) string {
	switch least := off.Abs() - sure; {
	case least > clockFail:
		return fail
	case least > clockWarn:
		return warn
	}
	return ok
}

// apart says where our clock is, as seen from another one.
func apart(off, sure time.Duration) string {
	const tenth = 100 * time.Millisecond
	switch {
	case off.Abs() <= sure:
		return "within " + max(sure.Round(tenth), tenth).String() + " of"
	case off > 0:
		return fmt.Sprintf("%v (give or take %v) behind", off.Round(tenth), sure.Round(tenth))
	}
	return fmt.Sprintf("%v (give or take %v) ahead of", -off.Round(tenth), sure.Round(tenth))
}

// offset is how far a clock is before ours, and how sure that is, by the Date of an answer, which has whole seconds
// (RFC 9110 §6.6.1).
func offset(ctx context.Context, h *http.Client, url string) (off, sure time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	resp, err := h.Do(r)
	if err != nil {
		return 0, 0, err
	}
	took := time.Since(began)
	resp.Body.Close()
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, 0, errors.New("its answer has no Date")
	}
	const half = 500 * time.Millisecond
	return date.Add(half).Sub(began.Add(took / 2).Round(0)), took/2 + half, nil
}
