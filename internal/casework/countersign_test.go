package casework

import (
	"errors"
	"strings"
	"testing"

	"caseforms"
	"caseforms/render"
)

// A manager who did not issue it endorses an issue or sends it back; what is said of one issue says nothing of the next, and it goes with the document.
func TestCountersign(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	d := o.record("petra", Record{Form: "pp1", Case: sample(t, "07-level-3"), Outputs: []Output{{Format: render.FormatText}}})
	kind := func(err error) caseforms.ErrorKind {
		var e *caseforms.Error
		errors.As(err, &e)
		if e == nil {
			return ""
		}
		return e.Kind
	}
	warned := func() bool {
		t.Helper()
		_, ps, err := o.Send(o.ctx, o.as("petra"), Send{Ref: d.Ref, To: []string{"desk@council.example"}, Confirm: "a test", Without: "a test", Dry: true})
		o.must(err)
		for _, p := range ps {
			if p.Key == countersignedBy && p.Severity == caseforms.Warning {
				return true
			}
		}
		return false
	}
	if !warned() {
		t.Error("sending it does not warn that nobody countersigned it")
	}
	if err := o.Countersign(o.ctx, o.as("petra"), d.Ref, 1, true, "", ""); kind(err) != caseforms.Forbidden {
		t.Errorf("a practitioner countersigned it: %v", err)
	}
	if err := o.Countersign(o.ctx, o.as("mary"), d.Ref, 1, false, " ", ""); kind(err) != caseforms.Invalid {
		t.Errorf("it was sent back without words: %v", err)
	}
	o.must(o.Countersign(o.ctx, o.as("mary"), d.Ref, 1, false, "the level is missing", ""))
	if !warned() {
		t.Error("sending what was sent back does not warn")
	}
	o.must(o.Countersign(o.ctx, o.as("mary"), d.Ref, 1, true, "", ""))
	if warned() {
		t.Error("sending it warns although it is countersigned")
	}
	shown, err := o.Show(o.ctx, o.as("petra"), d.Ref)
	o.must(err)
	var what []string
	for _, e := range shown.Events {
		what = append(what, e.What+" "+e.Detail["why"])
	}
	if got := strings.Join(what, "; "); !strings.Contains(got, "sent back by a manager the level is missing") || !strings.Contains(got, "countersigned") || !shown.Countersigning.Endorsed {
		t.Errorf("the timeline has %s", got)
	}
	own := o.record("mary", Record{Form: "pp1", Case: sample(t, "07-level-3"), Outputs: []Output{{Format: render.FormatText}}, Again: d.Ref, Why: "a test"})
	if own.Version != 2 || !warned() {
		t.Errorf("issue %d is countersigned because the one before was", own.Version)
	}
	if err := o.Countersign(o.ctx, o.as("mary"), d.Ref, 2, true, "", ""); kind(err) != caseforms.Forbidden {
		t.Errorf("somebody endorsed what they issued: %v", err)
	}
	simple := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}})
	if err := o.Countersign(o.ctx, o.as("mary"), simple.Ref, 1, true, "", ""); kind(err) != caseforms.Conflict {
		t.Errorf("a form that wants none was countersigned: %v", err)
	}
	o.must(o.Erase(o.ctx, o.as("boss"), "", d.Ref, "a test"))
	if c, err := o.store.Countersigned(o.ctx, d.Ref, 1); err != nil || c != nil {
		t.Errorf("it is left after the document was erased: %v %v", c, err)
	}
	o.intact()
}

// What another manager said meanwhile is not overwritten by one who has not seen it. Whoever says that they have seen it may say something else.
func TestCountersignedMeanwhile(t *testing.T) {
	t.Parallel()
	o, _ := posted(t)
	d := o.record("petra", Record{Form: "pp1", Case: sample(t, "07-level-3"), Outputs: []Output{{Format: render.FormatText}}})
	_, err := o.AddUser(o.ctx, o.as("boss"), "mia", "Mia Manager", "North", []caseforms.Role{caseforms.RoleManager})
	o.must(err)
	seen, err := o.Countersigning(o.ctx, o.as("mary"), d.Ref)
	o.must(err)
	o.must(o.Countersign(o.ctx, o.as("mary"), d.Ref, 1, false, "the level is missing", seen.Mark()))
	endorse := func(seen string) error { return o.Countersign(o.ctx, o.as("mia"), d.Ref, 1, true, "", seen) }
	var said *SaidMeanwhile
	if err := endorse(seen.Mark()); !errors.As(err, &said) || said.Now.Endorsed || said.Now.By != o.as("mary").ID || strings.Contains(err.Error(), "Mary") {
		t.Fatalf("what was sent back was endorsed by somebody who did not know: %v", err)
	}
	now, err := o.Countersigning(o.ctx, o.as("mia"), d.Ref)
	o.must(err)
	if now.Endorsed || now.Mark() == seen.Mark() {
		t.Errorf("it stands as %+v", now)
	}
	o.must(endorse(now.Mark()))
	if err := o.Countersign(o.ctx, o.as("mary"), d.Ref, 1, true, "", now.Mark()); !errors.As(err, &said) || !said.Now.Endorsed {
		t.Errorf("an old mark is taken: %v", err)
	}
	o.intact()
}
