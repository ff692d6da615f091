package gateway

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/relent-go/relent/chaos"
	"github.com/relent-go/relent/cmd/internal/config"
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
