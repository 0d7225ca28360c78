package render

import (
	"fmt"
	"strings"

	"caseforms"
)

// field is a place for the recipient to fill in: an annotation on a page and a field of the file's form (ISO 32000-1, 12.7).
type field struct {
	answer     *caseforms.Answer
	option     int // of tick boxes: which one; else -1
	page       int
	x, y, w, h float64 // from the top left corner
	element    int32
}

// fillable tells whether the recipient fills an answer in on this file.
func (s *sheet) fillable(a *caseforms.Answer) bool {
	return a.Reply && s.options.Profile != "" && s.options.Profile != ProfileArchive
}

// field puts a field where the element on top of the stack stands.
func (s *sheet) field(a *caseforms.Answer, option int, x, y, w, h float64) {
	s.push(roleForm)
	e := s.stack[len(s.stack)-1]
	s.child(element{role: roleObject, page: int32(len(s.pages)), id: int32(len(s.fields))})
	s.fields = append(s.fields, field{a, option, len(s.pages), x, y, w, h, e})
	s.pop()
}

// fieldHeight is the room a field wants.
func fieldHeight(a *caseforms.Answer) float64 {
	if a.Kind == caseforms.KindLongText {
		return bodyLead*float64(max(4, a.Rows)) + 6
	}
	return bodyLead + 8
}

// replyHeight is about the room that the recipient's part takes, so that it can be torn off and sent back as one page.
func (s *sheet) replyHeight(blocks []block) float64 {
	h := 0.0
	for i := range blocks {
		b := &blocks[i]
		switch b.kind {
		case blockHeading:
			return h
		case blockPara, blockNote:
			h += s.height(regular, bodySize, bodyLead, s.textWidth, b.text) + 3
		case blockRows, blockSignature:
			for _, a := range b.answers {
				h += max(writable(a), s.rowStart([]string{a.Label, s.shown(a)}, []float64{s.textWidth * labelPart, s.textWidth * (1 - labelPart)}))
			}
			h += 6
		case blockNarrative:
			h += s.height(bold, bodySize, bodyLead, s.textWidth, b.answers[0].Label) + max(fieldHeight(b.answers[0])+10, 22*float64(max(3, b.answers[0].Rows)))
		case blockTicks:
			h += s.height(bold, bodySize, bodyLead, s.textWidth, b.answers[0].Label) + float64(len(b.answers[0].Boxes)+1)*(bodyLead+2)
		}
	}
	return h
}

// fieldName is what the field is called. What comes back is known by it: see package intake.
func fieldName(d *caseforms.Document) string { return d.Form + ":" + d.Version + ":" + d.Ref }

const fieldGround, fieldBorder = "0.97", "0.35"

// form writes the fields, whose annotations are the objects from first on, and gives the form's entry in the catalog. Every look is in the
// file, so that no program has to make one up (ISO 19005-3, 6.4.1).
func (f *finisher) form(s *sheet, first, firstPage int) string {
	if len(s.fields) == 0 {
		return ""
	}
	root := f.alloc()
	looks := map[string]int{}
	look := func(w, h float64, more string) int {
		body := fmt.Sprintf("%s g 0 0 %.2f %.2f re f %s G 1 w .5 .5 %.2f %.2f re S%s", fieldGround, w, h, fieldBorder, w-1, h-1, more)
		if looks[body] == 0 {
			n := f.alloc()
			looks[body] = n
			f.deflate(n, fmt.Sprintf("/Type/XObject/Subtype/Form/BBox[0 0 %.2f %.2f]/Resources<<>>", w, h), []byte(body))
		}
		return looks[body]
	}
	var top []string
	groups := map[string]int{} // tick boxes of one question
	kids := map[string][]string{}
	for i := range s.fields {
		q := &s.fields[i]
		a := q.answer
		name, label, parent := a.Key, a.Label, root
		kind := ""
		switch {
		case q.option >= 0:
			if groups[a.Key] == 0 {
				groups[a.Key] = f.alloc()
				top = append(top, fmt.Sprintf("%d 0 R", groups[a.Key]))
			}
			parent = groups[a.Key]
			kids[a.Key] = append(kids[a.Key], fmt.Sprintf("%d 0 R", first+i))
			box := a.Boxes[q.option]
			name, label = box.Value, strings.TrimRight(a.Label, " :")+": "+box.Label
			on := look(q.w, q.h, fmt.Sprintf(" 0 G 1.6 w 2.5 2.5 m %.2f %.2f l S 2.5 %.2f m %.2f 2.5 l S", q.w-2.5, q.h-2.5, q.h-2.5, q.w-2.5))
			kind = fmt.Sprintf("/FT/Btn/V/Off/AS/Off/AP<</N<</Yes %d 0 R/Off %d 0 R>>>>", on, look(q.w, q.h, ""))
		case len(a.Boxes) > 0:
			var options strings.Builder
			for _, b := range a.Boxes {
				options.WriteString(textString(b.Label))
			}
			kind = fmt.Sprintf("/FT/Ch/Ff %d/Opt[( )%s]/DA(/F1 %g Tf 0 g)/AP<</N %d 0 R>>", 1<<17, options.String(), bodySize, look(q.w, q.h, ""))
		default:
			flags := 0
			if a.Kind == caseforms.KindLongText {
				flags = 1 << 12 // several lines
			}
			if a.Kind == caseforms.KindDate {
				label += " " + s.doc.Words("date_hint")
			}
			kind = fmt.Sprintf("/FT/Tx/Ff %d/DA(/F1 %g Tf 0 g)/AP<</N %d 0 R>>", flags, bodySize, look(q.w, q.h, ""))
		}
		if parent == root {
			top = append(top, fmt.Sprintf("%d 0 R", first+i))
		}
		f.put(first+i, fmt.Sprintf("<</Type/Annot/Subtype/Widget/F 4/Rect[%.2f %.2f %.2f %.2f]/P %d 0 R/Parent %d 0 R/T%s/TU%s/StructParent %d/MK<</BC[%s]/BG[%s]>>/BS<</W 1/S/S>>%s>>",
			q.x, s.pageHeight-q.y-q.h, q.x+q.w, s.pageHeight-q.y, firstPage+2*q.page, parent, textString(name), textString(clean(label)), len(s.tagged)+i, fieldBorder, fieldGround, kind))
	}
	for i := range s.fields {
		if key := s.fields[i].answer.Key; kids[key] != nil {
			f.put(groups[key], fmt.Sprintf("<</T%s/Parent %d 0 R/Kids[%s]>>", textString(key), root, strings.Join(kids[key], " ")))
			delete(kids, key)
		}
	}
	f.put(root, fmt.Sprintf("<</T%s/Kids[%s]>>", textString(fieldName(s.doc)), strings.Join(top, " ")))
	return fmt.Sprintf("/AcroForm<</Fields[%d 0 R]/DA(/F1 %g Tf 0 g)/DR<</Font<</F1 %d 0 R>>>>>>", root, bodySize, f.simple[regular])
}
