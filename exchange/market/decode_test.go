package market

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// text prints what a frame holds.
func (f *Frame) text() string {
	var s strings.Builder
	if f.Counted {
		fmt.Fprintf(&s, "#%d ", f.Sequence)
	}
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("05.000")
	}
	for _, d := range f.Deltas {
		fmt.Fprintf(&s, "%s[%d %d %d %s", d.Symbol, d.First, d.Last, d.Prev, clock(d.At))
		if d.Replace {
			s.WriteString(" whole")
		}
		if d.Summed {
			fmt.Fprintf(&s, " sum=%d", d.Sum)
		}
		for i, side := range [][]Level{d.Bids, d.Asks} {
			s.WriteString([]string{" ", "|"}[i])
			for j, l := range side {
				if j > 0 {
					s.WriteByte(' ')
				}
				fmt.Fprintf(&s, "%v@%v", l.Quantity, l.Price)
			}
		}
		s.WriteString("] ")
	}
	for _, t := range f.Trades {
		fmt.Fprintf(&s, "%s(%d %q %s %v@%v %t) ", t.Symbol, t.ID, t.Key, clock(t.At), t.Quantity, t.Price, t.Buy)
	}
	for _, c := range f.Candles {
		fmt.Fprintf(&s, "%s<%v %s %v %v %v %v %v %t> ", c.Symbol, c.Interval, c.Start.UTC().Format("15:04:05"), c.Open, c.High, c.Low, c.Close, c.Volume, c.Closed)
	}
	return strings.TrimSpace(s.String())
}

const odd = "odd"

