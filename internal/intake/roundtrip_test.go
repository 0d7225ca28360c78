package intake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// Every form that can be answered, as it is really sent: filled in by other programs, and read back to the letter.
func TestOurOwnFormsComeBack(t *testing.T) {
	t.Parallel()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../../samples/cases/01-simple.json")
	if err != nil {
		t.Fatal(err)
	}
	const ref = "CF-7K3M-Q9ZQ"
	n := 0
	for _, f := range d.Forms {
		if f.ReplyFields() == nil {
			continue
		}
		n++
		c, ps := d.Decode(data, f)
		if c == nil {
			t.Fatal(ps)
		}
		doc, err := d.Fill(f, c, caseforms.FillOptions{Draft: true, Ref: ref})
		if err != nil {
			t.Fatal(err)
		}
		for _, sealed := range []bool{false, true} {
			o := render.Options{Profile: render.ProfileReply}
			password := ""
			if sealed {
				password = "Ŵyn-Żółć-cariad"
				o = render.Options{Profile: render.ProfileSecure, Password: password}
			}
			var b bytes.Buffer
			if _, err := render.PDF(&b, doc, o); err != nil {
				t.Fatal(err)
			}
			if r, err := patient.ReadReply(t.Context(), b.Bytes(), password, d); reason(t, err) != Empty || r.Form != f.ID || r.Version != f.Version || r.Ref != ref {
				t.Errorf("%s, not filled in: %+v %v", f.ID, r, err)
			}
			if sealed {
				continue // no program at hand fills in a sealed file
			}
			values, want := map[string]string{}, []string{}
			for i, q := range f.ReplyFields() {
				switch options := d.Options(q); {
				case options != nil:
					o := options[(i+1)%len(options)]
					values[q.Key] = o.Label.En
					state, value := "answered", o.Value
					if q.Kind == caseforms.KindYesNoUnknown && value == "not_known" {
						state, value = "not_known", ""
					}
					want = append(want, fmt.Sprintf("%s %s %q", q.Key, state, value))
				case q.Kind == caseforms.KindDate:
					values[q.Key] = "20 November 2026"
					want = append(want, q.Key+` answered "2026-11-20"`)
				case q.Kind == caseforms.KindLongText:
					values[q.Key] = prose
					want = append(want, fmt.Sprintf("%s answered %q", q.Key, prose))
				default:
					values[q.Key] = fmt.Sprintf("%s %d", name, i)
					want = append(want, fmt.Sprintf("%s answered %q", q.Key, values[q.Key]))
				}
			}
			root := f.ID + ":" + f.Version + ":" + ref
			t.Run(f.ID+"/pdftk", func(t *testing.T) {
				equal(t, short(read(t, d, filledByPdftk(t, b.Bytes(), root, values))), want)
			})
			t.Run(f.ID+"/pdf-lib", func(t *testing.T) {
				equal(t, short(read(t, d, filledByPdfLib(t, b.Bytes(), root, values))), want)
			})
		}
	}
	if n < 4 {
		t.Errorf("%d forms can be answered", n)
	}
}

func filledByPdftk(t *testing.T, data []byte, root string, values map[string]string) []byte {
	in := write(t, data)
	var x strings.Builder
	fmt.Fprintf(&x, `<?xml version="1.0" encoding="UTF-8"?><xfdf xmlns="http://ns.adobe.com/xfdf/"><fields><field name="%s">`, root)
	for key, v := range values {
		fmt.Fprintf(&x, `<field name="%s"><value>%s</value></field>`, key, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(v))
	}
	x.WriteString("</field></fields></xfdf>")
	if err := os.WriteFile(in+".xfdf", []byte(x.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	outside(t, "pdftk", in, "fill_form", in+".xfdf", "output", in+".out.pdf")
	return load(t, in+".out.pdf")
}

func filledByPdfLib(t *testing.T, data []byte, root string, values map[string]string) []byte {
	lib := os.Getenv("CASEFORMS_PDF_LIB")
	if lib == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("CI needs CASEFORMS_PDF_LIB, a folder in which npm has installed pdf-lib")
		}
		t.Skip("CASEFORMS_PDF_LIB is not set; what pdf-lib would fill in is not read")
	}
	in := write(t, data)
	job, err := json.Marshal(map[string]any{"lib": filepath.Join(lib, "node_modules", "pdf-lib"), "in": in, "out": in + ".out.pdf", "root": root, "values": values})
	if err != nil {
		t.Fatal(err)
	}
	// The look of what is filled in needs a font with these letters; the value does not.
	const script = `
const job = JSON.parse(process.argv[1]); const fs = require('fs'); const { PDFDocument, PDFTextField, PDFDropdown } = require(job.lib);
(async () => {
  const doc = await PDFDocument.load(fs.readFileSync(job.in)); const form = doc.getForm();
  for (const [key, value] of Object.entries(job.values)) {
    const f = form.getField(job.root + '.' + key);
    if (f instanceof PDFDropdown) f.select(value); else f.setText(value);
  }
  fs.writeFileSync(job.out, await doc.save({ updateFieldAppearances: false }));
})().catch(e => { console.error(e); process.exit(1) });`
	outside(t, "node", "-e", script, string(job))
	return load(t, in+".out.pdf")
}
