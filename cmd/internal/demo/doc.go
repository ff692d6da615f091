// Package demo trades on an exchange through relent, with the unmodified SDK adshao/go-binance, and counts what became of
// every call and every order. It is wired as a program that trades would be:
//
//	traders ── order.Machine ── contrib/binance ── go-binance ── exchange.Transport ── net/http      orders and their reads
//	              │    └─ log in SQLite (store/sqldb)
//	              └─ gates: the stop, and the account's stream
//	charts ──── go-binance ── retryhttp.Transport (circuit, budget) ── exchange.Transport            market data
//	books ───── exchange/market ── transport/retryws ── websocket                                    prices
//	account ─── contrib/binance ── transport/retryws ── websocket, and reads when the link broke     what happened to orders
//
// An order whose answer is lost is not sent again until the venue can no longer accept the first copy and was read to hold
// neither order nor fill. What cannot be proven is parked, and reported with the reason.
//
// The verdict comes from the venue: from the oracle of a simulated one, which compares its own log with what the demo wrote
// down ([venue.Report]), or else from the venue's API.
package demo
