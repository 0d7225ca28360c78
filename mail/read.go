package mail

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	netmail "net/mail"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// What is read of a message. The rest is told in a warning, and is in the raw bytes, which the caller keeps.
const (
	mostRead       = 50 << 20
	mostHeader     = 1 << 20  // of the message, in bytes
	mostPartHeader = 64 << 10 // of a part, in bytes
	mostFields     = 2000     // in one header
	mostDepth      = 12
	mostParts      = 200
	mostText       = 1 << 20 // of the text a person reads, in bytes
	mostAddresses  = 100     // in one field
	mostWarnings   = 20
)

// Incoming is a message that came in, as far as it could be read. Everything in it was written by somebody else.
type Incoming struct {
	Class Class
	Why   string // by what it was told to be of that class, for whoever doubts it; no personal data

	MessageID  string // without its brackets, as all of them here
	From       netmail.Address
	To, Cc     []netmail.Address
	Subject    string
	Date       time.Time // zero when there is none that can be read
	ReturnPath string    // whom the last server noted as envelope sender
	NullSender bool      // the envelope sender was the null address, <>, as that of all reports is to be (RFC 5321 4.5.5)

	Text    string // what was written, as plain text
	History string // what was quoted or forwarded below it
	HTML    bool   // the text was made from HTML
	Files   []ReceivedFile

	Report  *Report  // of a delivery report, and of what could be one
	Receipt *Receipt // of a read receipt

	Warnings []string // what could not be read or is odd; no personal data

	head  header
	root  *part
	whole string // text and history as they came
	froms int    // how many senders it claims
	parts int
}

// ReceivedFile is a file that came with a message. Nothing in it was opened.
type ReceivedFile struct {
	Name   string // safe as a file name; never a path
	Type   string // what the message says it is, such as application/pdf
	PDF    bool   // it begins as a PDF does, whatever it is called: perhaps a form of ours that was filled in
	Inline bool   // it belongs to the text, as a logo in a signature does
	Bytes  []byte
}

// Read reads a message, and tells what it is. It never fails and its work is bounded: what cannot be read at all is of the class
// [Unreadable], with whatever could be read of it.
//
// MIME is taken apart here and not by a library, because what is to be read most urgently, the report that nothing arrived, is what most often breaks the
// rules: a library that refuses a header, or has no limit on headers of parts and on depth, is of no use for it.
func Read(raw []byte) *Incoming {
	in := &Incoming{}
	if len(raw) > mostRead {
		raw = raw[:mostRead]
		in.warn("it is larger than 50 MB: only the beginning was read")
	}
	raw = bytes.TrimLeft(raw, "\r\n")
	if bytes.HasPrefix(raw, []byte("From ")) { // a line that mailbox files put before each message
		if i := bytes.IndexByte(raw, '\n'); i >= 0 {
			raw = raw[i+1:]
		}
	}
	in.root = in.part(raw, mostHeader, "text/plain", 1)
	in.head = in.root.head
	in.envelope()
	in.content()
	in.Class, in.Why = in.classify()
	return in
}

func (in *Incoming) warn(s string) {
	if len(in.Warnings) < mostWarnings && !slices.Contains(in.Warnings, s) {
		in.Warnings = append(in.Warnings, s)
	}
}

// envelope reads what the header says.
func (in *Incoming) envelope() {
	h := in.head
	if ids := messageIDs(h.get("message-id")); len(ids) > 0 {
		in.MessageID = ids[0]
	}
	from := h.all("from")
	for i, v := range from {
		l := in.addresses(v)
		if i == 0 && len(l) > 0 {
			in.From = l[0]
		}
		in.froms += len(l)
	}
	for _, v := range h.all("to") {
		in.To = append(in.To, in.addresses(v)...)
	}
	for _, v := range h.all("cc") {
		in.Cc = append(in.Cc, in.addresses(v)...)
	}
	in.Subject = oneLine(in.words(h.get("subject")))
	if v := h.get("date"); v != "" {
		in.Date = parseDate(v)
	}
	if v, ok := h.find("return-path"); ok {
		in.ReturnPath = strings.Trim(strings.TrimSpace(v), "<>")
		in.NullSender = strings.TrimSpace(v) == "<>"
	}
}

