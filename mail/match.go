package mail

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"caseforms"
)

// Ours is what matching must know of ourselves.
type Ours struct {
	Mailboxes []Address // those that are watched, without tokens
	Relays    []string  // what our own relay calls itself in Authentication-Results (its authserv-id, RFC 8601 2.5)
	Unnamed   bool      // it does not call itself anything, as Microsoft 365, and takes out what others wrote
}

// Known is a send that something can be matched with.
type Known struct {
	ID  string // of the send, as in [Letter]
	Ref caseforms.Ref
	To  Address // to whom it was sent
}

// Keys finds sends by what was given to them. What it does not know is nil without an error.
type Keys interface {
	ByToken(ctx context.Context, t Token) (*Known, error)
	ByID(ctx context.Context, id string) (*Known, error)               // as the report calls it (ENVID), in small letters or as it was
	ByMessageID(ctx context.Context, messageID string) (*Known, error) // without its brackets
	HasRef(ctx context.Context, ref caseforms.Ref) (bool, error)       // a document that was sent has this reference
}

// Key is by what a message was matched.
type Key string

const (
	KeyToken      Key = "address"            // the token in the address it came to
	KeyReturned   Key = "returned address"   // the token in what a report returned
	KeyEnvelope   Key = "envelope id"        // ENVID
	KeyOriginal   Key = "returned message"   // the Message-ID that a report or receipt names
	KeyReplyTo    Key = "in-reply-to"        // In-Reply-To
	KeyReferences Key = "references"         // References
	KeySuggested  Key = "reference in words" // a reference in subject or text: only a suggestion
)

// Sure says how sure a match is.
type Sure string

const (
	Certain   Sure = "certain"   // by what nobody can guess, and only the recipient was told
	Likely    Sure = "likely"    // by a Message-ID, which also stands in what others were forwarded
	Suggested Sure = "suggested" // a person confirms it
)

// Match is what a message belongs to.
type Match struct {
	Send *Known // nil when none was found, or only a suggestion
	By   Key
	Sure Sure // "" when nothing was found

	// Verified says that our own relay vouches for the sender's domain, and that it is the recipient's. A reply that is matched but not
	// verified is shown as such, and a person decides. Reports are never verified: anybody's server may have written them.
	Verified bool
	Doubts   []string // what speaks against the match or the sender, for people; no personal data

	Also []*Known        // other sends it points to as well
	Refs []caseforms.Ref // references of ours in subject and text, those of Send left out
	Loop string          // why it is our own mail that came back, or goes in a circle; nothing is ever done upon such a message
}

// How much is looked up for one message.
const (
	mostLookedUp = 20 // keys of each kind
	mostRefs     = 10
	mostHops     = 50 // servers on its way; RFC 5321 6.3 lets a server refuse from 100 on
)

// Match finds the send that a message belongs to. Its only errors are those of keys.
func (o *Ours) Match(ctx context.Context, in *Incoming, keys Keys) (Match, error) {
	m := Match{}
	f := finder{ctx: ctx, keys: keys, m: &m}
	for _, t := range o.tokens(in.recipients()) {
		f.token(t, KeyToken)
	}
	if r := in.Report; r != nil {
		for _, t := range o.tokens(mailAddress().FindAllString(r.senders, mostAddresses)) {
			f.token(t, KeyReturned)
		}
		if r.EnvelopeID != "" {
			f.id(r.EnvelopeID)
		}
		f.message(r.OriginalID, KeyOriginal, Certain)
	}
	if r := in.Receipt; r != nil {
		f.message(r.OriginalID, KeyOriginal, Certain)
	}
	for _, v := range in.head.all("in-reply-to") {
		for _, id := range nearest(messageIDs(v)) {
			f.message(id, KeyReplyTo, Likely)
		}
	}
	for _, v := range in.head.all("references") {
		for _, id := range nearest(messageIDs(v)) {
			f.message(id, KeyReferences, Likely)
		}
	}
	f.refs(in)
	if f.err != nil {
		return Match{}, f.err
	}
	if m.Loop = o.loop(in, &f); f.err != nil {
		return Match{}, f.err
	}
	o.trust(in, &m)
	return m, nil
}

