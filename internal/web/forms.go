package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/templates"
)

// Forms are filled on pages that are made from their definitions. What was typed is a draft from the first moment; see casework.SaveDraft.

const (
	topicPattern = `{topic:[a-z0-9_]+}`
	listPattern  = `{list:[a-z0-9_.-]+}`
	itemPattern  = `{item:[0-9]{1,4}|new}`
	draftPath    = "/drafts/" + draftPattern
	partPath     = draftPath + "/part/" + topicPattern
	itemPath     = partPath + "/" + listPattern + "/" + itemPattern
)

// draftMost is the most that a page of a draft may send: narratives may be long.
const draftMost = 4 << 20

func (s *Service) formRoutes() []Route {
	routes := []Route{
		{Method: "GET", Pattern: "/forms", Who: caseworkers(), Do: s.startPage, Nav: "Start a form"},
		{Method: "POST", Pattern: "/forms", Who: caseworkers(), Do: s.start},
		{Method: "GET", Pattern: "/drafts", Who: caseworkers(), Do: s.drafts, Nav: "Drafts"},
		{Method: "GET", Pattern: draftPath, Who: caseworkers(), Do: s.tasks},
		{Method: "GET", Pattern: partPath, Who: caseworkers(), Do: s.partPage},
		{Method: "POST", Pattern: partPath, Who: caseworkers(), Do: s.part, Body: draftMost},
		{Method: "GET", Pattern: itemPath, Who: caseworkers(), Do: s.partPage},
		{Method: "POST", Pattern: itemPath, Who: caseworkers(), Do: s.part, Body: draftMost},
		{Method: "GET", Pattern: itemPath + "/remove", Who: caseworkers(), Do: s.removePage},
		{Method: "POST", Pattern: itemPath + "/remove", Who: caseworkers(), Do: s.remove},
		{Method: "GET", Pattern: partPath + "/warnings", Who: caseworkers(), Do: s.partWarnings},
		{Method: "POST", Pattern: partPath + "/warnings", Who: caseworkers(), Do: s.partWarnings},
		{Method: "GET", Pattern: draftPath + "/answers", Who: caseworkers(), Do: s.answers},
		{Method: "GET", Pattern: draftPath + "/preview", Who: caseworkers(), Do: s.draftPreview},
		{Method: "GET", Pattern: draftPath + "/preview/" + topicPattern, Who: caseworkers(), Do: s.partPreview},
		{Method: "GET", Pattern: draftPath + "/issue", Who: caseworkers(), Do: s.issuePage},
		{Method: "POST", Pattern: draftPath + "/issue", Who: caseworkers(), Do: s.issue},
		{Method: "GET", Pattern: draftPath + "/drop", Who: caseworkers(), Do: s.dropPage},
		{Method: "POST", Pattern: draftPath + "/drop", Who: caseworkers(), Do: s.drop},
	}
	for i := range routes {
		if strings.HasPrefix(routes[i].Pattern, draftPath) {
			routes[i].Do = s.orIssued(routes[i].Do)
		}
	}
	return routes
}

type issuedData struct {
	*casework.FromDraft
	Typed bool // something was sent, which is not saved
}

// orIssued does what a page of a draft does. When the draft was issued meanwhile, whoever issues it once more is led to the document, and everybody else
// is told which it is.
func (s *Service) orIssued(do func(http.ResponseWriter, *Request) error) func(http.ResponseWriter, *Request) error {
	return func(w http.ResponseWriter, r *Request) error {
		err := do(w, r)
		var ours *caseforms.Error
		if !errors.As(err, &ours) || ours.Kind != caseforms.NotFound && ours.Kind != caseforms.Conflict {
			return err
		}
		id, ok := caseforms.ParseDraftID(r.Var("draft"))
		if !ok {
			return err
		}
		d, e := r.Desk.IssuedFrom(r.Context(), r.Actor, id)
		switch {
		case e != nil:
			return e
		case d == nil:
			return err
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/issue"):
			s.notify(r, Notice{Text: fmt.Sprintf("It was issued already, as %s, on %s. It was not issued once more.", d.Ref, clock(d.At))})
			return seeOther(w, r, documentPath(d.Ref, ""))
		}
		return s.page(w, r, "form-issued", Page{Title: "This draft was issued as " + string(d.Ref), Status: http.StatusNotFound, Crumbs: []Link{{"Your work", "/"}, {"Drafts", "/drafts"}}, Data: issuedData{d, r.Method == http.MethodPost}})
	}
}

