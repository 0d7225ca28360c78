package web

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/mail"
	"caseforms/render"
)

const sendMost = 32 << 20 // with attachments

func (s *Service) apiDocumentRoutes() []Route {
	read, follow := casework.ScopeDocuments, casework.ScopeFollowUp
	doc := "/documents/" + refPattern
	return []Route{
		{Method: "POST", Pattern: "/documents", Do: s.apiIssue, Body: caseforms.MaxCaseBytes, Scope: casework.ScopeIssue, Test: testDry,
			Spec: &apiSpec{id: "issue", sum: "Issue a document from a record, a draft or what is known of a case; once, however often it is asked for", in: apiIssue{}, out: apiIssued{}, code: 201, name: "needed"}},
		{Method: "GET", Pattern: doc, Do: s.apiDocument, Scope: read, Spec: &apiSpec{id: "document", sum: "A document and all that came of it", out: apiTimeline{}}},
		{Method: "GET", Pattern: doc + "/files/{format:pdf|xlsx|html|txt|json}", Do: s.apiFileOf, Scope: read, Spec: &apiSpec{id: "file", sum: "A file of a document, with the bytes it was issued with", files: true,
			query: []apiParam{{"issue", "which issue; the latest when it is not said"}, {"profile", "archive or reply; the first there is when it is not said"}}}},
		{Method: "POST", Pattern: doc + "/send", Do: s.apiSend, Body: sendMost, Scope: casework.ScopeSend, Test: testDry,
			Spec: &apiSpec{id: "send", sum: "Send a document by e-mail to whoever it goes to, as policy allows; once, however often it is asked for", in: apiSend{}, out: apiSent{}, code: 202, name: "needed"}},
		{Method: "POST", Pattern: doc + "/hand-offs", Do: s.apiHandOver, Scope: follow, Spec: &apiSpec{id: "handOver", sum: "Record that a document was handed over by hand, post, telephone or portal", in: apiHandOver{}, out: apiHanded{}, code: 201, name: "optional"}},
		{Method: "POST", Pattern: doc + "/responses", Do: s.apiAnswer, Scope: follow, Spec: &apiSpec{id: "respond", sum: "Record what was answered", in: apiAnswer{}, out: apiAnswered{}, code: 201, name: "optional"}},
		{Method: "POST", Pattern: doc + "/notes", Do: s.apiNote, Scope: follow, Spec: &apiSpec{id: "note", sum: "Write down what was done or decided", in: apiNote{}, out: apiNoted{}, code: 201, name: "optional"}},
		{Method: "GET", Pattern: "/due", Do: s.apiDueList, Scope: casework.ScopeDue, Spec: &apiSpec{id: "due", sum: "What is due or overdue, the most overdue first", out: apiDueList{},
			query: []apiParam{{"mine", "true: only your own"}, {"team", "of one team"}, {"days", "also what falls due within so many days"}}}},
	}
}

type apiOutput struct {
	Format  string `json:"format" enum:"pdf,xlsx,html,txt,json"`
	Profile string `json:"profile,omitempty" enum:"archive,reply"`
}

type apiIssue struct {
	Form       string         `json:"form,omitempty" doc:"of a draft it is the draft's"`
	Record     jsontext.Value `json:"record,omitempty" doc:"the case record; else it is the draft's, or the case's"`
	Draft      string         `json:"draft,omitempty" doc:"the draft it is issued from, which goes"`
	Version    int            `json:"draft_version,omitzero" doc:"the version of the draft that you have seen"`
	Case       string         `json:"case,omitempty" doc:"whose it is; else it is found by the numbers in the record, or made"`
	SeenIssue  int            `json:"seen_issue,omitzero" doc:"of a draft of a new version: the latest issue that you have seen, where it is not the one that the draft was begun from"`
	SamePerson bool           `json:"same_person,omitzero" doc:"it is the person of that case although the name is quite another"`
	Again      string         `json:"again,omitempty" doc:"the document of which this is a new issue"`
	Base       int            `json:"base,omitzero" doc:"the issue of it that you have seen"`
	Why        string         `json:"why,omitempty" doc:"the reason for a new issue"`
	Copy       string         `json:"copy,omitempty" doc:"full, disclosable or annex, as the form has them"`
	For        string         `json:"for,omitempty" doc:"of several addressees, whom it is for"`
	Outputs    []apiOutput    `json:"outputs,omitempty" doc:"the files that are kept; a PDF when none is named"`
	Reasons    []apiReason    `json:"reasons,omitempty" doc:"why it is issued although warnings stand, beside those given in the draft or for the issue before"`
	DryRun     bool           `json:"dry_run,omitzero" doc:"tell whether it could be issued, and issue nothing"`
}

