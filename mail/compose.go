package mail

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-message"
	gomail "github.com/emersion/go-message/mail"

	"caseforms"
)

// House is who we are to those who get our messages.
type House struct {
	Mailbox  Address // the one that is watched: all answers and bounces come to it (0.4 point 13)
	Name     string  // shown beside it: "Probation Service, safeguarding"
	Domain   string  // of Message-IDs, and what we call ourselves to a relay; "" is that of the mailbox
	MaxBytes int     // of a message as it is sent; 0 is 10 MB (E.1 point 8)
	Untagged bool    // the mailbox cannot take addresses with a plus: answers are then matched by Message-ID alone
}

func (h *House) domain() string { return cmp.Or(h.Domain, h.Mailbox.Domain()) }

// Hello is what we call ourselves to a relay.
func (h *House) Hello() string { return h.domain() }

// Letter is what a message is composed from: one to one recipient organisation (E.1 point 7). Nothing in it is about a person.
type Letter struct {
	ID    string // the send's own, up to 64 letters, digits, dots and hyphens; the Message-ID is made from it
	Token Token
	Date  time.Time // when it was made; the message has it with London's offset
	Route Allowed   // what policy decided, see [Decide]

	Form    string // id, or "" for the words of any document
	Kind    string // "" for the first message to this recipient, caseforms.MailChase or caseforms.MailCorrection
	Ref     caseforms.Ref
	Issue   int    // of the document; a correction has one from 2 on
	Marking string // of the document (0.4 point 20)
	Lang    string // "en" or "cy"; "" is that of the definitions

	NoAnswer bool           // a pure notification
	AnswerBy caseforms.Date // zero: as soon as you can
	Sent     caseforms.Date // of a chase: when the document was sent

	To      string // whom it is meant for: "MASH, Oxfordshire County Council"
	Contact string // whom to telephone: a team or a role, no person
	Phone   string

	Attachments []Attachment
	Follows     []string // Message-IDs of what was sent about the document before, oldest first, without their brackets
	Automatic   bool     // no person asked for it to be sent: programs do not answer it (RFC 3834)
}

// Attachment is a file that goes with a message, exactly as it is. Its name is made from the form and the reference: no name that
// somebody gave a file is sent, because people call files after people.
type Attachment struct {
	Key  string // which of the form's questions about attachments it is for, such as "chronology"; "" is the document itself
	Ext  string // pdf, xlsx, …: see [Attachable]
	Data []byte
}

// attachable are the kinds of file that agencies' gateways let pass.
var attachable = map[string]string{
	"pdf":  "application/pdf",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"odt":  "application/vnd.oasis.opendocument.text",
	"txt":  "text/plain",
	"csv":  "text/csv",
	"jpg":  "image/jpeg",
	"png":  "image/png",
}

// Attachable tells whether a file of this kind can be attached.
func Attachable(ext string) bool { return attachable[ext] != "" }

// Fits tells whether a file begins as its kind does, so that nothing goes out under the name of something else. Text is UTF-8 or Windows-1252 without zeros.
func Fits(ext string, data []byte) bool {
	switch ext {
	case "pdf":
		return bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")) // readers look for it there
	case "docx", "odt", "xlsx":
		return bytes.HasPrefix(data, []byte("PK\x03\x04"))
	case "jpg":
		return bytes.HasPrefix(data, []byte{0xff, 0xd8, 0xff})
	case "png":
		return bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n"))
	}
	return len(data) > 0 && !bytes.ContainsRune(data, 0)
}

// Message is a finished message. It is stored whole, and nothing in it changes after: every attempt sends the same bytes.
type Message struct {
	ID        string // of the send; also what a delivery report calls it (ENVID)
	MessageID string // without its brackets
	Token     Token
	Mailbox   Address // ours
	Route     Allowed // as it was decided when the message was made
	Subject   string
	Files     []string // the names of what is attached
	SHA256    string   // of Raw, in hexadecimal
	Raw       []byte   `json:"-"`
}

