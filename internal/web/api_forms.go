package web

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/render"
)

func (s *Service) apiFormRoutes() []Route {
	forms, fill := casework.ScopeForms, casework.ScopeRender
	of := []apiParam{{"copy", "which copy: full, disclosable or annex, as the form has them; full when it is not said"}, {"for", "of several addressees, whom it is for; the first when it is not said"}}
	return []Route{
		{Method: "GET", Pattern: "/forms", Do: s.apiForms, Scope: forms, Test: testAlways, Spec: &apiSpec{id: "forms", sum: "The forms there are", out: apiFormList{}}},
		{Method: "GET", Pattern: "/forms/" + formPattern, Do: s.apiForm, Scope: forms, Test: testAlways, Spec: &apiSpec{id: "form", sum: "One form and what it asks", out: apiFormWhole{}}},
		{Method: "GET", Pattern: "/forms/" + formPattern + "/schema", Do: s.apiSchema, Scope: forms, Test: testAlways, Spec: &apiSpec{id: "schema", sum: "The JSON Schema (2020-12) of a case for this form", media: "application/schema+json"}},
		{Method: "POST", Pattern: "/forms/" + formPattern + "/check", Do: s.apiCheck, Body: caseforms.MaxCaseBytes, Scope: fill, Test: testAlways,
			Spec: &apiSpec{id: "check", sum: "Tell everything that is wrong with a case; nothing is stored", caseBody: true, query: of, out: apiChecked{}}},
		{Method: "POST", Pattern: "/forms/" + formPattern + "/render", Do: s.apiRender, Body: caseforms.MaxCaseBytes, Scope: fill, Test: testAlways,
			Spec: &apiSpec{id: "render", sum: "Fill the form from a case and give it back as a document; nothing is stored", caseBody: true, files: true,
				query: append([]apiParam{{"format", "pdf, xlsx, html, txt or json; else what Accept asks for, else pdf"}, {"draft", "true: although answers are missing, marked DRAFT on every page"}, {"profile", "archive, or reply: what the recipient fills in is a form in the PDF"}}, of...)}},
	}
}

type apiFormEntry struct {
	Form    string   `json:"form"`
	Version string   `json:"version"`
	Title   string   `json:"title"`
	GoesTo  string   `json:"goes_to,omitempty"`
	Copies  []string `json:"copies" doc:"which copies there are"`
	Href    string   `json:"href"`
}

type apiFormList struct {
	Area  string         `json:"area,omitempty"`
	Forms []apiFormEntry `json:"forms"`
}

type apiFormWhole struct {
	apiFormEntry
	Source    string        `json:"source,omitempty"`
	Hash      string        `json:"hash" doc:"SHA-256 of the definition"`
	Addressed bool          `json:"addressed" doc:"each document is for one of several addressees: say which with for"`
	Sections  []apiSection  `json:"sections"`
	Responses []apiResponse `json:"responses" doc:"what may be answered to it"`
	Schema    string        `json:"schema" doc:"where the JSON Schema of a case is"`
}

type apiSection struct {
	Key    string     `json:"key"`
	Title  string     `json:"title"`
	Fields []apiField `json:"fields"`
}

type apiField struct {
	Pointer  string      `json:"pointer,omitempty" doc:"where the answer stands in the case record; in a list, within the item"`
	Label    string      `json:"label"`
	Hint     string      `json:"hint,omitempty"`
	Kind     string      `json:"kind,omitempty"`
	Required bool        `json:"required" doc:"always; others may be when other answers ask for it, which check tells"`
	Options  []apiOption `json:"options,omitempty"`
	Fields   []apiField  `json:"fields,omitempty" doc:"of a list: what is asked of each item"`
}

type apiOption struct {
	Value string `json:"value"`
	Label string `json:"label"`
}

type apiResponse struct {
	Kind  string `json:"kind"`
	Label string `json:"label"`
	Ends  bool   `json:"ends" doc:"nothing more is awaited after it"`
}

// formOf is the form in the address.
func (s *Service) formOf(r *Request) (*caseforms.Definitions, *caseforms.Form, error) {
	d, err := s.api.defs()
	if err != nil {
		return nil, nil, err
	}
	f, err := d.Form(r.Var("form"))
	return d, f, err
}