func parseDate(v string) time.Time {
	if len(v) > 200 {
		return time.Time{}
	}
	t, err := netmail.ParseDate(strings.TrimSpace(v))
	if t = t.UTC(); err != nil || t.Year() < 1970 || t.Year() > 9999 { // others cannot be written down (RFC 3339)
		return time.Time{}
	}
	return t
}

// header is the fields of a header as they came, unfolded, in their order.
type header []headerField

type headerField struct{ key, value string } // the key is in small letters

func (h header) find(key string) (string, bool) {
	for _, f := range h {
		if f.key == key {
			return f.value, true
		}
	}
	return "", false
}

func (h header) get(key string) string { v, _ := h.find(key); return v }

func (h header) has(key string) bool { _, ok := h.find(key); return ok }

func (h header) all(key string) []string {
	var out []string
	for _, f := range h {
		if f.key == key {
			out = append(out, f.value)
		}
	}
	return out
}

// readHeader reads fields up to an empty line. It takes any ending of lines, also the \r\r\n of broken gateways. A line that is no field is
// passed over when a field follows it; else the text begins there, as in messages that lack the empty line. Whole tells that nothing was
// left out.
func readHeader(b []byte, most int) (h header, body []byte, whole bool) {
	whole = true
	var key string
	var value []byte // of the field that may go on
	flush := func() {
		if key != "" {
			h = append(h, headerField{key, string(bytes.TrimSpace(value))})
		}
		key, value = "", nil
	}
	defer flush()
	for used := 0; len(b) > 0; {
		line, rest := cutLine(b)
		used += len(b) - len(rest)
		if len(line) == 0 {
			return h, rest, whole
		}
		switch name, v, ok := fieldLine(line); {
		case used > most || len(h) >= mostFields-1:
			whole = false
		case line[0] == ' ' || line[0] == '\t':
			if key != "" {
				value = append(append(value, ' '), bytes.TrimSpace(line)...)
			}
		case ok:
			flush()
			key, value = strings.ToLower(string(name)), append(value, v...)
		default:
			next, _ := cutLine(rest)
			if _, _, ok := fieldLine(next); !ok {
				return h, b, false
			}
			whole = false
		}
		b = rest
	}
	return h, nil, whole
}

func cutLine(b []byte) (line, rest []byte) {
	line = b
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line, rest = b[:i], b[i+1:]
	}
	return bytes.TrimRight(line, "\r"), rest
}

// fieldLine splits the first line of a field. Its name is printable ASCII (RFC 5322 2.2); nobody's is longer than 100 letters.
func fieldLine(line []byte) (name, value []byte, ok bool) {
	name, _, ok = bytes.Cut(line[:min(len(line), 100)], []byte(":"))
	if !ok {
		return nil, nil, false
	}
	value = line[len(name)+1:]
	name = bytes.TrimRight(name, " \t")
	if len(name) == 0 {
		return nil, nil, false
	}
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return nil, nil, false
		}
	}
	return name, value, true
}

// part is one part of a message, with its parts when it has some. Its body is as it came; text and data are decoded when they are asked for.
type part struct {
	head   header
	typ    string // such as text/plain, in small letters
	params map[string]string
	body   []byte
	kids   []*part
	closed bool // there is more in it than is read
}

// part takes a part apart.
func (in *Incoming) part(raw []byte, most int, typ string, depth int) *part {
	in.parts++
	p := &part{}
	var whole bool
	if p.head, p.body, whole = readHeader(raw, most); !whole {
		in.warn("a header is damaged or too long: some of it was not read")
	}
	p.typ, p.params = contentType(p.head.get("content-type"), typ)
	many := strings.HasPrefix(p.typ, "multipart/")
	if !many && !p.message() {
		return p
	}
	if depth >= mostDepth {
		p.closed = true
		in.warn("its parts are nested too deep: the innermost were not read")
		return p
	}
	if !many {
		inner := p.body
		if !plainEncoding(p.encoding()) { // against RFC 2046 5.2.1, and yet seen
			inner = in.decode(p)
		}
		if in.parts < mostParts {
			p.kids = []*part{in.part(inner, mostPartHeader, "text/plain", depth+1)}
		}
		return p
	}
	inner := "text/plain"
	if p.typ == "multipart/digest" {
		inner = "message/rfc822"
	}
	for _, b := range in.pieces(p) {
		if in.parts >= mostParts {
			p.closed = true
			in.warn("it has more than 200 parts: the others were not read")
			break
		}
		p.kids = append(p.kids, in.part(b, mostPartHeader, inner, depth+1))
	}
	return p
}

