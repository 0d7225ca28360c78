package mail

import (
	"slices"
	"strings"
)

// Class is what a message is, by who wrote it: a person, or which kind of program.
type Class string

const (
	HumanReply      Class = "reply"                 // a person wrote it, or nothing says otherwise
	DeliveryReport  Class = "delivery report"       // see Incoming.Report
	AutomaticAnswer Class = "automatic answer"      // out of office, received with thanks; never a response
	ReadReceipt     Class = "read receipt"          // see Incoming.Receipt; never a response
	SecureNotice    Class = "secure-message notice" // somebody wrote, and it is read elsewhere: a person opens it there
	CouldBeBounce   Class = "could be a bounce"     // a person looks at it; Incoming.Report is what there is of a report
	Unreadable      Class = "unreadable"            // a person looks at the raw bytes
)

// classify tells what a message is. A mistake is not the same in every direction: an answer of a person that is put away as a bounce is never
// read, while a bounce that is shown as an answer is read and understood. So a program must have shown itself by how the message was sent,
// by its header or its sender; what is written, in any subject or text, only says which kind of program it was.
func (in *Incoming) classify() (Class, string) {
	e := in.evidence()
	root := in.root
	switch status, receipt := in.find(isStatus), in.find(isDisposition); {
	case in.unreadable():
		return Unreadable, "it is no message, or its parts cannot be found"
	case root.typ == "multipart/report" && status != nil:
		in.reported(e, status)
		return DeliveryReport, "it has a delivery status (RFC 3464)"
	case receipt != nil && (root.typ == "multipart/report" || e.program()):
		in.received(receipt)
		return ReadReceipt, "it has a disposition notification (RFC 8098)"
	case status != nil && e.program():
		in.reported(e, status)
		return DeliveryReport, "it has a delivery status, though not where RFC 3464 wants it"
	case status != nil && (e.lead || strings.TrimSpace(in.Text) == ""):
		in.reported(e, status)
		return CouldBeBounce, "it has a delivery status, but nothing says that a program sent it"
	case root.typ == "multipart/report" && e.feedback:
		in.Report = &Report{}
		in.returned(in.Report)
		return CouldBeBounce, "it reports a message as unwanted (RFC 5965)"
	case in.readNotice(e):
		return ReadReceipt, "it says so, in the words of a mail program"
	}
	if why := in.bounce(e); why != "" {
		in.reported(e, nil)
		return DeliveryReport, why
	}
	if e.answers != "" && (e.answer || !e.daemon) { // what answers for a person does so in that person's name
		return AutomaticAnswer, e.answers
	}
	if why := in.secure(e); why != "" {
		return SecureNotice, why
	}
	if why := in.perhaps(e); why != "" {
		in.reported(e, nil)
		return CouldBeBounce, why
	}
	if e.automatic != "" {
		return AutomaticAnswer, e.automatic
	}
	return HumanReply, "nothing says that a program wrote it"
}

// unreadable tells that there is nothing a person could be shown.
func (in *Incoming) unreadable() bool {
	known := slices.ContainsFunc(in.head, func(f headerField) bool {
		switch f.key {
		case "from", "to", "subject", "date", "message-id", "received", "return-path", "content-type":
			return true
		}
		return false
	})
	nothing := in.whole == "" && len(in.Files) == 0
	return !known || nothing && (in.root.closed || strings.HasPrefix(in.root.typ, "multipart/")) && in.find(isStatus) == nil && in.find(isDisposition) == nil
}

// evidence is what speaks for a program.
type evidence struct {
	null      bool   // the null sender: programs alone use it
	daemon    bool   // from MAILER-DAEMON or its like
	ndr       bool   // fields that only servers write into their reports
	report    bool   // a multipart/report, whatever is in it
	generated bool   // Auto-Submitted says so, or its like
	office    bool   // from an address that a program or an office uses: postmaster, noreply
	feedback  bool   // a report of unwanted mail
	answers   string // it says that it is an automatic answer; how
	automatic string // a program sent it, of whatever kind; how

	subject  bool // its subject is that of a report
	lead     bool // it begins with the words of one
	first    bool // they are its first, and an address follows at once
	words    bool // they stand somewhere in it
	code     bool // it holds a server's answer, such as 550 5.1.1
	returned bool // it holds what was sent, or its header
	who      bool // it names an address as reports do
	answer   bool // its subject is that of an automatic answer
	threaded bool // it says which message it answers
}

