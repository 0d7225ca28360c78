package casework

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
	"caseforms/render"
)

// The hazards of e-mail, each of which once went wrong: something that nobody sees, that goes to the wrong office, or twice.

var asText = []Output{{Format: render.FormatText}}

// hazard is an office with a directory, and a relay that nobody talks to: what is carried is said by the test.
func hazard(t *testing.T) *office {
	o := newOffice(t)
	o.Mail(&Post{
		House:  mail.House{Mailbox: "safeguarding@probation.example", Name: "Probation Service"},
		Relays: []mail.Relay{{Name: "main", Address: "127.0.0.1:1", Guarantees: mail.TLS}},
		Ours:   mail.Ours{Mailboxes: []mail.Address{"safeguarding@probation.example"}, Relays: []string{"mx.probation.example"}},
		Ring:   Telephone{"the safeguarding desk", "01632 960100"},
	})
	o.lists("front_door", "Northtown MASH", "", "mash@northtown.example")
	o.allows("northtown.example")
	return o
}

func (o *office) lists(role, organisation, area, address string) string {
	o.t.Helper()
	rs := []store.Recipient{{Role: role, Organisation: organisation, Area: area, Channel: "email", Address: address, Phone: "01632 960200", Demonstrated: o.today().AddDays(-10), How: "tested", Active: true}}
	_, _, ps, err := o.PutRecipients(o.ctx, o.as("boss"), rs)
	if err != nil || len(ps) > 0 {
		o.t.Fatal(err, ps)
	}
	return rs[0].ID
}

func (o *office) allows(pattern string) {
	o.t.Helper()
	o.must(o.SetPolicy(o.ctx, o.as("boss"), store.Policy{Pattern: pattern, Means: "tls", Why: "agreed", Demonstrated: o.today().AddDays(-10), How: "tested"}))
}

// opens are the open duties of a rule about a document.
func (o *office) opens(rule string, ref caseforms.Ref) int {
	o.t.Helper()
	d, err := o.store.Document(o.ctx, ref)
	o.must(err)
	us, err := o.store.FollowUpsOf(o.ctx, d.Case)
	o.must(err)
	n := 0
	for _, u := range us {
		if u.Rule == rule && u.Ref == ref && u.State == store.FollowUpOpen {
			n++
		}
	}
	return n
}

func (o *office) wantOpen(when, rule string, ref caseforms.Ref, want int) {
	o.t.Helper()
	if got := o.opens(rule, ref); got != want {
		o.t.Errorf("%s: %d open of %s, want %d", when, got, rule, want)
	}
}

// carrying lets everything leave but what goes to addresses that begin so, and notes what left.
func carrying(left *[]string, but map[string]error) carrier {
	return func(p Parcel, leaving func() error) (string, error) {
		m := &mail.Message{}
		if err := m.UnmarshalBinary(p.Payload); err != nil {
			return "", err
		}
		if err := leaving(); err != nil {
			return "", err
		}
		for to, err := range but {
			if strings.HasPrefix(string(m.Route.To), to) {
				return "", err
			}
		}
		*left = append(*left, string(m.Route.To)+" "+m.Subject)
		return "250 taken", nil
	}
}

func (o *office) runs(but map[string]error) (left []string) {
	o.t.Helper()
	_, err := o.Deliver(o.ctx, carrying(&left, but), 1)
	o.must(err)
	return left
}

func (o *office) sends(ref caseforms.Ref, s Send) []Outgoing {
	o.t.Helper()
	s.Ref = ref
	if s.Without == "" {
		s.Without = "a test"
	}
	out, _, err := o.Send(o.ctx, o.as("petra"), s)
	o.must(err)
	return out
}

// sent is a referral that has left.
func (o *office) sent(name string) (*Issued, store.Send) {
	o.t.Helper()
	i := o.record("petra", Record{Form: "cp1", Case: sample(o.t, name), Outputs: asText})
	o.sends(i.Ref, Send{})
	o.runs(nil)
	all, err := o.store.Sends(o.ctx, i.Ref)
	o.must(err)
	return i, all[len(all)-1]
}

