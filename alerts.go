package caseforms

import "slices"

// Alerts are what is to be known of a person before anything else, in the words of the definitions: MAPPA category and level, a high risk to
// children, a child with a child protection plan.
func (d *Definitions) Alerts(c *Case) (out []string) {
	word := func(path, value string) string {
		if f := d.Facts[path]; f != nil {
			for _, o := range f.Options {
				if o.Value == value {
					return d.say(o.Label)
				}
			}
		}
		return value
	}
	labelled := func(path, between, value string) {
		out = append(out, d.factLabel(d.shape.at(path), path)+between+word(path, value))
	}
	if m := &c.MAPPA; m.Category.Known() {
		labelled("mappa.category", " ", string(m.Category.Value))
	}
	if m := &c.MAPPA; m.Level.Known() {
		labelled("mappa.level", " ", string(m.Level.Value))
	}
	if r := &c.Risk.RoSHChildren; r.Known() && slices.Contains([]Choice{"high", "very_high"}, r.Value) {
		labelled("risk.rosh_children", " – ", string(r.Value))
	}
	for i := range c.Children.Items {
		if s := &c.Children.Items[i].Status; s.Known() && s.Value == "protection_plan" {
			return append(out, word("children.status", "protection_plan"))
		}
	}
	return out
}
