package casework

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/render"
)

// The scenarios are played as they are written: who does what on which day, and what is expected to be due then.
//
//	on 2026-12-21 10:00                      the clock; nothing runs in between
//	run                                      the ladder is climbed, as it is every minute where a server runs
//	petra records cp1 [disclosable] 01-simple as A         [for AUTHORITY] [under CASE] [with path=value …] [again A because REASON]
//	petra hands A to "Northtown MASH" by telephone [as ROLE or other]
//	petra answers A assessment               [child 1 …]
//	petra notes A chase "no decision yet"    [until DAY] [done RULE]; CASE:A is the case of A
//	mary gives petra to paul "leave"         a caseload
//	boss closes petra
//	petra may not … : words of the refusal   any of the above
//	expect C06 A open 2026-12-24             open, overdue N, done, void or none; the day; then: step NAME, round N, owner LOGIN, how "words"
//	told mary M03 A                          a manager has to know it, whoever looks
//	due petra 3                              how many lines their own list has
//	log A "Safeguarding Referral"            the log has an entry of this type
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scenarios", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			p := &play{office: newOffice(t), refs: map[string]*Issued{}}
			for n, line := range strings.Split(string(data), "\n") {
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				if err := p.line(words2(line)); err != nil {
					t.Errorf("%s:%d: %s: %v", filepath.Base(f), n+1, line, err)
				}
			}
			p.intact()
		})
	}
}

type play struct {
	*office
	refs map[string]*Issued
}

// words2 splits a line at spaces, keeping what is between quotes together.
func words2(s string) (out []string) {
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		if s[0] == '"' {
			w, rest, _ := strings.Cut(s[1:], `"`)
			out, s = append(out, w), rest
			continue
		}
		w, rest, _ := strings.Cut(s, " ")
		out, s = append(out, w), rest
	}
	return out
}

// after is the word behind a word; "" when it is not there.
func after(ws []string, word string) string {
	if i := slices.Index(ws, word); i >= 0 && i+1 < len(ws) {
		return ws[i+1]
	}
	return ""
}

func (p *play) line(ws []string) error {
	switch ws[0] {
	case "on":
		at, err := time.ParseInLocation("2006-01-02 15:04", ws[1]+" "+ws[2], caseforms.London(time.Now()).Location())
		p.clock = at
		return err
	case "run":
		_, err := p.Tick(p.ctx)
		return err
	case "expect":
		return p.expect(ws[1:])
	case "told": // whether a manager has to know of a rule of a case, when they look
		list, err := p.Due(p.ctx, p.as(ws[1]), DueFilter{Told: true})
		if err == nil && !slices.ContainsFunc(list, func(d Due) bool { return d.Rule == ws[2] && d.Case == p.refs[ws[3]].Case }) {
			err = errors.New("they are not told")
		}
		return err
	case "due":
		list, err := p.Due(p.ctx, p.as(ws[1]), DueFilter{Mine: true, Days: 3650})
		if err == nil && fmt.Sprint(len(list)) != ws[2] {
			var rules []string
			for _, d := range list {
				rules = append(rules, d.Rule)
			}
			err = fmt.Errorf("%d lines: %v", len(list), rules)
		}
		return err
	case "log":
		l, err := p.Log(p.ctx, p.as("petra"), p.refs[ws[1]].Ref)
		if err == nil && !slices.ContainsFunc(l.Contacts, func(c Contact) bool { return c.Type == ws[2] }) {
			err = fmt.Errorf("there is no such entry among %d", len(l.Contacts))
		}
		return err
	}
	if len(ws) > 3 && ws[1] == "may" && ws[2] == "not" {
		i := slices.Index(ws, ":")
		err := p.act(ws[0], ws[3:i])
		if err == nil {
			return errors.New("it was done")
		}
		var e *caseforms.Error
		if want := strings.Join(ws[i+1:], " "); !errors.As(err, &e) || !strings.Contains(err.Error()+" "+e.Hint, want) {
			return fmt.Errorf("refused otherwise: %w", err)
		}
		return nil
	}
	return p.act(ws[0], ws[1:])
}

// act is something that somebody does.
func (p *play) act(who string, ws []string) error {
	a := p.as(who)
	switch strings.TrimSuffix(ws[0], "s") {
	case "record":
		return p.records(a, ws[1:])
	case "hand":
		_, err := p.HandOver(p.ctx, a, HandOver{Ref: p.refs[ws[1]].Ref, To: after(ws, "to"), Channel: Channel(after(ws, "by")), As: after(ws, "as")})
		return err
	case "answer":
		r := Answer{Ref: p.refs[ws[1]].Ref, Kind: ws[2]}
		if i := slices.Index(ws, "child"); i > 0 {
			for _, w := range ws[i+1:] {
				var n int
				fmt.Sscan(w, &n)
				r.Children = append(r.Children, n)
			}
		}
		_, err := p.Answer(p.ctx, a, r)
		return err
	case "note":
		n := Note{Kind: ws[2], Text: ws[3], Done: after(ws[4:], "done")}
		if name, ok := strings.CutPrefix(ws[1], "CASE:"); ok {
			n.Case = p.refs[name].Case
		} else {
			n.Ref = p.refs[ws[1]].Ref
		}
		if d := after(ws[4:], "until"); d != "" {
			t, err := time.Parse(time.DateOnly, d)
			if err != nil {
				return err
			}
			n.Until = caseforms.DateOf(t)
		}
		_, err := p.Note(p.ctx, a, n)
		return err
	case "give":
		_, err := p.Transfer(p.ctx, a, ws[1], after(ws, "to"), nil, ws[len(ws)-1])
		return err
	case "close":
		no := false
		return p.ChangeUser(p.ctx, a, ws[1], "", nil, nil, &no)
	}
	return fmt.Errorf("there is no act %q", ws[0])
}

