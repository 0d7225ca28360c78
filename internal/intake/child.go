package intake

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// ChildArg is the only argument of the process that reads one PDF. A program that uses this package calls [Child] when it is started
// with it.
const ChildArg = "read-returned-pdf"

// What the child may use. The limits inside the parser come first, because they tell what was wrong; those on the process catch the rest.
const (
	maxMemory   = 512 << 20
	maxTime     = 20 * time.Second // in case nobody is left to end it
	maxStack    = 64 << 20
	maxObjects  = 100_000
	maxDecoded  = 64 << 20 // of one stream
	maxNodes    = 2_000    // of the tree of fields
	maxDepth    = 16       // of the tree of fields
	maxName     = 512      // of a part of a field's name, in bytes
	maxValue    = 256 << 10
	maxValues   = 64 // of a choice of several
	maxText     = 4 << 20
	maxOutput   = 16 << 20 // in JSON, a byte of text may take six
	maxPassword = 1 << 10
)

// How the child ends when it cannot say anything.
const (
	exitMemory = 97
	exitTime   = 98
)

// found is what the child tells: the fields of the file's form, or why there are none.
type found struct {
	Failed failure `json:"failed,omitzero"`
	Fields []field `json:"fields,omitempty"`
}

// field is a terminal field as it stands in the file.
type field struct {
	Name   []string `json:"name"` // from the root
	Type   string   `json:"type,omitzero"`
	Values []string `json:"values,omitempty"`
	On     bool     `json:"on,omitzero"`  // of a box: it is ticked, whatever that is called
	Cut    bool     `json:"cut,omitzero"` // the value was too long
}

const (
	typeText   = "Tx"
	typeChoice = "Ch"
	typeButton = "Btn"
)

type failure string

const (
	failedPassword failure = "password"
	failedSealed   failure = "sealed"
	failedDamaged  failure = "damaged"
	failedNotPDF   failure = "not-pdf"
	failedComplex  failure = "complex"
)

var failures = map[failure]Reason{
	"": "", failedPassword: BadPassword, failedSealed: Sealed, failedDamaged: Damaged, failedNotPDF: NotPDF, failedComplex: TooComplex,
}

var errComplex = errors.New("too complex")

// ready is what a child says first. A program that does not say it is no reader, whatever it makes of the file.
const ready = "ready\n"

// Child reads one PDF and writes what its fields hold: in comes the length of the password in four bytes, the password, and the file to
// its end; out goes the word that it is ready, and JSON. It returns the exit code. It limits the process it runs in, which therefore must be of no other use.
func Child(in io.Reader, out io.Writer) int {
	confine()
	if _, err := io.WriteString(out, ready); err != nil {
		return 1
	}
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return 1
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxPassword {
		return 1
	}
	password := make([]byte, n)
	if _, err := io.ReadFull(in, password); err != nil {
		return 1
	}
	data, err := io.ReadAll(io.LimitReader(in, MaxPDFBytes+1))
	if err != nil || len(data) > MaxPDFBytes {
		return 1
	}
	if err := json.MarshalWrite(out, look(data, string(password))); err != nil {
		return 1
	}
	return 0
}

// confine sets the limits of the process.
func confine() {
	debug.SetMemoryLimit(maxMemory * 3 / 4)
	debug.SetMaxStack(maxStack)
	limitData(maxMemory * 3 / 2)
	go watch()
}

