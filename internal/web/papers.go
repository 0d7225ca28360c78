package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/mail"
)

// What leads from an issued document on to the next thing to do with it.

// nextStep is one thing that comes now.
type nextStep struct {
	Title, Text string
	Link        *Link
	Button      *Button
}

// noMail is said where something would be sent and cannot be.
const noMail = "E-mail is not configured here. Print it, hand it over, and record that."

// nextSteps are what comes now for a document: it is countersigned where its form asks for it, and sent.
func nextSteps(t *casework.Timeline, a *caseforms.Actor) (out []nextStep) {
	latest := t.Versions[len(t.Versions)-1].Number
	verb, way := "Send", "/send"
	send := &Link{"Send it", documentPath(t.Ref, way)}
	if !t.Post {
		verb, way = "Record a hand-over of", "/hand-over"
		send = &Link{"Record a hand-over", documentPath(t.Ref, way)}
	}
	c := &t.Countersigning
	has := slices.ContainsFunc(t.Reached, func(r casework.Reached) bool { return r.Issue == latest })
	switch {
	case mayCountersign(t, a) && !c.Said:
		out = append(out, nextStep{"Next: countersign it", "Read it, and countersign it or send it back.", &Link{fmt.Sprintf("Countersign issue %d", latest), documentPath(t.Ref, "/countersign")}, nil})
	case c.Wanted && c.Said && !c.Endorsed:
		out = append(out, nextStep{"It was sent back", c.By + " says: " + sentBackWords(t), &Link{"Correct it", documentPath(t.Ref, "/new-version")}, nil})
	case c.Wanted && !c.Endorsed && !has:
		out = append(out, nextStep{Title: "Next: a manager countersigns it", Text: "A manager who did not issue it reads it and countersigns it, or sends it back with a reason. Then it is sent. If it cannot wait, it can be sent without."})
	case len(t.Reached) == 0 && !t.Goes && len(t.Copies) > 1:
		out = append(out, nextStep{"Next: make the copy that is shared", "This copy is for the own file and goes to nobody by the rules.", &Link{"Look at the other copies", documentPath(t.Ref, "#copies")}, nil})
	case !has && len(t.Reached) == 0:
		title := "Next: send it"
		if !t.Post {
			title = "Next: hand it over"
		}
		out = append(out, nextStep{title, "It was not sent to anybody yet.", send, nil})
	}
	var mail, other []string // who has an older issue
	for _, r := range t.Reached {
		words := fmt.Sprintf("%s (issue %d)", r.To, r.Issue)
		switch {
		case r.Issue == latest:
		case r.Channel == casework.ByEmail && t.Post:
			mail = append(mail, words)
		default:
			other = append(other, words+", by "+string(r.Channel))
		}
	}
	title := fmt.Sprintf("Not everybody has issue %d", latest)
	if len(mail) > 0 {
		out = append(out, nextStep{title, "They still have an older one: " + strings.Join(mail, "; ") + ".", &Link{fmt.Sprintf("Send issue %d to them", latest), send.Href}, nil})
	}
	if len(other) > 0 {
		out = append(out, nextStep{title, "An older one was handed over to: " + strings.Join(other, "; ") + ".", &Link{fmt.Sprintf("Record that issue %d was handed over", latest), documentPath(t.Ref, "/hand-over")}, nil})
	}
	var offices []string
	for _, u := range t.Unsent {
		switch {
		case !u.Authority:
			offices = append(offices, u.Who)
		case u.Ref != "":
			out = append(out, nextStep{"Not yet sent to: " + u.Who, "The document for them was made, and it was sent to nobody yet.", &Link{verb + " " + string(u.Ref), documentPath(u.Ref, way)}, nil})
		default:
			out = append(out, nextStep{"Not yet sent to: " + u.Who, "They are concerned too, and get a document of their own, with what concerns them only.", nil, &Button{Text: "Make the one for " + u.Who, Path: documentPath(t.Ref, "/for-another"), Fields: map[string]string{"who": u.Who}}})
		}
	}
	if len(offices) > 0 && len(t.Reached) > 0 {
		out = append(out, nextStep{"Not yet sent to: " + strings.Join(offices, "; "), "It should go to them too.", send, nil})
	}
	return out
}