// message tells whether the part is a message itself.
func (p *part) message() bool { return p.typ == "message/rfc822" || p.typ == "message/global" }

// pieces cuts a multipart at its boundary (RFC 2046 5.1.1). Without a boundary in the header the first line that looks like one is taken.
func (in *Incoming) pieces(p *part) [][]byte {
	delim := p.params["boundary"]
	if delim == "" {
		for rest := p.body; len(rest) > 0 && delim == ""; {
			var line []byte
			if line, rest = cutLine(rest); len(line) > 6 && bytes.HasPrefix(line, []byte("--")) && bytes.IndexByte(line, ' ') < 0 {
				delim = string(line[2:])
			}
		}
		if in.warn("a boundary between its parts is missing"); delim == "" {
			return nil
		}
	}
	mark := []byte("--" + delim)
	var out [][]byte
	begin := -1 // of the part that is open
	for at := 0; ; {
		i := bytes.Index(p.body[at:], mark)
		if i < 0 {
			if begin >= 0 {
				out = append(out, p.body[begin:])
				in.warn("it ends in the middle of a part")
			}
			return out
		}
		i += at
		at = i + len(mark)
		if i > 0 && p.body[i-1] != '\n' {
			continue
		}
		line, rest := cutLine(p.body[at:])
		last := bytes.HasPrefix(line, []byte("--"))
		if tail := bytes.TrimPrefix(line, []byte("--")); len(bytes.TrimSpace(tail)) > 0 {
			continue // the boundary of another part may begin like this one
		}
		if begin >= 0 {
			out = append(out, trimEnd(p.body[begin:max(begin, i)]))
		}
		if last || len(out) > mostParts {
			return out
		}
		begin = len(p.body) - len(rest)
		if rest == nil {
			begin = len(p.body)
		}
		at = begin
	}
}

// trimEnd takes off the line end that belongs to the boundary behind it.
func trimEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}

// contentType reads a Content-Type, or a part of it that makes sense.
func contentType(v, without string) (string, map[string]string) {
	if len(v) > 4096 {
		v = v[:4096]
	}
	t, params, err := mime.ParseMediaType(v)
	if err == nil && strings.Contains(t, "/") {
		return t, params
	}
	params = map[string]string{}
	fields := strings.Split(v, ";")
	t = strings.ToLower(strings.TrimSpace(fields[0]))
	for _, f := range fields[1:] {
		k, x, _ := strings.Cut(f, "=")
		if k = strings.ToLower(strings.TrimSpace(k)); params[k] == "" {
			params[k] = strings.Trim(strings.TrimSpace(x), `"`)
		}
	}
	if !strings.Contains(t, "/") {
		if t = without; params["boundary"] != "" {
			t = "multipart/mixed"
		}
	}
	return t, params
}

func (p *part) encoding() string {
	v, _, _ := strings.Cut(p.head.get("content-transfer-encoding"), ";")
	v, _, _ = strings.Cut(v, "(")
	return strings.ToLower(strings.Trim(strings.TrimSpace(v), `"`))
}

func plainEncoding(s string) bool {
	return s == "" || s == "7bit" || s == "8bit" || s == "binary" || s == "7-bit" || s == "8-bit"
}

// decode undoes the transfer encoding (RFC 2045 6), as far as it can be undone.
func (in *Incoming) decode(p *part) []byte {
	switch e := p.encoding(); {
	case plainEncoding(e):
		return p.body
	case e == "quoted-printable":
		return unquote(p.body)
	case e == "base64":
		out := make([]byte, base64.StdEncoding.DecodedLen(len(p.body)))
		if n, err := base64.StdEncoding.Decode(out, p.body); err == nil {
			return out[:n]
		}
		out, whole := looseBase64(out, p.body)
		if !whole {
			in.warn("some of it is damaged: it is not the base64 that it says it is")
		}
		return out
	}
	in.warn("some of it is in an encoding that is not known: it was left as it is")
	return p.body
}

