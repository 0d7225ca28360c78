package caseforms_test

import (
	"fmt"
	"strings"
	"testing"

	"caseforms"
)

// What is far more than a case has is told once, and nothing is worked out for a problem that is not told.
func TestDecodeEndsWhenThereIsTooMuch(t *testing.T) {
	t.Parallel()
	d := definitions(t)
	f := form(t, d, "cp1")
	items := func(n int) string {
		return `{"children":[` + strings.TrimSuffix(strings.Repeat(`{"name":"A"},`, n), ",") + `]}`
	}
	if c, ps := d.Decode([]byte(items(caseforms.MaxItems)), f); c == nil || c.Children.Len() != caseforms.MaxItems {
		t.Errorf("a list as long as may be is refused: %v", ps)
	}
	for name, x := range map[string]struct{ in, want string }{
		"long list":   {items(caseforms.MaxItems + 1), "(children): has 501 entries, and at most 500 may be in one list"},
		"many values": {`{"children":[` + strings.TrimSuffix(strings.Repeat(`{"x":1},`, 900_000), ",") + `]}`, "this has more than 200000 keys and values"},
	} {
		if c, ps := d.Decode([]byte(x.in), f); c != nil || len(ps) != 1 || !strings.Contains(ps[0].String(), x.want) {
			t.Errorf("%s: %.3v", name, ps)
		}
	}
}

// Not parallel: what it takes is counted.
func TestUnknownKeysBeyondThoseToldCostNothing(t *testing.T) {
	d := definitions(t)
	f := form(t, d, "cp1")
	var odd strings.Builder
	odd.WriteString(`{"person":{"a":1`)
	for i := range 60_000 {
		fmt.Fprintf(&odd, `,"unknown%d":1`, i)
	}
	odd.WriteString("}}")
	data := []byte(odd.String())
	var ps []caseforms.Problem
	if n := testing.AllocsPerRun(1, func() { _, ps = d.Decode(data, f) }); n > 400_000 {
		t.Errorf("it took %v pieces of memory to tell of the first problems", n)
	}
	if len(ps) != 1000 {
		t.Errorf("%d problems", len(ps))
	}
}

// Each warning finds its reason among many without a look at all of them, and there is an end to how many are taken.
func TestManyReasons(t *testing.T) {
	t.Parallel()
	var ps []caseforms.Problem
	var given []caseforms.Reason
	for i := range 10_000 {
		key := fmt.Sprintf("children[%d].dob", i)
		ps = append(ps, caseforms.Problem{Severity: caseforms.Warning, Key: key, Msg: "odd"})
		given = append(given, caseforms.Reason{Key: key, Why: fmt.Sprint("because ", i)})
	}
	all, missing, err := caseforms.Reasons([]byte(`{}`), ps, false, nil, given)
	if err != nil || len(missing) > 0 || len(all) != len(ps) || all[9_999].Why != "because 9999" {
		t.Errorf("%d reasons, %d missing: %v", len(all), len(missing), err)
	}
	first := []caseforms.Reason{{Key: ps[0].Key}, {Key: ps[0].Key, Why: "first"}, {Key: ps[0].Key, Why: "second"}}
	if all, _, err = caseforms.Reasons([]byte(`{}`), ps[:1], false, nil, first); err != nil || len(all) != 1 || all[0].Why != "first" {
		t.Errorf("%v %v", all, err)
	}
	if _, _, err = caseforms.Reasons([]byte(`{}`), ps, false, nil, append(given, given[0])); err == nil || !strings.Contains(err.Error(), "at most 10000 reasons") {
		t.Errorf("more than that are taken: %v", err)
	}
}
