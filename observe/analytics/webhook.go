package analytics

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/relent-go/relent/retry"
)

// SignatureHeader is the header that a webhook is signed in: t=seconds,v1=hexadecimal HMAC-SHA-256 of "seconds.body".
const SignatureHeader = "Relent-Signature"

// A Webhook is a Sink that posts findings as JSON. The receiver may get a finding more than once and should compare its ID.
// It retries by itself, with Policy, so Client should not.
type Webhook struct {
	URL    string
	Client *http.Client  // nil means http.DefaultClient
	Secret []byte        // signs; empty means no signature
	Policy *retry.Policy // nil means five attempts of 5 s within 30 s
}

// ErrStatus says that the receiver of a webhook did not take it.
var ErrStatus = errors.New("the receiver did not take the finding")

var webhookPolicy = retry.Policy{Name: "analytics.webhook", MaxAttempts: 5, MaxElapsed: 30 * time.Second, AttemptTimeout: 5 * time.Second, Idempotent: true}

// Tell implements [Sink].
func (w Webhook) Tell(ctx context.Context, f Finding) error {
	f.Evidence = f.Evidence.bounded()
	body, _ := json.Marshal(f) // nothing in a finding whose numbers are finite can fail
	p := w.Policy
	if p == nil {
		p = &webhookPolicy
	}
	_, err := retry.Do(ctx, p, func(ctx context.Context) (struct{}, error) { return struct{}{}, w.post(ctx, body) })
	return err
}

func (w Webhook) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return retry.Mark(fmt.Errorf("webhook: %w", bare(err)), retry.Permanent)
	}
	req.Header.Set("Content-Type", "application/json")
	if len(w.Secret) > 0 {
		req.Header.Set(SignatureHeader, Signature(w.Secret, time.Now(), body))
	}
	client := w.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return retry.Mark(fmt.Errorf("webhook: post to %s: %w", req.URL.Host, bare(err)), retry.Transient) // the receiver knows a finding by its ID
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is kept
	class := retry.Permanent
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusTooManyRequests:
		class = retry.Throttled
	case code >= 500, code == http.StatusRequestTimeout:
		class = retry.Transient
	}
	return retry.Mark(fmt.Errorf("webhook: %w: http %d", ErrStatus, resp.StatusCode), class)
}

// bare returns an error without the URL, whose path may be a secret.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err
}

// Signature returns the value of [SignatureHeader] for a body that is sent at a time.
func Signature(secret []byte, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(sum(secret, seconds, body))
}

func sum(secret []byte, seconds string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(seconds + "."))
	h.Write(body)
	return h.Sum(nil)
}

// ErrSignature says that a webhook is not from whom it seems to be, or is too old.
var ErrSignature = errors.New("the signature of the webhook is not valid")

// Verify checks, for a receiver, the signature of a body that came at a time: it must be right and within five minutes.
// The error matches [ErrSignature].
func Verify(secret []byte, header string, now time.Time, body []byte) error {
	at, signature, ok := strings.Cut(header, ",v1=")
	seconds, found := strings.CutPrefix(at, "t=")
	if !ok || !found {
		return fmt.Errorf("%w: want t=seconds,v1=hexadecimal", ErrSignature)
	}
	sent, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("%w: t: %w", ErrSignature, err)
	}
	got, err := hex.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("%w: v1: %w", ErrSignature, err)
	}
	if len(secret) == 0 || !hmac.Equal(got, sum(secret, seconds, body)) {
		return fmt.Errorf("%w: it is of another body or key", ErrSignature)
	}
	if age := now.Unix() - sent; age > 300 || age < -300 {
		return fmt.Errorf("%w: sent %d s away from now", ErrSignature, age)
	}
	return nil
}
