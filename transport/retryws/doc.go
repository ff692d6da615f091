// Package retryws keeps streams of messages flowing over links that break: websockets of exchanges above all.
//
//	s := retryws.New(retryws.Config{Name: "venue", Protocol: venue, Dialer: dialer, Budgets: []*retryws.Budget{budget}})
//	s.Attach(consumer)
//	s.Want(retryws.Topic{Channel: "trades", Symbol: "BTCUSDT"})
//	go s.Run(ctx)
//	for e := range consumer.Events(ctx) { … }
//
// A [Session] wants a set of topics. It connects, authenticates, subscribes the difference between what is wanted and
// what is confirmed, watches clocks, and connects again when the link breaks. A [Group] spreads topics over as many
// sessions as the limits of a venue ask for. What differs by venue is a [Protocol]; the websocket itself is a small
// [Conn], for which contrib/ws has two libraries.
//
// # What consumers see
//
// For each topic, in this order and never otherwise:
//
//	Live  Message …  Broken  Live  Message …
//
// Between Live and Broken each message that the link brought is there once and in order, a planned turnover from one link
// to the next included; only a Hole, in a queue that was full, says that some are missing. Around Broken and Live messages
// may be missing: that is where books start anew and trades fill the gap. In plain words: whoever has seen no
// Live since has missed nothing that the venue sent.
//
// # When a link is opened
//
// The wait is full jitter: uniform in 0 to 500 ms after the first failure, and in 0 to twice as much after each further
// one, up to 30 s. It begins anew only after 30 s of READY without a break. What the venue asks to wait is never cut short. Then
// the [Budget] that the venue's sessions share must grant the connect, private streams first. Waiting for it is no failure.
//
//	network error, timeout, other close codes     backoff
//	close 1008, 1003, 1009, http 400, 404 …       STOPPED, an alert, and tried again after a minute
//	http 401, authentication refused              credentials are fetched anew once, then STOPPED for good
//	http 429                                      the hint, for all sessions of the budget, plus backoff with a cap of 60 s
//	http 418, 403                                 a ban: 10 min or the hint, doubled within a day up to 3 days, for all sessions
//	http 406                                      30 s: another link is alive
//	announced close, old age                      a second link takes over from the first
//
// # When a link is dead
//
// Three clocks (see [Clocks]): two pings in a row without an answer; no message or heartbeat of any topic; no message of one
// topic in five times the 99th percentile of its own gaps. A quiet market is not a dead one: without heartbeats, silence is
// checked by one read (Config.Verify) before anything is given up. Without Verify and heartbeats, the third clock rests, and
// for private streams the second one, too: there the periodic read of the account shows what the stream has lost.
//
// # Turnover
//
// The second link is opened from the budget while the first goes on, and its messages wait. It takes over when everything is
// confirmed on it and, of each topic, it has brought a message that the first has brought, too. From then on either may bring the
// next message of a topic by sequence number or key, until the first is closed a second later. A topic that has neither
// begins anew with a Live. A second link that does not get there in 30 s, or before the venue closes the first, is given up.
//
// # Private streams
//
// An [Account] is dirty from the loss of a link until open orders, fills and balances have been read again on the next one, and
// only then are the messages delivered that came meanwhile. It is read again every 30 to 60 s all the same.
package retryws
