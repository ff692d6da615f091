package venue

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// failed returns the ids of the invariants that do not hold.
func failed(r Findings) (ids []string) {
	for _, i := range r.Invariants {
		if i.Pass != (i.Violations == 0) || i.Pass != (len(i.Events) == 0) {
			panic(fmt.Sprintf("%+v", i))
		}
		if !i.Pass {
			ids = append(ids, i.ID)
		}
	}
	if r.Pass != (len(ids) == 0) {
		panic(fmt.Sprintf("%+v", r))
	}
	return ids
}

// resend is the wrong client: it sends an order again at once when it does not hear of it.
func resend(v *Venue, order func(try int) string) {
	for try := range 5 {
		if r := ask(v, "POST", "order", order(try)); !r.cut && r.status == 200 {
			return
		}
	}
}

func TestOracleCatchesAResendWithTheSameID(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: AcceptDropAnswer, Count: 2})
	resend(v, func(int) string { return marketBuy + "a" })
	o := v.Oracle()
	if got := failed(o.Check()); !slices.Equal(got, []string{"I1", "I2"}) {
		t.Errorf("failed %v; want I1 and I2", got)
	}
	f := o.Orders["a"]
	if f.VenueOrders != 3 || !f.Executed.Equal(dec("0.03")) || !f.Intended.Equal(dec("0.01")) || !f.Acknowledged || o.Totals.Duplicates != 1 {
		t.Errorf("facts = %+v", f)
	}
	if verdict := o.Judge([]Intent{{"a", true}}); !slices.Equal(verdict.Duplicated, []string{"a"}) || verdict.Once != nil {
		t.Errorf("verdict = %+v", verdict)
	}
}

// TestOpenOrdersProtectTheirID: the same client is safe while the first order rests, as on the venue.
func TestOpenOrdersProtectTheirID(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: AcceptDropAnswer, Count: 1})
	resend(v, func(int) string { return restingBid + "a" })
	if got := failed(v.Oracle().Check()); got != nil {
		t.Errorf("failed %v; want none", got)
	}
}

func TestOracleCatchesAQuoteOrderSentTwice(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: AcceptUnavailable, Count: 1})
	resend(v, func(int) string { return "symbol=BTCUSDT side=BUY type=MARKET quoteOrderQty=100 newClientOrderId=q" })
	if got := failed(v.Oracle().Check()); !slices.Equal(got, []string{"I1", "I2"}) {
		t.Errorf("failed %v; want I1 and I2", got)
	}
}

func TestOracleCatchesANewIDPerTry(t *testing.T) {
	v := New(Config{})
	add(t, v, Fault{Kind: CutBody, Count: 1})
	resend(v, func(try int) string { return fmt.Sprint(marketBuy, "a-", try) })
	verdict := v.Oracle().Judge([]Intent{{"a-1", true}})
	if !slices.Equal(verdict.Stray, []string{"a-0"}) || !slices.Equal(verdict.Once, []string{"a-1"}) {
		t.Errorf("verdict = %+v; want a-0 stray", verdict)
	}
}

func TestJudge(t *testing.T) {
	v := New(Config{})
	ask(v, "POST", "order", marketBuy+"filled")
	ask(v, "POST", "order", restingBid+"resting")
	ask(v, "POST", "order", marketBuy+"unheard")
	ask(v, "POST", "order", marketBuy+"twice")
	ask(v, "POST", "order", marketBuy+"twice")
	ask(v, "POST", "order", marketBuy+"stray")
	got := v.Oracle().Judge([]Intent{{"filled", true}, {"resting", true}, {"unheard", false}, {"twice", true}, {"lost", true}, {"absent", false}, {"filled", true}})
	want := Verdict{
		Once: []string{"filled", "resting", "unheard"}, Executed: []string{"filled", "unheard", "twice"}, Duplicated: []string{"twice"},
		Absent: []string{"absent"}, Lost: []string{"lost"}, Orphaned: []string{"unheard"}, Stray: []string{"stray"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Judge = %+v; want %+v", got, want)
	}
}

func TestOracleSurvivesJSON(t *testing.T) {
	v := New(Config{Limits: Limits{WeightPerMinute: 3, RefusalsUntilBan: 1}})
	for range 3 {
		ask(v, "POST", "order", marketBuy+"a")
	}
	for range 3 {
		get(v, "ping")
	}
	o := v.Oracle()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back Oracle
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if got := failed(back.Check()); !slices.Equal(got, []string{"I1", "I2", "I8", "I9"}) || !reflect.DeepEqual(back.Check(), o.Check()) {
		t.Errorf("failed %v; want all, and the same as before", got)
	}
	if (Oracle{Orders: map[string]OrderFacts{"odd": {}}}).ids()[0] != "odd" {
		t.Error("facts without an order are left out")
	}
}

func TestOracleIsACopy(t *testing.T) {
	v := New(Config{})
	ask(v, "POST", "order", restingBid+"a")
	o := v.Oracle()
	o.Orders["a"].OrderIDs[0] = 9
	delete(o.Orders, "a")
	if f := v.Oracle().Orders["a"]; f.OrderIDs[0] != 1 || f.Status != statusNew || f.Side != "BUY" || f.Type != "LIMIT" {
		t.Errorf("facts = %+v", f)
	}
}
