package caseforms

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Reason is why a form is issued although a warning stands. It goes into the record with the document.
type Reason struct {
	Key  string `json:"key"`            // of the answer that the warning is about; "" of one that is given for several, see Reasons
	Says string `json:"says,omitempty"` // the warning, in the form's own words
	Why  string `json:"why"`            // "" of an urgent form that went without
	Of   string `json:"of,omitempty"`   // a mark of the warning and of the answers that it was about
}

// MaxReason bounds one reason, in bytes; maxReasons is how many may be given at once.
const (
	MaxReason  = 4000
	maxReasons = 10_000
)

// WantsReason tells whether somebody is asked why they go on although this stands. Of what only informs nobody is.
func (p Problem) WantsReason() bool { return p.Severity == Warning && !p.informs && p.Key != "" }

// Blank tells of a warning that it says no more than that nothing is answered. One reason may be given for all of these.
func (p Problem) Blank() bool { return p.blank }

// Reasons finds to each warning that wants one its reason: among those given now, by the key of the answer, else among those that it had
// before, which hold as long as the answers are what they were. One without a key is for every question that is not answered, and of an
// urgent form for every warning. missing are the warnings without one; of an urgent form none are, because it is not held up by them
// (0.4 point 1), and what has none stands among the reasons with none. ps are the problems of the record.
func Reasons(record []byte, ps []Problem, urgent bool, before, given []Reason) (all []Reason, missing []Problem, err error) {
	var root any
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(record, []byte("\ufeff"))))
	dec.UseNumber()
	if err := dec.Decode(&root); err != nil {
		return nil, nil, &Error{Kind: Invalid, Msg: "the case record is not JSON"}
	}
	e := &Edit{}
	e.root, _ = root.(map[string]any)
	tidy(e.root)
	if len(given) > maxReasons {
		return nil, nil, &Error{Kind: Invalid, Msg: fmt.Sprintf("at most %d reasons can be given at once", maxReasons), Hint: "give those that the form asks for; one without a key is for every question that is not answered"}
	}
	now, had := map[string]string{}, map[string]string{} // the first that says something, by key and by mark
	for _, g := range given {
		if len(g.Why) > MaxReason {
			return nil, nil, &Error{Kind: Invalid, Msg: fmt.Sprintf("a reason has at most %d letters", MaxReason), Hint: "say the most important thing"}
		}
		if now[g.Key] == "" {
			now[g.Key] = strings.TrimSpace(g.Why)
		}
	}
	for _, b := range before {
		if had[b.Of] == "" {
			had[b.Of] = strings.TrimSpace(b.Why)
		}
	}
	for _, p := range ps {
		if !p.WantsReason() {
			continue
		}
		r := Reason{Key: p.Key, Says: strings.TrimPrefix(strings.TrimRight(p.Label, " :")+": "+p.Msg, ": "), Of: e.mark(p)}
		if r.Why = now[p.Key]; r.Why == "" {
			r.Why = had[r.Of]
		}
		if r.Why == "" && (p.blank || urgent) {
			r.Why = now[""]
		}
		if r.Why == "" && !urgent {
			missing = append(missing, p)
			continue
		}
		all = append(all, r)
	}
	return all, missing, nil
}

// mark tells a warning and the answers that it is about from others. Of an item it goes by whose it is and not by its place, so that what was
// said of one child is not taken as said of another when one is removed.
func (e *Edit) mark(p Problem) string {
	h := sha256.New()
	put := func(v any) {
		b, _ := json.Marshal(v) // it was JSON
		fmt.Fprintf(h, "%d %s", len(b), b)
	}
	put(indexes.ReplaceAllString(p.Key, "[]"))
	put(p.Msg)
	put(e.at(p.Key))
	if i := strings.LastIndexByte(p.Key, ']'); i >= 0 {
		item := e.at(p.Key[:i+1])
		if m, ok := item.(map[string]any); ok && !blankJSON(m["name"]) {
			item = m["name"]
		} else {
			put(p.Key)
		}
		put(item)
	}
	facts := strings.Fields(p.by)
	slices.Sort(facts)
	for _, f := range facts {
		put(e.at(f))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
