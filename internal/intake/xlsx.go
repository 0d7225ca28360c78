package intake

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"caseforms"
)

// A workbook is read by our own code and not by excelize, which takes the whole file into memory and, when it reads row by row, does not
// tell what a cell holds: whether its number is a date, whether a formula made it, whether its row is hidden, which cells are merged.
const (
	maxParts      = 10_000
	maxPartBytes  = 16 << 30 // of a sheet, unpacked: more than a full one has
	maxSmallBytes = 64 << 20 // of the other parts
	// What a sheet can be packed to: rows of nothing but formatted cells come to 1:100. A bomb comes to 1:1000.
	maxRatio      = 400
	minRatioBytes = 64 << 20
	maxColumns    = 16_384
	maxRows       = 1_048_576
	maxSheets     = 200
)

// workbook is an open .xlsx.
type workbook struct {
	zip      *zip.ReadCloser
	parts    map[string]*zip.File
	sheets   []sheetPart
	from1904 bool
	styles   []cellStyle
	texts    *sharedTexts
	said     string // what its properties say it is, as the row of keys does
}

type sheetPart struct {
	name   string
	part   string
	hidden bool
}

// cellStyle is what a number format makes of a number.
type cellStyle struct {
	kind  cellKind
	zeros int // so many digits are always shown
}

func badBook(msg, hint string) error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: msg, Hint: hint}
}

var (
	errBomb    = badBook("the workbook unpacks to far more than any workbook of people does", "do not open it without advice")
	errNoSheet = badBook("the workbook has no sheet that can be read", "save it as an Excel workbook (.xlsx)")
)

func damaged(err error) error {
	var ours *caseforms.Error
	if errors.As(err, &ours) {
		return err
	}
	if errors.Is(err, errXML) {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the workbook cannot be read", Hint: "open it and save it again as an Excel workbook (.xlsx)", Err: err}
	}
	return badBook("the workbook is damaged and cannot be read to its end", "open it and save it again as an Excel workbook (.xlsx)")
}

