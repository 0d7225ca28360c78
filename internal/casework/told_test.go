package casework

import (
	"slices"
	"testing"
	"time"

	"caseforms"
)

// A manager knows what is overdue of their team and of teams that nobody leads, what cannot wait first; of another manager's team they are told nothing.
func TestTold(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	south, north := o.issues("sue", "cp1", "01-simple", 1), o.issues("petra", "cp1", "02-full", 2)
	o.clock = o.clock.Add(8 * 24 * time.Hour)
	urgent := o.issues("petra", "cp1", "03-urgent", 3)
	told := func(login string, most int) (refs []caseforms.Ref, n int) {
		t.Helper()
		list, n, err := o.Told(o.ctx, o.as(login), most)
		o.must(err)
		for _, d := range list {
			refs = append(refs, d.Ref)
		}
		return refs, n
	}
	refs, n := told("mary", 100)
	if n != len(refs) || refs[0] != urgent.Ref || !slices.Contains(refs, south.Ref) || !slices.Contains(refs, north.Ref) {
		t.Errorf("mary is told %v of %d, want %s first, and %s and %s", refs, n, urgent.Ref, south.Ref, north.Ref)
	}
	if first, all := told("mary", 1); len(first) != 1 || all != n || first[0] != urgent.Ref {
		t.Errorf("the beginning is %v of %d", first, all)
	}
	_, err := o.AddUser(o.ctx, o.as("boss"), "sam", "Sam South", "South", []caseforms.Role{caseforms.RoleManager})
	o.must(err)
	if refs, _ := told("mary", 100); slices.Contains(refs, south.Ref) || !slices.Contains(refs, north.Ref) {
		t.Errorf("mary is told %v although South has a manager", refs)
	}
	if refs, _ := told("sam", 100); !slices.Contains(refs, south.Ref) || slices.Contains(refs, north.Ref) {
		t.Errorf("sam is told %v", refs)
	}

	// A referral that was handed over and cannot wait is as urgent while nobody answers.
	_, err = o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: urgent.Ref, Channel: ByHand, To: "Northtown MASH", As: "front_door"})
	o.must(err)
	o.clock = o.clock.Add(14 * 24 * time.Hour)
	list, _, err := o.Told(o.ctx, o.as("mary"), 100)
	o.must(err)
	last := 0
	for i, d := range list {
		if d.Ref == urgent.Ref && d.Rule == "C06" && d.Urgent {
			last = i + 1
		}
	}
	if last == 0 || slices.ContainsFunc(list[:last], func(d Due) bool { return !d.Urgent }) {
		t.Errorf("the urgent referral that nobody answers is number %d", last)
	}
}

// What went to somebody whom it is not for is still to be sent; an office of the directory that it does not go to is refused by name as by number.
func TestHandedToSomebodyElse(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	d := o.issues("petra", "check", "01-simple", 1)
	toSend := func() bool {
		return slices.ContainsFunc(o.papers("petra").ToSend, func(p Paper) bool { return p.Ref == d.Ref })
	}
	hand := func(h HandOver) (*HandedOver, error) {
		h.Ref, h.Channel = d.Ref, ByTelephone
		return o.HandOver(o.ctx, o.as("petra"), h)
	}
	got, err := hand(HandOver{To: "Grandma", As: AsOther})
	o.must(err)
	if !toSend() || got.But == "" || len(got.Due) != 0 {
		t.Errorf("still to be sent: %v; %+v", toSend(), got)
	}
	o.lists("jobcentre_plus", "Jobcentre Northtown", "", "jc@council.example")
	if _, err := hand(HandOver{To: "jobcentre northtown"}); err == nil {
		t.Error("an office that a check does not go to is taken for one")
	}
	// An office that has two roles, one of which takes it, is one that it is for.
	o.lists("front_door", "Northtown Children", "", "a@council.example")
	o.lists("childrens_services", "Northtown Children", "", "b@council.example")
	if got, err = hand(HandOver{To: "Northtown Children"}); err != nil || got.But != "" || toSend() {
		t.Errorf("%+v, %v; still to be sent: %v", got, err, toSend())
	}
}
