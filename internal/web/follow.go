package web

import (
	"fmt"
	"net/http"
	"strconv"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
	"caseforms/mail"
)

// followData is what the pages have on which something is recorded about a document.
type followData struct {
	Ref      caseforms.Ref
	Choices  *casework.Choices
	Signing  string // what is to be said of its countersignature before it is handed over
	Kind     Choice
	HandOff  Choice
	As       Choice // what an office is that is not listed
	Children Choice
	Done     Choice
	Fields   []Input
	When     moment
	Until    moment
	Message  *messageData
	Number   int64 // of the message that an answer is taken from
}

// handOffChoice asks which of several hand-offs is meant.
func handOffChoice(r *Request, c *casework.Choices, ps []FieldProblem) Choice {
	out := Choice{ID: "hand_off", Legend: "Which of them is it about?", Problem: problemOf(ps, "hand_off")}
	for _, h := range c.Open {
		out.Options = append(out.Options, Option{Value: fmt.Sprint(h.Number), Label: h.To, Hint: "handed over on " + h.Day.Long(), Chosen: r.whole("hand_off") == h.Number})
	}
	return out
}

// choices are what there is to choose from of the document in the address.
func (s *Service) choices(r *Request) (*casework.Choices, error) {
	ref, err := r.Ref()
	if err != nil {
		return nil, err
	}
	return r.Desk.Choices(r.Context(), r.Actor, ref)
}

// followPage shows one of the pages on which something is recorded.
func (s *Service) followPage(w http.ResponseWriter, r *Request, name, title string, d followData, ps []FieldProblem) error {
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, name, Page{Title: title, Whose: identityOf(&d.Choices.Whose), Status: code, Problems: ps, Form: true, Wide: d.Message != nil, Crumbs: documentCrumbs(d.Ref), Data: d})
}

// textField is a text field that keeps what was typed.
func textField(r *Request, ps []FieldProblem, id, label, hint string, lines int) Input {
	return Input{ID: id, Label: label, Hint: hint, Value: r.Field(id), Problem: problemOf(ps, id), Autocomplete: "off", Spell: true, Lines: lines}
}

// handOver records that a document was handed over otherwise than by e-mail.
func (s *Service) handOver(w http.ResponseWriter, r *Request) error {
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	var ps []FieldProblem
	if r.Method == http.MethodPost {
		at, bad := s.moment(r, "at")
		if ps = bad; r.Field("to") == "" && r.Field("office") == "" {
			ps = append(ps, FieldProblem{"office", "Say whom it was handed to"})
		}
		if len(c.Takers) > 0 && r.Field("office") == "" && r.Field("to") != "" && r.Field("as") == "" {
			ps = append(ps, FieldProblem{"as", "Say who they are: what is to be sent is only sent when it went to somebody whom it is for"})
		}
		if r.Field("by") == "" {
			ps = append(ps, FieldProblem{"by", "Say how it was handed over"})
		}
		if ps == nil {
			to, as := r.Field("office"), ""
			if to == "" {
				to, as = r.Field("to"), r.Field("as")
			}
			h, err := r.Desk.HandOver(r.Context(), r.Actor, casework.HandOver{Ref: c.Ref, Channel: casework.Channel(r.Field("by")), To: to, As: as, With: r.Field("with"), At: at, Note: r.Field("note")})
			if err == nil {
				text := "It is recorded that it was handed over."
				if h.But != "" {
					text += " " + h.But
				}
				s.notify(r, Notice{Good: h.But == "", Text: text + nextWords(h.Due)})
				return seeOther(w, r, documentPath(c.Ref, ""))
			}
			if ps, err = toldBeside(err, "to", caseforms.NotFound); err != nil {
				return err
			}
		}
	}
	d := followData{Ref: c.Ref, Choices: c, When: askMoment(r, "at", "When?", "Leave it empty if it is now", true, ps)}
	if d.Signing, err = s.signing(r, c.Ref); err != nil {
		return err
	}
	d.Kind = Choice{ID: "by", Legend: "How was it handed over?", Problem: problemOf(ps, "by")}
	for _, x := range casework.Channels {
		d.Kind.Options = append(d.Kind.Options, Option{Value: string(x), Label: map[casework.Channel]string{casework.ByHand: "By hand", casework.ByPost: "By post", casework.ByTelephone: "By telephone", casework.ByPortal: "On their portal"}[x], Chosen: r.Field("by") == string(x)})
		if x == casework.ByTelephone {
			d.Kind.Options[len(d.Kind.Options)-1].Hint = "Somebody was spoken to and has it. A voicemail is no hand-over: note the call."
		}
	}
	d.HandOff = Choice{ID: "office", Legend: "Whom was it handed to?", Problem: problemOf(ps, "office")}
	for _, o := range c.To {
		about := o.Role
		if o.Phone != "" {
			about += ", " + o.Phone
		}
		d.HandOff.Options = append(d.HandOff.Options, Option{Value: o.ID, Label: o.Organisation, Hint: about, Chosen: r.Field("office") == o.ID})
	}
	if len(c.Takers) > 0 {
		d.As = Choice{ID: "as", Legend: "Of an office that is not listed: who are they?", Problem: problemOf(ps, "as")}
		for _, x := range append(c.Takers, casework.Choice{Kind: casework.AsOther, Label: "Somebody else: the person, a relative, another agency"}) {
			d.As.Options = append(d.As.Options, Option{Value: x.Kind, Label: x.Label, Chosen: r.Field("as") == x.Kind})
		}
		d.As.Options[len(c.Takers)].Hint = "It is on the timeline, and the document is still to be sent."
	}
	d.Fields = []Input{textField(r, ps, "to", "Another office, as it is called", "If it is not listed above", 0), textField(r, ps, "with", "Whom there, or who was spoken to", "", 0), textField(r, ps, "note", "Anything more", "", 3)}
	return s.followPage(w, r, "hand-over", "Record that "+string(c.Ref)+" was handed over", d, ps)
}

