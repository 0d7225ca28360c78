package caseforms_test

import (
	"slices"
	"testing"

	"caseforms/templates"
)

// Alerts are made of what is known, and a blank or a state is none.
func TestAlerts(t *testing.T) {
	t.Parallel()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string][]string{
		`{}`: nil,
		`{"mappa":{"level":{"state":"not_known"}},"risk":{"rosh_children":"medium"},"children":[{"status":"child_in_need"}]}`: nil,
		`{"mappa":{"category":"1","level":"3"},"risk":{"rosh_children":"very_high"},"children":[{"name":"A"},{"status":"protection_plan"},{"status":"protection_plan"}]}`: {
			"MAPPA category 1 – registered sexual offender", "MAPPA level 3", "Risk of serious harm: children – Very high", "Child protection plan"},
	} {
		c, ps := d.Decode([]byte(data), nil)
		if c == nil {
			t.Fatal(ps)
		}
		if got := d.Alerts(c); !slices.Equal(got, want) {
			t.Errorf("%s: %q", data, got)
		}
	}
}
