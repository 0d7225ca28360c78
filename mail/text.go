package mail

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// mostHTML is how much HTML is read, in bytes: pictures that stand in it take most of it.
const mostHTML = 8 * mostText

// htmlText is the text of a part of HTML as a reader sees it: without scripts, styles, pictures and what is hidden, so that nothing of it
// can be fetched or run. The tokenizer of golang.org/x/net/html reads it, as browsers do; no tree is built, so its depth does not matter.
func (in *Incoming) htmlText(p *part) string {
	w := &htmlWriter{}
	z := html.NewTokenizer(strings.NewReader(in.text(p, mostHTML)))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return in.shorten(w.end())
		case html.TextToken:
			w.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			t := htmlTag{name: string(name)}
			for more {
				var k, v []byte
				k, v, more = z.TagAttr()
				switch string(k) {
				case "style":
					t.style = string(v)
				case "hidden":
					t.hidden = true
				case "href":
					t.href = string(v)
				case "type", "class":
					t.class += " " + strings.ToLower(string(v))
				}
			}
			w.open(&t)
		case html.EndTagToken:
			name, _ := z.TagName()
			w.close(string(name))
		}
	}
}

type htmlTag struct {
	name, style, href, class string
	hidden                   bool
}

// htmlWriter turns tags and text into lines.
type htmlWriter struct {
	out    []byte
	breaks int    // line ends that are owed before the next word
	space  bool   // a space is
	quotes []bool // the block quotes that are open: whether they quote somebody, or only indent
	pre    int

	hide   string // the element that is hidden, with everything in it
	depth  int    // how many of its name are open
	secret bool   // it is never shown, even if it never ends
	before struct {
		at, breaks int
		space      bool
	}

	href string
	link int // where its text begins
}

func (w *htmlWriter) text(s string) {
	if w.pre > 0 {
		for i, l := range strings.Split(s, "\n") {
			if i > 0 {
				w.breaks = min(w.breaks+1, 3)
			}
			if strings.TrimSpace(l) != "" {
				w.emit(strings.TrimRight(l, " \t\r"))
			}
		}
		return
	}
	words := strings.Fields(s)
	if s == "" {
		return
	}
	if len(words) == 0 || !strings.HasPrefix(s, words[0]) {
		w.space = true
	}
	if len(words) > 0 {
		w.emit(strings.Join(words, " "))
		w.space = !strings.HasSuffix(s, words[len(words)-1])
	}
}

func (w *htmlWriter) emit(s string) {
	switch {
	case w.breaks > 0 || len(w.out) == 0:
		if len(w.out) > 0 {
			for range w.breaks {
				w.out = append(w.out, '\n')
			}
		}
		for _, quotes := range w.quotes[:min(len(w.quotes), 8)] {
			if quotes {
				w.out = append(w.out, '>', ' ')
			}
		}
	case w.space:
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, s...)
	w.breaks, w.space = 0, false
}

func (w *htmlWriter) block(breaks int) {
	w.breaks, w.space = max(w.breaks, breaks), false
}

// breaksOf are the line ends around an element.
func breaksOf(name string) int {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre", "table", "hr":
		return 2
	case "div", "tr", "li", "section", "article", "header", "footer", "main", "nav", "center", "form", "fieldset", "address", "dl", "dt", "dd", "body", "caption", "option":
		return 1
	}
	return 0
}

func (w *htmlWriter) open(t *htmlTag) {
	if w.hide != "" {
		switch {
		case w.hide == "head" && t.name == "body", w.hide == "p" && breaksOf(t.name) > 0: // their ends may be left out
			w.show()
		case t.name == w.hide:
			w.depth++
			return
		}
	}
	if n := breaksOf(t.name); n > 0 {
		w.block(n)
	}
	if w.hide == "" {
		switch secret := t.name == "script" || t.name == "style" || t.name == "title"; {
		case secret, t.name == "head", t.name == "template", t.name == "svg", t.name == "object", t.name == "iframe", t.name == "noembed", t.name == "select",
			!void(t.name) && (t.hidden || concealed(t.style)):
			w.hide, w.depth, w.secret = t.name, 1, secret
			w.before.at, w.before.breaks, w.before.space = len(w.out), w.breaks, w.space
			return
		}
	}
	switch t.name {
	case "br":
		w.breaks, w.space = min(w.breaks+1, 3), false
	case "td", "th":
		w.space = true
	case "li":
		w.emit("*")
		w.space = true
	case "pre":
		w.pre++
	case "blockquote":
		w.quotes = append(w.quotes, strings.Contains(t.class, "cite") || strings.Contains(t.class, "quote"))
	case "a":
		w.href, w.link = t.href, len(w.out)
	}
}

