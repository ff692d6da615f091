package market

import (
	"hash/crc32"
	"testing"
)

func sides(bids, asks string) (*side, *side) {
	b, a := new(newSide(false)), new(newSide(true))
	b.load(levels(bids))
	a.load(levels(asks))
	return b, a
}

// Kraken, "Book checksum (WebSocket v1)" and "(WebSocket v2)": the examples of its documentation.
func TestKrakenChecksum(t *testing.T) {
	for _, test := range []struct {
		bids, asks string
		want       uint32
	}{
		{
			"0.05000 0.00000500 0.04995 0.00000500 0.04990 0.00000500 0.04980 0.00000500 0.04975 0.00000500 " +
				"0.04970 0.00000500 0.04965 0.00000500 0.04960 0.00000500 0.04955 0.00000500 0.04950 0.00000500",
			"0.05005 0.00000500 0.05010 0.00000500 0.05015 0.00000500 0.05020 0.00000500 0.05025 0.00000500 " +
				"0.05030 0.00000500 0.05035 0.00000500 0.05040 0.00000500 0.05045 0.00000500 0.05050 0.00000500",
			974947235,
		},
		{
			"45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000 45280.3 1.54592586 " +
				"45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000 45277.3 1.54602737 45276.6 0.15445238",
			"45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911 45290.2 0.15890660 " +
				"45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000 45297.5 0.09945542 45299.5 0.18772827",
			3310070434,
		},
	} {
		bids, asks := sides(test.bids, test.asks)
		if ok, text := KrakenTop10.holds(test.want, bids, asks, nil); !ok {
			t.Errorf("%d does not hold: %d over %s", test.want, crc32.ChecksumIEEE(text), text)
		}
		if ok, _ := KrakenTop10.holds(test.want+1, bids, asks, nil); ok {
			t.Errorf("%d holds, too", test.want+1)
		}
	}
}

func TestTurnsChecksum(t *testing.T) {
	bids, asks := sides("3366.10 7.00 3366 6 3365 5 0.5 1", "3366.8 9 3368 8")
	for _, test := range []struct {
		sum  Checksum
		text string
	}{
		{BitgetTop25, "3366.10:7.00:3366.8:9:3366:6:3368:8:3365:5:0.5:1"},
		{BitfinexTop25, "3366.1:7:3366.8:-9:3366:6:3368:-8:3365:5:0.5:1"},
	} {
		ok, text := test.sum.holds(crc32.ChecksumIEEE([]byte(test.text)), bids, asks, nil)
		if !ok {
			t.Errorf("%s is over %s; want %s", test.sum, text, test.text)
		}
		if ok, _ := test.sum.holds(1, bids, asks, nil); ok {
			t.Errorf("%s holds for any number", test.sum)
		}
	}
	if ok, _ := BitgetTop25.holds(0, bids, asks, nil); !ok {
		t.Error("a sum of 0 is checked")
	}
	if ok, _ := NoChecksum.holds(1, bids, asks, nil); !ok {
		t.Error("no checksum does not hold")
	}
	none, nothing := sides("", "")
	if ok, _ := BitfinexTop25.holds(0, none, nothing, nil); !ok {
		t.Error("the checksum of an empty book is not 0")
	}
}

func TestChecksumDepth(t *testing.T) {
	for sum, depth := range map[Checksum]int{KrakenTop10: 10, BitgetTop25: 25, BitfinexTop25: 25} {
		bids, asks := new(newSide(false)), new(newSide(true))
		for i := range 40 {
			bids.set(Level{Number{whole: uint64(100 - i)}, num("1")})
			asks.set(Level{Number{whole: uint64(101 + i)}, num("1")})
		}
		_, text := sum.holds(1, bids, asks, nil)
		want := crc32.ChecksumIEEE(text)
		bids.set(Level{Number{whole: uint64(100 - depth)}, num("2")})
		asks.set(Level{Number{whole: uint64(101 + depth)}, num("2")})
		if ok, _ := sum.holds(want, bids, asks, nil); !ok {
			t.Errorf("%s sees deeper than %d", sum, depth)
		}
		asks.set(Level{Number{whole: uint64(101 + depth - 1)}, num("2")})
		if ok, _ := sum.holds(want, bids, asks, nil); ok {
			t.Errorf("%s does not see %d deep", sum, depth)
		}
	}
}

// What JavaScript prints.
func TestAppendScript(t *testing.T) {
	for in, want := range map[string]string{
		"7000": "7000", "7000.10": "7000.1", "0.00": "0", "12.000": "12", "0.000001": "0.000001", "0.0000010": "0.000001",
		"0.0000001": "1e-7", "0.00000015": "1.5e-7", "0.00000000123": "1.23e-9", "0.0000000001": "1e-10",
		"0.00000000001234": "1.234e-11", "10.0000001": "10.0000001",
	} {
		if got := string(appendScript(nil, num(in))); got != want {
			t.Errorf("appendScript(%s) = %s; want %s", in, got, want)
		}
	}
}
