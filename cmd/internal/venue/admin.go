package venue

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// Admin returns the operator's handler. Serve it on loopback, never on the public listener: it has no login, though it
// refuses browsers that come from other pages.
//
//	GET    /sim/oracle        Oracle as JSON
//	GET    /sim/oracle/check  Findings as JSON
//	POST   /sim/oracle/check  Findings on all invariants; the body is a Report as JSON, unknown fields are refused
//	GET    /sim/book?symbol=s&sequence=n  the book after that update; 404 if it is not known
//	GET    /sim/log?since=n   entries above n, one JSON object a line
//	GET    /sim/faults        rules in the order they are tried
//	POST   /sim/faults        appends a JSON array of rules; unknown fields are refused
//	DELETE /sim/faults        removes all rules
//	POST   /sim/reset         empties the venue; an optional body {"seed":n} changes the seed
//
// Mistakes are answered with 400 and {"error":"..."}.
func (v *Venue) Admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sim/oracle", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, v.Oracle()) })
	mux.HandleFunc("GET /sim/oracle/check", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, v.Oracle().Check()) })
	mux.HandleFunc("POST /sim/oracle/check", v.serveCheck)
	mux.HandleFunc("GET /sim/book", v.serveBook)
	mux.HandleFunc("GET /sim/log", v.serveLog)
	mux.HandleFunc("GET /sim/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, v.Faults.List()) })
	mux.HandleFunc("POST /sim/faults", v.serveAddFaults)
	mux.HandleFunc("DELETE /sim/faults", func(w http.ResponseWriter, _ *http.Request) {
		v.Faults.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /sim/reset", v.serveReset)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (v *Venue) serveLog(w http.ResponseWriter, r *http.Request) {
	var since uint64
	if raw := r.FormValue("since"); raw != "" {
		var err error
		if since, err = strconv.ParseUint(raw, 10, 64); err != nil {
			fail(w, errors.New("since: not a number of an entry"))
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	for _, e := range v.Log(since) {
		if enc.Encode(e) != nil {
			return // the reader left
		}
	}
}

func (v *Venue) serveCheck(w http.ResponseWriter, r *http.Request) {
	var report Report
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<30)) // of a million intents
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, v.Oracle().Check(report))
}

func (v *Venue) serveBook(w http.ResponseWriter, r *http.Request) {
	sequence, err := strconv.ParseInt(r.FormValue("sequence"), 10, 64)
	if err != nil {
		fail(w, errors.New("sequence: not the id of an update"))
		return
	}
	book, ok := v.Book(r.FormValue("symbol"), sequence)
	if !ok {
		reply(w, http.StatusNotFound, struct {
			Error string `json:"error"`
		}{"no such symbol, or that book is no longer kept"})
		return
	}
	reply(w, http.StatusOK, book)
}

func (v *Venue) serveAddFaults(w http.ResponseWriter, r *http.Request) {
	faults, err := DecodeFaults(r.Body)
	if err == nil {
		err = v.Faults.Add(faults...)
	}
	if err != nil {
		fail(w, err)
		return
	}
	reply(w, http.StatusOK, v.Faults.List())
}

func (v *Venue) serveReset(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	body := struct {
		Seed uint64 `json:"seed"`
	}{v.world.seed}
	v.mu.Unlock()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		fail(w, err)
		return
	}
	body.Seed = max(body.Seed, 1)
	v.Reset(body.Seed)
	reply(w, http.StatusOK, body)
}

func fail(w http.ResponseWriter, err error) {
	reply(w, http.StatusBadRequest, struct {
		Error string `json:"error"`
	}{err.Error()})
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the reader may have left
}
