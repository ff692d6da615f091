// Package demo trades on an exchange through relent, with the unmodified SDK adshao/go-binance,
// and counts what became of every call and every order.
//
// Two ways of retrying are at work, because a request that is signed cannot be sent again as it is:
//
//   - Market data is read through a retryhttp.Transport below the SDK. The SDK never notices.
//   - What is signed (orders, cancels, queries) is retried above the SDK, which signs anew. Below it a
//     transport notes what each answer proves, since the SDK's errors have no HTTP status.
//
// An order whose outcome is unknown is never sent again. Its fate is settled by asking the venue for
// the client id, and a venue that does not find it is believed only after the moment from which
// it cannot accept the order any more. What cannot be settled is reported as unknown, with the
// reason.
package demo
