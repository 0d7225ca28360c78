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
	o := caseforms.FillOptions{Today: x.today, Draft: true}
	if b, err := r.Desk.Begun(r.Context(), r.Actor, x.Draft); err != nil {
		return nil, nil, render.Report{}, err
	} else if b != nil { // as it will be issued
		o.Copy, o.For = b.Copy, x.addresseeNamed(b.For)
	}
	doc, err := x.defs.Fill(x.form, x.c, o)
	if err != nil {
		return nil, nil, render.Report{}, err
	}
	var b bytes.Buffer
	report, err := render.Write(&b, doc, render.FormatPDF, render.Options{})
	return x, b.Bytes(), report, err
}

func (s *Service) draftPreview(w http.ResponseWriter, r *Request) error {
	x, pdf, _, err := s.printedDraft(r)
	if err != nil {
		return err
	}
	return showPDF(w, x.form.ID+"-"+string(x.Draft.ID), pdf)
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
