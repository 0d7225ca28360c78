package render

import (
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
)

// JSON writes the printed answers in printed order, each with section, key, label, state and text. It is what every other format prints,
// and nothing else.
func JSON(w io.Writer, doc *caseforms.Document) error {
	b, err := appendJSON(nil, doc)
	if err != nil {
		return err
	}
	v := jsontext.Value(b)
	if err := v.Indent(jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err = w.Write(append(v, '\n'))
	return err
}

// appendJSON is the same without white space. It is written by hand because every PDF has it attached.
func appendJSON(b []byte, doc *caseforms.Document) ([]byte, error) {
	var err error
	put := func(before, text string) {
		b = append(b, before...)
		if err == nil {
			b, err = jsontext.AppendQuote(b, clean(text))
		}
	}
	put(`{"form":`, doc.Form)
	put(`,"version":`, doc.Version)
	put(`,"definition_sha256":`, doc.Definition)
	put(`,"area":`, doc.Area)
	put(`,"language":`, doc.Lang)
	put(`,"title":`, doc.Title)
	put(`,"reference":`, doc.Ref)
	put(`,"marking":`, doc.Marking)
	if doc.Copy != "" {
		put(`,"copy":`, doc.Copy)
	}
	b = strconv.AppendBool(append(b, `,"draft":`...), doc.Draft)
	b = strconv.AppendBool(append(b, `,"blank":`...), doc.Blank)
	b = append(b, `,"answers":[`...)
	first := true
	doc.Answers(func(s *caseforms.DocSection, a *caseforms.Answer) {
		title := s.Title
		if title == "" {
			title = s.Key
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		put(`{"section":`, title)
		put(`,"key":`, a.Key)
		put(`,"label":`, a.Label)
		put(`,"state":`, a.State.String())
		put(`,"text":`, a.Text)
		b = append(b, '}')
	})
	return append(b, `]}`...), err
}
