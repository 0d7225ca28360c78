package mail

import (
	"bytes"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Action is what a report says became of a message (RFC 3464 2.3.3).
type Action string

const (
	ActionFailed    Action = "failed"    // it did not arrive, and the server has given up
	ActionDelayed   Action = "delayed"   // it has not arrived yet; the server goes on trying, or somebody there holds it
	ActionRelayed   Action = "relayed"   // it was handed to a server that sends no reports: nothing more will be heard
	ActionDelivered Action = "delivered" // it is in the mailbox; nobody need have read it
	ActionExpanded  Action = "expanded"  // it was handed on to the members of a list
)

// Report is what a server says became of something that was sent. The program that wrote it may have left out any of it.
type Report struct {
	Action     Action // the worst of those of its recipients; "" when it does not tell
	Recipients []Reported
	Server     string    // which wrote the report
	EnvelopeID string    // ours of what was sent (ENVID, RFC 3461 4.4)
	Arrived    time.Time // when what was sent came to that server
	OriginalID string    // the Message-ID of what was sent
	Machine    bool      // it was read from a delivery status; else from what is written for people, and less sure

	senders string   // of what was sent, as far as it came back: one of them may hold our token
	to      []string // whom that says it was for
}

// Reported is what became of what was sent to one recipient.
type Reported struct {
	Recipient  string // who it was for in the end; after a forwarding not whom it was sent to
	Original   string // whom it was sent to, when that is told
	Action     Action
	Status     string // such as 5.1.1 (RFC 3463)
	Diagnostic string // what the other server said, or the report in its words
	Remote     string // that server
	Last       time.Time
	RetryUntil time.Time
}

// Receipt is what a recipient's mail program says was done with a message (RFC 8098). That it was shown does not mean that anybody read it.
type Receipt struct {
	Recipient   string
	OriginalID  string
	Disposition string // displayed, deleted, dispatched, processed, denied, failed
	Automatic   bool   // no person agreed to it being sent
}

const (
	mostReported = 100       // recipients of one report
	mostWords    = 256 << 10 // of its text, in bytes, in which what was sent is looked for
)

// statusBlocks are the groups of fields of a delivery status (RFC 3464 2.1): one about the message, then one for each recipient. Groups that
// nothing parts are told by their first field coming again.
func statusBlocks(b []byte) []header {
	var out []header
	for len(b) > 0 && len(out) <= mostReported {
		if b = bytes.TrimLeft(b, "\r\n"); len(b) == 0 {
			break
		}
		h, rest, _ := readHeader(b, mostPartHeader)
		if len(rest) == len(b) { // a line that is no field
			_, rest = cutLine(b)
		}
		b = rest
		for len(h) > 0 && len(out) <= mostReported {
			n, seen := 0, map[string]bool{}
			for ; n < len(h); n++ {
				k := h[n].key
				if (k == "final-recipient" || k == "original-recipient" || k == "action") && seen[k] {
					break
				}
				seen[k] = true
			}
			// The recipient begins the group, so what was before belongs to the message.
			if first := slices.IndexFunc(h[:n], func(f headerField) bool { return f.key == "original-recipient" || f.key == "final-recipient" }); first > 0 {
				if h[:first].has("reporting-mta") || h[:first].has("arrival-date") {
					out = append(out, h[:first])
					h, n = h[first:], n-first
				}
			}
			out = append(out, h[:n])
			h = h[n:]
		}
	}
	return out
}

// reported reads what there is of a report.
func (in *Incoming) reported(e *evidence, status *part) {
	r := &Report{}
	in.Report = r
	if status != nil {
		r.Machine = true
		in.fromStatus(r, in.decode(status))
	}
	in.returned(r)
	in.fromWords(r, e)
	r.Action = worst(r)
}

func worst(r *Report) Action {
	for _, a := range []Action{ActionFailed, ActionDelayed, ActionExpanded, ActionRelayed, ActionDelivered} {
		if slices.ContainsFunc(r.Recipients, func(x Reported) bool { return x.Action == a }) {
			return a
		}
	}
	return r.Action
}

func (in *Incoming) fromStatus(r *Report, b []byte) {
	for _, h := range statusBlocks(b[:min(len(b), 1<<20)]) {
		r.Server = orElse(r.Server, typed(h.get("reporting-mta")))
		r.EnvelopeID = orElse(r.EnvelopeID, strings.Trim(h.get("original-envelope-id"), "<>"))
		if v := h.get("arrival-date"); v != "" && r.Arrived.IsZero() {
			r.Arrived = parseDate(v)
		}
		if v := h.get("original-message-id"); v != "" && r.OriginalID == "" { // not of RFC 3464, but some write it
			r.OriginalID = strings.Trim(v, "<> ")
		}
		x := Reported{
			Recipient:  onlyAddress(in.words(orElse(h.get("final-recipient"), h.get("x-actual-recipient")))),
			Original:   onlyAddress(in.words(h.get("original-recipient"))),
			Diagnostic: oneLine(typed(in.words(h.get("diagnostic-code")))),
			Remote:     hostOnly(typed(h.get("remote-mta"))),
			Last:       parseDate(h.get("last-attempt-date")),
			RetryUntil: parseDate(h.get("will-retry-until")),
		}
		x.Status = enhanced(h.get("status"))
		if x.Status == "" || strings.HasSuffix(x.Status, ".0.0") { // "undefined": the server may have said more
			x.Status = orElse(enhancedIn(x.Diagnostic), x.Status)
		}
		x.Action = actionOf(h.get("action"), x.Status)
		if h.get("final-recipient")+h.get("original-recipient")+h.get("action")+h.get("status") == "" {
			continue
		}
		if x.Recipient == "" {
			x.Recipient = x.Original
		}
		r.Recipients = append(r.Recipients, x)
	}
}

// typed takes off the type before a value, such as rfc822; or dns; (RFC 3464 2.1.2).
func typed(v string) string {
	if t, rest, ok := strings.Cut(v, ";"); ok && !strings.ContainsAny(strings.TrimSpace(t), " @<") {
		v = rest
	}
	return strings.TrimSpace(v)
}

func onlyAddress(v string) string {
	v = typed(v)
	if a := mailAddress().FindString(v); a != "" {
		return a
	}
	return strings.Trim(v, "<> ")
}

// hostOnly leaves out the number behind a host's name.
func hostOnly(v string) string {
	if f := strings.Fields(v); len(f) > 0 {
		return strings.TrimSuffix(f[0], ".")
	}
	return ""
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

var (
	enhancedCode = pattern(`(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?:$|[^\d.]|\.(?:$|\D))`)
	enhancedBy   = pattern(`(?i)(?:\b[245]\d\d[ -]+#?|#\s?|status(?:[ -]?code)?\W{1,3}|code\W{1,3}|fehlercode\W{1,3}|error\W{1,3}|')([245]\.\d{1,3}\.\d{1,3})(?:$|[^\d.]|\.(?:$|\D))`)
)

func enhanced(v string) string {
	if m := enhancedCode().FindStringSubmatch(v[:min(len(v), 200)]); m != nil {
		return m[1]
	}
	return ""
}

// enhancedIn finds a status in what a server said, where it is most surely one.
func enhancedIn(v string) string {
	v = v[:min(len(v), 16<<10)]
	if m := enhancedBy().FindStringSubmatch(v); m != nil {
		return m[1]
	}
	return ""
}

func actionOf(v, status string) Action {
	v, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(v)), " ")
	switch v = strings.Trim(v, ".,;"); v {
	case "failed", "failure", "fail", "error", "undeliverable", "bounced", "rejected":
		return ActionFailed
	case "delayed", "delay", "deferred", "warning", "queued":
		return ActionDelayed
	case "delivered", "deliver", "success":
		return ActionDelivered
	case "relayed", "relay":
		return ActionRelayed
	case "expanded", "expand":
		return ActionExpanded
	}
	switch {
	case strings.HasPrefix(status, "5"):
		return ActionFailed
	case strings.HasPrefix(status, "4"):
		return ActionDelayed
	case strings.HasPrefix(status, "2"):
		return ActionDelivered
	}
	return ""
}

