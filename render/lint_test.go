package render_test

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
	"golang.org/x/image/font/sfnt"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// pdfFile is a file taken apart, so that it can be looked at and, for the mutants, changed.
type pdfFile struct {
	*model.Context
	raw []byte
}

func init() { model.ConfigPath = "disable" } // else the parser makes itself a folder in the user's configuration

func parsePDF(t testing.TB, raw []byte) *pdfFile {
	t.Helper()
	c, err := pdfcpu.Read(bytes.NewReader(raw), model.NewDefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	return &pdfFile{c, raw}
}

// lint is our own reading of what PDF/UA-1 (ISO 14289-1) and PDF/A-3a (ISO 19005-3) ask of the files we write. It knows which constructs we
// use and refuses what it does not know. Each finding begins with the clause.
func lint(f *pdfFile, archival bool) (found []string) {
	return (&linter{f: f, archival: archival}).run()
}

// lintPrintJob is the same of many documents merged for printing: in structure and contents as the documents are, and it claims nothing.
func lintPrintJob(f *pdfFile) (found []string) {
	return (&linter{f: f, printJob: true}).run()
}

func (l *linter) run() (found []string) {
	l.elems, l.contents, l.widgets, l.painted = map[int]types.Dict{}, map[int][]mcid{}, map[int]bool{}, map[[2]int]*rect{}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(lintStop)
			if !ok {
				panic(r)
			}
			found = append(l.found, e.Error())
		}
	}()
	l.file()
	l.catalog()
	l.metadata()
	l.structure()
	l.pages()
	l.parentTree()
	l.figures()
	l.fields()
	l.outlines()
	l.attachments()
	l.everyObject()
	return l.found
}

type lintStop struct{ error }

type mcid struct {
	page, id int
	role     string
}

type linter struct {
	f        *pdfFile
	archival bool
	printJob bool
	found    []string
	cat      types.Dict
	elems    map[int]types.Dict // structure elements by object number
	contents map[int][]mcid     // marked content by the object number of the element that owns it
	widgets  map[int]bool       // object numbers of annotations that stand in the structure
	pageNums []int              // object numbers of pages
	painted  map[[2]int]*rect   // by page and marked content: where something is drawn
}

func (l *linter) add(clause, format string, args ...any) {
	l.found = append(l.found, clause+": "+fmt.Sprintf(format, args...))
}

func (l *linter) get(o types.Object) types.Object {
	v, err := l.f.Dereference(o)
	if err != nil {
		panic(lintStop{fmt.Errorf("unreadable: %w", err)})
	}
	return v
}

func (l *linter) dict(o types.Object) types.Dict {
	switch v := l.get(o).(type) {
	case types.Dict:
		return v
	case types.StreamDict:
		return v.Dict
	}
	return nil
}

func (l *linter) array(o types.Object) types.Array {
	a, _ := l.get(o).(types.Array)
	return a
}

func (l *linter) name(o types.Object) string {
	n, _ := l.get(o).(types.Name)
	return string(n)
}

func (l *linter) number(o types.Object) (float64, bool) {
	switch v := l.get(o).(type) {
	case types.Integer:
		return float64(v), true
	case types.Float:
		return float64(v), true
	}
	return 0, false
}

func (l *linter) text(o types.Object) string {
	s, err := l.f.DereferenceText(o)
	if err != nil {
		return ""
	}
	return s
}

func (l *linter) stream(o types.Object) []byte {
	s, ok := l.get(o).(types.StreamDict)
	if !ok {
		return nil
	}
	if s.Content == nil {
		if err := s.Decode(); err != nil {
			panic(lintStop{err})
		}
	}
	return s.Content
}

func ref(o types.Object) int {
	if r, ok := o.(types.IndirectRef); ok {
		return r.ObjectNumber.Value()
	}
	return 0
}

func (l *linter) file() {
	head := l.f.raw
	if l.archival && (!bytes.HasPrefix(head, []byte("%PDF-1.7\n%")) || len(head) < 15 || slices.ContainsFunc(head[10:14], func(b byte) bool { return b < 0x80 })) {
		l.add("A 6.1.2", "the header is not that of a binary PDF 1.7")
	}
	if len(l.f.ID) != 2 {
		l.add("A 6.1.3", "the trailer has no identifier")
	}
	if l.f.Encrypt != nil && l.archival {
		l.add("A 6.1.3", "the file is encrypted")
	}
}

func (l *linter) catalog() {
	cat, err := l.f.Catalog()
	if err != nil {
		panic(lintStop{err})
	}
	l.cat = cat
	if m := l.dict(cat["MarkInfo"]); m == nil || m.BooleanEntry("Marked") == nil || !*m.BooleanEntry("Marked") {
		l.add("UA 7.1, A 6.7.2", "the file is not marked as tagged")
	}
	if v := l.dict(cat["ViewerPreferences"]); v == nil || v.BooleanEntry("DisplayDocTitle") == nil || !*v.BooleanEntry("DisplayDocTitle") {
		l.add("UA 7.1", "the window does not show the title")
	}
	if lang := l.text(cat["Lang"]); lang != "en-GB" && lang != "cy" {
		l.add("UA 7.2, A 6.7.4", "the language is %q", lang)
	}
	for _, k := range []string{"OpenAction", "AA", "Perms", "OCProperties", "NeedsRendering"} {
		if cat[k] != nil {
			l.add("A 6.5, 6.6", "the catalog has %s", k)
		}
	}
	if l.archival {
		out := l.array(cat["OutputIntents"])
		if len(out) != 1 {
			l.add("A 6.2.3", "there is no output intent")
			return
		}
		o := l.dict(out[0])
		p, _ := l.get(o["DestOutputProfile"]).(types.StreamDict)
		icc := l.stream(o["DestOutputProfile"])
		if l.name(o["S"]) != "GTS_PDFA1" || l.text(o["OutputConditionIdentifier"]) == "" || p.IntEntry("N") == nil || *p.IntEntry("N") != 3 {
			l.add("A 6.2.3", "the output intent is not one of PDF/A")
		}
		if len(icc) < 128 || string(icc[36:40]) != "acsp" || string(icc[16:20]) != "RGB " || int(binary.BigEndian.Uint32(icc)) != len(icc) || icc[8] > 4 {
			l.add("A 6.2.3", "the output intent's profile is not a profile of three colours")
		}
	}
}

