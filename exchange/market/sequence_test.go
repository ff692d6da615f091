package market

import "testing"

func TestSequence(t *testing.T) {
	type d = Delta
	at := func(last int64) mark { return mark{last: last, prev: last - 1} }
	after := func(id int64) mark { return mark{last: id, fresh: true} }
	for _, test := range []struct {
		rule  Sequence
		what  string
		after mark
		delta Delta
		want  judgement
	}{
		{BinanceRange, "older than the snapshot", after(100), d{First: 90, Last: 100}, late},
		{BinanceRange, "first spans the snapshot", after(100), d{First: 95, Last: 103}, apply},
		{BinanceRange, "first begins after the snapshot", after(100), d{First: 101, Last: 103}, apply},
		{BinanceRange, "first is beyond the snapshot", after(100), d{First: 102, Last: 103}, gap},
		{BinanceRange, "next", at(103), d{First: 104, Last: 104}, apply},
		{BinanceRange, "again", at(103), d{First: 101, Last: 103}, late},
		{BinanceRange, "reordered: the later one first", at(103), d{First: 106, Last: 107}, gap},
		{BinanceRange, "an overlap does no harm", at(103), d{First: 102, Last: 105}, apply},
		{BinanceRange, "upside down", at(103), d{First: 106, Last: 104}, gap},
		{BinanceRange, "a snapshot", at(103), d{Replace: true, Last: 1}, replace},

		{BinancePrev, "older than the snapshot", after(100), d{First: 90, Last: 99, Prev: 89}, late},
		{BinancePrev, "first spans the snapshot", after(100), d{First: 95, Last: 103, Prev: 92}, apply},
		{BinancePrev, "first ends at the snapshot", after(100), d{First: 95, Last: 100, Prev: 92}, apply},
		{BinancePrev, "first follows the snapshot", after(100), d{First: 103, Last: 107, Prev: 100}, apply},
		{BinancePrev, "first is beyond the snapshot", after(100), d{First: 101, Last: 107, Prev: 99}, gap},
		{BinancePrev, "next, with numbers left out", at(103), d{First: 110, Last: 120, Prev: 103}, apply},
		{BinancePrev, "again", at(103), d{First: 95, Last: 103, Prev: 92}, late},
		{BinancePrev, "one is missing", at(103), d{First: 104, Last: 120, Prev: 104}, gap},
		{BinancePrev, "spans, but not the first", at(103), d{First: 100, Last: 120, Prev: 99}, gap},
		{BinancePrev, "upside down", at(103), d{First: 121, Last: 120, Prev: 103}, gap},

		{BybitCounter, "next", at(7), d{Last: 8}, apply},
		{BybitCounter, "again", at(7), d{Last: 7}, late},
		{BybitCounter, "one is missing", at(7), d{Last: 9}, gap},
		{BybitCounter, "lower: a reset may be lost", at(7), d{Last: 5}, gap},
		{BybitCounter, "restart of the service", at(7), d{Last: 1}, replace},
		{BybitCounter, "snapshot", at(7), d{Last: 3, Replace: true}, replace},
		{BybitCounter, "restart, sent twice", at(1), d{Last: 1}, late},

		{OKXLink, "next", at(7), d{Last: 9, Prev: 7}, apply},
		{OKXLink, "heartbeat", at(7), d{Last: 7, Prev: 7}, apply},
		{OKXLink, "reset by maintenance", at(7), d{Last: 3, Prev: 7}, apply},
		{OKXLink, "snapshot", at(7), d{Last: 30, Prev: -1}, replace},
		{OKXLink, "one is missing", at(7), d{Last: 12, Prev: 9}, gap},
		{OKXLink, "again", at(7), d{Last: 7, Prev: 6}, late},
		{OKXLink, "reordered: an earlier one", at(7), d{Last: 6, Prev: 5}, gap},

		{KrakenChecksum, "anything", at(0), d{}, apply},
		{KrakenChecksum, "snapshot", at(0), d{Replace: true}, replace},

		{CoinbaseCounter, "later", at(7), d{Last: 12}, apply},
		{CoinbaseCounter, "late", at(7), d{Last: 7}, late},

		{DeribitLink, "next", at(7), d{Last: 9, Prev: 7}, apply},
		{DeribitLink, "one is missing", at(7), d{Last: 12, Prev: 9}, gap},
		{DeribitLink, "again", at(7), d{Last: 7, Prev: 6}, late},
		{DeribitLink, "backwards", at(7), d{Last: 5, Prev: 7}, gap},
		{DeribitLink, "snapshot", at(7), d{Last: 30, Replace: true}, replace},

		{GateRange, "first spans the snapshot", after(100), d{First: 95, Last: 103}, apply},
		{GateRange, "first is beyond the snapshot", after(100), d{First: 102, Last: 103}, gap},
		{GateRange, "next", at(103), d{First: 104, Last: 106}, apply},
		{GateRange, "again", at(103), d{First: 101, Last: 103}, late},
		{GateRange, "an overlap is not expected", at(103), d{First: 102, Last: 105}, gap},
		{GateRange, "one is missing", at(103), d{First: 105, Last: 105}, gap},

		{KuCoinRange, "next", at(103), d{First: 104, Last: 106}, apply},
		{KuCoinRange, "overlap", at(103), d{First: 100, Last: 106}, apply},
		{KuCoinRange, "again", at(103), d{First: 101, Last: 103}, late},
		{KuCoinRange, "one is missing", at(103), d{First: 105, Last: 106}, gap},

		{BitgetLink, "next", at(7), d{Last: 9, Prev: 7}, apply},
		{BitgetLink, "one is missing", at(7), d{Last: 12, Prev: 9}, gap},
		{BitgetRising, "later", at(7), d{Last: 12}, apply},
		{BitgetRising, "again", at(7), d{Last: 7}, late},

		{BitfinexCounter, "later", at(7), d{Last: 12}, apply},
		{BitfinexCounter, "again", at(7), d{Last: 7}, late},

		{TopOfBook, "the whole top", at(0), d{Replace: true}, replace},
		{TopOfBook, "a change", at(0), d{}, gap},
		{"", "no rule", at(7), d{Last: 8, Prev: 7, First: 8}, gap},
	} {
		if got := test.rule.judge(test.after, &test.delta); got != test.want {
			t.Errorf("%s: %s: judge(%+v, %+v) = %d; want %d", test.rule, test.what, test.after, test.delta, got, test.want)
		}
	}
	for _, test := range []struct {
		last, next int64
		want       judgement
	}{{7, 8, apply}, {7, 7, late}, {7, 3, late}, {7, 9, gap}} {
		if got := count(test.last, test.next); got != test.want {
			t.Errorf("count(%d, %d) = %d; want %d", test.last, test.next, got, test.want)
		}
	}
}

func TestStateString(t *testing.T) {
	if got := Synced.String() + State(9).String(); got != "SYNCEDSTALE" {
		t.Errorf("names = %s", got)
	}
	if got := Correction.String() + Kind(9).String(); got != "correctionunknown" {
		t.Errorf("names = %s", got)
	}
}