type apiReason struct {
	Key string `json:"key,omitempty" doc:"of the answer that has the warning; without, it is for every question that is not answered, and of an urgent form for every warning"`
	Why string `json:"why"`
}

func (in *apiIssue) reasons() (out []caseforms.Reason) {
	for _, r := range in.Reasons {
		out = append(out, caseforms.Reason{Key: r.Key, Why: r.Why})
	}
	return out
}

type apiIssued struct {
	DryRun   bool             `json:"dry_run,omitzero" doc:"nothing was issued"`
	MayIssue bool             `json:"may_issue"`
	Ref      string           `json:"ref,omitempty"`
	Issue    int              `json:"issue,omitzero"`
	Case     string           `json:"case,omitempty"`
	Form     string           `json:"form"`
	Copy     string           `json:"copy,omitempty"`
	Files    []apiIssuedFile  `json:"files,omitempty"`
	Problems []apiCaseProblem `json:"problems" doc:"what does not stand against it, or of a dry run everything"`
}

type apiIssuedFile struct {
	Format  string `json:"format"`
	Profile string `json:"profile"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`
	Href    string `json:"href"`
}

func hrefOf(ref caseforms.Ref, issue int, format, profile string) string {
	return fmt.Sprintf("%s/documents/%s/files/%s?issue=%d&profile=%s", apiBase, ref, format, issue, profile)
}

// recordOf asks for what is to be issued: of a record that was sent, of a draft, or of what is known of a case.
func (s *Service) recordOf(r *Request, in *apiIssue) (q casework.Record, err error) {
	id, err := caseID(in.Case)
	if err != nil {
		return q, err
	}
	q = casework.Record{Form: in.Form, Area: s.o.Area, Case: in.Record, CaseID: id, SamePerson: in.SamePerson, Why: in.Why, Base: in.Base, Seen: in.SeenIssue, Copy: in.Copy, For: in.For, Reasons: in.reasons(), Dry: in.DryRun}
	switch {
	case in.Draft != "":
		var ok bool
		if q.Draft, ok = caseforms.ParseDraftID(in.Draft); !ok {
			return q, &apiProblem{code: http.StatusUnprocessableEntity, msg: "this is not the name of a draft", pointer: "/draft"}
		}
		if q.Base = in.Version; in.DryRun {
			d, err := r.Desk.Draft(r.Context(), r.Actor, q.Draft)
			if err != nil {
				return q, err
			}
			q.Form, q.Base = d.Form, cmp.Or(q.Base, d.Version)
		}
	case in.Record != nil:
	case id != "":
		c, err := r.Desk.ReadCase(r.Context(), r.Actor, id)
		if err != nil {
			return q, err
		}
		q.Case = c.Record
	default:
		return q, &apiProblem{code: http.StatusUnprocessableEntity, msg: "there is nothing to issue from", hint: "send a record, a draft or a case"}
	}
	if in.Again != "" {
		ref, ok := caseforms.ParseRef(in.Again)
		if !ok {
			return q, &apiProblem{code: http.StatusUnprocessableEntity, msg: "this is not a reference", pointer: "/again"}
		}
		q.Again = ref
	}
	for i, o := range in.Outputs {
		f := render.Format(o.Format)
		p := render.Profile(o.Profile)
		if !slices.Contains(render.Formats, f) || p != "" && p != render.ProfileArchive && p != render.ProfileReply {
			return q, &apiProblem{code: http.StatusUnprocessableEntity, msg: "there is no such format or profile", pointer: "/outputs/" + strconv.Itoa(i), hint: "pdf, xlsx, html, txt or json; archive or reply"}
		}
		q.Outputs = append(q.Outputs, casework.Output{Format: f, Profile: p})
	}
	return q, nil
}

