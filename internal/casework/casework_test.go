package casework

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
	"caseforms/templates"
)

// office is a store with the people who work in it.
type office struct {
	*Desk
	t     testing.TB
	clock time.Time
	ctx   context.Context
	tick  time.Duration // by which the clock goes on whenever it is looked at
}

func newOffice(t testing.TB) *office {
	t.Helper()
	dir := t.TempDir()
	o := &office{t: t, clock: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), ctx: context.Background()}
	s, err := store.OpenOrCreate(o.ctx, store.Options{Dir: filepath.Join(dir, "data"), Keys: store.Keys{Config: filepath.Join(dir, "keys")}, Now: func() time.Time {
		if o.tick != 0 {
			o.clock = o.clock.Add(o.tick)
		}
		return o.clock
	}, Clock: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	o.Desk = New(s, templates.Load)
	boss, err := o.Actor(o.ctx, "boss", "Betty Boss")
	o.must(err)
	for _, p := range []struct{ login, name, team, roles string }{
		{"petra", "Petra Practitioner", "North", "practitioner"},
		{"paul", "Paul Practitioner", "North", "practitioner"},
		{"sue", "Sue South", "South", "practitioner"},
		{"mary", "Mary Manager", "North", "manager"},
		{"aud", "Audrey Auditor", "", "auditor"},
	} {
		roles, err := caseforms.ParseRoles(p.roles)
		o.must(err)
		_, err = o.AddUser(o.ctx, boss, p.login, p.name, p.team, roles)
		o.must(err)
	}
	return o
}

func (o *office) must(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// as is somebody of the office.
func (o *office) as(login string) caseforms.Actor {
	o.t.Helper()
	a, err := o.Actor(o.ctx, login, "")
	o.must(err)
	return a
}

func (o *office) record(login string, r Record) *Issued {
	o.t.Helper()
	r.Unasked = true // see TestReasons
	out, _, err := o.Record(o.ctx, o.as(login), r)
	var refused *Refused
	if errors.As(err, &refused) {
		o.t.Fatal(err, refused.Problems)
	}
	o.must(err)
	return out
}

// refused checks that an act failed for a reason of this kind, and that it says so.
func refused(t testing.TB, err error, kind caseforms.ErrorKind, words string) {
	t.Helper()
	var e *caseforms.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(err.Error()+" "+e.Hint, words) {
		t.Errorf("got %v, want %s about %q", err, kind, words)
	}
}

// acts are what the ledger says of something, oldest first.
func (o *office) acts(of any) (out []string) {
	o.t.Helper()
	rs, err := o.store.History(o.ctx, of)
	o.must(err)
	for _, r := range rs {
		out = append(out, r.What)
	}
	return out
}

// intact checks the whole store.
func (o *office) intact() {
	o.t.Helper()
	v, err := o.VerifyAll(o.ctx, o.as("aud"), "")
	o.must(err)
	if len(v.Problems) > 0 {
		o.t.Errorf("the store is not intact: %s", strings.Join(v.Problems, "; "))
	}
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../samples/cases/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with is a sample with one answer changed.
func with(t testing.TB, data []byte, value any, path ...string) []byte {
	t.Helper()
	var c map[string]any
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	m := c
	for _, k := range path[:len(path)-1] {
		m = m[k].(map[string]any)
	}
	m[path[len(path)-1]] = value
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecord(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	simple := sample(t, "01-simple")
	first := o.record("petra", Record{Form: "cp1", Case: simple, Outputs: []Output{{Format: render.FormatPDF}, {Format: render.FormatWorkbook}, {Format: render.FormatPDF, Profile: render.ProfileReply}}})
	if !first.NewCase || first.Version != 1 || len(first.Files) != 3 {
		t.Fatalf("%+v", first)
	}
	if _, ok := caseforms.ParseRef(string(first.Ref)); !ok {
		t.Error("reference", first.Ref)
	}
	// Another form of the same person belongs to the same case; nothing changed, so the record is kept once.
	check := o.record("paul", Record{Form: "check", Case: simple})
	if check.NewCase || check.Case != first.Case {
		t.Errorf("the same CRN makes another case: %s and %s", first.Case, check.Case)
	}
	// What was issued says under which reference.
	files, err := o.Open(o.ctx, o.as("petra"), first.Ref, 0)
	o.must(err)
	for i, f := range files {
		if !slices.ContainsFunc(first.Files, func(g IssuedFile) bool { return bytes.Equal(f.Data, g.Data) }) {
			t.Errorf("file %d is not what was issued", i)
		}
		v, err := o.VerifyFile(o.ctx, o.as("aud"), f.Data)
		o.must(err)
		if !v.Issued || v.Ref != first.Ref || v.Version != 1 || v.Latest != 1 || v.By != "Petra Practitioner" || !v.At.Equal(o.clock) {
			t.Errorf("verdict on file %d: %+v", i, v)
		}
	}
	var text bytes.Buffer
	if _, err := render.Write(&text, first.Document, render.FormatText, render.Options{}); err != nil || !strings.Contains(text.String(), "Reference: "+string(first.Ref)+"\n") {
		t.Error("the document does not bear its reference")
	}

	// A new version needs a reason, keeps the older one, and says which it is.
	changed := with(t, simple, "Another Name", "practitioner", "name")
	_, _, err = o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: changed, Again: first.Ref})
	refused(t, err, caseforms.Invalid, "needs a reason")
	_, _, err = o.Record(o.ctx, o.as("petra"), Record{Form: "check", Case: changed, Again: first.Ref, Why: "x"})
	refused(t, err, caseforms.Invalid, "same form and copy")
	o.clock = o.clock.Add(time.Hour)
	second := o.record("paul", Record{Form: "cp1", Case: changed, Again: first.Ref, Why: "wrong practitioner"})
	if second.Ref != first.Ref || second.Version != 2 || second.NewCase {
		t.Errorf("%+v", second)
	}
	text.Reset()
	if _, err := render.Write(&text, second.Document, render.FormatText, render.Options{}); err != nil || !strings.Contains(text.String(), string(first.Ref)+", issue 2\n") {
		t.Error("the second issue cannot be told from the first")
	}
	v, err := o.VerifyFile(o.ctx, o.as("sue"), first.Files[0].Data)
	o.must(err)
	if !v.Issued || v.Version != 1 || v.Latest != 2 || !v.LatestAt.Equal(o.clock) {
		t.Errorf("superseded: %+v", v)
	}
	old, err := o.Open(o.ctx, o.as("petra"), first.Ref, 1)
	o.must(err)
	if len(old) != 3 {
		t.Error("the older version is gone")
	}
	// A file that was changed is not what was issued; it is told whose reference it bears when that can be read.
	for i, f := range first.Files {
		forged := append(bytes.Clone(f.Data), '\n') // as a program might that saves it
		if v, err := o.VerifyFile(o.ctx, o.as("aud"), forged); err != nil || v.Issued || v.Mentions != first.Ref {
			t.Errorf("file %d, changed: %+v, %v", i, v, err)
		}
	}
	if v, err := o.VerifyFile(o.ctx, o.as("aud"), []byte("a letter that quotes "+first.Ref)); err != nil || v.Issued || v.Mentions != first.Ref {
		t.Errorf("%+v, %v", v, err)
	}
	if got := o.acts(first.Ref); !slices.Equal(got, []string{"document issued", "document opened", "document issued again", "document opened"}) {
		t.Errorf("%q", got)
	}
	o.intact()
}

func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	urgent := sample(t, "03-urgent")
	_, _, err := o.Record(o.ctx, o.as("petra"), Record{Form: "check", Case: urgent})
	var r *Refused
	if !errors.As(err, &r) || !caseforms.Blocks(r.Problems) {
		t.Errorf("a form that is not complete: %v", err)
	}
	for _, login := range []string{"aud"} {
		_, _, err := o.Record(o.ctx, o.as(login), Record{Form: "cp1", Case: urgent})
		refused(t, err, caseforms.Forbidden, "practitioner or manager")
	}
	if _, _, err := o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: []byte(`{"nothing":1}`)}); !errors.As(err, &r) {
		t.Errorf("an unknown key: %v", err)
	}
	out := o.record("petra", Record{Form: "cp1", Case: urgent}) // four answers are enough
	// Another person's record is not taken for this case.
	stranger := Record{Form: "cp1", Case: with(t, with(t, sample(t, "01-simple"), "Quite", "person", "given_names"), "Other", "person", "family_name"), CaseID: out.Case}
	_, _, err = o.Record(o.ctx, o.as("petra"), stranger)
	refused(t, err, caseforms.Conflict, "--same-person")
	stranger.SamePerson = true
	_, ps, err := o.Record(o.ctx, o.as("petra"), stranger)
	o.must(err)
	if !slices.ContainsFunc(ps, func(p caseforms.Problem) bool { return strings.Contains(p.Msg, "another name") }) {
		t.Error("a record of quite another name is not doubted")
	}
	_, _, err = o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: with(t, sample(t, "01-simple"), "X999999", "person", "crn"), CaseID: o.record("petra", Record{Form: "cp1", Case: sample(t, "02-full")}).Case})
	refused(t, err, caseforms.Conflict, "another CRN")
	// The same prison number under another CRN is another person, and said.
	out, ps, err = o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: with(t, sample(t, "01-simple"), "X999998", "person", "crn")})
	o.must(err)
	if !out.NewCase || !slices.ContainsFunc(ps, func(p caseforms.Problem) bool { return strings.Contains(p.Msg, "another CRN") }) {
		t.Errorf("%+v, %v", out.NewCase, ps)
	}
	o.intact()
}

