package chromium

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

//go:embed look.js
var look string

// eval evaluates an expression on the page, with the functions of look.js.
func eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return run(p, "looking at the page", chromedp.Evaluate[T]("(() => { "+look+"; return ("+expression+") })()", chromedp.EvalAwaitPromise))
}

// node is something on the page. It is good until the page is left.
type node struct {
	id     cdp.BackendNodeID
	object runtime.RemoteObjectID
	name   string
}

// call calls a function of a node, written in JavaScript.
func call[T any](p *Page, n node, function string) T {
	p.t.Helper()
	return run(p, n.name, chromedp.CallFunctionOn[T]("function() { "+look+"; return ("+function+").apply(this) }", func(c *runtime.CallFunctionOnParams) { c.ObjectID = n.object }))
}

// named are the nodes that assistive technology is told of by one of the roles and by a name, in a group of that name where there is one.
func (p *Page) named(in, name string, roles ...string) (found []*accessibility.Node, err error) {
	root, err := try(p, dom.GetDocument, dom.GetDocumentParams{})
	if err != nil {
		return nil, err
	}
	query := func(in cdp.BackendNodeID, name string, roles ...string) (found []*accessibility.Node) {
		all, e := try(p, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{BackendNodeID: in})
		if err = e; err != nil {
			return nil
		}
		for _, n := range all.Nodes {
			if !n.Ignored && slices.Contains(roles, text(n.Role)) && (name == "" || text(n.Name) == name) {
				found = append(found, n)
			}
		}
		return found
	}
	if in == "" {
		found = query(root.Root.BackendNodeID, name, roles...)
		return found, err
	}
	for _, g := range query(root.Root.BackendNodeID, in, "group", "region", "radiogroup") {
		found = append(found, query(g.BackendDOMNodeID, name, roles...)...)
	}
	return found, err
}

// text is a word or a name. What is hidden from the eye makes more than one space in a name.
func text(v *accessibility.Value) (s string) {
	if v != nil {
		_ = json.Unmarshal(v.Value, &s)
	}
	return strings.Join(strings.Fields(s), " ")
}

var (
	pressed = []string{"link", "button", "DisclosureTriangle"}
	filled  = []string{"textbox", "combobox", "searchbox", "MenuListPopup"}
	chosen  = []string{"radio", "checkbox"}
)

// find finds what has a name and one of the roles; "Group > name" is what has it in a group. Where several have
// it, it is the first.
func (p *Page) find(name string, roles []string) node {
	p.t.Helper()
	n, ok := p.look(name, roles, 2*time.Second)
	if !ok {
		var there []string
		all, _ := p.named("", "", roles...)
		for _, n := range all {
			there = append(there, text(n.Name))
		}
		p.t.Fatalf("%s has no %s of the name %q, but:\n%s\n%.3000s", p.Path(), strings.Join(roles, " or "), name, strings.Join(there, "\n"), p.Text())
	}
	return n
}

func (p *Page) look(name string, roles []string, wait time.Duration) (n node, ok bool) {
	p.t.Helper()
	in, of, grouped := strings.Cut(name, " > ")
	if !grouped {
		in, of = "", name
	}
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		found, err := p.named(in, of, roles...)
		if err == nil && len(found) > 0 {
			var o dom.ResolveNodeResult
			if o, err = try(p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: found[0].BackendDOMNodeID}); err == nil {
				return node{found[0].BackendDOMNodeID, o.Object.ObjectID, name}, true
			}
		}
		if time.Now().After(end) {
			return n, false
		}
		if p.ctx.Err() != nil {
			p.fatal(name, err)
		}
	}
}

// Has tells whether there is a link or a button of a name.
func (p *Page) Has(name string) bool {
	p.t.Helper()
	_, ok := p.look(name, pressed, 0)
	return ok
}

// Follow uses a link or a button that leads to another page.
func (p *Page) Follow(name string) {
	p.t.Helper()
	n := p.find(name, pressed)
	p.load(name, func() { p.t.Helper(); p.press(n) })
}

// Press uses a link or a button that leads nowhere else.
func (p *Page) Press(name string) {
	p.t.Helper()
	p.press(p.find(name, pressed))
}

func (p *Page) press(n node) {
	p.t.Helper()
	if p.way.Keyboard {
		p.reach(n)
		p.key(kb.Enter)
		return
	}
	p.click(n)
}

// click clicks on the middle of what is shown of a node.
func (p *Page) click(n node) {
	p.t.Helper()
	send(p, n.name, dom.ScrollIntoViewIfNeeded, dom.ScrollIntoViewIfNeededParams{BackendNodeID: n.id})
	quads := send(p, n.name, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: n.id}).Quads
	if len(quads) == 0 {
		p.t.Fatalf("%s: %s is not shown", p.Path(), n.name)
	}
	q := quads[0]
	run(p, n.name, chromedp.MouseClickXY((q[0]+q[4])/2, (q[1]+q[5])/2))
}