// forAnother begins the document for another authority that is concerned.
func (s *Service) forAnother(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	d, err := r.Desk.ForAnother(r.Context(), r.Actor, ref, r.Field("who"))
	if err != nil {
		return err
	}
	return seeOther(w, r, "/drafts/"+string(d.ID)+"/issue")
}

// gotCell says who got an issue of a document, or is to get it.
func gotCell(t *casework.Timeline, issue int) Cell {
	var lines []string
	for _, h := range t.HandOffs {
		if h.Version == issue && h.To != "" {
			lines = append(lines, h.To+", by "+channelWords[casework.Channel(h.Channel)]+" on "+h.Day.Long())
		}
	}
	for i := range t.Sends {
		o := &t.Sends[i]
		if o.Version == issue && o.HandOff == 0 && o.Kind != caseforms.MailChase && o.Organisation != "" {
			lines = append(lines, o.Organisation+": "+string(o.Standing))
		}
	}
	if len(lines) == 0 {
		return TextCell("Nobody")
	}
	return Cell{Text: strings.Join(lines, "\n"), Pre: true}
}

var channelWords = map[casework.Channel]string{casework.ByEmail: "e-mail", casework.ByHand: "hand", casework.ByPost: "post", casework.ByTelephone: "telephone", casework.ByPortal: "their portal"}

type newVersionData struct {
	Ref     caseforms.Ref
	Latest  int
	Started *casework.Draft
	From    Choice
	Why     Input
	Got     string // who has the latest issue
}

// newVersion begins a draft of a new version of a document.
func (s *Service) newVersion(w http.ResponseWriter, r *Request) error {
	ref, err := r.Ref()
	if err != nil {
		return err
	}
	about, err := r.Desk.Reissuable(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	var ps []FieldProblem
	if r.Method == http.MethodPost {
		switch from := r.Field("from"); {
		case r.Field("why") == "":
			ps = append(ps, FieldProblem{"why", "Write why there is to be a new version"})
		case about.Changed && from != "case" && from != "document":
			ps = append(ps, FieldProblem{"from", "Choose what the new version begins with"})
		default:
			draft, err := r.Desk.Reissue(r.Context(), r.Actor, casework.Reissue{Ref: ref, Why: r.Field("why"), Now: from == "case"})
			if err == nil {
				return seeOther(w, r, "/drafts/"+string(draft.ID))
			}
			if ps, err = toldBeside(err, "why"); err != nil {
				return err
			}
		}
	}
	t, err := r.Desk.Overview(r.Context(), r.Actor, ref)
	if err != nil {
		return err
	}
	latest := t.Versions[len(t.Versions)-1].Number
	d := newVersionData{Ref: ref, Latest: latest, Started: about.Draft, Got: gotCell(t, latest).Text, Why: textField(r, ps, "why", "Why is there to be a new version?", "Say what was wrong, or what has changed. It stands on the timeline.", 3)}
	if why := sentBackWords(t); r.Method != http.MethodPost && t.Countersigning.Said && !t.Countersigning.Endorsed {
		d.Why.Value = why
	}
	if about.Changed {
		d.From = Choice{ID: "from", Legend: "What does the new version begin with?", Problem: problemOf(ps, "from"), Hint: fmt.Sprintf("%s changed the case on %s, after this was issued.", about.ChangedBy, clock(about.ChangedAt)), Options: []Option{
			{Value: "case", Label: "What the case says now", Hint: "with everything that has become known since", Chosen: r.Field("from") == "case"},
			{Value: "document", Label: fmt.Sprintf("What issue %d says", latest), Hint: "what has become known since would be lost unless you put it in again", Chosen: r.Field("from") == "document"},
		}}
	}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "new-version", Page{Title: "Correct or update " + string(ref), Whose: identityOf(&t.Whose), Status: code, Problems: ps, Form: true, Crumbs: documentCrumbs(ref), Data: d})
}

