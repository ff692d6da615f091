// Package retryhttp retries HTTP requests.
//
//	client := retryhttp.Client(&retry.Policy{Name: "venue.fetch_book"})
//	resp, err := client.Get("https://venue.example/book")
//
// A [Transport] is an [http.RoundTripper] around another one. It classifies what came back, rewinds
// the body, obeys what the server says about the wait, and sends an order twice only if that was
// declared safe. A [Handler] is the server's half: it keeps the calls below a request that is
// itself a retry from being retried again.
//
// # What is retried
//
// Responses, by status (RFC 9110 §15 and §10.2.3, RFC 6585 §4, RFC 8470 §5.2):
//
//	408                      Transient if the body (64 KiB or more) was still being sent, else Ambiguous; new connection
//	421, 425                 Transient, once each; 421 on another connection
//	429                      Throttled
//	413, 503                 Throttled with a Retry-After
//	503 without              Transient for GET, HEAD, OPTIONS and TRACE, else Ambiguous
//	409                      Transient with a Retry-After, if the request has a key: its first copy is still running
//	413 without, 401, other
//	409, 418, other 4xx      Permanent
//	501, 505, 507, 508, 511  Permanent
//	500, 502, 504, other 5xx Ambiguous
//	below 400                success; http.Client follows redirects itself
//
// A 3xx with a Retry-After is not waited for, because it is http.Client that follows. A 503 is no
// proof that an order was not executed, not even with a Retry-After: where it is none, let
// Transport.Classify say Ambiguous.
//
// Errors, by what net/http reports through [net/http/httptrace]: until a connection is handed to the
// request nothing can have been sent, so a failed dial or handshake is Transient, unless it is a bad
// certificate or the like, which is Permanent. From then on any failure is Ambiguous, because headers
// may leave before net/http says so. A request that net/http cannot send is Permanent.
//
// Nobody listens to httptrace for an idempotent request, except for one with a key, which net/http may
// resend. There, and where Base does not report to httptrace, the type of the error decides
// ([retry.DefaultClassify]), and what it leaves open is Ambiguous. An error of Base that carries a
// class, by [retry.Mark] or as a [*retry.Error], keeps it.
//
// Transient and Throttled are retried whatever the method. Ambiguous is retried if the request is
// idempotent: by its method, by a key, by Transport.Idempotent, or because the policy says so. A
// POST without a key is therefore sent again only if the server did nothing with it.
//
// # What net/http resends
//
// On a connection that was open before, net/http itself sends a request again if nothing was
// written, or if the server closed the connection and the request is a GET, HEAD, OPTIONS or
// TRACE or carries an Idempotency-Key or X-Idempotency-Key. On HTTP/2 it resends what the server
// refused (REFUSED_STREAM, a graceful GOAWAY) or answered with PROTOCOL_ERROR. Such an error that
// still surfaces has no exported type, and counts as Ambiguous.
//
// OnReplay counts these resends; NoReplay makes them impossible. They are impossible without
// NoReplay for a request that net/http thinks idempotent and Transport.Idempotent does not.
//
// # Hints
//
// [ParseHint] says how long the server asks to be left alone. The wait is that plus the policy's
// backoff, whose jitter so works upward only. Longer than Policy.MaxHint, or than the time left, ends
// the call at once; [retry.Hint] finds it in the error.
//
// # How a call ends
//
// If the last attempt brought a response, RoundTrip returns it, whatever its status and whatever
// ended the call, and [Reason] says why there was no further attempt. Only if the caller's context
// has ended, or there is no response, does it return an error, which is a [*retry.Error]. Through an
// http.Client, errors.AsType finds it. (When Client.Timeout strikes, http.Client replaces the error.)
//
// AttemptTimeout and MaxElapsed run until the response's headers have come. Its body is the
// caller's to read, as long as the request's context lives, and to close.
package retryhttp
