package idempotent

import (
	"encoding/json"
	"errors"
	"net/http"
)

// A problem is the answer to a request that the handler did not see (RFC 9457).
type problem struct {
	Type   string `json:"type,omitempty"` // none means about:blank
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"` // for programs; stays as it is
	Detail string `json:"detail"`
}

// problems, by what is found in an error, the first that fits.
var problems = []struct {
	err error
	problem
}{
	{ErrNoKey, problem{"", "Idempotency-Key is missing", http.StatusBadRequest, "missing_key",
		"Nothing was done. Send the request with an Idempotency-Key header: one new quoted string for each intent, the same on all its attempts."}},
	{ErrHeader, problem{"", "Idempotency-Key is malformed", http.StatusBadRequest, "malformed_key",
		`Nothing was done. Send one Idempotency-Key header whose value is a quoted string of visible ASCII, such as "8e03978e-40d5-43dd-bc93-6894a57f9324".`}},
	{ErrLongKey, problem{"", "Idempotency-Key is too long", http.StatusBadRequest, "long_key",
		"Nothing was done. Send a shorter key."}},
	{errBodyLost, problem{"", "Request body is incomplete", http.StatusBadRequest, "incomplete_body",
		"Nothing was done. Send the request again with the same key."}},
	{errBodyLong, problem{"", "Request body is too long", http.StatusRequestEntityTooLarge, "long_body",
		"Nothing was done. The request is longer than this resource accepts."}},
	{ErrInProgress, problem{"", "A request with this key is running", http.StatusConflict, "in_progress",
		"Send the same request again, with the same key, after the time in Retry-After."}},
	{ErrMismatch, problem{"", "Idempotency-Key was used for another request", http.StatusUnprocessableEntity, "mismatch",
		"Nothing was done. Send a new intent with a new key, or the old one exactly as it was."}},
	{ErrClaimLost, problem{"", "The outcome is unknown", http.StatusInternalServerError, "claim_lost",
		"The request took longer than its claim held, and may have been taken over. Do not send it with another key; ask for the state of what it should have changed."}},
	{ErrUnknown, problem{"", "The outcome is unknown", http.StatusInternalServerError, "unknown",
		"A request with this key may have had its effect. Do not send it with another key; ask for the state of what it should have changed, or send it later with the same key."}},
	{ErrExpired, problem{"", "The outcome is no longer kept", http.StatusInternalServerError, "expired",
		"The request was carried out long ago. Do not send it with another key; ask for the state of what it changed."}},
	{ErrNoResult, problem{"", "The response cannot be given again", http.StatusInternalServerError, "no_result",
		"The request was carried out before. Do not send it with another key; ask for the state of what it changed."}},
	{ErrUnavailable, problem{"", "Keys cannot be checked at present", http.StatusServiceUnavailable, "unavailable",
		"Nothing was done. Send the same request again, with the same key, after the time in Retry-After."}},
}

// retryAfter is what clients are asked to wait, in seconds, while a key is in use or the store is away.
const retryAfter = "1"

// refuse answers with the problem that err stands for.
func (h *Handler) refuse(w http.ResponseWriter, err error) {
	p := problem{Title: "Idempotency-Key could not be used", Status: http.StatusInternalServerError, Code: "internal",
		Detail: "Do not send the request with another key."}
	for i := range problems {
		if errors.Is(err, problems[i].err) {
			p = problems[i].problem
			break
		}
	}
	if h.Docs != "" {
		p.Type = h.Docs + "#" + p.Code
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.Status == http.StatusConflict || p.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}