// returned reads what came back of what was sent: whole, its header, or a piece of either, as a part or below the text.
func (in *Incoming) returned(r *Report) {
	var h header
	words := in.whole[:min(len(in.whole), mostWords)]
	if p := in.find(isReturned); p != nil {
		if len(p.kids) > 0 {
			h = p.kids[0].head
		} else {
			h, _, _ = readHeader(bytes.TrimLeft(in.decode(p), "\r\n"), mostPartHeader)
		}
	} else if p := in.find(func(p *part) bool {
		return p != in.root && p.typ != "text/html" && len(p.kids) == 0 && headerLike(p.body)
	}); p != nil {
		h, _, _ = readHeader(bytes.TrimLeft(in.decode(p), "\r\n"), mostPartHeader)
	} else if i := returnedLine().FindStringIndex(words); i != nil {
		h, _, _ = readHeader([]byte(strings.TrimLeft(words[i[1]:], "\n ")), mostPartHeader)
	}
	if ids := messageIDs(h.get("message-id")); len(ids) > 0 && r.OriginalID == "" {
		r.OriginalID = ids[0]
	}
	var senders []string
	for _, k := range []string{"reply-to", "return-path", "from", "sender", "errors-to", "x-envelope-from"} {
		senders = append(senders, h.all(k)...)
	}
	for _, a := range in.addresses(h.get("to")) {
		r.to = append(r.to, a.Address)
	}
	if m := idLine().FindStringSubmatch(words); m != nil && r.OriginalID == "" {
		r.OriginalID = m[1]
	}
	for _, k := range []string{"in-reply-to", "references"} { // Exchange and Gmail name there what they could not deliver
		if ids := messageIDs(in.head.get(k)); len(ids) > 0 && r.OriginalID == "" {
			r.OriginalID = ids[len(ids)-1]
		}
	}
	for _, a := range mailAddress().FindAllString(words[:min(len(words), 64<<10)], 200) {
		if strings.Contains(a, "+") {
			senders = append(senders, a)
		}
	}
	r.senders = strings.Join(senders, "\n")
}

