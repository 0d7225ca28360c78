package render

import (
	"cmp"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
)

// JSON writes the printed answers in printed order, each with section, key, label, state and text, and the numbers of charts. It is what every other format prints,
// and nothing else.
func JSON(w io.Writer, doc *caseforms.Document) error {
	if err := checkCharts(doc); err != nil {
		return err
	}
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
		if !first {
			b = append(b, ',')
		}
		first = false
		put(`{"section":`, headed(s))
		put(`,"key":`, a.Key)
		put(`,"label":`, a.Label)
		put(`,"state":`, a.State.String())
		put(`,"text":`, a.Text)
		b = append(b, '}')
	})
	b = append(b, ']')
	first = true
	for i := range doc.Sections {
		s := &doc.Sections[i]
		for _, p := range s.Parts {
			if p.Chart == nil {
				continue
			}
			if first {
				b = append(b, `,"charts":[`...)
			} else {
				b = append(b, ',')
			}
			first = false
			chart(put, &b, headed(s), p.Chart)
		}
	}
	if !first {
		b = append(b, ']')
	}
	return append(b, '}'), err
}

// headed is what a section is called.
func headed(s *caseforms.DocSection) string { return cmp.Or(s.Title, s.Key) }

// chart writes the numbers of a chart as they are.
func chart(put func(before, text string), b *[]byte, section string, c *caseforms.Chart) {
	put(`{"section":`, section)
	put(`,"key":`, c.Key)
	put(`,"label":`, c.Label)
	put(`,"alt":`, c.Alt)
	before := `,"series":[`
	for _, s := range c.Series {
		put(before, s)
		before = ","
	}
	*b = append(*b, `],"groups":[`...)
	before = `{"label":`
	for _, g := range c.Groups {
		put(before, g.Label)
		for i, v := range g.Values {
			*b = append(*b, [...]string{`,"values":[`, `,`}[min(i, 1)]...)
			*b = strconv.AppendInt(*b, int64(v), 10)
		}
		*b = append(*b, `]}`...)
		before = `,{"label":`
	}
	*b = append(*b, `]}`...)
}