func (l *linter) metadata() {
	s, ok := l.get(l.cat["Metadata"]).(types.StreamDict)
	if !ok {
		l.add("UA 7.1, A 6.6.2", "there is no metadata")
		return
	}
	if s.Dict["Filter"] != nil {
		l.add("A 6.6.2", "the metadata is filtered")
	}
	x := string(l.stream(l.cat["Metadata"]))
	d := xml.NewDecoder(strings.NewReader(x))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			l.add("A 6.6.2", "the metadata is not XML: %v", err)
			return
		}
	}
	if !strings.HasPrefix(x, "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>") || strings.Contains(strings.SplitN(x, "?>", 2)[0], "encoding") {
		l.add("A 6.6.2", "the packet head is wrong")
	}
	between := func(tag string) string {
		_, after, ok := strings.Cut(x, "<"+tag+">")
		text, _, ok2 := strings.Cut(after, "</"+tag+">")
		if !ok || !ok2 {
			return ""
		}
		return text
	}
	if l.printJob != (between("pdfuaid:part") == "") {
		l.add("UA 5", "a print job says that it is PDF/UA-1, or another file does not")
	} else if !l.printJob && between("pdfuaid:part") != "1" {
		l.add("UA 5", "the file does not say that it is PDF/UA-1")
	}
	title := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(between("dc:title"), "")
	info := l.dict(*l.f.Info)
	if title == "" {
		l.add("UA 7.1", "there is no title in the metadata")
	} else if want := l.text(info["Title"]); unescape(title) != want {
		l.add("A 6.6.3", "the titles differ: %q and %q", title, want)
	}
	if l.archival {
		if between("pdfaid:part") != "3" || between("pdfaid:conformance") != "A" {
			l.add("A 6.6.4", "the file does not say that it is PDF/A-3a")
		}
		if !strings.Contains(between("pdfaExtension:schemas"), "http://www.aiim.org/pdfua/ns/id/") {
			l.add("A 6.6.2.3", "the property of PDF/UA is not described")
		}
	} else if between("pdfaid:part") != "" {
		l.add("A 6.6.4", "the file says that it is PDF/A and is not")
	}
}

func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// kidsOf says which elements an element may hold (ISO 32000-1, 14.8.4); content is "#".
var kidsOf = map[string]string{
	"Document": "H1 H2 H3 P Table L Figure Part", "Part": "H1 H2 H3 P Table L Figure", "H1": "# Span", "H2": "# Span", "H3": "# Span", "P": "# Span Form", "Span": "#", "Table": "TR", "TR": "TH TD",
	"TH": "# Span", "TD": "# Span Form L P", "L": "LI", "LI": "Lbl LBody", "Lbl": "# Span Form", "LBody": "# Span", "Form": "@ #",
	"Figure": "# Span",
}

func (l *linter) structure() {
	root := l.dict(l.cat["StructTreeRoot"])
	if root == nil {
		panic(lintStop{errors.New("UA 7.1, A 6.7.3: there is no structure tree")})
	}
	top := ref(root["K"])
	if l.name(l.dict(root["K"])["S"]) != "Document" {
		l.add("UA 7.1", "the tree does not begin with Document")
	}
	last := 0
	l.element(top, ref(l.cat["StructTreeRoot"]), &last)
}

func (l *linter) element(num, parent int, heading *int) {
	if l.elems[num] != nil {
		l.add("A 6.7.3", "an element stands twice in the tree")
		return
	}
	e := l.dict(*types.NewIndirectRef(num, 0))
	if e == nil {
		panic(lintStop{fmt.Errorf("A 6.7.3: element %d is missing", num)})
	}
	l.elems[num] = e
	if ref(e["P"]) != parent {
		l.add("A 6.7.3", "element %d does not name its parent", num)
	}
	role := l.name(e["S"])
	allowed, known := kidsOf[role]
	if !known {
		l.add("UA 7.1", "%q is no structure type we use", role)
	}
	if n, ok := strings.CutPrefix(role, "H"); ok {
		level, _ := strconv.Atoi(n)
		if level > *heading+1 {
			l.add("UA 7.4.2", "a heading of level %d follows one of level %d", level, *heading)
		}
		*heading = level
	}
	scope := ""
	if e["A"] != nil {
		scope = l.name(l.dict(e["A"])["Scope"])
	}
	if role == "TH" && !slices.Contains([]string{"Row", "Column", "Both"}, scope) {
		l.add("UA 7.5", "a head cell has the scope %q", scope)
	}
	kids, one := l.get(e["K"]).(types.Array)
	if !one && e["K"] != nil {
		kids = types.Array{e["K"]}
	}
	width, objects := -1, 0
	for _, k := range kids {
		what := "#"
		switch v := k.(type) {
		case types.Integer:
			page := slices.Index(l.pageNumbers(), ref(e["Pg"]))
			if page < 0 {
				l.add("A 6.7.3", "content of element %d is on no page", num)
			}
			l.contents[num] = append(l.contents[num], mcid{page, v.Value(), role})
		case types.IndirectRef:
			kid := l.dict(v)
			what = l.name(kid["S"])
			l.element(ref(v), num, heading)
			if what == "TR" {
				cells := len(l.array(kid["K"]))
				if width >= 0 && cells != width {
					l.add("UA 7.5", "a table's rows have %d and %d cells", width, cells)
				}
				width = cells
			}
		case types.Dict:
			switch l.name(v["Type"]) {
			case "MCR":
				n, _ := l.number(v["MCID"])
				l.contents[num] = append(l.contents[num], mcid{slices.Index(l.pageNumbers(), ref(v["Pg"])), int(n), role})
			case "OBJR":
				what = "@"
				objects++
				l.widgets[ref(v["Obj"])] = true
				if a := l.dict(v["Obj"]); a == nil || !l.parentIs(a["StructParent"], num) {
					l.add("UA 7.18.1", "an annotation does not lead back to its element")
				}
			default:
				l.add("UA 7.1", "an element holds a %s", l.name(v["Type"]))
			}
		}
		if !slices.Contains(strings.Fields(allowed), what) {
			l.add("UA 7.1", "%s holds %s", role, what)
		}
	}
	if role == "Form" && objects != 1 {
		l.add("UA 7.18.4", "a form element holds %d fields", objects)
	}
	if slices.Contains([]string{"Document", "H1", "H2", "H3", "Table", "TR", "L", "LI", "LBody", "Figure"}, role) && len(kids) == 0 {
		l.add("UA 7.1", "an empty %s", role)
	}
}

