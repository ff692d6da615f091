package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/relent-go/relent/cmd/internal/venue"
	"github.com/relent-go/relent/exchange"
	"github.com/relent-go/relent/exchange/order"
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
	if c.Write(p.life, websocket.MessageText, p.subscribe()) != nil {
		return
	}
	for {
		_, text, err := c.Read(p.life)
		if err != nil {
			return
		}
		var message struct {
			Event  *execution
			Status int
		}
		if json.Unmarshal(text, &message) == nil && message.Event != nil && message.Event.Event == "executionReport" {
			message.Event.tell(p)
		}
		if message.Status == http.StatusTeapot {
			p.banned()
		}
	}
}

// banned tells the others of a ban that a stream was told of, where no transport sees it.
func (p *process) banned() {
	now := time.Now()
	_ = p.arena.bans.Save(p.life, exchange.Ban{Venue: "binance", Host: "venue", Scope: "ip", First: now, Until: now.Add(2 * time.Minute), Count: 1})
}

func (p *process) subscribe() []byte {
	now, _, _ := p.clock.Now()
	q := url.Values{"apiKey": {venue.DefaultKey}, "timestamp": {strconv.FormatInt(now.UnixMilli(), 10)}}
	sum := hmac.New(sha256.New, []byte(venue.DefaultSecret))
	sum.Write([]byte(q.Encode()))
	text, _ := json.Marshal(map[string]any{"id": "1", "method": "userDataStream.subscribe.signature", "params": map[string]string{
		"apiKey": q.Get("apiKey"), "timestamp": q.Get("timestamp"), "signature": hex.EncodeToString(sum.Sum(nil)),
	}})
	return text
}

// An execution is an executionReport (Binance user data streams).
type execution struct {
	Event      string `json:"e"`
	Time       int64  `json:"E"`
	Symbol     string `json:"s"`
	ID         string `json:"c"`
	Original   string `json:"C"`
	Side       string `json:"S"`
	Kind       string `json:"x"`
	Status     string `json:"X"`
	Reason     string `json:"r"`
	OrderID    int64  `json:"i"`
	Quantity   string `json:"q"`
	Last       string `json:"l"`
	LastPrice  string `json:"L"`
	Cumulative string `json:"z"`
	Trade      int64  `json:"t"`
	Created    int64  `json:"O"`

	// Not used, but encoding/json takes a name in the other case if it finds no better one.
	Type     string `json:"o"`
	QuoteQty string `json:"Q"`
	CumQuote string `json:"Z"`
	At       int64  `json:"T"`
	ExecID   int64  `json:"I"`
}

var statusOf = map[string]order.Status{
	"NEW": order.StatusNew, "PARTIALLY_FILLED": order.StatusPartial, "FILLED": order.StatusFilled, "CANCELED": order.StatusCanceled,
	"REJECTED": order.StatusRejected, "EXPIRED": order.StatusExpired, "EXPIRED_IN_MATCH": order.StatusExpired,
}

func (e *execution) tell(p *process) {
	wire := e.ID
	if e.Original != "" {
		wire = e.Original // of a cancel, whose own id is ID
	}
	r := order.Report{
		Wire: wire, VenueID: strconv.FormatInt(e.OrderID, 10), Status: statusOf[e.Status], Executed: short(e.Cumulative),
		Created: time.UnixMilli(e.Created), At: time.UnixMilli(e.Time),
	}
	r.Terms.Quantity = short(e.Quantity)
	if e.Kind == "REJECTED" {
		r.Reason = e.Reason
	}
	if e.Kind == "TRADE" {
		r.Fills = []order.Fill{{
			Key: fmt.Sprintf("%s/%d", e.Symbol, e.Trade), Wire: wire, VenueID: r.VenueID, Symbol: e.Symbol,
			Quantity: short(e.Last), Price: short(e.LastPrice), At: r.At,
		}}
	}
	err := p.machine.Seen(p.life, r)
	switch {
	case err == nil, p.dead.Load(), errors.Is(err, order.ErrNotReady):
	case errors.Is(err, order.ErrLog): // the machine reads it again
	case errors.Is(err, order.ErrEvidence) && p.arena.trial.faults == "clock": // made before it was sent, by clocks that jump: parked
	default:
		p.arena.note("stream: %v", err)
	}
}

func short(text string) order.Decimal {
	d, _ := order.ParseDecimal(text)
	return d
}
