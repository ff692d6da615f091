package dashboard

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The whole page has to stay small: it is loaded when something is on fire.
func TestAssetBudget(t *testing.T) {
	const maxPlain, maxPacked = 120 << 10, 45 << 10
	plain, packed := 0, 0
	for name, a := range newAssets().by {
		if strings.HasSuffix(name, ".js") || strings.HasSuffix(name, ".css") {
			plain += len(a.plain)
			packed += len(a.gzip)
		}
	}
	t.Logf("%d bytes, %d compressed", plain, packed)
	if plain > maxPlain || packed > maxPacked {
		t.Errorf("scripts and styles take %d bytes, %d compressed; want at most %d and %d", plain, packed, maxPlain, maxPacked)
	}
}

// One script has all of the page's own modules, each once, and imports nothing but what was vendored.
func TestBundle(t *testing.T) {
	a := newAssets()
	script := string(a.by["app.js"].plain)
	if left := regexp.MustCompile(`(?m)^\s*(export |import (?:[^*]|.* from '(?:[^.]|\.[^/]|\./[^v]))).*`).FindString(script); left != "" {
		t.Errorf("%q is left: write imports and exports as the other modules do", left)
	}
	modules := 0
	fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, _ error) error {
		name = strings.TrimPrefix(name, "assets/")
		if d.IsDir() || !strings.HasSuffix(name, ".js") || strings.HasPrefix(name, "vendor/") {
			return nil
		}
		modules++
		if _, served := a.by[name]; served != (name == "app.js") {
			t.Errorf("%s: served %v", name, served)
		}
		return nil
	})
	if n := strings.Count(script, "})();\n"); n < modules || strings.Count(script, "(() => {\nconst {") < modules-5 {
		t.Errorf("%d modules are in the script; want %d", n, modules)
	}
	read := func(name string) string {
		return map[string]string{
			"app.js":   "import { a, b as c } from './x/one.js';\nimport Two from './x/two.js';\na(c, Two);\n",
			"x/one.js": "import { h } from '../vendor/v.js';\nimport Two from './two.js';\nexport const a = h;\nexport async function b() {}\n",
			"x/two.js": "import v from '../vendor/v.js';\nexport default function Two() { return v; }\n",
		}[name]
	}
	const want = `import * as $0 from './vendor/v.js';
const $1 = (() => {
const { default: v } = $0;
function Two() { return v; }

return { default: Two };
})();
const $2 = (() => {
const { h } = $0;
const { default: Two } = $1;
const a = h;
async function b() {}

return { a, b };
})();
const $3 = (() => {
const { a, b: c } = $2;
const { default: Two } = $1;
a(c, Two);

return {  };
})();
`
	if got := string((&bundle{read: read}).script("app.js")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What was vendored is what VENDOR says, no more and no less, and its licences are there.
func TestVendored(t *testing.T) {
	list, err := os.ReadFile("assets/vendor/VENDOR")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"VENDOR": true}
	for s := bufio.NewScanner(bytes.NewReader(list)); s.Scan(); {
		f := strings.Fields(s.Text())
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		if len(f) != 5 {
			t.Fatalf("VENDOR: %q has %d fields; want 5", s.Text(), len(f))
		}
		known[f[0]] = true
		b, err := os.ReadFile("assets/vendor/" + f[0])
		if err != nil {
			t.Error(err)
		} else if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != f[4] {
			t.Errorf("%s has the hash %s; VENDOR says %s", f[0], got, f[4])
		}
	}
	entries, err := os.ReadDir("assets/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("%s is not in VENDOR", e.Name())
		}
		if name, ok := strings.CutSuffix(e.Name(), ".js"); ok && name != "hooks" && !known[name+".LICENSE"] {
			t.Errorf("%s has no licence beside it", e.Name())
		}
	}
}

// Text of events must reach the page as text only, and styles through properties.
func TestContent(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|dangerouslySetInnerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|style="`)
	err := fs.WalkDir(files, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "/vendor/") {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if found := forbidden.Find(b); found != nil {
			t.Errorf("%s contains %s", name, found)
		}
		for _, m := range regexp.MustCompile(`from '([^']+)'`).FindAllSubmatch(b, -1) {
			if !bytes.HasPrefix(m[1], []byte(".")) {
				t.Errorf("%s imports %s: only relative imports work without an import map", name, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The pure modules are tested where Node is; the browser tests cover them too.
func TestPureModules(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node; the browser tests cover the same modules")
	}
	out, err := exec.CommandContext(t.Context(), node, "--test", "testdata/pure.test.mjs").CombinedOutput()
	if err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
