// Package exchange knows venues: their facts, their limits, and what their answers mean.
//
//	p, err := exchange.Load("binance")
//	limits := &exchange.Limits{Profile: p, Clock: &exchange.Clock{}}           // share one per venue
//	bans := &exchange.Bans{Store: &exchange.FileBans{Path: "bans.json"}}       // share one per process
//	client.HTTPClient = &http.Client{Transport: &exchange.Transport{           // below the SDK
//		Profile: p, Account: "main", Limits: limits, Bans: bans, Desk: machine, // exchange/order
//	}}
//
// # Facts
//
// A [Profile] is one file of facts, each with its sources and how sure they are. The fields hold what was read; the methods
// say what may be relied on. A fact may always make this library more careful. It may make it less careful (permit a
// resend, a higher rate, a shorter wait, "not placed") only if it is [Fact.Trusted]; [Profile.Raise] is for what somebody
// has tested. docs/guides/venues.md shows how a venue is added: by one file.
//
// # Requests
//
// A [Transport] keeps requests within the venue's [Limits], sends none inside a ban ([Bans]), hands those that may change
// an order to a [Desk] before their first byte, and says what each answer means: a [Verdict]. It never sends anything
// twice, and keeps net/http from doing so on order routes.
//
// # Limits
//
// What a request costs is predicted from the facts, corrected by the headers of answers, and blocked when the venue
// refuses. A tenth of each limit stays free. Orders have 40 % of the rest, verification, stream repair and everything else
// 20 % each. Cancels take from every share; verification and repair also take from everything else. What a share did not
// use in one window is lent in the next; that of verification never is. A limit on which only some of them draw is theirs alone.
//
// What is let go within half a second of the edge of a venue's window, or within the error of the [Clock], counts in both
// windows: it may arrive in either.
//
// # What is not read
//
// Answers that the SDK wants compressed, by an Accept-Encoding of its own, cannot be read here: such an answer to an order
// proves nothing. Leave the compression to net/http.
package exchange