func (w *htmlWriter) close(name string) {
	if w.hide != "" && name == w.hide {
		if w.depth--; w.depth == 0 {
			w.show()
			return
		}
	}
	switch name {
	case "pre":
		w.pre = max(w.pre-1, 0)
	case "a":
		if w.href != "" && w.link <= len(w.out) {
			if to := target(w.href); to != "" && !strings.Contains(string(w.out[w.link:]), to) {
				w.space = true
				w.emit("<" + to + ">")
			}
		}
		w.href = ""
	}
	if n := breaksOf(name); n > 0 {
		w.block(n)
	}
	if name == "blockquote" && len(w.quotes) > 0 {
		w.quotes = w.quotes[:len(w.quotes)-1]
	}
}

// show ends what is hidden: what it wrote is taken back.
func (w *htmlWriter) show() {
	w.out = w.out[:w.before.at]
	w.breaks, w.space, w.hide, w.href = w.before.breaks, w.before.space, "", ""
}

// end is the text. What is hidden by an element that never ends is shown: better a line too many than an answer that nobody saw.
func (w *htmlWriter) end() string {
	if w.hide != "" && w.secret {
		w.show()
	}
	return visible(string(w.out))
}

func void(name string) bool {
	switch name {
	case "img", "br", "hr", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr":
		return true
	}
	return false
}

// concealedStyle finds what mail uses to hide the line that a list of messages shows.
var concealedStyle = pattern(`display:none|visibility:hidden|mso-hide:all|(?:^|;)(?:font-size|max-height|opacity):0(?:px|pt|em|%)?(?:;|!|$)`)

func concealed(style string) bool {
	if style == "" {
		return false
	}
	if len(style) > 2000 {
		style = style[:2000]
	}
	return concealedStyle().MatchString(strings.ToLower(strings.Join(strings.Fields(style), "")))
}

// target is where a link goes, as text.
func target(href string) string {
	href = strings.TrimSpace(href)
	if len(href) > 4096 {
		return ""
	}
	u, err := url.Parse(href)
	if err != nil {
		return ""
	}
	switch strings.ToLower(u.Scheme) {
	case "mailto":
		to, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return ""
		}
		return oneLine(to)
	case "http", "https":
		if len(href) > 300 {
			return u.Scheme + "://" + u.Host + "/…"
		}
		return strings.ReplaceAll(oneLine(href), " ", "%20")
	}
	return ""
}

