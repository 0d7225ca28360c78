package batch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"caseforms"
	"caseforms/render"
	"caseforms/templates"
)

// invented is a case that nobody could take for a real one: the same for the same number everywhere.
func invented(n int) (cells map[string]string, items map[string][]map[string]string) {
	pick := func(all ...string) string { return all[n%len(all)] }
	given := pick("Alex", "Blake", "Chris", "Dana", "Eden", "Finley", "Gray", "Harper")
	family := fmt.Sprintf("%s-%d", pick("Sampleson", "Placeholder", "Example", "Testcase", "Madeup"), n)
	cells = map[string]string{
		"person.given_names": given, "person.family_name": family, "person.crn": fmt.Sprintf("X%06d", n%1_000_000), "person.dob": fmt.Sprintf("19%02d-%02d-%02d", 60+n%40, 1+n%12, 1+n%28),
		"person.gender": pick("Male", "Female"), "person.ethnicity": "Not known", "person.nationality": "British", "person.aliases": "Not known", "person.pnc": "Not known", "person.cro": "Not known",
		"person.custody_status": "In the community", "person.first_language": "English",
		"forms.pp1.notification_type": "Notification (level 1, for information only)", "forms.pp1.area": "Northtown and Southtown", "forms.pp1.police_area": "Northtown Division",
		"forms.pp1.proposed_level": "1", "forms.pp1.strong_risk": "No", "forms.pp1.urgent": "No",
		"practitioner.name": "Robin Sample", "practitioner.role": "Community Probation Practitioner (Community Offender Manager)", "practitioner.organisation": "Probation Service",
		"practitioner.address.lines": "1 Sample Street\nNorthtown", "practitioner.address.postcode": "SW1A 1AA", "practitioner.phone": "01632 960101", "practitioner.email": "robin.sample@example.org",
		"forms.pp1.notifier_kind": "Probation officer", "manager.name": "Sam Manager", "manager.phone": "01632 960102", "forms.pp1.confirms_protocol": "Yes",
		"mappa.category": pick("1 – registered sexual offender", "2 – violent and other sexual offender"), "forms.pp1.category_basis": "Imprisonment of 12 months or more",
		"person.visor_ref": "Not known", "sentence.court": "Northtown Crown Court", "sentence.type": "Standard determinate custodial sentence", "sentence.length": "30 months", "sentence.commencement_date": "2025-02-03",
		"forms.pp1.previous_related": "Not known", "relevant_dates.crd": "2026-05-04", "relevant_dates.led": "2027-08-02", "relevant_dates.sed": "2027-08-02",
		"release.conditions": "Standard conditions; not to contact the victim; not to enter the area shown on the map", "risk.rosh_children": pick("Low", "Medium"), "risk.rosh_public": pick("Medium", "Low", "Medium"),
		"risk.rosh_known_adult": "Medium", "risk.rosh_staff": "Low", "risk.oasys_date": "2026-09-14", "risk.ogrs": fmt.Sprint(20 + n%60), "forms.pp1.dynamic_factors": "Alcohol use; unstable accommodation; contacts with former associates",
		"risk.statements.who": "Adults known to the person, and people in dispute with them", "risk.statements.nature": "Physical injury during disputes", "risk.statements.dimensions": "Violence between adults",
		"risk.statements.when": "When intoxicated or when accommodation is at risk", "risk.statements.reduce": "Work on alcohol use, stable accommodation", "risk.statements.contained": "Supervision and residence conditions",
		"risk.protective_factors": "Supportive sister; work as a volunteer", "forms.pp1.risk_to_children": "None named; no school nearby is known to be of concern", "forms.pp1.professional_judgement": "Manageable at level 1 with the plan below, because the person keeps appointments and has stayed away from the area.",
		"forms.pp1.named_victim": "No", "forms.pp1.victim_concerns": "None known to us", "forms.pp1.reasons": "", "forms.pp1.already_in_place": "Weekly supervision, alcohol programme, police visits every second month",
		"forms.pp1.housing_concerns": "No", "forms.pp1.offender_told": "Yes", "forms.pp1.signature": "Robin Sample", "forms.pp1.sign_date": "2026-11-20", "forms.pp1.countersigned_by": "Sam Manager", "forms.pp1.countersigned_on": "2026-11-20",
	}
	items = map[string][]map[string]string{
		"person.addresses": {{"type": "Current address", "address.lines": fmt.Sprintf("%d Example Road\nNorthtown", n), "address.postcode": "SW1A 1AA", "from": "2026-05"}},
		"offences":         {{"description": "Assault occasioning actual bodily harm", "offence_date": "2024-06-11", "index": "Yes", "brief_circumstances": "Fight outside a public house"}},
	}
	for i := range 1 + n%2 {
		items["children"] = append(items["children"], map[string]string{"name": fmt.Sprintf("Child %c %s", 'A'+i, family), "dob": fmt.Sprintf("201%d-0%d-1%d", n%10, 1+i, n%9), "relationship": "Niece or nephew", "lives_with_person": "No"})
	}
	return cells, items
}