type finder struct {
	ctx  context.Context
	keys Keys
	m    *Match
	err  error
	seen map[string]bool // what was looked up
	n    map[Key]int
}

// once tells whether something is to be looked up now.
func (f *finder) once(k Key, what string) bool {
	if f.seen == nil {
		f.seen, f.n = map[string]bool{}, map[Key]int{}
	}
	if f.err != nil || what == "" || len(what) > 998 || f.seen[what] || f.n[k] >= mostLookedUp {
		return false
	}
	f.seen[what] = true
	f.n[k]++
	return true
}

func (f *finder) found(k *Known, err error, by Key, sure Sure) {
	m := f.m
	switch {
	case err != nil:
		f.err = err
	case k == nil:
	case m.Send == nil:
		m.Send, m.By, m.Sure = k, by, sure
	case m.Send.ID != k.ID && !slices.ContainsFunc(m.Also, func(x *Known) bool { return x.ID == k.ID }):
		m.Also = append(m.Also, k)
		if by != KeyReferences || m.By == KeyReferences { // all that was sent about one document is in one thread
			m.doubt("it also points to something else that was sent")
		}
	}
}

func (m *Match) doubt(s string) {
	if !slices.Contains(m.Doubts, s) {
		m.Doubts = append(m.Doubts, s)
	}
}

func (f *finder) token(t Token, by Key) {
	if f.once(by, string(t)) {
		k, err := f.keys.ByToken(f.ctx, t)
		f.found(k, err, by, Certain)
	}
}

func (f *finder) id(id string) {
	if f.once(KeyEnvelope, id) {
		k, err := f.keys.ByID(f.ctx, id)
		f.found(k, err, KeyEnvelope, Certain)
	}
}

func (f *finder) message(id string, by Key, sure Sure) {
	if f.once(by, id) {
		k, err := f.keys.ByMessageID(f.ctx, id)
		f.found(k, err, by, sure)
	}
}

// nearest are the identifiers to be looked up, the likeliest first: the last ones, then the beginning of the thread, which may be ours.
func nearest(ids []string) []string {
	out := slices.Clone(ids)
	slices.Reverse(out)
	if len(out) > mostLookedUp {
		out = append(out[:mostLookedUp-5:mostLookedUp-5], out[len(out)-5:]...)
	}
	return out
}

// recipients are the addresses it came to, in the header and as the servers noted them. A server that forwards may leave the token only
// in its note.
func (in *Incoming) recipients() []string {
	var out []string
	for _, k := range []string{"delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to", "cc", "original-recipient", "x-original-recipient", "resent-to", "apparently-to", "x-forwarded-to", "x-rcpt-to", "x-real-to"} {
		for _, v := range in.head.all(k) {
			out = append(out, mailAddress().FindAllString(v[:min(len(v), 16<<10)], mostAddresses)...)
		}
	}
	for i, v := range in.head.all("received") {
		if m := receivedFor().FindStringSubmatch(v); m != nil && i < 10 {
			out = append(out, m[1])
		}
	}
	return out
}

var receivedFor = pattern(`\sfor\s+<([^<>\s]+@[^<>\s]+)>`)

// tokens finds our tokens in addresses.
func (o *Ours) tokens(addresses []string) []Token {
	var out []Token
	for _, a := range addresses {
		for _, box := range o.Mailboxes {
			if t, ok := Address(a).Tag(box); ok && !slices.Contains(out, t) {
				out = append(out, t)
			}
		}
	}
	return out
}

var refLike = pattern(`(?i)\bCF[-\x{2010}\x{2011}\x{2013} ]?[0-9A-Z]{4}[-\x{2010}\x{2011}\x{2013} ]?[0-9A-Z]{4}\b`)