// program tells whether the way it was sent shows a program.
func (e *evidence) program() bool {
	return e.null || e.daemon || e.ndr || e.report || e.generated
}

var (
	daemons    = pattern(`(?i)^(mailer-?daemon|mail-?daemon|mdaemon|mail-?delivery-?(system|subsystem)|bounces?|microsoftexchange[0-9a-f]{32})([+-].*)?$`)
	offices    = pattern(`(?i)^(post-?master|(do-?)?not?-?reply|donotreply|system|administrator|admin|notifications?|mail-?gateway|gateway|quarantine|mailguard|mail-?security|alerts?|autoresponder|auto-?reply|mailmanager|mimecast|system-?attendant|ndr|imss|.*(antivirus|smtp|gateway|mail_?service|mail-?filter).*)([+-].*)?\\?$`)
	unanswered = pattern(`(?i)^((do-?)?not?-?reply|autoresponder|auto-?reply)([+-].*)?$`)
	nobody     = pattern(`(?i)mailer-daemon|<>\s*$`)
	servers    = pattern(`(?i)^(mail delivery (sub)?system|mail delivery service|mail administrator|system administrator|systemadministrator|microsoft outlook|mailsystem|mail system|delivery subsystem|internet mail delivery|(le )?système de distribution du courrier|mail-zustellsystem)$`)
)

func (in *Incoming) evidence() *evidence {
	h := in.head
	local, _, _ := strings.Cut(in.From.Address, "@")
	path, _, _ := strings.Cut(in.ReturnPath, "@")
	e := &evidence{
		null:     in.NullSender,
		daemon:   daemons().MatchString(local) || daemons().MatchString(path) || in.From.Address == "" && nobody().MatchString(h.get("from")),
		ndr:      h.has("x-failed-recipients") || h.has("x-ms-exchange-message-is-ndr"),
		report:   in.root.typ == "multipart/report",
		office:   offices().MatchString(local) || servers().MatchString(in.From.Name),
		feedback: strings.EqualFold(in.root.params["report-type"], "feedback-report"),
	}
	in.automatic(e)
	own := squeeze(ownWords(in.Text), 8<<10)
	subject := strings.ToLower(in.Subject)
	e.subject = startsWith(subject, bounceSubjects)
	lead, anywhere := said(own, bounceWords)
	limit := 300
	if e.program() || e.office {
		limit = 900
	}
	e.lead, e.words = lead >= 0 && lead < limit, anywhere
	e.first = lead >= 0 && lead < 60 && mailAddress().MatchString(own.text[lead:min(len(own.text), lead+120)])
	if e.program() || e.office || e.lead { // else it is of no use, and most of what people write is longer than reports
		e.code = serverAnswer().MatchString(own.text)
		e.returned = in.find(isReturned) != nil || returnedBelow().MatchString(own.text)
		e.who = len(in.whom(in.Text[:min(len(in.Text), 8<<10)])) > 0
	}
	e.answer = startsWith(subject, answerSubjects) || startsWith(subject, absentSubjects)
	e.threaded = h.has("in-reply-to") || h.has("references")
	return e
}