// nextWords says what is to be done now.
func nextWords(due []casework.Due) string {
	if len(due) == 0 {
		return ""
	}
	return " Next: " + due[0].Says + ", by " + due[0].Due.Long() + "."
}

// answer records what was answered; from a message, its words and what a returned form proposes stand beside it.
func (s *Service) answer(w http.ResponseWriter, r *Request) error {
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	number := r.whole("message")
	if r.Method != http.MethodPost {
		number, _ = strconv.ParseInt(r.URL.Query().Get("message"), 10, 64)
	}
	var ps []FieldProblem
	if r.Method == http.MethodPost {
		at, bad := s.moment(r, "at")
		if ps = bad; r.Field("kind") == "" {
			ps = append(ps, FieldProblem{"kind", "Say what they answered"})
		}
		var children []int
		for _, n := range r.PostForm["child"] {
			if i, err := strconv.Atoi(n); err == nil {
				children = append(children, i)
			}
		}
		if ps == nil {
			got, err := r.Desk.Answer(r.Context(), r.Actor, casework.Answer{Ref: c.Ref, HandOff: r.whole("hand_off"), Kind: r.Field("kind"), From: r.Field("from"), Note: r.Field("note"), Children: children, At: at, Message: number})
			if err == nil {
				text := "It is recorded: " + got.Label + "."
				switch {
				case len(got.Open) > 0:
					text += fmt.Sprintf(" Of %d more nothing was said yet.", len(got.Open))
				case !got.Ends:
					text += " The follow-up goes on: this is no response that ends it."
				}
				s.notify(r, Notice{Good: true, Text: text + nextWords(got.Due)})
				return seeOther(w, r, documentPath(c.Ref, ""))
			}
			at := "kind"
			if len(c.Open) > 1 && r.Field("hand_off") == "" {
				at = "hand_off"
			}
			if ps, err = toldBeside(err, at); err != nil {
				return err
			}
		}
	}
	d := followData{Ref: c.Ref, Choices: c, Number: number, When: askMoment(r, "at", "When did they answer?", "Leave it empty if it is now, or when the message came", true, ps)}
	d.Kind = Choice{ID: "kind", Legend: "What did they answer?", Problem: problemOf(ps, "kind")}
	for _, x := range c.Responses {
		o := Option{Value: x.Kind, Label: x.Label, Chosen: r.Field("kind") == x.Kind}
		if !x.Ends {
			o.Hint = "the follow-up goes on"
		}
		d.Kind.Options = append(d.Kind.Options, o)
	}
	if len(c.Open) > 1 {
		d.HandOff = handOffChoice(r, c, ps)
	}
	if len(c.Children) > 1 {
		d.Children = Choice{ID: "child", Legend: "About which children?", Hint: "Tick none if it is about all. The others stay open.", Several: true}
		for i, name := range c.Children {
			d.Children.Options = append(d.Children.Options, Option{Value: fmt.Sprint(i + 1), Label: name, Hint: fmt.Sprintf("child %d on the form", i+1), Chosen: contains(r.PostForm["child"], fmt.Sprint(i+1))})
		}
	}
	from := textField(r, ps, "from", "Who answered", "", 0)
	if number != 0 {
		m, err := s.readMessage(r, number)
		if err != nil {
			return err
		}
		if m.Came.Ref != "" && m.Came.Ref != c.Ref {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: "the message belongs to " + string(m.Came.Ref) + ", not to " + string(c.Ref), Hint: "file it with this document first"}
		}
		if d.Message = m; from.Value == "" {
			from.Value = m.Came.From
		}
	}
	d.Fields = []Input{from, textField(r, ps, "note", "What they said", "", 4)}
	return s.followPage(w, r, "answer", "Record an answer to "+string(c.Ref), d, ps)
}