// refs finds references. Anybody can write one, and people mistype them: they are only suggested.
func (f *finder) refs(in *Incoming) {
	m := f.m
	var all []caseforms.Ref
	for _, s := range []string{in.Subject, in.Text, in.History} {
		for _, v := range refLike().FindAllString(s[:min(len(s), 64<<10)], 100) {
			if ref, ok := caseforms.ParseRef(v); ok && !slices.Contains(all, ref) && len(all) < mostRefs {
				all = append(all, ref)
			}
		}
	}
	for _, ref := range all {
		if m.Send != nil && m.Send.Ref == ref || f.err != nil {
			continue
		}
		has, err := f.keys.HasRef(f.ctx, ref)
		if f.err = cmp.Or(f.err, err); has {
			m.Refs = append(m.Refs, ref)
		}
	}
	switch {
	case len(m.Refs) > 0 && m.Send == nil:
		m.By, m.Sure = KeySuggested, Suggested
	case len(m.Refs) > 0 && !slices.Contains(all, m.Send.Ref):
		m.doubt("it names another reference than that of what it answers")
	}
}

// loop tells why a message is our own that came back.
func (o *Ours) loop(in *Incoming, f *finder) string {
	if in.MessageID != "" && f.err == nil {
		k, err := f.keys.ByMessageID(f.ctx, in.MessageID)
		if f.err = err; k != nil {
			return "it is the very message that was sent"
		}
	}
	box := func(a string) bool {
		return slices.ContainsFunc(o.Mailboxes, func(b Address) bool {
			_, tagged := Address(a).Tag(b)
			return tagged || b.Same(Address(a))
		})
	}
	if box(in.From.Address) {
		if v := strings.ToLower(in.head.get("auto-submitted")); v != "" && v != "no" {
			return "it is a notice of our own"
		}
		return "it says that it comes from our own mailbox"
	}
	if len(in.head.all("received")) > mostHops {
		return "it has passed too many servers"
	}
	return "" // that it was delivered to us twice proves nothing: several servers of one site each may note it
}

// trust decides whether a reply is verified.
func (o *Ours) trust(in *Incoming, m *Match) {
	if in.Class == DeliveryReport || in.Class == CouldBeBounce {
		if m.Send != nil && in.Report != nil && len(in.Report.Recipients) > 0 && !slices.ContainsFunc(in.Report.Recipients, func(r Reported) bool {
			return m.Send.To.Same(Address(r.Recipient)) || m.Send.To.Same(Address(r.Original)) || r.Recipient == ""
		}) {
			m.doubt("it is about another address than it was sent to, perhaps one that it was forwarded to")
		}
		return
	}
	authentic, why := o.authentic(in)
	if !authentic {
		m.doubt(why)
	}
	if m.Send == nil {
		return
	}
	same := strings.EqualFold(Address(in.From.Address).Domain(), m.Send.To.Domain())
	if !same {
		m.doubt("it comes from another domain than it was sent to")
	}
	m.Verified = authentic && same && m.Sure != Suggested && m.Loop == ""
}

