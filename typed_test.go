package caseforms_test

import (
	"strings"
	"testing"

	"caseforms"
)

func TestReplyFields(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	var keys []string
	for _, q := range form(t, d, "check").ReplyFields() {
		keys = append(keys, q.Key)
	}
	if got := strings.Join(keys, " "); got != "known_to_csc children_known contact_nature reply_sent_by reply_position reply_signature reply_date" {
		t.Error(got)
	}
	if q := form(t, d, "conference").ReplyFields(); q != nil {
		t.Errorf("%d questions of the conference report are for its recipient", len(q))
	}
}

// What is typed on a form is understood as far as it can be, and told apart from what is not.
func TestReadTyped(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	for _, c := range []struct {
		form, key, typed string
		state            caseforms.State
		value, says      string
	}{
		{"check", "known_to_csc", "Known – as parent/carer", caseforms.Answered, "parent_or_carer", ""},
		{"check", "known_to_csc", "known – AS  parent / carer\n", caseforms.Answered, "parent_or_carer", ""},
		{"check", "known_to_csc", "parent_or_carer", caseforms.Answered, "parent_or_carer", ""},
		{"check", "known_to_csc", "Not known", caseforms.Answered, "not_known", ""}, // an option of this question, no state
		{"check", "known_to_csc", "parent", caseforms.NotAnswered, "", "none of the answers"},
		{"check", "known_to_csc", " \n", caseforms.NotAnswered, "", ""},
		{"check", "children_known", "Yes", caseforms.Answered, "yes", ""},
		{"check", "children_known", "NO", caseforms.Answered, "no", ""},
		{"check", "children_known", "Not known", caseforms.NotKnown, "", ""},
		{"check", "children_known", "maybe", caseforms.NotAnswered, "", "none of the answers"},
		{"check", "contact_nature", "one\n\ntwo", caseforms.Answered, "one\n\ntwo", ""},
		{"check", "reply_date", " 2026-11-20 ", caseforms.Answered, "2026-11-20", ""},
		{"check", "reply_date", "20/11/26", caseforms.Answered, "2026-11-20", "is read as 2026-11-20"},
		{"check", "reply_date", "3.11.2026", caseforms.Answered, "2026-11-03", "is read as 2026-11-03"},
		{"check", "reply_date", "11/20/2026", caseforms.NotAnswered, "", "not a date"},
		{"check", "reply_date", "31 June 2026", caseforms.NotAnswered, "", "not a date"},
		{"check", "reply_date", "Friday 20th Nov 2026", caseforms.Answered, "2026-11-20", ""},
		{"check", "reply_date", "20 Tachwedd 2026", caseforms.Answered, "2026-11-20", ""},
		{"check", "reply_date", "tomorrow", caseforms.NotAnswered, "", "not a date"},
		{"cp1", "abuse_categories", "physical\nneglect", caseforms.Answered, "physical\nneglect", ""},
		{"cp1", "abuse_categories", "neglect\n\nphysical\nneglect", caseforms.Answered, "physical\nneglect", ""},
		{"cp1", "abuse_categories", "physical\ncold", caseforms.NotAnswered, "", "none of the answers"},
	} {
		q := form(t, d, c.form).Field(c.key)
		got, err := d.ReadTyped(q, c.typed)
		says := got.Doubt
		if err != nil {
			says = err.Error()
		}
		if got.State != c.state || got.Value != c.value || !strings.Contains(says, c.says) || (says == "") != (c.says == "") {
			t.Errorf("%s %q: %s %q, %q", c.key, c.typed, got.State, got.Value, says)
		}
	}
	if _, err := d.ReadTyped(form(t, d, "check").Field("children"), "x"); err == nil {
		t.Error("a list is read from one field")
	}
}