// parentIs looks a number up in the parent tree.
func (l *linter) parentIs(key types.Object, want int) bool {
	n, ok := l.number(key)
	return ok && ref(l.parents()[int(n)]) == want
}

func (l *linter) parents() map[int]types.Object {
	out := map[int]types.Object{}
	var walk func(node types.Dict)
	walk = func(node types.Dict) {
		nums, limits := l.array(node["Nums"]), l.array(node["Limits"])
		for i := 0; i+1 < len(nums); i += 2 {
			n, _ := l.number(nums[i])
			if out[int(n)] != nil {
				l.add("ISO 32000 7.9.7", "%v stands twice in the parent tree", n)
			}
			out[int(n)] = nums[i+1]
			if limits != nil {
				least, _ := l.number(limits[0])
				most, _ := l.number(limits[1])
				if n < least || n > most {
					l.add("ISO 32000 7.9.7", "%v is not between %v and %v in the parent tree", n, least, most)
				}
			}
		}
		for _, k := range l.array(node["Kids"]) {
			walk(l.dict(k))
		}
	}
	walk(l.dict(l.dict(l.cat["StructTreeRoot"])["ParentTree"]))
	return out
}

func (l *linter) pageNumbers() []int {
	if l.pageNums == nil {
		var walk func(o types.Object, parent int) int
		walk = func(o types.Object, parent int) (n int) {
			node := l.dict(o)
			if parent > 0 && ref(node["Parent"]) != parent {
				l.add("ISO 32000 7.7.3", "node %d of the page tree does not name its parent", ref(o))
			}
			if l.name(node["Type"]) != "Pages" {
				l.pageNums = append(l.pageNums, ref(o))
				return 1
			}
			for _, k := range l.array(node["Kids"]) {
				n += walk(k, ref(o))
			}
			if want, _ := l.number(node["Count"]); want != float64(n) {
				l.add("ISO 32000 7.7.3", "node %d has %d pages and says %v", ref(o), n, want)
			}
			return n
		}
		walk(l.cat["Pages"], 0)
	}
	return l.pageNums
}

// parentTree makes sure that page contents and structure know the same pieces of content, each owned by one element.
func (l *linter) parentTree() {
	claimed := map[[2]int]int{}
	for num, all := range l.contents {
		for _, m := range all {
			at := [2]int{m.page, m.id}
			if claimed[at] != 0 {
				l.add("A 6.7.3", "content %v belongs to two elements", at)
			}
			claimed[at] = num
		}
	}
	parents := l.parents()
	for i, num := range l.pageNumbers() {
		page := l.dict(*types.NewIndirectRef(num, 0))
		if l.printJob && page["Contents"] == nil { // left empty, so that the next document begins on a front
			continue
		}
		n, ok := l.number(page["StructParents"])
		marks := l.array(parents[int(n)])
		if !ok || marks == nil {
			l.add("UA 7.1", "page %d is not in the parent tree", i+1)
			continue
		}
		for id, o := range marks {
			if claimed[[2]int{i, id}] != ref(o) {
				l.add("UA 7.1", "content %d of page %d belongs to element %d in the tree and to %d in the parent tree", id, i+1, claimed[[2]int{i, id}], ref(o))
			}
			delete(claimed, [2]int{i, id})
		}
	}
	for at := range claimed {
		l.add("UA 7.1", "content %v is not in the parent tree", at)
	}
}

func (l *linter) pages() {
	all := map[string]*lintFont{} // by name and object: documents that are printed together have some of their own
	parents := l.parents()
	for i, num := range l.pageNumbers() {
		p := l.dict(*types.NewIndirectRef(num, 0))
		if l.printJob && p["Contents"] == nil {
			continue
		}
		if l.name(p["Tabs"]) != "S" {
			l.add("UA 7.18.3", "page %d is not walked in the order of the structure", i+1)
		}
		if p["AA"] != nil || p["Group"] != nil {
			l.add("A 6.5.2, 6.2.10", "page %d has an action or a group", i+1)
		}
		fonts := map[string]*lintFont{}
		for name, o := range l.dict(l.dict(p["Resources"])["Font"]) {
			key := fmt.Sprint(name, " ", ref(o))
			if all[key] == nil {
				all[key] = l.font(name, o)
			}
			fonts[name] = all[key]
		}
		n, _ := l.number(p["StructParents"])
		marks := l.array(parents[int(n)])
		l.content(i+1, l.stream(p["Contents"]), fonts, func(id int, role string) {
			if id >= len(marks) {
				l.add("UA 7.1", "content %d of page %d is not in the parent tree", id, i+1)
			} else if e := l.dict(marks[id]); l.name(e["S"]) != role {
				l.add("UA 7.1", "content %d of page %d is marked %s and belongs to %s", id, i+1, role, l.name(e["S"]))
			}
		})
	}
	for key, f := range all {
		name, _, _ := strings.Cut(key, " ")
		f.check(l, name)
	}
}

var token = regexp.MustCompile(`\((?:[^()\\]|\\(?s:.))*\)|<<|>>|<[0-9A-Fa-f\s]*>|/[^\s()<>\[\]{}/%]*|[\[\]]|[^\s()<>\[\]{}/%]+`)

