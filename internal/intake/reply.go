package intake

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"

	"caseforms"
)

// Reply is what a recipient filled in on a form of ours. Every answer is a proposal.
type Reply struct {
	Form    string // id
	Version string // as the file says
	Current string // the version the answers were read by; where it differs, a question may have been worded otherwise
	Ref     string // the document's reference as the file says, which is no proof of anything; empty when it was not recorded
	Answers []Proposed
	Ignored int // fields of the file that are none of the form's questions
}

// Proposed is one answer, in the order of the form's questions. Questions left blank are not among them.
type Proposed struct {
	Key     string
	Label   string
	Typed   string          // as it stands in the file: words, or the label of what was chosen; of tick boxes one a line
	State   caseforms.State // NotAnswered when Typed was not understood
	Value   string          // canonical, as a case record holds it; empty when Typed was not understood
	Problem string          // why Typed was not understood, or what looks wrong with Value; it holds no part of the answer
}

// Reader reads returned files. The zero value is ready to use, and may be used by several goroutines at once; each call has a process
// of its own that may use half a gigabyte, so the caller settles how many there are.
type Reader struct {
	Executable string        // what is started with ChildArg; "" is the running program
	Time       time.Duration // how long reading one file may take; 0 is five seconds

	env []string // of tests
}

// ReadReply reads a returned fillable PDF with a Reader's zero value, see [Reader.ReadReply].
func ReadReply(ctx context.Context, data []byte, password string, d *caseforms.Definitions) (Reply, error) {
	return new(Reader).ReadReply(ctx, data, password, d)
}

// ReadReply reads a returned fillable PDF. The password may be empty. An error is a [caseforms.Error]; one about the file holds a
// [Reason]. With the reason Empty the reply says all the same which document it is.
func (r *Reader) ReadReply(ctx context.Context, data []byte, password string, d *caseforms.Definitions) (Reply, error) {
	switch {
	case len(data) > MaxPDFBytes:
		return Reply{}, refuse(TooLarge)
	case !bytes.Contains(data[:min(len(data), 1024)], []byte("%PDF-")):
		return Reply{}, refuse(NotPDF)
	case cutOff(data):
		return Reply{}, refuse(Damaged)
	case len(password) > maxPassword:
		return Reply{}, refuse(BadPassword)
	}
	out, err := r.child(ctx, data, password)
	if err != nil {
		return Reply{}, err
	}
	found, err := decode(out)
	if err != nil {
		return Reply{}, &caseforms.Error{Kind: caseforms.Internal, Msg: "the reader of returned files did not answer as it should"}
	}
	switch found.Failed {
	case "":
	case failedPassword:
		if password == "" {
			return Reply{}, refuse(Encrypted)
		}
		return Reply{}, refuse(BadPassword)
	default:
		return Reply{}, refuse(failures[found.Failed])
	}
	return propose(found.Fields, d)
}

// cutOff tells whether a file lacks its end. The parser would put together what is there, and answers would be missing without a word;
// of a file that was added to, as programs that fill in forms do, it would be the form as it was before.
func cutOff(data []byte) bool {
	const end = "%%EOF"
	i := bytes.LastIndex(data, []byte(end))
	return i < 0 || bytes.Contains(data[i:], []byte(" obj"))
}

// child gives the file to a process of its own and returns what that writes.
func (r *Reader) child(ctx context.Context, data []byte, password string) ([]byte, error) {
	name := r.Executable
	if name == "" {
		var err error
		if name, err = os.Executable(); err != nil {
			return nil, unable(err)
		}
	}
	limit := r.Time
	if limit == 0 {
		limit = 5 * time.Second
	}
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	// The password goes the way of the file: a command line can be read by others.
	header := binary.BigEndian.AppendUint32(nil, uint32(len(password)))
	out := &capped{}
	cmd := exec.CommandContext(timed, name, ChildArg)
	cmd.Stdin = io.MultiReader(bytes.NewReader(header), strings.NewReader(password), bytes.NewReader(data))
	cmd.Stdout = out
	cmd.Env = append([]string{"GOTRACEBACK=none"}, r.env...) // and nothing else of ours
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	answer, isReader := bytes.CutPrefix(out.Bytes(), []byte(ready))
	switch {
	case ctx.Err() != nil:
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "reading the returned file was interrupted", Err: ctx.Err()}
	case !isReader && timed.Err() == nil:
		return nil, unable(errors.New("the program started is not the reader"))
	case timed.Err() != nil:
		return nil, refuse(TooSlow)
	case out.over:
		return nil, refuse(TooComplex)
	case errors.As(err, &exit) && exit.ExitCode() == exitTime:
		return nil, refuse(TooSlow)
	case errors.As(err, &exit):
		// Too much memory, a stack without end, or killed by a system that is short of memory.
		return nil, refuse(TooComplex)
	case err != nil:
		return nil, unable(err)
	}
	return answer, nil
}

// unable tells that no process can be started. The error's path is left out: a folder may bear a person's name.
func unable(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	var e *exec.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the reader of returned files cannot be started", Err: err}
}

// capped keeps what is written to it up to a limit, and fails from there.
type capped struct {
	bytes.Buffer
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > maxOutput {
		c.over = true
		return 0, errors.New("too much output")
	}
	return c.Buffer.Write(p)
}

