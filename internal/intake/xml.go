package intake

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// xmlScanner walks through the XML of a workbook. It knows as much of XML as these parts hold and refuses the rest: no document types, so
// no entities of a file's own; UTF-8 only; texts and tags of bounded length. encoding/xml would take four times as long, which at a million
// rows is the greater part of an hour.
type xmlScanner struct {
	r       *bufio.Reader
	name    []byte // of the tag, without its namespace
	attrs   []xmlAttr
	closing bool // </name>
	empty   bool // <name/>
	long    []byte
	text    []byte
	depth   int
}

type xmlAttr struct{ name, value []byte }

const (
	maxXMLTag   = 64 << 10
	maxXMLText  = 1 << 20
	maxXMLDepth = 64
)

var errXML = errors.New("its parts are not what those of a workbook are")

func newXMLScanner(r io.Reader) *xmlScanner {
	x := &xmlScanner{r: bufio.NewReaderSize(r, 64<<10)}
	if mark, err := x.r.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = x.r.Discard(3) // what was peeked is there
	}
	return x
}

// until reads up to and with the end sign. What it returns holds until the next call.
func (x *xmlScanner) until(end byte, most int) ([]byte, error) {
	b, err := x.r.ReadSlice(end)
	if err != bufio.ErrBufferFull {
		return b, err
	}
	x.long = append(x.long[:0], b...)
	for err == bufio.ErrBufferFull {
		if len(x.long) > most {
			return nil, errXML
		}
		b, err = x.r.ReadSlice(end)
		x.long = append(x.long, b...)
	}
	return x.long, err
}

// next reads to the next tag. The text before it is in x.text, its entities resolved. io.EOF ends the part.
func (x *xmlScanner) next() error {
	x.text = x.text[:0]
	if x.empty {
		x.empty, x.closing, x.attrs = false, true, x.attrs[:0] // <a/> is told as <a> and </a>
		x.depth--
		return nil
	}
	for {
		b, err := x.until('<', maxXMLText)
		if err == io.EOF {
			if len(bytes.TrimSpace(b)) > 0 || x.depth != 0 {
				return io.ErrUnexpectedEOF
			}
			return io.EOF
		}
		if err != nil {
			return err
		}
		if err := x.unescape(b[:len(b)-1]); err != nil {
			return err
		}
		tag, err := x.tag()
		if err != nil {
			return err
		}
		if tag == nil {
			continue // a comment or the like
		}
		return x.parse(tag)
	}
}

// tag reads what stands between < and >, nil of what is no tag.
func (x *xmlScanner) tag() ([]byte, error) {
	c, err := x.r.Peek(1)
	if err != nil {
		return nil, cut(err)
	}
	switch c[0] {
	case '?':
		return nil, x.skip("?>")
	case '!':
		head, _ := x.r.Peek(8)
		switch {
		case bytes.HasPrefix(head, []byte("!--")):
			return nil, x.skip("-->")
		case bytes.HasPrefix(head, []byte("![CDATA[")):
			_, _ = x.r.Discard(8)
			return nil, x.cdata()
		}
		return nil, errXML
	}
	b, err := x.until('>', maxXMLTag)
	if err != nil {
		return nil, cut(err)
	}
	if quoted(b) { // > stood within a value
		whole := append([]byte(nil), b...)
		for quoted(whole) {
			if len(whole) > maxXMLTag {
				return nil, errXML
			}
			if b, err = x.until('>', maxXMLTag); err != nil {
				return nil, cut(err)
			}
			whole = append(whole, b...)
		}
		b = whole
	}
	return b[:len(b)-1], nil
}

func cut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// quoted tells whether a tag ends within a value.
func quoted(b []byte) bool {
	var in byte
	for _, c := range b {
		switch {
		case in == 0 && (c == '"' || c == '\''):
			in = c
		case c == in:
			in = 0
		}
	}
	return in != 0
}

