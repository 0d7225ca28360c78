package render_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"caseforms"
	"caseforms/render"
)

// everything is all there is in a file, with nothing compressed: objects, streams and attachments of a PDF, parts of a workbook.
func everything(t testing.TB, format render.Format, data []byte) string {
	t.Helper()
	var b strings.Builder
	b.Write(data)
	switch format {
	case render.FormatPDF:
		l := &linter{f: parsePDF(t, data)}
		for num := range l.f.Table {
			o := l.get(*types.NewIndirectRef(num, 0))
			if o == nil {
				continue
			}
			fmt.Fprintln(&b, o.PDFString())
			if _, ok := o.(types.StreamDict); ok {
				b.Write(l.stream(o))
			}
		}
	case render.FormatWorkbook:
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, f.Name, f.Comment)
			if _, err := io.Copy(&b, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.String()
}

// tokenCase is the sample that answers everything, with a token in place of every piece of free text, and the path of each token.
func tokenCase(t *testing.T) (data []byte, paths map[string]string) {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal(samples(t)["02-full"], &c); err != nil {
		t.Fatal(err)
	}
	value := regexp.MustCompile(`^[a-z0-9_]+$|^\d|^[A-Z]{1,2}\d|@|/|^\+|^0|^[A-Z]\d{4}`) // options, dates, identifiers, numbers
	paths = map[string]string{}
	var walk func(v any, path string) any
	walk = func(v any, path string) any {
		switch v := v.(type) {
		case map[string]any:
			for k := range v {
				if k != "state" {
					v[k] = walk(v[k], strings.TrimPrefix(path+"."+k, "."))
				}
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i], fmt.Sprintf("%s[%d]", path, i))
			}
		case string:
			if !value.MatchString(v) || strings.Contains(v, " ") && !regexp.MustCompile(`^[\d+]`).MatchString(v) && !strings.HasSuffix(path, "postcode") {
				token := fmt.Sprintf("TOK%dEND", len(paths)+1000)
				paths[token] = path
				return token
			}
		}
		return v
	}
	walk(c, "")
	list := func(path ...string) []any {
		v := any(c)
		for _, k := range path {
			v = v.(map[string]any)[k]
		}
		return v.([]any)
	}
	for _, of := range []string{"children", "adults"} { // where nothing is said of it, a copy for the person withholds it as well
		for _, item := range list(of) {
			item.(map[string]any)["address_confidential"] = "no"
		}
	}
	list("children")[0].(map[string]any)["address_confidential"] = "yes"
	list("children")[1].(map[string]any)["source_protected"] = "yes"
	list("adults")[0].(map[string]any)["source_protected"] = "yes"
	list("professionals")[0].(map[string]any)["source_protected"] = "yes"
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return data, paths
}

// What a copy withholds is nowhere in the bytes of any file of it: not in its text, its data, its tags, its bookmarks, its sheets.
func TestWithheldIsNowhereInTheBytes(t *testing.T) {
	t.Parallel()
	data, paths := tokenCase(t)
	if len(paths) < 250 {
		t.Fatalf("only %d tokens", len(paths))
	}
	// By hand, so that a definition that forgets one is found.
	const confidential = `^children\[0\]\.address\.`
	disclosable := []string{confidential, `^adults\[0\]\.`, `^professionals\[0\]\.`, `^victims`, `^person\.visor_ref`, `^adults\[\d\]\.(carer_view|phone)`, `^children\[\d\]\.gp`,
		`^children\[1\]\.(contact_pattern|with_whom_now)`, `^offences\[\d\]\.victim_relationship`, `^registers\[\d\]\.notes`, `who_lives_there`,
		`^forms\.conference\.(protected_information|legal_advice)`,
		`^forms\.cp1\.(disclosures|significant_others|interviews|police_checks|child_view|lawful_basis_note|csc_check_reply)`,
		`^forms\.check\.contact_nature`, `^forms\.pp1\.(allegations|victim_concerns|victim_officer|disclosure_proposed|risk_to_children)`,
		`^forms\.pp2\.(m4|agency_updates\[\d\]\.(information|source)|disclosure_to|disclosure_risk|disclosure_police|disclosure_how|disclosure_challenge|disclosure_advice)`,
		`^forms\.pp3\.(exclusion_zones|no_contact|children_at_or_near)`}
	present := map[string]string{ // so that the search is known to find something
		"conference full": `^forms\.conference\.legal_advice`, "conference annex": `^forms\.conference\.protected_information`, "conference disclosable": `^forms\.conference\.assessment`,
		"cp1 full": confidential, "cp1 disclosable": `^forms\.cp1\.concern`, "pp1 full": `^victims\[0\]\.relationship`, "pp1 disclosable": `^forms\.pp1\.dynamic_factors`,
		"check full": confidential, "check disclosable": `^offences\[0\]\.description`, "pp2 full": `^forms\.pp2\.m4`, "pp3 full": `^forms\.pp3\.no_contact`,
	}
	for _, area := range []string{"", "london"} {
		d := load(t, area)
		for _, f := range own(d, area) {
			internal := []string{`^nowhere$`}
			for _, s := range f.Sections {
				for _, q := range s.Fields {
					if q.Internal {
						internal = append(internal, `^forms\.`+f.ID+`\.`+q.Key+`\b`)
					}
				}
			}
			for _, name := range f.Copies {
				closed := slices.Clone(internal)
				switch {
				case name == caseforms.CopyDisclosable:
					closed = append(closed, disclosable...)
				case !f.Confidential:
					closed = append(closed, confidential)
				}
				if name == caseforms.CopyAnnex {
					closed = append(closed, `legal_advice`, `^forms\.conference\.assessment`)
				}
				secret := regexp.MustCompile(strings.Join(closed, "|"))
				doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: true, Copy: name})
				for _, format := range render.Formats {
					for _, profile := range []render.Profile{render.ProfileArchive, render.ProfileReply} {
						if profile == render.ProfileReply && format != render.FormatPDF {
							continue
						}
						var b bytes.Buffer
						if _, err := render.Write(&b, doc, format, render.Options{Profile: profile}); err != nil {
							t.Fatal(err)
						}
						all := everything(t, format, b.Bytes())
						what := f.ID + " " + name
						open := false
						for token, path := range paths {
							switch has := strings.Contains(all, token); {
							case has && secret.MatchString(path):
								t.Errorf("%s %s %s %s holds %s", area, what, format, profile, path)
							case has && present[what] != "" && regexp.MustCompile(present[what]).MatchString(path):
								open = true
							}
						}
						if !open && present[what] != "" {
							t.Errorf("%s %s %s %s: %s is not found where it must be", area, what, format, profile, present[what])
						}
						if f.Silent && name == caseforms.CopyDisclosable {
							for _, word := range []string{"isclosable", "nnex", "Withheld", "withheld", "leaves out", "Own file", "For the Chair"} {
								if strings.Contains(all, word) {
									t.Errorf("%s %s %s says %q", area, what, format, word)
								}
							}
						}
					}
				}
			}
		}
	}
}