// An older file in somebody's hand takes nothing away unnoticed, and nobody is lost who was named before.
func TestOlderRecord(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	simple := sample(t, "01-simple")
	var thin map[string]any
	o.must(json.Unmarshal(simple, &thin))
	thin["children"] = thin["children"].([]any)[:1]
	less, err := json.Marshal(thin)
	o.must(err)
	first := o.record("petra", Record{Form: "cp1", Case: simple})
	_, ps, err := o.Record(o.ctx, o.as("paul"), Record{Form: "cp1", Case: less})
	o.must(err)
	if !slices.ContainsFunc(ps, func(p caseforms.Problem) bool {
		return strings.Contains(p.Msg, "lacks") && strings.Contains(p.Msg, "last changed at") && !strings.Contains(p.Msg, "Petra")
	}) {
		t.Error("answers are gone and nobody was told")
	}
	if found, _, err := o.Find(o.ctx, o.as("paul"), "Ben Placeholder"); err != nil || len(found) != 1 {
		t.Errorf("a child that an issued document names is not found: %v, %v", found, err)
	}
	// The same again at once is told.
	_, ps, err = o.Record(o.ctx, o.as("paul"), Record{Form: "cp1", Case: less})
	o.must(err)
	if !slices.ContainsFunc(ps, func(p caseforms.Problem) bool { return strings.Contains(p.Msg, "already; now there are two") }) {
		t.Error("the same recorded twice is not told")
	}
	// Two corrections of one issue: the second sees that there is another.
	again := func(login, name string, base int) error {
		_, _, err := o.Record(o.ctx, o.as(login), Record{Form: "cp1", Case: with(t, simple, name, "practitioner", "name"), Again: first.Ref, Why: "name", Base: base})
		return err
	}
	o.must(again("petra", "One", 1))
	refused(t, again("paul", "Two", 1), caseforms.Conflict, "as issue 2, which you have not seen")
	o.must(again("paul", "Two", 2))
	// Somebody of the same name and date of birth without numbers may be the same person.
	var bare map[string]any
	o.must(json.Unmarshal(simple, &bare))
	for _, k := range []string{"crn", "prison_number", "pnc", "cro"} {
		delete(bare["person"].(map[string]any), k)
	}
	unknown, err := json.Marshal(bare)
	o.must(err)
	out, ps, err := o.Record(o.ctx, o.as("paul"), Record{Form: "cp1", Case: unknown, Unasked: true})
	o.must(err)
	if !out.NewCase || !slices.ContainsFunc(ps, func(p caseforms.Problem) bool {
		return strings.Contains(p.Msg, string(first.Case)) && strings.Contains(p.Msg, "same name and date of birth")
	}) {
		t.Error("a second case of the same person is not told")
	}
	o.intact()
}