const (
	maxMessage = 10 << 20 // what is taken without trouble everywhere (E.1 point 8)
	maxFollows = 20       // a longer list is folded by some programs so that it cannot be read again
	maxSubject = 200
)

// EncodedSize is how many bytes a message with attachments of so many bytes has at most, so that it can be told before it is made.
func EncodedSize(files ...int) int {
	n := 16 << 10 // the texts, twice, and what is around them
	for _, f := range files {
		n += (f+2)/3*4 + f/57*2 + 1<<10
	}
	return n
}

var (
	idRule   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$`)
	keyRule  = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)
	msgRule  = regexp.MustCompile(`^[!-;=?-~]+@[!-;=?-~]+$`)
	inFields = regexp.MustCompile(`[\x00-\x1f\x7f]`)
)

// check tells what a letter lacks. Everything that goes into a header is looked at here, whoever else looks at it.
func (l *Letter) check(h *House) error {
	bad := func(msg, hint string) error {
		return &caseforms.Error{Kind: caseforms.Invalid, Op: "compose", Msg: msg, Hint: hint}
	}
	for _, a := range []Address{h.Mailbox, l.Route.To} {
		if parsed, err := ParseAddress(string(a)); err != nil {
			return err
		} else if parsed != a {
			return bad("an address was not read before it was used", "")
		}
	}
	if _, err := ParseDomain(h.domain()); err != nil {
		return err
	}
	switch {
	case !idRule.MatchString(l.ID) || !tokenRule.MatchString(string(l.Token)):
		return bad("a message needs the name of its send and a token", "")
	case len(h.Mailbox.Tagged(l.Token).local()) > maxLocal && !h.Untagged:
		return bad("the name of the mailbox is too long for a token behind it", "use a mailbox with a shorter name")
	case l.Date.IsZero():
		return bad("a message needs a date", "")
	case !isRef(l.Ref):
		return bad("a message needs the reference of the document", "record the document first")
	case strings.TrimSpace(l.Marking) == "":
		return bad("a message bears the marking of the document", "")
	case strings.TrimSpace(l.Contact) == "" || strings.TrimSpace(l.Phone) == "":
		return bad("a message says whom to telephone", "set the team's name and telephone number")
	case strings.TrimSpace(l.To) == "":
		return bad("a message says whom it is meant for", "")
	case !slices.Contains([]string{"", caseforms.MailChase, caseforms.MailCorrection}, l.Kind):
		return bad("there is no such kind of message", "")
	case l.Kind == caseforms.MailChase && (l.Sent.IsZero() || len(l.Attachments) > 0 || l.NoAnswer):
		return bad("a chase says when the document was sent, asks for an answer and has nothing attached", "")
	case l.Kind == caseforms.MailCorrection && l.Issue < 2:
		return bad("a correction says which issue of the document it brings", "")
	case l.Kind != caseforms.MailChase && len(l.Attachments) == 0:
		return bad("there is no document to send", "")
	}
	for _, s := range []string{h.Name, l.Form, l.Marking, l.To, l.Contact, l.Phone} {
		if inFields.MatchString(s) || !utf8.ValidString(s) {
			return bad("a text for the message has a line break or a control character", "")
		}
	}
	for _, id := range l.Follows {
		if !msgRule.MatchString(id) {
			return bad("an earlier Message-ID cannot be repeated", "")
		}
	}
	keys := map[string]bool{}
	for _, a := range l.Attachments {
		name := a.Key + "." + a.Ext
		switch {
		case a.Key != "" && !keyRule.MatchString(a.Key):
			return bad("an attachment is called by the key that the form has for it", "")
		case keys[name]:
			return bad("two attachments would have the same name", "give each the key of its own question on the form")
		case !Attachable(a.Ext):
			return bad("files of this kind cannot be attached", "send it as PDF")
		case len(a.Data) == 0:
			return bad("an attachment is empty", "")
		case l.Route.Sealed && !sealed(a):
			return bad("this recipient may be sent sealed files alone, and an attachment is not sealed", "seal it with a password")
		}
		keys[name] = true
	}
	return nil
}

func isRef(r caseforms.Ref) bool {
	parsed, ok := caseforms.ParseRef(string(r))
	return ok && parsed == r
}

// sealed tells whether a file opens with a password only: a PDF that says it is encrypted (ISO 32000-2, 7.6), or a workbook or text document inside the
// compound file in which encrypted ones are kept (MS-OFFCRYPTO). It catches a mistake of ours, not a forger.
func sealed(a Attachment) bool {
	switch a.Ext {
	case "pdf":
		return bytes.HasPrefix(a.Data, []byte("%PDF-")) && bytes.Contains(a.Data, []byte("/Encrypt"))
	case "xlsx", "docx":
		return bytes.HasPrefix(a.Data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"))
	}
	return false
}

// FileName is what a file of a document is called when it is sent: cp1-CF-7K3M-Q9ZQ.pdf, cp1-CF-7K3M-Q9ZQ-2.pdf for its second issue, and
// cp1-CF-7K3M-Q9ZQ-chronology.pdf for what goes with it.
func FileName(form string, ref caseforms.Ref, issue int, a Attachment) string {
	parts := []string{cmp.Or(form, "document"), string(ref)}
	if issue > 1 {
		parts = append(parts, strconv.Itoa(issue))
	}
	if a.Key != "" {
		parts = append(parts, a.Key)
	}
	return strings.Join(parts, "-") + "." + a.Ext
}

// Compose makes a message out of a letter, in the words of the definitions. It draws what is random from rand; what it returns has its final
// bytes. A letter that is not fit to be sent, and a message that is too large, is an error with a hint.
func Compose(d *caseforms.Definitions, h House, l Letter, rand io.Reader) (*Message, error) {
	if err := l.check(&h); err != nil {
		return nil, err
	}
	if _, err := d.Form(l.Form); err != nil && l.Form != "" {
		return nil, err
	}
	lang := cmp.Or(l.Lang, d.Lang)
	m := &Message{ID: l.ID, MessageID: l.ID + "@" + h.domain(), Token: l.Token, Mailbox: h.Mailbox, Route: l.Route}
	for _, a := range l.Attachments {
		m.Files = append(m.Files, FileName(l.Form, l.Ref, l.Issue, a))
	}
	subject, paragraphs := l.words(d, &h, m.Files, lang)
	if len(subject) > maxSubject {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Op: "compose", Msg: fmt.Sprintf("the subject would be longer than %d bytes", maxSubject), Hint: "shorten what the wording calls the form"}
	}
	m.Subject = subject
	var err error
	if m.Raw, err = l.write(m, &h, paragraphs, lang, rand); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Op: "compose", Msg: "the message could not be written", Err: err}
	}
	if most := cmp.Or(h.MaxBytes, maxMessage); len(m.Raw) > most {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Op: "compose", Msg: fmt.Sprintf("the message has %s and may have %s", megabytes(len(m.Raw)), megabytes(most)),
			Hint: "send fewer attachments, each as a message of its own, or hand them over"}
	}
	sum := sha256.Sum256(m.Raw)
	m.SHA256 = hex.EncodeToString(sum[:])
	return m, nil
}

// words are the subject and the paragraphs: what is wanted, by when, how to answer, the reference, whom to telephone.
func (l *Letter) words(d *caseforms.Definitions, h *House, files []string, lang string) (subject string, paragraphs []string) {
	w := d.MailFor(l.Form, l.Kind)
	day := func(on caseforms.Date) string {
		if on.IsZero() {
			return ""
		}
		return fmt.Sprintf("%s %d %s %d", w.Weekdays[(on.Weekday()+6)%7].In(lang), on.Day, d.Words["month_"+strconv.Itoa(on.Month)].In(lang), on.Year)
	}
	facts := map[string]string{
		"marking": l.Marking, "name": w.Name.In(lang), "reference": string(l.Ref), "issue": strconv.Itoa(l.Issue), "sent": day(l.Sent), "day": day(l.AnswerBy),
		"to": l.To, "contact": l.Contact, "phone": l.Phone, "files": strings.Join(files, ", "), "mailbox": string(l.replyTo(h)),
	}
	say := func(t caseforms.Text) string { return d.SayMail(t, lang, facts) }
	add := func(when bool, t caseforms.Text) {
		if when {
			paragraphs = append(paragraphs, say(t))
		}
	}
	subject = say(w.Subject)
	if l.NoAnswer {
		subject = say(w.SubjectNoAnswer)
	}
	add(true, w.Opening)
	add(!l.NoAnswer, w.Wanted)
	add(!l.NoAnswer && !l.AnswerBy.IsZero(), w.By)
	add(!l.NoAnswer && l.AnswerBy.IsZero(), w.BySoon)
	add(!l.NoAnswer, w.Answer)
	add(l.NoAnswer, w.NoAnswer)
	add(true, w.Reference)
	add(len(files) > 0, w.Attached)
	add(l.Route.Sealed && len(files) > 0, w.Sealed)
	add(true, w.Telephone)
	add(true, w.Notice)
	return subject, paragraphs
}

func (l *Letter) replyTo(h *House) Address {
	if h.Untagged {
		return h.Mailbox
	}
	return h.Mailbox.Tagged(l.Token)
}

// write puts the message together: the texts as two alternatives, the plain one first, then the files. Texts are quoted-printable and files
// base64, so that no relay has to change a byte on its way (RFC 2045, 2.7).
func (l *Letter) write(m *Message, h *House, paragraphs []string, lang string, rand io.Reader) ([]byte, error) {
	// No text in either encoding has "=_", so that no boundary can stand in one (RFC 2045, 6.7).
	boundary := func() (string, error) {
		b := make([]byte, 15)
		_, err := io.ReadFull(rand, b)
		return "=_" + tokenLetters.EncodeToString(b), err
	}
	outer, err := boundary()
	if err != nil {
		return nil, err
	}
	inner, err := boundary()
	if err != nil {
		return nil, err
	}

	// Fields are written in the reverse order of their being set.
	var head gomail.Header
	head.SetContentType("multipart/mixed", map[string]string{"boundary": outer})
	head.Set("MIME-Version", "1.0")
	head.Set("Content-Language", lang)
	if l.Automatic {
		head.Set("Auto-Submitted", "auto-generated")
	}
	if n := len(l.Follows); n > 0 {
		head.SetMsgIDList("References", l.Follows[max(0, n-maxFollows):])
		head.SetMsgIDList("In-Reply-To", l.Follows[n-1:])
	}
	head.SetSubject(m.Subject)
	head.SetAddressList("Reply-To", []*gomail.Address{{Name: h.Name, Address: string(l.replyTo(h))}})
	head.SetAddressList("To", []*gomail.Address{{Address: string(l.Route.To)}})
	head.SetAddressList("From", []*gomail.Address{{Name: h.Name, Address: string(h.Mailbox)}})
	head.SetMessageID(m.MessageID)
	head.SetDate(caseforms.London(l.Date))

	var out bytes.Buffer
	out.Grow(EncodedSize(l.sizes()...))
	buf := bufio.NewWriterSize(&out, 64<<10) // the encoders write line by line
	mw, err := message.CreateWriter(buf, head.Header)
	if err != nil {
		return nil, err
	}
	var alt message.Header
	alt.SetContentType("multipart/alternative", map[string]string{"boundary": inner})
	texts, err := mw.CreatePart(alt)
	if err != nil {
		return nil, err
	}
	for _, t := range []struct{ kind, body string }{
		{"text/plain", strings.Join(paragraphs, "\r\n\r\n") + "\r\n"},
		{"text/html", htmlTwin(m.Subject, paragraphs, lang)},
	} {
		var ph message.Header
		ph.Set("Content-Transfer-Encoding", "quoted-printable")
		ph.SetContentType(t.kind, map[string]string{"charset": "utf-8"})
		if err := writePart(texts, ph, []byte(t.body)); err != nil {
			return nil, err
		}
	}
	if err := texts.Close(); err != nil {
		return nil, err
	}
	for i, a := range l.Attachments {
		var ph message.Header
		ph.Set("Content-Transfer-Encoding", "base64")
		// Set by hand: the library would put encoded words inside the quotes, which RFC 2047, 5 forbids.
		ph.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": m.Files[i]}))
		ph.Set("Content-Type", mime.FormatMediaType(attachable[a.Ext], map[string]string{"name": m.Files[i]}))
		if err := writePart(mw, ph, a.Data); err != nil {
			return nil, err
		}
	}
	if err := mw.Close(); err != nil {
		return nil, err
	}
	if err := buf.Flush(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writePart(mw *message.Writer, h message.Header, body []byte) error {
	w, err := mw.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Close()
}

// htmlTwin says the same as the plain text. It has no picture, script, style sheet or link, so that nothing is fetched when it is shown.
func htmlTwin(title string, paragraphs []string, lang string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\r\n<html lang=\"%s\">\r\n<head><meta charset=\"utf-8\"><title>%s</title></head>\r\n<body>\r\n", html.EscapeString(lang), html.EscapeString(title))
	for _, p := range paragraphs {
		fmt.Fprintf(&b, "<p>%s</p>\r\n", html.EscapeString(p))
	}
	b.WriteString("</body>\r\n</html>\r\n")
	return b.String()
}

// MarshalBinary gives a message as it is stored: a line of JSON with what is known about it, then its bytes as they are.
func (m *Message) MarshalBinary() ([]byte, error) {
	head, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), m.Raw...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Bytes that are not those that were composed are an error.
func (m *Message) UnmarshalBinary(b []byte) error {
	head, raw, _ := bytes.Cut(b, []byte("\n"))
	err := json.Unmarshal(head, m)
	m.Raw = bytes.Clone(raw)
	if sum := sha256.Sum256(raw); err != nil || hex.EncodeToString(sum[:]) != m.SHA256 {
		return &caseforms.Error{Kind: caseforms.Internal, Op: "read a message to be sent", Msg: "it is not as it was composed", Hint: "send the document again", Err: err}
	}
	return nil
}

// Missing tells which attachments a document says it has and the message has not (0.4 point 26), as problems to be told before sending. A
// document says it by the ticked boxes of its question "attachments", by a yes to one called "…_attached", or in the free words of
// "attachments_other", for which there must be a file whose key begins with "other".
func Missing(doc *caseforms.Document, have []Attachment) (out []caseforms.Problem) {
	others := 0
	keys := map[string]bool{}
	for _, a := range have {
		keys[a.Key] = true
		if strings.HasPrefix(a.Key, "other") {
			others++
		}
	}
	doc.Answers(func(s *caseforms.DocSection, a *caseforms.Answer) {
		if a.State != caseforms.Answered {
			return
		}
		add := func(msg, hint string) {
			out = append(out, caseforms.Problem{Severity: caseforms.Blocking, Key: a.Key, Label: a.Label, Section: s.Title, Msg: msg, Hint: hint, Source: "0.4(26)"})
		}
		switch a.Key {
		case "attachments":
			for _, b := range a.Boxes {
				if b.Ticked && !keys[b.Value] && (b.Value != "other" || others == 0) {
					add("says that “"+b.Label+"” is attached, and it is not", "attach it, or take the tick away")
				}
			}
		case "attachments_other":
			if others == 0 {
				add("names something that is not attached", "attach it, or take the words away")
			}
		default:
			if key, is := strings.CutSuffix(a.Key, "_attached"); is && a.Value == "yes" && !keys[key] {
				add("says that it is attached, and it is not", "attach it, or correct the answer")
			}
		}
	})
	return out
}

func (l *Letter) sizes() (out []int) {
	for _, a := range l.Attachments {
		out = append(out, len(a.Data))
	}
	return out
}