var (
	idLine     = pattern(`(?im)^[\s>|]*message-?id\s*:\s*<([^<>\s]+)>`)
	headerLine = pattern(`(?im)^(received|message-id|from|to|subject|date|return-path|mime-version)\s*:`)

	// returnedLine is the line below which old servers put what was sent.
	returnedLine = pattern(`(?im)^[\s*=-]*(this is a copy of (the|your) (message|e-?mail)[^\n]*|below this line is a copy of the message[^\n]*|original message follows|unsent message below|unsent message follows|message headers? follows?|the header of the original message[^\n]*|original message headers?|original message|message header|returned message|ursprüngliche nachrichtenkopfzeilen|kopfzeilen der ursprünglichen nachricht|en-têtes de message d['’]origine|penawdau'r neges wreiddiol|oryginalne nagłówki wiadomości)[\s.:*=-]*$`)
)

func headerLike(b []byte) bool {
	b = bytes.TrimLeft(b[:min(len(b), 4<<10)], "\r\n")
	line, _ := cutLine(b)
	_, _, ok := fieldLine(line)
	return ok && len(headerLine().FindAllIndex(b, 4)) >= 3 && !statusLike(b)
}

// fromWords fills in what a report says only in words.
func (in *Incoming) fromWords(r *Report, e *evidence) {
	text, below := in.whole[:min(len(in.whole), mostWords)], ""
	if i := returnedLine().FindStringIndex(text); i != nil {
		text, below = text[:i[0]], text[i[1]:]
	}
	text = text[:min(len(text), 32<<10)]
	who := in.whom(text)
	if a := in.only(text); len(who) == 0 && len(r.to) == 0 && a != "" {
		who = []Reported{{Recipient: a}}
	}
	if len(who) == 0 {
		for _, a := range r.to {
			who = append(who, Reported{Recipient: a})
		}
	}
	if !r.Machine || len(r.Recipients) == 0 {
		r.Recipients = who
	}
	for i := range r.Recipients {
		if x := &r.Recipients[i]; x.Recipient == "" && i < len(who) {
			x.Recipient = who[i].Recipient
		}
	}
	said := diagnosticIn(text)
	if said == "" {
		said = diagnosticIn(below[:min(len(below), 4<<10)])
	}
	action := in.actionInWords(text)
	if action == ActionFailed && !e.lead && !e.words && !e.subject && !e.code && !e.ndr && !r.Machine {
		action = "" // nothing says so
	}
	for i := range r.Recipients {
		x := &r.Recipients[i]
		x.Diagnostic = orElse(x.Diagnostic, said)
		x.Status = orElse(x.Status, enhancedIn(x.Diagnostic))
		if len(r.Recipients) == 1 {
			x.Status = orElse(x.Status, enhancedIn(text))
			x.Remote = orElse(x.Remote, group(remoteHost, text))
		}
		if x.Action == "" {
			x.Action = action
		}
	}
	if len(r.Recipients) == 0 {
		r.Action = action
		if said != "" {
			r.Recipients = []Reported{{Action: action, Diagnostic: said, Status: enhancedIn(said), Remote: group(remoteHost, text)}}
		}
	}
	r.Server = orElse(r.Server, group(reportingHost, text))
}

func group(re func() *regexp.Regexp, s string) string {
	m := re().FindStringSubmatch(s)
	if m == nil {
		return ""
	}
	for _, g := range m[1:] {
		if g != "" {
			return strings.TrimRight(g, ".")
		}
	}
	return ""
}

var (
	remoteHost    = pattern(`(?i)(?:\bhost\s+([a-z0-9.-]+\.[a-z0-9-]+)\s*(?:\[|\()|while talking to\s+([a-z0-9.-]+)|remote server at ([a-z0-9.-]+\.[a-z0-9-]+)|^\s*([a-z0-9.-]+\.[a-z0-9-]+) (?:rejected|gave this error)|by the server for the recipient domain \S+ by ([a-z0-9.-]+\.[a-z0-9-]+)|\n\s*([a-z0-9-]+(?:\.[a-z0-9-]+)+) (?:rejected your message|gave this error))`)
	reportingHost = pattern(`(?i)(?:qmail-send program at\s+([a-z0-9.-]+)|the mail system at host\s+([a-z0-9.-]+)|(?:generating server|reporting server|generierender server|serveur de génération|gweinydd cynhyrchu|serwer generujący)\s*:\s*([a-z0-9.-]+)|original message was received at [^\n]*\s+from [^\n]*)`)

	diagnosticBegins = pattern(`(?im)\b[45]\d\d[ -][\w#<("'][^\n]*|^[^\n]*#[45]\.\d{1,3}\.\d{1,3}[^\n]*`)
	diagnosticTalk   = pattern(`(?im)^.*(?:smtp error from|remote (?:server|host)|said:|responded|error message|host .+ refused|unrouteable address|user unknown|unknown user|mailbox (?:is )?full|over quota|retry time|connection timed out|does not exist|doesn't exist|couldn't be found|no such user|i couldn't find|sorry, ).*$`)
)

