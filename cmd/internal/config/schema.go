package config

import (
	"bytes"
	_ "embed"
	"encoding/json"

	"github.com/invopop/jsonschema"
)

// SchemaFile is the name under which an editor finds the schema.
const SchemaFile = "relent.schema.json"

//go:generate go test -run TestSchemaIsCommitted -update

//go:embed relent.schema.json
var committed []byte

// Schema returns the JSON Schema of the file, draft 2020-12, as it is generated from the structs of [Content].
func Schema() []byte { return bytes.Clone(committed) }

// generate makes the schema.
func generate() []byte {
	r := jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, DoNotReference: true, Anonymous: true}
	s := r.Reflect(Content{})
	s.Title = "relent.yaml"
	s.Description = "Policies of relent: retries that know when to stop. Made by: relent policy schema"
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		panic(err) // a schema is made of texts and numbers
	}
	return b.Bytes()
}