// looseBase64 decodes what there is of base64 in b into out, which is large enough. Letters that do not belong are passed over, as RFC 2045
// 6.8 asks for; padding may be missing, or stand where several files were joined.
func looseBase64(out, b []byte) (decoded []byte, whole bool) {
	n, bits, have := 0, uint32(0), 0
	whole = true
	for _, c := range b {
		var v uint32
		switch {
		case 'A' <= c && c <= 'Z':
			v = uint32(c - 'A')
		case 'a' <= c && c <= 'z':
			v = uint32(c-'a') + 26
		case '0' <= c && c <= '9':
			v = uint32(c-'0') + 52
		case c == '+' || c == '-':
			v = 62
		case c == '/' || c == '_':
			v = 63
		case c == '=':
			bits, have = 0, 0
			continue
		case c == '\r' || c == '\n' || c == ' ' || c == '\t':
			continue
		default:
			whole = false
			continue
		}
		bits, have = bits<<6|v, have+6
		if have >= 8 && n < len(out) {
			have -= 8
			out[n] = byte(bits >> have)
			n++
		}
	}
	return out[:n], whole
}

// unquote undoes quoted-printable (RFC 2045 6.7). What is not of it stays as it is.
func unquote(b []byte) []byte {
	out := make([]byte, 0, len(b))
	hex := func(c byte) int {
		switch {
		case '0' <= c && c <= '9':
			return int(c - '0')
		case 'A' <= c && c <= 'F':
			return int(c-'A') + 10
		case 'a' <= c && c <= 'f':
			return int(c-'a') + 10
		}
		return -1
	}
	for len(b) > 0 {
		i := bytes.IndexByte(b, '=')
		if i < 0 {
			return append(out, b...)
		}
		out, b = append(out, b[:i]...), b[i+1:]
		if len(b) >= 2 && hex(b[0]) >= 0 && hex(b[1]) >= 0 {
			out, b = append(out, byte(hex(b[0])<<4|hex(b[1]))), b[2:]
			continue
		}
		end := bytes.TrimLeft(b, " \t")
		switch {
		case len(end) == 0:
			return out
		case end[0] == '\n':
			b = end[1:]
		case end[0] == '\r' && len(end) > 1 && end[1] == '\n':
			b = end[2:]
		default:
			out = append(out, '=')
		}
	}
	return out
}

// text decodes a part that is text, up to so many bytes of it.
func (in *Incoming) text(p *part, most int) string {
	b := in.decode(p)
	if len(b) > most {
		b = b[:most]
		in.warn("its text is very long: only the beginning is shown")
	}
	s := in.fromCharset(b, p.params["charset"])
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	return visible(s)
}

// visible takes out what cannot be seen.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r >= ' ' && r < 0x7f:
			return r
		case unicode.IsControl(r) || isBidi(r) || r == '\u00ad' || r == '\u034f' || r == '\u200b' || r == '\ufeff':
			return -1
		}
		return r
	}, s)
}

// isBidi tells the marks that turn the direction of what follows them: with them a name or a line may read as another than it is.
func isBidi(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func (in *Incoming) shorten(s string) string {
	if len(s) <= mostText {
		return s
	}
	in.warn("its text is very long: only the beginning is shown")
	return strings.ToValidUTF8(s[:mostText], "")
}

func (in *Incoming) fromCharset(b []byte, name string) string {
	name = strings.ToLower(strings.Trim(strings.TrimSpace(name), `'"`))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "unicode-1-1-utf-8":
		if utf8.Valid(b) {
			return string(b)
		}
		if name != "" {
			in.warn("its letters are not in the encoding that it says: windows-1252 was assumed")
		}
		return decodeWith(charmap.Windows1252, b)
	}
	if e := charsetOf(name); e != nil {
		return decodeWith(e, b)
	}
	in.warn("its letters are in an encoding that is not known")
	if utf8.Valid(b) {
		return string(b)
	}
	return decodeWith(charmap.Windows1252, b)
}

func charsetOf(name string) encoding.Encoding {
	if len(name) > 60 {
		return nil
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e
	}
	return nil
}

func decodeWith(e encoding.Encoding, b []byte) string {
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		out = b
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}

// words undoes the encoded words of a field (RFC 2047), as far as it can.
func (in *Incoming) words(v string) string {
	if !utf8.ValidString(v) {
		v = in.fromCharset([]byte(v), "")
	}
	if !strings.Contains(v, "=?") {
		return v
	}
	s, err := in.decoder().DecodeHeader(v)
	if err != nil {
		in.warn("a field of its header cannot be decoded")
		return v
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func (in *Incoming) decoder() *mime.WordDecoder {
	return &mime.WordDecoder{CharsetReader: func(name string, r io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(io.LimitReader(r, mostHeader))
		if err != nil {
			return nil, err
		}
		return strings.NewReader(in.fromCharset(b, name)), nil
	}}
}

// oneLine makes one line of visible letters of s.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || isBidi(r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// pattern is a regular expression that is made when it is first used: all of these would take some milliseconds of every command.
func pattern(s string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(s) })
}

