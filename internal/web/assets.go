package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"caseforms"
)

//go:embed assets
var assetFiles embed.FS

// assets are the styles, scripts and pictures, under an address that changes with their content.
type assets struct {
	hash  string
	files map[string]asset // by name
}

type asset struct {
	kind      string
	data, zip []byte
}

func loadAssets() (*assets, error) {
	a := &assets{files: map[string]asset{}}
	sum := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == "" {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", name, len(data))
		sum.Write(data)
		kind := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) { // not as the machine may be set up
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml; charset=utf-8"
		case ".txt":
			kind = "text/plain; charset=utf-8"
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(data); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		f := asset{kind: kind, data: data}
		if b.Len() < len(data) {
			f.zip = b.Bytes()
		}
		a.files[strings.TrimPrefix(name, "assets/")] = f
		return nil
	})
	a.hash = hex.EncodeToString(sum.Sum(nil)[:8])
	return a, err
}

// url is where a browser finds a file.
func (a *assets) url(name string) (string, error) {
	if _, ok := a.files[name]; !ok {
		return "", fmt.Errorf("there is no asset %s", name)
	}
	return "/assets/" + a.hash + "/" + name, nil
}

func (s *Service) assetRoutes() []Route {
	return []Route{{Method: "GET", Pattern: "/assets/{hash:[0-9a-f]{16}}/{name:[A-Za-z0-9/._-]+}", Who: Anybody(), Do: s.asset, Quiet: true}}
}

// asset gives a file by its name from a list, so that no path leads anywhere else.
func (s *Service) asset(w http.ResponseWriter, r *Request) error {
	f, ok := s.assets.files[r.Var("name")]
	if !ok || r.Var("hash") != s.assets.hash {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such file"}
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	data := f.data
	if f.zip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = f.zip
	}
	h.Set("Content-Length", fmt.Sprint(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
	return nil
}
