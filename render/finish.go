package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unsafe"

	"github.com/go-pdf/fpdf"
	"github.com/klauspost/compress/flate"
)

// producer names the program in the file. It has no version, so that a new build of the same renderer writes the same bytes.
const producer = "caseforms"

// fpdf writes the pages; it knows nothing of tags and its embedded fonts are mapped wrongly, so its file is not kept. finish reads the
// page contents back from it and writes them into a file of its own: structure tree, fonts, metadata, identifier, object streams.
func (s *sheet) finish(w io.Writer) (sum [sha256.Size]byte, err error) {
	f := finishers.Get().(*finisher)
	defer func() { f.seal = nil; finishers.Put(f) }()
	f.reset()
	f.seen = s.options.seen
	extensions := ""
	if s.options.Profile == ProfileSecure {
		f.seal, extensions = newSeal(s.options.Password, nobodysPassword()), sealExtensions
	}
	streams, err := f.writePages(s)
	if err != nil {
		return sum, err
	}
	answers, err := s.answers()
	if err != nil {
		return sum, err
	}
	f.out = append(f.out, "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"...)
	catalog, pages, info, meta, resources := f.alloc(), f.alloc(), f.alloc(), f.alloc(), f.alloc()
	f.put(resources, "<</Font<<"+f.fonts(s)+">>>>")
	first := f.pages(s, streams, pages, resources, 0)
	f.begin(pages)
	f.str("<</Type/Pages/Kids[")
	for i := range streams {
		f.ref(first + 2*i).str(" ")
	}
	f.str("]/Count ").int(len(streams)).str(">>")
	f.end()
	fields := f.next
	f.next += len(s.fields)
	tree := f.structure(s, first, fields)
	title := s.doc.Title
	archival := s.options.Profile != ProfileSecure // PDF/A forbids encryption (ISO 19005-3, 6.1.3)
	conforms := conformsToUA
	if archival {
		conforms = conformsToUAAndA
	}
	f.put(info, "<</Title "+textString(title)+"/Producer "+textString(producer)+">>")
	f.stream(meta, "/Type/Metadata/Subtype/XML", []byte(xmp(title, s.doc.Ref, conforms)))
	more := f.outline(s, first) + f.attach(s, answers) + f.form(s, fields, first)
	if archival && !s.options.colourless {
		profile := f.alloc()
		f.stream(profile, "/N 3/Filter/FlateDecode", srgb())
		more += fmt.Sprintf("/OutputIntents[<</Type/OutputIntent/S/GTS_PDFA1/OutputConditionIdentifier(sRGB)/Info(sRGB)/DestOutputProfile %d 0 R>>]", profile)
	}
	f.put(catalog, fmt.Sprintf("<</Type/Catalog/Pages %d 0 R/Metadata %d 0 R/Lang(%s)/ViewerPreferences<</DisplayDocTitle true>>/MarkInfo<</Marked true>>/StructTreeRoot %d 0 R%s>>",
		pages, meta, s.doc.Lang, tree, extensions+more))
	f.flushObjects()
	h := sha256.New() // the identifier follows from everything before it
	h.Write(f.out)
	hashed := len(f.out)
	f.trailer(catalog, info, h.Sum(nil)[:16])
	h.Write(f.out[hashed:])
	_, err = w.Write(f.out)
	return [sha256.Size]byte(h.Sum(nil)), err
}

// pages writes the pages and gives the number of the first; the page with index i is object first+2i. base is the first of their numbers in
// the structure.
func (f *finisher) pages(s *sheet, streams [][]byte, parent, resources, base int) (first int) {
	first = f.next
	f.next += 2 * len(streams)
	for i, data := range streams {
		f.begin(first + 2*i)
		f.str("<</Type/Page/Parent ").ref(parent).str("/MediaBox[0 0 ").str(s.mediaSize()).str("]/Resources ").ref(resources).str("/Contents ").ref(first + 2*i + 1)
		f.str("/Tabs/S/StructParents ").int(base + i)
		f.annotations(s, i, first+2*len(streams))
		f.str(">>")
		f.end()
		f.stream(first+2*i+1, f.pageFilter(), data)
	}
	return first
}

// mediaSize is width and height of the pages.
func (s *sheet) mediaSize() string {
	return string(number(append(number(nil, s.pageWidth), ' '), s.pageHeight))
}