// mailAddress finds addresses in text. It is wide enough for what stands in fields and reports, not all that RFC 5321 allows.
var mailAddress = pattern(`[^\s<>()\[\]\\,;:"@]+@[^\s<>()\[\]\\,;:"'@*|/?!=]*[^\s<>()\[\]\\,;:"'@*|/?!=.]`)

// addresses reads a list of addresses; of one that is not well formed, whatever looks like an address.
func (in *Incoming) addresses(v string) []netmail.Address {
	if len(v) > 16<<10 {
		v = v[:16<<10]
		in.warn("a list of addresses is too long: only its beginning was read")
	}
	var out []netmail.Address
	p := netmail.AddressParser{WordDecoder: in.decoder()}
	if l, err := p.ParseList(v); err == nil {
		for _, a := range l {
			out = append(out, netmail.Address{Name: oneLine(strings.ToValidUTF8(a.Name, "\ufffd")), Address: a.Address})
		}
	} else {
		for _, a := range mailAddress().FindAllString(in.words(v), mostAddresses) {
			out = append(out, netmail.Address{Address: a})
		}
	}
	return out[:min(len(out), mostAddresses)]
}

var bracketed = pattern(`<([^<>\s]+)>`)

// messageIDs finds the identifiers in a field. Fields of real mail hold comments, commas and more between them.
func messageIDs(v string) []string {
	var out []string
	if len(v) > 64<<10 {
		v = v[len(v)-64<<10:]
	}
	for _, m := range bracketed().FindAllStringSubmatch(v, 200) {
		if len(m[1]) < 998 { // no line may be longer (RFC 5322 2.1.1)
			out = append(out, m[1])
		}
	}
	if len(out) == 0 && strings.Contains(v, "@") && len(v) < 998 && !strings.ContainsAny(v, " <>") {
		out = []string{v}
	}
	return out
}

// content finds the text and lists the files.
func (in *Incoming) content() {
	var texts []string
	in.collect(in.root, true, &texts)
	in.whole = in.shorten(strings.Join(texts, "\n\n"))
	in.Text, in.History = splitHistory(in.whole)
}

// collect gathers texts and files of a part. Body tells that the part may hold what was written; the parts of reports and of other messages
// hold what somebody else wrote.
func (in *Incoming) collect(p *part, body bool, texts *[]string) {
	add := func(s string) {
		if strings.TrimSpace(s) != "" {
			*texts = append(*texts, strings.Trim(s, "\n"))
		}
	}
	switch {
	case p.typ == "multipart/alternative" && body:
		s, isHTML, rest := in.alternative(p)
		in.HTML = in.HTML || isHTML
		add(s)
		for _, k := range rest {
			in.collect(k, false, texts)
		}
	case p.typ == "multipart/report":
		for i, k := range p.kids {
			if i == 0 {
				in.collect(k, body, texts)
			} else if k.typ != "message/delivery-status" && k.typ != "message/global-delivery-status" && k.typ != "message/disposition-notification" && k.typ != "text/rfc822-headers" {
				in.collect(k, false, texts)
			}
		}
	case p.typ == "multipart/related" || p.typ == "multipart/signed":
		for i, k := range p.kids {
			in.collect(k, body && i == 0, texts)
		}
	case len(p.kids) > 0 && !p.message():
		for _, k := range p.kids {
			in.collect(k, body, texts)
		}
	case strings.HasPrefix(p.typ, "multipart/"):
		if strings.TrimSpace(string(p.body[:min(len(p.body), 4096)])) != "" && !p.closed {
			in.warn("it should have parts, and none was found")
		}
		if body && !p.closed && len(p.kids) == 0 { // better than nothing
			add(in.text(p, mostText))
		}
	case body && p.typ == "text/html" && !p.attached():
		in.HTML = true
		add(in.htmlText(p))
	case body && (p.typ == "text/plain" || p.typ == "text/enriched" || p.typ == "text/markdown") && !p.attached():
		add(in.plainText(p))
	case body && p == in.root && p.head.get("content-type") == "":
		add(in.plainText(p))
	default:
		in.file(p)
	}
}

