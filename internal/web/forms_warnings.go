package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"caseforms"
)

// What looks odd interrupts, and is let stand with a reason; see caseforms.Reasons for which warnings want one and casework.GiveReasons for
// where it is kept.

// oddAnswer is an answer with what is said against it, and why it is let stand.
type oddAnswer struct {
	Key   string
	Lines []problemLine
	Why   Input
}

// warningsView is what an interruption shows.
type warningsView struct {
	Urgent  bool
	Odd     []oddAnswer   // each is let stand with a reason of its own
	Blank   []problemLine // what is not answered: one reason does for all of it
	Other   []problemLine // what only informs
	Why     Input         // of what is not answered, of an urgent form for everything
	keys    []string      // that Why is for
	missing []FieldProblem
}

// Any tells whether there is anything to show.
func (v *warningsView) Any() bool { return len(v.Odd)+len(v.Blank)+len(v.Other) > 0 }

// warnings are those among problems of a draft that stand, with the reasons that were typed, else those that the draft has.
func (x *filling) warnings(r *Request, ps []caseforms.Problem, from string) (*warningsView, error) {
	return warningsOf(r, x.Draft.Content, x.Draft.Reasons, x.Bar.Urgent, ps, func(p caseforms.Problem) []problemLine {
		return x.lines([]caseforms.Problem{p}, caseforms.Warning, from)
	})
}

// warningsOf are those among the problems of a record that stand, with the reasons that were typed, else those there were before. line puts one in words.
func warningsOf(r *Request, record []byte, before []caseforms.Reason, urgent bool, ps []caseforms.Problem, line func(caseforms.Problem) []problemLine) (*warningsView, error) {
	v := &warningsView{Urgent: urgent}
	var wanted []caseforms.Problem
	for _, p := range ps {
		switch {
		case p.Severity != caseforms.Warning:
		case p.WantsReason():
			wanted = append(wanted, p)
		default:
			v.Other = append(v.Other, line(p)...)
		}
	}
	had := map[string]string{} // by key, of those that have a reason for all that is said
	all, missing, err := caseforms.Reasons(record, wanted, false, before, nil)
	if err != nil {
		return nil, err
	}
	for _, why := range all {
		had[why.Key] = why.Why
	}
	for _, p := range missing {
		had[p.Key] = ""
	}
	sent := r.Method == http.MethodPost
	common, same := "", true
	odd := map[string]int{} // by key, its place
	for _, p := range wanted {
		says := line(p)
		if p.Blank() || v.Urgent {
			v.Blank = append(v.Blank, says...)
			v.keys = append(v.keys, p.Key)
			if len(v.keys) == 1 {
				common = had[p.Key]
			}
			same = same && had[p.Key] == common
			continue
		}
		if i, ok := odd[p.Key]; ok {
			v.Odd[i].Lines = append(v.Odd[i].Lines, says...)
			continue
		}
		o := oddAnswer{Key: p.Key, Lines: says, Why: Input{ID: "why-" + strconv.Itoa(len(v.Odd)+1), Label: "Why do you go on with this answer?", Value: had[p.Key], Lines: 2, Spell: true}}
		if sent {
			o.Why.Value = r.Field("why." + p.Key)
		}
		v.wants(&o.Why, "Say why you go on with this answer, or change it: "+strings.TrimRight(p.Label, " :"), true)
		odd[p.Key] = len(v.Odd)
		v.Odd = append(v.Odd, o)
	}
	v.Why = Input{ID: "why", Label: "Why does the form go without these answers?", Hint: "One reason for all of them. Where somebody should read why, answer “Not known” with the reason instead: it is printed.", Lines: 2, Spell: true}
	if v.Urgent {
		v.Why.Label, v.Why.Hint = "Why does the form go as it is? (optional)", "The referral is urgent: one line for all of these is enough, and it is issued without one too."
	}
	if same {
		v.Why.Value = common
	}
	if sent {
		v.Why.Value = r.Field("why")
	}
	if v.keys != nil {
		v.wants(&v.Why, "Say why the form goes without these answers, or give them", !v.Urgent)
	}
	return v, nil
}

