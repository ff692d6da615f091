package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/relent-go/relent/cmd/internal/venue"
)

// npmSDK is Binance's own SDK for Node (MIT).
const npmSDK = "@binance/connector@3.6.1"

// Another language's SDK, unmodified, trades through the proxy under faults: it makes no duplicates, it is told which orders are of
// unknown outcome, and finds them as it was told.
func TestNodeSDK(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed (Debian: nodejs), so the SDK of the npm registry is not tested")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed (Debian: npm), so the SDK of the npm registry is not tested")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	install := exec.CommandContext(ctx, npm, "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error", "--prefix", dir, npmSDK)
	install.Dir = dir
	if text, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %s, so it is not tested: %v\n%s", npmSDK, err, text)
	}
	post := venue.Match{Method: "POST", Path: orderPath}
	every := func(nth, every int) venue.Match { m := post; m.Nth, m.Every = nth, every; return m }
	v, p := market(t,
		venue.Fault{Kind: venue.AcceptDropAnswer, Match: every(2, 7)},
		venue.Fault{Kind: venue.AcceptUnavailable, Match: every(3, 7)},
		venue.Fault{Kind: venue.Drop, Match: every(4, 7)},
		venue.Fault{Kind: venue.CutBody, Match: every(5, 7)},
		venue.Fault{Kind: venue.BadGateway, Reached: true, Match: every(6, 7)},
		venue.Fault{Kind: venue.Drop, Match: venue.Match{Method: "GET", Path: orderPath, Nth: 1, Every: 2}}, // each read fails once
	)
	const orders = 28
	script, err := filepath.Abs("testdata/trade.js")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(ctx, node, script)
	run.Env = append(os.Environ(), "BASE="+p.url, "KEY="+venue.DefaultKey, "SECRET="+venue.DefaultSecret,
		"SDK="+filepath.Join(dir, "node_modules", "@binance", "connector"), fmt.Sprintf("ORDERS=%d", orders))
	var stderr bytes.Buffer
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, stderr.Bytes())
	}
	o := v.Oracle()
	unknowns := 0
	for line := range strings.Lines(string(out)) {
		var said struct {
			ID, Placed, Found string
			Status, Missing   int
			Problem           map[string]any
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatal(err)
		}
		exists := o.Orders[said.ID].VenueOrders == 1
		switch {
		case said.Placed != "":
			if said.Placed != said.ID || !exists {
				t.Errorf("%s: placed, and the venue says %v", line, exists)
			}
		case said.Problem["outcome"] != maybeWas || said.Problem["client_order_id"] != said.ID || said.Status != 502:
			t.Errorf("%s: neither placed nor of unknown outcome", line)
		default:
			unknowns++
			if exists != (said.Found == said.ID) || !exists && said.Missing != -2013 {
				t.Errorf("%s: found %q, and the venue has it: %v", line, said.Found, exists)
			}
		}
		if n := len(o.Sends[said.ID]); n > 1 {
			t.Errorf("%s was sent %d times", said.ID, n)
		}
	}
	if o.Totals.Duplicates != 0 || !o.Check().Pass || unknowns < orders/7 {
		t.Errorf("%d of unknown outcome, want some of each kind; %+v", unknowns, o.Check())
	}
}