// automatic looks for the fields by which programs that answer say so. Precedence and X-Auto-Response-Suppress alone say nothing: mailing
// lists write the one and case systems the other into what people write.
func (in *Incoming) automatic(e *evidence) {
	h := in.head
	subject := strings.ToLower(in.Subject)
	bulk := false
	for _, v := range h.all("precedence") {
		switch v = strings.ToLower(strings.TrimSpace(v)); v {
		case "auto_reply", "auto-reply", "autoreply":
			e.answers = "Precedence says that it is an automatic answer"
		case "bulk", "junk":
			bulk = true
		}
	}
	if v := strings.ToLower(h.get("auto-submitted")); v != "" {
		v, _, _ = strings.Cut(v, ";")
		v, _, _ = strings.Cut(v, "(")
		switch v = strings.TrimSpace(v); v {
		case "no", "", "auto-forwarded": // what is forwarded may be a person's
		case "auto-replied":
			e.generated, e.answers = true, "Auto-Submitted says that it is an automatic answer (RFC 3834)"
		default:
			e.generated, e.automatic = true, "Auto-Submitted says that no person sent it (RFC 3834)"
		}
	}
	for _, k := range []string{"x-autoreply", "x-autorespond", "x-auto-reply", "x-autoreply-from", "x-autoresponder", "x-mail-autoreply", "x-vacation"} {
		if v, ok := h.find(k); ok && !strings.EqualFold(v, "no") && !strings.EqualFold(v, "false") {
			e.answers = "a field of its header says that it is an automatic answer"
		}
	}
	for _, k := range []string{"x-fc-machinegenerated", "x-autogenerated"} {
		if v, ok := h.find(k); ok && !strings.EqualFold(v, "false") {
			e.generated, e.automatic = true, "a field of its header says that a program made it"
		}
	}
	local, _, _ := strings.Cut(in.From.Address, "@")
	program := e.null || e.generated
	begins := squeeze(ownWords(in.Text), 2<<10)
	early := func(phrases []string, most int) bool {
		at, _ := said(begins, phrases)
		return at >= 0 && at < most
	}
	switch {
	case e.answers != "":
	case startsWith(subject, answerSubjects):
		e.answers = "its subject is the one that mail programs give to an automatic answer"
	case program && startsWith(subject, absentSubjects):
		e.answers = "its subject says that nobody is there, and its header that a program sent it"
	case program && early(absentWords, 300):
		e.answers = "it says that nobody is there, and its header that a program sent it"
	case (program || unanswered().MatchString(local)) && early(unansweredWords, 400), (program || bulk || h.has("x-auto-response-suppress")) && early(automaticWords, 200):
		e.answers = "it says that it is automatic, and so does its header"
	}
}

// bounce tells why a message without a delivery status is a report, or "".
func (in *Incoming) bounce(e *evidence) string {
	switch server := e.null || e.daemon || e.report; {
	case e.ndr && !e.answer:
		return "its header is that of a server's report"
	case e.answer && !e.report:
	case server && e.lead && (e.subject || e.code || e.returned || e.who):
		return "a server sent it, and it has the words of a report"
	case server && e.subject && (e.code || e.returned || e.report || e.who):
		return "a server sent it, and it has the subject of a report"
	case e.generated && e.lead && (e.subject || e.code || e.returned):
		return "a program sent it, and it has the words of a report"
	case e.office && e.lead && e.subject && (e.code || e.returned || e.who):
		return "it comes from an address that programs use, and has the subject and the words of a report"
	}
	return ""
}

// perhaps tells why a message could be a report, or "".
func (in *Incoming) perhaps(e *evidence) string {
	switch server := e.null || e.daemon || e.report; {
	case server && (e.lead || e.words || e.subject):
		return "a server may have sent it, and some of it reads like a report"
	case e.generated && (e.lead || e.subject || e.office && e.returned):
		return "a program sent it, and some of it reads like a report"
	case e.daemon || server && e.automatic == "":
		return "its sender is that of a server's report, but it does not read like one"
	case e.office && (e.lead && (e.subject || e.code || e.returned) || e.subject && (e.code || !e.threaded)):
		return "it comes from an address that programs use, and some of it reads like a report"
	case e.lead && e.subject && (e.code || e.returned):
		return "it reads like a report, but nothing says that a program sent it"
	case e.first && !e.threaded:
		return "it begins as a report does, but nothing says that a program sent it"
	}
	return ""
}

// readNotice tells a read receipt in words alone, as old Outlooks write.
func (in *Incoming) readNotice(e *evidence) bool {
	subject := strings.ToLower(in.Subject)
	if !startsWith(subject, readSubjects) {
		return false
	}
	text := squeeze(ownWords(in.whole), 2<<10)
	at, _ := said(text, readWords)
	if at < 0 || at > 200 || len(text.text) > 1200 {
		return false
	}
	in.received(nil)
	return true
}

