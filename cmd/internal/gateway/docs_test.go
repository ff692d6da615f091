package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/config"
	"github.com/relent-go/relent/cmd/internal/venue"
)

// The configurations in docs/proxy.md are good ones, and it names each type of problem, each fault and each metric.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile("../../../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Errorf("%d configurations", len(blocks))
	}
	if example, err := os.ReadFile("../../../examples/proxy/relent.yaml"); err != nil || string(example) != blocks[0][1] {
		t.Errorf("examples/proxy/relent.yaml is not the first configuration of docs/proxy.md: %v", err)
	}
	for _, b := range blocks {
		file, err := config.Parse("docs/proxy.md", []byte(b[1]), func(string) (string, bool) { return "", false })
		if err != nil || len(file.Warnings.List) > 0 {
			t.Errorf("%v, %v\n%s", err, file, b[1])
		}
	}
	for _, r := range results {
		if r != forwarded && r != abandoned && !strings.Contains(text, "`"+string(r)+"`") {
			t.Errorf("the problem %s is missing", r)
		}
	}
	for f := chaos.Fail; f <= chaos.Duplicate; f++ {
		if name := strings.ReplaceAll(f.String(), " ", "-"); !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the fault %s is missing", name)
		}
	}
	for _, m := range regexp.MustCompile(`--chaos '([^']+)'`).FindAllStringSubmatch(text, -1) {
		if _, err := chaos.Parse(m[1]); err != nil {
			t.Error(err)
		}
	}
}

// The problem in docs/proxy.md has the members that a client really gets, and no others but those that are the same in all.
func TestDocsProblem(t *testing.T) {
	data, err := os.ReadFile("../../../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(string(data))
	if block == nil {
		t.Fatal("no problem found")
	}
	var want, got map[string]any
	if err := json.Unmarshal([]byte(block[1]), &want); err != nil {
		t.Fatal(err)
	}
	_, p := market(t, venue.Fault{Kind: venue.AcceptUnavailable, Match: venue.Match{Method: "POST", Path: orderPath}})
	answer := ask(t, "POST", p.url+signed("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=1000&newClientOrderId=mine"), "", "X-MBX-APIKEY", venue.DefaultKey)
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil {
		t.Fatal(err)
	}
	for name, value := range want {
		is, there := got[name]
		switch text := fmt.Sprint(value); {
		case !there:
			t.Errorf("%s is missing in %s", name, answer.body)
		case name == "verify":
			if a, b := slices.Sorted(maps.Keys(value.(map[string]any))), slices.Sorted(maps.Keys(is.(map[string]any))); !slices.Equal(a, b) {
				t.Errorf("verify has %q, and the page says %q", b, a)
			}
		case strings.Contains(text, "…"):
			if begin, _, _ := strings.Cut(text, "(…"); !strings.HasPrefix(fmt.Sprint(is), begin) {
				t.Errorf("%s is %v, and the page says %s", name, is, text)
			}
		case !reflect.DeepEqual(is, value):
			t.Errorf("%s is %v, and the page says %v", name, is, value)
		}
		delete(got, name)
	}
	delete(got, "detail")
	if len(got) > 0 {
		t.Errorf("the page does not say %v", got)
	}
}