// Fill writes into a field in the place of what is there, or chooses from a list.
func (p *Page) Fill(name, value string) {
	p.t.Helper()
	n := p.find(name, filled)
	if call[bool](p, n, "function() { return this.tagName === 'SELECT' }") {
		p.pick(n, value)
		return
	}
	if p.way.Keyboard {
		p.reach(n)
	} else {
		p.click(n)
	}
	call[bool](p, n, "function() { this.select(); return true }") // as Ctrl+A does
	p.key(kb.Backspace)
	send(p, name, input.InsertText, input.InsertTextParams{Text: value})
	if got := call[string](p, n, "function() { return this.value }"); got != value {
		p.t.Fatalf("%s has %q after %q was typed", name, got, value)
	}
}

// pick goes down a list to what is to be chosen. How a list that is opened looks is the browser's own affair.
func (p *Page) pick(n node, value string) {
	p.t.Helper()
	if p.way.Keyboard {
		p.reach(n)
	} else {
		send(p, n.name, dom.Focus, dom.FocusParams{BackendNodeID: n.id})
	}
	p.key(kb.Home)
	for at := -1; ; p.key(kb.ArrowDown) {
		now := call[[]any](p, n, "function() { return [this.selectedIndex, this.selectedOptions[0].textContent.trim()] }")
		if now[1] == value {
			return
		}
		if i := int(now[0].(float64)); i != at {
			at = i
			continue
		}
		p.t.Fatalf("%s: %s has no %q", p.Path(), n.name, value)
	}
}

// Choose chooses one of several, or ticks a box.
func (p *Page) Choose(name string) {
	p.t.Helper()
	n := p.find(name, chosen)
	const checked = "function() { return this.checked }"
	if call[bool](p, n, checked) {
		return
	}
	if p.way.Keyboard {
		p.reach(n) // an arrow chooses among radios
		if !call[bool](p, n, checked) {
			p.key(" ")
		}
	} else {
		p.click(n)
	}
	if !call[bool](p, n, checked) {
		p.t.Fatalf("%s is not chosen", name)
	}
}

// key presses a key. What it types goes with its going down, as a keyboard sends it: by itself it would come to whatever has the focus by then, and an Enter
// that follows a link to a field would send the form.
func (p *Page) key(k string) {
	p.t.Helper()
	for _, r := range k {
		events := kb.Encode(r)
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		send(p, "a key", input.DispatchKeyEvent, down)
		send(p, "a key", input.DispatchKeyEvent, up)
	}
}

// at is where the focus is, as look.js tells it.
type at struct {
	Here, Group bool   // it is the one that was looked for; it is in the same group of radios
	Back        bool   // what was looked for stands before it
	Frame       bool   // it is in a frame, of which we see only that
	Stays       bool   // it is where it was
	Hidden      string // why it is not seen; "" when it is
	What        string
}

// reach goes with the keyboard to something. Wherever it comes on its way the focus must be seen, and it must not stay where it is.
func (p *Page) reach(n node) {
	p.t.Helper()
	stays := 0
	for range 400 {
		a := call[at](p, n, "focused")
		if a.Hidden != "" {
			p.t.Errorf("%s: the focus is not seen on %s: %s", p.Path(), a.What, a.Hidden)
		}
		if stays++; !a.Stays {
			stays = 0
		}
		if stays > 2 && !a.Frame || stays > 60 {
			p.t.Fatalf("%s: the keyboard does not get away from %s to %s", p.Path(), a.What, n.name)
		}
		switch {
		case a.Here:
			return
		case a.Group && a.Back:
			p.key(kb.ArrowUp)
		case a.Group:
			p.key(kb.ArrowDown)
		case a.Back:
			run(p, "shift and tab", chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift)))
		default:
			p.key(kb.Tab)
		}
	}
	p.t.Fatalf("%s: the keyboard does not reach %s", p.Path(), n.name)
}

// Focuses checks that the focus is on something whose name begins so, or comes there soon: a busy machine takes its time.
func (p *Page) Focuses(name string) {
	p.t.Helper()
	at := ""
	for range 500 {
		if at = eval[string](p, "nameOf(document.activeElement)"); strings.HasPrefix(at, name) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Errorf("%s: the focus is on %q, and not on %q", p.Path(), at, name)
}

// FocusIn checks that the focus is within what a selector names.
func (p *Page) FocusIn(selector string) {
	p.t.Helper()
	if at := eval[string](p, fmt.Sprintf("document.activeElement.closest(%q) ? '' : what(document.activeElement)", selector)); at != "" {
		p.t.Errorf("%s: the focus is on %s, and not in %s", p.Path(), at, selector)
	}
}

// Tab presses the Tab key.
func (p *Page) Tab() { p.t.Helper(); p.key(kb.Tab) }

// Text is what is written on the page.
func (p *Page) Text() string { p.t.Helper(); return eval[string](p, "document.body.innerText") }

// See checks that the page has some words, and gives what is written on it.
func (p *Page) See(words ...string) string {
	p.t.Helper()
	s := p.Text()
	for _, w := range words {
		if !strings.Contains(strings.Join(strings.Fields(s), " "), w) {
			p.t.Fatalf("%s does not say %q:\n%s", p.Path(), w, s)
		}
	}
	return s
}

// Wait asks for the page again until it has some words.
func (p *Page) Wait(words string) {
	p.t.Helper()
	for end := time.Now().Add(2 * actTime); !strings.Contains(p.Text(), words); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s does not come to say %q:\n%s", p.Path(), words, p.Text())
		}
		p.Go(p.Path())
	}
}