// wants notes what is wrong with a reason as it was typed.
func (v *warningsView) wants(in *Input, empty string, must bool) {
	msg := ""
	switch {
	case in.Value == "" && must:
		msg = empty
	case len(in.Value) > caseforms.MaxReason:
		msg = fmt.Sprintf("%s: the reason has at most %d letters", in.Label, caseforms.MaxReason)
	}
	if msg != "" {
		v.missing = append(v.missing, FieldProblem{in.ID, msg})
	}
}

// tell shows what is wrong beside its field.
func (v *warningsView) tell() []FieldProblem {
	said := map[string]string{}
	for _, p := range v.missing {
		said[p.Field] = p.Msg
	}
	for i := range v.Odd {
		v.Odd[i].Why.Problem = said[v.Odd[i].Why.ID]
	}
	v.Why.Problem = said[v.Why.ID]
	return v.missing
}

// given are the reasons as they were typed, those that can be kept.
func (v *warningsView) given() (out []caseforms.Reason) {
	add := func(key, why string) {
		if why != "" && len(why) <= caseforms.MaxReason {
			out = append(out, caseforms.Reason{Key: key, Why: plain(why)})
		}
	}
	for _, o := range v.Odd {
		add(o.Key, o.Why.Value)
	}
	for _, key := range v.keys {
		add(key, v.Why.Value)
	}
	return out
}

// oddIn are the warnings about answers of a topic of which it is not said why they stand. What is not answered does not interrupt before the
// form is issued: there may be time to answer it. What is urgent is not interrupted.
func (x *filling) oddIn(r *Request, topic *caseforms.Topic) ([]caseforms.Problem, error) {
	if x.Bar.Urgent {
		return nil, nil
	}
	o, err := x.options(r)
	if err != nil {
		return nil, err
	}
	ps, err := x.defs.Check(x.form, x.c, o)
	if err != nil {
		return nil, err
	}
	ps = slices.DeleteFunc(ps, func(p caseforms.Problem) bool {
		t, _ := x.asked.TopicOf(p.Key, strings.TrimRight(p.Section, " :"))
		return t == nil || t.Key != topic.Key || p.Blank()
	})
	_, missing, err := caseforms.Reasons(x.Draft.Content, ps, false, x.Draft.Reasons, nil)
	return missing, err
}

// interruption is the address of the page on which a topic's odd answers are looked at; next is where it goes on then.
func (x *filling) interruption(topic *caseforms.Topic, next string) string {
	return x.partOf(topic.Key) + "/warnings?next=" + url.QueryEscape(next)
}

type interruptionData struct {
	*filling
	*warningsView
	Part, Place, Next string
}

// partWarnings interrupts after a part was saved with answers that look odd. The answers are kept whatever is said here.
func (s *Service) partWarnings(w http.ResponseWriter, r *Request) error {
	x, err := s.filling(r)
	if err != nil {
		return err
	}
	topic := x.asked.Topic(r.Var("topic"))
	if topic == nil {
		return errPlace
	}
	next := cmp.Or(r.Field("next"), r.URL.Query().Get("next"))
	if rest, ours := strings.CutPrefix(next, x.Path); !ours || rest != "" && rest[0] != '/' && rest[0] != '#' {
		next = x.Path
	}
	from := ""
	for _, f := range []string{fromAnswers, fromIssue} {
		if strings.HasPrefix(next, x.Path+"/"+f) {
			from = f
		}
	}
	ps, err := x.oddIn(r, topic)
	if err != nil {
		return err
	}
	v, err := x.warnings(r, ps, from)
	if err != nil {
		return err
	}
	if len(v.Odd) == 0 {
		return seeOther(w, r, next)
	}
	d := interruptionData{x, v, backTo(x.partOf(topic.Key), from), x.partOf(topic.Key) + "/warnings", next}
	page := Page{Title: "Look at these answers", Whose: &x.Bar, Form: true, OwnHeading: true, Crumbs: x.crumbs(), Data: d}
	if r.Method == http.MethodPost {
		if err := r.Desk.GiveReasons(r.Context(), r.Actor, x.Draft.ID, "", v.given()); err != nil {
			return err
		}
		if page.Problems = v.tell(); page.Problems == nil {
			return seeOther(w, r, next)
		}
		page.Status = http.StatusUnprocessableEntity
	}
	return s.page(w, r, "form-warnings", page)
}