// writePages lets fpdf write the pages and gives what stands on each, as it is in the file. fpdf copies a page several times over, so it gets
// it compressed.
func (f *finisher) writePages(s *sheet) ([][]byte, error) {
	begins, err := pageBegins()
	if err != nil {
		return nil, err
	}
	p := newFpdf()
	for i, c := range s.pages {
		p.AddPage()
		raw := append(append(f.raw[:0], begins...), s.heads[i]...)
		raw = append(append(append(raw, '\n'), c...), '\n')
		f.raw = raw
		if f.seen != nil {
			f.seen(kindPage, raw)
		} else {
			f.packed = codes()[kindPage].zlib(f.packed[:0], &f.matches, raw)
			raw = f.packed
		}
		p.RawWriteStr(unsafe.String(unsafe.SliceData(raw), len(raw))) // fpdf copies it at once
	}
	f.base.Reset()
	if err := p.Output(&f.base); err != nil {
		return nil, err
	}
	f.streams, err = pageStreams(f.base.Bytes(), f.streams[:0])
	for i, b := range f.streams {
		content, ours := bytes.CutPrefix(b, begins)
		if !ours {
			return nil, errFpdf
		}
		f.streams[i] = bytes.TrimSuffix(content, []byte("\n"))
	}
	return f.streams, err
}

// pageFilter says how writePages compressed the pages.
func (f *finisher) pageFilter() string {
	if f.seen != nil {
		return ""
	}
	return "/Filter/FlateDecode"
}

// newFpdf begins a file. Everything that could differ from one run to the next is fixed.
func newFpdf() *fpdf.Fpdf {
	p := fpdf.New("P", "pt", "A4", "")
	p.SetCompression(false)
	p.SetAutoPageBreak(false, 0)
	p.SetCatalogSort(true)
	p.SetCreationDate(time.Unix(0, 0).UTC())
	p.SetModificationDate(time.Unix(0, 0).UTC())
	return p
}

// pageBegins is what fpdf writes at the beginning of every page: it belongs to what is drawn, and so stands compressed before it.
var pageBegins = sync.OnceValues(func() ([]byte, error) {
	p := newFpdf()
	p.AddPage()
	var b bytes.Buffer
	if err := p.Output(&b); err != nil {
		return nil, err
	}
	pages, err := pageStreams(b.Bytes(), nil)
	if err != nil || len(pages) != 1 {
		return nil, errFpdf
	}
	return pages[0], nil
})

var errFpdf = errors.New("fpdf wrote a file that cannot be read back")

// pageStreams finds the page contents in the file fpdf wrote, by its cross-reference table.
func pageStreams(b []byte, dst [][]byte) ([][]byte, error) {
	i := bytes.LastIndex(b, []byte("startxref\n"))
	if i < 0 {
		return nil, errFpdf
	}
	start, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(b[i+10:]), []byte("%%EOF")))))
	if err != nil || start >= len(b) {
		return nil, errFpdf
	}
	x := b[start:]
	head, rest, ok1 := bytes.Cut(x, []byte("\n"))
	count, table, ok2 := bytes.Cut(rest, []byte("\n"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimPrefix(count, []byte("0 ")))))
	if !ok1 || !ok2 || err != nil || string(head) != "xref" || len(table) < 20*n {
		return nil, errFpdf
	}
	object := func(k int) []byte {
		o, err := strconv.Atoi(string(table[k*20 : k*20+10]))
		if err != nil || o >= len(b) {
			return nil
		}
		_, body, _ := bytes.Cut(b[o:], []byte("\n"))
		return body
	}
	for k := 1; k+1 < n; k++ {
		if !bytes.HasPrefix(object(k), []byte("<</Type /Page\n")) {
			continue
		}
		dict, body, ok := bytes.Cut(object(k+1), []byte("\nstream\n"))
		length, err := strconv.Atoi(string(bytes.TrimSuffix(bytes.TrimPrefix(dict, []byte("<</Length ")), []byte(">>"))))
		if !ok || err != nil || length > len(body) {
			return nil, errFpdf
		}
		dst = append(dst, body[:length])
	}
	return dst, nil
}

// finisher writes the objects of a file: streams straight to out, everything else into one object stream.
type finisher struct {
	base    bytes.Buffer
	streams [][]byte
	out     []byte
	flushed int   // bytes of the file that are no longer in out
	offsets []int // by object number: > 0 the place in the file, < 0 minus the place in an object stream, see inStream; 0 unset
	objects []byte
	numbers []int // objects in the object stream
	places  []int
	ids     []int32
	next    int
	simple  [2]int // the faces' simple fonts, once they are written
	boxes   int    // the font of tick boxes, once it is written
	scratch []byte
	z       bytes.Buffer
	raw     []byte // a page
	packed  []byte
	matches matcher
	seen    func(kind, []byte)
	alike   [8]struct{ data, packed []byte } // the objects of the last documents
	oldest  int
	seal    *seal // nil when the file is open to everybody
}