// People write dates and numbers in many ways.
func TestFindAsPeopleType(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	out := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple")})
	for _, q := range []string{"sampleson 27/03/88", "Sampleson 27.3.1988", "27-03-1988 alex", "alex sampleson 27 March 1988", "dob 27/3/1988", "born 27th mar 1988", "crn X000001", "x 000001", "99/1234567B",
		"1999/1234567b", "a0001aa", strings.ToLower(string(out.Ref)), "LEX"} {
		if found, _, err := o.Find(o.ctx, o.as("paul"), q); err != nil || len(found) != 1 || found[0].Case != out.Case || found[0].Named {
			t.Errorf("%q finds %v, %v", q, found, err)
		}
	}
	_, _, err := o.Find(o.ctx, o.as("paul"), "CF-1FTQ-WSV7")
	refused(t, err, caseforms.Invalid, "a letter in it is wrong")
	_, _, err = o.Find(o.ctx, o.as("paul"), strings.Repeat("word ", 100))
	refused(t, err, caseforms.Invalid, "too many words")
}

// Several people record forms of a person whom nobody knew, at the same moment: there is one case in the end, and every document is its.
func TestOneCaseForOnePerson(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	a := o.as("petra")
	var all sync.WaitGroup
	cases, fresh := make([]caseforms.CaseID, 8), make([]bool, 8)
	for i := range cases {
		all.Go(func() {
			out, _, err := o.Record(o.ctx, a, Record{Form: []string{"cp1", "check"}[i%2], Case: sample(t, "01-simple"), Outputs: []Output{{Format: render.FormatText}}})
			if err != nil {
				t.Error(err)
				return
			}
			cases[i], fresh[i] = out.Case, out.NewCase
		})
	}
	all.Wait()
	made := 0
	for i := range cases {
		if cases[i] != cases[0] {
			t.Errorf("cases %s and %s", cases[0], cases[i])
		}
		if fresh[i] {
			made++
		}
	}
	if refs, err := o.store.DocumentsOf(o.ctx, cases[0]); err != nil || len(refs) != len(cases) || made != 1 {
		t.Errorf("%d documents, %d times made, %v", len(refs), made, err)
	}
	o.intact()
}