func apiEntryOf(d *caseforms.Definitions, f *caseforms.Form) apiFormEntry {
	copies := f.Copies
	if len(copies) == 0 {
		copies = []string{caseforms.CopyFull}
	}
	return apiFormEntry{f.ID, f.Version, f.Title.In(d.Lang), f.GoesTo.In(d.Lang), copies, apiBase + "/forms/" + f.ID}
}

func (s *Service) apiForms(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	d, err := s.api.defs()
	if err != nil {
		return err
	}
	out := apiFormList{Area: d.Area}
	for _, f := range d.Forms {
		out.Forms = append(out.Forms, apiEntryOf(d, f))
	}
	return answerJSON(w, http.StatusOK, &out)
}

func (s *Service) apiForm(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	d, f, err := s.formOf(r)
	if err != nil {
		return err
	}
	out := apiFormWhole{apiFormEntry: apiEntryOf(d, f), Source: f.Source, Hash: f.Hash, Addressed: f.Addressee != nil, Schema: apiBase + "/forms/" + f.ID + "/schema"}
	for _, x := range f.Sections {
		sec := apiSection{Key: x.Key, Title: x.Title.In(d.Lang)}
		for _, q := range x.Fields {
			if !q.Internal {
				sec.Fields = append(sec.Fields, apiFieldOf(d, f, q, false))
			}
		}
		out.Sections = append(out.Sections, sec)
	}
	for _, x := range d.Duties.Responses[f.ID] {
		out.Responses = append(out.Responses, apiResponse{x.Kind, x.Label.In(d.Lang), x.Ends})
	}
	return answerJSON(w, http.StatusOK, &out)
}

func apiFieldOf(d *caseforms.Definitions, f *caseforms.Form, q *caseforms.Field, inList bool) apiField {
	out := apiField{Label: q.Label.In(d.Lang), Hint: q.Hint.In(d.Lang), Kind: string(q.Kind), Required: q.Required != nil && q.Required.Always}
	switch {
	case len(q.From) > 0:
		out.Pointer = pointer(q.From[0])
	case q.Kind != "" && inList:
		out.Pointer = pointer(q.Key)
	case q.Kind != "":
		out.Pointer = pointer("forms." + f.ID + "." + q.Key)
	}
	if q.Fields != nil && out.Kind == "" {
		out.Kind = string(caseforms.KindList)
	}
	for _, o := range q.Options {
		out.Options = append(out.Options, apiOption{o.Value, o.Label.In(d.Lang)})
	}
	for _, c := range q.Fields {
		if !c.Internal {
			out.Fields = append(out.Fields, apiFieldOf(d, f, c, true))
		}
	}
	return out
}

func (s *Service) apiSchema(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	d, f, err := s.formOf(r)
	if err != nil {
		return err
	}
	b, err := d.Schema(f)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/schema+json")
	_, _ = w.Write(b)
	return nil
}

type apiChecked struct {
	Form     string           `json:"form"`
	Version  string           `json:"version"`
	Copy     string           `json:"copy"`
	MayIssue bool             `json:"may_issue" doc:"no problem is an error"`
	Problems []apiCaseProblem `json:"problems" doc:"in the order of the form"`
}

// apiJudged is a case as it was sent, read and apiChecked. c is nil when it cannot be read.
type apiJudged struct {
	d  *caseforms.Definitions
	f  *caseforms.Form
	c  *caseforms.Case
	o  caseforms.FillOptions
	ps []caseforms.Problem
}

func (j *apiJudged) mayIssue() bool { return j.c != nil && !caseforms.Blocks(j.ps) }

func (s *Service) judge(form string, data []byte, copy, addressee string) (*apiJudged, error) {
	d, err := s.api.defs()
	if err != nil {
		return nil, err
	}
	j := &apiJudged{d: d, o: caseforms.FillOptions{Today: caseforms.DateOf(caseforms.London(s.desk.Now())), For: addressee, Copy: copy}}
	if j.o.Copy == "" {
		j.o.Copy = caseforms.CopyFull
	}
	if j.f, err = d.Form(form); err != nil {
		return nil, err
	}
	if j.c, j.ps = d.Decode(data, j.f); j.c != nil {
		j.ps, err = d.Check(j.f, j.c, j.o)
	}
	return j, err
}