var finishers = sync.Pool{New: func() any { return new(finisher) }}

func (f *finisher) reset() {
	f.base.Reset()
	f.out, f.offsets, f.objects = f.out[:0], f.offsets[:0], f.objects[:0]
	f.numbers, f.places, f.next, f.seal = f.numbers[:0], f.places[:0], 1, nil
	f.flushed, f.simple, f.boxes = 0, [2]int{}, 0
}

// An object in an object stream has the stream's number above the bits of its place in it, which counts from 1. Until the stream is written
// that number is 0.
const placeBits = 24

func (f *finisher) alloc() int { f.next++; return f.next - 1 }

func (f *finisher) set(n, v int) {
	for len(f.offsets) <= n {
		f.offsets = append(f.offsets, 0)
	}
	f.offsets[n] = v
}

func (f *finisher) begin(n int) {
	f.numbers = append(f.numbers, n)
	f.places = append(f.places, len(f.objects))
	f.set(n, -len(f.numbers))
}

func (f *finisher) end() { f.objects = append(f.objects, '\n') }

func (f *finisher) str(s string) *finisher { f.objects = append(f.objects, s...); return f }

func (f *finisher) int(n int) *finisher {
	f.objects = appendInt(f.objects, n)
	return f
}

func (f *finisher) ref(n int) *finisher { return f.int(n).str(" 0 R") }

func (f *finisher) put(n int, body string) {
	f.begin(n)
	f.str(body)
	f.end()
}

// stream writes a stream. A string in its dictionary would not be sealed: what has one goes into an object of its own.
func (f *finisher) stream(n int, dict string, data []byte) {
	data = f.seal.data(data)
	f.set(n, f.flushed+len(f.out))
	f.out = strconv.AppendInt(f.out, int64(n), 10)
	f.out = append(append(f.out, " 0 obj\n<<"...), dict...)
	f.out = strconv.AppendInt(append(f.out, "/Length "...), int64(len(data)), 10)
	f.out = append(append(append(f.out, ">>stream\n"...), data...), "\nendstream\nendobj\n"...)
}

// deflate compresses in one go: our streams are small, and a compressor with a window of its own spends its time on fetching that.
func (f *finisher) deflate(n int, dict string, data []byte) {
	f.z.Reset()
	f.z.Write([]byte{0x78, 0x01})                 // RFC 1950
	flate.StatelessDeflate(&f.z, data, true, nil) // a bytes.Buffer does not fail
	f.stream(n, dict+"/Filter/FlateDecode", binary.BigEndian.AppendUint32(f.z.Bytes(), adler32.Checksum(data)))
}

// deflateAs compresses what every document has, by the code of its kind.
func (f *finisher) deflateAs(k kind, n int, dict string, data []byte) {
	if f.seen != nil {
		f.seen(k, data)
		f.stream(n, dict, data)
		return
	}
	if k == kindObjects {
		f.stream(n, dict+"/Filter/FlateDecode", f.objectsPacked(data))
		return
	}
	f.packed = codes()[k].zlib(f.packed[:0], &f.matches, data)
	f.stream(n, dict+"/Filter/FlateDecode", f.packed)
}

// objectsPacked compresses the objects. Those of documents of one form that are laid out alike do not differ, whatever their answers: they are
// recognised by their bytes.
func (f *finisher) objectsPacked(data []byte) []byte {
	for i := range f.alike {
		if bytes.Equal(f.alike[i].data, data) {
			return f.alike[i].packed
		}
	}
	a := &f.alike[f.oldest]
	f.oldest = (f.oldest + 1) % len(f.alike)
	a.data = append(a.data[:0], data...)
	a.packed = codes()[kindObjects].zlib(a.packed[:0], &f.matches, data)
	return a.packed
}