func (o *office) comes(raw string) *Came {
	o.t.Helper()
	c, err := o.Receive(o.ctx, Incoming{Mailbox: "box", Raw: []byte(strings.ReplaceAll(raw, "\n", "\r\n")), Came: o.clock})
	o.must(err)
	return c
}

func reports(n store.Send, action, head string) string {
	return fmt.Sprintf("Return-Path: <>\n%sFrom: MAILER-DAEMON@mx.northtown.example\nTo: safeguarding@probation.example\nSubject: Report\nMessage-ID: <%s@mx>\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"+
		"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.northtown.example\nOriginal-Envelope-Id: %s\n\nFinal-Recipient: rfc822; mash@northtown.example\nAction: %s\nStatus: 5.0.0\n\n--b--\n", head, action, n.Message, action)
}

func replies(n store.Send, id, text string) string {
	return fmt.Sprintf("From: mash@northtown.example\nTo: safeguarding+%s@probation.example\nSubject: Re: referral\nMessage-ID: <%s@northtown.example>\n\n%s\n", n.Token, id, text)
}

func (o *office) standing(ref caseforms.Ref, i int) Outcome {
	o.t.Helper()
	tl, err := o.Show(o.ctx, o.as("petra"), ref)
	o.must(err)
	return tl.Sends[i].Standing
}

var (
	busy    = &NotDelivered{Said: "451 later"}
	refusal = &NotDelivered{Said: "550 no such user", Never: true}
)

// Each office that a document has not reached stays somebody's duty, whatever reaches another.
func TestHazardTwoOffices(t *testing.T) {
	t.Parallel()
	for _, held := range []bool{true, false} {
		o := hazard(t)
		o.lists("public_protection_office", "Northtown PPO", "", "ppo@police.example")
		o.lists("housing_needs_team", "Northtown Housing", "", "housing@northtown.example")
		if !held {
			o.allows("police.example")
		}
		i := o.record("petra", Record{Form: "pp3", Case: sample(t, "07-level-3"), Outputs: asText})
		o.sends(i.Ref, Send{})
		o.runs(map[string]error{"ppo": refusal})
		o.wantOpen("housing has it", "M02", i.Ref, 1)
		_, err := o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: i.Ref, Channel: ByHand, To: "the neighbour"})
		o.must(err)
		o.wantOpen("the neighbour has it", "M02", i.Ref, 1)
		_, err = o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: i.Ref, Channel: ByHand, To: "northtown ppo"})
		o.must(err)
		o.wantOpen("both have it", "M02", i.Ref, 0)
	}
}

// A process that dies while something leaves, and a queue that nobody runs, are seen.
func TestHazardNobodyKnows(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	i := o.record("petra", Record{Form: "cp1", Case: sample(t, "03-urgent"), Outputs: asText})
	o.sends(i.Ref, Send{To: []string{"mash@northtown.example"}})
	items, err := o.store.Claim(o.ctx, 1, time.Minute)
	o.must(err)
	_, err = o.store.Begin(o.ctx, &items[0])
	o.must(err)
	o.clock = o.clock.Add(time.Hour)
	o.runs(nil)
	o.wantOpen("it died", "M01", i.Ref, 1)

	// It left on Friday and that becomes known on Monday: the clock runs from Friday.
	left := items[0].Left
	o.clock = o.clock.Add(72 * time.Hour)
	o.must(o.Settle(o.ctx, o.as("petra"), items[0].ID, true, ByPerson, "they told me"))
	hands, err := o.store.HandOffs(o.ctx, i.Ref)
	o.must(err)
	if len(hands) != 1 || !hands[0].At.Equal(left) {
		t.Errorf("the hand-off is of %v, and it left at %v", hands, left)
	}
	o.wantOpen("they have it", "M01", i.Ref, 0)
	o.intact()
}

