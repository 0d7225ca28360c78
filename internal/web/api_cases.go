package web

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
	"caseforms/internal/casework"
)

func (s *Service) apiCaseRoutes() []Route {
	cases, drafts := casework.ScopeCases, casework.ScopeDrafts
	return []Route{
		{Method: "GET", Pattern: "/cases", Do: s.apiFind, Scope: cases, Spec: &apiSpec{id: "findCases", sum: "Find cases by a reference or a number; names must not stand in an address: search for them", out: apiFoundList{},
			query: []apiParam{{"ref", "reference of a document"}, {"crn", "CRN"}, {"prison_number", "prison number"}, {"pnc", "PNC ID"}}}},
		{Method: "POST", Pattern: "/cases/search", Do: s.apiSearch, Body: 16 << 10, Scope: cases, Spec: &apiSpec{id: "searchCases", sum: "Find cases by names, a date of birth, a number or a reference", in: apiSearch{}, out: apiFoundList{}}},
		{Method: "GET", Pattern: "/cases/" + casePattern, Do: s.apiCase, Scope: cases, Spec: &apiSpec{id: "case", sum: "A case with its record", out: apiWhole{}}},

		{Method: "POST", Pattern: "/drafts", Do: s.apiNewDraft, Body: caseforms.MaxCaseBytes, Scope: drafts, Spec: &apiSpec{id: "newDraft", sum: "Save a draft", in: apiNewDraft{}, out: apiDraft{}, code: 201, etag: true}},
		{Method: "GET", Pattern: "/drafts/" + draftPattern, Do: s.apiDraft, Scope: drafts, Spec: &apiSpec{id: "draft", sum: "A draft", out: apiDraft{}, etag: true}},
		{Method: "PUT", Pattern: "/drafts/" + draftPattern, Do: s.apiSaveDraft, Body: caseforms.MaxCaseBytes, Scope: drafts, Spec: &apiSpec{id: "saveDraft", sum: "Save a draft again, unless somebody else did meanwhile", in: apiSaveDraft{}, out: apiDraft{}, etag: true, match: true}},
		{Method: "DELETE", Pattern: "/drafts/" + draftPattern, Do: s.apiDropDraft, Scope: drafts, Spec: &apiSpec{id: "dropDraft", sum: "Throw a draft away, unless somebody else saved it meanwhile", code: 204, match: true}},
	}
}

type apiCard struct {
	Name         string `json:"name,omitempty"`
	DOB          string `json:"dob,omitempty"`
	CRN          string `json:"crn,omitempty"`
	PrisonNumber string `json:"prison_number,omitempty"`
	PNC          string `json:"pnc,omitempty"`
}

type apiFound struct {
	Case       string   `json:"case"`
	Person     *apiCard `json:"person,omitempty"`
	Named      bool     `json:"named,omitzero" doc:"somebody named in the case was found, not the person it is about"`
	Restricted bool     `json:"restricted,omitzero" doc:"you may not see it; that you asked is recorded"`
	Documents  []string `json:"documents"`
}

type apiFoundList struct {
	Cases []apiFound `json:"cases"`
	More  bool       `json:"more" doc:"there are more than are told: ask more closely"`
}

type apiSearch struct {
	Query string `json:"query" doc:"whole words of names, a date of birth, a number or a reference, all of the same person"`
}

type apiWhole struct {
	Case      string         `json:"case"`
	Person    apiCard        `json:"person"`
	Owner     string         `json:"owner"`
	Team      string         `json:"team,omitempty"`
	Version   int            `json:"version"`
	Changed   time.Time      `json:"changed"`
	Documents []string       `json:"documents"`
	Drafts    []string       `json:"drafts"`
	Due       []apiDue       `json:"due"`
	Record    jsontext.Value `json:"record" doc:"the case record; every form is filled from it"`
}

