package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/render"
)

// printedDraft is the draft as it would be printed, marked as one.
func (s *Service) printedDraft(r *Request) (*filling, []byte, render.Report, error) {
	x, err := s.filling(r)
	if err != nil {
		return nil, nil, render.Report{}, err
	}
	o, err := x.options(r)
	if err != nil {
		return nil, nil, render.Report{}, err
	}
	o.Draft = true
	doc, err := x.defs.Fill(x.form, x.c, o)
	if err != nil {
		return nil, nil, render.Report{}, err
	}
	var b bytes.Buffer
	report, err := render.Write(&b, doc, render.FormatPDF, render.Options{})
	return x, b.Bytes(), report, err
}

// options are those with which a draft will be issued, as far as they are known before that.
func (x *filling) options(r *Request) (caseforms.FillOptions, error) {
	o := caseforms.FillOptions{Today: x.today}
	b, err := r.Desk.Begun(r.Context(), r.Actor, x.Draft)
	if b != nil {
		o.Copy, o.For = b.Copy, x.addresseeNamed(b.For)
	}
	return o, err
}

func (s *Service) draftPreview(w http.ResponseWriter, r *Request) error {
	x, pdf, _, err := s.printedDraft(r)
	if err != nil {
		return err
	}
	Framed(w)
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `inline; filename="`+x.form.ID+"-"+string(x.Draft.ID)+`.pdf"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(pdf) // a browser that went away reads nothing
	}
	return nil
}

// partPreview leads to the page of the print on which a part begins.
func (s *Service) partPreview(w http.ResponseWriter, r *Request) error {
	x, _, report, err := s.printedDraft(r)
	if err != nil {
		return err
	}
	t := x.asked.Topic(r.Var("topic"))
	if t == nil {
		return errPlace
	}
	href := x.Path + "/preview"
	if page := report.Sections[strings.TrimRight(t.Title, " :")]; page > 0 {
		href += "#page=" + strconv.Itoa(page)
	}
	Framed(w)
	return seeOther(w, r, href)
}