// watch ends the process when it holds too much memory or lives too long. The memory limit of the run time is a wish, this is not.
func watch() {
	start := time.Now()
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	for {
		if metrics.Read(sample); sample[0].Value.Uint64()-sample[1].Value.Uint64() > maxMemory {
			os.Exit(exitMemory)
		}
		if time.Since(start) > maxTime {
			os.Exit(exitTime)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// look parses a file and walks its fields. The parser may panic on a file that is broken in a way it does not expect.
func look(data []byte, password string) (f found) {
	defer func() {
		if recover() != nil {
			f = found{Failed: failedDamaged}
		}
	}()
	model.ConfigPath = "disable" // else the parser makes itself a folder in the user's configuration
	conf := model.NewDefaultConfiguration()
	conf.UserPW, conf.OwnerPW = password, password
	conf.Offline = true
	conf.Limits = model.ResourceLimits{
		MaxStreamBytes: MaxPDFBytes, MaxDecodeBytes: maxDecoded, MaxImagePixels: 1, MaxImageBytes: 1, MaxObjectCount: maxObjects,
		MaxObjectStreamCount: maxObjects, MaxObjectStreamFirst: 4 << 20, MaxXRefEntries: maxObjects, MaxRecursionDepth: 64,
	}
	ctx, err := pdfcpu.ReadWithContext(context.Background(), bytes.NewReader(data), conf)
	if err != nil {
		return found{Failed: whyNot(err)}
	}
	if len(ctx.Table) > maxObjects {
		return found{Failed: failedComplex}
	}
	catalog, err := ctx.Catalog()
	if err != nil || catalog == nil {
		return found{Failed: failedDamaged}
	}
	w := &walker{follow: ctx.Dereference, seen: map[types.IndirectRef]bool{}}
	if err := w.form(catalog); err != nil {
		return found{Failed: whyNot(err)}
	}
	return found{Fields: w.fields}
}

// whyNot sorts the parser's errors. Several of its limits have no error of their own but say that they are one.
func whyNot(err error) failure {
	switch {
	case errors.Is(err, pdfcpu.ErrWrongPassword):
		return failedPassword
	case errors.Is(err, pdfcpu.ErrUnsupportedEncryptionFeature), strings.Contains(err.Error(), "precis:"): // a letter it takes in no password
		return failedSealed
	case errors.Is(err, pdfcpu.ErrCorruptHeader), errors.Is(err, pdfcpu.ErrPostScriptInput), errors.Is(err, pdfcpu.ErrEmptyInput):
		return failedNotPDF
	case errors.Is(err, errComplex), errors.Is(err, filter.ErrDecodeLimitExceeded), errors.Is(err, model.ErrMaxRecursionDepthExceeded),
		strings.Contains(err.Error(), "limit"):
		return failedComplex
	}
	return failedDamaged
}

// walker goes through the tree of fields from the top. It enters each object once, so a tree that is none comes to an end.
type walker struct {
	follow func(types.Object) (types.Object, error)
	seen   map[types.IndirectRef]bool
	nodes  int
	text   int
	fields []field
}

// inherited is what a field has from those above it.
type inherited struct {
	name  []string
	kind  string
	value types.Object
}

// object follows references to what they mean; nil for what cannot be found, which the format says is null.
func (w *walker) object(o types.Object) (types.Object, error) {
	for range maxDepth {
		if _, ref := o.(types.IndirectRef); !ref {
			return o, nil
		}
		var err error
		if o, err = w.follow(o); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (w *walker) dict(o types.Object) (types.Dict, error) {
	o, err := w.object(o)
	d, _ := o.(types.Dict)
	return d, err
}

func (w *walker) array(o types.Object) (types.Array, error) {
	o, err := w.object(o)
	a, _ := o.(types.Array)
	return a, err
}

func (w *walker) form(catalog types.Dict) error {
	form, err := w.dict(catalog["AcroForm"])
	if err != nil {
		return err
	}
	fields, err := w.array(form["Fields"])
	if err != nil {
		return err
	}
	for _, k := range fields {
		// Some programs list fields that are not at the top; what is above them is found through their parents.
		d, err := w.dict(k)
		if err != nil {
			return err
		}
		above, err := w.above(d)
		if err != nil {
			return err
		}
		if err := w.walk(k, above, 0); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) above(d types.Dict) (inherited, error) {
	var chain []types.Dict
	seen := map[types.IndirectRef]bool{}
	for d != nil {
		ref, ok := d["Parent"].(types.IndirectRef)
		if !ok || seen[ref] {
			break
		}
		if len(chain) == maxDepth {
			return inherited{}, errComplex
		}
		seen[ref] = true
		var err error
		if d, err = w.dict(ref); err != nil {
			return inherited{}, err
		}
		chain = append(chain, d)
	}
	var h inherited
	for i := len(chain) - 1; i >= 0; i-- {
		var err error
		if h, err = w.inherit(chain[i], h); err != nil {
			return inherited{}, err
		}
	}
	return h, nil
}

// inherit adds what a field says itself to what it has from above.
func (w *walker) inherit(d types.Dict, h inherited) (inherited, error) {
	if o, ok := d["T"]; ok {
		part, _, err := w.string(o, maxName)
		if err != nil {
			return h, err
		}
		h.name = append(h.name[:len(h.name):len(h.name)], part)
	}
	if o, ok := d["FT"]; ok {
		kind, err := w.object(o)
		if err != nil {
			return h, err
		}
		if n, ok := kind.(types.Name); ok {
			h.kind = n.Value()
		}
	}
	if o, ok := d["V"]; ok {
		v, err := w.object(o)
		if err != nil {
			return h, err
		}
		if v != nil {
			h.value = v
		}
	}
	return h, nil
}

func (w *walker) walk(o types.Object, h inherited, depth int) error {
	if w.nodes++; w.nodes > maxNodes || depth > maxDepth {
		return errComplex
	}
	if ref, ok := o.(types.IndirectRef); ok {
		if w.seen[ref] {
			return nil
		}
		w.seen[ref] = true
	}
	d, err := w.dict(o)
	if err != nil || d == nil {
		return err
	}
	if h, err = w.inherit(d, h); err != nil {
		return err
	}
	kids, err := w.array(d["Kids"])
	if err != nil {
		return err
	}
	if len(kids) > maxNodes {
		return errComplex
	}
	// Kids with names are fields; kids without are the places on the pages where this one is shown, and some programs put the value there.
	var shown []types.Dict
	parts := 0
	for _, k := range kids {
		kd, err := w.dict(k)
		if err != nil {
			return err
		}
		if kd == nil {
			continue
		}
		if _, ok := kd["T"]; !ok && kd["Kids"] == nil {
			shown = append(shown, kd)
			continue
		}
		parts++
		if err := w.walk(k, h, depth+1); err != nil {
			return err
		}
	}
	if parts > 0 {
		return nil
	}
	return w.terminal(append(shown, d), h)
}

// terminal notes a field and its value. The places are where it is shown, itself last.
func (w *walker) terminal(places []types.Dict, h inherited) error {
	for _, d := range places {
		if h.kind == "" {
			if n, ok := d["FT"].(types.Name); ok {
				h.kind = n.Value()
			}
		}
		if h.value == nil {
			v, err := w.object(d["V"])
			if err != nil {
				return err
			}
			h.value = v
		}
	}
	f := field{Name: h.name, Type: h.kind}
	switch {
	case h.kind != typeText && h.kind != typeChoice && h.kind != typeButton:
		f.Type = "" // signatures and what nobody knows
	case h.kind == typeButton:
		on, err := w.ticked(places, h.value)
		if err != nil {
			return err
		}
		f.On = on
	default:
		values := types.Array{h.value}
		if a, ok := h.value.(types.Array); ok {
			values = a
		}
		for i, o := range values {
			if i == maxValues {
				f.Cut = true
				break
			}
			s, cut, err := w.string(o, maxValue)
			if err != nil {
				return err
			}
			f.Values, f.Cut = append(f.Values, s), f.Cut || cut
		}
	}
	for _, s := range append(f.Values, f.Name...) {
		w.text += len(s)
	}
	if w.text > maxText {
		return errComplex
	}
	w.fields = append(w.fields, f)
	return nil
}

// ticked tells whether a box is on: by its value, else by how one of its places looks. Any state but Off is on, whatever its name.
func (w *walker) ticked(places []types.Dict, value types.Object) (bool, error) {
	if value != nil {
		s, _, err := w.string(value, maxName)
		return s != "" && s != "Off", err
	}
	for _, d := range places {
		s, _, err := w.string(d["AS"], maxName)
		if err != nil {
			return false, err
		}
		if s != "" && s != "Off" {
			return true, nil
		}
	}
	return false, nil
}

// string is the text of a string, a name or a stream, up to most bytes of it, and whether that was not all.
func (w *walker) string(o types.Object, most int) (string, bool, error) {
	o, err := w.object(o)
	if err != nil {
		return "", false, err
	}
	var s string
	switch o := o.(type) {
	case types.StringLiteral:
		s = text(unescape(o.Value()))
	case types.HexLiteral:
		b, err := o.Bytes()
		if err != nil {
			return "", false, err
		}
		s = text(b)
	case types.Name:
		s = strings.ToValidUTF8(o.Value(), "\ufffd")
	case types.StreamDict:
		if err := o.DecodeWithLimit(maxDecoded); err != nil {
			return "", false, err
		}
		s = text(o.Content)
	}
	if len(s) <= most {
		return s, false, nil
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most], true, nil
}

// unescape are the bytes of a string in parentheses (ISO 32000-2, 7.3.4.2). The parser's own function mistakes some line ends.
func unescape(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\r' {
			if i+1 < len(s) && s[i+1] == '\n' {
				i++
			}
			c = '\n'
		} else if c == '\\' && i+1 < len(s) {
			i++
			switch c = s[i]; c {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case 'b':
				c = '\b'
			case 'f':
				c = '\f'
			case '\r':
				if i+1 < len(s) && s[i+1] == '\n' {
					i++
				}
				continue
			case '\n':
				continue
			case '0', '1', '2', '3', '4', '5', '6', '7':
				v := 0
				end := min(i+3, len(s))
				for ; i < end && s[i] >= '0' && s[i] <= '7'; i++ {
					v = v*8 + int(s[i]-'0')
				}
				i--
				c = byte(v)
			}
		}
		out = append(out, c)
	}
	return out
}

// text decodes a text string (ISO 32000-2, 7.9.2.2): UTF-16 with a mark, UTF-8 with a mark, else PDFDocEncoding. Some programs write
// UTF-8 without its mark; what is not ASCII and happens to be valid UTF-8 is that. The parser's own function fails on a broken pair.
func text(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return wide(b[2:], binary.BigEndian)
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return wide(b[2:], binary.LittleEndian)
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return strings.ToValidUTF8(string(b[3:]), "\ufffd")
	case utf8.Valid(b):
		return string(b)
	}
	var s strings.Builder
	for _, c := range b {
		switch {
		case c >= 0x18 && c < 0x20:
			s.WriteRune(docLow[c-0x18])
		case c >= 0x80 && c <= 0xa0:
			s.WriteRune(docHigh[c-0x80])
		default:
			s.WriteRune(rune(c))
		}
	}
	return s.String()
}

func wide(b []byte, order binary.ByteOrder) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		u := order.Uint16(b)
		if u == 0x1b { // a language code between two of these
			for i := 2; i+1 < len(b) && i <= 12; i += 2 {
				if order.Uint16(b[i:]) == 0x1b {
					b = b[i:]
					break
				}
			}
			continue
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}

// Where PDFDocEncoding is not Latin-1 (ISO 32000-2, annex D.3).
var (
	docLow  = [8]rune{'˘', 'ˇ', 'ˆ', '˙', '˝', '˛', '˚', '˜'}
	docHigh = [33]rune{'•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł', 'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž',
		'\ufffd', '€'}
)