// mayCountersign tells whether somebody may say of the latest issue that they endorse it.
func mayCountersign(t *casework.Timeline, a *caseforms.Actor) bool {
	n := len(t.Versions)
	return t.Countersigning.Wanted && n > 0 && a.Is(caseforms.RoleManager) && t.Versions[n-1].IssuedBy != a.ID
}

// sentBackWords are the words with which the latest issue was sent back.
func sentBackWords(t *casework.Timeline) string {
	for _, e := range slices.Backward(t.Events) {
		if e.What == casework.SentBack {
			return e.Detail["why"]
		}
	}
	return ""
}

// copyWords are what the copies are called.
var copyWords = map[string]string{caseforms.CopyFull: "Full copy", caseforms.CopyDisclosable: "Disclosable copy", caseforms.CopyAnnex: "Annex"}

// mayGo says by which means policy lets something go.
func mayGo(by mail.Channel) string {
	switch by {
	case mail.CJSM:
		return "It may go, by CJSM"
	case mail.Password:
		return "It may go as a sealed file, whose password is told by telephone"
	case mail.TLS:
		return "It may go, by a relay that passes mail on over verified TLS or not at all"
	}
	return "It may go"
}

// signing is what is to be said of the countersignature of a document before it is sent; "" is nothing.
func (s *Service) signing(r *Request, ref caseforms.Ref) (string, error) {
	c, err := r.Desk.Countersigning(r.Context(), r.Actor, ref)
	switch {
	case err != nil || !c.Wanted || c.Endorsed:
		return "", err
	case c.Said:
		return "A manager sent it back. Read what they say on the page of the document, and correct it before it goes, unless it cannot wait.", nil
	}
	return "No manager has countersigned it yet. Wait for that, unless it cannot wait.", nil
}

// whom asks whom a document goes to: the offices that the rules name are ticked, and of each it is said what policy says.
func (s *Service) whom(r *Request, ps []FieldProblem, c *casework.Choices, sug *casework.Suggestions) (to Choice, address Input) {
	to = Choice{ID: "to", Legend: "Whom does it go to?", Several: true, Problem: problemOf(ps, "to")}
	address = Input{ID: "address", Label: "Another e-mail address", Hint: "Only if the office is not in the directory", Value: r.Field("address"), Problem: problemOf(ps, "address"), Autocomplete: "off"}
	asked := r.Method != "GET"
	ticked := false
	for i := range sug.Offices {
		o := &sug.Offices[i]
		says := []string{o.Role + ", " + o.Address}
		if o.Area != "" {
			says[0] += ", for " + o.Area
		}
		switch {
		case o.Held != nil:
			says = append(says, "It would be held, because "+o.Held.Why+". "+forPages(o.Held.Do))
		case o.Allowed != nil:
			says = append(says, mayGo(o.Allowed.Channel))
		}
		switch {
		case o.Issue == c.Latest:
			says = append(says, "They have this issue already, or it is on its way to them")
		case o.Issue > 0:
			says = append(says, fmt.Sprintf("They have issue %d", o.Issue))
		}
		chosen := slices.Contains(r.PostForm["to"], o.ID)
		if !asked {
			chosen = o.Issue < c.Latest && (o.Goes || o.Issue > 0)
			ticked = ticked || chosen
		}
		to.Options = append(to.Options, Option{Value: o.ID, Label: o.Organisation, Hint: strings.Join(says, ". ") + ".", Chosen: chosen})
	}
	if !asked { // the one address outside the directory that has an older issue
		var old []string
		for _, x := range sug.Reached {
			if x.Issue < c.Latest && x.Address != "" {
				old = append(old, x.Address)
			}
		}
		if len(old) == 1 {
			address.Value = old[0]
		}
	}
	if ticked {
		to.Hint = "Those whom the rules name, and those who have an older issue, are ticked."
	}
	return to, address
}
