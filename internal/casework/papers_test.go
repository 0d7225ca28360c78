package casework

import (
	"fmt"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
)

// issues issues a form of the same answers, for another person and a minute later each time.
func (o *office) issues(login, form, name string, person int) *Issued {
	o.t.Helper()
	o.clock = o.clock.Add(time.Minute)
	data := with(o.t, sample(o.t, name), fmt.Sprintf("X%06d", 200000+person), "person", "crn")
	data = with(o.t, with(o.t, data, "", "person", "prison_number"), "", "person", "pnc")
	return o.record(login, Record{Form: form, Case: data, Outputs: []Output{{Format: render.FormatText}}})
}

func (o *office) papers(login string) *Papers {
	o.t.Helper()
	p, err := o.Papers(o.ctx, o.as(login), false)
	o.must(err)
	return p
}

func refs(list []Paper) (out []caseforms.Ref) {
	for _, p := range list {
		out = append(out, p.Ref)
	}
	return out
}

// What was sent back, and what is to be countersigned, is listed however many others were issued since, and however many of them one may not see.
func TestPapersOfMany(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	const many = 305
	hidden := o.record("sue", Record{Form: "pp1", Case: sample(t, "05-welsh-polish-names"), Outputs: []Output{{Format: render.FormatText}}})
	o.must(o.Restrict(o.ctx, o.as("boss"), hidden.Case, []string{"sue"}, nil, "a test"))
	back := o.issues("petra", "pp1", "07-level-3", 1)
	o.must(o.Countersign(o.ctx, o.as("mary"), back.Ref, 1, false, "the level is missing", ""))
	for i := range many {
		o.issues("petra", "cp1", "01-simple", 2+i)
	}
	last := o.issues("petra", "pp1", "07-level-3", many+2)
	p := o.papers("petra")
	if len(p.Back) != 1 || p.Back[0].Ref != back.Ref || len(p.ToSend) != many || len(p.Signing) != 1 {
		t.Errorf("%d sent back, %d to be sent, %d to be signed", len(p.Back), len(p.ToSend), len(p.Signing))
	}
	all, err := o.Papers(o.ctx, o.as("mary"), true)
	o.must(err)
	if got := refs(all.ToSign); len(got) != 1 || got[0] != last.Ref {
		t.Errorf("to be countersigned are %v", got)
	}
}

// Of a manager's own case in another team, what somebody else issued is among what waits of theirs: it is not among what they countersign.
func TestPapersOfAManagersCaseElsewhere(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	own := o.record("mary", Record{Form: "pp1", Case: sample(t, "07-level-3"), Outputs: []Output{{Format: render.FormatText}}})
	south := "South"
	o.must(o.ChangeUser(o.ctx, o.as("boss"), "mary", "", &south, nil, nil))
	out := o.record("petra", Record{Form: "pp1", Case: sample(t, "07-level-3"), Again: own.Ref, Why: "a test", Outputs: []Output{{Format: render.FormatText}}})
	p := o.papers("mary")
	if got := refs(p.Signing); len(got) != 1 || got[0] != out.Ref || len(p.ToSign) != 0 {
		t.Errorf("%v wait, and to be countersigned are %v", got, refs(p.ToSign))
	}
	if p, err := o.Papers(o.ctx, o.as("mary"), true); err != nil || len(p.ToSign) != 1 || len(p.Signing) != 0 {
		t.Errorf("with those of every team %v wait, and to be countersigned are %v: %v", refs(p.Signing), refs(p.ToSign), err)
	}
}

// A document that went to one of two offices is found behind a hundred that went to everybody, and until then it is said that not all were looked at.
func TestPapersPartlySentOfMany(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	_, _, _, err := o.PutRecipients(o.ctx, o.as("boss"), []store.Recipient{
		{Role: "public_protection_office", Organisation: "Protection Office", Channel: "email", Address: "ppo@council.example"},
		{Role: "housing_needs_team", Organisation: "Housing Needs", Channel: "email", Address: "housing@council.example"},
	})
	o.must(err)
	hand := func(ref caseforms.Ref, to string) {
		t.Helper()
		_, err := o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: ref, Channel: ByHand, To: to})
		o.must(err)
	}
	half := o.issues("petra", "pp3", "07-level-3", 1)
	hand(half.Ref, "Protection Office")
	for i := range partlyMost {
		hand(o.issues("petra", "cp1", "01-simple", 2+i).Ref, "Northtown MASH")
	}
	if p := o.papers("petra"); p.Unlooked != 1 || len(p.Partly) != 0 {
		t.Errorf("%d were not looked at, %v went to some", p.Unlooked, refs(p.Partly))
	}
	if p := o.papers("petra"); p.Unlooked != 0 || len(p.Partly) != 1 || p.Partly[0].Ref != half.Ref {
		t.Errorf("%d were not looked at, %v went to some", p.Unlooked, refs(p.Partly))
	}
}

// What went to everybody is to be sent again when a server reports afterwards that it did not arrive.
func TestPapersThatBounced(t *testing.T) {
	t.Parallel()
	o := hazard(t)
	i, n := o.sent("03-urgent")
	if p := o.papers("petra"); len(p.Partly) != 0 {
		t.Fatalf("%v went to some", refs(p.Partly))
	}
	o.comes(reports(n, "failed", ""))
	if p := o.papers("petra"); len(p.Partly) != 1 || p.Partly[0].Ref != i.Ref {
		t.Errorf("after it bounced %v went to some", refs(p.Partly))
	}
}

// To whom a document goes depends on whether somebody works in the Public Protection Office, so that it went to everybody is not said of both.
func TestPapersCompleteForWhom(t *testing.T) {
	t.Parallel()
	p := &Paper{Paper: store.Paper{Ref: "CF-1", Version: 1}}
	from := caseforms.Actor{Roles: []caseforms.Role{caseforms.RolePractitioner}}
	office := caseforms.Actor{Roles: []caseforms.Role{caseforms.RolePractitioner, caseforms.RoleOffice}}
	if completeKey(from, p) == completeKey(office, p) {
		t.Error("it went to everybody for both")
	}
}

// What was erased, or was closed to somebody, after the lists were read takes no page away: the one is said, the other is left out.
func TestPaperDetailsOfWhatChanged(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	gone, hidden, stays := o.issues("petra", "cp1", "01-simple", 1), o.issues("petra", "cp1", "01-simple", 2), o.issues("petra", "cp1", "01-simple", 3)
	p := o.papers("petra")
	o.must(o.Erase(o.ctx, o.as("boss"), "", gone.Ref, "a test"))
	o.must(o.Restrict(o.ctx, o.as("boss"), hidden.Case, []string{"sue"}, nil, "a test"))
	list, err := o.PaperDetails(o.ctx, o.as("petra"), p.ToSend)
	o.must(err)
	if len(list) != 2 || list[0].Ref != gone.Ref || list[0].Untold == "" || list[1].Ref != stays.Ref || list[1].Untold != "" || list[1].Card.Name == "" {
		t.Errorf("the list is %+v", list)
	}
}
