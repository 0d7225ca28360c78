package web

import (
	"fmt"
	"net/http"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
	"caseforms/internal/store"
)

func (s *Service) directoryRoutes() []Route {
	readers := Only(caseforms.RolePractitioner, caseforms.RoleManager, caseforms.RoleAdmin, caseforms.RoleAuditor)
	keepers := Only(caseforms.RoleManager, caseforms.RoleAdmin)
	return []Route{
		{Method: "GET", Pattern: "/directory", Who: readers, Do: s.directory, Nav: "Directory"},
		{Method: "POST", Pattern: "/directory", Who: keepers, Do: s.addRecipient, Proven: true},
		{Method: "POST", Pattern: "/directory/import", Who: keepers, Do: s.importDirectory, Body: directoryMost, Proven: true},
		{Method: "POST", Pattern: "/directory/{recipient:r-[0-9a-f]{6,16}}/close", Who: keepers, Do: s.closeRecipient, Proven: true},
		{Method: "GET", Pattern: "/policies", Who: readers, Do: s.policies},
		{Method: "POST", Pattern: "/policies", Who: Only(caseforms.RoleAdmin), Do: s.setPolicy, Proven: true},
		{Method: "POST", Pattern: "/policies/remove", Who: Only(caseforms.RoleAdmin), Do: s.removePolicy, Proven: true},
	}
}

// directoryMost is how large a workbook of the directory may be.
const directoryMost = 4 << 20

type directoryData struct {
	Open, Closed Table
	Check        []caseforms.Problem
	Keeps        bool // whoever looks may change it
	Role         selection
	Channel      selection
	Fields       []Input
	Demonstrated moment
	Close        selection
}

func (s *Service) directory(w http.ResponseWriter, r *Request) error {
	return s.directoryPage(w, r, nil)
}

func (s *Service) directoryPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	rs, err := r.Desk.Recipients(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := directoryData{Keeps: r.Actor.Is(caseforms.RoleManager, caseforms.RoleAdmin)}
	heads := []string{"Office", "Role", "For", "How", "Telephone", "Shown to be secure"}
	d.Open, d.Closed = Table{Caption: "Offices", Heads: heads, None: "Nobody is in the directory yet."}, Table{Caption: "Taken out", Heads: heads}
	for _, x := range rs {
		shown := Cell{Text: "Not shown", Tag: "grey"}
		if !x.Demonstrated.IsZero() {
			shown = Cell{Text: x.Demonstrated.Long(), Sub: x.How}
		} else if x.Channel != "email" {
			shown = Cell{}
		}
		row := []Cell{{Text: x.Organisation, Sub: x.ID}, TextCell(x.Role), TextCell(x.Area), {Text: x.Address, Sub: sentence(x.Channel)}, TextCell(x.Phone), shown}
		if x.Active {
			d.Open.Rows = append(d.Open.Rows, row)
			d.Close.Options = append(d.Close.Options, Option{Value: x.ID, Label: x.Organisation + ", " + x.Role + ", " + x.Address})
		} else {
			d.Closed.Rows = append(d.Closed.Rows, row)
		}
	}
	if d.Check, err = r.Desk.CheckDirectory(r.Context(), r.Actor); err != nil {
		return err
	}
	defs, err := s.o.Load("")
	if err != nil {
		return err
	}
	d.Role = selection{ID: "role", Label: "Role", Problem: problemOf(ps, "role")}
	for _, x := range defs.Roles {
		d.Role.Options = append(d.Role.Options, Option{Value: x.Role, Label: x.Label.In(defs.Lang), Chosen: r.Field("role") == x.Role})
	}
	d.Channel = selection{ID: "channel", Label: "How it is reached", Problem: problemOf(ps, "channel")}
	for _, x := range append([]casework.Channel{casework.ByEmail}, casework.Channels...) {
		d.Channel.Options = append(d.Channel.Options, Option{Value: string(x), Label: sentence(string(x)), Chosen: r.Field("channel") == string(x)})
	}
	d.Fields = []Input{textField(r, ps, "organisation", "What the office is called", "", 0), textField(r, ps, "area", "The authority or area it serves", "As the form says it; leave it empty for every one", 0), textField(r, ps, "address", "E-mail address, postal address or portal", "", 0),
		textField(r, ps, "phone", "Telephone", "It is needed when something is urgent and cannot be sent", 0), textField(r, ps, "how", "How was it shown that the way is secure?", "", 0)}
	d.Demonstrated = askMoment(r, "demonstrated", "On which day was that shown?", "", false, ps)
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "directory", Page{Title: "Directory", Status: code, Problems: ps, Form: d.Keeps, Wide: true, Data: d})
}