// secure tells why a message is a notice that another one is read elsewhere, or "". Every product has its own wording, so what they have in
// common is looked for: early on it speaks of a secure message for the reader, it says how to open that, and it has a link or the file to
// do it with. A person who writes about such a message says "I" and has no part of it.
func (in *Incoming) secure(e *evidence) string {
	if p := in.root; p.typ == "multipart/encrypted" || (p.typ == "application/pkcs7-mime" || p.typ == "application/x-pkcs7-mime") && p.params["smime-type"] != "signed-data" {
		return "it is encrypted and cannot be read here"
	}
	file := false
	for _, f := range in.Files {
		name := strings.ToLower(f.Name)
		if strings.HasSuffix(name, ".rpmsg") || f.Type == "application/x-microsoft-rpmsg-message" {
			return "its content is in a protected file that only the recipient's own program opens"
		}
		file = file || secureFile().MatchString(name)
	}
	own := ownWords(in.Text)
	s := squeeze(own, 4<<10)
	if !slices.ContainsFunc(secureRoots, func(root string) bool { return strings.Contains(s.text, root) }) {
		s.text = "" // the rules below take time
	}
	subject := strings.ToLower(in.Subject)
	about := secureSubject().MatchString(subject) && !answerTo().MatchString(subject)
	known := about || file || e.program() || e.office
	at := secureForYou().FindStringIndex(s.text)
	if at == nil && known {
		at = secureItself().FindStringIndex(s.text)
	}
	if at != nil && at[0] < 400 && (known || at[0] < 80 && saidFirst(own)) {
		about = true
		if secureHow().MatchString(s.text) && (file || strings.Contains(own, "://")) && !firstPerson().MatchString(s.text[:min(len(s.text), 500)]) {
			return "it says that a secure message waits, and how to open it"
		}
	}
	if about && file {
		return "it carries the file in which a secure message is opened"
	}
	return ""
}

// saidFirst tells whether the words about a secure message are the first of a text, but for whom it greets. In the footers of what people
// write they are the last.
func saidFirst(text string) bool {
	for l := range strings.Lines(text) {
		l = strings.ToLower(strings.TrimSpace(l))
		if s := squeeze(l, 1<<10); secureForYou().MatchString(s.text) {
			return true
		}
		if len(l) > 40 || strings.ContainsAny(l, ".?") {
			return false
		}
	}
	return false
}

// secureRoots are in all that the rules about secure messages look for.
var secureRoots = strings.Fields("secur encrypt protect confidential sicher verschlüssel geschützt sécuris chiffr protég ddiogel beveiligd bezpieczn zaszyfrowan")

var (
	secureFile    = pattern(`^(securedoc.*|encrypted[_ -]?message|secure[_ -]?(message|mail|email)|message|protected[_ -]?message|openme|.*\.switch)\.(html?|shtml|switch|pgp|zip)$`)
	secureSubject = pattern(`^(\[?(secure|encrypted|protected)\]? ?(message|e-?mail|mail)\b.*?(from|:|received|notification|waiting)|(you have|you've) (received |got )?an? (new )?(secure|encrypted|protected)|.+ (has )?sent you an? (secure|encrypted|protected)|new (secure|encrypted) (message|e-?mail)|sichere nachricht|verschlüsselte nachricht|neges ddiogel|message sécurisé|beveiligd bericht)`)
	secureForYou  = pattern(`(you have|you've) (received |got |been sent )?an? (new |unread )?([a-z]+ )?(secure|encrypted|protected|confidential)[a-z ]*? ?(message|e-?mail|mail|communication|file|document)|(has|have) (sent|shared with) you an? (new )?([a-z]+ )?(secure|encrypted|protected|confidential)[a-z0-9 ]*? ?(message|e-?mail|mail|file|document)|sent you an? (secure|encrypted|protected) (message|e-?mail)|(a|an|new) (secure|encrypted|protected) (message|e-?mail) (is waiting|waits|has been sent|has arrived|was sent)|secure message (is )?waiting|hat ihnen eine (sichere|verschlüsselte|geschützte) (nachricht|e-mail)|vous a envoyé un (message|e-?mail) (sécurisé|chiffré|protégé)|vous avez reçu un (message|e-?mail) (sécurisé|chiffré)|wedi anfon neges ddiogel|wedi derbyn neges ddiogel|heeft u een beveiligd bericht|otrzymałeś (bezpieczną|zaszyfrowaną) wiadomość`)
	secureItself  = pattern(`(this|the) (is an? )?((encrypted|protected|secure) )?(message|e-?mail) (has been|was|is) (encrypted|protected|secured|sent securely)|this is an? (encrypted|protected|secure) (message|e-?mail)`)
	secureHow     = pattern(`(click|select|press|tap|follow|use|open|go to|visit)\b[^.]*\b(link|button|below|here|read|view|open|access|attachment|attached|message|portal)|\b(read|view|open|access|unlock|decrypt)( the| your| this| my)? (secure |encrypted |protected )?(message|e-?mail)|one-?time (passcode|password|code)|sign in (to|with)|register (to|for|an account)|(klicken|öffnen|lesen) sie|cliquez|lire le message|cliciwch|darllen(wch)? (y|eich) neges|klik|kliknij`)
	answerTo      = pattern(`^(re|fw|fwd|aw|wg|tr|odp|pd|sv|vs|rv|antw|ateb)\s?:`)
	firstPerson   = pattern(`\b(i|i've|i'll|i'm|we've) `)
)

