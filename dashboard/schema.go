package dashboard

import (
	"embed"
	"fmt"
	"net/http"
	"strings"
)

//go:embed schema/*.json
var schemaFiles embed.FS

// schemas lists the JSON Schemas of what the stream and the API send.
func (h *Handler) schemas(w http.ResponseWriter, _ *http.Request, _ Identity) {
	entries, _ := schemaFiles.ReadDir("schema") // embedded
	names := []string{}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".json"))
	}
	reply(w, names)
}

func (h *Handler) schema(w http.ResponseWriter, r *http.Request, _ Identity) {
	b, err := schemaFiles.ReadFile("schema/" + r.PathValue("name") + ".json")
	if err != nil {
		fail(w, http.StatusNotFound, fmt.Sprintf("no schema %q: see /api/v1/schema", r.PathValue("name")))
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Write(b)
}