func (f *finisher) fonts(s *sheet) string {
	var b strings.Builder
	for i, fc := range s.faces {
		if f.simple[i] == 0 {
			f.simple[i] = f.font(fc.simple())
		}
		fmt.Fprintf(&b, "/%s %d 0 R", fc.name, f.simple[i])
		if used := s.usedWide[i]; len(used) > 0 {
			fmt.Fprintf(&b, "/%sW %d 0 R", fc.name, f.font(fc.wideFont(slices.Sorted(maps.Keys(used)))))
		}
	}
	if s.usedBox {
		if f.boxes == 0 {
			f.boxes = f.font(boxes())
		}
		fmt.Fprintf(&b, "/FB %d 0 R", f.boxes)
	}
	return b.String() + f.arabicFonts(s)
}

var boxes = sync.OnceValue(boxFont)

// font writes a font's objects and gives the number of its dictionary.
func (f *finisher) font(o fontObj) int {
	base := f.next
	f.next += len(o)
	for i, b := range o {
		if b.raw {
			f.deflate(base+i, b.dict, b.data)
			continue
		}
		if b.data != nil {
			f.stream(base+i, b.dict+"/Filter/FlateDecode", b.data)
			continue
		}
		f.begin(base + i)
		for rest := b.dict; ; {
			before, after, found := strings.Cut(rest, "@")
			f.str(before)
			if !found {
				break
			}
			f.ref(base + int(after[0]-'0'))
			rest = after[1:]
		}
		f.end()
	}
	return base
}

// annotations names the fields on a page, whose objects follow one another from first on.
func (f *finisher) annotations(s *sheet, page, first int) {
	any := false
	for i := range s.fields {
		if s.fields[i].page != page {
			continue
		}
		if !any {
			f.str("/Annots[")
			any = true
		}
		f.ref(first + i).str(" ")
	}
	if any {
		f.str("]")
	}
}

// structure writes the structure tree (ISO 32000-1, 14.7) and gives the number of its root. The page with index i is object first+2i, the
// field with index i is object fields+i.
func (f *finisher) structure(s *sheet, first, fields int) int {
	root, parents := f.alloc(), f.alloc()
	ids := f.elementNumbers(s)
	f.begin(root)
	f.str("<</Type/StructTreeRoot/K ").ref(int(ids[0])).str("/ParentTree ").ref(parents).str("/ParentTreeNextKey ").int(len(s.tagged) + len(s.fields)).str(">>")
	f.end()
	f.begin(parents)
	f.str("<</Nums[")
	f.parents(s, ids, 0)
	for i := range s.fields {
		f.int(len(s.tagged) + i).str(" ").ref(int(ids[s.fields[i].element])).str(" ")
	}
	f.str("]>>")
	f.end()
	f.elements(s, ids, roleNames[roleDocument], root, first, fields)
	return root
}

// elementNumbers gives every element a number.
func (f *finisher) elementNumbers(s *sheet) []int32 {
	ids := f.ids[:0]
	for i := range s.elems {
		ids = append(ids, 0)
		if s.elems[i].role < roleContent {
			ids[i] = int32(f.alloc())
		}
	}
	f.ids = ids
	return ids
}

// parents writes which elements the marked content of the pages belongs to, under the pages' numbers in the structure.
func (f *finisher) parents(s *sheet, ids []int32, base int) {
	for page, marks := range s.tagged {
		f.int(base + page).str("[")
		for _, e := range marks {
			f.ref(int(ids[e])).str(" ")
		}
		f.str("]")
	}
}

// elements writes the elements of a document under the object top. The first, which holds all others, is of the type named.
func (f *finisher) elements(s *sheet, ids []int32, document string, top, first, fields int) {
	for i := range s.elems {
		e := &s.elems[i]
		if e.role >= roleContent {
			continue
		}
		f.begin(int(ids[i]))
		if i == 0 {
			f.str("<</S/").str(document).str("/P ").ref(top)
		} else {
			f.str("<</S/").str(roleNames[e.role]).str("/P ").ref(int(ids[e.parent]))
		}
		switch e.scope {
		case scopeRow:
			f.str("/A<</O/Table/Scope/Row>>")
		case scopeColumn:
			f.str("/A<</O/Table/Scope/Column>>")
		}
		if e.role == roleFigure { // PDF/UA-1, 7.3
			fig := &s.figures[e.id]
			f.str("/Alt").str(textString(fig.alt)).str("/A<</O/Layout/Placement/Block/BBox[")
			for _, v := range []float64{fig.left, s.pageHeight - fig.foot, fig.right, s.pageHeight - fig.top} {
				f.objects = append(number(f.objects, v), ' ')
			}
			f.str("]>>")
		}
		if e.actual != "" {
			f.str("/ActualText").str(textString(e.actual))
		}
		f.kids(s, e, ids, first, fields)
		f.str(">>")
		f.end()
	}
}

