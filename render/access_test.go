package render_test

import (
	"bytes"
	"testing"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// What is made for a subject-access request is written by every writer, whole, and its PDF keeps to the standards.
func TestInWordsIsWritten(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		cases := samples(t)
		cases["empty"] = []byte(`{}`)
		for name, data := range cases {
			c, ps := d.Decode(data, nil)
			if c == nil {
				t.Fatal(ps)
			}
			own, apart := d.InWords(c)
			for _, doc := range []*caseforms.Document{own, apart} {
				doc.Date, doc.Ref = on, "CF-7K3M-Q9ZQ"
				var b bytes.Buffer
				if _, err := render.PDF(&b, doc, render.Options{}); err != nil {
					t.Fatal(err)
				}
				for _, finding := range lint(parsePDF(t, b.Bytes()), true) {
					t.Errorf("%s %s %s: %s", area, name, doc.Copy, finding)
				}
				if area != "" || name != "02-full" {
					continue
				}
				for _, format := range files {
					for _, lost := range found(extract(t, format, readable(t, doc, format)), answers(t, doc), true) {
						t.Errorf("%s %s %s loses %s", name, doc.Copy, format, lost)
					}
				}
				doc.Date, doc.Ref = caseforms.Date{}, ""
				for _, finding := range lint(parsePDF(t, written(t, doc, render.FormatPDF)), true) {
					t.Errorf("%s %s without date and reference: %s", name, doc.Copy, finding)
				}
			}
		}
	}
}
