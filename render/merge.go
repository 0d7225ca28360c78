package render

import (
	"crypto/sha256"
	"hash"
	"io"

	"caseforms"
)

// A Merge writes many documents into one PDF that is printed in one go: each begins on the front of a sheet of paper, with an empty page before
// it where the one before ends on a front, and keeps its own page numbers. Documents go out as they come and share their fonts; what stays in
// memory is some ten bytes for each object of the file.
//
// It is used by one goroutine at a time.
//
// It is a print job and nothing else: never recorded, never sent. The structure of the documents is kept, so that the file can be read out, but it
// claims to be neither a PDF/UA nor a PDF/A, nothing is attached to it, and nobody fills it in.
type Merge struct {
	w      io.Writer
	title  string
	lang   string
	f      *finisher
	err    error
	closed bool

	catalog, tree, whole, pages int // objects
	resources                   int // of documents that need no font of their own
	total                       int // pages
	tagged                      int // pages that have a number in the structure
	digest                      hash.Hash

	groups   []int // page groups
	inGroup  []int // of the group that is open: the page nodes
	group    int   // its number
	grouped  int   // its pages
	parts    []int // structure elements of the documents
	numbers  []int // the leaves of the parent tree
	outline  int
	bookmark pendingBookmark
	marks    int // documents
	first    int // bookmark
}

// pendingBookmark is that of the last document: it names the one after it, so that it waits for that.
type pendingBookmark struct {
	object, previous int
	label            string
	page             int // object
	height           int
	children         [2]int // first and last
	count            int
}

// MergeOptions say what a merged file is called.
type MergeOptions struct {
	Title string // of the file, without names; "" is the title of the first document
}

// documentsInGroup is how many documents stand under one node of the page tree, so that no node is too long for those who read it.
const documentsInGroup = 50

// NewMerge begins a merged file in w. It is complete when Close has returned without an error.
func NewMerge(w io.Writer, o MergeOptions) *Merge {
	return &Merge{w: w, title: o.Title, digest: sha256.New()}
}

// Add appends a document. The label is that of its bookmark: its reference, or form and row; no name, because a list of bookmarks is seen by
// whoever stands beside. A document that cannot be written is refused, and the file is as it was.
func (m *Merge) Add(doc *caseforms.Document, label string) (Report, error) {
	if m.err != nil {
		return Report{}, m.err
	}
	s, err := compose(doc, Options{Profile: ProfileArchive})
	if err != nil {
		return Report{}, err
	}
	defer s.release()
	if label = oneLine(label); label == "" {
		label = oneLine(doc.Title)
	}
	if m.f == nil {
		m.begin(s)
	}
	m.err = mergeFailed(m.add(s, label))
	return s.report(), m.err
}

// Close ends the file. Without a document there is nothing to print, and nothing has been written.
func (m *Merge) Close() error {
	switch {
	case m.err != nil || m.closed:
		return m.err
	case m.f == nil:
		m.err = &caseforms.Error{Kind: caseforms.Invalid, Op: "merge", Msg: "there is no document to print"}
		return m.err
	}
	m.closed = true
	m.err = mergeFailed(m.finish())
	return m.err
}

func mergeFailed(err error) error {
	if err == nil {
		return nil
	}
	return &caseforms.Error{Kind: caseforms.Internal, Op: "merge", Msg: "the file to print cannot be written", Err: err}
}

func (m *Merge) begin(s *sheet) {
	m.f = new(finisher)
	m.f.reset()
	m.f.out = append(m.f.out, "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"...)
	m.catalog, m.pages, m.tree, m.whole, m.outline = m.f.alloc(), m.f.alloc(), m.f.alloc(), m.f.alloc(), m.f.alloc()
	if m.title == "" {
		m.title = s.doc.Title
	}
	m.lang = s.doc.Lang
}

func (m *Merge) add(s *sheet, label string) error {
	f := m.f
	streams, err := f.writePages(s)
	if err != nil {
		return err
	}
	for _, b := range streams {
		m.digest.Write(b)
	}
	io.WriteString(m.digest, "\x00"+label+"\x00")

	if m.group == 0 {
		m.group = f.alloc()
	}
	node := f.alloc()
	blank := 0
	if m.total%2 == 1 { // the document before ends on a front
		blank = f.alloc()
		f.begin(blank)
		f.str("<</Type/Page/Parent ").ref(node).str("/MediaBox[0 0 " + s.mediaSize() + "]/Resources<<>>>>")
		f.end()
	}
	first := f.pages(s, streams, node, m.resourcesOf(s), m.tagged)
	f.begin(node)
	f.str("<</Type/Pages/Parent ").ref(m.group).str("/Kids[")
	pages := len(streams)
	if blank > 0 {
		pages++
		f.ref(blank).str(" ")
	}
	for i := range streams {
		f.ref(first + 2*i).str(" ")
	}
	f.str("]/Count ").int(pages).str(">>")
	f.end()
	m.inGroup = append(m.inGroup, node)
	m.grouped += pages
	m.total += pages
	if len(m.inGroup) == documentsInGroup {
		m.endGroup()
	}

	ids := f.elementNumbers(s)
	m.parts = append(m.parts, int(ids[0]))
	part := "Part"
	if s.doc.Lang != m.lang {
		part += "/Lang(" + s.doc.Lang + ")"
	}
	f.elements(s, ids, part, m.whole, first, 0)
	leaf := f.alloc()
	f.begin(leaf)
	f.str("<</Limits[").int(m.tagged).str(" ").int(m.tagged + len(streams) - 1).str("]/Nums[")
	f.parents(s, ids, m.tagged)
	f.str("]>>")
	f.end()
	m.numbers = append(m.numbers, leaf)
	m.tagged += len(streams)

	m.mark(s, first, label)
	f.flushObjects()
	return m.flush()
}

