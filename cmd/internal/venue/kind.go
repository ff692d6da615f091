package venue

// A Kind is a way to fail.
type Kind string

// Kinds that hit requests. Those whose name begins with Accept, and CutBody, LateAnswer and ReportFirst, let the engine
// do its work first.
const (
	Drop              Kind = "drop"               // lost before the engine: the connection closes without an answer, after Delay
	Delay             Kind = "delay"              // comes late: Delay passes before the window is first checked
	Hold              Kind = "hold"               // held for Delay between the checks of the window, then forwarded
	SlowEngine        Kind = "slow_engine"        // waits for Delay after the last check, at most the Residual of the profile
	AcceptDropAnswer  Kind = "accept_drop_answer" // done, then the connection closes without an answer, after Delay
	AcceptUnavailable Kind = "accept_unavailable" // done, then 503 with -1007, or Code, in place of a 2xx answer
	Unavailable       Kind = "unavailable"        // 503 without a code
	BadGateway        Kind = "bad_gateway"        // 502 with HTML
	CutBody           Kind = "cut_body"           // done; status and Content-Length arrive, half the body does
	LateAnswer        Kind = "late_answer"        // done, then the answer waits for Delay
	ReportFirst       Kind = "report_first"       // a LateAnswer of 100 ms unless Delay says more: streams tell of the order first
	TooManyRequests   Kind = "too_many_requests"  // 429 with -1003 and RetryAfter; a handshake of a stream as well
	Ban               Kind = "ban"                // 418 from now on for RetryAfter or Limits.FirstBan; requests inside lengthen it
	ClockSkew         Kind = "clock_skew"         // -1021 for a signed request
	Overloaded        Kind = "overloaded"         // 503 with -1008: not placed
	Maintenance       Kind = "maintenance"        // 503 with -1016; all open orders of clients are cancelled
	StaleRead         Kind = "stale_read"         // an order read, answered as things stood Delay ago; at most 10 s
	HideOrder         Kind = "hide_order"         // -2013 for a query of an order that exists; Count says how often
	StaleSnapshot     Kind = "stale_snapshot"     // depth as it stood Delay ago, as far back as Config.KeepBook goes
)

// Kinds that hit requests and change what the engine does with them.
const (
	PartialFills Kind = "partial_fills" // a new order is filled by the shares in Steps, Delay apart; the rest rests or expires
	FillFirst    Kind = "fill_first"    // an order whose cancel is on its way is first filled by Steps[0] of it, all without Steps
	TakeBalance  Kind = "take_balance"  // what a new order would pay with is locked by another for Delay
)

// Kinds that hit in addition to another rule or elsewhere.
const (
	Refuse     Kind = "refuse"      // no connection: by Transport a refused dial, over a socket a close without an answer
	ClockShift Kind = "clock_shift" // the venue's clock is off by Shift for this request; other rules are tried as well

	CloseLink      Kind = "close_link"      // a stream's connection is cut after Delay
	HalfOpen       Kind = "half_open"       // after Delay it says nothing more, reads nothing and answers no pings
	NoPong         Kind = "no_pong"         // pings of the client are not answered
	LifeCut        Kind = "life_cut"        // it lives for Delay in place of Config.LinkLife
	ServerShutdown Kind = "server_shutdown" // serverShutdown is announced after Delay, and Grace later the connection ends

	FrameGap       Kind = "frame_gap"       // one frame of a stream is left out
	FrameDuplicate Kind = "frame_duplicate" // or sent twice
	FrameReorder   Kind = "frame_reorder"   // or after the next one
	FrameDelay     Kind = "frame_delay"     // or Delay later, and all behind it
)

// A stage is a point at which rules are tried; each kind belongs to one.
type stage uint8

const (
	stageRequest stage = iota
	stageConnect       // before there is a connection
	stageClock         // of a request that was let in
	stageLink          // when a stream's connection is made
	stageFrame
)

// stages are the kinds there are.
var stages = map[Kind]stage{
	Drop: stageRequest, Delay: stageRequest, Hold: stageRequest, SlowEngine: stageRequest, AcceptDropAnswer: stageRequest,
	AcceptUnavailable: stageRequest, Unavailable: stageRequest, BadGateway: stageRequest, CutBody: stageRequest,
	LateAnswer: stageRequest, ReportFirst: stageRequest, TooManyRequests: stageRequest, Ban: stageRequest,
	ClockSkew: stageRequest, Overloaded: stageRequest, Maintenance: stageRequest, StaleRead: stageRequest,
	HideOrder: stageRequest, StaleSnapshot: stageRequest,
	PartialFills: stageRequest, FillFirst: stageRequest, TakeBalance: stageRequest,
	Refuse: stageConnect, ClockShift: stageClock,
	CloseLink: stageLink, HalfOpen: stageLink, NoPong: stageLink, LifeCut: stageLink, ServerShutdown: stageLink,
	FrameGap: stageFrame, FrameDuplicate: stageFrame, FrameReorder: stageFrame, FrameDelay: stageFrame,
}