// Two people on one referral: neither loses what they wrote, and the second sees both.
func TestDraftConflict(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	base := sample(t, "01-simple")
	d, err := o.SaveDraft(o.ctx, o.as("petra"), SaveDraft{Form: "cp1", Content: base})
	o.must(err)
	theirs := with(t, base, "Theirs", "practitioner", "name")
	saved, err := o.SaveDraft(o.ctx, o.as("petra"), SaveDraft{ID: d.ID, Base: d.Version, Content: theirs})
	o.must(err)
	yours := with(t, base, "Yours", "practitioner", "name")
	_, err = o.SaveDraft(o.ctx, o.as("paul"), SaveDraft{ID: d.ID, Base: d.Version, Content: yours})
	var c *DraftConflict
	if !errors.As(err, &c) {
		t.Fatalf("the second edit went through: %v", err)
	}
	if !bytes.Equal(c.Theirs.Content, theirs) || !bytes.Equal(c.Yours, yours) || c.Theirs.ChangedByName != "Petra Practitioner" {
		t.Error("the conflict does not show both")
	}
	if len(c.Differences) != 1 || c.Differences[0].Key != "practitioner.name" || c.Differences[0].Theirs != "Theirs" || c.Differences[0].Yours != "Yours" || c.Differences[0].Label == "" {
		t.Errorf("%+v", c.Differences)
	}
	if strings.Contains(err.Error(), "Yours") || strings.Contains(err.Error(), "Theirs") {
		t.Error("the message holds what was written")
	}
	now, err := o.Draft(o.ctx, o.as("paul"), d.ID)
	o.must(err)
	if !bytes.Equal(now.Content, theirs) {
		t.Error("an edit was lost")
	}
	// At the same moment, many times over: of two only one wins.
	for range 20 {
		results := make(chan error, 2)
		at := now.Version
		for _, who := range []string{"petra", "paul"} {
			a := o.as(who)
			go func() {
				_, err := o.SaveDraft(o.ctx, a, SaveDraft{ID: d.ID, Base: at, Content: with(t, base, who+time.Now().String(), "practitioner", "name")})
				results <- err
			}()
		}
		won := 0
		for range 2 {
			switch err := <-results; {
			case err == nil:
				won++
			case !errors.As(err, &c):
				t.Fatal(err)
			}
		}
		if won != 1 {
			t.Fatalf("%d of two edits of one version were saved", won)
		}
		now, err = o.Draft(o.ctx, o.as("paul"), d.ID)
		o.must(err)
		if now.Version != at+1 {
			t.Fatal("versions", at, now.Version)
		}
	}
	// Another team's draft is refused, and that somebody asked is remembered.
	_, err = o.Draft(o.ctx, o.as("sue"), d.ID)
	refused(t, err, caseforms.Forbidden, "another team")
	if ds, err := o.Drafts(o.ctx, o.as("sue")); err != nil || len(ds) != 0 {
		t.Errorf("%v, %v", ds, err)
	}
	// Anything that can be read may be saved; what cannot be read is refused with every problem.
	_, err = o.SaveDraft(o.ctx, o.as("petra"), SaveDraft{Form: "cp1", Content: []byte(`{}`)})
	o.must(err)
	var r *Refused
	if _, err = o.SaveDraft(o.ctx, o.as("petra"), SaveDraft{Form: "cp1", Content: []byte(`{"persn":{}}`)}); !errors.As(err, &r) {
		t.Errorf("%v", err)
	}
	// Issued from, it goes; a draft that changed meanwhile is not issued from.
	_, _, err = o.Record(o.ctx, o.as("petra"), Record{Draft: d.ID, Base: saved.Version})
	refused(t, err, caseforms.Conflict, "somebody else")
	out := o.record("petra", Record{Draft: d.ID, Base: now.Version})
	if _, err := o.Draft(o.ctx, o.as("petra"), d.ID); err == nil {
		t.Error("the draft is still there")
	}
	if out.Document.Form != "cp1" {
		t.Error(out.Document.Form)
	}
	o.intact()
}

