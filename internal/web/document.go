package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/render"
)

func (s *Service) documentRoutes() []Route {
	at := "/documents/" + refPattern
	return []Route{
		{Method: "GET", Pattern: at, Who: Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAuditor), Do: s.document},
		{Method: "GET", Pattern: at + "/issues/{issue:[1-9][0-9]{0,3}}/{file:[1-9][0-9]?}", Who: caseworkers(), Do: s.issued},
		{Method: "GET", Pattern: at + "/looks", Who: Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAuditor), Do: s.looks},
		{Method: "GET", Pattern: at + "/send", Who: caseworkers(), Do: s.send},
		{Method: "POST", Pattern: at + "/send", Who: caseworkers(), Do: s.choose, Body: uploadMost},
		{Method: "GET", Pattern: at + "/send/" + tokenPattern, Who: caseworkers(), Do: s.preview},
		{Method: "POST", Pattern: at + "/send/" + tokenPattern, Who: caseworkers(), Do: s.sendNow},
		{Method: "GET", Pattern: at + "/countersign", Who: Only(caseforms.RoleManager), Do: s.countersignPage},
		{Method: "POST", Pattern: at + "/countersign", Who: Only(caseforms.RoleManager), Do: s.countersign},
		{Method: "GET", Pattern: at + "/copies/" + copyPattern, Who: caseworkers(), Do: s.otherCopy},
		{Method: "POST", Pattern: at + "/copies/" + copyPattern, Who: caseworkers(), Do: s.issueCopy},
		{Method: "GET", Pattern: at + "/copies/" + copyPattern + "/print", Who: caseworkers(), Do: s.printCopy},
		{Method: "POST", Pattern: at + "/for-another", Who: caseworkers(), Do: s.forAnother},
		{Method: "GET", Pattern: at + "/new-version", Who: caseworkers(), Do: s.newVersion},
		{Method: "POST", Pattern: at + "/new-version", Who: caseworkers(), Do: s.newVersion},
		{Method: "GET", Pattern: at + "/issues/{issue:[1-9][0-9]{0,3}}/print", Who: caseworkers(), Do: s.print},
		{Method: "GET", Pattern: "/waiting", Who: caseworkers(), Do: s.waiting},
		{Method: "POST", Pattern: at + "/chase", Who: caseworkers(), Do: s.chase},
		{Method: "GET", Pattern: at + "/sends/" + sendPattern, Who: caseworkers(), Do: s.oneSend},
		{Method: "POST", Pattern: at + "/sends/" + sendPattern + "/release", Who: caseworkers(), Do: s.release},
		{Method: "POST", Pattern: at + "/sends/" + sendPattern + "/withdraw", Who: caseworkers(), Do: s.withdraw},
		{Method: "POST", Pattern: at + "/sends/" + sendPattern + "/settle", Who: caseworkers(), Do: s.settle},
		{Method: "GET", Pattern: at + "/hand-over", Who: caseworkers(), Do: s.handOver},
		{Method: "POST", Pattern: at + "/hand-over", Who: caseworkers(), Do: s.handOver},
		{Method: "GET", Pattern: at + "/answer", Who: caseworkers(), Do: s.answer},
		{Method: "POST", Pattern: at + "/answer", Who: caseworkers(), Do: s.answer},
		{Method: "POST", Pattern: at + "/answer/file", Who: caseworkers(), Do: s.putIn, Body: uploadMost},
		{Method: "GET", Pattern: at + "/note", Who: caseworkers(), Do: s.note},
		{Method: "POST", Pattern: at + "/note", Who: caseworkers(), Do: s.note},
	}
}

const sendPattern = `{send:[1-9][0-9]{0,18}}`

type documentData struct {
	*casework.Timeline
	Facts     Rows
	Versions  Table
	Reasons   Table
	HandOffs  Table
	Sends     Table
	Mail      Table
	Due       Table
	Events    []eventLine
	Looks     []eventLine // who looked lately, the latest first
	Works     bool        // whoever looks may do something with it
	Responses bool        // an answer to it can be recorded
	Chase     []Button

	NoMail string     // what is said when e-mail is not configured
	Next   []nextStep // what comes now
	Copies []Link     // the other copies that its form has
}

type eventLine struct {
	What, By, At string
	Why          string
	Stood        string // the warnings with which it was issued, and their reasons; they may be many
}