// unflow joins the lines that were only broken to fit (RFC 3676).
func unflow(s string, delsp bool) string {
	var out strings.Builder
	joined := -1 // how deep the line before it was quoted, when this one goes on with it
	for l := range strings.Lines(s) {
		l = strings.TrimSuffix(l, "\n")
		quoted := len(l) - len(strings.TrimLeft(l, ">"))
		l = l[quoted:]
		l = strings.TrimPrefix(l, " ") // stuffed (4.4)
		if joined >= 0 && joined != quoted {
			out.WriteByte('\n')
		}
		if joined != quoted {
			if out.WriteString(strings.Repeat(">", quoted)); quoted > 0 {
				out.WriteByte(' ')
			}
		}
		if joined = -1; strings.HasSuffix(l, " ") && l != "-- " {
			joined = quoted
			if delsp {
				l = l[:len(l)-1]
			}
		}
		out.WriteString(l)
		if joined < 0 {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// The words by which mail programs begin what they quote, in English, Welsh, German, French, Polish, Dutch, Spanish, Italian, Portuguese and
// Scandinavian.
var (
	separator = pattern(`(?i)^[-_=\s]{2,}(original message|forwarded message|forwarded by .*|neges wreiddiol|neges a anfonwyd ymlaen|ursprüngliche nachricht|weitergeleitete nachricht|message d['’]origine|message original|message transféré|oryginalna wiadomość|wiadomość oryginalna|wiadomość przekazana|oorspronkelijk bericht|doorgestuurd bericht|mensaje original|mensaje reenviado|messaggio originale|mensagem original|oprindelig meddelelse|opprinnelig melding|ursprungligt meddelande)[-_=\s]*:?\s*$|(?i)^(begin forwarded message|dechrau neges a anfonwyd ymlaen|début du message réexpédié|anfang der weitergeleiteten nachricht)\s*:\s*$`)

	quotedFrom  = pattern(`(?i)^\W{0,3}(from|oddi wrth|o|von|de|od|van|da|fra|från)\W{0,3}\s?:\W{0,3}\s*\S`)
	quotedOther = pattern(`(?i)^\W{0,3}(sent|date|to|subject|anfonwyd|dyddiad|at|pwnc|gesendet|datum|an|betreff|envoyé|date|à|objet|wysłano|data|do|temat|verzonden|aan|onderwerp|enviado|para|asunto|inviato|a|oggetto|assunto|sendt|til|emne|skickat|till|ämne)\W{0,3}\s?:`)

	attribution = pattern(`(?is)^\W{0,3}(on|ar|am|le|w dniu|dnia|op|el|il|em|den|på)\s.+\b(wrote|ysgrifennodd|schrieb|a écrit|napisał|napisała|napisał\(a\)|pisze|schreef|escribió|ha scritto|escreveu|skrev).*:$`)
	whenOrWho   = pattern(`@|\d{4}|\d{1,2}[:.]\d\d`)
)

// splitHistory cuts off what a mail program put below what was written: the message it answers, or forwards. What is quoted between the lines
// of an answer stays, as the answer makes no sense without it.
func splitHistory(s string) (text, history string) {
	lines := strings.Split(s, "\n")
	cut := len(lines)
	for i, l := range lines {
		l = strings.TrimSpace(l)
		if l == "" || len(l) > 400 {
			continue
		}
		if (l[0] == '-' || l[0] == '_' || l[0] == '=' || strings.HasSuffix(l, ":")) && separator().MatchString(l) || quotedFrom().MatchString(l) && headers(lines[i+1:]) {
			cut = i
			break
		}
		if strings.HasSuffix(l, ":") && attributes(lines, i, true) >= 0 && !answeredBelow(lines[i+1:]) {
			cut = attributes(lines, i, true)
			break
		}
	}
	// What is left may end with quoted lines, below a line that says whose they are.
	last, quotes := cut-1, 0
	for ; last >= 0; last-- {
		if l := strings.TrimSpace(lines[last]); isQuote(l) {
			quotes++
		} else if l != "" {
			break
		}
	}
	if quotes > 0 {
		cut = last + 1
		if last >= 0 && strings.HasSuffix(strings.TrimSpace(lines[last]), ":") {
			if at := attributes(lines, last, false); at >= 0 {
				cut = at
			}
		}
	}
	for cut > 0 && cut < len(lines) && strings.Trim(lines[cut-1], "_ \t") == "" { // the line that Outlook draws
		cut--
	}
	return strings.Trim(strings.Join(lines[:cut], "\n"), "\n"), strings.Trim(strings.Join(lines[cut:], "\n"), "\n")
}

// attributes tells where the words begin that end in line i and say who wrote what follows, or -1. They may take up to three lines.
func attributes(lines []string, i int, sure bool) int {
	for n := range min(3, i+1) {
		s := strings.TrimSpace(strings.Join(lines[i-n:i+1], " "))
		if len(s) > 500 || strings.TrimSpace(lines[i-n]) == "" {
			return -1
		}
		if attribution().MatchString(s) && (!sure || whenOrWho().MatchString(s)) {
			return i - n
		}
	}
	return -1
}

// answeredBelow tells whether somebody answered below or between the lines that are quoted.
func answeredBelow(lines []string) bool {
	quoted := false
	for _, l := range lines {
		if l = strings.TrimSpace(l); isQuote(l) {
			quoted = true
		} else if l != "" && quoted {
			return true
		}
	}
	return false
}

// headers tells whether the lines below one that names a sender are those of a quoted header.
func headers(lines []string) bool {
	n := 0
	for _, l := range lines[:min(len(lines), 8)] {
		if quotedOther().MatchString(strings.TrimSpace(l)) {
			n++
		}
	}
	return n >= 2
}

// isQuote tells a quoted line. Three marks before a word are also how reports show what a server was told.
func isQuote(l string) bool { return strings.HasPrefix(l, ">") && !transcript().MatchString(l) }

var transcript = pattern(`^>>> (?:HELO|EHLO|MAIL|RCPT|DATA|RSET|QUIT|STARTTLS|AUTH)\b`)

// ownWords are the lines of a text that nobody is quoted in.
func ownWords(s string) string {
	if !strings.Contains(s, ">") {
		return s
	}
	var out strings.Builder
	for l := range strings.Lines(s) {
		if !isQuote(strings.TrimSpace(l)) {
			out.WriteString(l)
		}
	}
	return out.String()
}
