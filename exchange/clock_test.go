package exchange

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		if now, off, heard := c.Now(); heard || off != UnheardError || !now.Equal(time.Now()) {
			t.Errorf("Now() = %v, %v, %v; want our own time, 5 s, false", now, off, heard)
		}
		const ahead = 7 * time.Second
		observe := func(took, resolution time.Duration) {
			sent := time.Now()
			time.Sleep(took / 2)
			server := time.Now().Add(ahead).Truncate(max(1, resolution))
			time.Sleep(took / 2)
			if !c.Observe(sent, time.Now(), server, resolution) {
				t.Error("the answer was not used")
			}
		}
		check := func(most time.Duration) {
			t.Helper()
			now, off, heard := c.Now()
			if wrong := now.Sub(time.Now().Add(ahead)).Abs(); !heard || wrong > off || off > most {
				t.Errorf("off by %v, bound %v; want within the bound, and that at most %v", wrong, off, most)
			}
		}
		observe(100*time.Millisecond, time.Second)
		check(551 * time.Millisecond)
		observe(20*time.Millisecond, time.Millisecond) // a better one narrows it
		check(11 * time.Millisecond)
		observe(2*time.Second, time.Second) // a worse one takes nothing away
		check(11 * time.Millisecond)
		time.Sleep(time.Hour) // drift
		check(400 * time.Millisecond)
		for range 50 {
			observe(time.Duration(rand.IntN(100))*time.Millisecond, time.Second)
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
			check(time.Second)
		}
		// One answer with a wrong time moves neither bound away from the truth, and the next one mends it.
		for _, wrong := range []time.Duration{time.Hour, -time.Hour} {
			c.Observe(time.Now(), time.Now(), time.Now().Add(wrong), 0)
			check(time.Hour)
			observe(20*time.Millisecond, time.Millisecond)
			check(11 * time.Millisecond)
		}
		// A venue that sets its clock is believed when it says so twice.
		for range 2 {
			c.Observe(time.Now(), time.Now(), time.Now().Add(time.Hour), 0)
		}
		if now, _, _ := c.Now(); now.Sub(time.Now()).Round(time.Second) != time.Hour {
			t.Errorf("after a jump: %v ahead; want an hour", now.Sub(time.Now()))
		}
		before, _, _ := c.Now()
		for _, odd := range []bool{
			c.Observe(time.Now(), time.Now(), time.Time{}, 0),
			c.Observe(time.Now(), time.Now(), time.Now(), -1),
			c.Observe(time.Now(), time.Now().Add(-1), time.Now(), 0),
			c.Observe(time.Now().Add(-2*maxWait), time.Now(), time.Now(), 0),
			c.Observe(time.Now().Add(-time.Hour), time.Now().Add(-time.Minute), time.Now(), 0), // overtaken
		} {
			if odd {
				t.Error("an odd answer was used")
			}
		}
		if now, _, _ := c.Now(); !now.Equal(before) {
			t.Error("an odd answer changed the time")
		}
	})
}

func TestClockDates(t *testing.T) {
	var c Clock
	now := time.Now()
	date := now.UTC().Format(http.TimeFormat)
	for _, test := range []struct {
		h    http.Header
		want bool
	}{
		{http.Header{"Date": {date}}, true},
		{http.Header{"Date": {date}, "Age": {"5"}}, false}, // from a cache
		{http.Header{"Date": {"soon"}}, false},
		{http.Header{"Date": {"Thu, 01 Jan 1970 00:00:00 GMT"}}, false},
		{http.Header{}, false},
	} {
		if got := c.ObserveDate(now, now, test.h); got != test.want {
			t.Errorf("ObserveDate(%v) = %v; want %v", test.h, got, test.want)
		}
	}
}

// The time routes of venues, in their units.
func TestTransportLearnsTime(t *testing.T) {
	for venue, answer := range map[string]string{
		"binance": `{"serverTime":1767225600123}`, "kraken": `{"error":[],"result":{"unixtime":1767225600}}`,
		"alpaca": `{"timestamp":"2026-01-01T00:00:00.123Z"}`, "okx": `{"code":"0","data":[{"ts":"1767225600123"}]}`,
		"deribit": `{"result":1767225600123}`,
	} {
		p := mustLoad(t, venue)
		c := &Clock{}
		tr := &Transport{Profile: p, Clock: c, Base: baseFunc(func(r *http.Request) (*http.Response, error) { return reply(r, 200, answer), nil })}
		for _, r := range p.Wire.Routes {
			if r.Learn == learnTime {
				if _, err := get(t.Context(), tr, host+r.Path); err != nil {
					t.Fatal(err)
				}
			}
		}
		now, off, heard := c.Now()
		if d := now.Sub(time.UnixMilli(1767225600123)).Abs(); !heard || d > time.Minute || off > 2*time.Second {
			t.Errorf("%s: %v, %v, %v; want the time of the answer", venue, now, off, heard)
		}
	}
	// Nothing is learnt from what is no answer.
	c := &Clock{}
	tr := &Transport{Profile: mustLoad(t, "binance"), Clock: c, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		return reply(r, 500, `{"serverTime":1767225600123}`), nil
	})}
	get(t.Context(), tr, host+"/api/v3/time")
	if _, _, heard := c.Now(); heard {
		t.Error("learnt from a failure")
	}
}
