// Package order places orders so that a lost answer never becomes a second order.
//
// An order whose fate is unknown is sent again only after the venue can no longer accept the first copy and has been
// read, after that moment, to hold neither order nor fill. Where that cannot be proven the order is parked: its symbol
// and side are closed for new orders, an alert is raised, and a person or later evidence decides.
//
// # Parts
//
//   - An [Intent] is one wish to trade: terms that never change, under one client id for life.
//   - A [Machine] carries intents out: above an SDK, through a [Venue], and below it as the [exchange.Desk] of the
//     transport. Each send is a single attempt. What follows is decided here and by nobody else.
//   - A [Log] makes everything durable before it is acted on. What the machine knows of an intent is the fold of its
//     entries in the log, so a restart knows the same.
//   - [Rules] are what the venue allows, from its profile.
//
// # States
//
//	RECORDED --send--> SENDING --2xx, id and terms match--> ACKED --> FILLED, CANCELED, EXPIRED, REJECTED
//	   |  ^              |  | \--refused, nothing in doubt--> REJECTED, or RECORDED again if it was pace or clock
//	   |  +--NOT_SENT<---+  |
//	   |     (zero bytes)   +--no proof either way--> UNKNOWN --first read--> VERIFYING --found--> ACKED ...
//	   v                                                                       |     |
//	ABANDONED <--a guard fails-- ABSENT <--fence passed, proof complete--------+     +--no proof--> PARKED
//	                               |
//	                               +--guards pass, profile permits--> SENDING(n+1), same id
//
// Evidence that an order exists wins in every state and is never taken back: after it there is no resend. Evidence on
// an intent that was given up, terms that differ, or a second venue order end in BREACH, which closes the account.
// [Next] is the whole table.
package order