// frames are messages as the venues document them; want is odd for one that must not be understood.
var frames = []struct{ venue, message, want string }{
	{"binance", `{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"],["0.0027","0"]]}`, `BNBBTC[157 160 0 02.136 10@0.0024|100@0.0026 0@0.0027]`},
	{"binance", `{"stream":"bnbbtc@depth","data":{"e":"depthUpdate","E":"1672515782136","s":"BNBBTC","U":"157","u":"160","b":[],"a":[]}}`, `BNBBTC[157 160 0 02.136 |]`},
	{"binance", `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","b":88,"a":50,"T":1672515782136,"m":true,"M":true}`, `BNBBTC(12345 "" 02.136 100@0.001 false)`},
	{"binance", `{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":false}`, `BNBBTC(12345 "" 02.136 100@0.001 true)`},
	{"binance", `{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":true,"q":"1.0"}}`, `BNBBTC<1m0s 19:43:00 0.0010 0.0025 0.0015 0.0020 1000 true>`},
	{"binance", " {\r\n\t\"result\" : null , \"id\" : 1 }", ``},
	{"binance", `{"result":[],"id":1}`, ``},
	{"binance", `{"u":400900217,"s":"BNBUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66"}`, ``},
	{"binance", `{"e":"24hrTicker","s":"X"}`, ``},
	{"binance", `{"error":{"code":2,"msg":"Invalid request"},"id":1}`, odd},
	{"binance", `{"code":-1,"id":1}`, odd},
	{"binance", `{"e":"new"}`, odd},
	{"binance", `{}`, odd},
	{"binance", `[]`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5,"u":4,"b":[],"a":[]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","b":[],"a":[]}`, odd},
	{"binance", `{"e":"depthUpdate","U":5,"u":6,"b":[],"a":[]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"","U":5,"u":6}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5,"u":6,"b":[["1"]]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5,"u":6,"b":[["1","-2"]]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5,"u":6,"b":[["1",null]]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5.5,"u":6,"b":[]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":{},"u":6,"b":[]}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5,"u":6,"b":{}}`, odd},
	{"binance", `{"e":"trade","s":"X","t":1,"p":{},"q":"1","T":1}`, odd},
	{"binance", `{"e":"trade","s":"X","p":"1","q":"1","T":1}`, odd},
	{"binance", `{"e":"trade","s":"X","t":1,"p":"1","q":"1","T":1,"m":"yes"}`, odd},
	{"binance", `{"e":"kline","s":"X","k":{"t":1,"i":"1M"}}`, odd},
	{"binance", `{"e":"depthUpdate","s":"X","U":5,"u":6,"b":[["1","2"]]`, odd},
	{"binance", ``, odd},
	{"binance-usdm", `{"e":"depthUpdate","E":123456789,"T":123456788,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}`, `BTCUSDT[157 160 149 36.789 10@0.0024|100@0.0026]`},

	{"bybit", `{"topic":"orderbook.50.BTCUSDT","type":"snapshot","ts":1672304484978,"data":{"s":"BTCUSDT","b":[["16493.50","0.006"]],"a":[["16611.00","0.029"]],"u":18521288,"seq":7961638724},"cts":1672304484976}`, `BTCUSDT[0 18521288 0 24.976 whole 0.006@16493.50|0.029@16611.00]`},
	{"bybit", `{"topic":"orderbook.50.BTCUSDT","type":"delta","ts":1,"data":{"s":"BTCUSDT","b":[["16493.50","0"]],"a":[],"u":18521289,"seq":7961638725}}`, `BTCUSDT[0 18521289 0 - 0@16493.50|]`},
	{"bybit", `{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":[{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick","i":"20f43950-d8dd","BT":false}]}`, `BTCUSDT(0 "20f43950-d8dd" 26.865 0.001@16578.50 true)`},
	{"bybit", `{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,"interval":"5","open":"16649.5","close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4","confirm":false,"timestamp":1672324988882}],"ts":1,"type":"snapshot"}`, `BTCUSDT<5m0s 14:40:00 16649.5 16677 16608 16677 2.081 false>`},
	{"bybit", `{"success":true,"ret_msg":"pong","conn_id":"x","op":"ping"}`, ``},
	{"bybit", `{"op":"pong"}`, ``},
	{"bybit", `{"topic":"tickers.X"}`, ``},
	{"bybit", `{"success":false,"ret_msg":"error","op":"subscribe"}`, odd},
	{"bybit", `{"topic":"new.X"}`, odd},
	{"bybit", `{"topic":"orderbook.50.X","type":"other","data":{"s":"X","u":1,"b":[],"a":[]}}`, odd},
	{"bybit", `{"topic":"orderbook.50.X","type":"delta"}`, odd},

	{"okx", `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["8476.98","415","0","13"]],"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":-855196043,"prevSeqId":-1,"seqId":123456}]}`, `BTC-USDT[0 123456 -1 23.085 whole 256@8476.97|415@8476.98]`},
	{"okx", `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[["8476.97","0","0","0"]],"ts":"1597026383085","prevSeqId":123456,"seqId":123457}]}`, `BTC-USDT[0 123457 123456 23.085 0@8476.97|]`},
	{"okx", `{"arg":{"channel":"books5","instId":"BTC-USDT"},"data":[{"asks":[],"bids":[],"ts":"1597026383085","seqId":123457}]}`, `BTC-USDT[0 123457 0 23.085 whole |]`},
	{"okx", `{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12","side":"buy","ts":"1630048897897"}]}`, `BTC-USDT(130639474 "" 37.897 0.12@42219.9 true)`},
	{"okx", `{"arg":{"channel":"candle1D","instId":"BTC-USDT"},"data":[["1597026360000","8533.02","8553.74","8527.17","8548.26","45247","529.5","529.5","1"]]}`, `BTC-USDT<24h0m0s 02:26:00 8533.02 8553.74 8527.17 8548.26 45247 true>`},
	{"okx", `{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}`, ``},
	{"okx", `pong`, ``},
	{"okx", `{"arg":{"channel":"tickers","instId":"X"},"data":[]}`, ``},
	{"okx", `{"event":"error","code":"60012","msg":"Invalid request"}`, odd},
	{"okx", `{"arg":{"channel":"trades","instId":"X"},"data":[]}`, odd},
	{"okx", `{"arg":{"channel":"candle1m","instId":"X"},"data":[["1597026360000","1"]]}`, odd},
	{"okx", `{"data":[]}`, odd},

	{"kraken", `{"channel":"book","type":"snapshot","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5666,"qty":4831.75496356}],"asks":[{"price":0.5668,"qty":4410.79769741}],"checksum":2439117997}]}`, `MATIC/USD[0 0 0 - whole sum=2439117997 4831.75496356@0.5666|4410.79769741@0.5668]`},
	{"kraken", `{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5657,"qty":1098.39475580}],"asks":[],"checksum":2114181697,"timestamp":"2023-10-06T17:35:55.440295Z"}]}`, `MATIC/USD[0 0 0 55.440 sum=2114181697 1098.39475580@0.5657|]`},
	{"kraken", `{"channel":"trade","type":"update","data":[{"symbol":"MATIC/USD","side":"sell","price":0.5117,"qty":40.0,"ord_type":"market","trade_id":4665906,"timestamp":"2023-09-25T07:49:37.708706Z"}]}`, `MATIC/USD(4665906 "" 37.708 40.0@0.5117 false)`},
	{"kraken", `{"channel":"ohlc","type":"update","timestamp":"2023-10-04T16:26:30.524394914Z","data":[{"symbol":"MATIC/USD","open":0.5624,"high":0.5628,"low":0.5622,"close":0.5627,"trades":12,"volume":30927.68066226,"vwap":0.5626,"interval_begin":"2023-10-04T16:25:00.000000000Z","interval":5,"timestamp":"2023-10-04T16:30:00.000000Z"}]}`, `MATIC/USD<5m0s 16:25:00 0.5624 0.5628 0.5622 0.5627 30927.68066226 false>`},
	{"kraken", `{"channel":"heartbeat"}`, ``},
	{"kraken", `{"method":"subscribe","success":true,"result":{}}`, ``},
	{"kraken", `{"method":"pong","req_id":1}`, ``},
	{"kraken", `{"method":"subscribe","success":false,"error":"no"}`, odd},
	{"kraken", `{"channel":"level3","data":[]}`, odd},
	{"kraken", `{"channel":"book","type":"new","data":[]}`, odd},
	{"kraken", `{"channel":"book","type":"update","data":[{"symbol":"X","bids":[{"price":1}]}]}`, odd},
	{"kraken", `{"channel":"book","type":"update","data":[{"symbol":"X","bids":[],"timestamp":"yesterday"}]}`, odd},
	{"kraken", `{"channel":"book","type":"update","data":[{"symbol":"X","bids":[],"timestamp":null}]}`, odd},
	{"kraken", `{"channel":"ohlc","data":[{"symbol":"X","interval":0}]}`, odd},
	{"kraken", `{"channel":"book","type":"update","data":[{"symbol":"X","bids":[{"price":1,"qty":2,"more":[1,{"a":true}]}],"new":{"b":[null,false]}}]}`, `X[0 0 0 - 2@1|]`},

	{"coinbase", `{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"21921.73","new_quantity":"0.06317902"},{"side":"offer","event_time":"1970-01-01T00:00:01Z","price_level":"21921.74","new_quantity":"0"}]}]}`, `#0 BTC-USD[0 0 0 01.000 whole 0.06317902@21921.73|0@21921.74]`},
	{"coinbase", `{"channel":"l2_data","sequence_num":7,"events":[{"type":"update","product_id":"BTC-USD","extra":1,"updates":[{"side":"ask","price_level":"2","new_quantity":"1","note":1}]}]}`, `#7 BTC-USD[0 7 0 - |1@2]`},
	{"coinbase", `{"channel":"market_trades","sequence_num":8,"events":[{"type":"update","trades":[{"trade_id":"12","product_id":"ETH-USD","price":"1260.01","size":"0.3","side":"BUY","time":"2019-08-14T20:42:27.265Z","x":1},{"trade_id":"11","product_id":"ETH-USD","price":"1260","size":"0.3","side":"SELL","time":"2019-08-14T20:42:27.265Z"}],"more":1}]}`, `#8 ETH-USD(11 "" 27.265 0.3@1260 true) ETH-USD(12 "" 27.265 0.3@1260.01 false)`},
	{"coinbase", `{"channel":"candles","sequence_num":9,"events":[{"type":"snapshot","candles":[{"start":"1688998200","high":"1867.72","low":"1865.63","open":"1867.38","close":"1866.81","volume":"0.20269406","product_id":"ETH-USD","x":0}],"more":1}]}`, `#9 ETH-USD<5m0s 14:10:00 1867.38 1867.72 1865.63 1866.81 0.20269406 false>`},
	{"coinbase", `{"channel":"heartbeats","sequence_num":10,"events":[]}`, `#10`},
	{"coinbase", `{"channel":"heartbeats","events":[]}`, odd},
	{"coinbase", `{"channel":"new","sequence_num":10,"events":[]}`, odd},
	{"coinbase", `{"type":"error","message":"no"}`, odd},
	{"coinbase", `{"channel":"l2_data","sequence_num":7,"events":[{"type":"new","product_id":"X","updates":[]}]}`, odd},
	{"coinbase", `{"channel":"l2_data","sequence_num":7,"events":[{"type":"update","product_id":"X","updates":[{"side":"both","price_level":"2","new_quantity":"1"}]}]}`, odd},
	{"coinbase", `{"channel":"l2_data","sequence_num":7,"events":[{"type":"update","product_id":"X","updates":[{"side":"bid"}]}]}`, odd},

	{"deribit", `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"snapshot","timestamp":1554373962454,"instrument_name":"BTC-PERPETUAL","change_id":297217,"bids":[["new",5042.34,30]],"asks":[["new",5042.64,40,1]]}}}`, `BTC-PERPETUAL[0 297217 0 42.454 whole 30@5042.34|40@5042.64]`},
	{"deribit", `{"jsonrpc":"2.0","method":"subscription","params":{"channel":"book.BTC-PERPETUAL.100ms","data":{"type":"change","timestamp":1554373962454,"prev_change_id":297217,"instrument_name":"BTC-PERPETUAL","change_id":297218,"bids":[["delete",5042.34,0],["change",5e3,1.5]],"asks":[]}}}`, `BTC-PERPETUAL[0 297218 297217 42.454 0@5042.34 1.5@5000|]`},
	{"deribit", `{"method":"subscription","params":{"channel":"trades.BTC-PERPETUAL.raw","data":[{"trade_seq":30289442,"trade_id":"48079269","timestamp":1590484512188,"tick_direction":2,"price":8950,"mark_price":8948.9,"instrument_name":"BTC-PERPETUAL","index_price":8955.88,"direction":"sell","amount":10}]}}`, `BTC-PERPETUAL(30289442 "48079269" 12.188 10@8950 false)`},
	{"deribit", `{"method":"subscription","params":{"channel":"chart.trades.BTC-PERPETUAL.1","data":{"volume":0.05,"tick":1573645080000,"open":8869.79,"low":8788.25,"high":8870.31,"cost":460,"close":8791.25}}}`, `BTC-PERPETUAL<1m0s 11:38:00 8869.79 8870.31 8788.25 8791.25 0.05 false>`},
	{"deribit", `{"jsonrpc":"2.0","id":1,"result":["book.X.100ms"]}`, ``},
	{"deribit", `{"method":"heartbeat","params":{"type":"test_request"}}`, ``},
	{"deribit", `{"method":"subscription","params":{"channel":"ticker.X","data":{}}}`, ``},
	{"deribit", `{"id":1,"error":{"code":1}}`, odd},
	{"deribit", `{"method":"new"}`, odd},
	{"deribit", `{"method":"subscription","params":{"channel":"new.X","data":{}}}`, odd},
	{"deribit", `{"method":"subscription","params":{"channel":"book.X.raw","data":{"instrument_name":"X","change_id":1,"bids":[["move",1,1]]}}}`, odd},
	{"deribit", `{"method":"subscription","params":{"channel":"book.X.raw","data":{"instrument_name":"X","change_id":1,"bids":[["new",1,0]]}}}`, odd},

	{"gate", `{"time":1606294781,"time_ms":1606294781236,"channel":"spot.order_book_update","event":"update","result":{"t":1606294781123,"e":"depthUpdate","E":1606294781,"s":"BTC_USDT","U":48776301,"u":48776306,"b":[["19137.74","0.0001"]],"a":[["19137.75","0.6135"]]}}`, `BTC_USDT[48776301 48776306 0 41.123 0.0001@19137.74|0.6135@19137.75]`},
	{"gate", `{"channel":"spot.trades","event":"update","result":{"id":309143071,"create_time":1606292218,"create_time_ms":"1606292218213.4578","side":"sell","currency_pair":"GT_USDT","amount":"16.47","price":"0.4705"}}`, `GT_USDT(309143071 "" 58.213 16.47@0.4705 false)`},
	{"gate", `{"channel":"spot.candlesticks","event":"update","result":{"t":"1606292580","v":"2362.3","c":"19128.1","h":"19128.2","l":"19128.0","o":"19128.3","n":"1m_BTC_USDT","a":"3.8283","w":true}}`, `BTC_USDT<1m0s 08:23:00 19128.3 19128.2 19128.0 19128.1 3.8283 true>`},
	{"gate", `{"channel":"spot.order_book_update","event":"subscribe","error":null,"result":{"status":"success"}}`, ``},
	{"gate", `{"channel":"spot.pong","event":"","result":null}`, ``},
	{"gate", `{"channel":"spot.tickers","event":"update","result":{}}`, ``},
	{"gate", `{"channel":"spot.order_book_update","event":"subscribe","error":{"code":2}}`, odd},
	{"gate", `{"channel":"spot.new","event":"update","result":{}}`, odd},
	{"gate", `{"channel":"spot.trades","event":"update","result":{"id":1,"create_time_ms":"x","currency_pair":"X","amount":"1","price":"1"}}`, odd},
	{"gate", `{"channel":"spot.candlesticks","event":"update","result":{"new":1}}`, odd},

	{"kucoin", `{"type":"message","topic":"/market/level2:BTC-USDT","subject":"trade.l2update","data":{"changes":{"asks":[["18906","0.00331","14103845"]],"bids":[["18891.9","0.15688","14103847"]],"new":1},"sequenceEnd":14103847,"sequenceStart":14103844,"new":1,"symbol":"BTC-USDT","time":1663747970273}}`, `BTC-USDT[14103844 14103847 0 50.273 0.15688@18891.9|0.00331@18906]`},
	{"kucoin", `{"type":"message","topic":"\/market\/match:BTC-USDT","subject":"trade.l3match","data":{"sequence":"1545896669145","type":"match","symbol":"BTC-USDT","side":"buy","price":"0.082","size":"0.011","tradeId":"5c24c5da03aa","time":"1545913818099033203"}}`, `BTC-USDT(1545896669145 "5c24c5da03aa" 18.099 0.011@0.082 true)`},
	{"kucoin", `{"type":"message","topic":"/market/candles:BTC-USDT_1hour","subject":"trade.candles.update","data":{"symbol":"BTC-USDT","candles":["1589968800","9786.9","9740.8","9806.1","9732","27.45","268280.09"],"time":1589970010253893337}}`, `BTC-USDT<1h0m0s 10:00:00 9786.9 9806.1 9732 9740.8 27.45 false>`},
	{"kucoin", `{"id":"x","type":"welcome"}`, ``},
	{"kucoin", `{"type":"message","topic":"/market/ticker:all","data":{}}`, ``},
	{"kucoin", `{"type":"error","code":404}`, odd},
	{"kucoin", `{"type":"message","topic":"/new:X","data":{}}`, odd},
	{"kucoin", `{"type":"message","topic":"/market/level2:X","data":{"symbol":"X","sequenceStart":3,"sequenceEnd":2}}`, odd},
	{"kucoin", `{"type":"message","topic":"/market/candles:X_1min","data":{"candles":["1"]}}`, odd},

	{"bitget", `{"action":"snapshot","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},"data":[{"asks":[["26274.9","0.0009"]],"bids":[["26274.8","0.0009"]],"checksum":0,"seq":123,"ts":"1695710946294"}],"ts":1695710946294}`, `BTCUSDT[0 123 0 06.294 whole 0.0009@26274.8|0.0009@26274.9]`},
	{"bitget", `{"action":"update","arg":{"instType":"SPOT","channel":"books","instId":"BTCUSDT"},"data":[{"asks":[],"bids":[["26274.8","0"]],"checksum":-1,"seq":124,"ts":"1695710946294"}]}`, `BTCUSDT[0 124 0 06.294 sum=4294967295 0@26274.8|]`},
	{"bitget", `{"action":"update","arg":{"instType":"spot","topic":"books","symbol":"BTCUSDT"},"data":[{"a":[],"b":[["1","2"]],"seq":124,"pseq":123,"new":[],"ts":"1695710946294"}]}`, `BTCUSDT[0 124 123 06.294 2@1|]`},
	{"bitget", `{"action":"update","arg":{"channel":"trade","instId":"BTCUSDT"},"data":[{"ts":"1695709835822","price":"26293.4","size":"0.0013","side":"buy","tradeId":"1","x":1}]}`, `BTCUSDT(0 "1" 35.822 0.0013@26293.4 true)`},
	{"bitget", `{"action":"update","arg":{"channel":"candle1m","instId":"BTCUSDT"},"data":[["1695685500000","27000","27000.5","27000","27000.5","0.057","1539.0","1539.0"]]}`, `BTCUSDT<1m0s 23:45:00 27000 27000.5 27000 27000.5 0.057 false>`},
	{"bitget", `{"event":"subscribe","arg":{"channel":"books","instId":"X"}}`, ``},
	{"bitget", `{"arg":{"channel":"ticker","instId":"X"},"data":[{}]}`, ``},
	{"bitget", `{"event":"error","code":30001}`, odd},
	{"bitget", `{"arg":{"channel":"new","instId":"X"},"data":[]}`, odd},

	{"alpaca", `[{"T":"q","S":"AAPL","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"c":["R"],"z":"C","t":"2022-06-06T12:30:45.123Z"}]`, `AAPL[0 0 0 45.123 whole 1@87.66|4@87.68]`},
	{"alpaca", `[{"T":"q","S":"AAPL","bp":0,"bs":0,"ap":0,"as":0,"t":"2022-06-06T12:30:45.123Z"}]`, `AAPL[0 0 0 45.123 whole |]`},
	{"alpaca", `[{"T":"t","S":"AAPL","i":96921,"x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@"],"z":"C"},{"T":"t","S":"BTC/USD","p":1,"s":2,"i":5,"tks":"B","t":"2021-02-22T15:51:44.208Z"}]`, `AAPL(0 "D96921" 44.208 1@126.55 false) BTC/USD(0 "5" 44.208 2@1 true)`},
	{"alpaca", `[{"T":"b","S":"SPY","o":388.985,"h":389.13,"l":388.975,"c":389.12,"v":49378,"t":"2021-02-22T19:15:00Z","n":461}]`, `SPY<1m0s 19:15:00 388.985 389.13 388.975 389.12 49378 true>`},
	{"alpaca", `[{"T":"success","msg":"connected"}]`, ``},
	{"alpaca", `[{"T":"error","code":400}]`, odd},
	{"alpaca", `[{"T":"t","S":"AAPL","p":1,"s":2,"t":"2021-02-22T15:51:44.208Z"}]`, odd},
	{"alpaca", `{}`, odd},
}

func TestDecode(t *testing.T) {
	for _, test := range frames {
		d, err := NewDecoder(test.venue)
		if err != nil {
			t.Fatal(err)
		}
		var f Frame
		err = d.Decode([]byte(test.message), &f)
		if test.want == odd {
			if !errors.Is(err, ErrFrame) || len(f.Deltas)+len(f.Trades)+len(f.Candles) > 0 || f.Counted {
				t.Errorf("%s: Decode(%s) = %s, %v; want %v", test.venue, test.message, f.text(), err, ErrFrame)
			}
			continue
		}
		if got := f.text(); err != nil || got != test.want {
			t.Errorf("%s: Decode(%s) = %s, %v; want %s", test.venue, test.message, got, err, test.want)
		}
		if test.message == "pong" {
			continue
		}
		if err := d.Decode([]byte(test.message[:len(test.message)-1]), &f); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: Decode of %s, cut = %v; want %v", test.venue, test.message, err, ErrFrame)
		}
	}
	if _, err := NewDecoder("nowhere"); err == nil {
		t.Error("NewDecoder(nowhere) succeeded")
	}
}