// found looks for cases. That nothing was found is an empty list.
func (s *Service) found(w http.ResponseWriter, r *Request, query string) error {
	out := apiFoundList{}
	found, more, err := r.Desk.Find(r.Context(), r.Actor, query)
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.NotFound {
		found, err = nil, nil
	}
	if err != nil {
		return err
	}
	out.More = more
	for _, f := range found {
		x := apiFound{Case: string(f.Case), Named: f.Named, Restricted: f.Restricted}
		if !f.Restricted {
			c := apiCard(f.Card)
			x.Person = &c
		}
		for _, ref := range f.Documents {
			x.Documents = append(x.Documents, string(ref))
		}
		out.Cases = append(out.Cases, x)
	}
	return answerJSON(w, http.StatusOK, &out)
}

func (s *Service) apiFind(w http.ResponseWriter, r *Request) error {
	q, err := r.query("ref", "crn", "prison_number", "pnc")
	if err != nil {
		return err
	}
	if len(q) != 1 {
		return &apiProblem{code: http.StatusUnprocessableEntity, msg: "say one of ref, crn, prison_number and pnc", hint: "for names there is POST " + apiBase + "/cases/search"}
	}
	for name, v := range q {
		_, isRef := caseforms.ParseRef(v)
		if name == "ref" && !isRef || name != "ref" && (len(caseforms.Identifiers(v)) == 0 || !strings.ContainsAny(v, "0123456789") || strings.Contains(strings.TrimSpace(v), " ")) {
			return &apiProblem{code: http.StatusUnprocessableEntity, msg: "this does not look like a " + strings.ReplaceAll(name, "_", " "), hint: "for anything else there is POST " + apiBase + "/cases/search"}
		}
		return s.found(w, r, v)
	}
	return nil
}

func (s *Service) apiSearch(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	var in apiSearch
	if _, err := r.take(&in); err != nil {
		return err
	}
	return s.found(w, r, in.Query)
}

func (s *Service) apiCase(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	id, err := r.CaseID()
	if err != nil {
		return err
	}
	c, err := r.Desk.ReadCase(r.Context(), r.Actor, id)
	if err != nil {
		return err
	}
	out := apiWhole{Case: string(c.Case), Person: apiCard(c.Card), Owner: c.Owner, Team: c.Team, Version: c.Version, Changed: c.Changed, Due: apiDues(c.Due), Record: c.Record}
	for _, d := range c.Documents {
		out.Documents = append(out.Documents, string(d))
	}
	for _, d := range c.Drafts {
		out.Drafts = append(out.Drafts, string(d))
	}
	return answerJSON(w, http.StatusOK, &out)
}

type apiNewDraft struct {
	Form   string         `json:"form"`
	Case   string         `json:"case,omitempty" doc:"whose it is, when that is known; else a number in the record tells it"`
	Record jsontext.Value `json:"record" doc:"a case record, however incomplete"`
}

type apiSaveDraft struct {
	Case   string         `json:"case,omitempty"`
	Record jsontext.Value `json:"record"`
}

type apiDraft struct {
	Draft     string         `json:"draft"`
	Form      string         `json:"form"`
	Case      string         `json:"case,omitempty"`
	Version   int            `json:"version" doc:"the ETag in quotes"`
	Changed   time.Time      `json:"changed"`
	ChangedBy string         `json:"changed_by"`
	Record    jsontext.Value `json:"record"`
	Reasons   []apiReasonOf  `json:"reasons,omitempty" doc:"why its warnings are let stand"`
}

func draftReply(w http.ResponseWriter, code int, d *casework.Draft) error {
	w.Header().Set("ETag", `"`+strconv.Itoa(d.Version)+`"`)
	return answerJSON(w, code, &apiDraft{string(d.ID), d.Form, string(d.Case), d.Version, d.Changed, d.ChangedByName, d.Content, apiReasons(d.Reasons)})
}

// caseID reads the name of a case in a body; "" is none.
func caseID(name string) (caseforms.CaseID, error) {
	if name == "" {
		return "", nil
	}
	id, ok := caseforms.ParseCaseID(name)
	if !ok {
		return "", &apiProblem{code: http.StatusUnprocessableEntity, msg: "this is not the name of a case", pointer: "/case", hint: "one looks like CS-7K3M-Q9ZQ"}
	}
	return id, nil
}

