package web

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/render"
)

// printedDraft is the draft as it would be printed, marked as one.
func (s *Service) printedDraft(r *Request) (*filling, *printed, error) {
	x, err := s.filling(r)
	if err != nil {
		return nil, nil, err
	}
	o, err := x.options(r)
	if err != nil {
		return nil, nil, err
	}
	o.Draft = true
	key := fmt.Sprintf("%s %d %v", x.Draft.ID, x.Draft.Version, o)
	if p := s.prints.take(key); p != nil {
		return x, p, nil
	}
	doc, err := x.defs.Fill(x.form, x.c, o)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	report, err := render.Write(&b, doc, render.FormatPDF, render.Options{})
	return x, &printed{key, b.Bytes(), report.Sections}, err
}

// printed is a version of a draft as it would be printed.
type printed struct {
	key   string
	pdf   []byte
	pages map[string]int // on which a section begins
}

// prints keep what was printed to find the page of a part until the browser comes for it, which it does at once; each goes with the first who does, or
// after a minute. There are few, and who may have one was looked at before.
type prints struct {
	mu  sync.Mutex
	all []*printed
}

const (
	printsMost = 16
	printsTime = time.Minute
)

func (c *prints) put(p *printed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, p)
	if len(c.all) > printsMost {
		c.all = slices.Delete(c.all, 0, 1)
	}
	time.AfterFunc(printsTime, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all = slices.DeleteFunc(c.all, func(q *printed) bool { return q == p })
	})
}

func (c *prints) take(key string) *printed {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.all, func(p *printed) bool { return p.key == key })
	if i < 0 {
		return nil
	}
	p := c.all[i]
	c.all = slices.Delete(c.all, i, i+1)
	return p
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
	x, p, err := s.printedDraft(r)
	if err != nil {
		return err
	}
	return showPDF(w, x.form.ID+"-"+string(x.Draft.ID), p.pdf)
}

// partPreview leads to the page of the print on which a part begins.
func (s *Service) partPreview(w http.ResponseWriter, r *Request) error {
	x, p, err := s.printedDraft(r)
	if err != nil {
		return err
	}
	t := x.asked.Topic(r.Var("topic"))
	if t == nil {
		return errPlace
	}
	href := x.Path + "/preview"
	if page := p.pages[strings.TrimRight(t.Title, " :")]; page > 0 {
		href += "#page=" + strconv.Itoa(page)
	}
	s.prints.put(p)
	Framed(w)
	return seeOther(w, r, href)
}