// diagnosticIn finds what a server said in the text of a report: its answer, else the line that tells of it; with the lines it goes on in.
func diagnosticIn(text string) string {
	at := diagnosticBegins().FindStringIndex(text)
	if at == nil {
		if at = diagnosticTalk().FindStringIndex(text); at == nil {
			return ""
		}
	}
	s := strings.TrimSpace(text[at[0]:at[1]])
	for n, l := range strings.Split(text[at[1]:], "\n") {
		if l = strings.TrimSpace(l); n > 0 && (l == "" || n > 6 || strings.HasPrefix(l, "<") && strings.HasSuffix(l, ":") || strings.HasPrefix(l, "---") || strings.HasPrefix(l, ">>>")) {
			break
		}
		s += " " + l
	}
	s = strings.Trim(oneLine(s), `"'# `)
	if len(s) > 600 {
		s = strings.ToValidUTF8(s[:600], "") + "…"
	}
	return s
}

var (
	aloneLine  = pattern(`^[\s*•<"'(\[]*(?:mailto:)?([^\s<>()"':;,\[\]]+@[^\s<>()"':;,\[\]]+)[>"')\]]*(?:\s*<(?:mailto:)?[^\s<>]+@[^\s<>]+>)?\s*[:;.]?\s*(?:\((?:reason|expanded from|ultimately|generated from).*)?$`)
	beginsLine = pattern(`^[\s*]*<?([^\s<>()"':;,]+@[^\s<>()"':;,]+)>?(?:\s*\((?:expanded from|ultimately generated from)[^)]*\))?\s*(?::|\.\.\.|,? (?:on|because|wasn't|was not|could not|couldn't|failed|does not|doesn't|is ))`)
	namedLine  = pattern(`^[\s*]*[^\s<>()@:;"*][^<>()@:;"]*\s*[<(]+(?:mailto:)?([^\s<>()"':;,]+@[^\s<>()"':;,]+)[>)]+\s*(?:<[^>]*>)?\s*[:;.]?\s*$`)
	labelled   = pattern(`(?i)\b(?:recipients?(?: address)?|to|final recipient|intended recipient|empfänger|destinataires?|derbynnydd|adresat|odbiorca|failed address)\s*:\s*(?:\S+\s+){0,4}?[<(]?(?:mailto:)?([^\s<>()"':;,]+@[^\s<>()"':;,]+)`)
	rcptTo     = pattern(`(?i)\brcpt to:\s*<([^<>\s]+@[^<>\s]+)>|<([^<>\s]+@[^<>\s]+)>\.\.\. |<([^<>\s]+@[^<>\s]+)>: recipient address rejected`)
	inSentence = pattern(`(?i)\b(?:to|for|an|à|at|do|recipient|address|adresse|user|mailbox)\s+["'<(*]*(?:mailto:)?([^\s<>()"':;,*]+@[^\s<>()"':;,*]+)`)
)

// whom finds the recipients in the text of a report: in the places where programs put them, the surest kind of place first. Our own
// addresses, and that of whoever wrote the report, are none.
func (in *Incoming) whom(text string) []Reported {
	not := map[string]bool{}
	for _, a := range append(slices.Clone(in.To), in.From) {
		not[strings.ToLower(a.Address)] = true
	}
	var out []Reported
	add := func(a string) bool {
		a = strings.Trim(a, ".'’*")
		key := strings.ToLower(a)
		local, _, _ := strings.Cut(key, "@")
		if mailAddress().FindString(a) != a || not[key] || local == "postmaster" || daemons().MatchString(local) || len(out) >= mostReported {
			return false
		}
		not[key] = true
		out = append(out, Reported{Recipient: a})
		return true
	}
	for _, v := range in.head.all("x-failed-recipients") {
		for _, a := range strings.Split(v, ",") {
			add(strings.TrimSpace(a))
		}
	}
	lines := strings.Split(text, "\n")
	for n, find := range []func() *regexp.Regexp{aloneLine, beginsLine, namedLine} {
		if len(out) > 0 {
			break
		}
		for i, l := range lines {
			if len(l) > 500 || !strings.Contains(l, "@") {
				continue
			}
			if m := find().FindStringSubmatch(l); m != nil && add(m[1]) && n < 2 {
				out[len(out)-1].Diagnostic = diagnosticIn(strings.Join(lines[i:nextAddress(lines, i)], "\n"))
			}
		}
	}
	for _, find := range []func() *regexp.Regexp{rcptTo, labelled, inSentence} {
		if len(out) > 0 {
			break
		}
		for _, m := range find().FindAllStringSubmatch(text, 20) {
			add(strings.Join(m[1:], "")) // one of them is not empty
		}
	}
	return out
}

// only is the one address that stands in the text of a report and is neither ours nor the reporter's, wherever it stands.
func (in *Incoming) only(text string) string {
	found := ""
	for _, a := range mailAddress().FindAllString(text, 50) {
		a = strings.Trim(a, "'’*")
		local, _, _ := strings.Cut(strings.ToLower(a), "@")
		same := func(b string) bool { return strings.EqualFold(a, b) }
		switch {
		case same(found) || same(in.From.Address) || slices.ContainsFunc(in.To, func(b netmail.Address) bool { return same(b.Address) }) || local == "postmaster" || daemons().MatchString(local):
		case found != "":
			return ""
		default:
			found = a
		}
	}
	return found
}

