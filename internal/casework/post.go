package casework

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
)

// Post is how the desk sends and takes in e-mail. Without one nothing goes by e-mail.
type Post struct {
	House  mail.House
	Relays []mail.Relay
	Ours   mail.Ours            // what matching must know
	Months int                  // how long a demonstration holds; 0 is 12
	Ring   Telephone            // whom agencies telephone
	Teams  map[string]Telephone // of a team, where it differs
}

// Telephone is whom agencies ring: a team or a role, no person.
type Telephone struct{ Whom, Number string }

// Mail says how e-mail is sent and taken in. It is called before anything else.
func (k *Desk) Mail(p *Post) { k.post = p }

// noPost says that nothing was configured.
func (k *Desk) noPost() error {
	if k.post != nil {
		return nil
	}
	return &caseforms.Error{Kind: caseforms.Unavailable, Msg: "no mailbox of ours is configured, so nothing goes by e-mail", Hint: "write mailbox and relays into the configuration (docs/mail.md), or hand it over: --by hand, post, telephone or portal"}
}

// ring is whom the agency is told to telephone about a case of a team.
func (p *Post) ring(team string) Telephone {
	if c, ok := p.Teams[team]; ok {
		return c
	}
	return p.Ring
}

// posting is what is known of a send beside what can be counted: to whom, and what stands against it.
type posting struct {
	Organisation string            `json:"organisation"`
	Role         string            `json:"role,omitempty"`
	Address      string            `json:"address"`
	Listed       bool              `json:"listed"`
	Phone        string            `json:"phone,omitempty"`
	Why          string            `json:"why,omitempty"` // of one that is held
	Do           string            `json:"do,omitempty"`
	Confirmed    string            `json:"confirmed,omitempty"` // why an address outside the directory is right
	Again        string            `json:"again,omitempty"`     // why it was sent once more
	Released     *released         `json:"released,omitempty"`
	Password     string            `json:"password,omitempty"` // that opens the sealed files, to be told by telephone
	Relay        string            `json:"relay,omitempty"`
	Subject      string            `json:"subject,omitempty"`
	Files        []string          `json:"files,omitempty"`
	Size         int               `json:"size,omitempty"`
	AnswerBy     caseforms.Date    `json:"answer_by,omitzero"` // what the message says
	Attach       []mail.Attachment `json:"attach,omitempty"`
	HandOff      int64             `json:"hand_off,omitempty"` // of a chase: which hand-off is chased
}

// released is what somebody entitled decided about one that was held: it is a policy for this send alone.
type released struct {
	Means mail.Channel   `json:"means"`
	Why   string         `json:"why"`
	By    string         `json:"by"`
	On    caseforms.Date `json:"on"`
}

// policies are those of the store as mail knows them.
func (k *Desk) policies(ctx context.Context) (out []mail.Policy, err error) {
	ps, err := k.store.Policies(ctx)
	for _, p := range ps {
		out = append(out, mail.Policy{For: p.Pattern, Channel: mail.Channel(p.Means), Relay: p.Relay, Demonstrated: mail.Demonstration{How: p.How, On: p.Demonstrated}, Why: p.Why})
	}
	return out, err
}

// question puts together what decides about a send. moved says that the directory has the office no longer, or under another address.
func (k *Desk) question(ctx context.Context, p *posting, recipient string, urgent bool, size int) (q mail.Question, moved *mail.Held, err error) {
	q = mail.Question{
		To:     mail.Recipient{ID: recipient, Listed: p.Listed, Role: p.Role, Organisation: p.Organisation, Address: mail.Address(p.Address), Phone: p.Phone},
		Relays: k.post.Relays, Urgent: urgent, Size: size, Today: k.today(), Confirmed: p.Confirmed != "", Months: k.post.Months,
	}
	if q.Policies, err = k.policies(ctx); err != nil || recipient == "" {
		return q, nil, err
	}
	r, err := k.recipient(ctx, recipient)
	var e *caseforms.Error
	switch {
	case errors.As(err, &e) && e.Kind == caseforms.NotFound || err == nil && (!r.Active || !strings.EqualFold(r.Address, p.Address)):
		return q, &mail.Held{Reason: mail.BadAddress, Why: "the directory has this office no longer, or under another address", Do: "withdraw it (caseforms outbox withdraw) and send it again, to where the office is now"}, nil
	case err != nil:
		return q, nil, err
	}
	q.To.Demonstrated = mail.Demonstration{How: r.How, On: r.Demonstrated}
	return q, nil, nil
}