// kids writes the children of an element. Content on the page of the first piece is given by its number alone.
func (f *finisher) kids(s *sheet, e *element, ids []int32, first, fields int) {
	if e.first < 0 {
		return
	}
	page := int32(-1)
	for c := e.first; c >= 0; c = s.elems[c].next {
		if s.elems[c].role == roleContent {
			page = s.elems[c].page
			f.str("/Pg ").ref(first + 2*int(page))
			break
		}
	}
	f.str("/K[")
	for c := e.first; c >= 0; c = s.elems[c].next {
		switch k := &s.elems[c]; {
		case k.role < roleContent:
			f.ref(int(ids[c]))
		case k.role == roleObject:
			f.str("<</Type/OBJR/Pg ").ref(first + 2*int(k.page)).str("/Obj ").ref(fields + int(k.id)).str(">>")
		case k.page == page:
			f.int(int(k.id))
		default:
			f.str("<</Type/MCR/Pg ").ref(first + 2*int(k.page)).str("/MCID ").int(int(k.id)).str(">>")
		}
		f.str(" ")
	}
	f.str("]")
}

// outline writes the bookmarks, sections with their cards below them, and gives their entry in the catalog (ISO 32000-1, 12.3.3).
func (f *finisher) outline(s *sheet, first int) string {
	if len(s.bookmarks) == 0 {
		return ""
	}
	root := f.next
	f.next += 1 + len(s.bookmarks)
	// Of each bookmark: the one above it, its neighbours of the same level, its first and last below.
	type links struct{ parent, prev, next, first, last, count int }
	all := make([]links, len(s.bookmarks)+1) // 0 is the root
	section := 0
	for i := range s.bookmarks {
		up := 0
		if s.bookmarks[i].level > 2 && section > 0 {
			up = section
		} else {
			section = i + 1
		}
		me, parent := &all[i+1], &all[up]
		me.parent, me.prev = up, parent.last
		if parent.last > 0 {
			all[parent.last].next = i + 1
		} else {
			parent.first = i + 1
		}
		parent.last = i + 1
		parent.count++
	}
	for i, l := range all {
		f.begin(root + i)
		f.str("<<")
		if i == 0 {
			f.str("/Type/Outlines")
		} else {
			m := s.bookmarks[i-1]
			f.str("/Title").str(textString(clean(m.title))).str("/Parent ").ref(root + l.parent)
			f.str("/Dest[").ref(first + 2*m.page).str("/XYZ 0 ").int(int(s.pageHeight - m.y)).str(" null]")
		}
		for _, e := range []struct {
			key string
			to  int
		}{{"/Prev ", l.prev}, {"/Next ", l.next}, {"/First ", l.first}, {"/Last ", l.last}} {
			if e.to > 0 {
				f.str(e.key).ref(root + e.to)
			}
		}
		switch {
		case l.count > 0 && i > 0:
			f.str("/Count ").int(-l.count) // closed
		case l.count > 0:
			f.str("/Count ").int(l.count)
		}
		f.str(">>")
		f.end()
	}
	return fmt.Sprintf("/Outlines %d 0 R", root)
}

// answers is what is attached to the file: the printed answers of this copy, nothing else. A blank form has none.
func (s *sheet) answers() ([]byte, error) {
	if s.doc.Blank {
		return nil, nil
	}
	var err error
	s.attached, err = appendJSON(s.attached[:0], s.doc)
	return s.attached, err
}

const attachmentName = "answers.json"

// attach embeds the answers and gives their entries in the catalog (ISO 32000-1, 7.11.4; ISO 19005-3, 6.8).
func (f *finisher) attach(s *sheet, answers []byte) string {
	if answers == nil {
		return ""
	}
	file, spec := f.alloc(), f.alloc()
	params := ""
	if s.options.Profile != ProfileSecure && !s.doc.Date.IsZero() { // strings in the dictionary of a stream would have to be sealed by themselves
		params = fmt.Sprintf("/Params<</Size %d/ModDate(D:%04d%02d%02d000000+00'00')>>", len(answers), s.doc.Date.Year, s.doc.Date.Month, s.doc.Date.Day)
	}
	f.deflateAs(kindAnswers, file, "/Type/EmbeddedFile/Subtype/application#2Fjson"+params, answers)
	f.put(spec, fmt.Sprintf("<</Type/Filespec/F(%s)/UF(%s)/Desc(The printed answers as data)/AFRelationship/Data/EF<</F %d 0 R/UF %d 0 R>>>>", attachmentName, attachmentName, file, file))
	return fmt.Sprintf("/AF[%d 0 R]/Names<</EmbeddedFiles<</Names[(%s)%d 0 R]>>>>", spec, attachmentName, spec)
}