func (x *xmlScanner) skip(end string) error {
	seen := 0
	for range maxXMLText {
		c, err := x.r.ReadByte()
		switch {
		case err != nil:
			return cut(err)
		case c == end[seen]:
			if seen++; seen == len(end) {
				return nil
			}
		case c == end[0] && seen > 0 && end[seen-1] == end[0]: // --->
		case c == end[0]:
			seen = 1
		default:
			seen = 0
		}
	}
	return errXML
}

func (x *xmlScanner) cdata() error {
	for len(x.text) < maxXMLText {
		b, err := x.until('>', maxXMLText)
		if err != nil {
			return cut(err)
		}
		if t, ok := bytes.CutSuffix(b, []byte("]]>")); ok {
			x.text = append(x.text, t...)
			return nil
		}
		x.text = append(x.text, b...)
	}
	return errXML
}

func (x *xmlScanner) parse(tag []byte) error {
	x.attrs, x.closing, x.empty = x.attrs[:0], false, false
	if t, ok := bytes.CutPrefix(tag, []byte("/")); ok {
		x.closing, tag = true, t
		x.depth--
		if x.depth < 0 {
			return errXML
		}
	} else {
		x.depth++
		if x.depth > maxXMLDepth {
			return errXML
		}
		if t, ok := bytes.CutSuffix(tag, []byte("/")); ok {
			x.empty, tag = true, t
		}
	}
	n := bytes.IndexAny(tag, " \t\r\n")
	if n < 0 {
		n = len(tag)
	}
	x.name = local(tag[:n])
	if len(x.name) == 0 {
		return errXML
	}
	for rest := bytes.TrimSpace(tag[n:]); len(rest) > 0; rest = bytes.TrimLeft(rest, " \t\r\n") {
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return errXML
		}
		name := bytes.TrimSpace(rest[:eq])
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
			return errXML
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return errXML
		}
		x.attrs = append(x.attrs, xmlAttr{local(name), rest[1 : 1+end]})
		rest = rest[2+end:]
	}
	return nil
}

func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// attr is the value of an attribute, as bytes that hold until the next call.
func (x *xmlScanner) attr(name string) []byte {
	for _, a := range x.attrs {
		if string(a.name) == name {
			return a.value
		}
	}
	return nil
}

// words is the value of an attribute with its entities resolved.
func (x *xmlScanner) words(name string) string {
	v := x.attr(name)
	if bytes.IndexByte(v, '&') < 0 {
		return string(v)
	}
	keep := x.text
	x.text = nil
	err := x.unescape(v)
	out := string(x.text)
	x.text = keep
	if err != nil {
		return ""
	}
	return out
}

// unescape adds text to x.text.
func (x *xmlScanner) unescape(b []byte) error {
	if len(x.text)+len(b) > maxXMLText {
		return errXML
	}
	for {
		i := bytes.IndexByte(b, '&')
		if i < 0 {
			x.text = append(x.text, b...)
			return nil
		}
		x.text = append(x.text, b[:i]...)
		b = b[i+1:]
		end := bytes.IndexByte(b[:min(len(b), 12)], ';')
		if end < 1 {
			return errXML
		}
		switch name := string(b[:end]); name {
		case "lt":
			x.text = append(x.text, '<')
		case "gt":
			x.text = append(x.text, '>')
		case "amp":
			x.text = append(x.text, '&')
		case "quot":
			x.text = append(x.text, '"')
		case "apos":
			x.text = append(x.text, '\'')
		default:
			if name[0] != '#' || len(name) < 2 {
				return errXML
			}
			base, digits := 10, name[1:]
			if digits[0] == 'x' || digits[0] == 'X' {
				base, digits = 16, digits[1:]
			}
			r, err := strconv.ParseUint(digits, base, 32)
			if err != nil || !utf8.ValidRune(rune(r)) {
				return errXML
			}
			x.text = utf8.AppendRune(x.text, rune(r))
		}
		b = b[end+1:]
	}
}
