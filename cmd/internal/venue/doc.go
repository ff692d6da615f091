// Package venue is a simulated exchange: a subset of Binance Spot over REST that an unmodified client can trade
// against, that fails in the ways a venue fails, and whose own log judges whether orders were handled safely.
//
//	v := venue.New(venue.Config{Seed: 1})
//	defer v.Close()
//	srv := httptest.NewServer(v)
//	v.Faults.Add(venue.Fault{Match: venue.Match{Method: "POST", Nth: 2}, Kind: venue.AcceptDropAnswer})
//	// ... trade against srv.URL with DefaultKey and DefaultSecret ...
//	report := v.Oracle().Check()
//
// # The way of a request
//
// Ban, weight, fault rules, API key, signature, timestamp and window at arrival, gateway delay, timestamp and window
// again, order count, filters, client id, balance, engine, answer. A client that gives up does not stop a request that
// is held: it is forwarded all the same, which is why a timeout says nothing about an order.
//
// # What is deterministic
//
// Two venues with the same Config and the same fault rules, given the same requests one after another, write the same
// log, apart from times, fields made from times, and the weight and ban windows, which follow the clock. In detail:
//
//   - Fault decisions are a function of the seed, the rule and the number of the request.
//   - The background flow takes Config.FlowPerRequest steps before each request that reads or changes a market, from a
//     generator seeded by the seed and the symbol. Only Config.FlowEvery adds steps by the clock.
//   - Order ids count orders of clients over all symbols, trade ids and update ids count per symbol; all start at 1 and
//     leave no gap. Client ids made by the venue follow from the seed and the order id.
//   - The lag of a read, where configured, is drawn from the seed and the request number; what had happened by then is
//     a matter of the clock.
//
// Requests that arrive at the same time are numbered in the order in which they win a lock, so their log may differ
// from run to run. In a testing/synctest bubble times are virtual and the log repeats with its times.
//
// # Time
//
// The package reads time.Now and nothing else. It starts no goroutine: the background flow moves when requests come,
// held requests wait in their own handler's goroutine, and Close releases those.
package venue
