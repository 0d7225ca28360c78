package casework

import (
	"testing"
	"time"
)

// The beginning of what is due is the beginning of the whole list, and counts the whole list, for everybody and every filter; what is of a case that
// somebody may not see is neither shown nor counted.
func TestDueHead(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, crn := range []string{"X100001", "X100002", "X100003", "X100004"} {
		data := with(t, sample(t, "01-simple"), crn, "person", "crn")
		data = with(t, with(t, data, "", "person", "prison_number"), "", "person", "pnc")
		out := o.record("petra", Record{Form: "cp1", Case: data, Outputs: []Output{{Format: "txt"}}})
		if _, err := o.HandOver(o.ctx, o.as("petra"), HandOver{Ref: out.Ref, Channel: Channels[0], To: "Northtown MASH"}); err != nil {
			t.Fatal(err)
		}
		if crn == "X100002" { // petra herself may not see it any more
			if err := o.Restrict(o.ctx, o.as("boss"), out.Case, []string{"mary"}, nil, "for the test"); err != nil {
				t.Fatal(err)
			}
		}
		if crn == "X100003" {
			if err := o.Restrict(o.ctx, o.as("boss"), out.Case, []string{"petra"}, nil, "for the test"); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := map[int]bool{}
	for _, days := range []time.Duration{0, 2, 9, 30} {
		o.clock = o.clock.Add(days * 24 * time.Hour)
		for _, login := range []string{"petra", "mary"} {
			for _, f := range []DueFilter{{Mine: true, Days: 7}, {Days: 7}, {Days: 365}, {Told: true, Days: 7}, {Team: "North", Days: 30}} {
				all, err := o.Due(o.ctx, o.as(login), f)
				if err != nil {
					t.Fatal(err)
				}
				over := 0
				for over < len(all) && all[over].Over > 0 {
					over++
				}
				for _, most := range []int{1, 3, 100} {
					h, err := o.DueHead(o.ctx, o.as(login), f, most)
					if err != nil {
						t.Fatal(err)
					}
					if h.Overs != over || h.Soons != len(all)-over || len(h.Over) != min(over, most) || len(h.Soon) != min(len(all)-over, most) {
						t.Errorf("%s %+v: %d and %d of %d and %d, want %d and %d", login, f, len(h.Over), len(h.Soon), h.Overs, h.Soons, over, len(all)-over)
						continue
					}
					for i := range h.Over {
						if h.Over[i].ID != all[i].ID {
							t.Errorf("line %d is %+v, want %+v", i, h.Over[i], all[i])
						}
					}
					for i := range h.Soon {
						if h.Soon[i].ID != all[over+i].ID {
							t.Errorf("line %d is %+v, want %+v", i, h.Soon[i], all[over+i])
						}
					}
				}
				seen[over], seen[-len(all)] = true, true
			}
		}
	}
	if len(seen) < 6 {
		t.Errorf("hardly anything was tried: %v", seen)
	}
}
