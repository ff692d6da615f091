// Package alpacaorders lets the order machine trade on Alpaca through its official SDK
// (github.com/alpacahq/alpaca-trade-api-go/v3).
//
// The SDK stays as it is. Above it stands the [order.Machine], which calls a [Venue]; below it an exchange.Transport
// whose desk is the same machine:
//
//	venue := &alpacaorders.Venue{Options: alpaca.ClientOpts{APIKey: …, APISecret: …}, Transport: transport}
//
// # Rules of the SDK that this package keeps
//
//   - It sends a 429 again by itself, with a body that is spent: its retries are switched off.
//   - Its methods take no context: each call is given a client of its own, whose requests carry the context.
//   - Alpaca remembers client ids for ever. That is what makes a resend safe there; there is no fence.
package alpacaorders
