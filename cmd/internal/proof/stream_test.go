package proof

import (
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"github.com/relent-go/relent/cmd/internal/venue"
	binanceorders "github.com/relent-go/relent/contrib/binance"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
	"github.com/relent-go/relent/transport/retryws"
)

// listen hears the private stream and hands over what it says, over as many connections as it takes. The machine is not
// told that the stream has no gaps: it never relies on it here, and reads lists.
func (p *process) listen(w *wire) {
	for p.life.Err() == nil {
		p.hear(w)
		rest(p.life, time.Second)
	}
}

func (p *process) hear(w *wire) {
	if p.bans.Check(p.life, "binance", "main") != nil {
		return // connections are not the transport's
	}
	c, resp, err := websocket.Dial(p.life, "ws://venue/ws-api/v3", &websocket.DialOptions{HTTPClient: &http.Client{Transport: w.base}})
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusTeapot {
			p.banned()
		}
		return
	}
	defer c.CloseNow()
	user := &binanceorders.User{Key: venue.DefaultKey, Secret: venue.DefaultSecret, Now: func() time.Time { now, _, _ := p.clock.Now(); return now }}
	subscribe, err := user.Subscribe(&retryws.Request{ID: 1, Topics: []retryws.Topic{binanceorders.UserTopic}})
	if err != nil || c.Write(p.life, websocket.MessageText, subscribe) != nil {
		return
	}
	for {
		_, text, err := c.Read(p.life)
		if err != nil {
			return
		}
		var f retryws.Frame
		if user.Classify(text, &f); f.Sign == retryws.Banned {
			p.banned()
		}
		r, ok, err := binanceorders.Execution(text)
		if ok {
			err = p.machine.Seen(p.life, r)
		}
		switch {
		case err == nil, p.dead.Load(), errors.Is(err, order.ErrNotReady):
		case errors.Is(err, order.ErrLog): // the machine reads it again
		case errors.Is(err, order.ErrEvidence) && p.arena.trial.faults == "clock": // made before it was sent, by clocks that jump: parked
		default:
			p.arena.note("stream: %v", err)
		}
	}
}

// banned tells the others of a ban that a stream was told of, where no transport sees it.
func (p *process) banned() {
	now := time.Now()
	_ = p.arena.bans.Save(p.life, exchange.Ban{Venue: "binance", Host: "venue", Scope: "ip", First: now, Until: now.Add(2 * time.Minute), Count: 1})
}
