package render

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"

	"caseforms"
)

// The workbook of a register is written here part by part (ECMA-376, part 1), because it has to go out while it comes in. Nothing of it is
// read; what it must hold is settled by the programs that open it.

const (
	xmlHead  = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	nsMain   = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	nsOffice = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	nsRels   = "http://schemas.openxmlformats.org/package/2006/relationships"
)

// The styles of cells, in the order of cellStyles.
const (
	cellPlain = iota
	cellHead
	cellText   // its format is text, so that it stays text when it is edited
	cellState  // there is no value; the words say why
	cellDate   // a date
	cellMoment // a date and time
	cellNumber
	cellTitle
	cellMarking
	cellCaption // over a total
	cellLabel   // before a count
	cellCount
	cellShare
	cellLabelAll // of the sum
	cellCountAll
	cellShareAll
)

const cellStyles = `<numFmts count="2"><numFmt numFmtId="164" formatCode="d\ mmm\ yyyy"/><numFmt numFmtId="165" formatCode="d\ mmm\ yyyy\ hh:mm"/></numFmts>` +
	`<fonts count="7"><font><sz val="10"/><name val="Arial"/><family val="2"/></font>` + // 0
	`<font><b/><sz val="10"/><name val="Arial"/><family val="2"/></font>` + // 1
	`<font><i/><sz val="10"/><color rgb="FF505A5F"/><name val="Arial"/><family val="2"/></font>` + // 2
	`<font><b/><sz val="16"/><name val="Arial"/><family val="2"/></font>` + // 3
	`<font><b/><sz val="12"/><color rgb="FF1A4261"/><name val="Arial"/><family val="2"/></font>` + // 4
	`<font><sz val="11"/><name val="Arial"/><family val="2"/></font><font><b/><sz val="11"/><name val="Arial"/><family val="2"/></font></fonts>` + // 5, 6
	`<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill><fill><patternFill patternType="solid"><fgColor rgb="FFEEF0F2"/><bgColor indexed="64"/></patternFill></fill></fills>` +
	`<borders count="2"><border><left/><right/><top/><bottom/><diagonal/></border><border><left style="thin"><color rgb="FF8A9299"/></left><right style="thin"><color rgb="FF8A9299"/></right><top style="thin"><color rgb="FF8A9299"/></top><bottom style="thin"><color rgb="FF8A9299"/></bottom><diagonal/></border></borders>` +
	`<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="16">` +
	`<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>` +
	`<xf numFmtId="49" fontId="1" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>` +
	`<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>` +
	`<xf numFmtId="49" fontId="2" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>` +
	`<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment horizontal="left" vertical="top"/></xf>` +
	`<xf numFmtId="165" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment horizontal="left" vertical="top"/></xf>` +
	`<xf numFmtId="1" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment horizontal="left" vertical="top"/></xf>` +
	`<xf numFmtId="49" fontId="3" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>` +
	`<xf numFmtId="49" fontId="6" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>` +
	`<xf numFmtId="49" fontId="4" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyFont="1"/>` +
	`<xf numFmtId="49" fontId="5" fillId="0" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyBorder="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>` +
	`<xf numFmtId="3" fontId="5" fillId="0" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyBorder="1" applyAlignment="1"><alignment vertical="top"/></xf>` +
	`<xf numFmtId="9" fontId="5" fillId="0" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyBorder="1" applyAlignment="1"><alignment vertical="top"/></xf>` +
	`<xf numFmtId="49" fontId="6" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment vertical="top" wrapText="1"/></xf>` +
	`<xf numFmtId="3" fontId="6" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment vertical="top"/></xf>` +
	`<xf numFmtId="9" fontId="6" fillId="2" borderId="1" xfId="0" applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment vertical="top"/></xf>` +
	`</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>`

// sheetBook is a workbook being written.
type sheetBook struct {
	zip    *zip.Writer
	dir    string // where the folder for sheets that wait is made
	own    string // that folder
	held   []*os.File
	sheets int
	charts int
	draws  int
	cells  []registerCell // of the row that is being written
	buf    []byte         // of the file that was written last
}

