package browser

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
)

// Axe is what axe-core finds wrong with the page by the rules of WCAG 2.2 AA and by what it calls best practice, but for the rules that are
// excepted; nothing where axe-core is not there.
func (p *Page) Axe(except ...string) (out []string) {
	p.t.Helper()
	if p.b.axe == "" {
		return nil
	}
	run(p, "axe-core", chromedp.Evaluate[chromedp.Void](p.b.axe+"; undefined"))
	rules := ""
	for _, e := range except {
		rules += fmt.Sprintf("%q: {enabled: false}, ", e)
	}
	for _, v := range eval[[]string](p, `axe.run(document, {iframes: false, elementRef: false, resultTypes: ["violations"], rules: {`+rules+`},
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}).then((r) =>
		r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 300) + " (" + n.failureSummary + ")").join("; ")))`) {
		out = append(out, "axe: "+strings.Join(strings.Fields(v), " "))
	}
	return out
}

// Misfits are what does not fit on the screen: what makes the page scroll sideways, reaches over its edge or is cut off. A table may scroll by
// itself where the keyboard gets to it.
func (p *Page) Misfits() []string { p.t.Helper(); return eval[[]string](p, "misfits()") }