// content walks through a content stream: everything that paints stands in marked content, marked content does not nest, and every code
// that is shown is one its font has.
func (l *linter) content(page int, data []byte, fonts map[string]*lintFont, marked func(id int, role string)) {
	var args []string
	var open []string
	depth, deepest := 0, 0
	var current *lintFont
	seen := map[int]bool{}
	var drawn *rect // where the marked content that is open is drawn
	for _, b := range token.FindAll(data, -1) {
		t := string(b)
		if c := t[0]; c == '(' || c == '<' || c == '>' || c == '/' || c == '[' || c == ']' || c == '-' || c == '.' || c >= '0' && c <= '9' {
			args = append(args, t)
			continue
		}
		var n [4]float64
		for i, a := range args[:min(len(args), 4)] {
			n[i], _ = strconv.ParseFloat(a, 64)
		}
		switch {
		case drawn == nil:
		case t == "re":
			drawn.reach(n[0], n[1])
			drawn.reach(n[0]+n[2], n[1]+n[3])
		case t == "m" || t == "l":
			drawn.reach(n[0], n[1])
		case t == "Td":
			k := max(0, len(args)-2) // the font may be set before
			x, _ := strconv.ParseFloat(args[k], 64)
			y, _ := strconv.ParseFloat(args[k+1], 64)
			drawn.reach(x, y)
		}
		switch t {
		case "q":
			depth++
			deepest = max(deepest, depth)
		case "Q":
			depth--
		case "BDC", "BMC":
			if len(open) > 0 {
				l.add("UA 7.1", "marked content in marked content on page %d", page)
			}
			role := strings.TrimPrefix(args[0], "/")
			open = append(open, role)
			if i := slices.Index(args, "/MCID"); i >= 0 && role != "Artifact" {
				id, _ := strconv.Atoi(args[i+1])
				if seen[id] {
					l.add("UA 7.1", "content %d stands twice on page %d", id, page)
				}
				seen[id] = true
				marked(id, role)
				drawn = &rect{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
				l.painted[[2]int{page - 1, id}] = drawn
			} else if role != "Artifact" {
				l.add("UA 7.1", "content marked %s on page %d belongs to nothing", role, page)
			}
		case "EMC":
			if len(open) == 0 {
				l.add("UA 7.1", "an end without a beginning on page %d", page)
			} else {
				open = open[:len(open)-1]
			}
			drawn = nil
		case "Tf":
			if current = fonts[strings.TrimPrefix(args[0], "/")]; current == nil {
				l.add("A 6.2.2", "page %d names a font that is not there", page)
			}
		case "Tj", "TJ", "S", "s", "f", "F", "f*", "B", "b", "B*", "b*", "Do", "sh":
			if len(open) == 0 {
				l.add("UA 7.1", "page %d is painted on outside marked content: %s", page, t)
			}
			if t == "Do" || t == "sh" {
				l.add("A 6.2", "page %d has an image or a shading", page)
			}
			for _, a := range args {
				if t[0] == 'T' && current != nil && (a[0] == '(' || a[0] == '<') {
					current.show(literal(a))
				} else if t[0] == 'T' && current == nil {
					l.add("A 6.2.11", "text without a font on page %d", page)
				}
			}
		case "BT", "ET", "Td", "Tm", "Ts", "w", "g", "G", "rg", "RG", "re", "m", "l", "cm", "n", "W", "J", "j":
		default:
			l.add("A 6.2.2", "page %d has the operator %s", page, t)
		}
		args = args[:0]
	}
	if len(open) > 0 || depth != 0 || deepest > 28 {
		l.add("A 6.1.13", "page %d ends with something open", page)
	}
}

// literal is the bytes of a string as it stands in a content stream.
func literal(s string) []byte {
	if s[0] == '<' {
		var out []byte
		hex := strings.Join(strings.Fields(s[1:len(s)-1]), "")
		for i := 0; i+1 < len(hex); i += 2 {
			v, _ := strconv.ParseUint(hex[i:i+2], 16, 8)
			out = append(out, byte(v))
		}
		return out
	}
	var out []byte
	for i := 1; i < len(s)-1; i++ {
		c := s[i]
		if c == '\\' {
			i++
			c = s[i]
			switch c {
			case 'r':
				c = '\r'
			case 'n':
				c = '\n'
			}
		}
		out = append(out, c)
	}
	return out
}

// lintFont is a font as far as the checks need it.
type lintFont struct {
	size     int // bytes of a code
	shown    map[int]bool
	widths   map[int]float64 // by code
	letters  *sfnt.Font      // of a simple font
	advances []int           // by glyph; nil of a Type 3 font
	upm      int
	rune     func(code int) string
	dict     types.Dict
	names    map[int]string // a simple font's Differences
}

func (f *lintFont) show(b []byte) {
	for i := 0; i+f.size <= len(b); i += f.size {
		c := int(b[i])
		if f.size == 2 {
			c = c<<8 | int(b[i+1])
		}
		f.shown[c] = true
	}
}

func (l *linter) font(name string, o types.Object) *lintFont {
	d := l.dict(o)
	f := &lintFont{size: 1, shown: map[int]bool{}, widths: map[int]float64{}, dict: d, names: map[int]string{}}
	if d["ToUnicode"] == nil {
		l.add("UA 7.21.7, A 6.2.11.7", "the font %s has no map to Unicode", name)
	}
	cmap := map[int]string{}
	pair := regexp.MustCompile(`<([0-9A-F]+)> <([0-9A-F]+)>\n`)
	for _, m := range pair.FindAllStringSubmatch(string(l.stream(d["ToUnicode"])), -1) {
		code, _ := strconv.ParseInt(m[1], 16, 32)
		var u []rune
		for i := 0; i+4 <= len(m[2]); i += 4 {
			v, _ := strconv.ParseInt(m[2][i:i+4], 16, 32)
			u = append(u, rune(v))
		}
		cmap[int(code)] = string(u)
	}
	f.rune = func(code int) string { return cmap[code] }
	descriptor := d
	switch l.name(d["Subtype"]) {
	case "Type3":
		if l.dict(d["CharProcs"]) == nil {
			l.add("A 6.2.11", "the font %s has no letters", name)
		}
		return f
	case "Type0":
		f.size = 2
		if l.name(d["Encoding"]) != "Identity-H" {
			l.add("A 6.2.11.3", "the font %s has an encoding of its own", name)
		}
		descriptor = l.dict(l.array(d["DescendantFonts"])[0])
		if l.name(descriptor["CIDToGIDMap"]) != "Identity" {
			l.add("UA 7.21.3.2, A 6.2.11.3.2", "the font %s does not say which glyph is which", name)
		}
		w := l.array(descriptor["W"])
		for i := 0; i+1 < len(w); i += 2 {
			from, _ := l.number(w[i])
			for k, v := range l.array(w[i+1]) {
				f.widths[int(from)+k], _ = l.number(v)
			}
		}
	case "TrueType":
		enc := l.dict(d["Encoding"])
		if l.name(enc["BaseEncoding"]) != "WinAnsiEncoding" {
			l.add("UA 7.21.6, A 6.2.11.6", "the encoding of the font %s is not WinAnsi", name)
		}
		at := 0
		for _, o := range l.array(enc["Differences"]) {
			if n, ok := l.number(o); ok {
				at = int(n)
			} else {
				f.names[at] = l.name(o)
				at++
			}
		}
		first, _ := l.number(d["FirstChar"])
		for k, v := range l.array(d["Widths"]) {
			f.widths[int(first)+k], _ = l.number(v)
		}
	default:
		l.add("A 6.2.11", "the font %s is of the kind %s", name, l.name(d["Subtype"]))
		return f
	}
	desc := l.dict(descriptor["FontDescriptor"])
	program := l.stream(desc["FontFile2"])
	if program == nil {
		l.add("UA 7.21.4.1, A 6.2.11.4.1", "the font %s is not embedded", name)
		return f
	}
	if f.upm, f.advances = advances(program); f.advances == nil {
		l.add("A 6.2.11.2", "the font %s cannot be read", name)
		return f
	}
	if f.size == 1 {
		parsed, err := sfnt.Parse(program)
		if err != nil {
			l.add("A 6.2.11.2", "the font %s cannot be read: %v", name, err)
			return f
		}
		f.letters = parsed
	}
	if base := l.name(d["BaseFont"]); !regexp.MustCompile(`^[A-Z]{6}\+`).MatchString(base) || l.name(desc["FontName"]) != l.name(descriptor["BaseFont"]) {
		l.add("A 6.2.11.4.2", "the font %s is called %s", name, base)
	}
	return f
}

// advances reads how wide the glyphs of a TrueType program are (OpenType, hmtx), and its units per em.
func advances(b []byte) (upm int, out []int) {
	be := binary.BigEndian
	tables := map[string][]byte{}
	for i := range int(be.Uint16(b[4:])) {
		e := b[12+16*i:]
		tables[string(e[:4])] = b[be.Uint32(e[8:]) : be.Uint32(e[8:])+be.Uint32(e[12:])]
	}
	for _, need := range []string{"glyf", "head", "hhea", "hmtx", "loca", "maxp"} {
		if tables[need] == nil {
			return 0, nil
		}
	}
	long := int(be.Uint16(tables["hhea"][34:]))
	for g := range int(be.Uint16(tables["maxp"][4:])) {
		out = append(out, int(be.Uint16(tables["hmtx"][4*min(g, long-1):])))
	}
	return int(be.Uint16(tables["head"][18:])), out
}

// check makes sure that every code shown is a letter the embedded font has, as wide as the file says, and stands for something.
func (f *lintFont) check(l *linter, name string) {
	var buf sfnt.Buffer
	for _, code := range slices.Sorted(maps.Keys(f.shown)) {
		u := f.rune(code)
		if first, _ := utf8.DecodeRuneInString(u); u == "" || first == 0 || first == 0xfeff || first == 0xfffe || first == utf8.RuneError {
			l.add("UA 7.21.7, A 6.2.11.7", "code %d of the font %s stands for nothing", code, name)
			continue
		}
		if f.advances == nil {
			continue
		}
		g := code
		if f.letters != nil {
			r, _ := utf8.DecodeRuneInString(u)
			i, err := f.letters.GlyphIndex(&buf, r)
			if err != nil {
				i = 0
			}
			g = int(i)
		}
		if g == 0 || g >= len(f.advances) {
			l.add("UA 7.21.8, A 6.2.11.8", "code %d of the font %s has no glyph", code, name)
			continue
		}
		if d := float64(f.advances[g])*1000/float64(f.upm) - f.widths[code]; d > 1 || d < -1 {
			l.add("UA 7.21.5, A 6.2.11.5", "code %d of the font %s is off by %.1f in width", code, name, d)
		}
	}
}

// rect is a part of a page, from its lower left corner.
type rect struct{ left, foot, right, top float64 }

// reach makes the part large enough for a point.
func (r *rect) reach(x, y float64) {
	r.left, r.foot, r.right, r.top = min(r.left, x), min(r.foot, y), max(r.right, x), max(r.top, y)
}

// figures says for each drawing whether those who do not see it are told what it shows, and whether it is where it says (ISO 14289-1, 7.3; ISO
// 32000-1, 14.8.5.4.3). What is drawn within a figure is known by the corners of its lines and areas, and text by where it begins.
func (l *linter) figures() {
	for _, num := range slices.Sorted(maps.Keys(l.elems)) {
		e := l.elems[num]
		if l.name(e["S"]) != "Figure" {
			continue
		}
		if strings.TrimSpace(l.text(e["Alt"])) == "" {
			l.add("UA 7.3", "figure %d says nothing to those who do not see it", num)
		}
		a := l.dict(e["A"])
		box := l.array(a["BBox"])
		if l.name(a["O"]) != "Layout" || len(box) != 4 {
			l.add("UA 7.3", "figure %d does not say where it is", num)
			continue
		}
		var v [4]float64
		for i, o := range box {
			v[i], _ = l.number(o)
		}
		on := -1
		contents := slices.Clone(l.contents[num])
		for k, kid := range l.elems {
			if ref(kid["P"]) == num {
				contents = append(contents, l.contents[k]...)
			}
		}
		for _, m := range contents {
			if on >= 0 && m.page != on {
				l.add("UA 7.3", "figure %d is on two pages", num)
			}
			on = m.page
			r := l.painted[[2]int{m.page, m.id}]
			if r == nil {
				continue
			}
			if slack := 1.0; r.left < v[0]-slack || r.foot < v[1]-slack || r.right > v[2]+slack || r.top > v[3]+slack {
				l.add("UA 7.3", "figure %d is drawn at %.0f and says it is at %.0f", num, *r, v)
			}
		}
		if on < 0 {
			continue
		}
		var media [4]float64
		for i, o := range l.array(l.dict(*types.NewIndirectRef(l.pageNumbers()[on], 0))["MediaBox"]) {
			media[i], _ = l.number(o)
		}
		if v[0] < 0 || v[1] < 0 || v[0] >= v[2] || v[1] >= v[3] || v[2] > media[2] || v[3] > media[3] {
			l.add("UA 7.3", "figure %d is not on its page: %.0f", num, v)
		}
	}
}

func (l *linter) fields() {
	form := l.dict(l.cat["AcroForm"])
	if form != nil && (form["XFA"] != nil || form["NeedAppearances"] != nil && fmt.Sprint(form["NeedAppearances"]) == "true") {
		l.add("A 6.4.1", "the form needs a program to be seen")
	}
	for i, num := range l.pageNumbers() {
		for _, o := range l.array(l.dict(*types.NewIndirectRef(num, 0))["Annots"]) {
			a := l.dict(o)
			if l.name(a["Subtype"]) != "Widget" {
				l.add("A 6.3", "page %d has a %s", i+1, l.name(a["Subtype"]))
				continue
			}
			if flags, _ := l.number(a["F"]); int(flags) != 4 {
				l.add("A 6.3.2", "a field on page %d has the flags %v", i+1, flags)
			}
			if l.text(a["TU"]) == "" {
				l.add("UA 7.18.4", "a field on page %d has no name for those who do not see it", i+1)
			}
			if !l.widgets[ref(o)] {
				l.add("UA 7.18.4", "a field on page %d is not in the structure", i+1)
			}
			if n := l.dict(a["AP"]); n == nil || len(n) != 1 || n["N"] == nil {
				l.add("A 6.3.3", "a field on page %d has no look of its own", i+1)
			}
			if a["A"] != nil || a["AA"] != nil {
				l.add("A 6.4.1, 6.5", "a field on page %d does something", i+1)
			}
		}
	}
}

func (l *linter) outlines() {
	root := l.dict(l.cat["Outlines"])
	if root == nil {
		return
	}
	var walk func(o types.Object, parent int, depth int) int
	walk = func(o types.Object, parent, depth int) int {
		n, before := 0, 0
		for o != nil && n < 10000 {
			d := l.dict(o)
			if dest := l.array(d["Dest"]); l.text(d["Title"]) == "" || len(dest) < 2 || !slices.Contains(l.pageNumbers(), ref(dest[0])) || ref(d["Parent"]) != parent || ref(d["Prev"]) != before {
				l.add("ISO 32000 12.3.3", "a bookmark leads nowhere")
			}
			n++
			if d["First"] != nil && depth < 5 {
				walk(d["First"], ref(o), depth+1)
			}
			before, o = ref(o), d["Next"]
		}
		return n
	}
	want, _ := l.number(root["Count"])
	if n := walk(root["First"], ref(l.cat["Outlines"]), 0); float64(n) != want {
		l.add("ISO 32000 12.3.3", "there are %d bookmarks of %v", n, want)
	}
}

func (l *linter) attachments() {
	names := l.array(l.dict(l.dict(l.cat["Names"])["EmbeddedFiles"])["Names"])
	var associated []int
	for _, o := range l.array(l.cat["AF"]) {
		associated = append(associated, ref(o))
	}
	for i := 0; i+1 < len(names); i += 2 {
		s := l.dict(names[i+1])
		if !slices.Contains(associated, ref(names[i+1])) || l.name(s["AFRelationship"]) == "" {
			l.add("A 6.8", "an attachment belongs to nothing")
		}
		if l.text(s["F"]) == "" || l.text(s["UF"]) == "" {
			l.add("A 6.8", "an attachment has no name")
		}
		file := l.dict(l.dict(s["EF"])["F"])
		if file == nil || !strings.Contains(l.name(file["Subtype"]), "/") && !strings.Contains(l.name(file["Subtype"]), "#2F") {
			l.add("A 6.8", "an attachment does not say what it is")
		}
		if p := l.dict(file["Params"]); p != nil && p["ModDate"] == nil {
			l.add("A 6.8", "an attachment has no date")
		}
	}
}

// everyObject looks at what no object of an archived file may be.
func (l *linter) everyObject() {
	for num, e := range l.f.Table {
		if e == nil || e.Free || e.Object == nil {
			continue
		}
		l.value(num, l.get(*types.NewIndirectRef(num, 0)), 0)
	}
}

func (l *linter) value(num int, o types.Object, depth int) {
	if depth > 50 {
		return
	}
	switch v := o.(type) {
	case types.StreamDict:
		for _, f := range v.FilterPipeline {
			if f.Name != "FlateDecode" {
				l.add("A 6.1.7.2", "object %d is filtered by %s", num, f.Name)
			}
		}
		if v.Dict["F"] != nil && l.name(v.Dict["Type"]) != "Filespec" {
			l.add("A 6.1.7.1", "the data of object %d is outside the file", num)
		}
		l.value(num, v.Dict, depth+1)
	case types.Dict:
		if t := l.name(v["S"]); t == "JavaScript" || t == "Launch" || t == "SubmitForm" || t == "URI" || t == "GoToR" {
			l.add("A 6.5.1", "object %d is a %s action", num, t)
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if len(k) > 127 {
				l.add("A 6.1.13", "object %d has a name of %d bytes", num, len(k))
			}
			l.value(num, v[k], depth+1)
		}
	case types.Array:
		for _, k := range v {
			l.value(num, k, depth+1)
		}
	case types.StringLiteral:
		if len(v) > 32767 {
			l.add("A 6.1.13", "object %d has a string of %d bytes", num, len(v))
		}
	case types.HexLiteral:
		if len(v) > 2*32767 {
			l.add("A 6.1.13", "object %d has a string of %d bytes", num, len(v)/2)
		}
	}
}

// Every form is what it says it is: a PDF/UA-1 and, unless it is sealed, a PDF/A-3a.
func TestFilesKeepToPDFUAAndPDFA(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d := load(t, area)
		cases := samples(t)
		cases["blank"] = nil
		cases["letters"] = []byte(`{"person":{"family_name":"Smile😀 李 \u0644\u064a \ue000 ŵż Жук"}}`)
		for name, data := range cases {
			for _, f := range own(d, area) {
				for _, cp := range f.Copies {
					doc := document(t, d, f.ID, data, caseforms.FillOptions{Draft: data != nil, Blank: data == nil, Copy: cp})
					for _, profile := range []render.Profile{render.ProfileArchive, render.ProfileReply} {
						var b bytes.Buffer
						if _, err := render.PDF(&b, doc, render.Options{Profile: profile}); err != nil {
							t.Fatal(err)
						}
						for _, finding := range lint(parsePDF(t, b.Bytes()), true) {
							t.Errorf("%s %s %s %s %s: %s", area, name, f.ID, cp, profile, finding)
						}
					}
					if name == "01-simple" {
						file := filed(t, "sealed.pdf", sealed(t, doc, render.FormatPDF, secret))
						outside(t, "qpdf", "--decrypt", "--password="+secret, file, file+".open")
						open, err := os.ReadFile(file + ".open")
						if err != nil {
							t.Fatal(err)
						}
						for _, finding := range lint(parsePDF(t, open), false) {
							t.Errorf("%s %s %s %s sealed: %s", area, name, f.ID, cp, finding)
						}
					}
				}
			}
		}
	}
}