func newSheetBook(w io.Writer, dir string) *sheetBook {
	return &sheetBook{zip: newZip(w), dir: dir}
}

// newZip is an archive whose files follow one another through one compressor. It is the quickest there is: sheets are mostly repetition, and
// harder work takes a quarter more of the time of it all and makes them a sixth smaller.
func newZip(w io.Writer) *zip.Writer {
	z := zip.NewWriter(w)
	var f *flate.Writer
	z.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) {
		if f != nil {
			f.Reset(to)
			return f, nil
		}
		f = newDeflate(to)
		return f, nil
	})
	return z
}

func newDeflate(to io.Writer) *flate.Writer {
	f, err := flate.NewWriter(to, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return f
}

// epoch is the time of everything in an archive, so that the same files give the same bytes.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// sheetEntry is one file of the workbook, compressed as it is written.
type sheetEntry struct {
	file string
	to   io.Writer
	wait *zip.Writer // of the archive it waits in
	buf  []byte
}

// entry begins the next sheet. A spooled one waits in an archive of its own until it can follow those before it.
func (b *sheetBook) entry(spooled bool) (*sheetEntry, error) {
	b.sheets++
	file := fmt.Sprintf("xl/worksheets/sheet%d.xml", b.sheets)
	if !spooled {
		return b.open(b.zip, file)
	}
	if b.own == "" {
		own, err := os.MkdirTemp(b.dir, "caseforms-register-") // nobody else can read what is in it
		if err != nil {
			return nil, err
		}
		b.own = own
	}
	f, err := os.OpenFile(filepath.Join(b.own, strconv.Itoa(b.sheets)), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	b.held = append(b.held, f)
	z := newZip(f)
	e, err := b.open(z, file)
	if err == nil {
		e.wait = z
	}
	return e, err
}

func (b *sheetBook) open(z *zip.Writer, file string) (*sheetEntry, error) {
	w, err := z.CreateHeader(&zip.FileHeader{Name: file, Method: zip.Deflate, Modified: epoch})
	e := &sheetEntry{file: file, to: w, buf: b.buf[:0]}
	b.buf = nil
	return e, err
}

// flush compresses what was written, once it is so much.
func (e *sheetEntry) flush(least int) error {
	if len(e.buf) < least {
		return nil
	}
	_, err := e.to.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

func (b *sheetBook) end(e *sheetEntry) error {
	err := e.flush(0)
	b.buf = e.buf
	if err == nil && e.wait != nil {
		err = e.wait.Close()
	}
	return err
}

// takeOver writes the sheets that waited.
func (b *sheetBook) takeOver() error {
	for _, f := range b.held {
		size, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		z, err := zip.NewReader(f, size)
		if err != nil {
			return err
		}
		for _, e := range z.File {
			if err := b.zip.Copy(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *sheetEntry) str(s string) *sheetEntry { e.buf = append(e.buf, s...); return e }

// text writes words between tags.
func (e *sheetEntry) text(s string) *sheetEntry { e.buf = appendCellText(e.buf, s); return e }

// cell writes a cell in the column and row named.
func (e *sheetEntry) cell(col string, row []byte, c registerCell) {
	b := append(e.buf, `<c r="`...)
	b = append(append(b, col...), row...)
	b = append(b, `" s="`...)
	if c.style >= 10 {
		b = append(b, '1')
	}
	b = append(b, byte('0'+c.style%10))
	switch {
	case numeric(c.style):
		b = append(b, `"><v>`...)
		if c.value == math.Trunc(c.value) {
			b = strconv.AppendInt(b, int64(c.value), 10)
		} else {
			b = strconv.AppendFloat(b, c.value, 'f', -1, 64)
		}
		e.buf = append(b, `</v></c>`...)
	case c.text == "":
		e.buf = append(b, `"/>`...)
	default:
		if first, last := c.text[0], c.text[len(c.text)-1]; first <= ' ' || last <= ' ' {
			b = append(b, `" t="inlineStr"><is><t xml:space="preserve">`...)
		} else {
			b = append(b, `" t="inlineStr"><is><t>`...)
		}
		b = appendCellText(b, c.text)
		e.buf = append(b, `</t></is></c>`...)
	}
}

func numeric(style int) bool {
	switch style {
	case cellDate, cellMoment, cellNumber, cellCount, cellShare, cellCountAll, cellShareAll:
		return true
	}
	return false
}

// plainByte are the bytes that stand in XML as they are. An underline is none of them, because _x0041_ is an A to a spreadsheet.
var plainByte = func() (t [256]bool) {
	for c := 0x20; c < 0x7f; c++ {
		t[c] = c != '&' && c != '<' && c != '>' && c != '"' && c != '_'
	}
	return t
}()

// appendCellText writes text into XML: what XML has no room for becomes a mark of replacement, and lines are put behind one another.
func appendCellText(b []byte, s string) []byte {
	i := 0
	for i < len(s) && plainByte[s[i]] {
		i++
	}
	b = append(b, s[:i]...)
	if i == len(s) {
		return b
	}
	s = clean(s[i:])
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch c {
			case '&':
				b = append(b, "&amp;"...)
			case '<':
				b = append(b, "&lt;"...)
			case '>':
				b = append(b, "&gt;"...)
			case '"':
				b = append(b, "&quot;"...)
			case '_':
				if escaped(s[i-1:]) {
					b = append(b, "_x005F"...)
				}
				b = append(b, '_')
			case '\n':
				b = append(b, "; "...)
			case '\t':
				b = append(b, '\t')
			case '\r':
			default:
				if c < 0x20 || c == 0x7f {
					b = append(b, "\ufffd"...)
				} else {
					b = append(b, c)
				}
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == utf8.RuneError || r == 0xfffe || r == 0xffff || r >= 0x80 && r < 0xa0 {
			r = utf8.RuneError
		}
		b = utf8.AppendRune(b, r)
	}
	return b
}

// escaped tells whether text begins as _x0041_ does, by which spreadsheets write letters that XML cannot have (ECMA-376, part 1, 22.9.2.19).
func escaped(s string) bool {
	if len(s) < 7 || s[1] != 'x' && s[1] != 'X' || s[6] != '_' {
		return false
	}
	for _, c := range []byte(s[2:6]) {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return false
		}
	}
	return true
}

// page sets a sheet up for printing on A4 as the other workbooks are: lying, with marking and page number.
func (e *sheetEntry) page(l *caseforms.CaseRegister, fit string) {
	marking := strings.ReplaceAll(l.Marking, "&", "&&")
	e.str(`<pageMargins left="0.4" right="0.4" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>`)
	e.str(`<pageSetup paperSize="9" ` + fit + ` orientation="landscape"/>`)
	e.str(`<headerFooter><oddHeader>`).text("&C&B" + marking).str(`</oddHeader><oddFooter>`)
	e.text("&L" + strings.ToUpper(l.Form) + " " + l.Version + "&C&B" + marking + "&R" + l.Words("page") + " &P " + l.Words("of") + " &N").str(`</oddFooter></headerFooter>`)
}

// put writes a whole file of the workbook.
func (b *sheetBook) put(file, body string) error {
	e, err := b.open(b.zip, file)
	if err != nil {
		return err
	}
	e.str(xmlHead).str(body)
	return b.end(e)
}

// finish writes what waited, the totals, and the parts that make the sheets a workbook.
func (b *sheetBook) finish(sheets []*registerSheet) error {
	if err := b.takeOver(); err != nil {
		return err
	}
	var book, rels, types, names strings.Builder
	types.WriteString(`<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>` +
		`<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/><Override PartName="/docProps/app.xml" ContentType="application/vnd.openxmlformats-officedocument.extended-properties+xml"/>`)
	rels.WriteString(`<Relationships xmlns="` + nsRels + `">`)
	n := 0
	sheet := func(name, file string) {
		n++
		fmt.Fprintf(&book, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, xmlText(name), n, n)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="%s/worksheet" Target="%s"/>`, n, nsOffice, strings.TrimPrefix(file, "xl/"))
		fmt.Fprintf(&types, `<Override PartName="/%s" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>`, file)
	}
	for _, s := range sheets {
		last := s.columns[len(s.columns)-1].name
		for _, p := range s.parts {
			quoted := xmlText(quotedSheet(p.name))
			fmt.Fprintf(&names, `<definedName name="_xlnm._FilterDatabase" localSheetId="%d" hidden="1">%s!$A$1:$%s$%d</definedName>`, n, quoted, last, p.rows)
			fmt.Fprintf(&names, `<definedName name="_xlnm.Print_Titles" localSheetId="%d">%s!$A:$%s,%s!$1:$1</definedName>`, n, quoted, column(s.lead+1), quoted)
			sheet(p.name, p.file)
		}
		file, err := b.totals(s)
		if err != nil {
			return err
		}
		sheet(s.totals, file)
	}
	for i := range b.draws {
		fmt.Fprintf(&types, `<Override PartName="/xl/drawings/drawing%d.xml" ContentType="application/vnd.openxmlformats-officedocument.drawing+xml"/>`, i+1)
	}
	for i := range b.charts {
		fmt.Fprintf(&types, `<Override PartName="/xl/charts/chart%d.xml" ContentType="application/vnd.openxmlformats-officedocument.drawingml.chart+xml"/>`, i+1)
	}
	fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="%s/styles" Target="styles.xml"/></Relationships>`, n+1, nsOffice)
	types.WriteString("</Types>")
	l := sheets[0].list
	const core = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
	for _, part := range []struct{ file, body string }{
		{"xl/workbook.xml", `<workbook xmlns="` + nsMain + `" xmlns:r="` + nsOffice + `"><bookViews><workbookView activeTab="0"/></bookViews><sheets>` + book.String() + `</sheets><definedNames>` + names.String() + `</definedNames></workbook>`},
		{"xl/_rels/workbook.xml.rels", rels.String()},
		{"xl/styles.xml", `<styleSheet xmlns="` + nsMain + `">` + cellStyles + `</styleSheet>`},
		{"docProps/core.xml", `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
			`<dc:title>` + xmlText(l.Words("register")+": "+l.Title) + `</dc:title><dc:creator>` + producer + `</dc:creator><cp:lastModifiedBy>` + producer + `</cp:lastModifiedBy><dcterms:created xsi:type="dcterms:W3CDTF">1980-01-01T00:00:00Z</dcterms:created><dcterms:modified xsi:type="dcterms:W3CDTF">1980-01-01T00:00:00Z</dcterms:modified><dc:language>` + l.Lang + `</dc:language></cp:coreProperties>`},
		{"docProps/app.xml", `<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"><Application>` + producer + `</Application></Properties>`},
		{"_rels/.rels", `<Relationships xmlns="` + nsRels + `"><Relationship Id="rId1" Type="` + nsOffice + `/officeDocument" Target="xl/workbook.xml"/><Relationship Id="rId2" Type="` + core + `" Target="docProps/core.xml"/><Relationship Id="rId3" Type="` + nsOffice + `/extended-properties" Target="docProps/app.xml"/></Relationships>`},
		{"[Content_Types].xml", types.String()},
	} {
		if err := b.put(part.file, part.body); err != nil {
			return err
		}
	}
	return b.zip.Close()
}

// discard removes what waited.
func (b *sheetBook) discard() error {
	var errs []error
	for _, f := range b.held {
		errs = append(errs, f.Close())
	}
	if b.own != "" {
		errs = append(errs, os.RemoveAll(b.own))
	}
	b.held, b.own = nil, ""
	return errors.Join(errs...)
}

func xmlText(s string) string { return string(appendCellText(nil, s)) }

func quotedSheet(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }

// sheetName is a name for a sheet as near as allowed to the one wanted, which none of the others has.
func sheetName(taken map[string]bool, want string) string {
	want = strings.Trim(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`[]:*?/\'`, r) {
			return -1
		}
		return r
	}, want), " ")
	cut := func(s string, n int) string {
		r := []rune(s)
		return strings.TrimSpace(string(r[:min(len(r), n)]))
	}
	name := cut(want, 31)
	for i := 2; taken[strings.ToLower(name)] || name == ""; i++ {
		name = cut(want, 27) + fmt.Sprintf(" %d", i)
	}
	taken[strings.ToLower(name)] = true
	return name
}