// decide asks policy, and what somebody entitled decided where policy says nothing. What policy forbids nobody releases.
func decide(q mail.Question, r *released, ask func(mail.Question) mail.Decision) mail.Decision {
	d := ask(q)
	if d.Held == nil || r == nil || !releasable(d.Held.Reason) {
		return d
	}
	relay := ""
	if p := mail.PolicyFor(q.Policies, q.To.Address); p != nil && p.Channel == r.Means {
		relay = p.Relay
	}
	q.Policies = []mail.Policy{{For: string(q.To.Address), Channel: r.Means, Relay: relay, Demonstrated: mail.Demonstration{How: "released: " + r.Why, On: r.On}}}
	q.Confirmed = true
	return ask(q)
}

// releasable tells whether somebody entitled may let go what is held for this reason.
func releasable(r mail.Reason) bool {
	return r == mail.NoPolicy || r == mail.NotDemonstrated || r == mail.Expired || r == mail.Unconfirmed
}

// recheck asks policy again about a message that is about to be dialled for.
func (k *Desk) recheck(ctx context.Context, m *mail.Message) (mail.Decision, error) {
	n, err := k.store.FindSend(ctx, store.ByMessage, m.ID)
	if err != nil {
		return mail.Decision{}, err
	}
	if n == nil || n.State != store.SendQueued {
		return mail.Decision{Held: &mail.Held{Reason: mail.Blocked, Why: "it was withdrawn", Do: "send it again if it is to go"}}, nil
	}
	p, err := k.posting(ctx, n)
	if err != nil {
		return mail.Decision{}, err
	}
	d, err := k.store.Document(ctx, n.Ref)
	if err != nil {
		return mail.Decision{}, err
	}
	held := func(why, do string) (mail.Decision, error) {
		return mail.Decision{Held: &mail.Held{Reason: mail.PolicyChanged, Why: why, Do: do}}, nil
	}
	switch latest := d.Latest().Number; {
	case n.Kind != caseforms.MailChase && n.Version < latest:
		return held(fmt.Sprintf("issue %d was issued since", latest), "withdraw this one and send the latest")
	case !p.AnswerBy.IsZero() && p.AnswerBy.Before(k.today()):
		return held("it asks for an answer by "+p.AnswerBy.Long()+", which has passed while it waited", "release it: it is then made anew, with another day")
	}
	q, moved, err := k.question(ctx, p, n.Recipient, n.Urgent, len(m.Raw))
	if err != nil {
		return mail.Decision{}, err
	}
	if moved != nil {
		return mail.Decision{Held: moved}, nil
	}
	return decide(q, p.Released, func(q mail.Question) mail.Decision { return mail.Recheck(m.Route, q) }), nil
}

func (k *Desk) posting(ctx context.Context, n *store.Send) (*posting, error) {
	b, err := k.store.SendContent(ctx, n)
	if err != nil {
		return nil, err
	}
	p := &posting{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Internal, Msg: "what was written down about a send is damaged"}
	}
	return p, nil
}

// Courier is a carrier that takes messages to the relays. The caller closes it.
func (k *Desk) Courier() (*MailCarrier, error) {
	if err := k.noPost(); err != nil {
		return nil, err
	}
	return &MailCarrier{&mail.Courier{Relays: k.post.Relays, Hello: k.post.House.Hello(), Recheck: k.recheck, LoopbackOnly: k.store.Test()}}, nil
}

// MailCarrier carries parcels that are messages.
type MailCarrier struct{ courier *mail.Courier }

// Close ends the connections to the relays.
func (c *MailCarrier) Close() { c.courier.Close() }

// Carry hands a message over to its relay.
func (c *MailCarrier) Carry(ctx context.Context, p Parcel, leaving func() error) (Carried, error) {
	m := &mail.Message{}
	if err := m.UnmarshalBinary(p.Payload); err != nil {
		return Carried{}, &NotDelivered{Said: "it is not as it was composed; send the document again", Never: true}
	}
	del, err := c.courier.Carry(ctx, m, leaving)
	got := Carried{Said: del.Said, Detail: del.Detail()}
	var not *mail.NotDelivered
	if errors.As(err, &not) {
		return got, &NotDelivered{Said: not.Said, Never: not.Never, Held: not.Held}
	}
	return got, err
}

// newMessage draws what a message is known by. Neither says anything of a case.
func newMessage() (id string, t mail.Token, err error) {
	if t, err = mail.NewToken(rand.Reader); err == nil {
		var name mail.Token
		name, err = mail.NewToken(rand.Reader)
		id = "cf-" + string(name)
	}
	return id, t, err
}