// workbook writes a workbook of cases for pp1, the columns as in the template. What change does to a case is in it.
func workbook(t testing.TB, name string, n int, change func(i int, cells map[string]string, items map[string][]map[string]string)) {
	t.Helper()
	d, f := pp1(t)
	tables := d.Tables(f)
	used, _ := invented(1)
	_, usedItems := invented(1)
	var sheets []render.BookSheet
	var shown []caseforms.CaseTable
	for _, tb := range tables {
		if tb.List != "" && usedItems[tb.List] == nil {
			continue
		}
		mark := render.KeyMark + f.ID + ":" + f.Version
		if tb.List != "" {
			mark += ":" + tb.List
		}
		s := render.BookSheet{Name: tb.Title, List: tb.List, Columns: []render.BookColumn{{Head: d.Word("column_case"), Key: mark, Width: 8}}}
		kept := tb
		kept.Columns = nil
		for i := range tb.Columns {
			q := &tb.Columns[i]
			if _, there := used[q.Key]; tb.List == "" && !there && q.Key != "adults" {
				continue
			}
			kept.Columns = append(kept.Columns, *q)
			s.Columns = append(s.Columns, render.BookColumn{Head: q.Label, Key: q.Key, Fact: q})
		}
		sheets, shown = append(sheets, s), append(shown, kept)
	}
	book, err := render.NewCaseBook(d, f, sheets, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	put := func(sheet, number int, from map[string]string) {
		cells := []render.BookCell{{Text: fmt.Sprint(number), Number: true}}
		for _, q := range shown[sheet].Columns {
			cells = append(cells, render.BookCell{Text: from[q.Key], Date: q.Kind == caseforms.KindDate})
		}
		if err := book.Row(sheet, cells); err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; i <= n; i++ {
		cells, items := invented(i)
		if change != nil {
			change(i, cells, items)
		}
		put(0, i, cells)
		for s := 1; s < len(shown); s++ {
			for _, item := range items[shown[s].List] {
				put(s, i, item)
			}
		}
	}
	w, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := book.Write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func pp1(t testing.TB) (*caseforms.Definitions, *caseforms.Form) {
	t.Helper()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.Form("pp1")
	if err != nil {
		t.Fatal(err)
	}
	return d, f
}

func TestMakeWorkbook(t *testing.T) {
	name := os.Getenv("CASEFORMS_MAKE_WORKBOOK")
	if name == "" {
		t.Skip("set CASEFORMS_MAKE_WORKBOOK to the name of a workbook to be made")
	}
	n := 100
	if v := os.Getenv("CASEFORMS_BENCH_ROWS"); v != "" {
		fmt.Sscan(v, &n)
	}
	workbook(t, filepath.Clean(name), n, nil)
}