func contains(all []string, s string) bool {
	for _, x := range all {
		if x == s {
			return true
		}
	}
	return false
}

// putIn takes in a saved message, or a form that came back, as a file; the answer is then taken from it.
func (s *Service) putIn(w http.ResponseWriter, r *Request) error {
	if err := s.multipart(r); err != nil {
		return err
	}
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	data, _, err := r.file("file")
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "no file was chosen", Hint: "go back and choose a saved message (.eml) or a form that came back (.pdf)"}
	}
	f, err := r.Desk.PutFile(r.Context(), r.Actor, c.Ref, data)
	if err != nil {
		return err
	}
	return seeOther(w, r, documentPath(c.Ref, fmt.Sprintf("/answer?message=%d", f.Message)))
}

// note records a call, a visit, a decision, something that happened.
func (s *Service) note(w http.ResponseWriter, r *Request) error {
	c, err := s.choices(r)
	if err != nil {
		return err
	}
	var ps []FieldProblem
	if r.Method == http.MethodPost {
		at, bad := s.moment(r, "at")
		until, bad2 := r.day("until")
		ps = append(bad, bad2...)
		for _, f := range []struct{ id, msg string }{{"kind", "Say what it is"}, {"text", "Write what was done or decided"}} {
			if r.Field(f.id) == "" {
				ps = append(ps, FieldProblem{f.id, f.msg})
			}
		}
		if ps == nil {
			due, err := r.Desk.Note(r.Context(), r.Actor, casework.Note{Ref: c.Ref, Kind: r.Field("kind"), Text: r.Field("text"), With: r.Field("with"), At: at, Done: r.Field("done"), Until: until, To: r.Field("to"), HandOff: r.whole("hand_off")})
			if err == nil {
				s.notify(r, Notice{Good: true, Text: "It is noted." + nextWords(due)})
				return seeOther(w, r, documentPath(c.Ref, ""))
			}
			if ps, err = toldBeside(err, "kind", caseforms.NotFound); err != nil {
				return err
			}
		}
	}
	d := followData{Ref: c.Ref, Choices: c, When: askMoment(r, "at", "When?", "Leave it empty if it is now", true, ps), Until: askMoment(r, "until", "Of a pause: until when can nothing be expected?", "", false, ps)}
	d.Kind = Choice{ID: "kind", Legend: "What is it?", Problem: problemOf(ps, "kind")}
	for _, x := range c.Notes {
		d.Kind.Options = append(d.Kind.Options, Option{Value: x.Kind, Label: sentence(x.Label), Chosen: r.Field("kind") == x.Kind})
	}
	if len(c.Open) > 1 {
		d.HandOff = handOffChoice(r, c, ps)
	}
	d.Done = Choice{ID: "done", Legend: "Is something done with it?", Options: []Option{{Value: "", Label: "Nothing that is listed", Chosen: r.Field("done") == ""}}}
	for i := range c.Due {
		u := &c.Due[i]
		d.Done.Options = append(d.Done.Options, Option{Value: u.Rule, Label: sentence(u.Says), Hint: u.Rule + ", due " + u.Due.Long(), Chosen: r.Field("done") == u.Rule})
	}
	d.Fields = []Input{textField(r, ps, "text", "What was done or decided", "", 5), textField(r, ps, "with", "Whom it was with", "", 0), textField(r, ps, "to", "Of a call because something has not arrived: which office was rung?", "Only if it has not arrived at several", 0)}
	return s.followPage(w, r, "note", "Note something about "+string(c.Ref), d, ps)
}