type startData struct {
	Form          Choice
	Areas         Choice
	Case          string
	Existing      *Choice // cases that it may be
	Given, Family string
}

// areas are those whose forms are offered, the service's own first.
func (s *Service) areas() []string {
	out := []string{s.o.Area}
	for _, a := range append([]string{""}, templates.Areas()...) {
		if _, err := s.desk.Definitions(a); err == nil && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func (s *Service) starting(r *Request, form, area, of string) (startData, error) {
	d := startData{Case: of, Form: Choice{ID: "form", Legend: "Which form do you want to fill in?"}, Areas: Choice{ID: "area", Legend: "Whose forms?"}}
	seen := map[string]bool{}
	for _, a := range s.areas() {
		defs, err := s.desk.Definitions(a)
		if err != nil {
			return d, err
		}
		o := Option{Value: a, Label: sentence(strings.ReplaceAll(a, "-", " ")), Chosen: a == area}
		if a == "" {
			o.Value, o.Label, o.Chosen = "general", "The general ones", area == "" || area == "general"
		}
		d.Areas.Options = append(d.Areas.Options, o)
		for _, f := range defs.Forms {
			if !seen[f.ID] {
				seen[f.ID] = true
				d.Form.Options = append(d.Form.Options, Option{Value: f.ID, Label: defs.Title(f), Hint: defs.Say(f.GoesTo), Chosen: f.ID == form})
			}
		}
	}
	return d, nil
}

func (s *Service) startPage(w http.ResponseWriter, r *Request) error {
	of := r.URL.Query().Get("case")
	if _, isCase := caseforms.ParseCaseID(of); !isCase {
		of = ""
	}
	d, err := s.starting(r, "", s.o.Area, of)
	if err != nil {
		return err
	}
	return s.page(w, r, "form-start", Page{Title: "Start a form", Form: true, Data: d})
}

// start makes a draft at once, so that nothing that is typed afterwards is lost.
func (s *Service) start(w http.ResponseWriter, r *Request) error {
	id, area := r.Field("form"), r.Field("area")
	again := func(p FieldProblem) error {
		d, err := s.starting(r, id, area, r.Field("case"))
		if err != nil {
			return err
		}
		d.Given, d.Family = r.Field("given"), r.Field("family")
		if p.Field == "form" {
			d.Form.Problem = p.Msg
		} else if p.Field == "area" {
			d.Areas.Problem = p.Msg
		}
		return s.page(w, r, "form-start", Page{Title: "Start a form", Form: true, Status: http.StatusUnprocessableEntity, Problems: []FieldProblem{p}, Data: d})
	}
	switch area {
	case "general":
		area = ""
	case "":
		area = s.o.Area
	}
	if !slices.Contains(s.areas(), area) {
		return again(FieldProblem{"area", "Choose one of the areas"})
	}
	defs, err := s.desk.Definitions(area)
	if err != nil {
		return err
	}
	f, err := defs.Form(id)
	if err != nil {
		msg := "Choose a form"
		if id != "" {
			msg = "Choose a form that this area has"
		}
		return again(FieldProblem{"form", msg})
	}
	whose, existing, ps, err := s.whose(r)
	if err != nil {
		return err
	}
	if whose == nil {
		d, err := s.starting(r, id, area, r.Field("case"))
		if err != nil {
			return err
		}
		d.Existing, d.Given, d.Family = existing, r.Field("given"), r.Field("family")
		return s.page(w, r, "form-start", Page{Title: "Start a form", Form: true, Status: http.StatusUnprocessableEntity, Problems: ps, Data: d})
	}
	content := []byte("{}")
	if whose.Case != "" {
		if content, err = r.Desk.CaseRecord(r.Context(), r.Actor, whose.Case); err != nil {
			return err
		}
	}
	ed, err := defs.Edit(content)
	if err != nil {
		return err
	}
	f.BeginAnew(ed)
	for key, v := range whose.Known {
		ed.SetValue(key, v)
	}
	if content, err = ed.JSON(); err != nil {
		return err
	}
	draft, err := r.Desk.SaveDraft(r.Context(), r.Actor, casework.SaveDraft{Case: whose.Case, Form: f.ID, Area: area, Content: content})
	if err != nil {
		return err
	}
	return seeOther(w, r, "/drafts/"+string(draft.ID))
}

func (s *Service) drafts(w http.ResponseWriter, r *Request) error {
	all, err := r.Desk.ListDrafts(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := draftsData{Table: Table{Caption: "Drafts", Hide: true, Heads: []string{"Person", "Form", "Case", "Last saved"}, None: "There are no drafts of yours or your team."}}
	var from, to int
	d.Pages, from, to = Paged(r, len(all), onPage)
	list, err := r.Desk.DraftDetails(r.Context(), r.Actor, all[from:to])
	if err != nil {
		return err
	}
	for _, x := range list {
		who := Cell{Text: cmp.Or(x.Card.Name, "No name yet"), Href: "/drafts/" + string(x.ID), Sub: string(x.ID)}
		if x.Urgent {
			who.Mark = "Urgent"
		}
		of := TextCell("None yet")
		if x.Case != "" {
			of = Cell{Text: string(x.Case), Href: "/cases?q=" + string(x.Case), Whole: true}
		}
		d.Table.Rows = append(d.Table.Rows, []Cell{who, TextCell(x.Title), of, {Text: clock(x.Changed), Sub: "by " + x.ChangedByName}})
	}
	return s.page(w, r, "form-drafts", Page{Title: "Drafts", Wide: true, Data: d})
}

type draftsData struct {
	Table Table
	Pages Pages
}

// draftsLink is a counted link to the drafts of whoever looks, for the home page; nil when there are none.
func (s *Service) draftsLink(r *Request) ([]Link, error) {
	all, urgent, err := r.Desk.CountDrafts(r.Context(), r.Actor)
	if all == 0 || err != nil {
		return nil, err
	}
	text := count(all, "draft of yours", "drafts of yours")
	switch {
	case urgent == 0:
	case all == 1:
		text += ", urgent"
	case urgent == all:
		text += ", all of them urgent"
	case urgent == 1:
		text += ", one of them urgent"
	default:
		text += ", " + strconv.Itoa(urgent) + " of them urgent"
	}
	return []Link{{text, "/drafts"}}, nil
}

// filling is a draft as its pages see it.
type filling struct {
	Draft *casework.Draft
	Path  string // of its task list
	Title string // of the form
	Bar   identity
	defs  *caseforms.Definitions
	form  *caseforms.Form
	asked *caseforms.Asked
	edit  *caseforms.Edit
	c     *caseforms.Case
	view  *caseforms.View
	today caseforms.Date
}

// identity tells whose form it is, on every page of it.
type identity struct {
	Name, DOB, CRN string
	Prison         string   // the prison number, where there is no CRN
	Alerts         []string // see caseforms.Definitions.Alerts
	Urgent         bool
	Restricted     bool
}

// written is a date without its day of the week, as a date of birth is written.
func written(d caseforms.Date) string {
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Format("2 January 2006")
}

// DraftID is the draft in the address.
func (r *Request) DraftID() (caseforms.DraftID, error) {
	id, ok := caseforms.ParseDraftID(r.Var("draft"))
	if !ok {
		return "", &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such draft", Hint: "look whether the address is right"}
	}
	return id, nil
}

// filling reads the draft in the address.
func (s *Service) filling(r *Request) (*filling, error) {
	id, err := r.DraftID()
	if err != nil {
		return nil, err
	}
	d, err := r.Desk.Draft(r.Context(), r.Actor, id)
	if err != nil {
		return nil, err
	}
	restricted, err := r.Desk.Restricted(r.Context(), d)
	if err != nil {
		return nil, err
	}
	return s.filled(d, restricted)
}

func (s *Service) filled(d *casework.Draft, restricted bool) (*filling, error) {
	x := &filling{Draft: d, Path: "/drafts/" + string(d.ID), today: caseforms.DateOf(caseforms.London(s.desk.Now()))}
	var err error
	if x.defs, err = s.desk.Definitions(d.Area); err != nil {
		return nil, err
	}
	if x.form, err = x.defs.Form(d.Form); err != nil {
		return nil, err
	}
	x.Title = x.defs.Title(x.form)
	x.asked = s.askedOf(x.defs, x.form)
	if err := x.read(d.Content); err != nil {
		return nil, err
	}
	x.Bar.Restricted = restricted
	return x, nil
}

// askedOf is what a form asks, laid out once: the definitions do not change while the program runs.
func (s *Service) askedOf(d *caseforms.Definitions, f *caseforms.Form) *caseforms.Asked {
	if a, ok := s.asked.Load(f); ok {
		return a.(*caseforms.Asked)
	}
	a, _ := s.asked.LoadOrStore(f, d.Asked(f))
	return a.(*caseforms.Asked)
}

// read takes a case record as the one of the draft.
func (x *filling) read(content []byte) error {
	var ps []caseforms.Problem
	if x.c, ps = x.defs.Decode(content, x.form); x.c == nil {
		return &casework.Refused{Problems: ps} // the definition has changed since it was saved
	}
	var err error
	if x.edit, err = x.defs.Edit(content); err != nil {
		return err
	}
	if x.view, err = x.defs.View(x.form, x.c, caseforms.FillOptions{Today: x.today}); err != nil {
		return err
	}
	p := &x.c.Person
	x.Bar.Name = strings.TrimSpace(strings.Join([]string{string(p.GivenNames.Value), string(p.FamilyName.Value)}, " "))
	if p.DOB.Known() {
		x.Bar.DOB = written(p.DOB.Value)
	}
	x.Bar.CRN, x.Bar.Prison, x.Bar.Alerts = x.edit.Get("person.crn").Text(), x.edit.Get("person.prison_number").Text(), x.defs.Alerts(x.c)
	x.Bar.Urgent = x.defs.Urgent(x.form, x.c)
	return nil
}

func (x *filling) crumbs(more ...Link) []Link {
	return append([]Link{{"Your work", "/"}, {"Drafts", "/drafts"}, {string(x.Draft.ID), x.Path}}, more...)
}

// partOf is the address of a topic.
func (x *filling) partOf(topic string) string { return x.Path + "/part/" + topic }

func topicTitle(t *caseforms.Topic) string {
	switch {
	case t.Key == caseforms.MoreTopic && t.Section == nil:
		return "Other facts that this form goes by"
	case t.Title == "":
		return sentence(strings.ReplaceAll(t.Key, "_", " "))
	}
	return t.Title
}

// where is the page on which a problem is put right, with the field on it.
func (x *filling) where(p caseforms.Problem) string {
	if p.Key == "" {
		return x.Path
	}
	t, at := x.asked.TopicOf(p.Key, strings.TrimRight(p.Section, " :"))
	if t == nil {
		return x.Path
	}
	if l := x.asked.List(at); l != nil {
		rest := strings.TrimPrefix(p.Key, at)
		n, field, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		if i, err := strconv.Atoi(n); ok && strings.HasPrefix(rest, "[") && err == nil && i < x.edit.Items(at) {
			href := x.partOf(t.Key) + "/" + at + "/" + n
			if field = strings.TrimPrefix(field, "."); field != "" {
				href += "#" + fieldOf(l, field)
			}
			return href
		}
		return x.partOf(t.Key) + "#" + at
	}
	return x.partOf(t.Key) + "#" + at
}

type task struct {
	Title, Href, Hint, Status, Colour string
}

// judged is a draft with what is to be said of it, as it will be issued.
func (s *Service) judged(r *Request) (*filling, []caseforms.Problem, error) {
	x, err := s.filling(r)
	if err != nil {
		return nil, nil, err
	}
	o, err := x.options(r)
	if err != nil {
		return nil, nil, err
	}
	ps, err := x.defs.Check(x.form, x.c, o)
	return x, ps, err
}

type tasksData struct {
	*filling
	Tasks     []task
	Done, All int
	Hindrance string // what keeps it from being issued
}

func (s *Service) tasks(w http.ResponseWriter, r *Request) error {
	x, ps, err := s.judged(r)
	if err != nil {
		return err
	}
	missing, wrong, _ := x.stands(ps, func(caseforms.Problem) bool { return true })
	d := tasksData{filling: x, Hindrance: hindrance(missing, wrong)}
	_, unexplained, err := caseforms.Reasons(x.Draft.Content, ps, false, x.Draft.Reasons, nil)
	if err != nil {
		return err
	}
	open := make(map[caseforms.Problem]bool, len(unexplained))
	for _, p := range unexplained {
		open[p] = true
	}
	ps = slices.DeleteFunc(ps, func(p caseforms.Problem) bool { // of these it was said why they stand
		return p.WantsReason() && !open[p]
	})
	for i := range x.asked.Topics {
		t := x.task(&x.asked.Topics[i], ps)
		if t.Title == "" {
			continue
		}
		d.All++
		if t.Status == statusComplete || t.Status == statusNone {
			d.Done++
		}
		d.Tasks = append(d.Tasks, t)
	}
	return s.page(w, r, "form-tasks", Page{Title: x.Title, Whose: &x.Bar, OwnHeading: true, Crumbs: []Link{{"Your work", "/"}, {"Drafts", "/drafts"}}, Data: d})
}

const (
	statusNot      = "Not started"
	statusSome     = "In progress"
	statusMissing  = "Incomplete"
	statusComplete = "Complete"
	statusWrong    = "There is a problem"
	statusNone     = "Not needed"
)

// task tells how a topic stands: by what is answered, and by what stands against the form.
func (x *filling) task(t *caseforms.Topic, ps []caseforms.Problem) task {
	out := task{Title: topicTitle(t), Href: x.partOf(t.Key)}
	any, some := false, false
	for i := range t.Questions {
		q := &t.Questions[i]
		for j := range q.Facts {
			any = true
			some = some || x.edit.Get(q.Facts[j].Path).State != caseforms.NotAnswered
		}
		for _, l := range q.Lists {
			any = true
			some = some || x.edit.Items(l) > 0 || x.edit.Get(l).State != caseforms.NotAnswered
		}
	}
	if !any {
		return task{}
	}
	missing, wrong, odd := x.stands(ps, func(p caseforms.Problem) bool {
		o, _ := x.asked.TopicOf(p.Key, strings.TrimRight(p.Section, " :"))
		return o != nil && o.Key == t.Key
	})
	out.Hint = hindrance(missing, wrong)
	switch {
	case wrong > 0:
		out.Status, out.Colour = statusWrong, "red"
	case missing > 0:
		out.Status, out.Colour = statusMissing, "yellow"
	case t.Section != nil && x.view.Arises(t.Section.When, "", 0) == caseforms.DoesNotArise && !some:
		out.Status, out.Colour = statusNone, "grey"
	case !some:
		out.Status, out.Colour = statusNot, "blue"
		if odd == 0 {
			out.Hint = "Nothing here must be answered"
		}
	case odd > 0:
		out.Status, out.Colour = statusSome, "blue"
	default:
		out.Status = statusComplete
	}
	if odd > 0 {
		out.Hint = strings.TrimPrefix(out.Hint+"; "+count(odd, "thing to look at", "things to look at"), "; ")
	}
	return out
}

// stands counts what stands against a form, of those problems that are chosen: answers without which it cannot be issued, answers with which it cannot,
// and what only has to be looked at.
func (x *filling) stands(ps []caseforms.Problem, of func(caseforms.Problem) bool) (missing, wrong, odd int) {
	for _, p := range ps {
		switch {
		case !of(p):
		case p.Severity != caseforms.Blocking:
			odd++
		case x.edit.Get(p.Key).State == caseforms.NotAnswered && x.edit.Items(p.Key) == 0:
			missing++
		default:
			wrong++
		}
	}
	return missing, wrong, odd
}

// hindrance says what keeps a form from being issued; "" is nothing.
func hindrance(missing, wrong int) string {
	var says []string
	if wrong > 0 {
		says = append(says, count(wrong, "thing to put right", "things to put right"))
	}
	if missing > 0 {
		says = append(says, count(missing, "answer is missing without which it cannot be issued", "answers are missing without which it cannot be issued"))
	}
	return strings.Join(says, "; ")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// problemLine is a problem with the page on which it is put right.
type problemLine struct {
	Text, Hint, Href string
}

// lines are the problems of one severity. from is the page to which the way back leads, see cameFrom.
func (x *filling) lines(ps []caseforms.Problem, sev caseforms.Severity, from string) (out []problemLine) {
	for _, p := range ps {
		if p.Severity != sev {
			continue
		}
		label := strings.TrimRight(p.Label, " :")
		if label == "" {
			label = strings.TrimRight(p.Section, " :")
		}
		text := strings.TrimPrefix(label+": "+p.Msg, ": ")
		h := hint(p.Hint)
		if strings.Contains(h, `{"state"`) {
			h = ""
		}
		out = append(out, problemLine{sentence(text), h, backTo(x.where(p), from)})
	}
	return out
}

type issueData struct {
	*filling
	Wrong    []problemLine
	Warnings *warningsView
	For      Choice
	Begun    *casework.Begun // of a draft of a new version
	Why      Input
	Newer    bool // somebody issued it again meanwhile
	Post     bool // e-mail is configured, so that it can go on to be sent
	Signing  bool // the form asks to be countersigned, which comes before it is sent
	Same     bool // it may be asked whether it is the same person
	SameWhy  string
}

func (s *Service) issuing(r *Request) (*issueData, error) {
	x, err := s.filling(r)
	if err != nil {
		return nil, err
	}
	d := &issueData{filling: x, Post: r.Desk.Posts(), Signing: casework.WantsCountersigning(x.form)}
	chosen := r.Field("for")
	o := caseforms.FillOptions{Today: x.today}
	begun, err := r.Desk.Begun(r.Context(), r.Actor, x.Draft)
	if err != nil {
		return nil, err
	}
	if begun != nil {
		o.Copy = begun.Copy
		if chosen == "" {
			chosen = x.addresseeNamed(begun.For)
		}
	}
	if begun != nil && !begun.Another {
		d.Begun, d.Newer = begun, begun.Latest != begun.Issue
		d.Why = Input{ID: "why-new", Label: "Why is there a new version?", Hint: "It stands on the timeline.", Value: d.Begun.Why, Lines: 3, Spell: true}
		if r.Method == http.MethodPost {
			d.Why.Value = r.Field("why-new")
		}
	}
	if chosen == "" && (begun == nil || begun.For == "" && !begun.Another) { // of one that was made for somebody who is not among them any more, or is not known, it has to be said
		chosen = "1"
	}
	if a := x.form.Addressee; a != nil {
		n := x.edit.Items(a.List)
		d.For = Choice{ID: "for", Legend: "Who is this document for?", Hint: "Each has a document of its own, with what concerns them only. When this one is issued, its page leads to the document for the next."}
		for i := range n {
			name := x.edit.Get(fmt.Sprintf("%s[%d].%s", a.List, i, a.By)).Text()
			if name == "" {
				name = "Number " + strconv.Itoa(i+1)
			}
			d.For.Options = append(d.For.Options, Option{Value: strconv.Itoa(i + 1), Label: name, Chosen: strconv.Itoa(i+1) == chosen})
		}
		if n > 1 && chosen != "" {
			if i, err := strconv.Atoi(chosen); err != nil || i < 1 || i > n {
				return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no such addressee", Hint: "choose one of those on the page"}
			}
			o.For = chosen
		}
	}
	ps, err := x.defs.Check(x.form, x.c, o)
	if err != nil {
		return nil, err
	}
	d.Wrong = x.lines(ps, caseforms.Blocking, fromIssue)
	d.Warnings, err = x.warnings(r, ps, fromIssue)
	return d, err
}

func (s *Service) issuePage(w http.ResponseWriter, r *Request) error {
	d, err := s.issuing(r)
	if err != nil {
		return err
	}
	return s.issuePageOf(w, r, d, 0)
}

func (s *Service) issuePageOf(w http.ResponseWriter, r *Request, d *issueData, code int, ps ...FieldProblem) error {
	return s.page(w, r, "form-issue", Page{Title: "Issue this form", Whose: &d.Bar, Form: true, Status: code, OwnHeading: true, Crumbs: d.crumbs(), Problems: ps, Data: d})
}

// issue makes the document. What is said of warnings is kept in the draft first, so that it is not lost when something else is in the way.
func (s *Service) issue(w http.ResponseWriter, r *Request) error {
	d, err := s.issuing(r)
	if err != nil {
		return err
	}
	base, err := strconv.Atoi(r.Field("base"))
	if err != nil || base < 1 {
		return errBase
	}
	if base != d.Draft.Version {
		return s.issuePageOf(w, r, d, http.StatusConflict, FieldProblem{"", d.Draft.ChangedByName + " saved this draft after you had looked at it. Check the answers again before it is issued"})
	}
	if len(d.Wrong) > 0 {
		return s.issuePageOf(w, r, d, http.StatusUnprocessableEntity)
	}
	to := ""
	if len(d.For.Options) > 1 {
		to = r.Field("for")
	}
	if err := r.Desk.GiveReasons(r.Context(), r.Actor, d.Draft.ID, to, d.Warnings.given()); err != nil {
		return err
	}
	if ps := d.Warnings.tell(); ps != nil {
		return s.issuePageOf(w, r, d, http.StatusUnprocessableEntity, ps...)
	}
	record := casework.Record{Draft: d.Draft.ID, Base: base, SamePerson: r.Field("same") == "yes"}
	if b := d.Begun; b != nil {
		if record.Why = r.Field("why-new"); record.Why == "" {
			d.Why.Problem = "Write why there is a new version"
			return s.issuePageOf(w, r, d, http.StatusUnprocessableEntity, FieldProblem{"why-new", d.Why.Problem})
		}
		if record.Seen = int(r.whole("seen-issue")); record.Seen != b.Latest {
			return s.issuePageOf(w, r, d, http.StatusUnprocessableEntity, FieldProblem{"seen-issue", fmt.Sprintf("Look at issue %d first, and say that you have seen it", b.Latest)})
		}
	}
	if len(d.For.Options) > 1 {
		record.For = to
		if record.For == "" {
			return s.issuePageOf(w, r, d, http.StatusUnprocessableEntity, FieldProblem{"for", "Choose who this document is for"})
		}
	}
	out, _, err := r.Desk.Record(r.Context(), r.Actor, record)
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Conflict && !record.SamePerson && strings.Contains(ours.Hint, "--same-person") {
		d.Same, d.SameWhy = true, sentence(ours.Msg)
		return s.issuePageOf(w, r, d, http.StatusConflict, FieldProblem{"same", d.SameWhy})
	}
	if err != nil {
		return err
	}
	done := "The document was issued as " + string(out.Ref) + ". It was not sent to anybody yet."
	if d.Begun != nil {
		done = fmt.Sprintf("%s was issued again, as issue %d. Nobody has it yet.", out.Ref, out.Version)
	}
	s.notify(r, Notice{Good: true, Text: done})
	if r.Field("then") == "send" {
		return seeOther(w, r, documentPath(out.Ref, "/send"))
	}
	return seeOther(w, r, documentPath(out.Ref, ""))
}

// addresseeNamed is the number of the addressee of this name among those of the draft; "" when there is none.
func (x *filling) addresseeNamed(name string) string {
	a := x.form.Addressee
	if a == nil || name == "" {
		return ""
	}
	for i := range x.edit.Items(a.List) {
		if strings.EqualFold(strings.TrimSpace(x.edit.Get(fmt.Sprintf("%s[%d].%s", a.List, i, a.By)).Text()), strings.TrimSpace(name)) {
			return strconv.Itoa(i + 1)
		}
	}
	return ""
}

var errBase = &caseforms.Error{Kind: caseforms.Invalid, Msg: "it is not said which version of the draft you have seen", Hint: "open the page again"}

type printedRow struct {
	Key   string
	Lines string
	Empty bool
	Href  string
	Cards []printedCard
}

type printedCard struct {
	Title string
	Href  string
	Rows  []printedRow
}

type printedSection struct {
	Title, Key string
	Rows       []printedRow
}

type answersData struct {
	*filling
	Sections []printedSection
	Wrong    []problemLine
}

const notAnswered = "Not answered"

// answers are all questions in printed order, each with the way to its page.
func (s *Service) answers(w http.ResponseWriter, r *Request) error {
	x, ps, err := s.judged(r)
	if err != nil {
		return err
	}
	d := answersData{filling: x, Wrong: x.lines(ps, caseforms.Blocking, fromAnswers)}
	for i := range x.asked.Topics {
		t := &x.asked.Topics[i]
		sec := printedSection{Title: topicTitle(t), Key: t.Key}
		if t.Section == nil {
			sec.Rows = x.more(t)
		} else {
			for _, p := range x.view.Printed(t.Section) {
				sec.Rows = append(sec.Rows, x.printed(t, p))
			}
		}
		d.Sections = append(d.Sections, sec)
	}
	return s.page(w, r, "form-answers", Page{Title: "Check your answers", Whose: &x.Bar, OwnHeading: true, Wide: true, Crumbs: x.crumbs(), Data: d})
}

func (x *filling) printed(t *caseforms.Topic, p caseforms.PrintedQuestion) printedRow {
	row := printedRow{Key: strings.TrimRight(x.defs.Label(p.Field), " :"), Lines: p.Answer.Text, Href: backTo(x.change(t, p.Field), fromAnswers)}
	if p.Table != nil {
		for _, tr := range p.Table.Rows {
			c := printedCard{Title: tr.Heading}
			for a := range tr.Answers {
				c.Rows = append(c.Rows, answerRow(*a, ""))
			}
			row.Cards = append(row.Cards, c)
		}
		return row
	}
	return withAnswer(row, p.Answer)
}

func answerRow(a caseforms.Answer, href string) printedRow {
	return withAnswer(printedRow{Key: strings.TrimRight(a.Label, " :"), Lines: a.Text, Href: href}, a)
}

func withAnswer(row printedRow, a caseforms.Answer) printedRow {
	if a.State == caseforms.NotAnswered {
		row.Lines, row.Empty = notAnswered, true
	}
	return row
}

// change is where a question is answered; "" of one that the form answers by itself.
func (x *filling) change(t *caseforms.Topic, q *caseforms.Field) string {
	for i := range t.Questions {
		a := &t.Questions[i]
		if a.Field != q && a.Key != q.Key {
			continue
		}
		if len(a.Facts) > 0 {
			return x.partOf(t.Key) + "#" + a.Facts[0].Path
		}
		return x.partOf(t.Key) + "#" + a.Lists[0]
	}
	// another question of the topic asks for the same facts
	for _, from := range q.From {
		if o, at := x.asked.TopicOf(from, t.Title); o != nil {
			return x.partOf(o.Key) + "#" + at
		}
		if rest, ok := strings.CutPrefix(from, "addressee."); ok && x.form.Addressee != nil {
			if o, at := x.asked.TopicOf(x.form.Addressee.List+"."+rest, t.Title); o != nil {
				return x.partOf(o.Key) + "#" + at
			}
		}
	}
	return ""
}

// more are the facts that no question prints.
func (x *filling) more(t *caseforms.Topic) (out []printedRow) {
	for i := range t.Questions {
		q := &t.Questions[i]
		for j := range q.Facts {
			f := &q.Facts[j]
			text := x.words(f, x.edit.Get(f.Path))
			row := printedRow{Key: q.Label, Lines: text, Href: backTo(x.partOf(t.Key)+"#"+f.Path, fromAnswers)}
			if text == "" {
				row.Lines, row.Empty = notAnswered, true
			}
			out = append(out, row)
		}
		for _, l := range q.Lists {
			n := x.edit.Items(l)
			row := printedRow{Key: q.Label, Lines: count(n, "entry", "entries"), Href: backTo(x.partOf(t.Key)+"#"+l, fromAnswers)}
			if n == 0 {
				row.Lines, row.Empty = notAnswered, true
			}
			out = append(out, row)
		}
	}
	return out
}

func (s *Service) dropPage(w http.ResponseWriter, r *Request) error {
	x, err := s.filling(r)
	if err != nil {
		return err
	}
	return s.page(w, r, "form-drop", Page{Title: "Throw this draft away?", Whose: &x.Bar, Form: true, Crumbs: x.crumbs(), Data: x})
}

func (s *Service) drop(w http.ResponseWriter, r *Request) error {
	id, err := r.DraftID()
	if err != nil {
		return err
	}
	base, err := strconv.Atoi(r.Field("base"))
	if err != nil || base < 1 {
		return errBase
	}
	if err := r.Desk.DropDraft(r.Context(), r.Actor, id, base); err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: "Draft " + string(id) + " was thrown away."})
	return seeOther(w, r, "/drafts")
}
