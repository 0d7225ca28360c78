package web

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/casework"
)

// Whose form is begun: of a case that there is, or of a person of whom there is none. What is known of the person is not asked twice, and
// nobody gets a second case unnoticed.

// personNumbers are the numbers by which a person is known again, with the keys under which they are answered.
var personNumbers = []struct {
	key  string
	form *regexp.Regexp
}{
	{"person.crn", regexp.MustCompile(`^[A-Z][0-9]{6}$`)},
	{"person.prison_number", regexp.MustCompile(`^[A-Z][0-9]{4}[A-Z]{2}$`)},
	{"person.pnc", regexp.MustCompile(`^[0-9]{4}/[0-9]{7}[A-Z]$`)},
}

// subject is the person whose form is begun.
type subject struct {
	Case  caseforms.CaseID  // "" of a new one
	Known map[string]string // what is known of a new one, by key
}

const newCase = "new"

// whose tells whose form is begun by what was typed. Where there may be a case already it is asked; the answer is then the question.
func (s *Service) whose(r *Request) (*subject, *Choice, []FieldProblem, error) {
	typed := r.Field("case")
	known := map[string]string{}
	for key, field := range map[string]string{"person.given_names": "given", "person.family_name": "family"} {
		if v := r.Field(field); v != "" {
			known[key] = v
		}
	}
	query := strings.TrimSpace(known["person.given_names"] + " " + known["person.family_name"])
	if typed != "" {
		if id, ok := caseforms.ParseCaseID(typed); ok {
			return &subject{Case: id}, nil, nil, nil
		}
		if ref, ok := caseforms.ParseRef(typed); ok {
			t, err := r.Desk.Overview(r.Context(), r.Actor, ref)
			if err != nil {
				return nil, nil, nil, err
			}
			return &subject{Case: t.Case}, nil, nil, nil
		}
		ids := caseforms.Identifiers(typed)
		i := -1
		if len(ids) > 0 {
			i = slices.IndexFunc(personNumbers, func(n struct {
				key  string
				form *regexp.Regexp
			}) bool {
				return n.form.MatchString(ids[0])
			})
		}
		if i < 0 {
			return nil, nil, []FieldProblem{{"case", "Enter a case such as CS-4K7P-Q9ZD, a reference such as CF-7K3M-Q9ZD, or the person’s CRN, prison number or PNC ID, or leave it empty"}}, nil
		}
		known[personNumbers[i].key], query = ids[0], typed
	}
	out := &subject{Known: known}
	if query == "" || r.Field("existing") == newCase && typed == "" {
		return out, nil, nil, nil
	}
	found, _, err := r.Desk.Find(r.Context(), r.Actor, query)
	var ours *caseforms.Error
	// A name alone does not tell of a restricted case, so that nobody learns by it that there is one. Whoever has a number is told; so a number is asked for
	// first, whether or not there is such a case.
	unnamed := func() (*subject, *Choice, []FieldProblem, error) {
		if typed != "" {
			return out, nil, nil, nil
		}
		return nil, &Choice{ID: "existing", Legend: "Do you have a number of this person?", Options: []Option{{Value: newCase, Label: "No, I have none", Hint: "A new case is begun"}}},
			[]FieldProblem{{"case", "Enter the person’s CRN, prison number or PNC ID, by which a case of them is found that there may be already"}}, nil
	}
	if errors.As(err, &ours) && (ours.Kind == caseforms.NotFound || ours.Kind == caseforms.Invalid) {
		return unnamed()
	}
	if err != nil {
		return nil, nil, nil, err
	}
	found = slices.DeleteFunc(found, func(f casework.Found) bool { return f.Named })
	if len(found) == 0 {
		return unnamed()
	}
	q := &Choice{ID: "existing", Legend: "Is it one of these?"}
	msg := "There is a case of somebody of this name already: say whether it is the same person"
	if typed != "" {
		msg = "There is a case with this number already: go on with it, or correct the number"
	}
	for _, f := range found {
		if r.Field("existing") == string(f.Case) || typed != "" && f.Restricted { // of one that is restricted, who may not see it is told so
			return &subject{Case: f.Case}, nil, nil, nil
		}
		if f.Restricted {
			continue
		}
		q.Options = append(q.Options, Option{Value: string(f.Case), Label: cmp.Or(f.Card.Name, "No name yet"), Hint: strings.Join(slices.DeleteFunc([]string{string(f.Case), bornOn(f.Card.DOB), f.Card.CRN}, func(s string) bool { return s == "" }), ", ")})
	}
	if len(q.Options) == 0 {
		return unnamed()
	}
	if typed == "" {
		q.Options = append(q.Options, Option{Value: newCase, Label: "No, it is another person", Hint: "A new case is begun. If you have a number of this person, enter it first"})
	}
	q.Problem = msg
	return nil, q, []FieldProblem{{"existing", msg}}, nil
}

// bornOn is a date of birth in words; "" when it is not known.
func bornOn(iso string) string {
	if m := isoParts.FindStringSubmatch(iso); m == nil || m[3] == "" {
		return ""
	}
	return "born " + iso[8:] + "/" + iso[5:7] + "/" + iso[:4]
}