func (s *Service) apiCheck(w http.ResponseWriter, r *Request) error {
	q, err := r.query("copy", "for")
	if err != nil {
		return err
	}
	if _, _, err := s.formOf(r); err != nil {
		return err
	}
	data, err := r.body()
	if err != nil {
		return err
	}
	done, err := s.rendering(r.Context())
	if err != nil {
		return err
	}
	defer done()
	j, err := s.judge(r.Var("form"), data, q["copy"], q["for"])
	if err != nil {
		return err
	}
	return answerJSON(w, http.StatusOK, &apiChecked{j.f.ID, j.f.Version, j.o.Copy, j.mayIssue(), caseProblems(j.ps)})
}

// apiMedia are those of the formats, the one that is preferred first.
var apiMedia = []struct {
	format render.Format
	media  string
}{
	{render.FormatPDF, "application/pdf"},
	{render.FormatWorkbook, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{render.FormatHTML, "text/html"},
	{render.FormatText, "text/plain"},
	{render.FormatJSON, "application/json"},
}

func mediaOf(f render.Format) string {
	for _, m := range apiMedia {
		if m.format == f {
			if strings.HasPrefix(m.media, "text/") {
				return m.media + "; charset=utf-8"
			}
			return m.media
		}
	}
	return "application/octet-stream"
}

// wanted is the format that a request asks for.
func wanted(r *Request, name string) (render.Format, error) {
	none := &apiProblem{code: http.StatusNotAcceptable, msg: "there is no such format", hint: "say ?format= with pdf, xlsx, html, txt or json, or their media types in Accept"}
	if name != "" {
		for _, m := range apiMedia {
			if string(m.format) == name {
				return m.format, nil
			}
		}
		return "", none
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if accept == "" {
		return render.FormatPDF, nil
	}
	best, format := 0.0, render.Format("")
	for part := range strings.SplitSeq(accept, ",") {
		t, ps, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := ps["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		for _, m := range apiMedia {
			major, _, _ := strings.Cut(m.media, "/")
			if weight > best && (t == m.media || t == "*/*" || t == major+"/*") {
				best, format = weight, m.format
			}
		}
	}
	if format == "" {
		return "", none
	}
	return format, nil
}

func (s *Service) apiRender(w http.ResponseWriter, r *Request) error {
	q, err := r.query("format", "draft", "copy", "for", "profile")
	if err != nil {
		return err
	}
	draft, err := apiFlag(q, "draft")
	if err != nil {
		return err
	}
	format, err := wanted(r, q["format"])
	if err != nil {
		return err
	}
	o := render.Options{Profile: render.Profile(q["profile"])}
	switch o.Profile {
	case "":
		o.Profile = render.ProfileArchive
	case render.ProfileArchive, render.ProfileReply:
	default:
		return &apiProblem{code: http.StatusUnprocessableEntity, msg: "the profile is archive or reply"}
	}
	if err := o.Check(format); err != nil {
		return err
	}
	if _, _, err := s.formOf(r); err != nil {
		return err
	}
	data, err := r.body()
	if err != nil {
		return err
	}
	done, err := s.rendering(r.Context())
	if err != nil {
		return err
	}
	defer done()
	j, err := s.judge(r.Var("form"), data, q["copy"], q["for"])
	if err != nil {
		return err
	}
	if j.c == nil || !draft && !j.mayIssue() {
		e := &apiProblem{code: http.StatusUnprocessableEntity, kind: "case", msg: "the form cannot be filled from this case yet", problems: j.ps}
		if j.c != nil {
			e.hint = "answer what is missing, or ask for a draft: ?draft=true"
		}
		return e
	}
	j.o.Draft = draft
	doc, err := j.d.Fill(j.f, j.c, j.o)
	if err != nil {
		return err
	}
	if err := r.Context().Err(); err != nil {
		return err
	}
	var b bytes.Buffer
	report, err := render.Write(&b, doc, format, o)
	if err != nil {
		return err
	}
	if n := len(report.Missing); n > 0 {
		w.Header().Set("Caseforms-Missing-Letters", strconv.Itoa(n))
	}
	w.Header().Set("Caseforms-Warnings", strconv.Itoa(len(j.ps)))
	apiFile(w, j.f.ID, format, b.Bytes())
	return nil
}

// apiFile answers with a file. Its name holds no more than the form or the reference.
func apiFile(w http.ResponseWriter, name string, format render.Format, data []byte) {
	w.Header().Set("Content-Type", mediaOf(format))
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.%s"`, strings.ToLower(name), format))
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, _ = w.Write(data) // a client that went away reads nothing
}