// A restricted case is refused in words, and the attempt is in the ledger.
func TestRestricted(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	out := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple")})
	_, err := o.Show(o.ctx, o.as("sue"), out.Ref)
	o.must(err)
	refused(t, o.Restrict(o.ctx, o.as("petra"), out.Case, []string{"petra"}, nil, "relative of staff"), caseforms.Forbidden, "manager or admin")
	refused(t, o.Restrict(o.ctx, o.as("mary"), out.Case, []string{"petra"}, nil, ""), caseforms.Invalid, "reason")
	refused(t, o.Restrict(o.ctx, o.as("mary"), out.Case, []string{"nobody"}, nil, "x"), caseforms.NotFound, "login")
	refused(t, o.Restrict(o.ctx, o.as("mary"), out.Case, nil, []string{"East"}, "x"), caseforms.NotFound, "team")
	o.must(o.Restrict(o.ctx, o.as("mary"), out.Case, []string{"petra"}, []string{"south"}, "relative of staff"))
	for login, may := range map[string]bool{"petra": true, "paul": false, "sue": true, "mary": false} {
		a := o.as(login)
		want := func(what string, err error) {
			t.Helper()
			if may && err != nil {
				t.Errorf("%s, %s: %v", login, what, err)
			}
			if !may {
				refused(t, err, caseforms.Forbidden, "restricted")
			}
		}
		before := len(o.acts(out.Case))
		_, err := o.Show(o.ctx, a, out.Ref)
		want("show", err)
		if acts := o.acts(out.Case); len(acts) != before+1 || (acts[len(acts)-1] == "refused") == may {
			t.Errorf("%s: the ledger says %q", login, acts[before:])
		}
		_, err = o.Open(o.ctx, a, out.Ref, 0)
		want("open", err)
		_, _, err = o.Record(o.ctx, a, Record{Form: "check", Case: sample(t, "01-simple")})
		want("record", err)
		_, err = o.SaveDraft(o.ctx, a, SaveDraft{Form: "cp1", Case: out.Case, Content: []byte(`{}`)})
		want("draft", err)
		// By a name nobody is told who may not see the case; by a number they are told that there is one.
		for query, exact := range map[string]bool{"Placeholder": false, "Sampleson 27/3/1988": false, "x000001": true, string(out.Ref): true} {
			before := len(o.acts(out.Case))
			found, _, err := o.Find(o.ctx, a, query)
			o.must(err)
			if want := may || exact; want != (len(found) == 1) || want && (found[0].Restricted == may || (found[0].Card.Name != "") != may) {
				t.Errorf("%s finds %+v by %s", login, found, query)
			}
			if len(o.acts(out.Case)) != before+1 {
				t.Errorf("that %s looked is not in the ledger", login)
			}
		}
		if ds, err := o.Drafts(o.ctx, a); err != nil || (len(ds) > 0) && !may {
			t.Errorf("%s sees drafts %v, %v", login, ds, err)
		}
	}
	err = o.Export(o.ctx, o.as("mary"), []Subject{{Case: out.Case}}, func(Exported) error { return nil })
	refused(t, err, caseforms.Forbidden, "restricted")
	o.must(o.Restrict(o.ctx, o.as("boss"), out.Case, nil, nil, "over"))
	_, err = o.Show(o.ctx, o.as("paul"), out.Ref)
	o.must(err)
	o.intact()
}

