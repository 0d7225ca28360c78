package casework

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
)

// Choices are what somebody may choose from when they do something with a document.
type Choices struct {
	Ref  caseforms.Ref
	Case caseforms.CaseID
	Whose
	Title     string
	Latest    int       // its latest issue
	Post      bool      // e-mail is configured at all
	To        []Office  // the offices of the directory that it may go to
	Takers    []Choice  // the roles that it may go to at all; none: this copy goes to nobody
	Unasked   []string  // the roles that it goes to when nobody is named, in words
	Responses []Choice  // the kinds of response to it
	Notes     []Choice  // what may be noted of it, by whoever asks
	Children  []string  // those it names, by their number on the form, from 1
	Open      []HandOff // the hand-offs of which an answer is awaited
	HandOffs  int       // how many there are
	Due       []Due     // what is open of it
}

// Choice is one of several kinds, with its words.
type Choice struct {
	Kind, Label string
	Ends        bool // of a response: nothing more is awaited after it
}

// Office is one of the directory that a document may go to.
type Office struct {
	ID, Organisation, Role, Area, Address, Phone string
	ByEmail                                      bool
	Unasked                                      bool // it goes there when nobody is named, as far as its role tells
}

// HandOff is one that is still open, with its number on the timeline.
type HandOff struct {
	Number int64
	To     string
	Day    caseforms.Date
	Part   bool
}

// Choices are what there is to choose from. That somebody looked is in the ledger.
func (k *Desk) Choices(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (*Choices, error) {
	m, err := k.matter(ctx, a, ref, "do something with this document")
	if err != nil {
		return nil, err
	}
	c := &Choices{Ref: ref, Case: m.c.ID, Title: m.doc.Form, Latest: m.doc.Latest().Number, Post: k.post != nil}
	if c.Whose, err = k.about(ctx, m.c); err != nil {
		return nil, err
	}
	if f, err := m.defs.Form(m.doc.Form); err == nil {
		c.Title = f.Title.In(m.defs.Lang)
		if c.Urgent, err = k.urgent(ctx, m, m.doc.Latest()); err != nil {
			return nil, err
		}
	}
	if c.To, c.Unasked, err = k.destinations(ctx, a, m.defs, m.doc.Form, m.doc.Copy); err != nil {
		return nil, err
	}
	for _, r := range m.defs.Takers(m.doc.Form, m.doc.Copy) {
		c.Takers = append(c.Takers, Choice{Kind: r.Role, Label: r.Label.In(m.defs.Lang)})
	}
	for _, r := range m.defs.Duties.Responses[m.doc.Form] {
		c.Responses = append(c.Responses, Choice{r.Kind, r.Label.In(m.defs.Lang), r.Ends})
	}
	for _, n := range m.defs.Duties.Notes {
		if !n.Manager || a.Is(caseforms.RoleManager) {
			c.Notes = append(c.Notes, Choice{Kind: n.Kind, Label: n.Label.In(m.defs.Lang)})
		}
	}
	if c.Children, err = k.childNames(ctx, m.doc.Latest()); err != nil {
		return nil, err
	}
	for i := range m.hands {
		h := &m.hands[i]
		if h.Ref != ref {
			continue
		}
		c.HandOffs++
		if h.Joined != 0 || h.State != store.HandOffOpen && h.State != store.HandOffPart {
			continue
		}
		words, err := k.handOffContent(ctx, h)
		if err != nil {
			return nil, err
		}
		c.Open = append(c.Open, HandOff{int64(c.HandOffs), words.To, h.Day, h.State == store.HandOffPart})
	}
	if c.Due, err = k.dueOf(ctx, a, m.c.ID, func(u store.FollowUp) bool { return u.Ref == ref || u.Ref == "" }); err != nil {
		return nil, err
	}
	return c, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "document looked at", Actor: a.ID, Case: m.c.ID, Ref: ref})
}

// childNames are the children that a version names, in the order of the form; of one without a name its number.
func (k *Desk) childNames(ctx context.Context, v *store.Version) (out []string, err error) {
	b, err := k.store.AnswersOf(ctx, v)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Answers []struct{ Key, Value string }
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the printed answers of a document are damaged"}
	}
	at := map[string]int{}
	for _, a := range doc.Answers {
		rest, ok := strings.CutPrefix(a.Key, "children[")
		if !ok {
			continue
		}
		n, field, _ := strings.Cut(rest, "]")
		if _, seen := at[n]; !seen {
			at[n] = len(out)
			out = append(out, fmt.Sprintf("child %d", len(out)+1))
		}
		if field == ".name" && a.Value != "" {
			out[at[n]] = a.Value
		}
	}
	return out, nil
}

// Attached is what a document says is attached to it: it goes with the message, or somebody says why not.
type Attached struct{ Key, Says string }

// Attachments are what the latest issue of a document says is attached.
func (k *Desk) Attachments(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) (out []Attached, err error) {
	m, err := k.matter(ctx, a, ref, "send this document")
	if err != nil {
		return nil, err
	}
	doc, _, _, err := k.refill(ctx, m.doc, m.doc.Latest())
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	add := func(key, says string) {
		if !seen[key] {
			seen[key] = true
			out = append(out, Attached{key, says})
		}
	}
	others := ""
	for _, p := range mail.Missing(doc, nil) { // once only for each question that says so
		doc.Answers(func(_ *caseforms.DocSection, x *caseforms.Answer) {
			switch {
			case x.Key != p.Key:
			case x.Key == "attachments":
				for _, b := range x.Boxes {
					if b.Ticked && b.Value != "other" {
						add(b.Value, b.Label)
					} else if b.Ticked && others == "" {
						others = b.Label
					}
				}
			case x.Key == "attachments_other":
				others = x.Value
			default:
				add(strings.TrimSuffix(x.Key, "_attached"), x.Label)
			}
		})
	}
	if others != "" {
		add("other", others)
	}
	return out, nil
}

// Holder is who has a case, and what a list may show of it.
type Holder struct {
	Owner, Team string
	Card        Card
}

// Holders tells whose the cases are, of those that the actor may see.
func (k *Desk) Holders(ctx context.Context, a caseforms.Actor, ids []caseforms.CaseID) (map[caseforms.CaseID]Holder, error) {
	if err := a.Need("see whose cases these are", caseforms.RolePractitioner, caseforms.RoleManager); err != nil {
		return nil, err
	}
	once := map[caseforms.CaseID]bool{}
	for _, id := range ids {
		once[id] = true
	}
	cards, err := k.store.Cards(ctx, slices.Collect(maps.Keys(once)))
	if err != nil {
		return nil, err
	}
	out := map[caseforms.CaseID]Holder{}
	for id, c := range cards {
		if c.Case.Restricted && !allowed(a, c.Case.Access) {
			continue
		}
		h := Holder{Owner: c.Case.Owner, Team: c.Case.Team}
		if json.Unmarshal(c.Card, &h.Card) != nil {
			return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "the summary of case " + string(id) + " is damaged"}
		}
		out[id] = h
	}
	return out, nil
}

// SendName names one send of a document among several, wherever it is asked to whom.
func SendName(id int64) string { return fmt.Sprintf("send-%d", id) }