// What cannot wait is seen after the first attempt that failed, and leaves first.
func TestHazardUrgentIsDelayed(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	o.sends(o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: asText}).Ref, Send{})
	i := o.record("petra", Record{Form: "cp1", Case: sample(t, "03-urgent"), Outputs: asText})
	id := o.lists("emergency_duty_team", "Northtown EDT", "", "edt@northtown.example")
	o.sends(i.Ref, Send{To: []string{id}})
	since := o.clock
	o.runs(map[string]error{"edt": busy})
	o.wantOpen("the relay was busy", "M01", i.Ref, 1)
	told, err := o.Trouble(o.ctx, since)
	o.must(err)
	if len(told) != 1 || told[0].Ref != i.Ref {
		t.Errorf("told: %+v", told)
	}
	o.clock = o.clock.Add(2 * time.Hour)
	o.sends(o.record("petra", Record{Form: "check", Case: with(t, sample(t, "01-simple"), "Other", "practitioner", "name"), Outputs: asText}).Ref, Send{To: []string{"csc@northtown.example"}, Confirm: "x"})
	if left := o.runs(nil); len(left) != 2 || !strings.HasPrefix(left[0], "edt@") {
		t.Errorf("left: %q", left)
	}
	o.wantOpen("it has left", "M01", i.Ref, 0)
}

// What cannot wait leaves before what was queued earlier; and what is queued does not go to an address that the office no longer has.
func TestHazardOrder(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	o.sends(o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: asText}).Ref, Send{})
	o.clock = o.clock.Add(time.Minute)
	urgent := o.record("petra", Record{Form: "cp1", Case: sample(t, "03-urgent"), Outputs: asText})
	o.sends(urgent.Ref, Send{To: []string{"edt@northtown.example"}, Confirm: "x"})
	if left := o.runs(nil); len(left) != 2 || !strings.HasPrefix(left[0], "edt@") {
		t.Errorf("left: %q", left)
	}
	check := o.record("petra", Record{Form: "check", Case: sample(t, "01-simple"), Outputs: asText})
	o.lists("childrens_services", "Northtown Social Care", "", "csc@northtown.example")
	o.sends(check.Ref, Send{})
	o.lists("childrens_services", "Northtown Social Care", "", "new@northtown.example")
	c, err := o.Courier()
	o.must(err)
	_, err = o.Deliver(o.ctx, c, 1)
	o.must(err)
	if got := o.standing(check.Ref, 0); got != HeldBack {
		t.Errorf("what was to go to the old address is %s", got)
	}
	o.wantOpen("held", "M02", check.Ref, 1)
}

// The older issue does not leave after the newer one, and what is held of it does not stand in the way.
func TestHazardOlderIssue(t *testing.T) {
	t.Parallel()
	again := func(o *office, ref caseforms.Ref, how string) {
		o.record("petra", Record{Form: "cp1", Case: with(o.t, sample(o.t, "01-simple"), how, "practitioner", "name"), Outputs: asText, Again: ref, Why: "an address was wrong"})
	}
	o := hazard(t)
	i := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: asText})
	o.sends(i.Ref, Send{})
	o.runs(map[string]error{"mash": busy})
	again(o, i.Ref, "Right")
	o.sends(i.Ref, Send{})
	left := o.runs(nil)
	o.clock = o.clock.Add(10 * time.Minute)
	if left = append(left, o.runs(nil)...); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
	// Queued, and a newer issue recorded that nobody has sent: it is held, not sent.
	o.sends(i.Ref, Send{Again: "lost"})
	again(o, i.Ref, "Righter")
	c, err := o.Courier()
	o.must(err)
	_, err = o.Deliver(o.ctx, c, 1)
	o.must(err)
	if got := o.standing(i.Ref, 2); got != HeldBack {
		t.Errorf("the older issue is %s", got)
	}
	o.sends(i.Ref, Send{})
	if left := o.runs(nil); len(left) != 1 {
		t.Errorf("left: %q", left)
	}

	// Held twice: the newer takes the place of the older, and can be released.
	o = hazard(t)
	o.must(o.SetPolicy(o.ctx, o.as("boss"), store.Policy{Pattern: "northtown.example", Why: "a test"}))
	i = o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: asText})
	o.sends(i.Ref, Send{})
	again(o, i.Ref, "Right")
	o.sends(i.Ref, Send{})
	o.allows("northtown.example")
	_, err = o.Release(o.ctx, o.as("petra"), Release{Ref: i.Ref})
	o.must(err)
	if left := o.runs(nil); len(left) != 1 || !strings.Contains(left[0], "mash@") {
		t.Errorf("left: %q", left)
	}
	o.wantOpen("it has left", "M02", i.Ref, 0)
}

