package caseforms_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"caseforms"
	"caseforms/templates"
)

func TestEdit(t *testing.T) {
	t.Parallel()
	d, err := templates.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		record string
		do     func(*caseforms.Edit)
		want   string
	}{
		"a value":                   {`{"person":{"crn":"X1"}}`, func(e *caseforms.Edit) { e.SetValue("person.family_name", "O'Neil") }, `{"person":{"crn":"X1","family_name":"O'Neil"}}`},
		"in an item":                {`{"children":[{"name":"A"},{"name":"B"}]}`, func(e *caseforms.Edit) { e.SetState("children[1].dob", "not_known", "no papers") }, `{"children":[{"name":"A"},{"name":"B","dob":{"state":"not_known","why":"no papers"}}]}`},
		"a new item":                {`{"children":{"state":"none_known"}}`, func(e *caseforms.Edit) { e.SetValue("children[0].name", "A") }, `{"children":[{"name":"A"}]}`},
		"blank items go":            {`{"children":[{"name":""},{"name":"B"},{}]}`, func(*caseforms.Edit) {}, `{"children":[{"name":"B"}]}`},
		"an item goes":              {`{"children":[{"name":"A"},{"name":"B"}]}`, func(e *caseforms.Edit) { e.Remove("children", 0); e.Remove("children", 7) }, `{"children":[{"name":"B"}]}`},
		"the last item goes":        {`{"children":[{"name":"A"}]}`, func(e *caseforms.Edit) { e.Remove("children", 0) }, `{}`},
		"nothing to clear":          {`{}`, func(e *caseforms.Edit) { e.Clear("person.crn") }, `{}`},
		"a state taken apart":       {`{"manager":{"state":"not_known","why":"new"}}`, func(e *caseforms.Edit) { e.SetValue("manager.name", "M") }, `{"manager":{"name":"M","role":{"state":"not_known","why":"new"},"agency":{"state":"not_known","why":"new"},"phone":{"state":"not_known","why":"new"},"email":{"state":"not_known","why":"new"},"address":{"state":"not_known","why":"new"},"secure_domain_checked":{"state":"not_known","why":"new"}}}`},
		"one of several has states": {`{"person":{"aliases":["A",{"state":"withheld","why":"asked"}]}}`, func(e *caseforms.Edit) { e.SetValues("person.aliases", []string{"Withheld: asked", "C"}) }, `{"person":{"aliases":[{"state":"withheld","why":"asked"},"C"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := d.Edit([]byte(c.record))
			if err != nil {
				t.Fatal(err)
			}
			c.do(e)
			b, err := e.JSON()
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if json.Unmarshal(b, &got) != nil || json.Unmarshal([]byte(c.want), &want) != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %s\nwant %s", b, c.want)
			}
			if x, ps := d.Decode(b, nil); x == nil {
				t.Error(ps)
			}
		})
	}
	e, _ := d.Edit([]byte(`{"manager":{"state":"not_known","why":"new"},"children":[{"unborn":true,"lives_with_person":"not_known"}]}`))
	if got := e.Get("manager.name"); got.State != caseforms.NotKnown || got.Why != "new" {
		t.Error(got)
	}
	if got := e.Get("children[0].unborn"); got.Text() != "yes" {
		t.Error(got)
	}
	if got := e.Get("children[0].lives_with_person"); got.State != caseforms.NotKnown {
		t.Error(got)
	}
	if got := e.Get("children[5].name"); got.State != caseforms.NotAnswered {
		t.Error(got)
	}
	if _, err := d.Edit([]byte(`[]`)); err == nil {
		t.Error("a list is no case record")
	}
}

// Everything a form uses can be typed somewhere on its pages, but for what the recipient answers and what has no page: a list in an item.
func TestAskedAsksForEverything(t *testing.T) {
	t.Parallel()
	for _, area := range append(templates.Areas(), "") {
		d, err := templates.Load(area)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Forms {
			a := d.Asked(f)
			asked := map[string]bool{}
			for _, topic := range a.Topics {
				for _, q := range topic.Questions {
					for _, fact := range q.Facts {
						asked[fact.Path] = true
						if fact.Label == "" {
							t.Errorf("%s: %s has no label", f.ID, fact.Path)
						}
						if to, at := a.TopicOf(fact.Path, topic.Title); to == nil || at != fact.Path {
							t.Errorf("%s: %s is found at %s", f.ID, fact.Path, at)
						}
					}
					for _, l := range q.Lists {
						asked[l] = true
						for _, iq := range a.List(l).Questions {
							for _, fact := range iq.Facts {
								asked[l+"."+fact.Path] = true
							}
						}
					}
				}
			}
			for _, table := range d.Tables(f) {
				for _, c := range table.Columns {
					path := c.Key
					if table.List != "" {
						path = table.List + "." + c.Key
					}
					if !asked[path] {
						t.Errorf("%s: nothing asks for %s", f.ID, path)
					}
				}
			}
		}
	}
}
