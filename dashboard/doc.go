// Package dashboard shows what retries do, live, in a browser, and lets operators stop them.
//
//	reg, _ := …                                    // what is seen and steered: a Source and a Commander
//	h, err := dashboard.New(dashboard.Config{Source: reg, Commander: reg})
//	defer h.Close()
//	err = dashboard.Server("127.0.0.1:8484", h).ListenAndServe()
//
// A [Handler] samples its Source, keeps an hour of history, and serves a page, a JSON API and one
// stream of server-sent events per page. It holds no state that matters: after a restart people sign
// in again, and the history begins anew.
//
// # What is promised
//
//   - The publisher never waits for a browser. What a slow one misses is merged (states) or dropped
//     and counted (events).
//   - A request passes, in this order: host, origin, method, the cross-origin rule, identity, role,
//     read-only. Every route says which role it needs and whether it changes something.
//   - Text of events reaches the page as text only.
//   - Memory is bounded by the number of policies: an hour of totals, an hour of each policy at five
//     seconds, 256 frames, 2,000 events, 64 streams of at most 64 waiting frames.
//
// Rates are means of the last ten seconds; ratios, quantiles and counts of a row are of the last minute.
package dashboard