// A Bitfinex connection tells first what its numbers stand for.
func TestDecodeBitfinex(t *testing.T) {
	d, _ := NewDecoder("bitfinex")
	var f Frame
	for _, test := range []struct{ message, want string }{
		{`{"event":"info","version":2}`, ``},
		{`[10,[[7254.7,3,3.3]],1]`, odd}, // not yet
		{`{"event":"subscribed","channel":"book","chanId":10,"symbol":"tBTCUSD","prec":"P0","freq":"F0","len":"25","pair":"BTCUSD"}`, ``},
		{`{"event":"subscribed","channel":"trades","chanId":11,"symbol":"tBTCUSD"}`, ``},
		{`{"event":"subscribed","channel":"candles","chanId":12,"key":"trade:1m:tBTCUSD"}`, ``},
		{`{"event":"subscribed","channel":"ticker","chanId":13,"symbol":"tBTCUSD"}`, ``},
		{`{"event":"subscribed","channel":"book","chanId":14,"symbol":"tBTCUSD","prec":"R0"}`, odd},
		{`{"event":"subscribed","channel":"book","chanId":0,"symbol":"tBTCUSD"}`, odd},
		{`{"event":"error","msg":"no"}`, odd},
		{`[10,[[7254.7,3,3.3],[7254.6,1,2],[7255,1,-0.5]],1]`, `#1 tBTCUSD[0 1 0 - whole 3.3@7254.7 2@7254.6|0.5@7255]`},
		{`[10,[],2]`, `#2 tBTCUSD[0 2 0 - whole |]`},
		{`[10,[7254.5,0,1],3]`, `#3 tBTCUSD[0 3 0 - 0@7254.5|]`},
		{`[10,[7255,0,-1],4]`, `#4 tBTCUSD[0 4 0 - |0@7255]`},
		{`[10,"cs",-1,5]`, `#5 tBTCUSD[0 5 0 - sum=4294967295 |]`},
		{`[10,"hb",6]`, `#6`},
		{`[11,"te",[401597395,1574694478808,-0.005,7245.3],7]`, `#7 tBTCUSD(0 "401597395" 58.808 0.005@7245.3 false)`},
		{`[11,"tu",[401597395,1574694478808,-0.005,7245.3],8]`, `#8`},
		{`[11,[[401597393,1574694475039,0.1,7244.9,1]],9]`, `#9 tBTCUSD(0 "401597393" 55.039 0.1@7244.9 true)`},
		{`[12,[1574698260000,7379.785999,7383.8,7388.3,7379.78,1.68,9],10]`, `#10 tBTCUSD<1m0s 16:11:00 7379.785999 7388.3 7379.78 7383.8 1.68 false>`},
		{`[12,[1574698260000,1],11]`, odd},
		{`[13,[1,2],11]`, odd},
		{`[0,"hb",1]`, odd},
		{`[99,"hb",1]`, odd},
		{`[]`, odd},
		{`[10]`, odd},
		{`[10,"hb"]`, odd},
		{`[10,[7255,0],12]`, odd},
		{`[10,[7255,1,0],12]`, odd},
		{`[10,[7255,1,1,1],12]`, odd},
		{`[10,[7255,-1,1],12]`, odd},
		{`[10,[7255,1,"x"],12]`, odd},
		{`[10,[7255,1,{}],12]`, odd},
		{`[10,[7255,1,1],12,13]`, odd},
		{`[10,[7255,1,1]]`, odd},
		{`{"event":"unsubscribed","chanId":10}`, ``},
		{`[10,"hb",12]`, odd},
	} {
		err := d.Decode([]byte(test.message), &f)
		if test.want == odd {
			if !errors.Is(err, ErrFrame) {
				t.Errorf("Decode(%s) = %s, %v; want %v", test.message, f.text(), err, ErrFrame)
			}
		} else if got := f.text(); err != nil || got != test.want {
			t.Errorf("Decode(%s) = %s, %v; want %s", test.message, got, err, test.want)
		}
	}
	for i := range mostChannels + 1 {
		err := d.Decode(fmt.Appendf(nil, `{"event":"subscribed","channel":"book","chanId":%d,"symbol":"t"}`, i+1), &f)
		if i == mostChannels && err == nil {
			t.Error("any number of channels is remembered")
		}
	}
}