// Rung first and written after, or corrected: the answer to either ends the one clock.
func TestHazardJoined(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"telephone", "correction"} {
		o := hazard(t)
		i := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: asText})
		if how == "telephone" {
			_, err := o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: i.Ref, Channel: ByTelephone, To: "Northtown MASH"})
			o.must(err)
		}
		o.sends(i.Ref, Send{})
		o.runs(nil)
		if how == "correction" {
			o.record("petra", Record{Form: "cp1", Case: with(t, sample(t, "01-simple"), "Right", "practitioner", "name"), Outputs: asText, Again: i.Ref, Why: "an address was wrong"})
			if out := o.sends(i.Ref, Send{}); out[0].Kind != caseforms.MailCorrection {
				t.Errorf("the later issue goes as %q", out[0].Kind)
			}
			o.runs(nil)
		}
		o.wantOpen(how, "C06", i.Ref, 1)
		all, err := o.store.Sends(o.ctx, i.Ref)
		o.must(err)
		c := o.comes(replies(all[len(all)-1], "r", "We will assess."))
		_, err = o.Answer(o.ctx, o.as("petra"), Answer{Ref: i.Ref, Kind: "assessment", Message: c.Number})
		o.must(err)
		o.wantOpen(how+", answered", "C06", i.Ref, 0)
		o.wantOpen(how+", answered", "C06b", i.Ref, 0)
		if _, err := o.Answer(o.ctx, o.as("petra"), Answer{Ref: i.Ref, Kind: "assessment", Message: c.Number}); err == nil {
			t.Error("an answer was taken twice from one message")
		}
		o.intact()
	}
}

// Two authorities are not one because their names are alike, and one is one however it is written.
func TestHazardSameName(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		a, b string
		want bool
	}{
		{"Northtown Council", "northtown", true}, {"London Borough of Hackney", "Hackney", true}, {"Hackney Council", "London Borough of Hackney", true}, {"Royal Borough of Northtown", "Northtown Council", true},
		{"Leicester City Council", "Leicester County Council", false}, {"Nottingham City", "Nottinghamshire County", false}, {"Peterborough City Council", "Peter Council", false}, {"Council", "Borough", false},
	} {
		if got := sameName(x.a, x.b); got != x.want {
			t.Errorf("%q and %q: %v", x.a, x.b, got)
		}
	}
}

// One message that cannot be written down, or read, does not stop those behind it; and no trick of the header hides a bounce.
func TestHazardInbox(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	i, n := o.sent("03-urgent")
	for _, date := range []string{"Wed, 25 Nov 2026 10:00:00 +2400", "Wed, 25 Nov 2026 10:00:00 -2460", "Wed, 25 Nov 0001 10:00:00 +0100", "x"} {
		if c := o.comes("Date: " + date + "\nFrom: a@b.example\nTo: safeguarding@probation.example\nSubject: " + date + "\n\nx\n"); c == nil || c.State != store.ReceivedNew {
			t.Errorf("%s: %+v", date, c)
		}
	}
	twice := "Delivered-To: safeguarding@probation.example\nDelivered-To: safeguarding@probation.example\n"
	o.comes(reports(n, "failed", twice))
	o.wantOpen("it bounced", "M01", i.Ref, 1)
	for _, later := range []string{"delayed", "relayed", "delivered"} { // of what failed only a person says otherwise
		o.comes(reports(n, later, ""))
		if got := o.standing(i.Ref, 0); got != Failed {
			t.Errorf("after %s: %s", later, got)
		}
	}
	if c := o.comes(twice + replies(n, "r1", "We will look.")); c.Ref != i.Ref || o.opens("C06b", i.Ref) != 1 {
		t.Errorf("a reply that was noted twice: %+v", c)
	}

	// A copy without the secret address is thrown away; the one with it is no twin of it.
	text := "From: mash@northtown.example\nTo: safeguarding@probation.example\nSubject: Re: referral\nMessage-ID: <r2@northtown.example>\n\nNo further action.\n"
	stray := o.comes(text)
	o.must(o.DoneMail(o.ctx, o.as("petra"), stray.Number, "no idea", true))
	if c := o.comes(strings.Replace(text, "safeguarding@", "safeguarding+"+n.Token+"@", 1)); c.State != store.ReceivedNew || c.Ref != i.Ref {
		t.Errorf("the right copy: %+v", c)
	}
	o.intact()
}

