package render

import (
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
)

// JSON writes the printed answers in printed order, each with section, key, label, state and text. It is what every other format prints,
// and nothing else.
func JSON(w io.Writer, doc *caseforms.Document) error {
	return writeJSON(jsontext.NewEncoder(w, jsontext.AllowDuplicateNames(true), jsontext.WithIndent("  ")), doc)
}

// writeJSON writes the answers. The names are constants, so that the encoder need not look for doubled ones.
func writeJSON(enc *jsontext.Encoder, doc *caseforms.Document) error {
	var err error
	put := func(tokens ...jsontext.Token) {
		for _, t := range tokens {
			if err == nil {
				err = enc.WriteToken(t)
			}
		}
	}
	str := jsontext.String
	put(jsontext.BeginObject)
	for _, m := range [][2]string{{"form", doc.Form}, {"version", doc.Version}, {"definition_sha256", doc.Definition}, {"area", doc.Area}, {"language", doc.Lang}, {"title", doc.Title},
		{"reference", doc.Ref}, {"marking", doc.Marking}, {"copy", doc.Copy}} {
		put(str(m[0]), str(clean(m[1])))
	}
	put(str("draft"), jsontext.Bool(doc.Draft), str("blank"), jsontext.Bool(doc.Blank))
	put(str("answers"), jsontext.BeginArray)
	doc.Answers(func(s *caseforms.DocSection, a *caseforms.Answer) {
		title := s.Title
		if title == "" {
			title = s.Key
		}
		put(jsontext.BeginObject)
		for _, m := range [][2]string{{"section", title}, {"key", a.Key}, {"label", a.Label}, {"state", a.State.String()}, {"text", a.Text}} {
			put(str(m[0]), str(clean(m[1])))
		}
		put(jsontext.EndObject)
	})
	put(jsontext.EndArray, jsontext.EndObject)
	return err
}