// alternative chooses what to read of several forms of the same: plain text, unless it is empty or only says that there is another form.
func (in *Incoming) alternative(p *part) (s string, isHTML bool, rest []*part) {
	var plain, rich string
	for _, k := range p.kids {
		switch {
		case k.attached():
			rest = append(rest, k)
		case k.typ == "text/plain":
			plain += in.plainText(k)
		case k.typ == "text/html":
			rich = in.htmlText(k)
		case strings.HasPrefix(k.typ, "multipart/"):
			was := in.HTML
			in.HTML = false
			var inner []string
			in.collect(k, true, &inner)
			if in.HTML {
				rich = strings.Join(inner, "\n\n")
			} else {
				plain += strings.Join(inner, "\n\n")
			}
			in.HTML = was
		default:
			rest = append(rest, k)
		}
	}
	stub := len(plain) < 300 && strings.Contains(strings.ToLower(plain), "html")
	if strings.TrimSpace(plain) == "" || stub && strings.TrimSpace(rich) != "" {
		return rich, rich != "", rest
	}
	return plain, false, rest
}

func (in *Incoming) plainText(p *part) string {
	s := in.text(p, mostText)
	if strings.EqualFold(p.params["format"], "flowed") {
		s = unflow(s, strings.EqualFold(p.params["delsp"], "yes"))
	}
	return s
}

// attached tells whether a part is meant to be saved and not read.
func (p *part) attached() bool {
	return p.disposition() == "attachment" || dispositionName(p.head.get("content-disposition")) != "" || p.params["name"] != ""
}

func (p *part) disposition() string {
	d, _, _ := strings.Cut(p.head.get("content-disposition"), ";")
	return strings.ToLower(strings.TrimSpace(d))
}

// file lists a part as a file.
func (in *Incoming) file(p *part) {
	name := dispositionName(p.head.get("content-disposition"))
	if name == "" {
		name = p.params["name"]
	}
	f := ReceivedFile{Type: p.typ, Bytes: in.decode(p)}
	f.PDF = bytes.Contains(f.Bytes[:min(len(f.Bytes), 1024)], []byte("%PDF-"))
	f.Inline = p.disposition() == "inline" || p.disposition() == "" && p.head.has("content-id")
	if len(f.Bytes) == 0 && name == "" {
		return
	}
	f.Name = safeName(in.words(name), p.typ, len(in.Files)+1)
	if strings.EqualFold(f.Name, "winmail.dat") || p.typ == "application/ms-tnef" {
		in.warn("what was attached is packed in a winmail.dat, which only Outlook opens")
	}
	in.Files = append(in.Files, f)
}

func dispositionName(v string) string {
	if len(v) > 4096 {
		v = v[:4096]
	}
	if _, params, err := mime.ParseMediaType(v); err == nil {
		return params["filename"]
	}
	_, params := contentType("x/"+v, "x/x")
	return params["filename"]
}

const mostName = 100 // letters of a file's name

// endings are those of files whose name was lost.
var endings = map[string]string{"application/pdf": ".pdf", "message/rfc822": ".eml", "text/html": ".html", "text/plain": ".txt", "text/calendar": ".ics",
	"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "application/zip": ".zip", "application/pkcs7-signature": ".p7s"}

// safeName makes a name of what a stranger calls a file: its last element, of letters, digits and a few marks, and none that a system takes
// for a device or hides.
func safeName(name, typ string, n int) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune(" -_.()+,", r):
			return r
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return -1
		}
		return '_'
	}, name)
	name = strings.TrimRight(strings.TrimLeft(strings.Join(strings.Fields(name), " "), ". -"), ". ")
	ext := path.Ext(name)
	if len([]rune(ext)) > 12 {
		ext = ""
	}
	if stem := []rune(strings.TrimSuffix(name, ext)); len(stem)+len(ext) > mostName {
		name = strings.TrimRight(string(stem[:mostName-len([]rune(ext))]), ". ") + ext
	}
	if strings.Trim(name, "._ ") == "" {
		return "attachment-" + strconv.Itoa(n) + endings[typ]
	}
	if device().MatchString(name) {
		name = "_" + name
	}
	return name
}

var device = pattern(`(?i)^(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)`)
