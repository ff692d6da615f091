// Package venue is a simulated exchange: a subset of Binance Spot, over REST and websockets, and of Alpaca's trading
// interface, that unmodified clients can trade against, that fails in the ways a venue fails, and whose own log judges
// whether orders were handled safely.
//
//	v := venue.New(venue.Config{Seed: 1})
//	defer v.Close()
//	srv := httptest.NewServer(v)
//	v.Faults.Add(venue.Fault{Match: venue.Match{Method: "POST", Nth: 2}, Kind: venue.AcceptDropAnswer})
//	// ... trade against srv.URL with DefaultKey and DefaultSecret ...
//	findings := v.Oracle().Check()
//
// # Pointing clients at it
//
//   - Over loopback: an http.Server with the Venue as its handler. REST is below /api/v3, market streams are /ws/<stream>
//     and /stream?streams=, the WebSocket API with user data streams is /ws-api/v3, Alpaca's interface is below /alpaca/v2.
//   - In process: Transport is an http.RoundTripper without sockets, for any client that takes an http.Client, and for
//     coder/websocket, which dials through one. It is fast, and in a testing/synctest bubble all its time is virtual.
//   - The operator's interface, Admin, is a handler of its own.
//
// # What it can be
//
// Config.Profile makes the venue treat client ids, queries, late requests, acknowledgements and refusals as another
// exchange does. Preset names sets of fault rules; a rule can also be read from JSON or be a function.
//
// # What it judges
//
// Oracle is the venue's account of what clients did. Its Check judges four invariants by that alone, and all twelve with
// a Report of what the system under test believes.
//
// # The way of a request
//
// Connection, ban, weight, fault rules, API key, signature, timestamp and window at arrival, gateway delay, timestamp and
// window again, order count, filters, client id, balance, engine, answer. A client that gives up does not stop a request that
// is held: it is forwarded all the same, which is why a timeout says nothing about an order.
//
// # What is deterministic
//
// Two venues with the same Config and the same fault rules, given the same requests one after another, write the same
// log, apart from times, fields made from times, and the weight and ban windows, which follow the clock. In detail:
//
//   - Fault decisions are a function of the seed, the rule and the number of the request.
//
//   - The background flow takes Config.FlowPerRequest steps before each request that reads or changes a market, from a
//     generator seeded by the seed and the symbol. Only Config.FlowEvery adds steps by the clock.
//
//   - Order ids count orders of clients over all symbols, trade ids and update ids count per symbol; all start at 1 and
//     leave no gap. Client ids made by the venue follow from the seed and the order id.
//
//   - The lag of a read, where configured, is drawn from the seed and the request number; what had happened by then is
//     a matter of the clock.
//
//   - What a stream is to say, and how it suffers, is decided and logged in the order in which the engine made it, not in
//     that in which connections are written to.
//
// Requests that arrive at the same time are numbered in the order in which they win a lock, so their log may differ
// from run to run; so may those that come at the very moment of a pulse of the streams or of a later step of a fault. In
// a testing/synctest bubble times are virtual and the log repeats with its times.
//
// # Time
//
// The package reads time.Now and nothing else. The background flow moves when requests come, and with Config.FlowEvery
// also at each pulse of the streams while somebody is connected. Held requests wait in their own handler's goroutine;
// those of Transport, of streams and of faults that act later are the venue's, and Close ends them and waits.
package venue