func (s *Service) apiNewDraft(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	var in apiNewDraft
	if _, err := r.take(&in); err != nil {
		return err
	}
	id, err := caseID(in.Case)
	if err != nil {
		return err
	}
	d, err := r.Desk.SaveDraft(r.Context(), r.Actor, casework.SaveDraft{Form: in.Form, Area: s.o.Area, Case: id, Content: in.Record})
	if err != nil {
		return err
	}
	w.Header().Set("Location", apiBase+"/drafts/"+string(d.ID))
	return draftReply(w, http.StatusCreated, d)
}

// draftID is the draft in the address.
func draftID(r *Request) (caseforms.DraftID, error) {
	id, ok := caseforms.ParseDraftID(r.Var("draft"))
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such draft", Hint: "look whether the address is right"}
	}
	return id, nil
}

var apiETag = regexp.MustCompile(`^"([1-9][0-9]{0,8})"$`)

// seen is the version that If-Match names: one, because what somebody has seen is one.
func (r *Request) seen() (int, error) {
	h := strings.TrimSpace(strings.Join(r.Header.Values("If-Match"), ","))
	if h == "" || h == "*" {
		return 0, &apiProblem{code: http.StatusPreconditionRequired, msg: "say which version of the draft you have seen, so that nobody's work is lost", hint: "send the ETag that came with it: If-Match: \"3\""}
	}
	m := apiETag.FindStringSubmatch(h)
	if m == nil {
		return 0, &apiProblem{code: http.StatusPreconditionFailed, msg: "this is no version of the draft", hint: "send the ETag that came with it: If-Match: \"3\""}
	}
	n, err := strconv.Atoi(m[1])
	return n, err
}

// apiConflict tells that somebody else saved a draft: which version was seen, which there is, and where they differ. What stands there is read with GET.
func apiConflict(err error, base int) error {
	var both *casework.DraftConflict
	if !errors.As(err, &both) {
		return err
	}
	e := &apiProblem{code: http.StatusPreconditionFailed, msg: "somebody else saved this draft after you had read it; yours was not saved", hint: "read it again, put both together, and save that", base: base, current: both.Theirs.Version}
	for _, d := range both.Differences {
		e.differ = append(e.differ, apiDifference{pointer(d.Key), d.Label})
	}
	return e
}

func (s *Service) apiDraft(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	id, err := draftID(r)
	if err != nil {
		return err
	}
	d, err := r.Desk.Draft(r.Context(), r.Actor, id)
	if err != nil {
		return err
	}
	if r.Header.Get("If-None-Match") == `"`+strconv.Itoa(d.Version)+`"` {
		w.Header().Set("ETag", r.Header.Get("If-None-Match"))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return draftReply(w, http.StatusOK, d)
}

func (s *Service) apiSaveDraft(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	id, err := draftID(r)
	if err != nil {
		return err
	}
	base, err := r.seen()
	if err != nil {
		return err
	}
	var in apiSaveDraft
	if _, err := r.take(&in); err != nil {
		return err
	}
	of, err := caseID(in.Case)
	if err != nil {
		return err
	}
	d, err := r.Desk.SaveDraft(r.Context(), r.Actor, casework.SaveDraft{ID: id, Base: base, Case: of, Content: in.Record})
	if err != nil {
		return s.apiChanged(r, id, base, apiConflict(err, base), "it was not saved")
	}
	return draftReply(w, http.StatusOK, d)
}

func (s *Service) apiDropDraft(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	id, err := draftID(r)
	if err != nil {
		return err
	}
	base, err := r.seen()
	if err != nil {
		return err
	}
	err = r.Desk.DropDraft(r.Context(), r.Actor, id, base)
	if err != nil {
		return s.apiChanged(r, id, base, err, "it was not thrown away")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// apiChanged makes of a conflict that another version of a draft was seen than there is one that says so.
func (s *Service) apiChanged(r *Request, id caseforms.DraftID, base int, err error, what string) error {
	var ours *caseforms.Error
	if !errors.As(err, &ours) || ours.Kind != caseforms.Conflict && ours.Kind != caseforms.Invalid {
		return err
	}
	d, e := r.Desk.Draft(r.Context(), r.Actor, id)
	if e != nil {
		return e
	}
	if d.Version == base {
		return err
	}
	return &apiProblem{code: http.StatusPreconditionFailed, msg: "the draft is at another version than you have seen; " + what, hint: "read it again", base: base, current: d.Version}
}