// A message of 10 MB, many names, and what an error says about whose book it was.
func TestDecodeBounds(t *testing.T) {
	d, _ := NewDecoder("binance")
	var f Frame
	if err := d.Decode([]byte(`{"id":1,"result":"`+strings.Repeat("x", 10<<20)+`"}`), &f); !errors.Is(err, ErrFrame) || len(err.Error()) > 200 {
		t.Errorf("10 MB: %.300v; want a short %v", err, ErrFrame)
	}
	for i := range mostNames + 1 {
		d.name(fmt.Append(nil, i))
	}
	if len(d.names) > mostNames {
		t.Errorf("%d names remembered", len(d.names))
	}
	err := d.Decode([]byte(`{"e":"depthUpdate","s":"X","U":1,"u":2,"b":[["1","x"]]}`), &f)
	if err == nil || f.about != "X" {
		t.Errorf("%v about %q; want X", err, f.about)
	}
	if err := d.Decode([]byte(`{"e":"depthUpdate","U":1,"u":2,"b":[["1","x"]],"s":"X"}`), &f); err == nil || f.about != "" {
		t.Errorf("%v about %q; want everybody, since the symbol was not read", err, f.about)
	}
}

func TestSnapshots(t *testing.T) {
	want := &Snapshot{Symbol: "X", ID: 7, At: time.UnixMilli(1597026383085).UTC(), Bids: levels("1 2"), Asks: levels("3 4")}
	for _, test := range []struct {
		read func(string, []byte) (*Snapshot, error)
		body string
	}{
		{BinanceSnapshot, `{"lastUpdateId":7,"E":1597026383085,"bids":[["1","2"]],"asks":[["3","4"]],"T":1}`},
		{GateSnapshot, `{"id":7,"current":1,"update":1597026383085,"bids":[["1","2"]],"asks":[["3","4"]]}`},
		{KuCoinSnapshot, `{"code":"200000","data":{"sequence":"7","time":1597026383085,"bids":[["1","2"]],"asks":[["3","4"]]}}`},
	} {
		if s, err := test.read("X", []byte(test.body)); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("snapshot of %s = %+v, %v; want %+v", test.body, s, err, want)
		}
		for _, body := range []string{`{}`, `[]`, ``, test.body[:50], `{"id":7,"lastUpdateId":7,"bids":[]}`} {
			if _, err := test.read("X", []byte(body)); !errors.Is(err, ErrFrame) {
				t.Errorf("snapshot of %s = %v; want %v", body, err, ErrFrame)
			}
		}
	}
}

