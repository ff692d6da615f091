// Package gateway is a reverse proxy that retries: it gives services in any language what the library gives to Go.
//
// A request passes, in this order:
//
//  1. checks of its framing, path and way: what could be read in two ways, or has been here before, is refused;
//  2. the route, by host and path;
//  3. its body: read into memory up to the route's replay, as long as there is room for all; longer ones are sent once;
//  4. the policy of the route, by retryhttp: gates, attempts, waits;
//  5. for a venue, exchange.Transport: limits, bans, and what the answer means.
//
// What may have been done is sent again only if that is declared safe: the method is (GET, HEAD, OPTIONS), the policy is
// idempotent, or the request has an Idempotency-Key. Orders, amends and replacements of a venue never are: whoever sent one
// of unknown outcome is told so, and how to find out.
//
// Answers of the proxy itself are problem+json (RFC 9457), with the word of what is known about the request in "outcome":
// not_sent, unknown.
package gateway
