// Package binanceorders lets the order machine trade on Binance spot through go-binance
// (github.com/adshao/go-binance/v2).
//
// The SDK stays as it is. Above it stands the [order.Machine], which calls a [Venue]; below it, in its HTTPClient,
// an [exchange.Transport] whose desk is the same machine:
//
//	client := binance.NewClient(key, secret)
//	client.HTTPClient = &http.Client{Transport: transport} // an *exchange.Transport; no Timeout: contexts do that
//	machine := … order.Machine with Adapter: &binanceorders.Venue{Client: client}, and the transport's Desk
//
// # Rules of the SDK that this package keeps
//
//   - go-binance makes a new client id for each Do without one: the id is always set.
//   - Its errors hold no HTTP status: what an answer proves is decided by the transport, not by error texts.
//   - It writes Client.UsedWeight without a lock: let the transport drop the usage headers after it has read them.
//   - Orders are signed for a short window ([Venue.Window]), so that the fence is near.
//   - It reads Client.TimeOffset without a lock: with [Venue.Offset] each offset has a client of its own.
//
// # Streams
//
// [Market] and [User] are what package retryws has to know of Binance's streams. [Execution] hands the events of orders to
// the machine, and [Snapshot] makes a book of package market begin anew from the SDK's depth service.
package binanceorders
