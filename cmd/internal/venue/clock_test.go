package venue

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// A venue whose clock is ahead tells all times of an order by that clock, and understands periods by it.
func TestTimesByTheVenuesClock(t *testing.T) {
	const ahead = 700 * time.Millisecond
	for _, test := range []struct {
		name   string
		cfg    Config
		faults []Fault
	}{
		{"configured", Config{Clock: ahead}, nil},
		{"by a fault", Config{}, []Fault{{Kind: ClockShift, Shift: ahead}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := New(test.cfg)
				defer v.Close()
				add(t, v, test.faults...)
				want := time.Now().Add(ahead).UnixMilli()
				times := func(method, path, words string, fields ...string) {
					t.Helper()
					body := ask(v, method, path, words).body
					var one map[string]any
					list := []map[string]any{}
					if json.Unmarshal([]byte(body), &list) == nil {
						if len(list) != 1 {
							t.Errorf("%s %s: %d entries; want 1", method, path, len(list))
							return
						}
						one = list[0]
					} else if err := json.Unmarshal([]byte(body), &one); err != nil {
						t.Fatal(err)
					}
					for _, f := range fields {
						if got, _ := one[f].(float64); int64(got) != want {
							t.Errorf("%s %s: %s is %d ms off", method, path, f, int64(got)-want)
						}
					}
				}
				span := fmt.Sprintf(" startTime=%d endTime=%d", want, want)
				times("POST", "order", "symbol=BTCUSDT side=BUY type=LIMIT timeInForce=IOC price=70000 quantity=0.00010 newClientOrderId=one", "transactTime", "workingTime")
				times("GET", "order", "symbol=BTCUSDT origClientOrderId=one", "time", "updateTime")
				times("GET", "allOrders", "symbol=BTCUSDT"+span, "time")
				times("GET", "myTrades", "symbol=BTCUSDT"+span, "time")
				for _, r := range v.world.engine.accounts[0].reports {
					if e := r.view(); e.EventTime != want || e.Time != want || e.Created != want || e.WorkingTime != want {
						t.Errorf("%s is told with other times than %d: %+v", r.kind, want, e)
					}
				}
			})
		})
	}
}