func TestFind(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ids := map[caseforms.CaseID]string{}
	for _, s := range []string{"01-simple", "02-full", "04-many-children", "05-welsh-polish-names", "07-level-3"} {
		out, _, err := o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: sample(t, s)})
		var r *Refused
		if errors.As(err, &r) {
			continue
		}
		o.must(err)
		ids[out.Case] = s
	}
	for id, s := range ids {
		d, err := templates.Load("")
		o.must(err)
		c, _ := d.Decode(sample(t, s), nil)
		card := cardOf(c)
		for _, q := range []string{card.Name, strings.ToUpper(card.Name), card.DOB, card.CRN, strings.ToLower(card.CRN), string(id), card.PNC, card.PrisonNumber,
			strings.Join(words(card.Name), " "), known(&c.Children.Items[0].Name)} {
			if q == "" {
				continue
			}
			found, _, err := o.Find(o.ctx, o.as("paul"), q)
			o.must(err)
			if !slices.ContainsFunc(found, func(f Found) bool { return f.Case == id }) {
				t.Errorf("%s is not found by one of its own facts (%d letters)", s, len(q))
			}
		}
		// The words must fit one person, not the person and a child together.
		if child := words(known(&c.Children.Items[0].Name)); !slices.Contains(words(card.Name), child[0]) {
			found, _, err := o.Find(o.ctx, o.as("paul"), child[0]+" "+card.CRN)
			o.must(err)
			if len(found) > 0 {
				t.Errorf("%s is found by a child's name and the person's number", s)
			}
		}
	}
	if found, _, err := o.Find(o.ctx, o.as("paul"), "Nosuchname"); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	// An auditor is told that there is a case, not of whom.
	found, _, err := o.Find(o.ctx, o.as("aud"), "Placeholder")
	o.must(err)
	for _, f := range found {
		if !f.Restricted || f.Card != (Card{}) {
			t.Errorf("the auditor sees %+v", f)
		}
	}
}

// What is held about somebody, with what is about others apart.
func TestExport(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	full := o.record("petra", Record{Form: "pp1", Case: sample(t, "02-full"), Outputs: []Output{{Format: render.FormatPDF}, {Format: render.FormatWorkbook}}})
	again := o.record("paul", Record{Form: "pp1", Case: sample(t, "02-full"), Again: full.Ref, Why: "a reason to be told"})
	draft, err := o.SaveDraft(o.ctx, o.as("petra"), SaveDraft{Form: "cp1", Case: full.Case, Content: sample(t, "02-full")})
	o.must(err)
	kept, _, err := o.store.Draft(o.ctx, draft.ID)
	o.must(err)
	o.must(o.store.SaveReasons(o.ctx, kept, []byte(`["why she goes on"]`), store.Entry{What: "reasons given in a draft", Actor: o.as("petra").ID, Case: full.Case}))
	err = o.Export(o.ctx, o.as("petra"), []Subject{{Case: full.Case}}, func(Exported) error { return nil })
	refused(t, err, caseforms.Forbidden, "manager or admin")
	export := func(s Subject) map[string][]byte {
		files := map[string][]byte{}
		o.must(o.Export(o.ctx, o.as("mary"), []Subject{s}, func(e Exported) error {
			if files[e.Name] != nil {
				t.Error("two files are called", e.Name)
			}
			files[e.Name] = e.Data
			return nil
		}))
		return files
	}
	files := export(Subject{Case: full.Case})
	ref, id := string(full.Ref), string(full.Case)
	for _, name := range []string{"READ-THIS-FIRST.txt", "own/" + id + ".pdf", "own/" + id + ".txt", "own/" + ref + ".pdf", "apart/" + id + ".pdf", "apart/" + id + ".txt", "apart/" + id + ".json",
		"apart/" + ref + "-issue-1.pdf", "apart/" + ref + "-issue-1.xlsx", "apart/" + ref + "-issue-2.pdf"} {
		if len(files[name]) == 0 {
			t.Errorf("%s is missing", name)
		}
		delete(files, name)
	}
	reasons := "apart/" + string(draft.ID) + ".reasons.json"
	if !strings.Contains(string(files[reasons]), "why she goes on") {
		t.Error("the reasons given in the draft are missing")
	}
	delete(files, reasons)
	if len(files) != 1 || !strings.HasPrefix(slices.Collect(maps.Keys(files))[0], "apart/DR-") {
		t.Errorf("beside what was expected there is more or less than the draft: %d files", len(files))
	}
	files = export(Subject{Case: full.Case})
	if !bytes.Equal(files["apart/"+ref+"-issue-2.pdf"], again.Files[0].Data) || bytes.Equal(files["own/"+ref+".pdf"], again.Files[0].Data) {
		t.Error("what was sent must be apart, and another copy must be the person's")
	}
	own := string(files["own/"+id+".txt"])
	for _, want := range []string{"CRN: X000002", ref, "Petra Practitioner", "Paul Practitioner", "document issued again", "everything held exported"} {
		if !strings.Contains(own, want) {
			t.Errorf("what is held does not say %q", want)
		}
	}
	if why := "a reason to be told"; strings.Contains(own, why) || !strings.Contains(string(files["apart/"+id+".txt"]), why) {
		t.Error("a reason, which may tell of others, is not apart")
	}
	if first := known(&caseOfSample(t, "02-full").Children.Items[0].Name); strings.Contains(own, "Name: "+first) || !strings.Contains(string(files["apart/"+id+".txt"]), "Name: "+first) {
		t.Error("a child is not kept apart")
	}
	// Of somebody who is only named in the case, everything is apart.
	for name := range export(Subject{Case: full.Case, Named: true}) {
		if strings.HasPrefix(name, "own/") {
			t.Errorf("%s, of the case of somebody else", name)
		}
	}
	if acts := o.acts(full.Case); acts[len(acts)-1] != "everything held exported" {
		t.Errorf("the ledger says %q", acts[len(acts)-1])
	}
	o.intact()
}

