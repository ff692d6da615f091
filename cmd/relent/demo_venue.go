package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"github.com/relent-go/relent/cmd/internal/demo"
	"github.com/relent-go/relent/cmd/internal/venue"
)

// A simulated venue on loopback.
type simulated struct {
	venue  *venue.Venue
	faults []venue.Fault
	server *http.Server
	url    string
	served sync.WaitGroup
}

func simulate(seed uint64, faults string) (*simulated, error) {
	list, err := rules(faults)
	if err != nil {
		return nil, err
	}
	if _, err := venue.Preset(faults); err == nil && faults != "calm" {
		list = append(scene(), list...)
	}
	life := time.Duration(0) // as long as Binance's
	if faults == "ws" || faults == "storm" {
		life = 5 * time.Second // so that every stream breaks, and comes back, while somebody looks
	}
	s := &simulated{faults: list, venue: venue.New(venue.Config{
		LinkLife: life,
		Seed:     seed, FlowEvery: 200 * time.Millisecond,
		Fee:    decimal.New(-1, 0),                              // none: fees are taken from what is bought, and the machine, which knows of no fees, would see a holding that it cannot explain
		Limits: venue.Limits{RefusalsUntilBan: venue.Unlimited}, // bans come from the weather alone
	})}
	if err := s.venue.Faults.Add(list...); err != nil {
		return nil, fmt.Errorf("--faults: %w", err)
	}
	s.venue.Faults.Clear() // they were tried; the weather begins when trading does
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("simulated venue: %w", err)
	}
	s.url = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: undated(s.venue), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second}
	s.served.Go(func() { s.server.Serve(listener) })
	return s, nil
}

func (s *simulated) close() {
	s.venue.Close()
	s.server.Close()
	s.served.Wait()
}

// undated keeps net/http from writing the machine's time into answers of a venue that has a clock of its own.
func undated(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		h.ServeHTTP(w, r)
	})
}

// into points a demo at the venue.
func (s *simulated) into(cfg *demo.Config) {
	cfg.URL, cfg.Key, cfg.Secret, cfg.Venue = s.url, venue.DefaultKey, venue.DefaultSecret, s.venue
	cfg.Ready = func() { s.venue.Faults.Add(s.faults...) }
}

// scene is what happens in every weather, so that a newcomer sees it within seconds: the candles are away for two requests, and then for a
// while; two orders lose their answers.
func scene() []venue.Fault {
	return []venue.Fault{
		{Name: "candles away twice", Kind: venue.Unavailable, Count: 2, Match: venue.Match{Path: "/api/v3/klines", Until: 2 * time.Second}},
		{Name: "candles away", Kind: venue.Unavailable, Match: venue.Match{Path: "/api/v3/klines", After: 2 * time.Second, Until: 7 * time.Second}},
		{Name: "lost answer", Kind: venue.AcceptDropAnswer, Count: 2, Match: venue.Match{Method: http.MethodPost, Path: "/api/v3/order", After: time.Second, Until: 8 * time.Second}},
	}
}
