package exchange

import "testing"

func TestLoadAll(t *testing.T) {
	for _, name := range Names() {
		p, err := Load(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Logf("%-13s %+v fence=%v sees=%v id=%+v", name, p.Resend(), p.Fence().Usable, p.Visibility().SeesClosed, p.IDRule().Prefix)
	}
}
