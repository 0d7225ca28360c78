package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
)

// place is a page of a draft on which something is typed: a topic, or an item of a list.
type place struct {
	topic *caseforms.Topic
	list  *caseforms.AskedList // nil: the topic itself
	item  int                  // its place in the list; the number of items of a new one
	fresh bool                 // it is not there yet
	path  string               // of this page
}

// prefix stands before the paths of the page's facts.
func (p *place) prefix() string {
	if p.list == nil {
		return ""
	}
	return fmt.Sprintf("%s[%d].", p.list.Path, p.item)
}

func (p *place) questions() []caseforms.Asking {
	if p.list == nil {
		return p.topic.Questions
	}
	return p.list.Questions
}

var errPlace = &caseforms.Error{Kind: caseforms.NotFound, Msg: "this form has no such part", Hint: "go back to the draft and choose a part there"}

// place is the one in the address.
func (x *filling) place(r *Request) (*place, error) {
	p := &place{topic: x.asked.Topic(r.Var("topic"))}
	if p.topic == nil {
		return nil, errPlace
	}
	p.path = x.partOf(p.topic.Key)
	name := r.Var("list")
	if name == "" {
		return p, nil
	}
	here := slices.ContainsFunc(p.topic.Questions, func(q caseforms.Asking) bool { return slices.Contains(q.Lists, name) })
	if p.list = x.asked.List(name); p.list == nil || !here {
		return nil, errPlace
	}
	n := x.edit.Items(name)
	p.path += "/" + name + "/" + r.Var("item")
	if r.Var("item") == "new" {
		p.item, p.fresh = n, true
		return p, nil
	}
	if p.item, _ = strconv.Atoi(r.Var("item")); p.item >= n {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "this entry is not there any more", Hint: "somebody may have taken it out; go back to the draft and look"}
	}
	return p, nil
}

// fieldOf is the id of the field of an item in which a key is answered.
func fieldOf(l *caseforms.AskedList, key string) string {
	for i := range l.Questions {
		for _, f := range l.Questions[i].Facts {
			if f.Path == key || strings.HasPrefix(f.Path, key+".") || strings.HasPrefix(key, f.Path+"[") {
				return f.Path
			}
		}
	}
	return ""
}

// field is one fact as it is typed.
type field struct {
	ID, Label, Hint, Problem string
	Sort                     string // text, area, radios, select, checks, date, partial, datetime, none
	Value                    string
	Day, Month, Year         string
	Words, Time              string
	Options                  []Option
	States                   []Option
	State, Why               string
	Was                      string // a mark of what was shown, so that what was typed can be told from it
	Mode, Width, Auto        string
	Lines                    int
	Alone                    bool // its label is the question
}

// Described are the ids of what describes the field.
func (f field) Described() string { return described(f.ID, f.Hint, f.Problem) }

// OptionID is the id of an option; the first has that of the field.
func (f field) OptionID(i int) string { return Choice{ID: f.ID}.OptionID(i) }

// questionView is a question with its fields.
type questionView struct {
	Key, Label, Hint string
	Only             string // when it arises, in words
	Stray            bool   // it is answered although it does not arise
	Fields           []field
	Lists            []listView
	Group            bool // several fields under one heading
}

type listView struct {
	ID, Title, Item string
	Items           []listItem
	Add             string
	None            *field // why there are none
}

type listItem struct {
	Number int
	Text   string
	Path   string // of its page, below the topic's
}

type partData struct {
	*filling
	Place     string // where the page is sent to
	Heading   string
	Intro     string
	Item      bool
	Fresh     bool
	Base      int
	Count     string // of items, as it was shown
	Questions []questionView
	Hidden    int // questions that do not arise
	Look      []problemLine
	Back      string
	From      string // the page to which the way back leads
	Remove    string
	Print     string // of the part
	Conflict  *conflictView
}

type conflictView struct {
	By, At      string
	Differences []differenceRow
	Moved       bool // the entries of the list are not the same any more
}

type differenceRow struct{ Label, Theirs, Yours string }