// What a program writes is no answer; what it says may matter all the same.
func TestHazardAutomatic(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	i, n := o.sent("01-simple")
	notice := func(id, text string) *Came {
		return o.comes("Auto-Submitted: auto-replied\n" + replies(n, id, text))
	}
	away := notice("a1", "I am on leave until Monday.")
	if away.Class != string(mail.AutomaticAnswer) || away.State != store.ReceivedDone {
		t.Errorf("on leave: %s, %s", away.Class, away.State)
	}
	if c := notice("a2", "This mailbox is no longer monitored. Your message will not be read."); c.State != store.ReceivedNew {
		t.Errorf("not monitored: %s", c.State)
	}
	_, err := o.Answer(o.ctx, o.as("petra"), Answer{Ref: i.Ref, Kind: "assessment", Message: away.Number})
	refused(t, err, caseforms.Conflict, "nothing that a program sends is an answer")
	o.wantOpen("automatic", "C06", i.Ref, 1)
}

// Where it is not known who a document may go to, it goes nowhere.
func TestHazardWrongOffice(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	check := o.record("petra", Record{Form: "check", Case: sample(t, "04-many-children"), Outputs: asText})
	south := o.lists("childrens_services", "Southtown Social Care", "Southtown Council", "csc@southtown.example")
	_, _, err := o.Send(o.ctx, o.as("petra"), Send{Ref: check.Ref, To: []string{south}})
	refused(t, err, caseforms.Forbidden, "0.4 point 9")
	full := o.record("petra", Record{Form: "conference", Case: sample(t, "01-simple"), Outputs: asText})
	_, _, err = o.Send(o.ctx, o.as("petra"), Send{Ref: full.Ref, To: []string{"members@northtown.example"}, Confirm: "asked them"})
	refused(t, err, caseforms.Forbidden, "the copy full does not go")
	o.must(o.CloseRecipient(o.ctx, o.as("boss"), south, "closed"))
	_, _, err = o.Send(o.ctx, o.as("petra"), Send{Ref: check.Ref, To: []string{"CSC@southtown.example"}, Confirm: "x"})
	refused(t, err, caseforms.Conflict, "taken out of the directory")

	// The office has another address by now: what is held does not go to the old one.
	o.must(o.SetPolicy(o.ctx, o.as("boss"), store.Policy{Pattern: "northtown.example", Why: "a test"}))
	i := o.record("petra", Record{Form: "cp1", Case: sample(t, "03-urgent"), Outputs: asText})
	rs, err := o.store.Recipients(o.ctx)
	o.must(err)
	mash := rs[slices.IndexFunc(rs, func(r store.Recipient) bool { return r.Role == "front_door" })].ID
	o.sends(i.Ref, Send{To: []string{mash}})
	o.wantOpen("held", "M01", i.Ref, 1)
	o.lists("front_door", "Northtown MASH", "", "new@northtown.example")
	o.allows("northtown.example")
	_, err = o.Release(o.ctx, o.as("mary"), Release{Ref: i.Ref, Why: "it is urgent"})
	refused(t, err, caseforms.Held, "under another address")
	o.must(o.Withdraw(o.ctx, o.as("petra"), i.Ref, "", "it moved"))
	o.sends(i.Ref, Send{To: []string{mash}})
	if left := o.runs(nil); len(left) != 1 || !strings.HasPrefix(left[0], "new@") {
		t.Errorf("left: %q", left)
	}
	o.wantOpen("it has left", "M01", i.Ref, 0)
}

