package dashboard

import (
	"encoding/json"
	"net/http"
	"time"
)

const maxRecords = 10_000

// reader returns what reads the audit log, or says that nothing does.
func (h *Handler) reader(w http.ResponseWriter) Audit {
	if h.config.Audit == nil {
		fail(w, http.StatusNotImplemented, "no audit log is connected: the program gave no Audit")
	}
	return h.config.Audit
}

// audit serves the newest records: ?q=…&limit=200.
func (h *Handler) audit(w http.ResponseWriter, r *http.Request, _ Identity) {
	a := h.reader(w)
	if a == nil {
		return
	}
	records, err := a.Records(r.Context(), r.URL.Query().Get("q"), limit(r, maxRecords))
	answer(w, records, err)
}

// export serves the newest records as a file, one a line.
func (h *Handler) export(w http.ResponseWriter, r *http.Request, _ Identity) {
	a := h.reader(w)
	if a == nil {
		return
	}
	records, err := a.Records(r.Context(), r.URL.Query().Get("q"), maxRecords)
	if err != nil {
		fail(w, http.StatusConflict, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="audit-`+time.Now().UTC().Format("20060102T150405Z")+`.ndjson"`)
	e := json.NewEncoder(w)
	for i := range records {
		if e.Encode(&records[i]) != nil {
			return
		}
	}
}

// verify checks the chain.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request, _ Identity) {
	a := h.reader(w)
	if a == nil {
		return
	}
	answer(w, map[string]bool{"whole": true}, a.Verify(r.Context()))
}