// authentic tells whether our own relay vouches for the domain that a message says it comes from. Fields are added on top, so those of
// our relay stand above what anybody else wrote; below the first foreign one nothing is believed, even if it bears our relay's name
// (RFC 8601 5 and 7.1).
func (o *Ours) authentic(in *Incoming) (bool, string) {
	from := strings.ToLower(Address(in.From.Address).Domain())
	if in.froms != 1 || len(in.head.all("from")) != 1 || from == "" {
		return false, "it does not say clearly who sent it"
	}
	var results []authResult
	for i, v := range in.head.all("authentication-results") {
		name, rs := parseAuthResults(v)
		ours := slices.ContainsFunc(o.Relays, func(r string) bool { return strings.EqualFold(r, name) })
		if name == "" {
			ours = o.Unnamed && i == 0
		}
		if !ours {
			break
		}
		results = append(results, rs...)
	}
	if len(results) == 0 {
		return false, "our relay does not say who sent it"
	}
	dmarc, aligned := "", false
	for _, r := range results {
		switch r.method {
		case "dmarc":
			if d := r.get("header.from"); d != "" && d != from {
				return false, "our relay looked at another sender than it names"
			}
			if dmarc = cmp.Or(dmarc, r.result); r.result != "pass" {
				dmarc = r.result
			}
		case "dkim":
			aligned = aligned || r.result == "pass" && sameOrganisation(cmp.Or(r.get("header.d"), domainOf(r.get("header.i"))), from)
		case "spf":
			aligned = aligned || r.result == "pass" && sameOrganisation(domainOf(r.get("smtp.mailfrom")), from)
		}
	}
	switch {
	case dmarc == "pass":
		return true, ""
	case dmarc == "" || dmarc == "none":
		if aligned {
			return true, ""
		}
	}
	return false, "our relay could not tell that it comes from the domain it names"
}

func domainOf(s string) string { return strings.Trim(s[strings.LastIndexByte(s, '@')+1:], "<>") }

// sameOrganisation tells whether one domain is the other or lies below it (RFC 7489 3.1, without the list of public suffixes: nobody can
// sign for gov.uk, and so nobody can pass for it).
func sameOrganisation(d, from string) bool {
	return strings.Contains(d, ".") && (d == from || strings.HasSuffix(from, "."+d) || strings.HasSuffix(d, "."+from))
}

type authResult struct {
	method, result string
	props          [][2]string
}

func (r *authResult) get(key string) string {
	for _, p := range r.props {
		if p[0] == key {
			return p[1]
		}
	}
	return ""
}

// parseAuthResults reads an Authentication-Results field (RFC 8601 2.2), in small letters: the name of whoever wrote it, "" when it has none,
// and the results. Comments are left out and quoted strings are one word: both may hold what a stranger chose, such as "; dmarc=pass", which
// the parser of go-msgauth would take for a result.
func parseAuthResults(v string) (name string, out []authResult) {
	var groups [][]string
	group := []string{}
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			group = append(group, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	v = v[:min(len(v), 16<<10)]
	for i, depth, quoted := 0, 0, false; i < len(v); i++ {
		switch c := v[i]; {
		case c == '\\' && (quoted || depth > 0):
			if i++; quoted && depth == 0 && i < len(v) {
				word.WriteByte(v[i])
			}
		case depth > 0:
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
		case c == '"':
			quoted = !quoted
		case quoted:
			word.WriteByte(c)
		case c == '(':
			depth = 1
		case c == ';':
			end()
			groups = append(groups, group)
			group = []string{}
		case c == ' ' || c == '\t':
			end()
		default:
			word.WriteByte(c)
		}
	}
	end()
	groups = append(groups, group)
	if len(groups[0]) > 0 && !strings.Contains(groups[0][0], "=") {
		name, groups = groups[0][0], groups[1:]
	}
	for _, g := range groups {
		g = joinEquals(g)
		if len(g) == 0 {
			continue
		}
		method, result, ok := strings.Cut(g[0], "=")
		if method, _, _ = strings.Cut(method, "/"); !ok {
			continue
		}
		r := authResult{method: method, result: result}
		for _, p := range g[1:] {
			if k, x, ok := strings.Cut(p, "="); ok {
				r.props = append(r.props, [2]string{k, x})
			}
		}
		out = append(out, r)
	}
	return name, out
}

// joinEquals puts together what spaces part around an equals sign.
func joinEquals(words []string) []string {
	var out []string
	for _, w := range words {
		if n := len(out); n > 0 && (strings.HasPrefix(w, "=") || strings.HasSuffix(out[n-1], "=")) {
			out[n-1] += w
			continue
		}
		out = append(out, w)
	}
	return out
}