func (m *Merge) flush() error {
	n, err := m.w.Write(m.f.out)
	m.f.flushed += n
	m.f.out = m.f.out[:0]
	return err
}

// resourcesOf are the fonts of a document. Most need no others than their neighbours.
func (m *Merge) resourcesOf(s *sheet) int {
	own := len(s.usedWide[regular])+len(s.usedWide[bold])+len(s.arabic.drawn[regular])+len(s.arabic.drawn[bold]) > 0
	if m.resources > 0 && !own {
		return m.resources
	}
	n := m.f.alloc()
	if !own {
		m.resources = n
		s.usedBox = true // another may have boxes where this has none
	}
	m.f.put(n, "<</Font<<"+m.f.fonts(s)+">>>>")
	return n
}

func (m *Merge) endGroup() {
	f := m.f
	f.begin(m.group)
	f.str("<</Type/Pages/Parent ").ref(m.pages).str("/Kids[").refs(m.inGroup).str("]/Count ").int(m.grouped).str(">>")
	f.end()
	m.groups = append(m.groups, m.group)
	m.group, m.grouped, m.inGroup = 0, 0, m.inGroup[:0]
}

// mark writes the bookmarks of a document: its label, and under it those of its sections. The cards of a list are left out, because they
// go by names.
func (m *Merge) mark(s *sheet, first int, label string) {
	f := m.f
	b := pendingBookmark{object: f.alloc(), label: label, page: first, height: int(s.pageHeight)}
	m.writeBookmark(b.object)
	if b.previous = m.bookmark.object; b.previous == 0 {
		m.first = b.object
	}
	m.marks++
	var titles []bookmark
	for _, k := range s.bookmarks {
		if k.level == 2 && !k.card {
			titles = append(titles, k)
		}
	}
	from := f.next
	f.next += len(titles)
	for i, k := range titles {
		f.begin(from + i)
		f.str("<</Title").str(textString(clean(k.title))).str("/Parent ").ref(b.object)
		f.str("/Dest[").ref(first + 2*k.page).str("/XYZ 0 ").int(int(s.pageHeight - k.y)).str(" null]")
		if i > 0 {
			f.str("/Prev ").ref(from + i - 1)
		}
		if i+1 < len(titles) {
			f.str("/Next ").ref(from + i + 1)
		}
		f.str(">>")
		f.end()
	}
	if b.count = len(titles); b.count > 0 {
		b.children = [2]int{from, from + b.count - 1}
	}
	m.bookmark = b
}

// writeBookmark writes the bookmark that waited, now that the one after it is known: 0 when there is none.
func (m *Merge) writeBookmark(next int) {
	b, f := m.bookmark, m.f
	if b.object == 0 {
		return
	}
	f.begin(b.object)
	f.str("<</Title").str(textString(clean(b.label))).str("/Parent ").ref(m.outline).str("/Dest[").ref(b.page).str("/XYZ 0 ").int(b.height).str(" null]")
	if b.previous > 0 {
		f.str("/Prev ").ref(b.previous)
	}
	if next > 0 {
		f.str("/Next ").ref(next)
	}
	if b.count > 0 {
		f.str("/First ").ref(b.children[0]).str("/Last ").ref(b.children[1]).str("/Count ").int(-b.count) // closed
	}
	f.str(">>")
	f.end()
}

// finish writes what ties the documents together.
func (m *Merge) finish() error {
	f := m.f
	if len(m.inGroup) > 0 {
		m.endGroup()
	}
	m.writeBookmark(0)
	f.begin(m.outline)
	f.str("<</Type/Outlines/First ").ref(m.first).str("/Last ").ref(m.bookmark.object).str("/Count ").int(m.marks).str(">>")
	f.end()
	f.begin(m.pages)
	f.str("<</Type/Pages/Kids[").refs(m.groups).str("]/Count ").int(m.total).str(">>")
	f.end()
	f.begin(m.whole)
	f.str("<</S/Document/P ").ref(m.tree).str("/K[").refs(m.parts).str("]>>")
	f.end()
	parents := f.alloc()
	f.begin(parents)
	f.str("<</Kids[").refs(m.numbers).str("]>>")
	f.end()
	f.begin(m.tree)
	f.str("<</Type/StructTreeRoot/K ").ref(m.whole).str("/ParentTree ").ref(parents).str("/ParentTreeNextKey ").int(m.tagged).str(">>")
	f.end()
	info, meta := f.alloc(), f.alloc()
	f.put(info, "<</Title "+textString(m.title)+"/Producer "+textString(producer)+">>")
	f.stream(meta, "/Type/Metadata/Subtype/XML", []byte(xmp(m.title, "", conformsToNothing)))
	f.begin(m.catalog)
	f.str("<</Type/Catalog/Pages ").ref(m.pages).str("/Metadata ").ref(meta).str("/Lang(" + m.lang + ")/MarkInfo<</Marked true>>/StructTreeRoot ").ref(m.tree)
	f.str("/Outlines ").ref(m.outline).str("/PageMode/UseOutlines/ViewerPreferences<</DisplayDocTitle true/Duplex/DuplexFlipLongEdge>>>>")
	f.end()
	f.flushObjects()
	f.trailer(m.catalog, info, m.digest.Sum(nil)[:16])
	return m.flush()
}

// refs writes references.
func (f *finisher) refs(numbers []int) *finisher {
	for _, n := range numbers {
		f.ref(n).str(" ")
	}
	return f
}
