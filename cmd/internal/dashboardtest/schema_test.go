package dashboardtest

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/relent-go/relent/control"
)

// schemas compiles what a dashboard serves as its schemas.
func schemas(t *testing.T, url string) map[string]*jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	var names []string
	getJSON(t, url+"/api/v1/schema", &names)
	for _, n := range names {
		res, err := http.Get(url + "/api/v1/schema/" + n)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatalf("schema %s: %v", n, err)
		}
		if err := c.AddResource("https://relent.invalid/api/v1/schema/"+n, doc); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]*jsonschema.Schema{}
	for _, n := range names {
		s, err := c.Compile("https://relent.invalid/api/v1/schema/" + n)
		if err != nil {
			t.Fatal(err)
		}
		all[n] = s
	}
	return all
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != 200 {
		t.Fatalf("GET %s = %s, %v", url, res.Status, err)
	}
}

func valid(t *testing.T, s *jsonschema.Schema, what string, text io.Reader) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// What is really sent is what the schemas promise.
func TestSchemas(t *testing.T) {
	w := newWorld()
	url := serve(t, w, nil)
	all := schemas(t, url)
	w.chatter(20)
	w.change(func(v *control.View) {
		v.Instances = []control.InstanceView{{Name: "tokyo-1", Connected: true, Seen: time.Now(), Version: "v1"}}
		v.Stops = []control.StopView{{Scope: "global", State: "drain", Epoch: 2, Actor: "a", Since: time.Now(), Expires: time.Now().Add(time.Hour), Ramp: .5},
			{Scope: "global", State: "stopped", Drill: true, Since: time.Now(), Reached: 1, Processes: 2, Took: time.Millisecond}}
	})
	res, err := http.Get(url + "/api/v1/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<22)
	seen := map[string]int{}
	event := ""
	for seen["delta"] < 5 || seen["events"] < 1 {
		if !lines.Scan() {
			t.Fatalf("the stream ended: %v", lines.Err())
		}
		if e, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = e
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			valid(t, all[event], event, strings.NewReader(data))
			if seen[event]++; seen[event] == 2 {
				w.change(func(v *control.View) { v.Circuits, v.Stops, v.Instances = v.Circuits[1:], nil, nil })
			}
		}
	}
	if seen["hello"] != 1 || seen["snapshot"] != 1 {
		t.Errorf("frames: %v; want one hello and one snapshot", seen)
	}
	valid(t, all["bye"], "bye", strings.NewReader(`{"reason":"the server stops","retry_ms":2000}`))
	for _, path := range []string{"history", "history?policy=binance.place_order"} {
		res, err := http.Get(url + "/api/v1/" + path)
		if err != nil {
			t.Fatal(err)
		}
		valid(t, all["history"], path, res.Body)
		res.Body.Close()
	}
	if err := all["delta"].Validate(map[string]any{"seq": 1}); err == nil {
		t.Error("half a frame is valid: the schemas say nothing")
	}
}