// channelOf is how an office is reached that does not say it: by e-mail when it has an address.
func channelOf(x *store.Recipient) {
	if strings.TrimSpace(x.Channel) == "" {
		if x.Channel = "telephone"; x.Address != "" {
			x.Channel = "email"
		}
	}
}

func (s *Service) addRecipient(w http.ResponseWriter, r *Request) error {
	day, ps := r.day("demonstrated")
	if ps != nil {
		return s.directoryPage(w, r, ps)
	}
	x := store.Recipient{Role: r.Field("role"), Organisation: r.Field("organisation"), Area: r.Field("area"), Channel: r.Field("channel"), Address: r.Field("address"), Phone: r.Field("phone"), Demonstrated: day, How: r.Field("how")}
	channelOf(&x)
	return s.putRecipients(w, r, []store.Recipient{x}, 0)
}

// putRecipients puts them into the directory; first is how many rows stood before them in a workbook.
func (s *Service) putRecipients(w http.ResponseWriter, r *Request, rs []store.Recipient, first int) error {
	added, changed, bad, err := r.Desk.PutRecipients(r.Context(), r.Actor, rs)
	if len(bad) > 0 {
		var ps []FieldProblem
		for _, p := range bad {
			at := p.Problem.Key
			msg := sentence(p.Problem.Key) + " " + p.Problem.Msg
			if p.Problem.Hint != "" {
				msg += ": " + p.Problem.Hint
			}
			if at == "demonstrated" {
				at = "demonstrated-day"
			}
			if first > 0 {
				at, msg = "workbook", fmt.Sprintf("Row %d: %s", p.Row+first, msg)
			}
			if ps = append(ps, FieldProblem{at, msg}); len(ps) == 50 {
				break
			}
		}
		return s.directoryPage(w, r, ps)
	}
	if err != nil {
		return err
	}
	s.notify(r, Notice{Good: true, Text: fmt.Sprintf("The directory was changed: %d added, %d changed.", added, changed)})
	return seeOther(w, r, "/directory")
}

// importDirectory takes a workbook whose first row names the columns.
func (s *Service) importDirectory(w http.ResponseWriter, r *Request) error {
	if err := s.multipart(r); err != nil {
		return err
	}
	data, _, err := r.file("workbook")
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return s.directoryPage(w, r, []FieldProblem{{"workbook", "Choose a workbook (.xlsx)"}})
	}
	rs, err := casework.ReadDirectory(data)
	if err != nil {
		ps, err := toldBeside(err, "workbook")
		if err != nil {
			return err
		}
		return s.directoryPage(w, r, ps)
	}
	for i := range rs {
		channelOf(&rs[i])
	}
	return s.putRecipients(w, r, rs, 1)
}

func (s *Service) closeRecipient(w http.ResponseWriter, r *Request) error {
	if err := r.Desk.CloseRecipient(r.Context(), r.Actor, r.Var("recipient"), r.Field("why")); err != nil {
		ps, err := toldBeside(err, "why-"+r.Var("recipient"))
		if err != nil {
			return err
		}
		return s.directoryPage(w, r, ps)
	}
	s.notify(r, Notice{Good: true, Text: "It was taken out: nothing more goes there."})
	return seeOther(w, r, "/directory")
}

type policyData struct {
	Table        Table
	Sets         bool // whoever looks may change them
	Means        Choice
	Fields       []Input
	Demonstrated moment
	Pattern      selection
	Why          Input
}

func (s *Service) policies(w http.ResponseWriter, r *Request) error { return s.policyPage(w, r, nil) }

// means are how an address may be written to.
var means = []Option{
	{Value: "tls", Label: "TLS", Hint: "by a relay that passes mail on over verified TLS or not at all"},
	{Value: "cjsm", Label: "CJSM", Hint: "by the relay of CJSM"},
	{Value: "password", Label: "A sealed file", Hint: "the password is told by telephone"},
	{Value: "hand", Label: "Not by e-mail", Hint: "it is handed over"},
	{Value: "none", Label: "Nothing may be sent"},
}

