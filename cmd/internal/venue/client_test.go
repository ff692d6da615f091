package venue

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/adshao/go-binance/v2"
)

// trade1000 places 1000 orders under a preset, each by the rule of a client, and returns the intents and the oracle at the end.
func trade1000(t *testing.T, preset string, order func(v *Venue, id string)) (o Oracle, intents []Intent) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Seed: 3})
		faults, err := Preset(preset)
		if err != nil {
			t.Fatal(err)
		}
		add(t, v, faults...)
		for i := range 1000 {
			id := fmt.Sprint("intent-", i)
			order(v, id)
			intents = append(intents, Intent{id, true})
		}
		sound(t, v)
		o = v.Oracle()
	})
	return o, intents
}

const smallBuy = "symbol=BTCUSDT side=BUY type=MARKET quantity=0.001 newClientOrderId="

// TestLossyHurtsTheHasty: a simulator under which a method-blind retry does no harm would prove nothing.
func TestLossyHurtsTheHasty(t *testing.T) {
	o, intents := trade1000(t, "lossy", func(v *Venue, id string) {
		for range 5 {
			if r := ask(v, "POST", "order", smallBuy+id); !r.cut && r.status == 200 {
				return
			}
		}
	})
	if v := o.Judge(intents); len(v.Duplicated) < 20 || o.Check().Pass {
		t.Errorf("%d duplicates of 1000 under lossy; want 20 or more", len(v.Duplicated))
	}
}

// TestStormSparesThePatient: a client that waits until its request can no longer arrive, 5 s of window and 10 s of
// engine, and then reads twice before it sends again, has each order once. A simulator that failed it would be unfair.
func TestStormSparesThePatient(t *testing.T) {
	o, intents := trade1000(t, "storm", func(v *Venue, id string) {
		for {
			if r := ask(v, "POST", "order", smallBuy+id); !r.cut && r.status == 200 {
				return
			}
			time.Sleep(15 * time.Second)
			for absent := 0; absent < 2; {
				r := ask(v, "GET", "order", "symbol=BTCUSDT origClientOrderId="+id)
				switch {
				case !r.cut && r.status == 200:
					return
				case !r.cut && r.code() == -2013:
					absent++
				}
				time.Sleep(2 * time.Second)
			}
		}
	})
	v := o.Judge(intents)
	if len(v.Once) != 1000 || len(v.Executed) != 1000 || !o.Check().Pass {
		t.Errorf("%d once, %d executed, %d twice, %d lost: %+v", len(v.Once), len(v.Executed), len(v.Duplicated), len(v.Lost), o.Check())
	}
	t.Logf("%+v", o.Totals)
}

// TestGoBinanceNaiveRetry: go-binance with a retry that does not ask what was asked, in virtual time. The oracle must
// see what it does.
func TestGoBinanceNaiveRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := New(Config{Seed: 4, Limits: Limits{WeightPerMinute: Unlimited, OrdersPer10s: Unlimited}})
		defer v.Close()
		faults, err := Preset("lossy")
		if err != nil {
			t.Fatal(err)
		}
		add(t, v, faults...)
		c := binance.NewClient(DefaultKey, DefaultSecret)
		c.BaseURL, c.HTTPClient = "http://venue", &http.Client{Transport: v.Transport(), Timeout: time.Second}
		for i := range 1000 {
			for range 5 {
				_, err := c.NewCreateOrderService().Symbol("BTCUSDT").Side(binance.SideTypeBuy).Type(binance.OrderTypeMarket).
					Quantity("0.001").NewClientOrderID(fmt.Sprint("intent-", i)).Do(t.Context())
				if err == nil {
					break
				}
			}
		}
		time.Sleep(10 * time.Second)
		got := failed(v.Oracle().Check())
		if len(got) < 2 || got[0] != "I1" || got[1] != "I2" {
			t.Errorf("failed %v; want I1 and I2", got)
		}
		t.Logf("%d of 1000 intents were doubled", v.Oracle().Totals.Duplicates)
	})
}
