package profile

import (
	"strings"
	"testing"

	"github.com/relent-go/relent/gate/budget"
)

func TestRelent(t *testing.T) {
	p, err := New("relent", "max=0", "ratio=0.2", "ceilingmin=0", "ceiling=0.5")
	r := p.(*Relent)
	if err != nil || r.Max != budget.None || r.Ratio != 0.2 || r.CeilingMin != budget.None || r.Ceiling != 0.5 {
		t.Errorf("New(relent): max %v, ratio %v, ceiling %v from %v, %v", r.Max, r.Ratio, r.Ceiling, r.CeilingMin, err)
	}
	if _, err := New("relent", "ratio=2"); err == nil || !strings.HasPrefix(err.Error(), "Ratio:") {
		t.Errorf("%v; want a mistake in Ratio", err)
	}
	r.Trickle, r.Load.Clients = 5, 10
	ratio, floor := r.Funding()
	same(t, "funding", [2]float64{ratio, floor}, [2]float64{0, 0.5})
}
