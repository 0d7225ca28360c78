package intake

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"caseforms"
)

const maxField = 1 << 20 // bytes of one cell of a text file

// textFacts are what is to be told of a text file with separators.
type textFacts struct {
	windows1252 bool
	utf16       bool
	stray       []int // lines with a quotation mark where none can be
}

// plainReader is a text file as UTF-8. Whether it is that already is found by reading it once.
func plainReader(f io.ReadSeeker, facts *textFacts) (io.Reader, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return nil, unreadable(err)
	}
	head = head[:n]
	rewind := func(to int64) error {
		_, err := f.Seek(to, io.SeekStart)
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		facts.utf16 = true
		if err := rewind(0); err != nil {
			return nil, unreadable(err)
		}
		return transform.NewReader(f, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), nil
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		if err := rewind(3); err != nil {
			return nil, unreadable(err)
		}
		return f, nil
	}
	if err := rewind(0); err != nil {
		return nil, unreadable(err)
	}
	valid, err := isUTF8(f)
	if err != nil {
		return nil, err
	}
	if err := rewind(0); err != nil {
		return nil, unreadable(err)
	}
	if valid {
		return f, nil
	}
	facts.windows1252 = true
	return transform.NewReader(f, charmap.Windows1252.NewDecoder()), nil
}

var errBinary = &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is no table that can be read", Hint: "give an Excel workbook (.xlsx), a .csv or a file with one case record a line (.jsonl)"}

func isUTF8(r io.Reader) (bool, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	valid := true
	var rest []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := br.Read(buf[len(rest):])
		b := buf[:len(rest)+n]
		if bytes.IndexByte(b, 0) >= 0 {
			return false, errBinary
		}
		// a letter may be cut in two at the end of what was read
		end := len(b)
		for back := 1; back <= min(utf8.UTFMax-1, len(b)); back++ {
			if c := b[len(b)-back]; utf8.RuneStart(c) {
				if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-back:]) {
					end = len(b) - back
				}
				break
			}
		}
		valid = valid && utf8.Valid(b[:end])
		rest = append(rest[:0], b[end:]...)
		copy(buf, rest)
		if err == io.EOF {
			return valid && len(rest) == 0, nil
		}
		if err != nil {
			return false, unreadable(err)
		}
	}
}

// csvReader reads a text file with separators as spreadsheets write it (RFC 4180) and as people and other programs leave it: a quotation
// mark within a cell stands for itself, and what separates the cells is found by the first line.
type csvReader struct {
	r         *bufio.Reader
	separator byte
	line      int // the one being read, from 1
	stray     func(line int)
	field     []byte
	fields    []string
}

func newCSV(r io.Reader) (*csvReader, error) {
	c := &csvReader{r: bufio.NewReaderSize(r, 256<<10), line: 1, separator: ','}
	head, err := c.r.Peek(64 << 10)
	if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, unreadable(err)
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the file is empty"}
	}
	if low := bytes.ToLower(bytes.TrimSpace(head[:min(len(head), 512)])); bytes.HasPrefix(low, []byte("<")) {
		return nil, badBook("this is a web page or an XML file under another name, not a table", "open it in Excel or LibreOffice and save it as an Excel workbook (.xlsx)")
	}
	if bytes.HasPrefix(head, []byte("sep=")) && len(head) > 4 { // as Excel itself writes it
		c.separator = head[4]
		_, err := c.r.ReadString('\n')
		c.line++
		if err != nil && err != io.EOF {
			return nil, unreadable(err)
		}
		return c, nil
	}
	c.separator = separatorOf(head)
	return c, nil
}

// separatorOf is the sign that most often stands between cells in the first line, quoted cells left out.
func separatorOf(head []byte) byte {
	best, most := byte(','), 0
	for _, sign := range []byte(",;\t|") {
		n, quoted := 0, false
		for _, b := range head {
			if b == '"' {
				quoted = !quoted
			} else if b == sign && !quoted {
				n++
			} else if b == '\n' && !quoted {
				break
			}
		}
		if n > most {
			best, most = sign, n
		}
	}
	return best
}

// next is the next line that has something in it, with the number it begins on.
func (c *csvReader) next() (fields []string, line int, err error) {
	for {
		fields, line, err = c.record()
		if err != nil {
			return nil, line, err
		}
		for _, f := range fields {
			if strings.TrimSpace(f) != "" {
				return fields, line, nil
			}
		}
	}
}

func (c *csvReader) record() ([]string, int, error) {
	c.fields = c.fields[:0]
	c.field = c.field[:0]
	first := c.line
	begun, quoted, was := false, false, false // something was read; within quotation marks; the cell had them
	opened := 0
	end := func() {
		c.fields = append(c.fields, strings.ToValidUTF8(string(c.field), "\ufffd"))
		c.field, was = c.field[:0], false
	}
	for {
		b, err := c.r.ReadByte()
		if err == io.EOF {
			if quoted {
				return nil, opened, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("a quotation mark that begins a cell in line %d is never closed", opened),
					Hint: "take it out or close it; until then nobody can tell where that cell ends"}
			}
			if !begun {
				return nil, first, io.EOF
			}
			end()
			return c.fields, first, nil
		}
		if err != nil {
			return nil, first, unreadable(err)
		}
		begun = true
		switch {
		case quoted && b == '"':
			next, _ := c.r.Peek(1)
			switch {
			case len(next) == 1 && next[0] == '"':
				_, _ = c.r.ReadByte()
				c.field = append(c.field, '"')
			case len(next) == 0 || next[0] == c.separator || next[0] == '\n' || next[0] == '\r':
				quoted = false
			default: // "the "Grange", Northtown": it stands for itself
				c.tellStray()
				c.field = append(c.field, '"')
			}
		case quoted:
			if b == '\n' {
				c.line++
			}
			c.field = append(c.field, b)
		case b == c.separator:
			end()
		case b == '\n':
			c.line++
			end()
			return c.fields, first, nil
		case b == '\r':
			if next, _ := c.r.Peek(1); len(next) == 1 && next[0] == '\n' {
				continue
			}
			c.line++
			end()
			return c.fields, first, nil
		case b == '"' && len(bytes.TrimLeft(c.field, " ")) == 0 && !was:
			c.field, quoted, was, opened = c.field[:0], true, true, c.line
		default:
			if b == '"' {
				c.tellStray()
			}
			c.field = append(c.field, b)
		}
		if len(c.field) > maxField {
			return nil, first, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("a cell that begins in line %d is longer than any answer", max(opened, first)),
				Hint: "is a quotation mark missing there?"}
		}
		if len(c.fields) > maxColumns {
			return nil, first, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("line %d has more cells than any table", first)}
		}
	}
}

func (c *csvReader) tellStray() {
	if c.stray != nil {
		c.stray(c.line)
	}
}