// flushObjects writes the objects that are not streams as one object stream (ISO 32000-1, 7.5.7).
func (f *finisher) flushObjects() {
	stream := f.alloc()
	head := f.scratch[:0]
	for i, n := range f.numbers {
		head = appendInt(head, n)
		head = appendInt(append(head, ' '), f.places[i])
		head = append(head, ' ')
		f.offsets[n] -= stream << placeBits
	}
	first := len(head)
	head = append(head, f.objects...)
	f.deflateAs(kindObjects, stream, fmt.Sprintf("/Type/ObjStm/N %d/First %d", len(f.numbers), first), head)
	f.scratch = head
	f.numbers, f.places, f.objects = f.numbers[:0], f.places[:0], f.objects[:0]
}

// trailer writes the cross-reference stream that ends the file (ISO 32000-1, 7.5.8). All objects are flushed.
func (f *finisher) trailer(catalog, info int, id []byte) {
	encrypt, id := f.endSeal(id)
	xref, start := f.alloc(), f.flushed+len(f.out)
	f.set(xref, start)
	x := f.scratch[:0]
	for n, v := range f.offsets {
		switch {
		case n == 0 || v == 0:
			x = append(x, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)
		case v > 0:
			x = append(x, 1, byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v), 0, 0, 0)
		default:
			stream, k := -v>>placeBits, -v&(1<<placeBits-1)-1
			x = append(x, 2, 0, byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream), byte(k>>16), byte(k>>8), byte(k))
		}
	}
	f.deflateAs(kindXref, xref, fmt.Sprintf("/Type/XRef/Size %d/W[1 5 3]/Root %d 0 R/Info %d 0 R/ID[<%x><%x>]%s", len(f.offsets), catalog, info, id, id, encrypt), x)
	f.scratch = x
	f.out = append(f.out, "startxref\n"...)
	f.out = strconv.AppendInt(f.out, int64(start), 10)
	f.out = append(f.out, "\n%%EOF\n"...)
}

// textString is a PDF text string (ISO 32000-1, 7.9.2.2).
func textString(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 || s[i] < 0x20 {
			var b strings.Builder
			b.WriteString("<FEFF")
			for _, u := range utf16.Encode([]rune(s)) {
				fmt.Fprintf(&b, "%04X", u)
			}
			return b.String() + ">"
		}
	}
	return "(" + escapeString.Replace(s) + ")"
}

var escapeString = strings.NewReplacer(`\`, `\\`, "(", `\(`, ")", `\)`)

// conformity is what a file says it conforms to.
type conformity int

const (
	conformsToNothing conformity = iota
	conformsToUA                 // PDF/UA-1
	conformsToUAAndA             // and PDF/A-3a
)

// xmp is the metadata of the file (ISO 16684-1): its title, the reference of a document that was issued, and what it conforms to. PDF/A wants the
// property of PDF/UA described (ISO 19005-3, 6.6.2.3.3).
func xmp(title, ref string, c conformity) string {
	var b strings.Builder
	b.WriteString("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">" +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/">` +
		`<dc:title><rdf:Alt><rdf:li xml:lang="x-default">`)
	b.WriteString(escapeXML.Replace(title))
	b.WriteString(`</rdf:li></rdf:Alt></dc:title>`)
	if ref != "" {
		b.WriteString(`<dc:identifier>` + escapeXML.Replace(ref) + `</dc:identifier>`)
	}
	b.WriteString(`<pdf:Producer>` + producer + `</pdf:Producer>`)
	if c != conformsToNothing {
		b.WriteString(`<pdfuaid:part>1</pdfuaid:part>`)
	}
	b.WriteString(`</rdf:Description>`)
	if c == conformsToUAAndA {
		b.WriteString(`<rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance></rdf:Description>` +
			`<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">` +
			`<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema><pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>` +
			`<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>` +
			`<pdfaProperty:category>internal</pdfaProperty:category><pdfaProperty:description>Part of ISO 14289 the file follows</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>`)
	}
	b.WriteString("</rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>")
	return b.String()
}

var escapeXML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