// tryIssue tells what would come of it, as issuing finds it.
func (s *Service) tryIssue(w http.ResponseWriter, r *Request, in *apiIssue) error {
	out := apiIssued{DryRun: true, Form: in.Form, Copy: cmp.Or(in.Copy, caseforms.CopyFull), Case: in.Case}
	if r.Key.Test && in.Record == nil {
		return &apiProblem{code: http.StatusForbidden, kind: "test-key", msg: "with a test key the record is sent along", pointer: "/record"}
	}
	done, err := s.rendering(r.Context())
	if err != nil {
		return err
	}
	defer done()
	if r.Key.Test { // it sees no case, and this looks at none
		j, err := s.judge(in.Form, in.Record, in.Copy, in.For)
		if err != nil {
			return err
		}
		if out.MayIssue, out.Problems = j.mayIssue(), caseProblems(j.ps); out.MayIssue {
			_, missing, err := caseforms.Reasons(in.Record, j.ps, j.d.Urgent(j.f, j.c), nil, in.reasons())
			if err != nil {
				return err
			}
			out.MayIssue = len(missing) == 0
		}
		return answerJSON(w, http.StatusOK, &out)
	}
	q, err := s.recordOf(r, in)
	if err != nil {
		return err
	}
	if out.Form = q.Form; q.Draft != "" {
		out.Copy = in.Copy // it may be another's
	}
	would, ps, err := r.Desk.Record(r.Context(), r.Actor, q)
	var refused *casework.Refused
	var unexplained *casework.Unexplained
	switch {
	case errors.As(err, &refused):
		ps = refused.Problems
	case errors.As(err, &unexplained):
	case err != nil:
		return err
	default:
		out.MayIssue, out.Form, out.Copy = true, would.Document.Form, would.Copy
	}
	out.Problems = caseProblems(ps)
	return answerJSON(w, http.StatusOK, &out)
}