func isStatus(p *part) bool {
	switch p.typ {
	case "message/delivery-status", "message/global-delivery-status":
		return true
	case "text/plain", "application/octet-stream", "message/report", "text/delivery-status", "message/x-delivery-status": // as some gateways call it
		return statusLike(p.body)
	}
	return false
}

var (
	statusFirst = pattern(`(?i)^\s*(reporting-mta|original-envelope-id|arrival-date|final-recipient|original-recipient|x-[a-z-]+-queue-id)\s*:`)
	statusThen  = pattern(`(?im)^(final-recipient|original-recipient)\s*:`)
	statusAct   = pattern(`(?im)^(action|status)\s*:`)
)

func statusLike(b []byte) bool {
	b = b[:min(len(b), 8<<10)]
	return statusFirst().Match(b) && statusThen().Match(b) && statusAct().Match(b)
}

func isDisposition(p *part) bool {
	return p.typ == "message/disposition-notification" || p.typ == "message/global-disposition-notification"
}

// isReturned tells a part that is what was sent, or its header.
func isReturned(p *part) bool {
	switch p.typ {
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "text/rfc822-header", "message/rfc822-headers", "text/rfc822", "message/partial":
		return true
	}
	return false
}

// find finds the first part of a kind that is the message's own, and not one of a message within it.
func (in *Incoming) find(is func(*part) bool) *part { return in.root.find(is) }

func (p *part) find(is func(*part) bool) *part {
	if is(p) {
		return p
	}
	if p.message() {
		return nil
	}
	for _, k := range p.kids {
		if found := k.find(is); found != nil {
			return found
		}
	}
	return nil
}

// squeezed is text in small letters with single spaces, and where in it lines and sentences begin.
type squeezed struct {
	text   string
	begins []bool
}

func squeeze(s string, most int) squeezed {
	s = strings.NewReplacer("’", "'", "‘", "'", "´", "'").Replace(s[:min(len(s), most)])
	var b strings.Builder
	var at []int
	for line := range strings.Lines(s) {
		first := true
		for w := range strings.FieldsSeq(strings.ToLower(line)) {
			if first {
				if w = strings.TrimLeft(w, "*-=|_>•~"); w == "" {
					continue
				}
			}
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			if t := b.String(); first || strings.ContainsAny(t[max(0, len(t)-2):], ".!?:") {
				at = append(at, b.Len())
			}
			first = false
			b.WriteString(w)
		}
	}
	out := squeezed{b.String(), make([]bool, b.Len()+1)}
	for _, i := range at {
		out.begins[i] = true
	}
	return out
}

// said tells where one of the phrases first stands as the beginning of a line or a sentence, or -1, and whether one does at all.
func said(s squeezed, phrases []string) (first int, anywhere bool) {
	first = -1
	for _, p := range phrases {
		for at := 0; at < len(s.text); {
			i := strings.Index(s.text[at:], p)
			if i < 0 {
				break
			}
			if i += at; s.begins[i] {
				if anywhere = true; first < 0 || i < first {
					first = i
				}
				break
			}
			at = i + len(p)
		}
	}
	return first, anywhere
}

// startsWith tells whether a subject, in small letters, is or begins with one of the phrases. A phrase that ends in a letter must be all of
// it, or be followed by a colon or a dash: "Out of office" is a notice, "Out of office cover in August" a matter.
func startsWith(subject string, phrases []string) bool {
	subject = strings.TrimSpace(strings.ReplaceAll(subject, "’", "'"))
	for strings.HasPrefix(subject, "[") { // a tag that a gateway put before it
		i := strings.IndexByte(subject, ']')
		if i < 0 || i > 30 {
			break
		}
		subject = strings.TrimSpace(subject[i+1:])
	}
	for _, p := range phrases {
		rest, ok := strings.CutPrefix(subject, p)
		if !ok {
			continue
		}
		if last := p[len(p)-1]; last == ' ' || last == ':' || last == '(' {
			return true
		}
		if rest = strings.TrimSpace(rest); rest == "" || strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "(") || strings.HasPrefix(rest, "– ") {
			return true
		}
	}
	return false
}