func caseOfSample(t testing.TB, name string) *caseforms.Case {
	t.Helper()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := d.Decode(sample(t, name), nil)
	return c
}

func TestErase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	cp1 := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple")})
	check := o.record("petra", Record{Form: "check", Case: sample(t, "01-simple")})
	boss := o.as("boss")
	refused(t, o.Erase(o.ctx, o.as("mary"), cp1.Case, "", "x"), caseforms.Forbidden, "admin")
	refused(t, o.Erase(o.ctx, boss, cp1.Case, "", " "), caseforms.Invalid, "reason")
	_, err := o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: cp1.Ref, Channel: ByPost, To: "a place to be forgotten"})
	o.must(err)
	_, err = o.Answer(o.ctx, o.as("petra"), Answer{Ref: cp1.Ref, Kind: "assessment", From: "somebody to be forgotten"})
	o.must(err)
	// One document goes; the record that it shares with the other stays. What somebody sent in vain may be about it.
	petra := o.as("petra")
	forgets := func(erase error) {
		t.Helper()
		o.must(erase)
		if b, _, err := o.KeptForm(o.ctx, petra); err != nil || b != nil {
			t.Errorf("what was sent in vain is left: %q, %v", b, err)
		}
		o.must(o.KeepForm(o.ctx, petra.ID, []byte("about somebody to be forgotten")))
	}
	o.must(o.KeepForm(o.ctx, petra.ID, []byte("about somebody to be forgotten")))
	forgets(o.Erase(o.ctx, boss, "", cp1.Ref, "sent in error"))
	_, err = o.Open(o.ctx, o.as("petra"), cp1.Ref, 0)
	refused(t, err, caseforms.NotFound, "erased")
	shown, err := o.Show(o.ctx, o.as("petra"), cp1.Ref)
	o.must(err)
	if text := fmt.Sprintf("%+v", shown); strings.Contains(text, "forgotten") || len(shown.HandOffs) != 1 {
		t.Error("what was written down about a hand-off is still there")
	}
	if files, err := o.Open(o.ctx, o.as("petra"), check.Ref, 0); err != nil || !bytes.Equal(files[0].Data, check.Files[0].Data) {
		t.Errorf("the other document: %v", err)
	}
	if v, err := o.VerifyFile(o.ctx, o.as("aud"), cp1.Files[0].Data); err != nil || v.Issued || v.Mentions != cp1.Ref || v.Erased.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := o.VerifyRef(o.ctx, o.as("aud"), cp1.Ref); err != nil || !v.Issued || v.Erased.IsZero() {
		t.Errorf("the history of what was erased: %+v, %v", v, err)
	}
	_, _, err = o.Record(o.ctx, o.as("petra"), Record{Form: "cp1", Case: sample(t, "01-simple"), Again: cp1.Ref, Why: "x"})
	refused(t, err, caseforms.NotFound, "erased")
	o.intact()
	// A hold stands against it, and so does what is still on its way.
	o.must(o.Hold(o.ctx, o.as("mary"), check.Case, true, "inquiry"))
	refused(t, o.Erase(o.ctx, boss, check.Case, "", "six years"), caseforms.Held, "hold")
	refused(t, o.Erase(o.ctx, boss, "", check.Ref, "six years"), caseforms.Held, "hold")
	o.must(o.Hold(o.ctx, boss, check.Case, false, "over"))
	sent := o.record("petra", Record{Form: "pp1", Case: sample(t, "01-simple"), Send: []store.NewItem{{Kind: "mail", Dedupe: "one", Payload: []byte("to somebody")}}})
	refused(t, o.Erase(o.ctx, boss, check.Case, "", "six years"), caseforms.Held, "on its way")
	refused(t, o.Erase(o.ctx, boss, "", sent.Ref, "six years"), caseforms.Held, "on its way")
	o.deliver(then("250 ok", nil), 1)
	forgets(o.Erase(o.ctx, boss, check.Case, "", "six years"))
	refused(t, o.Erase(o.ctx, boss, check.Case, "", "six years"), caseforms.NotFound, "already")
	if found, _, err := o.Find(o.ctx, o.as("petra"), "Sampleson"); err != nil || len(found) > 0 {
		t.Errorf("an erased case is found: %v, %v", found, err)
	}
	events, err := o.store.History(o.ctx, check.Case)
	o.must(err)
	for i, e := range events {
		if last := i == len(events)-1; last != (e.Detail["why"] == "six years") || !last && e.Detail != nil {
			t.Errorf("%s: what is left of its detail is %d words", e.What, len(e.Detail))
		}
	}
	// The same person comes again later: a new case.
	if out := o.record("petra", Record{Form: "cp1", Case: sample(t, "01-simple")}); !out.NewCase || out.Case == check.Case {
		t.Error("an erased case came back")
	}
	o.intact()
}

