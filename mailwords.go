package caseforms

import (
	"maps"
	"slices"
	"strings"
)

// MailWords is what a message says that hands a form over, chases an answer or brings a correction: data, as the forms are. A paragraph is
// fixed words with {name} where a fact of the message goes, or a setting. No fact of a case is among those names, so that no wording
// can put one into a message.
type MailWords struct {
	Name            Text // what the form is called in a sentence and a subject: "safeguarding check"
	Subject         Text
	SubjectNoAnswer Text // of what needs no answer
	Opening         Text // what it is; mail programs show its beginning in the list of messages
	Wanted          Text // what the recipient is to do
	By              Text // until when
	BySoon          Text // where no day is set
	Answer          Text // how to answer
	NoAnswer        Text // in place of those four where no answer is needed
	Reference       Text
	Attached        Text
	Sealed          Text   // of a file that opens with a password only
	Telephone       Text   // whom to ring
	Notice          Text   // what the marking asks of whoever reads it
	Weekdays        []Text // from Monday
	File            string
	Line            int
}

// The messages that are not the first about a document have words of their own, which are laid over those of the form.
const (
	MailDefault    = "default"    // what no form says otherwise
	MailChase      = "chase"      // no answer came
	MailCorrection = "correction" // a later issue of a document that was sent before
)

// mailPart is a text of [MailWords]: its key in the file, which facts of the message may stand in it, and which must.
type mailPart struct {
	key       string
	text      *Text
	may, must string
}

// parts lists the texts. What shows before a message is opened, the subject and the opening, may name the form and the reference alone.
func (w *MailWords) parts() []mailPart {
	const everything = "marking name reference issue sent to mailbox contact phone files"
	return []mailPart{
		{"name", &w.Name, "", ""},
		{"subject", &w.Subject, "marking name reference issue", "marking reference"},
		{"subject_no_answer", &w.SubjectNoAnswer, "marking name reference issue", "marking reference"},
		{"opening", &w.Opening, "name reference issue sent", ""},
		{"wanted", &w.Wanted, everything, ""},
		{"by", &w.By, everything + " day", "day"},
		{"by_soon", &w.BySoon, everything, ""},
		{"answer", &w.Answer, everything, "mailbox"},
		{"no_answer", &w.NoAnswer, everything, ""},
		{"reference", &w.Reference, everything, "reference"},
		{"attached", &w.Attached, everything, "files"},
		{"sealed", &w.Sealed, everything, "phone"},
		{"telephone", &w.Telephone, everything, "phone"},
		{"notice", &w.Notice, everything, "marking"},
	}
}

// Over lays the texts that o has over those of w.
func (w *MailWords) Over(o *MailWords) {
	mine := w.parts()
	for i, p := range o.parts() {
		if !p.text.IsZero() {
			*mine[i].text = *p.text
		}
	}
	if len(o.Weekdays) > 0 {
		w.Weekdays = o.Weekdays
	}
}

// MailFor are the words of a message about a form: of its first one when kind is "", else of a [MailChase] or [MailCorrection].
func (d *Definitions) MailFor(form, kind string) *MailWords {
	w := &MailWords{}
	for _, k := range []string{MailDefault, form, kind} {
		if o := d.Mail[k]; o != nil {
			w.Over(o)
		}
	}
	return w
}

// bindMail checks the words of messages: that none is missing, and that only facts that are there stand in them.
func (d *Definitions) bindMail() (out []Problem) {
	if len(d.Mail) == 0 {
		return nil // the definitions of a single form, such as those of a bundle, send nothing
	}
	add := func(w *MailWords, key, msg, hint string) {
		out = append(out, Problem{Severity: Blocking, File: w.File, Line: w.Line, Column: 1, Key: key, Msg: msg, Hint: hint})
	}
	known := []string{MailDefault, MailChase, MailCorrection}
	for _, f := range d.Forms {
		known = append(known, f.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Mail)) {
		w := d.Mail[id]
		if !slices.Contains(known, id) {
			add(w, id, "there is no form of this name to send", "known: "+strings.Join(known, ", "))
		}
		for _, p := range w.parts() {
			for _, words := range []string{p.text.En, p.text.Cy} {
				if words == "" {
					continue
				}
				d.bindMailText(words, p, func(msg, hint string) { add(w, p.key, msg, hint) })
			}
		}
		if n := len(w.Weekdays); n != 0 && n != 7 {
			add(w, "weekdays", "must be seven, from Monday", "")
		}
	}
	standard := d.Mail[MailDefault]
	if standard == nil {
		standard = &MailWords{File: "mail/" + MailDefault + ".yaml", Line: 1}
	}
	for _, p := range standard.parts() {
		if p.text.En == "" {
			add(standard, p.key, "this wording is needed: the forms that do not say it themselves use it", "")
		}
	}
	if len(standard.Weekdays) == 0 {
		add(standard, "weekdays", "this wording is needed", "")
	}
	return out
}

func (d *Definitions) bindMailText(words string, p mailPart, add func(msg, hint string)) {
	if strings.ContainsAny(words, "\r\n\t") {
		add("must be one paragraph without line breaks", "")
	}
	may := strings.Fields(p.may)
	found := map[string]bool{}
	for _, m := range inBraces.FindAllString(words, -1) {
		name := m[1 : len(m)-1]
		found[name] = true
		if _, setting := d.Settings[name]; !setting && !slices.Contains(may, name) {
			add("the text has "+m+", which is neither a setting nor told here", "told here: "+strings.Join(may, ", "))
		}
	}
	if rest := inBraces.ReplaceAllString(words, ""); strings.ContainsAny(rest, "{}") {
		add("the text has a brace that belongs to no name", "")
	}
	for _, name := range strings.Fields(p.must) {
		if !found[name] {
			add("the text must have {"+name+"}", "")
		}
	}
}

// SayMail fills the facts of a message and the settings into a text, in lang.
func (d *Definitions) SayMail(t Text, lang string, facts map[string]string) string {
	return inBraces.ReplaceAllStringFunc(t.In(lang), func(m string) string {
		name := m[1 : len(m)-1]
		if v, ok := facts[name]; ok {
			return v
		}
		if v, ok := d.Settings[name]; ok {
			return v.In(lang)
		}
		return m
	})
}