func (s *Service) apiIssue(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	var in apiIssue
	asked, err := r.take(&in)
	if err != nil {
		return err
	}
	if err := r.dry(in.DryRun); err != nil {
		return err
	}
	if in.Draft != "" && in.Version == 0 && !in.DryRun {
		return &apiProblem{code: http.StatusUnprocessableEntity, msg: "say which version of the draft you have seen", pointer: "/draft_version"}
	}
	ctx := r.Context()
	if in.DryRun {
		return s.tryIssue(w, r, &in)
	}
	once, next, err := s.once(r, "issue", asked, true)
	if err != nil {
		return err
	}
	defer next()
	if once.Answer != nil {
		return s.issuedBefore(w, once.Answer)
	}
	q, err := s.recordOf(r, &in)
	if err != nil {
		return err
	}
	q.Row = once.Row()
	done, err := s.rendering(ctx)
	if err != nil {
		return err
	}
	defer done()
	issued, ps, err := r.Desk.Record(ctx, r.Actor, q)
	var refused *casework.Refused
	var unexplained *casework.Unexplained
	if errors.As(err, &refused) || errors.As(err, &unexplained) { // it is put right and asked for by the same name
		if err := r.Desk.ForgetOnce(ctx, once); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	out := apiIssued{MayIssue: true, Ref: string(issued.Ref), Issue: issued.Version, Case: string(issued.Case), Form: issued.Document.Form, Copy: issued.Copy}
	if issued.Before && in.Record != nil { // it was issued and the answer was lost: the same case is judged in the same way
		if j, err := s.judge(in.Form, in.Record, in.Copy, in.For); err == nil {
			ps = j.ps
		}
	}
	out.Problems = caseProblems(ps)
	for _, f := range issued.Files {
		p := string(f.Profile)
		if p == "" {
			p = string(render.ProfileArchive)
		}
		out.Files = append(out.Files, apiIssuedFile{Format: string(f.Format), Profile: p, Size: int64(len(f.Data)), Href: hrefOf(issued.Ref, issued.Version, string(f.Format), p)})
	}
	b, err := json.Marshal(&out)
	if err != nil {
		return err
	}
	// It is issued: should this fail, whoever asks again gets it all the same.
	_ = r.Desk.AnswerOnce(context.WithoutCancel(ctx), once, b)
	if issued.Before {
		return s.issuedBefore(w, b)
	}
	w.Header().Set("Location", apiBase+"/documents/"+out.Ref)
	return replyBytes(w, http.StatusCreated, b)
}

// issuedBefore answers a request again that was done before.
func (s *Service) issuedBefore(w http.ResponseWriter, answer []byte) error {
	var out apiIssued
	if err := json.Unmarshal(answer, &out); err != nil {
		return err
	}
	replayed(w)
	w.Header().Set("Location", apiBase+"/documents/"+out.Ref)
	return replyBytes(w, http.StatusCreated, answer)
}

type apiTimeline struct {
	Ref      string           `json:"ref"`
	Case     string           `json:"case"`
	Person   *apiCard         `json:"person,omitempty"`
	Form     string           `json:"form"`
	Title    string           `json:"title"`
	Copy     string           `json:"copy"`
	Issues   []apiIssueOf     `json:"issues"`
	HandOffs []apiHandOff     `json:"hand_offs"`
	Sends    []apiOutgoing    `json:"sends"`
	Mail     []apiCame        `json:"mail"`
	Due      []apiDue         `json:"due"`
	Events   []apiTimeOfEvent `json:"events"`
}

type apiIssueOf struct {
	Issue   int             `json:"issue"`
	Version string          `json:"form_version"`
	Issued  time.Time       `json:"issued"`
	By      string          `json:"by"`
	Erased  time.Time       `json:"erased,omitzero"`
	Files   []apiIssuedFile `json:"files"`
	Reasons []apiReasonOf   `json:"reasons,omitempty" doc:"why it was issued although warnings stood"`
}

type apiReasonOf struct {
	Key     string `json:"key"`
	Warning string `json:"warning" doc:"in the words of the form"`
	Why     string `json:"why,omitempty" doc:"an urgent form may have gone without"`
}

func apiReasons(all []caseforms.Reason) (out []apiReasonOf) {
	for _, r := range all {
		out = append(out, apiReasonOf{r.Key, r.Says, r.Why})
	}
	return out
}

type apiHandOff struct {
	Number   int       `json:"number" doc:"by which responses and notes name it"`
	Issue    int       `json:"issue"`
	Channel  string    `json:"channel"`
	To       string    `json:"to,omitempty"`
	At       time.Time `json:"at"`
	AnswerBy string    `json:"answer_by,omitempty"`
	State    string    `json:"state"`
	Outcome  string    `json:"outcome,omitempty"`
	Answered string    `json:"answered,omitempty"`
}

type apiOutgoing struct {
	Send         int64     `json:"send,omitzero"`
	Organisation string    `json:"organisation,omitempty"`
	Role         string    `json:"role,omitempty"`
	Address      string    `json:"address,omitempty"`
	Listed       bool      `json:"listed,omitzero" doc:"it is in the directory"`
	Standing     string    `json:"standing"`
	At           time.Time `json:"at,omitzero"`
	Said         string    `json:"said,omitempty" doc:"why it is held, or what the other side said"`
	Do           string    `json:"do,omitempty" doc:"what to do now"`
	Subject      string    `json:"subject,omitempty"`
	Files        []string  `json:"files,omitempty"`
	Size         int       `json:"size,omitzero"`
	Password     string    `json:"password,omitempty" doc:"that opens sealed files: tell it by telephone, never by e-mail"`
	AnswerBy     string    `json:"answer_by,omitempty"`
	Text         string    `json:"text,omitempty" doc:"of a dry run: what the message says"`
}

type apiCame struct {
	Number  int64     `json:"number"`
	Kind    string    `json:"kind"`
	From    string    `json:"from,omitempty"`
	Came    time.Time `json:"came"`
	Outcome string    `json:"outcome,omitempty"`
}

type apiTimeOfEvent struct {
	At     time.Time         `json:"at"`
	By     string            `json:"by"`
	What   string            `json:"what"`
	Detail map[string]string `json:"detail,omitempty"`
	Erased bool              `json:"erased,omitzero"`
}

type apiDue struct {
	Case      string   `json:"case"`
	Ref       string   `json:"ref,omitempty"`
	Form      string   `json:"form,omitempty"`
	Person    *apiCard `json:"person,omitempty"`
	Rule      string   `json:"rule"`
	Says      string   `json:"says" doc:"what to do"`
	Source    string   `json:"source,omitempty"`
	Due       string   `json:"due"`
	How       string   `json:"how,omitempty" doc:"how the day came to be"`
	Overdue   int      `json:"overdue,omitzero" doc:"working days"`
	Owner     string   `json:"owner"`
	ToManager bool     `json:"to_manager,omitzero"`
	Step      string   `json:"step,omitempty" doc:"the last rung of the ladder that was climbed"`
}

type apiDueList struct {
	Due []apiDue `json:"due"`
}

func apiDay(d caseforms.Date) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func apiDues(list []casework.Due) []apiDue {
	out := make([]apiDue, 0, len(list))
	for _, d := range list {
		x := apiDue{Case: string(d.Case), Ref: string(d.Ref), Form: d.Form, Rule: d.Rule, Says: d.Says, Source: d.Source, Due: apiDay(d.Due), How: d.How, Overdue: d.Over, Owner: d.OwnerName, ToManager: d.ToManager, Step: d.Step}
		if d.Card != (casework.Card{}) {
			c := apiCard(d.Card)
			x.Person = &c
		}
		out = append(out, x)
	}
	return out
}

func apiOutgoings(list []casework.Outgoing) []apiOutgoing {
	out := make([]apiOutgoing, 0, len(list))
	for _, o := range list {
		out = append(out, apiOutgoing{Send: o.ID, Organisation: o.Organisation, Role: o.Role, Address: o.Address, Listed: o.Listed, Standing: string(o.Standing), At: o.At, Said: o.Said, Do: plainHint(o.Do),
			Subject: o.Subject, Files: o.Files, Size: o.Size, Password: o.Password, AnswerBy: apiDay(o.AnswerBy), Text: o.Text})
	}
	return out
}

func (s *Service) apiDocument(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	t, err := r.Desk.Show(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	out := apiTimeline{Ref: string(t.Ref), Case: string(t.Case), Form: t.Form, Title: t.Title, Copy: t.Copy, Sends: apiOutgoings(t.Sends), Due: apiDues(t.Due)}
	if t.Card != (casework.Card{}) {
		c := apiCard(t.Card)
		out.Person = &c
	}
	for _, v := range t.Versions {
		x := apiIssueOf{Issue: v.Number, Version: v.FormVersion, Issued: v.Issued, By: v.By, Erased: v.Erased, Reasons: apiReasons(v.Reasons)}
		for _, f := range v.Files {
			if f.Sum != nil {
				x.Files = append(x.Files, apiIssuedFile{f.Format, f.Profile, f.Size, hex.EncodeToString(f.Sum), hrefOf(t.Ref, v.Number, f.Format, f.Profile)})
			}
		}
		out.Issues = append(out.Issues, x)
	}
	for i, h := range t.HandOffs {
		out.HandOffs = append(out.HandOffs, apiHandOff{i + 1, h.Version, h.Channel, h.To, h.At, apiDay(h.AnswerBy), string(h.State), h.Outcome, apiDay(h.Answered)})
	}
	for _, m := range t.Mail {
		out.Mail = append(out.Mail, apiCame{m.Number, m.Class, m.From, m.Came, m.Outcome})
	}
	for _, e := range t.Events {
		out.Events = append(out.Events, apiTimeOfEvent{e.At, e.By, e.What, e.Detail, e.Erased})
	}
	return answerJSON(w, http.StatusOK, &out)
}

// apiNumber is a whole number of the address, 0 when it is not there.
func apiNumber(q map[string]string, name string, most int) (int, error) {
	if q[name] == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(q[name])
	if err != nil || n < 0 || n > most {
		return 0, &apiProblem{code: http.StatusUnprocessableEntity, msg: fmt.Sprintf("%s is a number, %d at most", name, most)}
	}
	return n, nil
}

func (s *Service) apiFileOf(w http.ResponseWriter, r *Request) error {
	q, err := r.query("issue", "profile")
	if err != nil {
		return err
	}
	issue, err := apiNumber(q, "issue", 1_000_000)
	if err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	files, err := r.Desk.Open(r.Context(), r.Actor, ref, issue)
	if err != nil {
		return err
	}
	var have []string
	for _, f := range files {
		if f.Format == r.Var("format") && (q["profile"] == "" || q["profile"] == f.Profile) {
			w.Header().Set("Caseforms-SHA256", hex.EncodeToString(f.Sum))
			apiFile(w, string(ref), render.Format(f.Format), f.Data)
			return nil
		}
		have = append(have, f.Format+" ("+f.Profile+")")
	}
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "it was not issued as such a file", Hint: "it was issued as " + strings.Join(have, ", ")}
}

type apiAttachment struct {
	Question string `json:"question" doc:"which of the form's questions about attachments it is for, such as chronology"`
	Type     string `json:"type" doc:"pdf, xlsx and the like"`
	Content  []byte `json:"content" doc:"base64"`
}

type apiSend struct {
	To      []string        `json:"to,omitempty" doc:"ids of the directory, roles or addresses; none is whoever the form goes to"`
	Attach  []apiAttachment `json:"attach,omitempty"`
	Without string          `json:"without,omitempty" doc:"why something that the form says is attached does not go with it"`
	Again   string          `json:"again,omitempty" doc:"why it is sent once more to somebody who has it"`
	Confirm string          `json:"confirm,omitempty" doc:"how somebody made sure that an address outside the directory is right"`
	Chase   bool            `json:"chase,omitzero" doc:"not the document, but the question what was decided"`
	HandOff int64           `json:"hand_off,omitzero" doc:"of a chase: which hand-off"`
	DryRun  bool            `json:"dry_run,omitzero" doc:"tell what would go where, and send nothing"`
}

type apiSent struct {
	DryRun   bool             `json:"dry_run,omitzero" doc:"nothing was sent"`
	Sends    []apiOutgoing    `json:"sends"`
	Problems []apiCaseProblem `json:"problems" doc:"what somebody should know although it was sent"`
}

func (s *Service) apiSend(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	var in apiSend
	asked, err := r.take(&in)
	if err != nil {
		return err
	}
	if err := r.dry(in.DryRun); err != nil {
		return err
	}
	q := casework.Send{Ref: ref, To: in.To, Without: in.Without, Again: in.Again, Confirm: in.Confirm, Chase: in.Chase, HandOff: in.HandOff, Dry: in.DryRun}
	for _, a := range in.Attach {
		q.Attach = append(q.Attach, mail.Attachment{Key: a.Question, Ext: a.Type, Data: a.Content})
	}
	if !in.DryRun {
		once, next, err := s.once(r, "send "+string(ref), asked, true)
		if err != nil {
			return err
		}
		defer next()
		if once.Done {
			return s.sentBefore(w, r, ref, once)
		}
		q.Once = once
	}
	done, err := s.rendering(r.Context())
	if err != nil {
		return err
	}
	defer done()
	sends, ps, err := r.Desk.Send(r.Context(), r.Actor, q)
	if casework.DoneBefore(err) { // by another process, at the same moment
		return s.sentBefore(w, r, ref, q.Once)
	}
	if err != nil {
		return err
	}
	out := apiSent{DryRun: in.DryRun, Sends: apiOutgoings(sends), Problems: caseProblems(ps)}
	if in.DryRun {
		return answerJSON(w, http.StatusOK, &out)
	}
	var ids []string
	for _, o := range sends {
		ids = append(ids, strconv.FormatInt(o.ID, 10))
	}
	_ = r.Desk.AnswerOnce(context.WithoutCancel(r.Context()), q.Once, []byte(strings.Join(ids, " "))) // it is sent: without this, who asks again sees all sends of the document
	return answerJSON(w, http.StatusAccepted, &out)
}

// sentBefore answers a request again that was done before: with how the same sends stand now.
func (s *Service) sentBefore(w http.ResponseWriter, r *Request, ref caseforms.Ref, once *casework.Once) error {
	all, err := r.Desk.SendsOf(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	if ids := strings.Fields(string(once.Answer)); len(ids) > 0 {
		all = slices.DeleteFunc(all, func(o casework.Outgoing) bool { return !slices.Contains(ids, strconv.FormatInt(o.ID, 10)) })
	}
	replayed(w)
	return answerJSON(w, http.StatusAccepted, &apiSent{Sends: apiOutgoings(all), Problems: []apiCaseProblem{}})
}

type apiHandOver struct {
	Channel string    `json:"channel" enum:"hand,post,telephone,portal"`
	To      string    `json:"to" doc:"whom it was handed to: a service, an office"`
	As      string    `json:"as,omitempty" doc:"of an office that is not in the directory: a role that the form goes to, or other for somebody whom it is not for; not said, what asks for the form to be sent stays open"`
	With    string    `json:"with,omitempty" doc:"whom it was handed to there"`
	At      time.Time `json:"at,omitzero" doc:"now when it is not said"`
	Note    string    `json:"note,omitempty"`
}

type apiHanded struct {
	Number int      `json:"number,omitzero" doc:"which hand-off of the document it is"`
	But    string   `json:"but,omitempty" doc:"what it does not do, and why"`
	Due    []apiDue `json:"due"`
}

type apiAnswer struct {
	Kind     string    `json:"kind" doc:"a kind of response of the form: GET forms/{form} lists them"`
	HandOff  int64     `json:"hand_off,omitzero" doc:"which hand-off, when several are open"`
	From     string    `json:"from,omitempty" doc:"who answered"`
	Note     string    `json:"note,omitempty"`
	Children []int     `json:"children,omitempty" doc:"which of the children it is about, by their number on the form; none is all"`
	At       time.Time `json:"at,omitzero"`
	Message  int64     `json:"message,omitzero" doc:"the message it was taken from, by its number on the timeline"`
}

type apiAnswered struct {
	Label string   `json:"label,omitempty"`
	Ends  bool     `json:"ends" doc:"nothing more is awaited"`
	Open  []int    `json:"open" doc:"the children of whom nothing was said yet"`
	Due   []apiDue `json:"due" doc:"what is to be done now"`
}

type apiNote struct {
	Kind    string    `json:"kind"`
	Text    string    `json:"text"`
	With    string    `json:"with,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Done    string    `json:"done,omitempty" doc:"the rule whose duty is done with it"`
	Until   string    `json:"until,omitempty" doc:"of a pause: the day until which nothing is expected"`
	To      string    `json:"to,omitempty" doc:"of a call about a document that has not arrived: the office that was rung"`
	HandOff int64     `json:"hand_off,omitzero"`
}

type apiNoted struct {
	Due []apiDue `json:"due" doc:"what is to be done now"`
}

// followUp does something once when it has a name, and answers. do gives what is answered; a request that was done before gets what was answered
// then, without what is due, which is told anew by the timeline.
func (s *Service) followUp(w http.ResponseWriter, r *Request, what string, asked []byte, do func(*casework.Once) (full, plain any, err error)) error {
	once, next, err := s.once(r, what+" "+r.Var("ref"), asked, false)
	if err != nil {
		return err
	}
	defer next()
	again := func(answer []byte) error {
		if answer == nil {
			answer = []byte(`{"due":[]}`)
		}
		replayed(w)
		return replyBytes(w, http.StatusCreated, answer)
	}
	if once != nil && once.Done {
		return again(once.Answer)
	}
	full, plain, err := do(once)
	if casework.DoneBefore(err) {
		return again(nil)
	}
	if err != nil {
		return err
	}
	if once != nil {
		b, err := json.Marshal(plain)
		if err == nil {
			_ = r.Desk.AnswerOnce(context.WithoutCancel(r.Context()), once, b) // it is done; what is lost is the answer to who asks again
		}
	}
	return answerJSON(w, http.StatusCreated, full)
}

func (s *Service) apiHandOver(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	var in apiHandOver
	asked, err := r.take(&in)
	if err != nil {
		return err
	}
	return s.followUp(w, r, "hand over", asked, func(once *casework.Once) (any, any, error) {
		h, err := r.Desk.HandOver(r.Context(), r.Actor, casework.HandOver{Ref: ref, Channel: casework.Channel(in.Channel), To: in.To, As: in.As, With: in.With, At: in.At, Note: in.Note, Once: once})
		if err != nil {
			return nil, nil, err
		}
		return &apiHanded{h.Number, h.But, apiDues(h.Due)}, &apiHanded{Number: h.Number, Due: []apiDue{}}, nil
	})
}

func (s *Service) apiAnswer(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	var in apiAnswer
	asked, err := r.take(&in)
	if err != nil {
		return err
	}
	return s.followUp(w, r, "respond", asked, func(once *casework.Once) (any, any, error) {
		a, err := r.Desk.Answer(r.Context(), r.Actor, casework.Answer{Ref: ref, HandOff: in.HandOff, Kind: in.Kind, From: in.From, Note: in.Note, Children: in.Children, At: in.At, Message: in.Message, Once: once})
		if err != nil {
			return nil, nil, err
		}
		return &apiAnswered{a.Label, a.Ends, a.Open, apiDues(a.Due)}, &apiAnswered{a.Label, a.Ends, a.Open, []apiDue{}}, nil
	})
}

func (s *Service) apiNote(w http.ResponseWriter, r *Request) error {
	if _, err := r.query(); err != nil {
		return err
	}
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	var in apiNote
	asked, err := r.take(&in)
	if err != nil {
		return err
	}
	until, err := casework.ParseDay(in.Until)
	if err != nil {
		return err
	}
	return s.followUp(w, r, "note", asked, func(once *casework.Once) (any, any, error) {
		due, err := r.Desk.Note(r.Context(), r.Actor, casework.Note{Ref: ref, Kind: in.Kind, Text: in.Text, With: in.With, At: in.At, Done: in.Done, Until: until, To: in.To, HandOff: in.HandOff, Once: once})
		if err != nil {
			return nil, nil, err
		}
		return &apiNoted{apiDues(due)}, &apiNoted{[]apiDue{}}, nil
	})
}

func (s *Service) apiDueList(w http.ResponseWriter, r *Request) error {
	q, err := r.query("mine", "team", "days")
	if err != nil {
		return err
	}
	f := casework.DueFilter{Team: q["team"]}
	if f.Mine, err = apiFlag(q, "mine"); err != nil {
		return err
	}
	if f.Days, err = apiNumber(q, "days", 366); err != nil {
		return err
	}
	list, err := r.Desk.Due(r.Context(), r.Actor, f)
	if err != nil {
		return err
	}
	return answerJSON(w, http.StatusOK, &apiDueList{apiDues(list)})
}
