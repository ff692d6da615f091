package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
)

//go:embed assets
var files embed.FS

// assets are the files of the page, in memory, plain and compressed. Their addresses contain the hash
// of them all, so browsers may keep them forever.
type assets struct {
	hash  string
	by    map[string]asset
	index []byte
	lost  []byte
}

type asset struct {
	kind        string
	plain, gzip []byte
}

// kinds are the files that are served. Licences stay in the source.
var kinds = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml", ".html": "text/html; charset=utf-8",
}

// bare is what browsers do not need: indentation, and lines that are comments.
var bare = regexp.MustCompile(`(?m)^[ \t]+(//.*\n)?|^//.*\n`)

// tight is white space that styles do not need. They have none of these signs in texts.
var tight = regexp.MustCompile(`\s*([{};,])\s*|(:) `)

func newAssets() *assets {
	a := &assets{by: map[string]asset{}}
	sum := sha256.New()
	root, _ := fs.Sub(files, "assets")
	read := func(name string) string {
		text, _ := fs.ReadFile(root, name) // embedded files can be read
		return string(bare.ReplaceAll(text, nil))
	}
	fs.WalkDir(root, ".", func(name string, d fs.DirEntry, _ error) error {
		own := path.Ext(name) == ".js" && !strings.HasPrefix(name, "vendor/")
		if kind := kinds[path.Ext(name)]; !d.IsDir() && kind != "" && (!own || name == "app.js") {
			plain := []byte(read(name))
			if own {
				plain = (&bundle{read: read}).script(name)
			}
			if path.Ext(name) == ".css" {
				plain = tight.ReplaceAll(plain, []byte("$1$2"))
			}
			sum.Write(plain)
			a.by[name] = asset{kind, plain, pack(plain)}
		}
		return nil
	})
	a.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	a.index = bytes.ReplaceAll(a.by["index.html"].plain, []byte("{assets}"), []byte("assets/"+a.hash))
	a.lost = a.by["lost.html"].plain
	return a
}

func pack(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a good one
	w.Write(b)
	w.Close()
	return out.Bytes()
}

// page serves the page itself.
func (h *Handler) page(w http.ResponseWriter, _ *http.Request, _ Identity) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(h.assets.index)
}

// lost answers a wrong address with a page that says so.
func (h *Handler) lost(w http.ResponseWriter, r *http.Request, _ Identity) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		fail(w, http.StatusNotFound, "there is no "+r.URL.Path)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	w.Write(h.assets.lost)
}

func (h *Handler) icon(w http.ResponseWriter, r *http.Request, _ Identity) {
	h.send(w, r, "favicon.svg")
}

// asset serves a file under the hash of this version, forever.
func (h *Handler) asset(w http.ResponseWriter, r *http.Request, who Identity) {
	if r.PathValue("hash") != h.assets.hash {
		h.lost(w, r, who)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	h.send(w, r, r.PathValue("name"))
}

func (h *Handler) send(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := h.assets.by[name]
	if !ok {
		w.Header().Set("Cache-Control", "no-store")
		h.lost(w, r, Identity{})
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(a.gzip)
		return
	}
	w.Write(a.plain)
}