// messageData is a message as pages show it.
type messageData struct {
	Came    *casework.Came
	Text    string
	History string
	Rows    Rows
	Files   Table
	Forms   []proposals
	New     bool // it has still to be read
	Answer  bool // an answer may be taken from it
	File    Input
	Why     Input
}

// proposals are what a form of ours says that came back.
type proposals struct {
	Table
	Problem string
}

// readMessage reads a message for a page: nothing in it is opened or fetched.
func (s *Service) readMessage(r *Request, number int64) (*messageData, error) {
	c, in, _, err := r.Desk.ReadMail(r.Context(), r.Actor, number)
	if err != nil {
		return nil, err
	}
	d := &messageData{Came: c, Text: in.Text, History: in.History, New: c.State == store.ReceivedNew}
	d.Answer = c.Ref != "" && d.New && c.Class != string(mail.AutomaticAnswer) && c.Class != string(mail.ReadReceipt) && c.Class != string(mail.DeliveryReport)
	ref := Cell{Text: "To nothing yet"}
	if c.Ref != "" {
		ref = refCell(c.Ref)
	}
	ref.Sub = sureWords(c)
	d.Rows = Rows{{Key: "From", Value: c.From}, {Key: "Subject", Value: c.Subject}, {Key: "Came", Value: clock(c.Came)}, {Key: "What it is", Value: Cell{Text: sentence(c.Class), Sub: c.Why}}, {Key: "Belongs to", Value: ref}}
	if c.Outcome != "" {
		d.Rows = append(d.Rows, Row{Key: "What was done", Value: sentence(c.Outcome)})
	}
	if p := c.Report; p != nil {
		said := p.Said
		if p.Status != "" {
			said = p.Status + " " + said
		}
		d.Rows = append(d.Rows, Row{Key: "A server reported", Value: Cell{Text: sentence(p.Action) + " " + p.Recipient, Sub: said}})
	}
	for _, x := range c.Doubts {
		d.Rows = append(d.Rows, Row{Key: "But", Value: sentence(x)})
	}
	for _, x := range c.Warnings {
		d.Rows = append(d.Rows, Row{Key: "Note", Value: sentence(x)})
	}
	d.Files = Table{Caption: "Files that came with it", Heads: []string{"Name", "Kind", "Size"}, None: "No files came with it."}
	for _, f := range c.Files {
		d.Files.Rows = append(d.Files.Rows, []Cell{TextCell(f.Name), TextCell(f.Type), TextCell(fmt.Sprintf("%d kB", (f.Size+1023)>>10))})
	}
	for _, f := range c.Forms {
		p := proposals{Problem: f.Problem, Table: Table{Caption: "A form of ours came back. It proposes", Heads: []string{"Question", "Typed", "Note"}, None: "Nothing could be read from it."}}
		for _, a := range f.Answers {
			p.Rows = append(p.Rows, []Cell{TextCell(a.Label), {Text: a.Typed, Pre: true}, TextCell(a.Problem)})
		}
		d.Forms = append(d.Forms, p)
	}
	return d, nil
}

// sureWords say how sure it is what a message belongs to.
func sureWords(c *casework.Came) string {
	switch {
	case c.Ref == "":
		return ""
	case c.MatchedBy == "person":
		return "filed by a person"
	case !c.Verified && c.Class == string(mail.HumanReply):
		return "matched, unverified: nobody vouches for who sent it"
	case !c.Verified:
		return "matched"
	}
	return "matched, verified"
}