// nextAddress is the line at which what is said of the address in line i ends at the latest.
func nextAddress(lines []string, i int) int {
	for n := i + 1; n < min(len(lines), i+20); n++ {
		if aloneLine().MatchString(lines[n]) || strings.HasPrefix(strings.TrimSpace(lines[n]), "<") && beginsLine().MatchString(lines[n]) || strings.HasPrefix(lines[n], "---") {
			return n
		}
	}
	return min(len(lines), i+20)
}

// actionInWords tells what a report says in words. Reports of a failure also tell for how long was tried, so only what still goes on is a delay.
func (in *Incoming) actionInWords(text string) Action {
	s := squeeze(text, 8<<10).text
	subject := strings.ToLower(in.Subject)
	any := func(s string, phrases []string) bool {
		return slices.ContainsFunc(phrases, func(p string) bool { return strings.Contains(s, p) })
	}
	switch {
	case any(s, stillTrying) || any(subject, []string{"delayed", "(delay)", "verzögert", "retard", "oedi", "opóźni", "could not send message for past", "still being retried"}):
		return ActionDelayed
	case any(s, withoutReports) || strings.HasPrefix(subject, "relayed:"):
		return ActionRelayed
	case any(s, arrived) || strings.HasPrefix(subject, "delivered:"):
		return ActionDelivered
	}
	return ActionFailed
}

// received reads a disposition notification (RFC 8098 3), or what a mail program says in place of one.
func (in *Incoming) received(p *part) {
	r := &Receipt{}
	in.Receipt = r
	if p == nil {
		r.Disposition = "displayed"
		if s := squeeze(in.whole, 2<<10).text; strings.Contains(s, "without being read") || strings.Contains(s, "ungelesen") || strings.Contains(s, "sans être lu") || strings.Contains(s, "heb ei ddarllen") || strings.Contains(s, "bez czytania") {
			r.Disposition = "deleted"
		}
		r.Recipient = in.From.Address
	} else {
		for _, h := range statusBlocks(in.decode(p)) {
			r.Recipient = orElse(r.Recipient, onlyAddress(in.words(h.get("final-recipient"))))
			r.Recipient = orElse(r.Recipient, onlyAddress(in.words(h.get("original-recipient"))))
			if ids := messageIDs(h.get("original-message-id")); len(ids) > 0 {
				r.OriginalID = orElse(r.OriginalID, ids[0])
			}
			if v := strings.ToLower(h.get("disposition")); v != "" && r.Disposition == "" {
				mode, what, ok := strings.Cut(v, ";")
				if !ok {
					what = mode
				}
				what, _, _ = strings.Cut(what, "/")
				r.Disposition = strings.TrimSpace(what)
				r.Automatic = strings.Contains(mode, "mdn-sent-automatically")
			}
		}
	}
	if h := in.find(isReturned); h != nil && r.OriginalID == "" {
		var rep Report
		in.returned(&rep)
		r.OriginalID = rep.OriginalID
	}
	for _, k := range []string{"in-reply-to", "references"} {
		if ids := messageIDs(in.head.get(k)); len(ids) > 0 && r.OriginalID == "" {
			r.OriginalID = ids[len(ids)-1]
		}
	}
}

