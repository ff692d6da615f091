package config

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

func TestSchemaIsCommitted(t *testing.T) {
	made := generate()
	if *update {
		if err := os.WriteFile(SchemaFile, made, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(made, Schema()) {
		t.Error("relent.schema.json is not what the structs say: run go generate ./internal/config in cmd")
	}
}