func TestUsers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	no := false
	boss := o.as("boss")
	if !boss.Is(caseforms.RoleAdmin) || !boss.Is(caseforms.RolePractitioner) {
		t.Error("the first user is not an admin")
	}
	_, err := o.Actor(o.ctx, "stranger", "A Stranger")
	refused(t, err, caseforms.Forbidden, "not among the people")
	_, err = o.AddUser(o.ctx, o.as("mary"), "x", "X", "", []caseforms.Role{caseforms.RoleAdmin})
	refused(t, err, caseforms.Forbidden, "admin")
	_, err = o.AddUser(o.ctx, boss, "PETRA", "X", "", []caseforms.Role{caseforms.RoleAdmin})
	refused(t, err, caseforms.Conflict, "login")
	refused(t, o.ChangeUser(o.ctx, boss, "boss", "", nil, nil, &no), caseforms.Invalid, "nobody would be left")
	refused(t, o.ChangeUser(o.ctx, boss, "boss", "", nil, []caseforms.Role{caseforms.RolePractitioner}, nil), caseforms.Invalid, "nobody would be left")
	o.must(o.ChangeUser(o.ctx, boss, "paul", "", nil, nil, &no))
	_, err = o.Actor(o.ctx, "paul", "")
	refused(t, err, caseforms.Forbidden, "closed")
	// Opened again, an account has no keys of before.
	yes := true
	o.must(o.ChangeUser(o.ctx, boss, "paul", "", nil, nil, &yes))
	secret, _, err := o.MakeKey(o.ctx, o.as("paul"), MakeKey{Login: "paul", Scopes: []string{string(ScopeForms)}})
	o.must(err)
	other, _, err := o.MakeKey(o.ctx, o.as("petra"), MakeKey{Login: "petra", Scopes: []string{string(ScopeForms)}})
	o.must(err)
	holds := func(key string) bool {
		_, _, found, err := o.Bearer(o.ctx, key)
		o.must(err)
		return found
	}
	if !holds(secret) {
		t.Fatal("a new key does not work")
	}
	o.must(o.ChangeUser(o.ctx, boss, "paul", "", nil, nil, &no))
	o.must(o.ChangeUser(o.ctx, boss, "paul", "", nil, nil, &yes))
	if holds(secret) || !holds(other) {
		t.Error("a key of before works again, or somebody else's does not any more")
	}
	o.intact()
}
