package exchange

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed facts/*.json
var embedded embed.FS

// A Profile is what is known of one venue: its facts, each with its sources and how sure they are, and how they
// show on the wire. Load or Parse makes one; it must not be changed afterwards, and is then safe for concurrent use.
//
// The fields say what was read. The methods say what may be relied on: a fact may always make this library more
// careful, but less careful only if it is [Fact.Trusted].
type Profile struct {
	SchemaVersion int         `json:"schema_version"`
	Exchange      string      `json:"exchange"` // names the profile: "binance"
	AsOf          string      `json:"as_of"`
	Name          string      `json:"name"` // for people: "Binance Spot"
	AssetClass    string      `json:"asset_class"`
	Sources       []Source    `json:"sources"`
	Rest          Rest        `json:"rest"`
	Errors        []ErrorFact `json:"errors"`
	Orders        OrderFacts  `json:"orders"`
	WebSocket     WebSocket   `json:"websocket"`
	OrderBook     OrderBook   `json:"orderbook"`
	GapFill       GapFill     `json:"gap_fill"`
	SDKNotes      []string    `json:"sdk_notes"`
	Unknowns      []string    `json:"unknowns"`
	Wire          Wire        `json:"wire,omitzero"`

	raised map[string]string // reasons, by path
	table  *table            // of the classifier
	routes []route
	draws  []draw
	usage  []usage
	seen   *endpoints
}

// Load returns the profile of a venue that this package knows: one of [Names].
func Load(name string) (*Profile, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("exchange: no facts about %q: there are %s", name, strings.Join(Names(), ", "))
	}
	data, _ := embedded.ReadFile("facts/" + name + ".json") // embedded: it cannot fail
	return Parse(data)
}

// Names returns the venues that this package knows, sorted.
func Names() []string {
	files, _ := fs.Glob(embedded, "facts/*.json") // the pattern is right
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "facts/"), ".json")
	}
	return files
}

// Parse reads a profile from JSON, and returns all its mistakes joined. Fields that this package does not know are
// mistakes, and so are missing ones.
func Parse(data []byte) (*Profile, error) {
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, fmt.Errorf("exchange: profile: %w", err)
	}
	p := &Profile{}
	if err := errors.Join(shapeOf(tree, p)...); err != nil {
		return nil, fmt.Errorf("exchange: profile: %w", err)
	}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("exchange: profile: %w", err)
	}
	p.weigh()
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("exchange: profile %q: %w", p.Exchange, err)
	}
	p.compile()
	return p, nil
}

// compile makes what the fields say quick to look up. The fields are valid.
func (p *Profile) compile() {
	p.table = newTable(p)
	p.seen = &endpoints{known: make(map[endpointKey]*endpoint)}
	p.routes = newRoutes(p.Wire.Routes)
	p.draws = newDraws(p)
	p.usage = newUsage(p.Wire.Usage)
}