// Whether a referral can wait is what that referral says, not what the case says since.
func TestHazardUrgencyStays(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	mash := o.lists("emergency_duty_team", "Northtown EDT", "", "edt@elsewhere.example")
	data := with(t, sample(t, "01-simple"), "significant_harm", "forms", "cp1", "urgency")
	i := o.record("petra", Record{Form: "cp1", Case: data, Outputs: asText})
	o.record("petra", Record{Form: "check", Case: sample(t, "01-simple"), Outputs: asText}) // a colleague's, of an older file
	out, ps, err := o.Send(o.ctx, o.as("petra"), Send{Ref: i.Ref, To: []string{mash}})
	o.must(err) // that something is not attached stops nothing that cannot wait
	if !out[0].Urgent || len(ps) == 0 {
		t.Errorf("urgent %v, told %v", out[0].Urgent, ps)
	}
	o.wantOpen("held", "M01", i.Ref, 1)
}

// A document that was erased breaks no list, and nothing of its addresses stays.
func TestHazardErased(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	i := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: asText})
	o.sends(i.Ref, Send{To: []string{"jane.placeholder@northtown.example"}, Confirm: "x"})
	o.runs(nil)
	all, err := o.store.Sends(o.ctx, i.Ref)
	o.must(err)
	n := all[0]
	failed := o.comes(reports(n, "failed", ""))
	o.must(o.Erase(o.ctx, o.as("boss"), "", i.Ref, "made in error"))
	if _, _, err := o.Outbox(o.ctx, o.as("petra")); err != nil {
		t.Error("outbox:", err)
	}
	if _, err := o.Trouble(o.ctx, o.clock.Add(-time.Hour)); err != nil {
		t.Error("trouble:", err)
	}
	if err := o.Export(o.ctx, o.as("boss"), []Subject{{Case: i.Case}}, func(Exported) error { return nil }); err != nil {
		t.Error("export:", err)
	}
	other := o.record("petra", Record{Form: "check", Case: sample(t, "01-simple"), Outputs: asText})
	if err := o.FileMail(o.ctx, o.as("petra"), failed.Number, other.Ref); err == nil {
		t.Error("a message that was erased was filed")
	}
	items, err := o.store.Items(o.ctx, i.Ref)
	o.must(err)
	if strings.Contains(items[0].Dedupe, "@") || strings.Contains(items[0].Dedupe, n.Office) {
		t.Errorf("what stays of the item: %q", items[0].Dedupe)
	}
	if c := o.comes(replies(n, "late", "We will assess.")); c.Ref != "" || c.Case != "" {
		t.Errorf("a late reply was filed with what was erased: %+v", c)
	}
	o.intact()
}

// What was typed wrongly can be taken back, and then asks for nothing more.
func TestHazardWithdrawn(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	o.lists("public_protection_office", "Northtown PPO", "", "ppo@northtown.example")
	i := o.record("petra", Record{Form: "pp1", Case: sample(t, "07-level-3"), Outputs: asText})
	o.sends(i.Ref, Send{})
	o.runs(nil)
	o.sends(i.Ref, Send{To: []string{"typo@polcie.example"}, Confirm: "looked"})
	o.wantOpen("held", "M02", i.Ref, 1)
	o.must(o.Withdraw(o.ctx, o.as("petra"), i.Ref, "", "a typing mistake"))
	o.wantOpen("withdrawn", "M02", i.Ref, 0)
	o.sends(i.Ref, Send{To: []string{"ppo@northtown.example"}, Again: "lost"}) // queued: it can still be stopped
	o.must(o.Withdraw(o.ctx, o.as("petra"), i.Ref, "", "found again"))
	if left := o.runs(nil); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
	if out, _, err := o.Outbox(o.ctx, o.as("petra")); err != nil || len(out) != 0 {
		t.Errorf("the outbox still has %+v, %v", out, err)
	}
	o.intact()
}