func TestInterval(t *testing.T) {
	for name, want := range map[string]time.Duration{
		"1s": time.Second, "1m": time.Minute, "15": 15 * time.Minute, "4H": 4 * time.Hour, "1min": time.Minute, "8hour": 8 * time.Hour,
		"1day": 24 * time.Hour, "D": 24 * time.Hour, "W": 7 * 24 * time.Hour, "1week": 7 * 24 * time.Hour,
		"": 0, "1M": 0, "M": 0, "x": 0, "0m": 0, "-1m": 0, "99999m": 0,
	} {
		if got := interval(name); got != want {
			t.Errorf("interval(%q) = %v; want %v", name, got, want)
		}
	}
}

// FuzzDecode: no message makes a decoder panic, hang, or hand out what is not whole.
func FuzzDecode(f *testing.F) {
	for _, test := range frames {
		f.Add(test.venue, test.message)
	}
	f.Add("bitfinex", `[10,[[7254.7,3,3.3]],1]`)
	f.Add("bitfinex", `{"event":"subscribed","channel":"book","chanId":14,"symbol":"tBTCUSD","prec":"P0"}`)
	f.Fuzz(func(t *testing.T, venue, message string) {
		d, err := NewDecoder(venue)
		if err != nil {
			return
		}
		for n, kind := range []string{"book", "trades", "candles"} {
			d.channels[int64(10+n)] = channel{kind, "X", time.Minute}
		}
		var frame Frame
		if err := d.Decode([]byte(message), &frame); err != nil && len(frame.Deltas)+len(frame.Trades)+len(frame.Candles) > 0 {
			t.Fatalf("Decode(%s) = %s, %v", message, frame.text(), err)
		}
		for _, d := range frame.Deltas {
			if d.Symbol == "" {
				t.Fatalf("Decode(%s): a book without a symbol", message)
			}
		}
		for _, tr := range frame.Trades {
			if tr.Symbol == "" || tr.Price.Zero() || key(&tr) == "" {
				t.Fatalf("Decode(%s) = %+v", message, tr)
			}
		}
		BinanceSnapshot("X", []byte(message))
	})
}