func openWorkbook(name, dir string) (_ *workbook, err error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, damaged(err)
	}
	w := &workbook{zip: z, parts: map[string]*zip.File{}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if len(z.File) > maxParts {
		return nil, errBomb
	}
	for _, f := range z.File {
		w.parts[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, `\`, "/"), "/"))] = f
	}
	switch {
	case w.parts["mimetype"] != nil:
		return nil, badBook("this is an OpenDocument file, not an Excel workbook", "in LibreOffice: File, Save As, Excel 2007-365 (.xlsx)")
	case w.parts["xl/workbook.bin"] != nil:
		return nil, badBook("this is a binary workbook (.xlsb)", "save it as an Excel workbook (.xlsx)")
	case w.parts["word/document.xml"] != nil:
		return nil, badBook("this is a text document, not a workbook", "save the table as an Excel workbook (.xlsx) or as .csv")
	}
	main, err := w.mainPart()
	if err != nil {
		return nil, err
	}
	if err := w.readBook(main); err != nil {
		return nil, err
	}
	if len(w.sheets) == 0 {
		return nil, errNoSheet
	}
	if err := w.readStyles(); err != nil {
		return nil, err
	}
	if err := w.each("docProps/core.xml", func(x *xmlScanner) error {
		if string(x.name) == "identifier" && x.closing {
			w.said = string(x.text)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	w.texts, err = w.readTexts(dir)
	return w, err
}

func (w *workbook) close() {
	w.zip.Close()
	w.texts.close()
}

// open reads a part. More than the most fails, and so does what unpacks as nothing but a bomb does.
func (w *workbook) open(part string, most int64) (io.ReadCloser, error) {
	f := w.parts[strings.ToLower(part)]
	if f == nil {
		return nil, os.ErrNotExist
	}
	if f.Method != zip.Store && f.Method != zip.Deflate {
		return nil, errXML
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &bounded{r: r, packed: int64(f.CompressedSize64), most: most}, nil
}

type bounded struct {
	r                  io.ReadCloser
	packed, read, most int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read += int64(n)
	if b.read > b.most || b.read > minRatioBytes && b.read/max(b.packed, 1) > maxRatio {
		return n, errBomb
	}
	return n, err
}

func (b *bounded) Close() error { return b.r.Close() }

// each walks through a small part; a part that is not there has nothing.
func (w *workbook) each(part string, tag func(x *xmlScanner) error) error {
	r, err := w.open(part, maxSmallBytes)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return damaged(err)
	}
	defer r.Close()
	x := newXMLScanner(r)
	for {
		if err := x.next(); err == io.EOF {
			return nil
		} else if err != nil {
			return damaged(err)
		}
		if err := tag(x); err != nil {
			return damaged(err)
		}
	}
}

func (w *workbook) mainPart() (string, error) {
	main := "xl/workbook.xml"
	err := w.each("_rels/.rels", func(x *xmlScanner) error {
		if string(x.name) == "Relationship" && strings.HasSuffix(x.words("Type"), "/officeDocument") {
			main = strings.TrimPrefix(x.words("Target"), "/")
		}
		return nil
	})
	if err == nil && w.parts[strings.ToLower(main)] == nil {
		err = badBook("this is not a workbook", "save the table as an Excel workbook (.xlsx) or as .csv")
	}
	return main, err
}

func (w *workbook) readBook(main string) error {
	target := map[string]string{}
	dir := path.Dir(main)
	if err := w.each(path.Join(dir, "_rels", path.Base(main)+".rels"), func(x *xmlScanner) error {
		if string(x.name) == "Relationship" && !x.closing && len(target) < maxParts {
			t := x.words("Target")
			if strings.HasPrefix(t, "/") {
				t = t[1:]
			} else {
				t = path.Join(dir, t)
			}
			target[x.words("Id")] = t
		}
		return nil
	}); err != nil {
		return err
	}
	if err := w.each(main, func(x *xmlScanner) error {
		if x.closing {
			return nil
		}
		switch string(x.name) {
		case "workbookPr":
			v := string(x.attr("date1904"))
			w.from1904 = v == "1" || v == "true"
		case "sheet":
			state := string(x.attr("state"))
			s := sheetPart{name: x.words("name"), part: target[x.words("id")], hidden: state == "hidden" || state == "veryHidden"}
			if len(w.sheets) < maxSheets && w.parts[strings.ToLower(s.part)] != nil {
				w.sheets = append(w.sheets, s)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return nil
}

func (w *workbook) readStyles() error {
	formats := map[string]string{}
	inCells := false
	return w.each("xl/styles.xml", func(x *xmlScanner) error {
		switch name := string(x.name); {
		case name == "cellXfs":
			inCells = !x.closing
		case x.closing:
		case name == "numFmt" && len(formats) < maxParts:
			formats[x.words("numFmtId")] = x.words("formatCode")
		case name == "xf" && inCells && len(w.styles) < 70_000:
			id := string(x.attr("numFmtId"))
			code, own := formats[id]
			if !own {
				code = builtInFormat(id)
			}
			w.styles = append(w.styles, styleOf(code))
		}
		return nil
	})
}

func builtInFormat(id string) string {
	n, err := strconv.Atoi(id)
	switch {
	case err != nil:
		return ""
	case n >= 14 && n <= 17, n >= 27 && n <= 31, n == 36, n >= 50 && n <= 54, n == 57, n == 58:
		return "yyyy-mm-dd"
	case n == 22:
		return "yyyy-mm-dd hh:mm"
	case n >= 18 && n <= 21, n >= 45 && n <= 47, n >= 32 && n <= 35, n == 55, n == 56:
		return "hh:mm"
	}
	return ""
}

// styleOf tells by a format's code what a number with it is (ECMA-376, part 1, 18.8.31).
func styleOf(code string) cellStyle {
	code, _, _ = strings.Cut(code, ";")
	zeros := 0
	var letters strings.Builder
	for i := 0; i < len(code); i++ {
		switch c := code[i]; {
		case c == '"':
			n := strings.IndexByte(code[i+1:], '"')
			if n < 0 {
				return cellStyle{}
			}
			i += n + 1
		case c == '\\' || c == '_' || c == '*':
			i++
		case c == '[':
			n := strings.IndexByte(code[i:], ']')
			if n < 0 {
				return cellStyle{}
			}
			if in := strings.ToLower(code[i+1 : i+n]); strings.Trim(in, "hms") == "" {
				letters.WriteString(in)
			}
			i += n
		case c == '0':
			zeros++
			letters.WriteByte(c)
		default:
			letters.WriteByte(c | 0x20) // in small letters; signs do not matter
		}
	}
	l := letters.String()
	switch {
	case strings.HasPrefix(l, "general"):
		return cellStyle{}
	case strings.ContainsAny(l, "yd"):
		if strings.ContainsAny(l, "hs") {
			return cellStyle{kind: cellMoment}
		}
		return cellStyle{kind: cellDate}
	case strings.ContainsAny(l, "hs"):
		return cellStyle{kind: cellTime}
	case strings.Contains(l, "m") && zeros == 0:
		return cellStyle{kind: cellDate}
	case zeros == len(l) && zeros > 1:
		return cellStyle{zeros: zeros}
	}
	return cellStyle{}
}

// sharedTexts are the texts that the cells of a workbook refer to by number. Many of them stay on the disk.
type sharedTexts struct {
	n      int
	inline []string // when all of them together are small
	texts  *os.File
	ends   *os.File // of each, where it ends
}

const maxInlineTexts = 8 << 20

func (t *sharedTexts) close() {
	if t == nil {
		return
	}
	for _, f := range []*os.File{t.texts, t.ends} {
		if f != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}
}

func (w *workbook) readTexts(dir string) (*sharedTexts, error) {
	part := "xl/sharedStrings.xml"
	r, err := w.open(part, maxPartBytes)
	if errors.Is(err, os.ErrNotExist) {
		return &sharedTexts{}, nil
	}
	if err != nil {
		return nil, damaged(err)
	}
	defer r.Close()
	t := &sharedTexts{}
	var texts, ends *bufio.Writer
	size := int64(0)
	spill := func() error {
		var err error
		if t.texts, err = os.CreateTemp(dir, "texts-*"); err != nil {
			return unwritable(err)
		}
		if t.ends, err = os.CreateTemp(dir, "ends-*"); err != nil {
			return unwritable(err)
		}
		texts, ends = bufio.NewWriterSize(t.texts, 256<<10), bufio.NewWriterSize(t.ends, 64<<10)
		return nil
	}
	put := func(s string) error {
		size += int64(len(s))
		_, err := texts.WriteString(s)
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(size))
		if _, err2 := ends.Write(b[:]); err == nil {
			err = err2
		}
		if err != nil {
			return unwritable(err)
		}
		return nil
	}
	inline := 0
	x := newXMLScanner(r)
	for {
		s, err := x.item("si")
		if err == io.EOF {
			break
		}
		if err != nil {
			t.close()
			return nil, damaged(err)
		}
		t.n++
		if texts == nil {
			t.inline = append(t.inline, s)
			if inline += len(s) + 16; inline <= maxInlineTexts {
				continue
			}
			if err := spill(); err != nil {
				t.close()
				return nil, err
			}
			for _, s := range t.inline {
				if err := put(s); err != nil {
					t.close()
					return nil, err
				}
			}
			t.inline = nil
			continue
		}
		if err := put(s); err != nil {
			t.close()
			return nil, err
		}
	}
	if texts != nil {
		if err := errors.Join(texts.Flush(), ends.Flush()); err != nil {
			t.close()
			return nil, unwritable(err)
		}
	}
	return t, nil
}

func (t *sharedTexts) get(i int) (string, error) {
	if i < 0 || i >= t.n {
		return "", errXML
	}
	if t.texts == nil {
		return t.inline[i], nil
	}
	var b [16]byte
	from, at := int64(0), b[:]
	if i == 0 {
		at = b[8:]
	}
	if _, err := t.ends.ReadAt(at, max(0, int64(i-1)*8)); err != nil {
		return "", errSpool
	}
	if i > 0 {
		from = int64(binary.BigEndian.Uint64(b[:8]))
	}
	text := make([]byte, int64(binary.BigEndian.Uint64(b[8:]))-from)
	if _, err := t.texts.ReadAt(text, from); err != nil && !(err == io.EOF && len(text) == 0) {
		return "", errSpool
	}
	return string(text), nil
}

// item is the text of the next tag of a name that holds rich text: all its <t>, without what says how they are pronounced.
func (x *xmlScanner) item(name string) (string, error) {
	for {
		if err := x.next(); err != nil {
			return "", err
		}
		if string(x.name) == name && !x.closing {
			return x.rich(name)
		}
	}
}

// rich is the text up to the end of the tag that was just read.
func (x *xmlScanner) rich(name string) (string, error) {
	var out []byte
	spoken := 0
	for {
		if err := x.next(); err != nil {
			return "", cut(err)
		}
		switch string(x.name) {
		case name:
			if x.closing {
				return plainText(out), nil
			}
			return "", errXML
		case "rPh":
			if x.closing {
				spoken--
			} else {
				spoken++
			}
		case "t":
			if x.closing && spoken == 0 {
				if len(out)+len(x.text) > maxXMLText {
					return "", errXML
				}
				out = append(out, x.text...)
			}
		}
	}
}

// plainText resolves _x000D_ and the like (ECMA-376, part 1, 22.9.2.19), which stand for signs XML cannot hold.
func plainText(b []byte) string {
	s := string(b)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	if !strings.Contains(s, "_x") {
		return s
	}
	var out strings.Builder
	for {
		i := strings.Index(s, "_x")
		if i < 0 || len(s) < i+7 {
			break
		}
		v, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil || s[i+6] != '_' {
			out.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		out.WriteString(s[:i])
		s = s[i+7:]
		if r := rune(v); !utf16.IsSurrogate(r) {
			out.WriteRune(r)
		}
	}
	return out.String() + s
}

// sheetErrors are what stands in a cell whose formula came to nothing (ECMA-376, part 1, 18.17.3).
var sheetErrors = []string{"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}

// textCell is a cell with a text. What a formula came to is no answer, even where only its text is left: in a text file, or in rows that were given back.
func textCell(text string) cell {
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "#") && slices.Contains(sheetErrors, t) {
		return cell{kind: cellError, text: t}
	}
	return cell{kind: cellText, text: text}
}

// merged is an area of merged cells, from 0.
type merged struct{ row, col, lastRow, lastCol int }

// sheetFacts are what is to be told of a sheet.
type sheetFacts struct {
	merges   []merged
	formulas map[int]int // by column
	widths   map[int]float64
}

const maxMerges = 100_000

// rows reads a sheet row by row; rows without anything in them are left out.
func (w *workbook) rows(part string, each func(*row) error) (*sheetFacts, error) {
	facts := &sheetFacts{formulas: map[int]int{}, widths: map[int]float64{}}
	r, err := w.open(part, maxPartBytes)
	if err != nil {
		return nil, damaged(err)
	}
	defer r.Close()
	x := newXMLScanner(r)
	cur := &row{}
	number, inData := 0, false
	for {
		if err := x.next(); err == io.EOF {
			return facts, nil
		} else if err != nil {
			return nil, damaged(err)
		}
		switch string(x.name) {
		case "sheetData":
			inData = !x.closing
		case "col":
			if lo, hi := atoi(x.attr("min")), atoi(x.attr("max")); !x.closing && lo >= 1 && hi-lo < 1000 {
				if width, err := strconv.ParseFloat(string(x.attr("width")), 64); err == nil && width > 0 && width < 256 {
					for c := lo; c <= hi && len(facts.widths) < 4000; c++ {
						facts.widths[c-1] = width
					}
				}
			}
		case "mergeCell":
			if m, ok := area(x.attr("ref")); ok && !x.closing && len(facts.merges) < maxMerges {
				facts.merges = append(facts.merges, m)
			}
		case "row":
			if !inData {
				continue
			}
			if !x.closing {
				if n := atoi(x.attr("r")); n > number {
					number = n
				} else {
					number++
				}
				if number > maxRows {
					return nil, badBook("the workbook has more rows than a workbook can have", "")
				}
				h := string(x.attr("hidden"))
				cur.number, cur.hidden, cur.cells = number, h == "1" || h == "true", cur.cells[:0]
				continue
			}
			if len(cur.cells) == 0 {
				continue
			}
			if err := each(cur); err != nil {
				return nil, err
			}
		case "c":
			if !inData || x.closing {
				continue
			}
			if err := w.cell(x, cur, facts); err != nil {
				return nil, damaged(err)
			}
		}
	}
}

func atoi(b []byte) int {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' || n > 1<<40 {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// cell reads one cell up to its end, and adds it to the row unless it is blank.
func (w *workbook) cell(x *xmlScanner, cur *row, facts *sheetFacts) error {
	col := 0
	if n := len(cur.cells); n > 0 {
		col = cur.cells[n-1].col + 1
	}
	if ref := x.attr("r"); ref != nil {
		_, c, ok := place(ref)
		if !ok || c < col {
			return errXML
		}
		col = c
	}
	if col >= maxColumns {
		return errXML
	}
	kind, style := string(x.attr("t")), atoi(x.attr("s"))
	var value string
	formula, valued := false, false
	for {
		if err := x.next(); err != nil {
			return cut(err)
		}
		switch string(x.name) {
		case "c":
			if !x.closing {
				return errXML
			}
			c, ok, err := w.value(kind, value, valued, formula, style)
			if err != nil || !ok {
				return err
			}
			if formula && c.kind != cellUnsolved && c.kind != cellError {
				facts.formulas[col]++
			}
			c.col = col
			cur.cells = append(cur.cells, c)
			return nil
		case "f":
			formula = true
		case "v":
			if x.closing {
				value, valued = string(x.text), true
			}
		case "is":
			if !x.closing {
				s, err := x.rich("is")
				if err != nil {
					return err
				}
				value, valued, kind = s, true, "inlineStr"
			}
		}
	}
}

func (w *workbook) value(kind, value string, valued, formula bool, style int) (c cell, ok bool, err error) {
	if !valued || value == "" && kind != "s" {
		// A formula that came to an empty text has no value as well; one that was never worked out says nothing either.
		if formula && !valued && kind != "str" {
			return cell{kind: cellUnsolved, text: "formula"}, true, nil
		}
		return cell{}, false, nil
	}
	switch kind {
	case "s":
		i := atoi([]byte(strings.TrimSpace(value)))
		if value, err = w.texts.get(i); err != nil {
			return cell{}, false, err
		}
		c = textCell(value)
	case "str":
		c = textCell(plainText([]byte(value)))
	case "inlineStr":
		c = textCell(value)
	case "b":
		c = cell{kind: cellBool, text: strings.TrimSpace(value)}
	case "e":
		c = cell{kind: cellError, text: strings.TrimSpace(value)}
	case "d":
		c = cell{kind: cellText, text: strings.TrimSpace(value)}
	case "", "n":
		v := strings.TrimSpace(value)
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return cell{}, false, errXML
		}
		c = cell{kind: cellNumber, text: v}
		if style >= 0 && style < len(w.styles) {
			switch s := w.styles[style]; {
			case s.kind != 0 && f >= 0:
				c.kind = s.kind
				c.text = w.moment(f, s.kind)
			case s.zeros > 0 && f >= 0 && f == math.Trunc(f) && f < 1e15:
				c = cell{kind: cellText, text: strconv.FormatFloat(f, 'f', 0, 64)}
				if n := s.zeros - len(c.text); n > 0 && n < 64 {
					c.text = strings.Repeat("0", n) + c.text
				}
			}
		}
	default:
		return cell{}, false, errXML
	}
	return c, strings.TrimSpace(c.text) != "", nil
}

// moment is the text of a date that is a number. The day 0 of a date stands for none: a time of day.
func (w *workbook) moment(f float64, kind cellKind) string {
	t, ok := serialTime(f, w.from1904)
	switch {
	case !ok:
		return strconv.FormatFloat(f, 'f', -1, 64)
	case kind == cellTime && f < 1:
		return t.Format("15:04")
	case kind == cellMoment || kind == cellTime:
		if f != math.Trunc(f) {
			return t.Format("2006-01-02 15:04")
		}
	}
	return t.Format(time.DateOnly)
}

// serialTime is the time that a workbook's number of days stands for, to the second. Days before 1 March 1900 are one off, because 1900 is a
// leap year there.
func serialTime(f float64, from1904 bool) (time.Time, bool) {
	if f < 0 || f >= 2_958_466 {
		return time.Time{}, false
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case from1904:
		epoch = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case f < 61:
		epoch = epoch.AddDate(0, 0, 1)
	}
	days, part := math.Modf(f)
	return epoch.AddDate(0, 0, int(days)).Add(time.Duration(math.Round(part*86400)) * time.Second), true
}

// place reads a reference such as AB12, from 0.
func place(ref []byte) (row, col int, ok bool) {
	i := 0
	for ; i < len(ref) && ref[i]|0x20 >= 'a' && ref[i]|0x20 <= 'z' && i < 4; i++ {
		col = col*26 + int(ref[i]|0x20-'a') + 1
	}
	row = atoi(ref[i:])
	return row - 1, col - 1, i > 0 && row >= 1 && row <= maxRows && col <= maxColumns
}

func area(ref []byte) (m merged, ok bool) {
	from, to, found := strings.Cut(string(ref), ":")
	if !found {
		return m, false
	}
	var a, b bool
	m.row, m.col, a = place([]byte(from))
	m.lastRow, m.lastCol, b = place([]byte(to))
	return m, a && b && m.row <= m.lastRow && m.col <= m.lastCol
}