// decode reads what the child wrote. The child has had a hostile file in its hands, so this is as strict as it can be.
func decode(data []byte) (found, error) {
	var f found
	if len(data) > maxOutput {
		return found{}, errors.New("too large")
	}
	if err := json.Unmarshal(data, &f, json.RejectUnknownMembers(true), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false)); err != nil {
		return found{}, err
	}
	if _, known := failures[f.Failed]; !known || f.Failed != "" && f.Fields != nil || len(f.Fields) > maxNodes {
		return found{}, errors.New("not what was agreed")
	}
	return f, nil
}

// A root field of ours: the form, its version, and the document's reference. A point would end the name, see below.
var rootRule = regexp.MustCompile(`^([a-z][a-z0-9_-]{0,39}):([0-9A-Za-z_-]{1,40}):((?:[A-Z0-9]{1,8}(?:-[A-Z0-9]{1,8}){0,4})?)$`)

// given are the values found under one name, each once, and what is to be said of them.
type given struct {
	values  []string
	problem string
}

func (g *given) add(f *field) {
	text := clean(strings.Join(f.Values, "\n"))
	cut := f.Cut
	if runes := []rune(text); len(runes) > MaxTextLength {
		text, cut = string(runes[:MaxTextLength]), true
	}
	if blank(text) {
		return
	}
	if cut {
		g.problem = "is longer than an answer may be; only its beginning is here, the whole of it is in the file"
	}
	if !slices.Contains(g.values, text) && len(g.values) < 8 {
		g.values = append(g.values, text)
	}
	if len(g.values) > 1 {
		g.problem = "stands in the file more than once, and differently"
	}
}

// propose takes from a file's fields the answers to a form's questions.
func propose(fields []field, d *caseforms.Definitions) (Reply, error) {
	// Programs that fill in a form may take its fields out of their tree and give them full names instead, joined by points.
	// So the parts are joined, and parted again; no part of a name of ours has a point in it.
	mine := map[string]map[string][]*field{} // by root, then by the rest of the name
	ignored := 0
	for i := range fields {
		f := &fields[i]
		root, rest, _ := strings.Cut(strings.Join(f.Name, "."), ".")
		if len(root) > 200 || len(rest) > 200 || !rootRule.MatchString(root) {
			ignored++
			continue
		}
		if mine[root] == nil {
			mine[root] = map[string][]*field{}
		}
		mine[root][rest] = append(mine[root][rest], f)
	}
	var reply Reply
	var questions []*caseforms.Field
	root := ""
	for name := range mine {
		part := rootRule.FindStringSubmatch(name)
		form, err := d.Form(part[1])
		if err != nil || len(form.ReplyFields()) == 0 {
			for _, fs := range mine[name] {
				ignored += len(fs)
			}
			continue
		}
		if root != "" {
			return Reply{}, refuse(SeveralForms)
		}
		root, questions = name, form.ReplyFields()
		reply = Reply{Form: form.ID, Version: part[2], Current: form.Version, Ref: part[3]}
	}
	if root == "" {
		return Reply{}, refuse(NoForm)
	}
	names := mine[root]
	for _, q := range questions {
		p := Proposed{Key: q.Key, Label: d.Label(q)}
		var g given
		for _, f := range names[q.Key] {
			if f.Type == typeText || f.Type == typeChoice {
				g.add(f)
			} else {
				ignored++
			}
		}
		delete(names, q.Key)
		p.Typed, p.Problem = strings.Join(g.values, "\n"), g.problem
		ticked, problem, stray := boxes(d, q, names)
		ignored += stray
		if p.Typed != "" && ticked != "" {
			p.Problem = "is answered in the file both by ticks and in words"
		}
		if problem != "" {
			p.Problem = problem
		}
		p.Typed += "\n" + ticked
		p.Typed = strings.Trim(p.Typed, "\n")
		if p.Typed == "" {
			continue
		}
		if p.Problem == "" {
			if t, err := d.ReadTyped(q, p.Typed); err != nil {
				p.Problem = err.Error()
			} else {
				p.State, p.Value, p.Problem = t.State, t.Value, t.Doubt
			}
		}
		reply.Answers = append(reply.Answers, p)
	}
	for _, fs := range names {
		ignored += len(fs)
	}
	reply.Ignored = ignored
	if len(reply.Answers) == 0 {
		return reply, refuse(Empty)
	}
	return reply, nil
}

// boxes are the labels of a question's ticked boxes, one a line. Each box is a field of its own, named after the option's value.
func boxes(d *caseforms.Definitions, q *caseforms.Field, names map[string][]*field) (ticked, problem string, stray int) {
	var labels []string
	for _, o := range d.Options(q) {
		name := q.Key + "." + o.Value
		on, off := false, false
		for _, f := range names[name] {
			switch {
			case f.Type != typeButton:
				stray++
			case f.On:
				on = true
			default:
				off = true
			}
		}
		delete(names, name)
		if on {
			labels = append(labels, o.Label.In(d.Lang))
		}
		if on && off {
			problem = "has a box that stands in the file more than once, and differently"
		}
	}
	return strings.Join(labels, "\n"), problem, stray
}

// clean brings text to one form: valid UTF-8, NFC, one kind of line end, no control characters but that, and none of the marks that turn
// the direction of writing round, which the case record refuses as well.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n", "\t", " ").Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case r < 0x20 && r != '\n', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(norm.NFC.String(s))
}

// blank tells whether there is nothing to be seen in a text.
func blank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}
