package binanceorders

import (
	"testing"
	"time"
)

func TestBalances(t *testing.T) {
	held, at, ok := Balances([]byte(`{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":5,"u":4,"B":[{"a":"BTC","f":"1.50","l":"0.25"},{"a":"USDT","f":"0","l":"0.00"}]}}`))
	if !ok || !at.Equal(time.UnixMilli(5)) || len(held) != 2 || held["BTC"] != "1.75" || held["USDT"].Sign() != 0 {
		t.Errorf("Balances = %v, %v, %v", held, at, ok)
	}
	for _, message := range []string{traded, `{"id":1,"status":200}`, `<html>`, `{"event":{"e":"outboundAccountPosition","B":[{"a":"BTC","f":"much","l":"0"}]}}`} {
		if held, _, ok := Balances([]byte(message)); ok {
			t.Errorf("Balances(%s) = %v", message, held)
		}
	}
}
