package intake

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf16"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

func testForm(t testing.TB, id string) (*caseforms.Definitions, *caseforms.Form) {
	t.Helper()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Form(id)
	if err != nil {
		t.Fatal(err)
	}
	return d, f
}

// got is what was read of a file: the records, what was not understood, and what is told of the file.
type got struct {
	records  []string
	rows     []int
	problems []string
	notes    []string
	dayFirst []string
}

func openData(t testing.TB, data []byte) (*Cases, error) {
	t.Helper()
	d, f := testForm(t, "pp1")
	name := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	if err := CleanWork(work); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCases(context.Background(), name, work, d, f)
	if err == nil {
		t.Cleanup(c.Close)
	} else if left, _ := os.ReadDir(work); len(left) > 0 {
		t.Errorf("working files are left after an error: %v", left)
	}
	return c, err
}

func readAll(t testing.TB, data []byte) (got, error) {
	t.Helper()
	var g got
	c, err := openData(t, data)
	if err != nil {
		return g, err
	}
	for _, n := range c.Notes {
		g.notes = append(g.notes, n.Msg)
	}
	for {
		r, err := c.Next()
		if err == io.EOF {
			if len(g.rows) != c.Count {
				t.Errorf("%d cases counted, %d read", c.Count, len(g.rows))
			}
			return g, nil
		}
		if err != nil {
			return g, err
		}
		rec, err := c.Read(r)
		if err != nil {
			return g, err
		}
		g.records, g.rows = append(g.records, string(rec.JSON)), append(g.rows, r.Number)
		for _, p := range rec.Problems {
			g.problems = append(g.problems, fmt.Sprintf("%d: %s", r.Number, p))
		}
		g.dayFirst = append(g.dayFirst, rec.DayFirst...)
	}
}

// book is a workbook written part by part, as no library would write it.
type book struct {
	sheets map[string]string // name -> what stands in <worksheet>
	order  []string
	props  string
	styles string
	texts  string
	extra  map[string]string
}