// mark is a short mark of some words, by which they can be known again.
func mark(words ...string) string {
	h := sha256.New()
	for _, w := range words {
		fmt.Fprintf(h, "%d %s", len(w), w)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}

// plain is what was typed, as it is compared and kept.
func plain(s string) string {
	return strings.TrimSpace(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s))
}

// The fields of a date, and of others that have several, by what stands behind the id.
var suffixes = []string{"", "-day", "-month", "-year", "-words", "-time"}

// typed is what is typed into one fact: by suffix, the state apart.
type typed struct {
	values     map[string][]string
	state, why string
}

func (t typed) one(suffix string) string {
	if v := t.values[suffix]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (t typed) empty() bool { return len(t.values) == 0 }

// marks are those of the value and of the state.
func (t typed) marks() (value, state string) {
	var all []string
	for _, s := range suffixes {
		for _, v := range t.values[s] {
			all = append(all, s, v)
		}
	}
	return mark(all...), mark(t.state, t.why)
}

func (t typed) put(suffix string, values ...string) {
	for _, v := range values {
		if v = plain(v); v != "" {
			t.values[suffix] = append(t.values[suffix], v)
		}
	}
}

// fromForm is what somebody sent of a fact.
func fromForm(form url.Values, id string) typed {
	t := typed{values: map[string][]string{}}
	for _, s := range suffixes {
		t.put(s, form[id+s]...)
	}
	t.state, t.why = plain(form.Get(id+"-state")), plain(form.Get(id+"-why"))
	return t
}

var isoParts = regexp.MustCompile(`^(\d{4})(?:-(\d\d))?(?:-(\d\d))?$`)

// fromRecord is what a page shows of a fact.
func fromRecord(f *caseforms.AskedFact, s caseforms.Stated) typed {
	t := typed{values: map[string][]string{}}
	if s.State != caseforms.Answered && s.State != caseforms.NotAnswered {
		if f.Kind == caseforms.KindYesNoUnknown && s.State == caseforms.NotKnown && s.Why == "" {
			t.put("", "not_known")
			return t
		}
		t.state, t.why = s.State.String(), plain(s.Why)
		return t
	}
	text := s.Text()
	switch f.Kind {
	case caseforms.KindChecks:
		for _, o := range f.Options { // in the order in which a browser sends them
			if slices.Contains(s.Values, o.Value) {
				t.put("", o.Value)
			}
		}
	case caseforms.KindDate, caseforms.KindPartialDate, caseforms.KindDateTime:
		day, clock := text, ""
		if f.Kind == caseforms.KindDateTime && len(text) > 10 {
			day, clock = text[:10], text[11:]
		}
		m := isoParts.FindStringSubmatch(day)
		if m == nil || f.Several {
			t.put("-words", text)
			break
		}
		number := func(s string) string { return strings.TrimPrefix(s, "0") }
		t.put("-year", m[1])
		t.put("-month", number(m[2]))
		t.put("-day", number(m[3]))
		t.put("-time", clock)
	default:
		t.put("", text)
	}
	return t
}

// longList is from how many answers on one is chosen from a list that opens.
const longList = 12

// field makes what is typed into of a fact.
func (x *filling) field(f *caseforms.AskedFact, t typed) field {
	v, st := t.marks()
	out := field{ID: f.Path, Label: f.Label, State: t.state, Why: t.why, Value: t.one(""), Was: v + "." + st, Lines: 1}
	for _, s := range f.States {
		out.States = append(out.States, Option{Value: s.Value, Label: s.Label, Chosen: s.Value == t.state})
	}
	for _, o := range f.Options {
		out.Options = append(out.Options, Option{Value: o.Value, Label: o.Label, Chosen: slices.Contains(t.values[""], o.Value)})
	}
	switch f.Kind {
	case caseforms.KindList:
		out.Sort = "none"
	case caseforms.KindLongText:
		out.Sort, out.Lines = "area", min(max(cmp.Or(f.Lines, 6), 2+len(out.Value)/70+strings.Count(out.Value, "\n")), 30)
	case caseforms.KindChecks:
		out.Sort = "checks"
	case caseforms.KindChoice, caseforms.KindYesNo, caseforms.KindYesNoUnknown:
		out.Sort = "radios"
		if len(f.Options) > longList {
			out.Sort = "select"
		}
	case caseforms.KindDate, caseforms.KindPartialDate, caseforms.KindDateTime:
		out.Sort = map[caseforms.Kind]string{caseforms.KindDate: "date", caseforms.KindPartialDate: "partial", caseforms.KindDateTime: "datetime"}[f.Kind]
		out.Day, out.Month, out.Year, out.Words, out.Time = t.one("-day"), t.one("-month"), t.one("-year"), t.one("-words"), t.one("-time")
	default:
		out.Sort, out.Width = "text", "30"
		switch f.Kind {
		case caseforms.KindEmail:
			out.Mode, out.Auto = "email", "off"
		case caseforms.KindPhone:
			out.Mode, out.Auto, out.Width = "tel", "off", "20"
		case caseforms.KindPostcode, caseforms.KindCRN, caseforms.KindPrisonNumber:
			out.Width = "10"
		case caseforms.KindPNC, caseforms.KindCRO:
			out.Width = "20"
		case caseforms.KindNHSNumber:
			out.Width, out.Mode = "20", "numeric"
		case caseforms.KindNumber:
			out.Width, out.Mode = "5", "numeric"
		case caseforms.KindTime:
			out.Width = "5"
			out.Hint = "For example, 14:30"
		}
		if f.Several || f.Lines > 1 || strings.Contains(out.Value, "\n") {
			out.Sort, out.Width = "area", ""
			if out.Lines = max(f.Lines, len(out.Value)/70+1); f.Several || strings.Contains(out.Value, "\n") {
				out.Lines = max(3, strings.Count(out.Value, "\n")+2)
			}
			if f.Several {
				out.Hint = "One a line"
			}
		}
	}
	return out
}

// words is a fact in words.
func (x *filling) words(f *caseforms.AskedFact, s caseforms.Stated) string {
	switch s.State {
	case caseforms.NotAnswered:
		return ""
	case caseforms.Answered:
		var all []string
		for _, v := range s.Values {
			for _, o := range f.Options {
				if o.Value == v {
					v = o.Label
				}
			}
			if m := isoParts.FindStringSubmatch(v); m != nil && m[3] != "" && (f.Kind == caseforms.KindDate || f.Kind == caseforms.KindPartialDate) {
				number := func(s string) int { n, _ := strconv.Atoi(s); return n }
				v = written(caseforms.Date{Year: number(m[1]), Month: number(m[2]), Day: number(m[3])})
			}
			all = append(all, v)
		}
		return strings.Join(all, "\n")
	}
	word := x.defs.Word(s.State.String())
	if s.Why != "" {
		word += ": " + s.Why
	}
	return word
}

// changed tells whether somebody changed a fact on the page that they sent.
func changed(sent url.Values, id string) bool {
	if !sent.Has("was." + id) {
		return false
	}
	value, state := fromForm(sent, id).marks()
	return sent.Get("was."+id) != value+"."+state
}

// show makes the page. sent is what was typed and not taken, nil to show what there is: of it what was changed is shown, and all when the
// entry is another one now.
func (x *filling) show(p *place, sent url.Values, moved bool, problems []FieldProblem, from string) partData {
	d := partData{filling: x, Place: p.path, Base: x.Draft.Version, Heading: topicTitle(p.topic), Back: x.Path, From: from, Print: x.Path + "/preview/" + p.topic.Key}
	if from != "" {
		d.Back += "/" + from
	}
	listPath := ""
	if p.list != nil {
		listPath = p.list.Path
		d.Item, d.Fresh, d.Back = true, p.fresh, backTo(x.partOf(p.topic.Key), from)
		d.Heading = p.list.Item + " " + strconv.Itoa(p.item+1)
		if p.fresh {
			d.Heading = "Add: " + p.list.Item
		} else {
			d.Remove = backTo(p.path+"/remove", from)
		}
		d.Count = strconv.Itoa(x.edit.Items(listPath))
	} else {
		d.Intro = p.topic.Intro
	}
	for _, q := range p.questions() {
		v := questionView{Key: q.Key, Label: q.Label, Hint: q.Hint}
		answered := false
		for i := range q.Facts {
			f := &q.Facts[i]
			stored := x.edit.Get(p.prefix() + f.Path)
			answered = answered || stored.State != caseforms.NotAnswered
			shown := fromRecord(f, stored)
			fv := x.field(f, shown)
			if sent != nil && (moved && sent.Has("was."+f.Path) || changed(sent, f.Path)) {
				answered = true
				was := fv.Was
				fv = x.field(f, fromForm(sent, f.Path))
				fv.Was = was
			}
			for _, fp := range problems {
				if fp.Field == f.Path {
					fv.Problem = fp.Msg
				}
			}
			v.Fields = append(v.Fields, fv)
		}
		for _, l := range q.Lists {
			lv := x.listOf(p, x.asked.List(l))
			answered = answered || len(lv.Items) > 0
			v.Lists = append(v.Lists, lv)
			if lv.None != nil {
				if sent != nil && changed(sent, l) {
					was := lv.None.Was
					*lv.None = x.field(&x.asked.List(l).None, fromForm(sent, l))
					lv.None.Was = was
				}
				answered = answered || lv.None.State != ""
				v.Lists[len(v.Lists)-1].None = lv.None
			}
		}
		switch x.view.Arises(q.When, listPath, p.item) {
		case caseforms.DoesNotArise:
			if !answered {
				d.Hidden++
				continue
			}
			v.Stray = true
			fallthrough
		case caseforms.MayArise:
			v.Only = x.only(q.When, listPath)
		}
		if len(v.Fields) == 1 && v.Lists == nil {
			f := &v.Fields[0]
			f.Alone = true
			f.Label = q.Label
			f.Hint = strings.TrimSpace(strings.TrimSuffix(q.Hint, ".") + sep(q.Hint, f.Hint) + f.Hint)
		} else {
			v.Group = len(v.Fields) > 0
		}
		d.Questions = append(d.Questions, v)
	}
	return d
}

func sep(a, b string) string {
	if a != "" && b != "" {
		return ". "
	}
	return ""
}

// only says in words when a question arises.
func (x *filling) only(c *caseforms.Cond, list string) string {
	label, answers := x.defs.Condition(x.form, c, list)
	return "Answer this only if “" + label + "” is " + strings.Join(quoteAll(answers), " or ") + "."
}

func quoteAll(words []string) (out []string) {
	for _, w := range words {
		out = append(out, "“"+w+"”")
	}
	return out
}

func (x *filling) listOf(p *place, l *caseforms.AskedList) listView {
	v := listView{ID: l.Path, Title: l.Title, Item: l.Item, Add: l.Path + "/new"}
	for i := range x.edit.Items(l.Path) {
		v.Items = append(v.Items, listItem{i + 1, x.itemText(l, i), l.Path + "/" + strconv.Itoa(i)})
	}
	if len(v.Items) == 0 {
		f := x.field(&l.None, fromRecord(&l.None, x.edit.Get(l.Path)))
		v.None = &f
	}
	return v
}

// itemText tells one item from the others: what names it, else its first answers.
func (x *filling) itemText(l *caseforms.AskedList, i int) string {
	prefix := fmt.Sprintf("%s[%d].", l.Path, i)
	for _, k := range l.Heading {
		if t := x.edit.Get(prefix + k).Text(); t != "" {
			return t
		}
	}
	var all []string
	for j := range l.Questions {
		for k := range l.Questions[j].Facts {
			f := &l.Questions[j].Facts[k]
			if t := x.words(f, x.edit.Get(prefix+f.Path)); t != "" && len(all) < 3 {
				all = append(all, strings.ReplaceAll(t, "\n", ", "))
			}
		}
	}
	if len(all) == 0 {
		return l.Item + " " + strconv.Itoa(i+1)
	}
	return strings.Join(all, "; ")
}

func (s *Service) partPage(w http.ResponseWriter, r *Request) error {
	x, err := s.filling(r)
	if err != nil {
		return err
	}
	p, err := x.place(r)
	if err != nil {
		return err
	}
	d := x.show(p, nil, false, nil, cameFrom(r))
	ps, err := x.defs.Check(x.form, x.c, caseforms.FillOptions{Today: x.today})
	if err != nil {
		return err
	}
	for _, pr := range ps {
		if x.edit.Get(pr.Key).State == caseforms.NotAnswered && x.edit.Items(pr.Key) == 0 {
			continue // what is missing is told by the list of parts
		}
		t, at := x.asked.TopicOf(pr.Key, strings.TrimRight(pr.Section, " :"))
		if t == nil || t.Key != p.topic.Key && p.list == nil || p.list != nil && (at != p.list.Path || !strings.HasPrefix(pr.Key, strings.TrimSuffix(p.prefix(), "."))) {
			continue
		}
		d.Look = append(d.Look, x.lines([]caseforms.Problem{pr}, pr.Severity, d.From)...)
	}
	return s.partPageOf(w, r, x, d, 0, nil)
}

func (s *Service) partPageOf(w http.ResponseWriter, r *Request, x *filling, d partData, code int, ps []FieldProblem) error {
	title := d.Heading
	crumbs := x.crumbs()
	if d.Item {
		crumbs = x.crumbs(Link{"Back to the list", d.Back})
	}
	return s.page(w, r, "form-part", Page{Title: title, Whose: &x.Bar, Form: true, Wide: true, Status: code, OwnHeading: true, Crumbs: crumbs, Problems: ps, Data: d})
}

// part saves a page.
func (s *Service) part(w http.ResponseWriter, r *Request) error {
	x, err := s.filling(r)
	if err != nil {
		return err
	}
	base, err := strconv.Atoi(r.Field("base"))
	if err != nil || base < 1 {
		return errBase
	}
	stale := base != x.Draft.Version
	moved := false
	p, err := x.place(r)
	if stale && r.Var("list") != "" && !(p != nil && p.fresh) {
		// The entries may not be where they were. What was typed must not go to another child: it is shown as a new one.
		if l := x.asked.List(r.Var("list")); l != nil && r.Field("count") != strconv.Itoa(x.edit.Items(l.Path)) && x.asked.Topic(r.Var("topic")) != nil {
			moved, err = true, nil
			t := x.asked.Topic(r.Var("topic"))
			n := x.edit.Items(l.Path)
			p = &place{topic: t, list: l, item: n, fresh: true, path: x.partOf(t.Key) + "/" + l.Path + "/new"}
		}
	}
	if err != nil {
		return err
	}
	before := x.Draft.Content
	asked := x.arising(p)
	ps := x.take(p, r.PostForm, moved)
	content, err := x.edit.JSON()
	if err != nil {
		return err
	}
	c, wrong := x.defs.Decode(content, x.form)
	if c == nil {
		for _, pr := range wrong {
			ps = append(ps, p.problem(pr))
		}
	}
	again := func(code int, conflict *conflictView) error {
		if err := x.read(before); err != nil {
			return err
		}
		d := x.show(p, r.PostForm, moved, ps, cameFrom(r))
		d.Conflict = conflict
		return s.partPageOf(w, r, x, d, code, ps)
	}
	if len(ps) > 0 {
		if stale { // what is wrong is put right against what the other saved
			return again(http.StatusConflict, &conflictView{By: x.Draft.ChangedByName, At: clock(x.Draft.Changed), Moved: moved})
		}
		return again(http.StatusUnprocessableEntity, nil)
	}
	// An item in which nothing is answered is none.
	ed, err := x.defs.Edit(content)
	if err != nil {
		return err
	}
	if content, err = ed.JSON(); err != nil {
		return err
	}
	saved, err := r.Desk.SaveDraft(r.Context(), r.Actor, casework.SaveDraft{ID: x.Draft.ID, Base: base, Content: content})
	var conflict *casework.DraftConflict
	if errors.As(err, &conflict) {
		if len(conflict.Differences) == 0 {
			return seeOther(w, r, x.onwards(r, p))
		}
		cv := &conflictView{By: conflict.Theirs.ChangedByName, At: clock(conflict.Theirs.Changed), Moved: moved}
		for _, d := range conflict.Differences {
			cv.Differences = append(cv.Differences, x.difference(d))
		}
		x.Draft = &conflict.Theirs
		before = conflict.Theirs.Content
		return again(http.StatusConflict, cv)
	}
	if err != nil {
		return err
	}
	if x, err = s.filled(saved, x.Bar.Restricted); err != nil {
		return err
	}
	// Questions that arise by what was just answered are asked before anything else.
	for k, now := range x.arising(p) {
		if now && !asked[k] && (p.list == nil || p.item < x.edit.Items(p.list.Path)) {
			s.notify(r, Notice{Title: "Saved", Text: "More questions arise from these answers. They are on this page now."})
			if p.fresh {
				return seeOther(w, r, backTo(x.partOf(p.topic.Key)+"/"+p.list.Path+"/"+strconv.Itoa(p.item), cameFrom(r)))
			}
			return seeOther(w, r, backTo(p.path, cameFrom(r)))
		}
	}
	odd, err := x.oddIn(r, p.topic)
	if err != nil {
		return err
	}
	if len(odd) > 0 && !toEntry.MatchString(r.Field("then")) {
		return seeOther(w, r, x.interruption(p.topic, x.onwards(r, p)))
	}
	return seeOther(w, r, x.onwards(r, p))
}

// The pages from which a part is opened to change an answer, and to which it leads back.
const (
	fromAnswers = "answers"
	fromIssue   = "issue"
)

// cameFrom is the page to which the way back leads, "" when it is not said.
func cameFrom(r *Request) string {
	if from := cmp.Or(r.Field("from"), r.URL.Query().Get("from")); from == fromAnswers || from == fromIssue {
		return from
	}
	return ""
}

// backTo is the address of a part, with the page to which it leads back.
func backTo(href, from string) string {
	if href == "" || from == "" {
		return href
	}
	path, field, _ := strings.Cut(href, "#")
	if path += "?from=" + from; field != "" {
		path += "#" + field
	}
	return path
}

// toEntry is what the buttons of a list send: the page is saved before an entry is opened, so that nothing typed on it is lost.
var toEntry = regexp.MustCompile(`^go:([a-z0-9_.-]+/(?:new|[0-9]{1,4}(?:/remove)?))$`)

// onwards is where somebody goes from a page: back to the list of an item, or to the next topic.
func (x *filling) onwards(r *Request, p *place) string {
	from := cameFrom(r)
	switch entry := toEntry.FindStringSubmatch(r.Field("then")); {
	case entry != nil && p.list == nil:
		return backTo(x.partOf(p.topic.Key)+"/"+entry[1], from)
	case p.list != nil:
		return backTo(x.partOf(p.topic.Key)+"#"+p.list.Path, from)
	case from == fromAnswers && r.Field("then") == "next":
		return x.Path + "/answers#section-" + p.topic.Key
	case from != "" && r.Field("then") == "next":
		return x.Path + "/" + from
	case r.Field("then") == "next":
		for i := range x.asked.Topics {
			if x.asked.Topics[i].Key != p.topic.Key {
				continue
			}
			for _, t := range x.asked.Topics[i+1:] {
				if len(t.Questions) > 0 && (t.Section == nil || x.view.Arises(t.Section.When, "", 0) != caseforms.DoesNotArise) {
					return x.partOf(t.Key)
				}
			}
			return x.Path + "/answers"
		}
	}
	return x.Path
}

// arising tells of the questions with a condition whether they are shown.
func (x *filling) arising(p *place) map[string]bool {
	list := ""
	if p.list != nil {
		list = p.list.Path
	}
	out := map[string]bool{}
	for _, q := range p.questions() {
		if q.When != nil {
			out[q.Key] = x.view.Arises(q.When, list, p.item) != caseforms.DoesNotArise
		}
	}
	return out
}

// problem is a problem of the record as one of a field of the page.
func (p *place) problem(pr caseforms.Problem) FieldProblem {
	label := strings.TrimRight(pr.Label, " :")
	field := ""
	if key, here := strings.CutPrefix(pr.Key, p.prefix()); here {
		for _, q := range p.questions() {
			for _, f := range q.Facts {
				if key == f.Path || strings.HasPrefix(key, f.Path+"[") {
					field, label = f.Path, f.Label
				}
			}
		}
	}
	return FieldProblem{field, strings.TrimPrefix(label+": "+pr.Msg, ": ")}
}

// difference is one in words: states are not shown as keys of their own.
func (x *filling) difference(d caseforms.Difference) differenceRow {
	label := strings.TrimRight(d.Label, " :")
	key, part := d.Key, ""
	for _, end := range []string{".state", ".why"} {
		if k, ok := strings.CutSuffix(key, end); ok {
			key, part = k, map[string]string{".state": "why there is no answer", ".why": "the reason"}[end]
		}
	}
	var fact *caseforms.AskedFact
	if l, rest, ok := strings.Cut(key, "["); ok {
		if list := x.asked.List(l); list != nil {
			n, field, _ := strings.Cut(rest, "]")
			i, _ := strconv.Atoi(n)
			for _, q := range list.Questions {
				for j := range q.Facts {
					if f := &q.Facts[j]; strings.TrimPrefix(field, ".") == f.Path || strings.HasPrefix(field, "."+f.Path+"[") {
						fact, label = f, f.Label
					}
				}
			}
			label = list.Item + " " + strconv.Itoa(i+1) + ": " + label
		}
	}
	for _, t := range x.asked.Topics {
		for _, q := range t.Questions {
			for j := range q.Facts {
				if f := &q.Facts[j]; fact == nil && (key == f.Path || strings.HasPrefix(key, f.Path+"[")) {
					fact, label = f, f.Label
				}
			}
		}
	}
	say := func(v string) string {
		switch {
		case v == "":
			return "nothing"
		case part != "" && strings.HasSuffix(d.Key, ".state"):
			return x.defs.Word(v)
		case fact != nil && part == "":
			return x.words(fact, caseforms.Stated{State: caseforms.Answered, Values: []string{v}})
		}
		return v
	}
	if part != "" {
		label += ", " + part
	}
	return differenceRow{label, say(d.Theirs), say(d.Yours)}
}

func (s *Service) removePage(w http.ResponseWriter, r *Request) error {
	x, err := s.filling(r)
	if err != nil {
		return err
	}
	p, err := x.place(r)
	if err != nil {
		return err
	}
	if p.fresh {
		return errPlace
	}
	return s.page(w, r, "form-remove", Page{Title: "Remove this entry?", Whose: &x.Bar, Form: true, Crumbs: x.crumbs(Link{"Back to the list", x.partOf(p.topic.Key)}), Data: struct {
		*filling
		Text, Item, Place, Back string
	}{x, x.itemText(p.list, p.item), p.list.Item, backTo(p.path+"/remove", cameFrom(r)), backTo(x.partOf(p.topic.Key), cameFrom(r))}})
}

func (s *Service) remove(w http.ResponseWriter, r *Request) error {
	x, err := s.filling(r)
	if err != nil {
		return err
	}
	base, err := strconv.Atoi(r.Field("base"))
	if err != nil || base < 1 {
		return errBase
	}
	if base != x.Draft.Version {
		return &caseforms.Error{Kind: caseforms.Conflict, Msg: x.Draft.ChangedByName + " saved this draft after you had looked at it; nothing was removed", Hint: "look at the list again, then remove the entry that you mean"}
	}
	p, err := x.place(r)
	if err != nil {
		return err
	}
	if p.fresh {
		return errPlace
	}
	x.edit.Remove(p.list.Path, p.item)
	content, err := x.edit.JSON()
	if err != nil {
		return err
	}
	if _, err := r.Desk.SaveDraft(r.Context(), r.Actor, casework.SaveDraft{ID: x.Draft.ID, Base: base, Content: content}); err != nil {
		var conflict *casework.DraftConflict
		if errors.As(err, &conflict) {
			return &caseforms.Error{Kind: caseforms.Conflict, Msg: sentence(conflict.Error()), Hint: "look at the list again"}
		}
		return err
	}
	s.notify(r, Notice{Good: true, Text: p.list.Item + " " + strconv.Itoa(p.item+1) + " was removed."})
	return seeOther(w, r, backTo(x.partOf(p.topic.Key)+"#"+p.list.Path, cameFrom(r)))
}