// The checks above can fail: each of these changes to a sound file is found, with its clause.
func TestLintFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := load(t, "")
	raw := written(t, document(t, d, "cp1", samples(t)["02-full"], caseforms.FillOptions{Draft: true}), render.FormatPDF)
	cat := func(f *pdfFile) types.Dict { c, _ := f.Catalog(); return c }
	at := func(f *pdfFile, o types.Object) types.Dict { return (&linter{f: f}).dict(o) }
	elements := func(f *pdfFile, role string) (out []types.Dict) {
		for _, num := range slices.Sorted(maps.Keys(f.Table)) {
			if d := at(f, *types.NewIndirectRef(num, 0)); d["P"] != nil && d.NameEntry("S") != nil && *d.NameEntry("S") == role {
				out = append(out, d)
			}
		}
		return out
	}
	rewrite := func(f *pdfFile, o types.Object, change func(string) string) {
		num := ref(o)
		s := f.Table[num].Object.(types.StreamDict)
		if err := s.Decode(); err != nil {
			t.Fatal(err)
		}
		before := string(s.Content)
		s.Content = []byte(change(before))
		if string(s.Content) == before {
			t.Error("a mutant is no mutant")
		}
		f.Table[num].Object = s
	}
	page := func(f *pdfFile) types.Dict { return at(f, at(f, cat(f)["Pages"]).ArrayEntry("Kids")[0]) }
	replace := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	fontOf := func(f *pdfFile, name string) types.Dict {
		return at(f, at(f, at(f, page(f)["Resources"])["Font"])[name])
	}
	mutants := map[string]struct {
		clause string
		change func(f *pdfFile)
	}{
		"not binary":         {"A 6.1.2", func(f *pdfFile) { f.raw = append([]byte("%PDF-1.7\n1 0 obj"), f.raw...) }},
		"no identifier":      {"A 6.1.3", func(f *pdfFile) { f.ID = nil }},
		"not marked":         {"UA 7.1, A 6.7.2", func(f *pdfFile) { delete(cat(f), "MarkInfo") }},
		"no title shown":     {"UA 7.1", func(f *pdfFile) { delete(cat(f), "ViewerPreferences") }},
		"no language":        {"UA 7.2", func(f *pdfFile) { delete(cat(f), "Lang") }},
		"no output intent":   {"A 6.2.3", func(f *pdfFile) { delete(cat(f), "OutputIntents") }},
		"no metadata":        {"UA 7.1, A 6.6.2", func(f *pdfFile) { delete(cat(f), "Metadata") }},
		"no claim of PDF/UA": {"UA 5", func(f *pdfFile) { rewrite(f, cat(f)["Metadata"], replace("pdfuaid:part>1", "pdfuaid:part>2")) }},
		"no claim of PDF/A":  {"A 6.6.4", func(f *pdfFile) { rewrite(f, cat(f)["Metadata"], replace("conformance>A", "conformance>B")) }},
		"undescribed property": {"A 6.6.2.3", func(f *pdfFile) {
			rewrite(f, cat(f)["Metadata"], replace("pdfua/ns/id/</pdfaSchema", "pdfvt/ns/id/</pdfaSchema"))
		}},
		"another title":           {"A 6.6.3", func(f *pdfFile) { rewrite(f, cat(f)["Metadata"], replace("CP1", "CP2")) }},
		"broken metadata":         {"A 6.6.2", func(f *pdfFile) { rewrite(f, cat(f)["Metadata"], replace("</dc:title>", "")) }},
		"no structure":            {"UA 7.1", func(f *pdfFile) { delete(cat(f), "StructTreeRoot") }},
		"head cell without scope": {"UA 7.5", func(f *pdfFile) { delete(elements(f, "TH")[3], "A") }},
		"scope of another name":   {"UA 7.5", func(f *pdfFile) { elements(f, "TH")[0]["A"].(types.Dict)["Scope"] = types.Name("Col") }},
		"heading level left out":  {"UA 7.4.2", func(f *pdfFile) { elements(f, "H2")[0]["S"] = types.Name("H3") }},
		"unknown structure type":  {"UA 7.1", func(f *pdfFile) { elements(f, "P")[0]["S"] = types.Name("Paragraph") }},
		"a cell outside a row":    {"UA 7.1", func(f *pdfFile) { elements(f, "TR")[0]["S"] = types.Name("TD") }},
		"a row one cell short": {"UA 7.5", func(f *pdfFile) {
			r := elements(f, "TR")[1]
			r["K"] = r["K"].(types.Array)[1:]
		}},
		"content of no element":    {"UA 7.1", func(f *pdfFile) { delete(elements(f, "P")[0], "K") }},
		"wrong parent":             {"A 6.7.3", func(f *pdfFile) { elements(f, "TD")[0]["P"] = elements(f, "TD")[5]["P"] }},
		"parent tree without page": {"UA 7.1", func(f *pdfFile) { delete(page(f), "StructParents") }},
		"no tab order":             {"UA 7.18.3", func(f *pdfFile) { delete(page(f), "Tabs") }},
		"unmarked text":            {"UA 7.1", func(f *pdfFile) { rewrite(f, page(f)["Contents"], replace("/Artifact BMC", "")) }},
		"nested marks":             {"UA 7.1", func(f *pdfFile) { rewrite(f, page(f)["Contents"], replace("EMC", "/Span BMC EMC EMC")) }},
		"marked as something else": {"UA 7.1", func(f *pdfFile) { rewrite(f, page(f)["Contents"], replace("/H1<<", "/P<<")) }},
		"a mark twice":             {"UA 7.1", func(f *pdfFile) { rewrite(f, page(f)["Contents"], replace("/MCID 1>>", "/MCID 0>>")) }},
		"no font set":              {"A 6.2.2", func(f *pdfFile) { rewrite(f, page(f)["Contents"], replace("/F2 12 Tf", "/F9 12 Tf")) }},
		"font not embedded":        {"UA 7.21.4.1", func(f *pdfFile) { delete(at(f, fontOf(f, "F1")["FontDescriptor"]), "FontFile2") }},
		"no map to Unicode":        {"UA 7.21.7", func(f *pdfFile) { delete(fontOf(f, "F2"), "ToUnicode") }},
		"a letter without meaning": {"UA 7.21.7", func(f *pdfFile) { rewrite(f, fontOf(f, "F1")["ToUnicode"], replace("<65> <0065>", "<65> <0000>")) }},
		"a wrong width":            {"UA 7.21.5", func(f *pdfFile) { fontOf(f, "F1")["Widths"].(types.Array)['e'-32] = types.Integer(10) }},
		"another encoding": {"UA 7.21.6", func(f *pdfFile) {
			fontOf(f, "F1")["Encoding"].(types.Dict)["BaseEncoding"] = types.Name("StandardEncoding")
		}},
		"loose attachment":   {"A 6.8", func(f *pdfFile) { delete(cat(f), "AF") }},
		"untyped attachment": {"A 6.8", func(f *pdfFile) { delete(at(f, at(f, at(f, cat(f).ArrayEntry("AF")[0])["EF"])["F"]), "Subtype") }},
		"bookmark to no page": {"ISO 32000 12.3.3", func(f *pdfFile) {
			at(f, at(f, cat(f)["Outlines"])["First"])["Dest"] = types.Array{cat(f)["Pages"], types.Name("Fit")}
		}},
		"a script": {"A 6.5", func(f *pdfFile) {
			cat(f)["OpenAction"] = types.Dict{"S": types.Name("JavaScript"), "JS": types.StringLiteral("1")}
		}},
	}
	var reply bytes.Buffer
	if _, err := render.PDF(&reply, document(t, d, "check", samples(t)["01-simple"], caseforms.FillOptions{Draft: true}), render.Options{Profile: render.ProfileReply}); err != nil {
		t.Fatal(err)
	}
	field := func(f *pdfFile) types.Dict {
		for _, k := range at(f, cat(f)["Pages"]).ArrayEntry("Kids") {
			if a := at(f, k)["Annots"]; a != nil {
				return at(f, a.(types.Array)[0])
			}
		}
		t.Fatal("no field")
		return nil
	}
	for name, change := range map[string]struct {
		clause string
		change func(f *pdfFile)
	}{
		"field without a name":           {"UA 7.18.4", func(f *pdfFile) { delete(field(f), "TU") }},
		"field that is not printed":      {"A 6.3.2", func(f *pdfFile) { field(f)["F"] = types.Integer(0) }},
		"field without a look":           {"A 6.3.3", func(f *pdfFile) { delete(field(f), "AP") }},
		"field that does something":      {"A 6.4.1", func(f *pdfFile) { field(f)["AA"] = types.Dict{} }},
		"field of another element":       {"UA 7.18.1", func(f *pdfFile) { field(f)["StructParent"] = types.Integer(0) }},
		"field outside the structure":    {"UA 7.18.4", func(f *pdfFile) { elements(f, "Form")[0]["K"] = types.Array{} }},
		"form that needs a program":      {"A 6.4.1", func(f *pdfFile) { at(f, cat(f)["AcroForm"])["NeedAppearances"] = types.Boolean(true) }},
		"link where fields are expected": {"A 6.3", func(f *pdfFile) { field(f)["Subtype"] = types.Name("Link") }},
	} {
		mutants["reply: "+name] = change
	}
	figures := written(t, report(d, charts(d)["few"], charts(d)["letters"]), render.FormatPDF)
	if found := lint(parsePDF(t, figures), true); len(found) > 0 {
		t.Fatalf("there is something wrong before anything is changed: %q", found)
	}
	layout := func(f *pdfFile) types.Dict { return elements(f, "Figure")[1]["A"].(types.Dict) }
	for name, change := range map[string]func(f *pdfFile){
		"without words":        func(f *pdfFile) { delete(elements(f, "Figure")[0], "Alt") },
		"with empty words":     func(f *pdfFile) { elements(f, "Figure")[0]["Alt"] = types.StringLiteral(" ") },
		"without a place":      func(f *pdfFile) { delete(layout(f), "BBox") },
		"without attributes":   func(f *pdfFile) { delete(elements(f, "Figure")[1], "A") },
		"of no height":         func(f *pdfFile) { a := layout(f)["BBox"].(types.Array); a[1] = a[3] },
		"beyond the page":      func(f *pdfFile) { layout(f)["BBox"].(types.Array)[2] = types.Integer(900) },
		"drawn elsewhere":      func(f *pdfFile) { layout(f)["BBox"].(types.Array)[2] = types.Integer(300) },
		"with a place by name": func(f *pdfFile) { layout(f)["O"] = types.Name("Table") },
	} {
		mutants["figure: "+name] = struct {
			clause string
			change func(f *pdfFile)
		}{"UA 7.3", change}
	}
	for name, m := range mutants {
		data := raw
		if strings.HasPrefix(name, "reply: ") {
			data = reply.Bytes()
		}
		if strings.HasPrefix(name, "figure: ") {
			data = figures
		}
		f := parsePDF(t, data)
		m.change(f)
		found := lint(f, true)
		if !slices.ContainsFunc(found, func(s string) bool { return strings.HasPrefix(s, m.clause) }) {
			t.Errorf("%s is not found under %s; found: %q", name, m.clause, found)
		}
	}
}
