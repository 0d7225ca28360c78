package web

import (
	"fmt"
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
}

// nextSteps are what comes now for a document: it is countersigned where its form asks for it, and sent.
func nextSteps(t *casework.Timeline, a *caseforms.Actor) (out []nextStep) {
	latest := t.Versions[len(t.Versions)-1].Number
	send := &Link{"Send it", documentPath(t.Ref, "/send")}
	c := &t.Countersigning
	has := slices.ContainsFunc(t.Reached, func(r casework.Reached) bool { return r.Issue == latest })
	switch {
	case mayCountersign(t, a) && !c.Said:
		out = append(out, nextStep{"Next: countersign it", "Read it, and countersign it or send it back.", &Link{fmt.Sprintf("Countersign issue %d", latest), documentPath(t.Ref, "/countersign")}})
	case c.Wanted && c.Said && !c.Endorsed:
		out = append(out, nextStep{Title: "It was sent back", Text: c.By + " says: " + sentBackWords(t)})
	case c.Wanted && !c.Endorsed && !has:
		out = append(out, nextStep{Title: "Next: a manager countersigns it", Text: "A manager who did not issue it reads it and countersigns it, or sends it back with a reason. Then it is sent. If it cannot wait, it can be sent without."})
	case !has && len(t.Reached) == 0:
		out = append(out, nextStep{"Next: send it", "It was not sent to anybody yet.", send})
	}
	return out
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
	if ticked {
		to.Hint = "Those whom the rules name are ticked."
	}
	return to, address
}