func (p *play) records(a caseforms.Actor, ws []string) error {
	var c map[string]any
	copy := ""
	if ws[1] == caseforms.CopyFull || ws[1] == caseforms.CopyDisclosable {
		copy, ws = ws[1], slices.Delete(slices.Clone(ws), 1, 2)
	}
	if err := json.Unmarshal(sample(p.t, ws[1]), &c); err != nil {
		return err
	}
	for _, w := range ws[2:] {
		path, value, ok := strings.Cut(w, "=")
		if !ok {
			continue
		}
		m := c
		keys := strings.Split(path, ".")
		for _, k := range keys[:len(keys)-1] {
			next, ok := m[k].(map[string]any)
			if !ok {
				next = map[string]any{}
				m[k] = next
			}
			m = next
		}
		if m[keys[len(keys)-1]] = value; value == "" {
			delete(m, keys[len(keys)-1])
		}
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	r := Record{Form: ws[0], Case: data, For: after(ws, "for"), Outputs: []Output{{Format: render.FormatText}}}
	if r.Copy = copy; copy == "" && ws[0] == "conference" {
		r.Copy = caseforms.CopyDisclosable
	}
	if name := after(ws, "again"); name != "" {
		r.Again, r.Why = p.refs[name].Ref, after(ws, "because")
	}
	r.Unasked = true
	out, _, err := p.Record(p.ctx, a, r)
	if err == nil {
		p.refs[after(ws, "as")] = out
	}
	var refused *Refused
	if errors.As(err, &refused) {
		err = fmt.Errorf("%w: %v", err, refused.Problems)
	}
	return err
}

// expect looks at one follow-up of a case: of a document where it is about one.
func (p *play) expect(ws []string) error {
	about := p.refs[ws[1]]
	all, err := p.store.FollowUpsOf(p.ctx, about.Case)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(u store.FollowUp) bool { return u.Rule != ws[0] || u.Ref != "" && u.Ref != about.Ref })
	if ws[2] == "none" {
		if len(all) > 0 {
			return fmt.Errorf("there is one: %+v", all[0])
		}
		return nil
	}
	if len(all) == 0 {
		return errors.New("there is none")
	}
	u := all[len(all)-1]
	today := p.today()
	rest := ws[3:]
	switch ws[2] {
	case "overdue":
		defs, err := p.load(u.Area)
		if err != nil {
			return err
		}
		if n := defs.Calendar(p.closed...).WorkingDaysBetween(u.Due, today); u.State != store.FollowUpOpen || fmt.Sprint(n) != ws[3] {
			return fmt.Errorf("%s, due %s, %d working days over", u.State, u.Due, n)
		}
		rest = rest[1:]
	case "open", "done", "void":
		if string(u.State) != ws[2] {
			return fmt.Errorf("it is %s (%s)", u.State, u.Ended)
		}
	default:
		return fmt.Errorf("there is no state %q", ws[2])
	}
	if len(rest) > 0 && len(rest[0]) == 10 && rest[0][4] == '-' {
		if u.Due.String() != rest[0] {
			return fmt.Errorf("it is due %s: %s", u.Due, u.How)
		}
	}
	for _, x := range []struct{ key, have string }{{"round", fmt.Sprint(u.Round)}, {"ended", u.Ended}} {
		if want := after(rest, x.key); want != "" && want != x.have {
			return fmt.Errorf("%s is %s", x.key, x.have)
		}
	}
	if want := after(rest, "owner"); want != "" && p.as(want).ID != u.Owner {
		return errors.New("it is owned by somebody else")
	}
	if want := after(rest, "how"); !strings.Contains(u.How, want) {
		return fmt.Errorf("it says: %s", u.How)
	}
	if want := after(rest, "step"); want != "" {
		if got := p.lastStep(&u); got != want {
			return fmt.Errorf("the last step is %q", got)
		}
	}
	return nil
}

// lastStep is the last rung that was climbed, by the ledger.
func (p *play) lastStep(u *store.FollowUp) string {
	rs, err := p.store.History(p.ctx, u.Case)
	p.must(err)
	last := "none"
	for _, r := range rs {
		if step, ok := strings.CutPrefix(r.What, "follow-up: "); ok && r.Detail["rule"] == u.Rule && r.Ref == u.Ref && step != "moved" {
			last = step
		}
	}
	return last
}
