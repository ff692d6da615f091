package profile

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/relent-go/relent/backoff"
	"github.com/relent-go/relent/retry"
)

// GRPC is the retry throttling of gRPC (gRFC A6, "Client Retries"): a failure that asks for a retry takes a
// token, a success earns a part of one, and retries are made while more than half of the tokens are there. It
// counts in thousandths. Retries that the transport makes by itself are no attempts here and do not count.
//
// The preset has the numbers of the proposal's example. Its backoff covers the waits without a pushback of
// the server; [GRPC.Next] covers both. A call of relent that is told of a pushback with [retry.After] waits it out
// and the backoff on top, so never less than was asked for.
type GRPC struct {
	MaxTokens int     // 1 to 1000; 0 means 10
	Ratio     float64 // tokens that a success earns, from 0.001 on, cut to three decimals; 0 means 0.1

	MaxAttempts    int           // in all, from 2 on; 0 means 4, more than 5 means 5
	InitialBackoff time.Duration // 0 means 100 ms
	MaxBackoff     time.Duration // before the jitter of a fifth, which may exceed it; 0 means 1 s
	Multiplier     float64       // 0 means 2

	mu     sync.Mutex
	ready  bool  // guarded by mu
	tokens int64 // in thousandths; guarded by mu
}

const (
	grpcTokens      = 10
	grpcMostTokens  = 1000
	grpcRatio       = 0.1
	grpcAttempts    = 4
	grpcMost        = 5
	grpcInitial     = 100 * time.Millisecond
	grpcMax         = time.Second
	grpcMultiplier  = 2
	grpcMostBackoff = 24 * time.Hour
)

// ErrPushback marks a failure with which the server said not to retry: the attempt is Permanent, and takes a
// token like one that asks for a retry.
var ErrPushback = errors.New("the server said not to retry")

var _ Profile = (*GRPC)(nil)

// Admit lets a retry pass while more than half of the tokens are there.
func (g *GRPC) Admit(_ context.Context, a *retry.Attempt) error {
	if a.Number <= 1 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open()
	if most := g.most(); g.tokens*2 <= most {
		return refuse("grpc", ruleBalance, float64(g.tokens)/1000, float64(most)/2000)
	}
	return nil
}

// Settle takes a token for a failure, and adds a part of one for a success.
func (g *GRPC) Settle(a *retry.Attempt, o *retry.Outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open()
	switch {
	case o.State == retry.Succeeded:
		g.tokens = min(g.tokens+thousandth(pick(g.Ratio, grpcRatio, 0, grpcMostTokens)), g.most())
	case o.State == retry.Failed && (retryable(a, o.Class) || errors.Is(o.Err, ErrPushback)):
		g.tokens = max(g.tokens-1000, 0)
	}
}

// open begins with all the tokens. The caller holds mu.
func (g *GRPC) open() {
	if !g.ready {
		g.ready, g.tokens = true, g.most()
	}
}

func (g *GRPC) most() int64 { return int64(pick(g.MaxTokens, grpcTokens, 1, grpcMostTokens)) * 1000 }

// thousandth cuts to three decimals, of the decimal form that somebody wrote: 1.001*1000 is a little less than 1001.
func thousandth(ratio float64) int64 { return int64(math.Floor(ratio*1000 + 1e-9)) }

// Tokens returns how many tokens there are.
func (g *GRPC) Tokens() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open()
	return float64(g.tokens) / 1000
}

// Delay is the published backoff before the n-th retry, for a random u in [0, 1):
// min(initial*multiplier^(n-1), max), times a number between 0.8 and 1.2.
func (g *GRPC) Delay(n int, u float64) time.Duration {
	multiplier := pick(g.Multiplier, grpcMultiplier, 1, math.MaxFloat64)
	d := backoff.Exponential{
		Base:       pick(max(0, g.InitialBackoff), grpcInitial, 1, grpcMostBackoff),
		Max:        pick(max(0, g.MaxBackoff), grpcMax, 1, grpcMostBackoff),
		Multiplier: multiplier,
		Jitter:     backoff.None,
	}.Delay(n, 0, 0)
	return time.Duration(float64(d) * (0.8 + 0.4*min(max(u, 0), 1)))
}

// Next is what to do after the n-th failure since the call, or since the last pushback, began: the
// wait, and what n is after the next failure. The values of the trailer grpc-retry-pushback-ms overrule the backoff,
// and begin the series anew; ok is false if they forbid a retry.
func (g *GRPC) Next(n int, u float64, pushback ...string) (wait time.Duration, next int, ok bool) {
	if len(pushback) == 0 {
		return g.Delay(n, u), n + 1, true
	}
	wait, ok = Pushback(pushback...)
	return wait, 1, ok
}

// Check implements [Profile].
func (g *GRPC) Check() error { return check(g.fields()) }

// Policy implements [Profile].
func (g *GRPC) Policy() *retry.Policy {
	return &retry.Policy{
		MaxAttempts: pick(g.MaxAttempts, grpcAttempts, 1, grpcMost),
		Backoff:     backoff.Func(func(n int, _ time.Duration, u float64) time.Duration { return g.Delay(n, u) }),
		Gates:       []retry.Gate{g},
	}
}

// Funding implements [Profile]: only successes fund it.
func (g *GRPC) Funding() (ratio, floorPerSecond float64) { return 0, 0 }

func (g *GRPC) fields() []field {
	return []field{
		{name: "MaxTokens", at: &g.MaxTokens, low: 1, high: grpcMostTokens},
		{name: "Ratio", at: &g.Ratio, low: 0.001, high: grpcMostTokens},
		{name: "MaxAttempts", at: &g.MaxAttempts, low: 2, high: math.MaxInt32},
		{name: "InitialBackoff", at: &g.InitialBackoff, low: 1, high: float64(grpcMostBackoff)},
		{name: "MaxBackoff", at: &g.MaxBackoff, low: 1, high: float64(grpcMostBackoff)},
		{name: "Multiplier", at: &g.Multiplier, low: 1, high: math.MaxFloat64},
	}
}