// documentPath is where a document, or something of it, is.
func documentPath(ref caseforms.Ref, rest string) string { return "/documents/" + string(ref) + rest }

// documentCrumbs lead to a page about a document.
func documentCrumbs(ref caseforms.Ref) []Link {
	return []Link{{"Your work", "/"}, {string(ref), documentPath(ref, "")}}
}

func (s *Service) document(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	t, err := r.Desk.Overview(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	d := timelineOf(t, works(r))
	if n := len(t.Versions); n > 0 && t.Countersigning.Wanted {
		var signed Cell
		switch c := &t.Countersigning; {
		case c.Endorsed:
			signed = Cell{Text: "Countersigned", Tag: "green", Sub: "by " + c.By + ", " + clock(c.At)}
		case c.Said:
			signed = Cell{Text: "Sent back", Tag: "red", Sub: "by " + c.By + ", " + clock(c.At) + "; the timeline has the words"}
		default:
			signed = Cell{Text: "Not countersigned yet", Tag: "yellow", Sub: "a manager who did not issue it does"}
		}
		d.Facts = append(d.Facts, Row{Key: fmt.Sprintf("Countersignature of issue %d", t.Versions[n-1].Number), Value: signed})
	}
	if d.Works {
		d.Next, d.Copies = nextSteps(t, &r.Actor), otherCopies(t)
	}
	crumbs := []Link{{"Your work", "/"}, {"Case " + string(t.Case), "/cases?q=" + string(t.Case)}}
	return s.page(w, r, "document", Page{Title: "Document " + string(ref), Whose: identityOf(&t.Whose), Wide: true, OwnHeading: true, Crumbs: crumbs, Data: d})
}

// identityOf shows whom a document is about; nil when the actor may only audit.
func identityOf(w *casework.Whose) *identity {
	if w.Card == (casework.Card{}) && w.Alerts == nil && !w.Restricted && !w.Urgent {
		return nil
	}
	i := &identity{Name: w.Card.Name, CRN: w.Card.CRN, Prison: w.Card.PrisonNumber, Alerts: w.Alerts, Urgent: w.Urgent, Restricted: w.Restricted}
	if born, err := time.Parse(time.DateOnly, w.Card.DOB); err == nil {
		i.DOB = born.Format("2 January 2006")
	}
	return i
}

// timelineOf puts a timeline into tables. works tells whether whoever looks may do something, and get files.
func timelineOf(t *casework.Timeline, works bool) documentData {
	d := documentData{Timeline: t, NoMail: noMail, Works: works && len(t.Versions) > 0 && t.Versions[len(t.Versions)-1].Erased.IsZero()}
	d.Facts = Rows{{Key: "Form", Value: t.Title}, {Key: "Reference", Value: string(t.Ref)}, {Key: "Case", Value: caseCell(t.Case, t.Card)}}
	if t.Copy != "" {
		d.Facts = append(d.Facts, Row{Key: "Copy", Value: cmp.Or(copyWords[t.Copy], t.Copy)})
	}
	d.Versions = Table{Caption: "Issues", Heads: []string{"Issue", "When", "By", "File, as it was issued", "Who got it"}}
	for _, v := range t.Versions {
		n := Cell{Text: fmt.Sprint(v.Number)}
		if !v.Erased.IsZero() {
			n.Sub = "erased " + clock(v.Erased)
		}
		for i, f := range v.Files {
			file := Cell{Text: fileWords(f)}
			if d.Works && v.Erased.IsZero() {
				file.Href = documentPath(t.Ref, fmt.Sprintf("/issues/%d/%d", v.Number, i+1))
				file.Text += fmt.Sprintf(" of issue %d", v.Number)
			}
			row := []Cell{{}, {}, {}, file, {}}
			if i == 0 {
				row[0], row[1], row[2], row[4] = n, TextCell(clock(v.Issued)), TextCell(v.By), gotCell(t, v.Number)
			}
			d.Versions.Rows = append(d.Versions.Rows, row)
		}
		if len(v.Files) == 0 {
			d.Versions.Rows = append(d.Versions.Rows, []Cell{n, TextCell(clock(v.Issued)), TextCell(v.By), {}, gotCell(t, v.Number)})
		}
	}
	d.Due = Table{Caption: "What is open", Heads: []string{"What to do", "Whose", "Due"}, None: "Nothing is open."}
	for i := range t.Due {
		u := &t.Due[i]
		d.Due.Rows = append(d.Due.Rows, []Cell{{Text: sentence(u.Says), Sub: u.Step}, TextCell(u.OwnerName), dueCell(u)})
	}
	d.HandOffs = Table{Caption: "Handed over", Heads: []string{"Number", "To", "How", "When", "Answer by", "Answer"}, None: "It was not handed to anybody yet."}
	for i, h := range t.HandOffs {
		answer := Cell{Text: h.Outcome}
		switch {
		case h.State == store.HandOffPart:
			answer.Sub = "of some of the children only"
		case !h.Answered.IsZero():
			answer.Sub = h.Answered.Long()
		case answer.Text == "" && h.AnswerBy.IsZero():
			answer.Text = "None is awaited"
		case answer.Text == "":
			answer.Text = "None yet"
		}
		by := ""
		if !h.AnswerBy.IsZero() {
			by = h.AnswerBy.Long()
		}
		to := Cell{Text: h.To}
		if h.Joined != 0 {
			to.Sub = "they had it already; the first one's clock runs"
		}
		d.HandOffs.Rows = append(d.HandOffs.Rows, []Cell{TextCell(fmt.Sprint(i + 1)), to, TextCell(sentence(string(h.Channel))), TextCell(clock(h.At)), TextCell(by), answer})
		if d.Works && t.Post && h.Joined == 0 && (h.State == store.HandOffOpen || h.State == store.HandOffPart) {
			d.Chase = append(d.Chase, Button{Text: "Chase " + h.To, Path: documentPath(t.Ref, "/chase"), Kind: "secondary", Fields: map[string]string{"hand_off": fmt.Sprint(i + 1)}, Hidden: "by e-mail"})
		}
		d.Responses = true
	}
	d.Sends = Table{Caption: "Sent by e-mail", Heads: []string{"To", "How it stands", "What the relay said", "What a server reported", "Answer", "What to do"}, None: "It was not sent by e-mail."}
	for i := range t.Sends {
		o := &t.Sends[i]
		to := Cell{Text: o.Organisation, Sub: sendKind(o)}
		if d.Works {
			to.Href = documentPath(t.Ref, fmt.Sprintf("/sends/%d", o.ID))
		}
		d.Sends.Rows = append(d.Sends.Rows, []Cell{to, standingCell(o), TextCell(forPages(o.Said)), TextCell(sentenceOr(o.Report, "Nothing")), TextCell(responseTo(t, o)), TextCell(forPages(o.Do))})
	}
	d.Mail = Table{Caption: "What came back", Heads: []string{"Message", "From", "Kind", "When", "What was done"}, None: "Nothing came back by e-mail."}
	for i := range t.Mail {
		m := &t.Mail[i]
		n := TextCell(fmt.Sprint(m.Number))
		if d.Works {
			n = LinkCell(fmt.Sprintf("Message %d", m.Number), fmt.Sprintf("/inbox/%d", m.Number))
		}
		done := Cell{Text: sentence(m.Outcome)}
		if m.State == store.ReceivedNew {
			done = TagCell("To be read", "yellow")
		}
		d.Mail.Rows = append(d.Mail.Rows, []Cell{n, TextCell(m.From), TextCell(sentence(m.Class)), TextCell(clock(m.Came)), done})
	}
	says := map[string]string{} // of what is open, by its rule
	for i := range t.Due {
		says[t.Due[i].Rule] = sentence(t.Due[i].Says)
	}
	d.Reasons = reasonsTable(t)
	d.Reasons.Hide = true
	for _, e := range t.Events {
		if e.Looked {
			continue
		}
		why := e.Detail["why"]
		if rule := e.Detail["rule"]; rule != "" && why == "" {
			why = cmp.Or(says[rule], "Rule "+rule)
		}
		for _, k := range []string{"label", "text", "to"} {
			if v := e.Detail[k]; v != "" && v != why {
				if why != "" {
					why += ". "
				}
				why += v
			}
		}
		d.Events = append(d.Events, eventLine{What: sentence(e.What), By: e.By, At: clock(e.At), Why: why, Stood: e.Detail["reasons"]})
	}
	for _, e := range slices.Backward(t.Events) {
		if e.Looked {
			d.Looks = append(d.Looks, eventLine{What: sentence(e.What), By: e.By, At: clock(e.At)})
		}
	}
	return d
}

type looksData struct {
	Ref   caseforms.Ref
	Table Table
	Pages Pages
}

// looks are all who looked at a document.
func (s *Service) looks(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	page = min(max(page, 1), 1<<20)
	list, all, err := r.Desk.Looks(r.Context(), r.Actor, ref, (page-1)*onPage, onPage)
	if err != nil {
		return err
	}
	d := looksData{Ref: ref, Table: Table{Caption: "Who looked, the latest first", Hide: true, Heads: []string{"What", "By", "When"}, None: "There are no more."}}
	d.Pages, _, _ = Paged(r, all, onPage)
	for _, e := range list {
		d.Table.Rows = append(d.Table.Rows, []Cell{TextCell(sentence(e.What)), TextCell(e.By), TextCell(clock(e.At))})
	}
	return s.page(w, r, "looks", Page{Title: "Who looked at document " + string(ref), Wide: true, Crumbs: documentCrumbs(ref), Data: d})
}

func sentenceOr(s, none string) string {
	if s == "" {
		return none
	}
	return sentence(s)
}

// fileWords say of what kind a file is.
func fileWords(f store.File) string {
	name := map[string]string{"pdf": "PDF", "xlsx": "Workbook", "html": "Page", "txt": "Text", "json": "Data"}[f.Format]
	if name == "" {
		name = f.Format
	}
	switch render.Profile(f.Profile) {
	case render.ProfileReply:
		name += ", to be filled in"
	}
	return fmt.Sprintf("%s, %d kB", name, (f.Size+1023)>>10)
}

// sendKind says what of several kinds a send is.
func sendKind(o *casework.Outgoing) string {
	kind := map[string]string{caseforms.MailChase: "the question what was decided", caseforms.MailCorrection: "as a correction"}[o.Kind]
	if kind == "" {
		kind = fmt.Sprintf("issue %d", o.Version)
	}
	if o.Urgent {
		kind += ", urgent"
	}
	return kind
}

// standingCell says where a send stands, and since when.
func standingCell(o *casework.Outgoing) Cell {
	return Cell{Text: sentence(string(o.Standing)), Tag: standingColour(o.Standing), Sub: clock(o.At)}
}

// responseTo is what was answered to a send.
func responseTo(t *casework.Timeline, o *casework.Outgoing) string {
	i := slices.IndexFunc(t.HandOffs, func(h casework.TimelineHandOff) bool { return o.HandOff != 0 && h.ID == o.HandOff })
	if i >= 0 && t.HandOffs[i].Joined != 0 {
		of := t.HandOffs[i].Joined
		i = slices.IndexFunc(t.HandOffs, func(h casework.TimelineHandOff) bool { return h.ID == of })
	}
	switch {
	case o.Kind == caseforms.MailChase:
		return ""
	case i < 0 || t.HandOffs[i].AnswerBy.IsZero() && t.HandOffs[i].Outcome == "":
		return ""
	case t.HandOffs[i].Outcome == "":
		return "None yet"
	}
	return t.HandOffs[i].Outcome
}

// dueCell is when something is due, and that it is overdue.
func dueCell(u *casework.Due) Cell {
	if u.Over > 0 {
		return Cell{Text: overdue(u.Over), Tag: "red", Sub: u.Due.Long()}
	}
	return Cell{Text: u.Due.Long()}
}

// issued hands out a file as it was issued.
func (s *Service) issued(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	issue, n := int(r.number("issue")), int(r.number("file"))
	files, err := r.Desk.Open(r.Context(), r.Actor, ref, issue)
	if err != nil {
		return err
	}
	if n > len(files) {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "this issue has no such file"}
	}
	f := files[n-1]
	name := fmt.Sprintf("%s-%d", ref, issue)
	if f.Profile != "" && n > 1 {
		name += "-" + f.Profile
	}
	return download(w, name+"."+f.Format, f.Data)
}

// reasonsTable are the warnings with which a document was issued, with the reasons that were given.
func reasonsTable(t *casework.Timeline) Table {
	out := Table{Caption: "Issued although these warnings stood", Heads: []string{"Issue", "Warning", "Reason that was given"}}
	for _, v := range t.Versions {
		for i, w := range v.Reasons {
			row := []Cell{{}, TextCell(w.Says), {Text: w.Why, Pre: true}}
			if i == 0 {
				row[0] = TextCell(fmt.Sprint(v.Number))
			}
			if w.Why == "" {
				row[2] = TextCell("None: it was urgent")
			}
			out.Rows = append(out.Rows, row)
		}
	}
	return out
}
