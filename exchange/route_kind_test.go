package exchange_test

import (
	"testing"

	"github.com/relent-go/relent/exchange"
)

func TestProfileKind(t *testing.T) {
	p, err := exchange.Load("binance")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		want         exchange.Kind
	}{
		{"POST", "/api/v3/order", exchange.Order},
		{"POST", "/base/api/v3/order/", exchange.Order},
		{"DELETE", "/api/v3/order", exchange.Cancel},
		{"GET", "/api/v3/order", exchange.Verify},
		{"GET", "/nobody/knows", exchange.Read},
		{"PATCH", "/nobody/knows", exchange.Order},
		{"post", "/api/v3/order", exchange.Order},
	} {
		if got := p.Kind(c.method, c.path); got != c.want {
			t.Errorf("Kind(%s %s) = %v; want %v", c.method, c.path, got, c.want)
		}
	}
}
