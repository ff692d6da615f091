// Package retrygrpc retries gRPC calls, and tells both sides of one what they need to stop in time.
//
//	client := &retrygrpc.Client{Policy: &retry.Policy{Name: "venue.quote", Idempotent: true}}
//	conn, err := grpc.NewClient(target, append(client.DialOptions(), credentials)...)
//
// Errors are a [retry.Error] for those who look for one, and carry the status of the last attempt, with its details, for
// status.Code and status.FromError.
//
// # What is retried
//
//	UNAVAILABLE                            Transient if nothing was sent, or the server answered with it; Ambiguous if the call broke off
//	DEADLINE_EXCEEDED                      Ambiguous; Transient if nothing was sent
//	INTERNAL, UNKNOWN, unknown codes       Ambiguous
//	RESOURCE_EXHAUSTED                     Throttled with a pushback or google.rpc.RetryInfo, else Permanent
//	ABORTED                                Transient, and not retried here: the transaction around the call is what begins again
//	ALREADY_EXISTS                         Permanent; matches [ErrApplied] after an attempt that may have acted
//	UNAUTHENTICATED                        Permanent, after Client.Refresh and one more try within the same attempt
//	CANCELLED, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION,
//	OUT_OF_RANGE, UNIMPLEMENTED, DATA_LOSS  Permanent
//
// An Ambiguous call is made again only if the policy, Client.Idempotent or the method's idempotency_level says that it may be. A
// call of which the caller has seen a part is committed, and never made again: response headers (asked for by grpc.Header, or of a
// stream), or a message. gRPC itself resends, once and at once, what a server refused unseen; that is no attempt.
//
// A stream is retried until its first message came. The messages sent until then are kept, up to Client.Buffer bytes, and sent again. The gates
// are asked before a stream is begun; the call ends for them, and for AttemptTimeout and MaxElapsed, with the first message. Receive from a
// stream to its end, or end its context, as gRPC asks of everybody.
//
// # When
//
// google.rpc.RetryInfo in the details is a floor under the wait, with the backoff on top. A pushback (grpc-retry-pushback-ms, gRFC A6)
// is the wait itself, and the backoff begins anew after it; one that is negative, malformed or there twice means never, and makes
// the error Permanent for those above, too. A pushback of 0 after RESOURCE_EXHAUSTED waits 1 ms.
//
// # Nothing retries twice
//
// A service config may tell a channel to retry, and then attempts multiply. Client.DialOptions switch that off
// (grpc.WithDisableRetry). The interceptors by themselves find out, and leave such methods to the channel: Client.OnServiceConfig says which.
//
// Each attempt after the first carries grpc-previous-rpc-attempts, which counts those of callers above, too. A [Server]'s interceptors put the count
// into the context of the handler. What the handler calls is then tried once: it is the outermost call that retries.
//
// # The server's side
//
// A handler that returns [ErrOverloaded], or whose own calls were refused by a budget, a limit, a breaker or a stop of relent, makes
// the server answer RESOURCE_EXHAUSTED or UNAVAILABLE with a pushback of -1: do not retry. An error of [retry.After] names its time as pushback.
// Server.Overloaded refuses before the handler runs.
//
// # Health
//
// [Health] serves grpc.health.v1 from the health of a control.Registry.
package retrygrpc
