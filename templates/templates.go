// Package templates holds what the program says and asks, as data: the forms (one file a version), the words for the shared facts, the
// fixed words of documents, the settings and the areas that lay their own over them. Its Go reads those files strictly, so that a
// misspelt key in a form is an error with file and line and never a question that silently is not asked.
//
// A form is added or changed by editing its file; nothing here knows any particular form.
package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"caseforms"
)

//go:embed words.yaml settings.yaml facts.yaml bank-holidays.json duties.yaml recipients.yaml forms mail areas
var builtin embed.FS

// FS are the definitions that are built in.
func FS() fs.FS { return builtin }

// Areas are the built-in areas that may be named to [Load].
func Areas() []string {
	var names []string
	entries, _ := fs.ReadDir(builtin, "areas")
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Load reads the built-in definitions as they hold in an area; "" is everywhere else.
func Load(area string) (*caseforms.Definitions, error) { return LoadFS(builtin, area) }

// LoadFS reads definitions laid out as the built-in ones are. An area's forms replace the general ones whole; its words, settings and
// facts are merged by key. An [Invalid] error holds every problem found.
func LoadFS(files fs.FS, area string) (*caseforms.Definitions, error) {
	if area != "" && (strings.Contains(area, "/") || !fs.ValidPath("areas/"+area) || !exists(files, "areas/"+area)) {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no area of this name", Hint: "areas: " + strings.Join(Areas(), ", ")}
	}
	return load(files, area)
}

func load(files fs.FS, area string) (*caseforms.Definitions, error) {
	l := &loader{files: files, defs: &caseforms.Definitions{
		Area: area, Lang: "en", Facts: map[string]*caseforms.FactWords{}, Words: caseforms.Words{}, Settings: map[string]caseforms.Text{},
		Mail: map[string]*caseforms.MailWords{},
	}}
	l.layer(".")
	if area != "" {
		l.layer(path.Join("areas", area))
	}
	if t, ok := l.defs.Settings["language"]; ok {
		l.defs.Lang = t.En
	}
	if len(l.problems) == 0 {
		l.problems = append(l.problems, l.defs.Bind()...)
	}
	if len(l.problems) > 0 {
		return nil, &Invalid{l.problems}
	}
	l.hash()
	return l.defs, nil
}

// Invalid says that definitions cannot be used, and everything that is wrong with them.
type Invalid struct{ Problems []caseforms.Problem }

func (e *Invalid) Error() string {
	var lines []string
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return "the definitions cannot be used:\n" + strings.Join(lines, "\n")
}

func exists(files fs.FS, name string) bool {
	_, err := fs.Stat(files, name)
	return err == nil
}

type loader struct {
	files    fs.FS
	defs     *caseforms.Definitions
	sources  []source
	problems []caseforms.Problem
}

// source is a file that was read.
type source struct {
	caseforms.Source
	form string // whose it is; "" when every form uses it
	sum  [32]byte
}

// hash gives every form what it is made of, and the SHA-256 of that: its file, the files of the forms it takes sections from or looks at, of
// those that they need in turn, and the words, facts and settings, each by name and content. A change anywhere in them is seen; a change in
// another form is not.
func (l *loader) hash() {
	for _, f := range l.defs.Forms {
		uses := map[string]bool{"": true}
		l.needs(f, uses)
		h := sha256.New()
		for _, s := range l.sources {
			if uses[s.form] {
				fmt.Fprintf(h, "%s %x\n", s.Name, s.sum)
				f.Sources = append(f.Sources, s.Source)
			}
		}
		f.Hash = hex.EncodeToString(h.Sum(nil))
	}
}

// needs notes a form and the forms without which it cannot be read.
func (l *loader) needs(f *caseforms.Form, noted map[string]bool) {
	if noted[f.ID] {
		return
	}
	noted[f.ID] = true
	others := map[string]bool{}
	for _, s := range f.Sections {
		id, _, _ := strings.Cut(s.Takes, ".")
		others[id] = true
	}
	for p := range l.defs.Uses(f) {
		if rest, ok := strings.CutPrefix(p, "forms."); ok {
			id, _, _ := strings.Cut(rest, ".")
			others[id] = true
		}
	}
	for _, o := range l.defs.Forms {
		if others[o.ID] {
			l.needs(o, noted)
		}
	}
}

func (l *loader) layer(dir string) {
	l.read(path.Join(dir, "words.yaml"), "", &l.defs.Words)
	l.read(path.Join(dir, "settings.yaml"), "", &l.defs.Settings)
	var facts struct {
		Facts map[string]*caseforms.FactWords
		Rules []*caseforms.Rule
	}
	facts.Facts = l.defs.Facts
	l.read(path.Join(dir, "facts.yaml"), "", &facts)
	l.defs.Rules = append(l.defs.Rules, facts.Rules...)
	l.duties(path.Join(dir, "duties.yaml"))
	var recipients struct{ Roles []caseforms.RecipientRole }
	if l.read(path.Join(dir, "recipients.yaml"), notOfAForm, &recipients) {
		l.defs.Roles = append(l.defs.Roles, recipients.Roles...)
	}
	l.mail(path.Join(dir, "mail"))
	ids, err := fs.ReadDir(l.files, path.Join(dir, "forms"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.problems = append(l.problems, caseforms.Problem{Severity: caseforms.Blocking, File: dir, Msg: err.Error()})
	}
	for _, id := range ids {
		l.form(path.Join(dir, "forms", id.Name()), id.Name())
	}
}

// ofMessages is whose files the words of messages are: of no form, so that a change of them leaves the forms what they were.
const ofMessages = "mail"

// mail reads what messages say. An area's file has the texts that differ.
func (l *loader) mail(dir string) {
	files, err := fs.Glob(l.files, dir+"/*.yaml")
	if err != nil {
		l.problems = append(l.problems, caseforms.Problem{Severity: caseforms.Blocking, File: dir, Msg: err.Error()})
	}
	for _, file := range files {
		w := &caseforms.MailWords{}
		if !l.read(file, ofMessages, w) {
			continue
		}
		w.File = file
		id := strings.TrimSuffix(path.Base(file), ".yaml")
		if general := l.defs.Mail[id]; general != nil {
			merged := *general
			merged.Over(w)
			merged.File, merged.Line = w.File, w.Line
			w = &merged
		}
		l.defs.Mail[id] = w
	}
}

// form reads the newest version of a form: the last of its files by name.
func (l *loader) form(dir, id string) {
	versions, err := fs.Glob(l.files, dir+"/*.yaml")
	if err != nil || len(versions) == 0 {
		l.problems = append(l.problems, caseforms.Problem{Severity: caseforms.Blocking, File: dir, Msg: "there is no version of this form", Line: 1, Column: 1})
		return
	}
	sort.Strings(versions)
	file := versions[len(versions)-1]
	f := &caseforms.Form{}
	if !l.read(file, id, f) {
		return
	}
	f.File = file
	for _, c := range []struct{ key, got, want string }{
		{"form", f.ID, id}, {"version", f.Version, strings.TrimSuffix(path.Base(file), ".yaml")},
	} {
		if c.got != c.want {
			l.problems = append(l.problems, caseforms.Problem{Severity: caseforms.Blocking, File: file, Line: 1, Column: 1, Key: c.key,
				Msg: "must be " + c.want + ", as in the file's path"})
		}
	}
	for i, old := range l.defs.Forms {
		if old.ID == f.ID {
			f.Replaces = old
			l.defs.Forms[i] = f
			return
		}
	}
	l.defs.Forms = append(l.defs.Forms, f)
}

// read decodes one file, which belongs to a form or to all, into dst; a file that is not there changes nothing.
func (l *loader) read(name, form string, dst any) bool {
	data, err := fs.ReadFile(l.files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		l.problems = append(l.problems, caseforms.Problem{Severity: caseforms.Blocking, File: name, Msg: err.Error(), Line: 1, Column: 1})
		return false
	}
	l.sources = append(l.sources, source{caseforms.Source{Name: name, Data: data}, form, sha256.Sum256(data)})
	ps := decode(name, data, dst)
	l.problems = append(l.problems, ps...)
	return len(ps) == 0
}