func (b book) bytes(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	put := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const head = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	put("_rels/.rels", head+`<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`)
	var sheets, rels strings.Builder
	for i, name := range b.order {
		fmt.Fprintf(&sheets, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, name, i+1, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		put(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), head+"<worksheet>"+b.sheets[name]+"</worksheet>")
	}
	put("xl/workbook.xml", head+"<workbook>"+b.props+"<sheets>"+sheets.String()+"</sheets></workbook>")
	put("xl/_rels/workbook.xml.rels", head+"<Relationships>"+rels.String()+"</Relationships>")
	if b.styles != "" {
		put("xl/styles.xml", head+"<styleSheet>"+b.styles+"</styleSheet>")
	}
	if b.texts != "" {
		put("xl/sharedStrings.xml", head+"<sst>"+b.texts+"</sst>")
	}
	for name, text := range b.extra {
		put(name, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func oneSheet(data string) book {
	return book{order: []string{"Sheet1"}, sheets: map[string]string{"Sheet1": data}}
}

// cells writes a row of texts.
func cells(texts ...string) string {
	var b strings.Builder
	b.WriteString("<row>")
	for i, s := range texts {
		if s != "" {
			fmt.Fprintf(&b, `<c r="%s1" t="inlineStr"><is><t>%s</t></is></c>`, columnName(i), s)
		}
	}
	return b.String() + "</row>"
}

const people = `<row><c t="inlineStr"><is><t>Given names</t></is></c><c t="inlineStr"><is><t>Family name</t></is></c><c t="inlineStr"><is><t>Date of birth</t></is></c><c t="inlineStr"><is><t>CRN</t></is></c></row>`

// Whatever is wrong with a file is told, and what can be read is read.
func TestReadsWhatPeopleHandIn(t *testing.T) {
	t.Parallel()
	data := func(rows string) string { return "<sheetData>" + people + rows + "</sheetData>" }
	dates := `<numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy"/><numFmt numFmtId="165" formatCode="00000000000"/><numFmt numFmtId="166" formatCode="[$-809]d mmmm yyyy;@"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="14"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs>`
	withDates := func(sheet, props string) []byte {
		b := oneSheet(sheet)
		b.styles, b.props = dates, props
		return b.bytes(t)
	}
	windows, err := charmap.Windows1252.NewEncoder().String("Given names,Family name\nSiân,O’Example\n")
	if err != nil {
		t.Fatal(err)
	}
	wide := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("Given names\tFamily name\r\nSiân\tExample\r\n")) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	for name, c := range map[string]struct {
		data     []byte
		records  []string
		problems []string
		notes    []string
	}{
		"inline texts, entities, blanks": {oneSheet(data(`<row r="2"/>` + cells("A &amp; &lt;B&gt; &#x41;&#233;", " ", "", "") + `<row r="9"><c r="A9"/><c r="B9" s="1"/></row>` + cells("", "", "", "X000001"))).bytes(t),
			[]string{`{"person":{"given_names":"A & <B> Aé"}}`, `{"person":{"crn":"X000001"}}`}, nil, nil},
		"shared texts, rich and spoken": {func() []byte {
			b := oneSheet(data(`<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>`))
			b.texts = `<si><r><t>Al</t></r><r><rPr/><t xml:space="preserve">ex_x000D_</t></r><rPh><t>spoken</t></rPh></si><si><t><![CDATA[<Sample>]]></t></si>`
			return b.bytes(t)
		}(), []string{`{"person":{"family_name":"<Sample>","given_names":"Alex"}}`}, nil, nil},
		"dates of every sort": {withDates(data(
			`<row><c r="A2" t="inlineStr"><is><t>A</t></is></c><c r="C2" s="1"><v>30807</v></c></row><row><c r="C3" s="2"><v>30807.5</v></c></row><row><c r="C4" s="4"><v>30807</v></c></row>`+
				cells("", "", "5 May 1984", "")+cells("", "", "1984-05-05", "")+cells("", "", "5/5/1984", "")+cells("", "", "05.05.1984", "")+`<row><c r="C9" t="d"><v>1984-05-05T00:00:00</v></c></row>`), ""),
			[]string{`{"person":{"dob":"1984-05-05","given_names":"A"}}`, `{"person":{"dob":"1984-05-05"}}`, `{"person":{"dob":"1984-05-05"}}`, `{"person":{"dob":"1984-05-05"}}`, `{"person":{"dob":"1984-05-05"}}`, `{"person":{"dob":"1984-05-05"}}`, `{"person":{"dob":"1984-05-05"}}`, `{"person":{"dob":"1984-05-05"}}`}, nil, nil},
		"dates that are none": {withDates(data(cells("", "", "31/02/1984", "")+cells("", "", "5/5/84", "")+`<row><c r="C4"><v>30806</v></c></row><row><c r="C5"><v>1984</v></c></row>`+cells("", "", "tomorrow", "")), ""),
			[]string{`{}`, `{}`, `{}`, `{}`, `{}`}, []string{"2: Date of birth (person.dob): is not a date: write it as 3 May 2014, 3/5/2014 or 2014-05-03", "3: Date of birth (person.dob): has a year of two digits: write all four",
				"4: Date of birth (person.dob): is a number and not a date", "5: Date of birth (person.dob): is a number and not a date", "6: Date of birth (person.dob): is not a date: write it as 3 May 2014, 3/5/2014 or 2014-05-03"}, nil},
		"the 1904 system": {withDates(data(`<row><c r="C2" s="1"><v>29344</v></c></row>`), `<workbookPr date1904="1"/>`), []string{`{"person":{"dob":"1984-05-04"}}`}, nil, []string{"counts its dates from 1904"}},
		"numbers in text": {withDates(data(`<row><c r="A2"><v>7</v></c><c r="B2"><v>1.5</v></c><c r="D2" s="3"><v>7700900123</v></c></row><row><c r="D3"><v>1.234567E+6</v></c></row>`+
			`<row><c r="D4"><v>12345678901234567</v></c></row><row><c r="A5" t="b"><v>1</v></c></row>`), ""), []string{`{"person":{"crn":"07700900123","family_name":"1.5","given_names":"7"}}`, `{"person":{"crn":"1234567"}}`, `{}`, `{}`},
			[]string{"4: CRN (person.crn): is a number of more than 15 digits, of which a workbook does not keep the last", "5: Given names (person.given_names): has TRUE or FALSE, which is no answer here"}, nil},
		"formulas": {oneSheet(data(`<row><c r="A2" t="str"><f>"A"&amp;"b"</f><v>Ab</v></c></row><row><c r="A3"><f>NOW()</f></c></row><row><c r="A4" t="e"><f>1/0</f><v>#DIV/0!</v></c></row><row><c r="A5" t="str"><f>""</f><v></v></c><c r="D5" t="inlineStr"><is><t>X000002</t></is></c></row>`)).bytes(t),
			[]string{`{"person":{"given_names":"Ab"}}`, `{}`, `{}`, `{"person":{"crn":"X000002"}}`}, []string{"3: Given names (person.given_names): has a formula that was never worked out", "4: Given names (person.given_names): has #DIV/0!, which is what a formula came to and no answer"},
			[]string{"column A (Given names) is worked out by formulas in 1 row;"}},
		"hidden rows": {oneSheet(data(cells("A", "B", "", "") + `<row hidden="1"><c r="A3" t="inlineStr"><is><t>C</t></is></c></row>`)).bytes(t), []string{`{"person":{"family_name":"B","given_names":"A"}}`, `{"person":{"given_names":"C"}}`}, nil, []string{"1 row hidden or filtered away; it is done"}},
		"merged cells": {oneSheet(data(`<row r="2"><c r="A2" t="inlineStr"><is><t>A</t></is></c><c r="B2" t="inlineStr"><is><t>Shared</t></is></c></row><row r="3"><c r="A3" t="inlineStr"><is><t>B</t></is></c></row><row r="4"><c r="A4" t="inlineStr"><is><t>C</t></is></c></row>`) + `<mergeCells count="2"><mergeCell ref="B2:B3"/><mergeCell ref="A1:A1"/></mergeCells>`).bytes(t),
			[]string{`{"person":{"family_name":"Shared","given_names":"A"}}`, `{"person":{"family_name":"Shared","given_names":"B"}}`, `{"person":{"given_names":"C"}}`}, nil, []string{"merged over several rows"}},
		"headings below a title": {oneSheet("<sheetData>" + cells("Cases of October") + cells("", "made by Robin") + people + cells("A", "B", "", "") + "</sheetData>").bytes(t), []string{`{"person":{"family_name":"B","given_names":"A"}}`}, nil, nil},
		"headings in other letters": {[]byte("\ufeffGIVEN_NAMES,family  name,person.DOB,Crn,# mine,Team\nA,B,1984-05-05,x000001,x,y\n"), []string{`{"person":{"crn":"x000001","dob":"1984-05-05","family_name":"B","given_names":"A"}}`}, nil,
			[]string{"there is no column for", "column F (Team) is no question of this form; it is not read"}},
		"semicolons":      {[]byte("Given names;Family name\r\nA;\"B; C\"\r\n\r\n;;;\r\n"), []string{`{"person":{"family_name":"B; C","given_names":"A"}}`}, nil, []string{"separated by semicolons"}},
		"Excel's own sep": {[]byte("sep=|\nGiven names|Family name\nA|B\n"), []string{`{"person":{"family_name":"B","given_names":"A"}}`}, nil, []string{"separated by upright bars"}},
		"Windows-1252":    {[]byte(windows), []string{`{"person":{"family_name":"O’Example","given_names":"Siân"}}`}, nil, []string{"Windows-1252"}},
		"UTF-16":          {wide, []string{`{"person":{"family_name":"Example","given_names":"Siân"}}`}, nil, []string{"UTF-16", "separated by tabs"}},
		"stray quotes": {[]byte("Given names,Family name\nAl \"Ace\" A,\"the \"Grange\" B\"\n\"line\nbreak\",\"dou\"\"bled\"\n"), []string{`{"person":{"family_name":"the \"Grange\" B","given_names":"Al \"Ace\" A"}}`, `{"person":{"family_name":"dou\"bled","given_names":"line\nbreak"}}`}, nil,
			[]string{"quotation marks within cells that should be doubled, in line 2"}},
		"states and several": {[]byte("Also known as,Gender,Children,Early-warning triggers,Attached to this form,Address,Practitioner\nA; B,Not known: nobody asked,None known,media; Placement in suitable accommodation is proving very difficult,n/a,\"1 Street\nTown\",x\nNot applicable,WITHHELD,not_known,None known,,Not known – moved,\n"),
			[]string{`{"children":{"state":"none_known"},"forms":{"pp1":{"attachments":{"state":"not_applicable"},"early_warning":["media","placement"]}},"person":{"aliases":["A","B"],"gender":{"state":"not_known","why":"nobody asked"}},"practitioner":{"address":{"lines":["1 Street","Town"]}}}`,
				`{"children":{"state":"not_known"},"forms":{"pp1":{"early_warning":{"state":"none_known"}}},"person":{"aliases":{"state":"not_applicable"},"gender":{"state":"withheld"}},"practitioner":{"address":{"state":"not_known","why":"moved"}}}`}, nil, nil},
		"items beside the case": {[]byte("Given names,Child 1: Name,Child 2: Name,children[2].name,offences[0].description\nA,B,,C,D\nE,,F,,\n"),
			[]string{`{"children":[{"name":"B"},{"name":"C"}],"offences":[{"description":"D"}],"person":{"given_names":"A"}}`, `{"children":[{"name":"F"}],"person":{"given_names":"E"}}`}, nil, nil},
		"none and some":                {[]byte("Children,Child 1: Name\nNone known,A\n"), []string{`{"children":[{"name":"A"}]}`}, []string{"2: Children (children): says that there are none, but there are rows of them"}, nil},
		"more cells than headings":     {[]byte("Given names,Family name\n" + strings.Repeat("A,B\n", 25) + "A,B,C\n"), slices.Repeat([]string{`{"person":{"family_name":"B","given_names":"A"}}`}, 26), []string{"27: has more cells than there are headings"}, nil},
		"the example is no case":       {[]byte("Case,Given names\nexample,Example\n1,A\n"), []string{`{"person":{"given_names":"A"}}`}, nil, nil},
		"written over the example":     {[]byte("Case,Given names\nEXAMPLE,X\n1,A\n"), []string{`{"person":{"given_names":"X"}}`, `{"person":{"given_names":"A"}}`}, nil, nil},
		"example is a name":            {[]byte("Family name,Given names\nExample,X\n"), []string{`{"person":{"family_name":"Example","given_names":"X"}}`}, nil, nil},
		"what others call it":          {[]byte("Surname,Forename,DOB,NOMS number\nA,B,3 May 1985,A1234BC\n"), []string{`{"person":{"dob":"1985-05-03","family_name":"A","given_names":"B","prison_number":"A1234BC"}}`}, nil, nil},
		"the month first":              {[]byte("Date of birth\n02/03/1985\n12/25/1985\n"), []string{"{}", "{}"}, []string{"2: Date of birth (person.dob): may have the month first, because the date in row 3 of this column has", "3: Date of birth (person.dob): is not a date: write it as 3 May 2014, 3/5/2014 or 2014-05-03"}, nil},
		"the day first":                {[]byte("Date of birth\n02/03/1985\n12/25/1985\n25/12/1985\n"), []string{`{"person":{"dob":"1985-03-02"}}`, "{}", `{"person":{"dob":"1985-12-25"}}`}, []string{"3: Date of birth (person.dob): is not a date: write it as 3 May 2014, 3/5/2014 or 2014-05-03"}, nil},
		"what a formula came to":       {[]byte("Given names\n#N/A\n"), []string{"{}"}, []string{"2: Given names (person.given_names): has #N/A, which is what a formula came to and no answer"}, nil},
		"a fact no question asks":      {[]byte("person.crn,person.interpreter_needed\nX000001,yes\n"), []string{`{"person":{"crn":"X000001","interpreter_needed":"yes"}}`}, nil, nil},
		"a column without its heading": {[]byte("CRN,\nX000001,lost\n"), []string{`{"person":{"crn":"X000001"}}`}, nil, []string{"column B has no heading"}},
		"records":                      {[]byte("\ufeff{\"person\":{\"crn\":\"X000001\"}}\r\n\n{\"person\":{\"crn\":\"x000001\"}}"), []string{`{"person":{"crn":"X000001"}}`, `{"person":{"crn":"x000001"}}`}, nil, nil},
		"several sheets": {book{order: []string{"Notes", "Offences", "Cases", "children"}, sheets: map[string]string{
			"Notes":    "<sheetData>" + cells("just a note") + "</sheetData>",
			"Offences": "<sheetData>" + cells("Case", "Offence") + cells("2", "Theft") + cells("EXAMPLE", "Example") + "</sheetData>",
			"Cases":    "<sheetData>" + cells("Case", "CRN") + `<row><c><v>1</v></c><c t="inlineStr"><is><t>X000001</t></is></c></row>` + cells("2", "X000002") + "</sheetData>",
			"children": "<sheetData>" + cells("case no", "Name") + cells("2", "B") + cells("1.0", "C") + cells("2", "D") + "</sheetData>",
		}}.bytes(t), []string{`{"children":[{"name":"C"}],"person":{"crn":"X000001"}}`, `{"children":[{"name":"B"},{"name":"D"}],"offences":[{"description":"Theft"}],"person":{"crn":"X000002"}}`}, nil, []string{`not read, because it is no part of the form: the sheet "Notes"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, err := readAll(t, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(g.records, c.records) {
				t.Errorf("reads\n%s\nwant\n%s", strings.Join(g.records, "\n"), strings.Join(c.records, "\n"))
			}
			if !slices.Equal(g.problems, c.problems) {
				t.Errorf("tells of rows\n%s", strings.Join(g.problems, "\n"))
			}
			for _, want := range c.notes {
				if !slices.ContainsFunc(g.notes, func(n string) bool { return strings.Contains(n, want) }) {
					t.Errorf("does not tell %q but %q", want, g.notes)
				}
			}
		})
	}
}

// A file of which nothing can be made is refused, and told why.
func TestRefusesFiles(t *testing.T) {
	t.Parallel()
	sealed := func() []byte {
		f := excelize.NewFile()
		defer f.Close()
		var b bytes.Buffer
		if err := f.Write(&b, excelize.Options{Password: "three-random-words"}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()
	packed := func(names ...string) []byte {
		b := oneSheet("<sheetData>" + people + "</sheetData>")
		b.extra = map[string]string{}
		for _, n := range names {
			b.extra[n] = "x"
		}
		return b.bytes(t)
	}
	two := func(main, child string) []byte {
		return book{order: []string{"Cases", "Children"}, sheets: map[string]string{"Cases": "<sheetData>" + main + "</sheetData>", "Children": "<sheetData>" + child + "</sheetData>"}}.bytes(t)
	}
	whole := oneSheet("<sheetData>" + people + cells("A", "B", "", "") + "</sheetData>").bytes(t)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                    {nil, "the file is empty"},
		"blank lines":              {[]byte("\n\n , \n"), "none of the first rows has a heading"},
		"a password":               {sealed, "protected with a password"},
		"a renamed .xls":           {append([]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), bytes.Repeat([]byte("W\x00o\x00r\x00k\x00"), 200)...), "of the old kind (.xls)"},
		"an OpenDocument file":     {packed("mimetype"), "OpenDocument"},
		"a binary workbook":        {packed("xl/workbook.bin"), ".xlsb"},
		"a text document":          {packed("word/document.xml"), "text document"},
		"a web page":               {[]byte("<html><table><tr><td>Given names</td></tr></table></html>"), "web page"},
		"a picture":                {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"), "no table that can be read"},
		"half a workbook":          {whole[:len(whole)/2], "damaged"},
		"an entity of its own":     {oneSheet(`<!DOCTYPE x [<!ENTITY a "b">]><sheetData/>`).bytes(t), "cannot be read"},
		"deep":                     {oneSheet(strings.Repeat("<a>", 100)).bytes(t), "cannot be read"},
		"cut off":                  {oneSheet("<sheetData><row><c").bytes(t), "damaged"},
		"cells that go back":       {oneSheet(`<sheetData>` + people + `<row><c r="B2"><v>1</v></c><c r="A2"><v>1</v></c></row></sheetData>`).bytes(t), "cannot be read"},
		"a bomb":                   {oneSheet("<sheetData>" + people + strings.Repeat("<x/>", 20<<20) + "</sheetData>").bytes(t), "unpacks to far more"},
		"only the example":         {[]byte("Case,Given names\nEXAMPLE,Example\n"), "there is no case in the file"},
		"an item without its mark": {[]byte("Given names,Child 2 Name\nA,B\n"), `a question of one child has a heading such as "Child 2: `},
		"rows above the keys":      {book{order: []string{"Cases"}, sheets: map[string]string{"Cases": "<sheetData>" + cells("Case", "CRN") + cells("1", "X000001") + cells("caseforms:pp1:2026-11", "person.crn") + cells("2", "X000002") + "</sheetData>"}}.bytes(t), "row 2 of the sheet \"Cases\" stands above the row of keys"},
		"cases on two sheets":      {book{order: []string{"Cases", "More"}, sheets: map[string]string{"Cases": "<sheetData>" + cells("CRN", "Given names") + cells("X000001", "A") + "</sheetData>", "More": "<sheetData>" + cells("CRN", "Given names") + cells("X000002", "B") + "</sheetData>"}}.bytes(t), "has the same headings as one before it"},
		"headings alone":           {[]byte("Given names,Family name\n"), "there is no case in the file"},
		"no headings":              {[]byte("Alex,Sampleson,1984-05-05\n"), "none of the first rows has a heading that is known"},
		"a heading mistyped":       {[]byte("Given names,Date of brith\nA,1984-05-05\n"), `column B (Date of brith): did you mean "Date of birth"?`},
		"a key mistyped":           {[]byte("person.given_names,person.familly_name\nA,B\n"), `did you mean "Family name"?`},
		"a heading twice":          {[]byte("Given names,given_names\nA,B\n"), "column A (Given names) and column B (given_names) are both person.given_names"},
		"a label and its key":      {[]byte("Date of birth,person.dob\n1984-05-05,1984-05-05\n"), "are both person.dob"},
		"a quote without its end":  {[]byte("Given names,Family name\nA,B\n\"C,D\nE,F\n"), "in line 3 is never closed"},
		"one record over lines":    {[]byte("{\n\"person\":{}\n}\n"), "one case record over several lines"},
		"a row of nobody":          {two(cells("Case", "CRN")+cells("1", "X000001"), cells("Case", "Name")+cells("2", "A")), `the sheet "Children", row 2, names a case that is not there`},
		"a row without its case":   {two(cells("Case", "CRN")+cells("1", "X000001"), cells("Case", "Name")+cells("", "A")), "names no case"},
		"a case twice":             {two(cells("Case", "CRN")+cells("1", "X000001")+cells("1", "X000002"), cells("Case", "Name")+cells("1", "A")), "names a case that is there twice"},
		"no column for the case":   {two(cells("CRN")+cells("X000001"), cells("Case", "Name")+cells("1", "A")), `has no column "Case"`},
		"properties of another form": {func() []byte {
			b := oneSheet("<sheetData>" + people + cells("A", "B", "", "") + "</sheetData>")
			b.extra = map[string]string{"docProps/core.xml": "<p><dc:identifier>caseforms:cp1:2026-11</dc:identifier></p>"}
			return b.bytes(t)
		}(), `made for the form "cp1"`},
		"a workbook of another form": {[]byte("Case,Name\ncaseforms:cp1:2026-11,x\n1,A\n"), `made for the form "cp1"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := openData(t, c.data)
			var ours *caseforms.Error
			if !errors.As(err, &ours) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v", err)
			}
			if strings.Contains(err.Error(), "Sampleson") || strings.Contains(err.Error(), "/") && strings.Contains(err.Error(), os.TempDir()) {
				t.Errorf("tells what stands in the file, or where it is: %v", err)
			}
		})
	}
}

// The workbook of every form is read back: every column is known by its key, and after the hidden row was taken out by its heading.
func TestTemplatesAreUnderstood(t *testing.T) {
	t.Parallel()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Forms {
		for _, keyed := range []bool{true, false} {
			t.Run(fmt.Sprint(f.ID, keyed), func(t *testing.T) {
				t.Parallel()
				var b bytes.Buffer
				if err := render.Template(&b, d, f); err != nil {
					t.Fatal(err)
				}
				book, err := excelize.OpenReader(&b)
				if err != nil {
					t.Fatal(err)
				}
				defer book.Close()
				tables := d.Tables(f)
				for _, tb := range tables {
					for _, name := range book.GetSheetList() {
						v, err := book.GetCellValue(name, "A3")
						if err != nil {
							t.Fatal(err)
						}
						if v == strings.TrimRight(render.KeyMark+f.ID+":"+f.Version+":"+tb.List, ":") {
							tb.Title = name
						}
					}
					if err := book.SetCellStr(tb.Title, "A5", "1"); err != nil {
						t.Fatal(err)
					}
					if tb.List == "" {
						for c := 2; c <= len(tb.Columns)+1; c++ { // the example's answers are good ones
							from, _ := excelize.CoordinatesToCellName(c, 4)
							to, _ := excelize.CoordinatesToCellName(c, 5)
							v, err := book.GetCellValue(tb.Title, from, excelize.Options{RawCellValue: true})
							if err == nil && tb.Columns[c-2].Kind == caseforms.KindDate {
								v = "3/5/2014"
							}
							if err == nil {
								err = book.SetCellStr(tb.Title, to, v)
							}
							if err != nil {
								t.Fatal(err)
							}
						}
					}
					if !keyed {
						if err := book.RemoveRow(tb.Title, 3); err != nil {
							t.Fatal(err)
						}
					}
				}
				dir := t.TempDir()
				name := filepath.Join(dir, "in.xlsx")
				if err := book.SaveAs(name); err != nil {
					t.Fatal(err)
				}
				c, err := OpenCases(context.Background(), name, dir, d, f)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if len(c.Notes) > 0 {
					t.Errorf("complains: %v", c.Notes)
				}
				if c.Count != 1 {
					t.Fatalf("%d cases", c.Count)
				}
				r, err := c.Next()
				if err != nil {
					t.Fatal(err)
				}
				rec, err := c.Read(r)
				if err != nil || len(rec.Problems) > 0 {
					t.Fatal(err, rec.Problems)
				}
				if cs, ps := d.Decode(rec.JSON, f); cs == nil {
					t.Fatal(ps)
				}
				if len(c.sheets) != len(tables) {
					t.Errorf("%d sheets are known of %d", len(c.sheets), len(tables))
				}
				for _, s := range c.sheets {
					known := 0
					for _, col := range s.columns {
						if col.fact != nil {
							known++
						}
					}
					if known != len(s.table.Columns) {
						t.Errorf("%s: %d columns are known of %d", s.name, known, len(s.table.Columns))
					}
				}
			})
		}
	}
}

// A question added to a definition is in the workbook, and is read, without a line of Go.
func TestNewQuestionNeedsNoGo(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	if err := fs.WalkDir(templates.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(templates.FS(), name)
		if name == "templates/forms/pp1/2026-11.yaml" || name == "forms/pp1/2026-11.yaml" {
			const before = "      - {key: area, label: Area,"
			if !bytes.Contains(b, []byte(before)) {
				return errors.New("pp1 has changed")
			}
			b = bytes.Replace(b, []byte(before), []byte("      - {key: shoe_size, label: Size of the shoes, kind: choice, hint: As printed in them, options: {small: Small, large: Large}}\n"+before), 1)
		}
		files[name] = &fstest.MapFile{Data: b}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	d, err := templates.LoadFS(files, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Form("pp1")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := render.Template(&b, d, f); err != nil {
		t.Fatal(err)
	}
	book, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	rows, err := book.GetRows("Cases")
	if err != nil {
		t.Fatal(err)
	}
	col := slices.Index(rows[1], "Size of the shoes")
	if col < 0 || rows[2][col] != "forms.pp1.shoe_size" || rows[3][col] != "Small" {
		t.Fatalf("column %d of %q", col, rows[1])
	}
	at, err := excelize.CoordinatesToCellName(col+1, 5)
	if err == nil {
		err = book.SetCellStr("Cases", at, "LARGE")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "in.xlsx")
	if err := book.SaveAs(name); err != nil {
		t.Fatal(err)
	}
	c, err := OpenCases(context.Background(), name, dir, d, f)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Next()
	if err != nil {
		t.Fatal(err)
	}
	if rec, err := c.Read(r); err != nil || string(rec.JSON) != `{"forms":{"pp1":{"shoe_size":"large"}}}` {
		t.Errorf("%s %v", rec.JSON, err)
	}
}

// A million rows take no more memory than a thousand.
func TestMillionRows(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	measure := func(rows int) uint64 {
		r, w := io.Pipe()
		go func() {
			io.WriteString(w, "Case,Given names,Family name,CRN\n")
			for i := range rows {
				fmt.Fprintf(w, "%d,Alex,Sampleson-%d,X%06d\n", i, i, i%1_000_000)
			}
			w.Close()
		}()
		name := filepath.Join(t.TempDir(), "in.csv")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(f, r); err != nil {
			t.Fatal(err)
		}
		f.Close()
		d, form := testForm(t, "pp1")
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := OpenCases(context.Background(), name, t.TempDir(), d, form)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if c.Count != rows {
			t.Fatalf("%d cases", c.Count)
		}
		most := uint64(0)
		for n := 0; ; n++ {
			row, err := c.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(row); err != nil {
				t.Fatal(err)
			}
			if n%(rows/4) == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
			}
		}
		return most
	}
	small, large := measure(1000), measure(1_000_000)
	if large > small+4<<20 {
		t.Errorf("a thousand rows take %d kB and a million %d kB", small>>10, large>>10)
	}
}

func TestSharedTextsOnDisk(t *testing.T) {
	t.Parallel()
	var texts, rows strings.Builder
	const n = 6000
	for i := range n {
		fmt.Fprintf(&texts, "<si><t>%d %s</t></si>", i, strings.Repeat("x", 2000))
		fmt.Fprintf(&rows, `<row><c t="s"><v>%d</v></c></row>`, n-1-i)
	}
	b := oneSheet("<sheetData>" + people + rows.String() + "</sheetData>")
	b.texts = texts.String()
	c, err := openData(t, b.bytes(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.row.cells[0].text, fmt.Sprintf("%d x", n-1-i); !strings.HasPrefix(got, want) || len(got) != len(want)+1999 {
			t.Fatalf("row %d has another text", i)
		}
	}
}

func TestStyles(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]cellStyle{
		"General": {}, "0": {}, "0.00": {}, "@": {}, "#,##0": {}, `"year "0`: {}, "[Red]0": {}, `0\d`: {}, "0000": {zeros: 4}, "yyyy-mm-dd": {kind: cellDate}, "d mmmm yyyy": {kind: cellDate}, `[$-809]dd/mm/yyyy;@`: {kind: cellDate},
		"mmm yy": {kind: cellDate}, "dd/mm/yyyy hh:mm": {kind: cellMoment}, "hh:mm:ss": {kind: cellTime}, "[h]:mm": {kind: cellTime}, `"unclosed`: {}, "[": {}, `\`: {}, "": {},
	} {
		if got := styleOf(code); got != want {
			t.Errorf("%q is %+v, want %+v", code, got, want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{"Given names,CRN\nA,X000001\n", "a;b\n\"c;\"\"d\n", "sep=;\nCRN;x\n\"a\"b;c", "\xff\xfeC\x00R\x00N\x00\n\x00a\x00", "CRN\n\x80\x91\n", "{\"person\":{}}\n{", "Case,Child 1: Name,Children\n1,A,None known\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(fuzzCases)
}

func FuzzWorkbook(f *testing.F) {
	f.Add(people+cells("A", "B", "5/5/1984", "X000001"), `<mergeCell ref="A2:B4"/>`, `<si><t>x</t></si>`, `<cellXfs><xf numFmtId="14"/></cellXfs>`)
	f.Add(`<row r="3" hidden="1"><c r="C3" t="s" s="0"><f>A1</f><v>0</v></c></row>`, "", `<si><r><t>CRN</t></r></si>`, `<numFmts><numFmt numFmtId="170" formatCode="[h]:mm"/></numFmts><cellXfs><xf numFmtId="170"/></cellXfs>`)
	f.Add(cells("caseforms:pp1:2026-11", "person.crn", "#")+cells("1", "X", "y"), "", "", "")
	f.Fuzz(func(t *testing.T, rows, after, texts, styles string) {
		b := oneSheet("<sheetData>" + rows + "</sheetData>" + after)
		b.texts, b.styles = texts, styles
		fuzzCases(t, b.bytes(t))
	})
}

// fuzzCases: whatever the bytes are, reading ends with records that are JSON or with an error of ours.
func fuzzCases(t *testing.T, data []byte) {
	if len(data) > 1<<20 {
		return
	}
	c, err := openData(t, data)
	var ours *caseforms.Error
	if err != nil {
		if !errors.As(err, &ours) {
			t.Fatalf("%T %v", err, err)
		}
		return
	}
	for {
		r, err := c.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		rec, err := c.Read(r)
		if err != nil {
			t.Fatal(err)
		}
		_, ps := c.defs.Decode(rec.JSON, c.form)
		for _, p := range ps {
			if c.Format != "jsonl" && (strings.Contains(p.Msg, "JSON") && !strings.Contains(p.Msg, "object") || strings.Contains(p.Msg, "twice") || strings.Contains(p.Msg, "no such key") || strings.Contains(p.Msg, "UTF-8")) {
				t.Fatalf("the record is not what the decoder takes: %v\n%s", p, rec.JSON)
			}
			c.Locate(rec, p.Key)
			c.Lacking(rec, p.Key)
		}
		for _, s := range c.Back(nil) {
			c.BackRow(&s, r)
		}
	}
}
