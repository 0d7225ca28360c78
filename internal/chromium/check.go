package chromium

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"
)

// Axe is what axe-core finds wrong with the page, or with what some selectors name of it, by the rules of WCAG 2.2 AA and by what it calls best
// practice, but for the rules that are excepted; nothing where axe-core is not there.
func (p *Page) Axe(except []string, of ...string) (out []string) {
	p.t.Helper()
	if p.b.axe == "" {
		return nil
	}
	run(p, "axe-core", chromedp.Evaluate[chromedp.Void](p.b.axe+"; undefined"))
	rules, context := "", "document"
	for _, e := range except {
		rules += fmt.Sprintf("%q: {enabled: false}, ", e)
	}
	if of != nil {
		context = fmt.Sprintf("[...document.querySelectorAll(%q)]", strings.Join(of, ", "))
	}
	for _, v := range eval[[]string](p, `axe.run(`+context+`, {iframes: false, elementRef: false, resultTypes: ["violations"], rules: {`+rules+`},
		runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}).then((r) =>
		r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 300) + " (" + n.failureSummary + ")").join("; ")))`) {
		out = append(out, "axe: "+strings.Join(strings.Fields(v), " "))
	}
	return out
}

// Misfits are what does not fit on the screen: what makes the page scroll sideways, reaches over its edge or is cut off. A table may scroll by
// itself where the keyboard gets to it.
func (p *Page) Misfits() []string { p.t.Helper(); return eval[[]string](p, "misfits()") }

// Astray are the links to a place on the page that is not there.
func (p *Page) Astray() []string { p.t.Helper(); return eval[[]string](p, "astray()") }

// Spoil types into every field of a form for a date, a number or an address of e-mail what is none. It tells whether there are any.
func (p *Page) Spoil() bool { p.t.Helper(); return eval[bool](p, "spoil()") }

// Do does something with the page that people cannot.
func (p *Page) Do(script string) {
	p.t.Helper()
	eval[bool](p, "(() => { "+script+"; return true })()")
}

// Send sends a form that the page does not have: names and values.
func (p *Page) Send(path string, pairs ...string) {
	p.t.Helper()
	fields, err := json.Marshal(pairs)
	if err != nil {
		p.t.Fatal(err)
	}
	p.load(path, func() { p.t.Helper(); p.Do(fmt.Sprintf("sendForm(%q, %s)", path, fields)) })
}

// Printed checks that a frame shows a sheet with something printed on it, as people see it: white paper and dark letters.
func (p *Page) Printed(title string) {
	p.t.Helper()
	n := p.find(title, []string{"Iframe", "IframePresentational"})
	send(p, title, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: n.id})
	var paper, ink float64
	for end := time.Now().Add(actTime); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		b := send(p, title, dom.GetBoxModel, dom.GetBoxModelParams{BackendNodeID: n.id}).Model.Content
		img, err := png.Decode(bytes.NewReader(run(p, title, chromedp.CaptureScreenshot())))
		if err != nil {
			p.t.Fatal(err)
		}
		// The viewer's own bar is at the top, and the edge of the sheet at the sides.
		area := image.Rect(int(b[0]+(b[4]-b[0])/4), int(b[1]+(b[5]-b[1])/4), int(b[0]+(b[4]-b[0])*3/4), int(b[5])).Intersect(img.Bounds())
		paper, ink = 0, 0
		for y := area.Min.Y; y < area.Max.Y; y++ {
			for x := area.Min.X; x < area.Max.X; x++ {
				switch l := color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y; {
				case l > 250:
					paper++
				case l < 90:
					ink++
				}
			}
		}
		all := float64(area.Dx() * area.Dy())
		if paper, ink = paper/all, ink/all; paper > 0.4 && ink > 0.003 && ink < 0.4 {
			return
		}
	}
	p.t.Fatalf("%s: %s shows no printed sheet: %.3f of it is paper, %.3f ink", p.Path(), title, paper, ink)
}
