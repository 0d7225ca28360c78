package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/render"
)

// The other copies of an issued document: what they withhold, what they look like, and issuing them.

const copyPattern = "{copy:full|disclosable|annex}"

// copyHints say whom a copy is for.
var copyHints = map[string]string{
	caseforms.CopyFull:        "for the own file, and for those whom the form goes to in full",
	caseforms.CopyDisclosable: "for the person, and for those the person shares it with: without what is sensitive",
	caseforms.CopyAnnex:       "for the chair of the conference alone: what the disclosable copy leaves out",
}

// otherCopies lead to the copies that a document's form has beside this one.
func otherCopies(t *casework.Timeline) (out []Link) {
	for _, c := range t.Copies {
		if c != t.Copy {
			out = append(out, Link{copyWords[c] + ", " + copyHints[c], documentPath(t.Ref, "/copies/"+c)})
		}
	}
	return out
}

type copyData struct {
	*casework.OtherCopy
	Path     string
	Name     string
	Hint     string
	Wrong    []problemText
	Warnings *warningsView
	LeftOut  Table
	Post     bool // e-mail is configured
	May      bool // it may be issued, as far as this goes
}

// problemText is a problem in words: where it stands on the form, and what to do.
type problemText struct{ Text, Hint string }

func problemTexts(ps []caseforms.Problem, sev caseforms.Severity) (out []problemText) {
	for _, p := range ps {
		if p.Severity != sev {
			continue
		}
		var where []string
		for _, w := range []string{p.Section, p.Label} {
			if w = strings.TrimRight(w, " :"); w != "" {
				where = append(where, w)
			}
		}
		text := strings.TrimPrefix(strings.Join(where, ", ")+": "+p.Msg, ": ")
		h := hint(p.Hint)
		if strings.Contains(h, `{"state"`) {
			h = ""
		}
		out = append(out, problemText{sentence(text), h})
	}
	return out
}

func (s *Service) otherCopy(w http.ResponseWriter, r *Request) error {
	d, err := s.copyData(r)
	if err != nil {
		return err
	}
	return s.otherCopyPage(w, r, d, nil)
}

func (s *Service) copyData(r *Request) (*copyData, error) {
	ref, err := r.Ref()
	if err != nil {
		return nil, err
	}
	c, err := r.Desk.OtherCopy(r.Context(), r.Actor, ref, r.Var("copy"))
	if err != nil {
		return nil, err
	}
	d := &copyData{OtherCopy: c, Post: r.Desk.Posts(), Path: documentPath(ref, "/copies/"+c.Copy), Name: copyWords[c.Copy], Hint: copyHints[c.Copy], Wrong: problemTexts(c.Problems, caseforms.Blocking)}
	d.May = d.Wrong == nil && !c.Changed && (c.Issued == "" || c.Old)
	d.Warnings, err = warningsOf(r, c.Record, c.Reasons, c.Urgent, c.Problems, func(p caseforms.Problem) (out []problemLine) {
		for _, t := range problemTexts([]caseforms.Problem{p}, caseforms.Warning) {
			out = append(out, problemLine{Text: t.Text, Hint: t.Hint})
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	d.LeftOut = Table{Caption: "What this copy withholds", Heads: []string{"Part of the form", "Question", "Why"}, None: "Of what the case has, it withholds nothing."}
	for _, l := range c.LeftOut {
		d.LeftOut.Rows = append(d.LeftOut.Rows, []Cell{TextCell(strings.TrimRight(l.Section, " :")), TextCell(strings.TrimRight(l.Label, " :")), TextCell(sentence(l.Why))})
	}
	return d, nil
}

func (s *Service) otherCopyPage(w http.ResponseWriter, r *Request, d *copyData, ps []FieldProblem) error {
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "copy", Page{Title: d.Name + " of " + string(d.Ref), Whose: identityOf(&d.Whose), Status: code, Problems: ps, Form: true, Wide: true, Crumbs: documentCrumbs(d.Ref), Data: d})
}

// printCopy shows a copy as it would be printed. It is not issued, and says so.
func (s *Service) printCopy(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	c, err := r.Desk.OtherCopy(r.Context(), r.Actor, ref, r.Var("copy"))
	if err != nil {
		return err
	}
	if c.Document == nil {
		return &casework.Refused{Problems: c.Problems}
	}
	var b bytes.Buffer
	if _, err := render.Write(&b, c.Document, render.FormatPDF, render.Options{}); err != nil {
		return err
	}
	return showPDF(w, string(ref)+"-"+c.Copy+"-not-issued", b.Bytes())
}

// issueCopy issues a copy as a document of its own, and goes on to send it.
func (s *Service) issueCopy(w http.ResponseWriter, r *Request) error {
	d, err := s.copyData(r)
	if err != nil {
		return err
	}
	issue := int(r.whole("issue"))
	if d.May && issue == d.Issue {
		if ps := d.Warnings.tell(); ps != nil {
			return s.otherCopyPage(w, r, d, ps)
		}
	}
	out, _, err := r.Desk.IssueCopy(r.Context(), r.Actor, d.Ref, d.Copy, issue, d.Warnings.given())
	var refused *casework.Refused
	if errors.As(err, &refused) {
		return s.otherCopyPage(w, r, d, []FieldProblem{{"wrong", "This copy cannot be issued yet"}})
	}
	if err != nil {
		ps, err := toldBeside(err, "")
		if err != nil {
			return err
		}
		return s.otherCopyPage(w, r, d, ps)
	}
	s.notify(r, Notice{Good: true, Text: fmt.Sprintf("The %s was issued as %s, issue %d. It was not sent to anybody yet.", strings.ToLower(copyWords[r.Var("copy")]), out.Ref, out.Version)})
	if r.Field("then") == "send" {
		return seeOther(w, r, documentPath(out.Ref, "/send"))
	}
	return seeOther(w, r, documentPath(out.Ref, ""))
}