// The words of servers and mail programs, in small letters, with straight apostrophes and single spaces: English, Welsh, German, French, Polish
// and some more. Subjects are matched at their beginning, see startsWith; words at the beginning of a line or sentence.
var (
	bounceSubjects = []string{
		"undeliverable", "undeliverable:", "undeliverable mail", "undeliverable message", "undelivered mail returned to sender", "undelivered mail", "undeliverable mail returned to sender",
		"returned mail", "returned mail:", "mail delivery failed", "mail delivery failure", "mail delivery failed:", "mail delivery problem", "mail could not be delivered", "mail not delivered",
		"delivery status notification", "delivery status notification (", "delivery notification", "delivery notification:", "delivery failure", "delivery failed", "delivery has failed", "delivery report", "delivery delayed", "delivery delayed:", "delayed mail", "delayed mail (", "delayed:", "delivered:", "relayed:", "expanded:",
		"failure notice", "mail error", "mail delivery warning", "mail failed, returning to sender", "permanent delivery failure", "delivery failure notification", "undelivered message", "returned mail - ", "failure delivery", "mail failure", "mail system error", "mail system error -", "message delivery failure", "message not delivered", "message undeliverable", "message status - undeliverable", "message delayed",
		"warning: message ", "warning: could not send message for past ", "could not deliver message", "nondeliverable mail", "non-delivery report", "non delivery report", "non-delivery notification", "nondelivery report", "non remis", "email delivery failure", "e-mail delivery failure", "[postmaster] email delivery failure", "your message couldn't be delivered", "your message could not be delivered", "your message wasn't delivered", "message you sent blocked by our bulk email filter", "**message you sent blocked by our bulk email filter**", "message blocked", "message rejected", "message held", "message on hold", "message quarantined", "your message has been held", "considered unsolicited bulk email", "unzustellbar", "unzustellbar:", "unzustellbare nachricht", "nicht zustellbar", "nicht zugestellt", "zustellung fehlgeschlagen", "zustellungsfehler", "ihre nachricht konnte nicht zugestellt werden", "fehler bei der zustellung", "mail-zustellung fehlgeschlagen", "verzögert:",
		"non remis :", "non remis:", "non distribuable", "échec de la remise", "échec de remise", "message non remis", "message non distribué", "retardé :", "avis de non-remise", "notification d'état de remise",
		"ni ellir danfon", "ni ellir danfon:", "anhysbys:", "methwyd danfon", "methu danfon", "ni chafodd ei ddanfon", "heb ei ddanfon", "danfon wedi methu", "oedi:",
		"niedostarczone", "niedostarczalne", "niedostarczalne:", "nie można dostarczyć", "zwrot poczty", "niepowodzenie dostarczenia", "opóźnione:", "no se puede entregar", "no entregado", "onbestelbaar", "onbestelbaar:", "non recapitabile", "não entregue", "olevererbart", "ikke leveret",
	}
	bounceWords = []string{
		// sendmail, qmail, Exim, Postfix and their kin
		"the following addresses had permanent fatal errors", "the following addresses had transient non-fatal errors", "the following addresses had permanent delivery errors", "the original message was received at", "hi. this is the qmail-send program", "hi. this is the", "this is a permanent error; i've given up", "i'm afraid i wasn't able to deliver your message", "i'm sorry to have to inform you that", "this is the mail system at host", "this is the mail system", "this is the mail delivery program", "this is the postfix program", "this message was created automatically by mail delivery software", "this message was created automatically by the mail system", "a message that you sent could not be delivered", "a message that you have sent could not be delivered", "a message that you sent has not yet been delivered", "a message that you sent to the following recipients could not be delivered",
		"this is an automatically generated delivery status notification", "this is an automatically generated delivery failure", "the following message to ", "the following recipients could not be reached", "the following recipient(s) could not be reached", "the following recipient(s) cannot be reached", "the following recipients did not receive", "your message did not reach some or all of the intended recipients", "your message to the following recipients could not be delivered", "the message you sent to the following recipients could not be delivered", "your message has not been delivered to the following recipients", "your message was not delivered to the following", "your message cannot be delivered to the following recipients", "message from yahoo", "sorry, we were unable to deliver your message", "sorry, i couldn't find any host", "your mail message to the following address(es) could not be delivered", "mail could not be delivered to", "unable to deliver message to the following", "unable to deliver your message to the following", "could not deliver message to the following recipient", "could not deliver the message to the following", "could not be delivered to the following", "your e-mail message could not be delivered", "the mail system could not deliver", "the mail server could not deliver", "this is a delivery status notification", "this report relates to a message you sent", "message delivery failed", "mail delivery failed", "warning: this message has been delayed", "your message has been successfully relayed", "your message was successfully delivered", "your message was successfully relayed",
		// Exchange, Microsoft 365, Gmail
		"delivery has failed to these recipients or groups", "delivery is delayed to these recipients or groups", "delivery to these recipients or groups is complete", "your message has been delivered to the following recipients", "your message couldn't be delivered", "your message wasn't delivered to", "your message to ", "message not delivered", "address not found", "message blocked", "recipient inbox full", "delivery incomplete", "delivery to the following recipient failed", "delivery to the following recipients failed", "delivery to the following recipient has been delayed", "there was a temporary problem delivering your message", "there was a problem delivering your message", "the email account that you tried to reach", "the response from the remote server was", "remote server returned", "diagnostic information for administrators", "technical details of permanent failure", "this is only a notification about a delay", "couldn't deliver the message to the following recipients",
		// gateways
		"your message could not be delivered", "your email could not be delivered", "your e-mail could not be delivered", "the message you sent could not be delivered", "the email you sent could not be delivered", "the message you sent was not delivered", "the email message you sent was not delivered", "the message you sent requires that you verify", "an email you sent was rejected", "an email you sent has been rejected", "an email you sent could not be delivered", "your message was rejected", "your message has been rejected", "your email has been rejected", "your email was rejected", "your message has been blocked", "your email has been blocked", "your message has been quarantined", "your email has been quarantined", "your email message was blocked", "your message has been placed on hold", "your message has been held", "your email has been held", "the message you sent has been held", "the email you sent has been held", "your message to: ", "a message you sent was blocked", "the attached message was not delivered", "an error occurred while trying to deliver", "the following email could not be delivered", "the following mail could not be delivered", "unable to deliver message to ", "unable to deliver your message to ", "your mail to the following recipients could not be delivered", "your mail cannot be delivered to", "the email below could not be delivered", "did not reach the following recipient", "was not delivered to:", "your message with subject", "unfortunately, we were not able to deliver", "we were not able to deliver your message", "sorry, unable to deliver your message", "invalid final delivery userid", "undeliverable to ", "your message has encountered delivery problems", "the attached message had permanent fatal delivery errors", "this is a delivery failure notification", "failed addresses follow", "an error was detected while processing the enclosed message", "your message has not been delivered", "the following message could not be delivered", "the following message was blocked", "the following email was blocked", "we were unable to deliver your message", "we were unable to deliver the message", "we could not deliver your message", "mail delivery to the following recipient",
		// German, French, Welsh, Polish, others
		"fehler bei der nachrichtenzustellung an folgende empfänger", "ihre nachricht an ", "ihre nachricht konnte nicht", "die nachricht konnte nicht zugestellt werden", "diese nachricht wurde automatisch", "die folgenden empfänger", "ihre nachricht hat einige oder alle empfänger nicht erreicht", "die zustellung an folgende empfänger", "diese e-mail konnte nicht zugestellt werden", "ihre e-mail konnte nicht zugestellt werden", "die zustellung der nachricht", "ihre nachricht wurde nicht zugestellt",
		"échec de la remise aux destinataires", "échec de remise aux destinataires", "votre message n'a pas pu être remis", "votre message n'a pas été remis", "votre message à ", "votre message n'a pu être", "le message n'a pas pu être remis", "impossible de remettre", "nous n'avons pas pu remettre", "la remise à ces destinataires", "votre message n'est pas parvenu",
		"methodd danfon", "methwyd danfon", "mae danfon wedi methu", "ni ellid danfon eich neges", "ni fu modd danfon", "nid oedd modd danfon", "methwyd â danfon", "doedd dim modd danfon", "cafodd eich neges ei gwrthod", "ni chafodd eich neges ei danfon", "mae oedi wrth ddanfon",
		"dostarczenie do następujących adresatów", "nie można dostarczyć wiadomości", "nie udało się dostarczyć", "wiadomość nie została dostarczona", "twoja wiadomość nie została dostarczona", "dostarczanie do następujących odbiorców nie powiodło się", "nie dostarczono wiadomości",
		"error de entrega a estos destinatarios", "no se pudo entregar", "het bericht kan niet worden bezorgd", "bezorging aan de volgende geadresseerden is mislukt", "impossibile recapitare", "não foi possível entregar",
	}
	stillTrying = []string{
		"has not yet been delivered", "has not been delivered yet", "not been delivered yet", "delivery attempts will continue", "will continue to try", "will keep trying", "keep trying", "will be retried", "will retry", "will try again", "still trying", "do not need to resend", "don't need to resend", "no need to resend", "need to resend your message", "transient non-fatal errors", "has been delayed", "is delayed to these recipients", "placed on hold", "has been held", "been quarantined", "awaiting review", "awaiting release", "this is a warning message only", "this is only a notification about a delay",
		"zustellung ist verzögert", "verzögert", "weiterhin versucht", "wird erneut versucht", "noch nicht zugestellt", "retardée", "a été retardé", "pas encore été remis", "nouvelles tentatives", "oedi wrth ddanfon", "heb ei danfon eto", "byddwn yn dal i geisio", "opóźnion", "ponawiane", "nie została jeszcze dostarczona",
	}
	withoutReports = []string{"no delivery notification was sent by the destination", "has been successfully relayed", "was successfully relayed", "relayed to the following", "relayed to a mailer", "may not generate further notifications", "aucune notification de remise", "keine zustellbenachrichtigung"}
	arrived        = []string{"was successfully delivered", "has been successfully delivered", "has been delivered to the following recipients", "your message was delivered", "wurde an folgende empfänger zugestellt", "a été remis aux destinataires", "wedi cael ei danfon i", "została dostarczona do następujących"}

	// answerSubjects are given by mail programs alone; people do not write them.
	answerSubjects = []string{
		"automatic reply:", "automatic reply", "auto reply:", "auto-reply:", "autoreply:", "auto reply", "auto-reply", "autoreply", "auto response:", "auto-response:", "autoresponse:", "automatic response:", "automated response:", "automated reply:", "automatic acknowledgement:", "automated acknowledgement:", "out of office autoreply:", "out of office auto-reply:", "out of office automatic reply", "out of office reply:", "vacation reply:", "away from my mail",
		"ateb awtomatig:", "ateb awtomatig", "ymateb awtomatig:", "ymateb awtomatig", "ateb awtomataidd:", "automatische antwort:", "automatische antwort", "automatische antwort :", "abwesenheitsnotiz", "abwesenheitsnotiz:", "abwesenheitsmeldung", "abwesenheitsmeldung:", "automatische abwesenheitsnotiz", "réponse automatique :", "réponse automatique:", "réponse automatique", "message d'absence", "odpowiedź automatyczna:", "odpowiedź automatyczna", "automatyczna odpowiedź:", "automatyczna odpowiedź", "autoodpowiedź:", "autoodpowiedź", "automatisch antwoord:", "automatisch antwoord", "respuesta automática:", "respuesta automática", "risposta automatica:", "risposta automatica", "resposta automática:", "resposta automática", "automatisk svar:", "automatiskt svar:", "autosvar:", "automaattinen vastaus:", "automatická odpověď:", "răspuns automat:", "automatikus válasz:", "otomatik yanıt:", "автоматический ответ:", "automatinis atsakymas:", "automātiskā atbilde:",
	}
	// officeSubjects are given by programs, and sometimes by people.
	officeSubjects = []string{
		"out of office", "out of office:", "out of the office", "out of the office:", "ooo:", "i am out of the office", "i'm out of the office", "currently out of the office",
		"allan o'r swyddfa", "allan o'r swyddfa:", "i ffwrdd o'r swyddfa", "abwesend", "abwesend:", "nicht im büro", "ich bin nicht im büro", "absence du bureau", "absence du bureau :", "absent du bureau", "poza biurem", "poza biurem:", "afwezig", "afwezig:", "fuera de la oficina", "fuera de la oficina:", "fuori sede", "fuori ufficio",
	}
	// absentSubjects say as much only when a program is known to have sent the message.
	absentSubjects = append([]string{
		"ooo", "on leave", "annual leave", "on annual leave", "on holiday", "away", "away:", "vacation", "thank you for your email", "thank you for your message", "thank you for contacting ", "we have received your email", "your email has been received", "acknowledgement", "acknowledgment", "message received", "confirmation of receipt",
		"ar wyliau", "diolch am eich e-bost", "diolch am eich neges", "diolch am gysylltu ", "nicht im haus", "urlaub", "eingangsbestätigung", "en congé", "absence", "accusé de réception", "nieobecność", "nieobecność:", "urlop", "dziękujemy za wiadomość", "potwierdzenie otrzymania",
	}, officeSubjects...)
	// automaticWords are what an answer says of itself.
	automaticWords = []string{
		"this is an automatic reply", "this is an automatic response", "this is an automatic acknowledgement", "this is an automatic message", "this is an automatic email", "this is an automated reply", "this is an automated response", "this is an automated acknowledgement", "this is an automated message", "this is an automated email", "this is an auto-generated ", "this is an auto-reply", "this is an autoreply", "this is an auto reply", "this is an auto-response", "this is a system generated ", "this is a system-generated ",
		"dyma ateb awtomatig", "mae hwn yn ateb awtomatig", "neges awtomatig yw hon", "ymateb awtomatig yw hwn", "dies ist eine automatische antwort", "dies ist eine automatisch", "ceci est une réponse automatique", "ceci est un message automatique", "to jest automatyczna odpowiedź", "to jest wiadomość automatyczna", "dit is een automatisch", "este es un mensaje automático", "questo è un messaggio automatico",
	}
	// unansweredWords say that nobody reads what is answered.
	unansweredWords = append([]string{
		"this email was generated automatically", "this message was generated automatically", "this mailbox is not monitored", "this is an unmonitored mailbox", "please do not reply to this email", "please do not reply to this message", "please do not reply to this automat", "do not reply to this email", "automated response", "automatic response", "automated acknowledgement", "diese e-mail wurde automatisch", "wiadomość wygenerowana automatycznie", "wiadomość została wygenerowana automatycznie",
	}, automaticWords...)
	absentWords = []string{
		"i am currently out of the office", "i'm currently out of the office", "i am out of the office", "i'm out of the office", "i will be out of the office", "i am away from the office", "i am on annual leave", "i'm on annual leave", "i am currently on annual leave", "i am on leave", "i am currently on leave", "i am on maternity leave", "i am not in the office", "i am no longer working", "i no longer work", "i have left ", "thank you for your email. i am", "thank you for your message. i am", "thank you for contacting ", "thank you for your email. we", "thank you for your email, we", "your email has been received", "we have received your email", "rwyf allan o'r swyddfa", "rydw i allan o'r swyddfa", "rwyf ar wyliau", "rwyf i ffwrdd", "ich bin nicht im büro", "ich bin derzeit nicht", "ich bin im urlaub", "ich bin bis", "ich bin vom", "ich bin ab", "je suis absent", "je suis actuellement", "je suis en congé", "jestem na urlopie", "jestem poza biurem", "przebywam na urlopie", "obecnie przebywam", "jestem nieobecn",
	}

	readSubjects = []string{"read:", "not read:", "read receipt", "read receipt:", "gelesen:", "ungelesen:", "nicht gelesen:", "lesebestätigung", "lesebestätigung:", "lu :", "lu:", "non lu :", "non lu:", "accusé de lecture", "darllenwyd:", "heb ei ddarllen:", "derbynneb darllen", "przeczytano:", "nie przeczytano:", "potwierdzenie przeczytania", "potwierdzenie przeczytania:", "return receipt", "return receipt (displayed)", "gelezen:", "leído:", "letto:", "lida:"}
	readWords    = []string{"your message", "this is a receipt for the mail you sent", "this is a return receipt for the mail", "the message sent on", "dies ist eine empfangsbestätigung", "ihre nachricht", "votre message", "eich neges", "darllenwyd eich neges", "twoja wiadomość", "wiadomość", "twoją wiadomość", "uw bericht", "su mensaje", "il messaggio"}

	serverAnswer  = pattern(`(?:^|[^0-9.])[45]\d\d[ -]+#?[45]\.\d{1,3}\.\d{1,3}\b|#[45]\.\d{1,2}\.\d{1,3}|smtp error from|remote (?:server|host) (?:returned|said)|(?:said|returned|response was|responded|reply|error|answer|antwort|answered|respuesta|a répondu|odpowiedział)[^.\n]*[:;] ?["'(]?[45]\d\d[ -]|<<< [45]\d\d|^[45]\d\d [45]\.\d`)
	returnedBelow = pattern(`this is a copy of (?:the|your) (?:message|email)|below this line is a copy of the message|original message follows|unsent message|original message headers?:?|message headers? follow|transcript of session follows|reporting-mta:|ursprüngliche nachrichtenkopfzeilen|en-têtes de message d'origine|penawdau'r neges wreiddiol`)
)
