package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	check "github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func environment(name string) (string, bool) {
	value, ok := map[string]string{"STATE": "/var/lib/relent", "STORE": "hunter2", "HUNTER2": "hunter2"}[name]
	return value, ok
}

// compare compares with a file, or writes it.
func compare(t *testing.T, golden string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", golden, got, want)
	}
}

// load reads a file of the corpus and returns what people read about it.
func load(t *testing.T, name string) (file *File, found Mistakes, text []byte) {
	t.Helper()
	file, err := Read(name, environment)
	if invalid, ok := errors.AsType[*Invalid](err); ok {
		found = invalid.Mistakes
	} else if err != nil {
		t.Fatal(err)
	} else {
		found = file.Warnings
	}
	found.File = filepath.Base(name)
	var b bytes.Buffer
	if err := found.Write(&b, Style{}); err != nil {
		t.Fatal(err)
	}
	return file, found, b.Bytes()
}

func corpus(t *testing.T, kind string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/" + kind + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in testdata/%s, %v", len(files), kind, err)
	}
	return files
}

// Each file says what is wrong with it in a file beside it: what is printed, and what its JSON is.
func TestCorpus(t *testing.T) {
	kinds := map[Kind]bool{}
	for _, kind := range []string{"good", "warn", "bad"} {
		for _, name := range corpus(t, kind) {
			file, found, text := load(t, name)
			base := strings.TrimSuffix(name, ".yaml")
			compare(t, base+".txt", text)
			if (file == nil) != (kind == "bad") || (found.Warnings() > 0) != (kind == "warn") && kind == "warn" {
				t.Errorf("%s: file %v, %s", name, file != nil, found.Count())
			}
			for _, m := range found.List {
				kinds[m.Kind] = true
			}
			if secret := "hunter2"; bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s: a secret is printed:\n%s", name, text)
			}
			answer, err := json.Marshal(&found)
			if err != nil || bytes.Contains(answer, []byte("hunter2")) {
				t.Errorf("%s: JSON %s, %v", name, answer, err)
			}
		}
	}
	for _, kind := range []Kind{Syntax, UnknownField, DuplicateKey, WrongType, BadValue, OutOfRange, MissingRequired, UnknownReference, DependencyCycle, Contradiction, Unused, Unwise, TooLarge} {
		if !kinds[kind] {
			t.Errorf("no file of the corpus has a mistake of kind %s", kind)
		}
	}
}

// onlyLoader are bad files that no schema can refuse, and why.
var onlyLoader = map[string]string{
	"aliases":              "a schema does not see aliases",
	"contradiction_values": "a schema does not compare values",
	"dependency_cycle":     "a schema does not follow references",
	"duplicate_references": "a schema does not compare names",
	"environment":          "a schema has no environment",
	"proxy_same":           "a schema does not compare values",
	"unknown_reference":    "a schema does not follow references",
	"syntax_two_documents": "each of the documents by itself is good",
}

// What the loader refuses, the schema refuses, too, and it takes what the loader takes.
func TestSchemaAgreesWithLoader(t *testing.T) {
	schema := compiled(t)
	for _, kind := range []string{"good", "warn", "bad"} {
		for _, name := range corpus(t, kind) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var value any
			refused := yaml.Unmarshal(data, &value)
			if refused == nil {
				refused = schema.Validate(plainValue(t, value))
			}
			_, only := onlyLoader[strings.TrimSuffix(filepath.Base(name), ".yaml")]
			if want := kind == "bad" && !only; (refused != nil) != want {
				t.Errorf("%s: the schema says %v; refused is to be %v", name, refused, want)
			}
		}
	}
}

func compiled(t *testing.T) *check.Schema {
	t.Helper()
	document, err := check.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := check.NewCompiler()
	if err := c.AddResource(SchemaFile, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(SchemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plainValue is a value as an editor sees it that checks YAML against a JSON Schema.
func plainValue(t *testing.T, value any) any {
	t.Helper()
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = plainValue(t, v[key])
		}
	case []any:
		for i := range v {
			v[i] = plainValue(t, v[i])
		}
	case int:
		return json.Number(plainNumber(float64(v)))
	}
	return value
}

// corpusFiles are the texts of a kind, as seeds.
func corpusFiles(kind string) (texts [][]byte) {
	files, _ := filepath.Glob("testdata/" + kind + "/*.yaml")
	for _, name := range files {
		if text, err := os.ReadFile(name); err == nil {
			texts = append(texts, text)
		}
	}
	return texts
}
