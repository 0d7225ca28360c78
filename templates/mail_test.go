package templates

import (
	"strings"
	"testing"
	"testing/fstest"

	"caseforms"
)

func TestMistakesInMailWordsAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, old, with, want string }{
		"unknown key":                 {"mail/check.yaml", "wanted:", "want:", "mail/check.yaml:6:1: want: there is no such key"},
		"unknown fact":                {"mail/default.yaml", "{mailbox}", "{mail}", "answer: the text has {mail}, which is neither a setting nor told here"},
		"a fact of the case":          {"mail/check.yaml", "{organisation}", "{person.family_name}", "opening: the text has {person.family_name}"},
		"a contact before it is open": {"mail/cp1.yaml", "{organisation}", "{contact}", "opening: the text has {contact}"},
		"a contact in the subject":    {"mail/default.yaml", "{name} {reference} (for information)", "{reference} {to}", "subject_no_answer: the text has {to}"},
		"no reference in the subject": {"mail/default.yaml", "{name} {reference} (response needed)", "{name}", "subject: the text must have {reference}"},
		"no marking in the subject":   {"mail/chase.yaml", `en: "{marking}: `, `en: "`, "subject: the text must have {marking}"},
		"no telephone":                {"mail/default.yaml", "telephone {contact} on {phone}.\"\n  cy: \"Os", "telephone {contact}.\"\n  cy: \"Os", "telephone: the text must have {phone}"},
		"no day, in Welsh":            {"mail/default.yaml", "Atebwch erbyn {day}.", "Atebwch.", "by: the text must have {day}"},
		"a fact of another paragraph": {"mail/check.yaml", "Please look in", "By {day}, look in", "wanted: the text has {day}"},
		"brace without a name":        {"mail/check.yaml", "Please look in", "Please {look in", "wanted: the text has a brace"},
		"line break":                  {"mail/check.yaml", "en: Please look in your records and fill in Part B of the attached form.", `en: "Please look\r\nBcc: x@y.com"`, "wanted: must be one paragraph"},
		"wording missing":             {"mail/default.yaml", "by_soon:", "# by_soon:", "mail/default.yaml:4:1: by_soon: this wording is needed"},
		"weekdays missing":            {"mail/default.yaml", "weekdays:", "# weekdays:", "weekdays: this wording is needed"},
		"six weekdays":                {"mail/default.yaml", "{en: Monday, cy: dydd Llun}, ", "", "weekdays: must be seven"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := LoadFS(files(t, c.file, c.old, c.with), "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("told\n%v\nwant in it\n%s", err, c.want)
			}
		})
	}
	fsys := files(t, "", "", "").(fstest.MapFS)
	fsys["mail/cp9.yaml"] = &fstest.MapFile{Data: []byte("name: something\n")}
	if _, err := LoadFS(fsys, ""); err == nil || !strings.Contains(err.Error(), "mail/cp9.yaml:1:1: cp9: there is no form of this name") {
		t.Error(err)
	}
}

// Every message has its words in both languages.
func TestMailWordsAreWelshToo(t *testing.T) {
	t.Parallel()
	d, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	text := func(v caseforms.Text) bool { return v.En != "" && v.Cy != "" && v.En != v.Cy }
	for _, f := range d.Forms {
		if d.Mail[f.ID] == nil {
			t.Errorf("%s has no name in messages", f.ID)
		}
		for _, kind := range []string{"", caseforms.MailChase, caseforms.MailCorrection} {
			w := d.MailFor(f.ID, kind)
			for i, v := range append([]caseforms.Text{w.Name, w.Subject, w.SubjectNoAnswer, w.Opening, w.Wanted, w.By, w.BySoon, w.Answer, w.NoAnswer, w.Reference, w.Attached, w.Sealed, w.Telephone, w.Notice}, w.Weekdays...) {
				if !text(v) {
					t.Errorf("%s %s: text %d is not there in both languages", f.ID, kind, i)
				}
			}
		}
	}
}

// What a form says is laid over what all say, an area's over both, and what a kind of message says over everything. The form itself does
// not change by it.
func TestMailWordsAreLaidOver(t *testing.T) {
	t.Parallel()
	fsys := files(t, "", "", "").(fstest.MapFS)
	fsys["areas/london/mail/default.yaml"] = &fstest.MapFile{Data: []byte("no_answer: {en: Area, cy: Ardal}\nwanted: Area default\n")}
	fsys["areas/london/mail/check.yaml"] = &fstest.MapFile{Data: []byte("opening: Area check\n")}
	d, err := LoadFS(fsys, "london")
	if err != nil {
		t.Fatal(err)
	}
	general, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	check, chase, cp1 := d.MailFor("check", ""), d.MailFor("check", caseforms.MailChase), general.MailFor("cp1", "")
	for got, want := range map[string]string{
		check.Opening.En: "Area check", check.Opening.Cy: "", check.NoAnswer.Cy: "Ardal", check.Name.En: "safeguarding check", chase.Name.En: "safeguarding check",
		check.Wanted.En: "Please look in your records and fill in Part B of the attached form.", cp1.NoAnswer.En: "This is for your information. You need not answer.",
		d.MailFor("pp2-summary", "").Wanted.En: "Area default",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if !strings.HasPrefix(chase.Opening.En, "On {sent}") {
		t.Errorf("a chase opens %q", chase.Opening.En)
	}
	if got := d.SayMail(caseforms.Text{En: "{organisation}: {name}, {else}"}, "en", map[string]string{"name": "x {organisation}"}); got != "London Community Rehabilitation Company: x {organisation}, {else}" {
		t.Errorf("said %q", got)
	}
	fsys = files(t, "mail/check.yaml", "Please look in", "Look in").(fstest.MapFS)
	d, err = LoadFS(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := general.Form("check")
	b, _ := d.Form("check")
	if a.Hash != b.Hash {
		t.Error("other words in a message make another form")
	}
}
