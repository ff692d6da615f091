// Package market keeps what the market data streams of venues say, and knows when it does not: order
// books that are right or marked STALE, trades in order without silent gaps, and candles that are final
// only when the venue says so.
//
// A [Decoder] reads the messages of a venue. A [Link] hands those of one connection to [Books], which keeps
// a [Book] for each symbol and repairs those that went STALE; [Trades] and [Candles] take the rest.
// The connection itself, its subscriptions and reconnects are somebody else's, such as package
// transport/retryws, and so are the requests for snapshots and pages: they are functions that are
// handed in, so that they pass through the caller's rate limit.
//
// What holds:
//
//   - A book that is SYNCED equals the venue's book at its sequence number. Anything that puts that into doubt
//     makes it STALE in the same call: a gap, a wrong checksum, a crossed book, an odd message, a lost link.
//   - No delta is applied to a book that is not in sequence, and none half.
//   - Trades come in order, each once. What is missing for good is a [Hole] at its place.
//   - Prices and quantities are exact decimals ([Number]), never floats.
//   - Memory is bounded, whatever venues send and consumers do not read. A slow consumer slows nobody.
//   - The only goroutines are those of Run, which returns after the last.
package market