func (s *Service) policyPage(w http.ResponseWriter, r *Request, ps []FieldProblem) error {
	all, err := r.Desk.Policies(r.Context(), r.Actor)
	if err != nil {
		return err
	}
	d := policyData{Sets: r.Actor.Is(caseforms.RoleAdmin), Table: Table{Caption: "How addresses may be written to", Heads: []string{"Domain or address", "How", "Relay", "Shown to be secure", "Why"}, None: "There is no policy yet: nothing goes by e-mail."}}
	d.Pattern = selection{ID: "remove", Label: "Which one?", Problem: problemOf(ps, "remove")}
	for _, p := range all {
		shown := Cell{}
		if !p.Demonstrated.IsZero() {
			shown = Cell{Text: p.Demonstrated.Long(), Sub: p.How}
		}
		how := p.Means
		for _, m := range means {
			if m.Value == p.Means {
				how = m.Label
			}
		}
		d.Table.Rows = append(d.Table.Rows, []Cell{TextCell(p.Pattern), TextCell(how), TextCell(p.Relay), shown, TextCell(p.Why)})
		d.Pattern.Options = append(d.Pattern.Options, Option{Value: p.Pattern, Label: p.Pattern})
	}
	d.Means = Choice{ID: "means", Legend: "How may it be written to?", Problem: problemOf(ps, "means")}
	for _, m := range means {
		m.Chosen = r.Field("means") == m.Value
		d.Means.Options = append(d.Means.Options, m)
	}
	d.Fields = []Input{textField(r, ps, "pattern", "Domain or address", "Such as council.example", 0), textField(r, ps, "relay", "Relay", "Its name in the configuration; leave it empty for the first that will do", 0), textField(r, ps, "how", "How was it shown that the way is secure?", "For all of them", 0),
		textField(r, ps, "why", "Why?", "Where nothing may be sent, people are told it", 0)}
	d.Demonstrated = askMoment(r, "demonstrated", "On which day was that shown?", "", false, ps)
	d.Why = Input{ID: "remove-why", Label: "Why?", Value: r.Field("remove-why"), Problem: problemOf(ps, "remove-why"), Autocomplete: "off", Spell: true}
	code := 0
	if ps != nil {
		code = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "policies", Page{Title: "Policies", Status: code, Crumbs: []Link{{"Directory", "/directory"}}, Problems: ps, Form: d.Sets, Wide: true, Data: d})
}

func (s *Service) setPolicy(w http.ResponseWriter, r *Request) error {
	day, ps := r.day("demonstrated")
	if r.Field("means") == "" {
		ps = append(ps, FieldProblem{"means", "Say how it may be written to"})
	}
	if r.Field("pattern") == "" {
		ps = append(ps, FieldProblem{"pattern", "Enter a domain or an address"})
	}
	if r.Field("why") == "" {
		ps = append(ps, FieldProblem{"why", "Say why"})
	}
	if ps == nil {
		err := r.Desk.SetPolicy(r.Context(), r.Actor, store.Policy{Pattern: r.Field("pattern"), Means: r.Field("means"), Relay: r.Field("relay"), Demonstrated: day, How: r.Field("how"), Why: r.Field("why")})
		if err == nil {
			s.notify(r, Notice{Good: true, Text: "The policy is set."})
			return seeOther(w, r, "/policies")
		}
		if ps, err = toldBeside(err, "pattern", caseforms.NotFound); err != nil {
			return err
		}
	}
	return s.policyPage(w, r, ps)
}

// removePolicy takes a policy away: what is sent there is held from then on.
func (s *Service) removePolicy(w http.ResponseWriter, r *Request) error {
	if r.Field("remove") == "" {
		return s.policyPage(w, r, []FieldProblem{{"remove", "Choose a policy"}})
	}
	if err := r.Desk.SetPolicy(r.Context(), r.Actor, store.Policy{Pattern: r.Field("remove"), Why: r.Field("remove-why")}); err != nil {
		ps, err := toldBeside(err, "remove-why", caseforms.NotFound)
		if err != nil {
			return err
		}
		return s.policyPage(w, r, ps)
	}
	s.notify(r, Notice{Good: true, Text: "The policy was removed: what is sent there is held."})
	return seeOther(w, r, "/policies")
}
