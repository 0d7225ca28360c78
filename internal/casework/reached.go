package casework

import (
	"context"
	"slices"
	"strings"

	"caseforms"
	"caseforms/internal/store"
	"caseforms/mail"
)

// Reached is an office whom a document is for and that it went to, or is on its way to. What is known not to have arrived does not count.
type Reached struct {
	To      string // as people call it
	Office  string // see officeOf; "" is none that is known
	Role    string // of one that is not in the directory: what it was said to be
	Address string // of e-mail to an address outside the directory
	Issue   int    // the latest that it has, or that is on its way there
	Channel Channel
	On      caseforms.Date
	Leaving bool // it is on its way, or held, and has not arrived
	Held    bool
}

// reachedBy are the offices that a document went to, each with the latest issue that it has or will have, in the order in which they first got it.
func (k *Desk) reachedBy(ctx context.Context, m *matter, sends []store.Send) (out []Reached, err error) {
	note := func(r Reached) {
		i := slices.IndexFunc(out, func(o Reached) bool {
			return r.Office != "" && o.Office == r.Office || (r.Office == "" || o.Office == "") && strings.EqualFold(o.To, r.To)
		})
		if i < 0 {
			out = append(out, r)
		} else if r.Issue >= out[i].Issue && !(r.Leaving && r.Issue == out[i].Issue) {
			out[i] = r
		}
	}
	address, back := map[string]string{}, map[int64]bool{} // back are hand-offs by e-mail of which a server reported that it did not arrive
	for i := range sends {
		if n := &sends[i]; n.HandOff != 0 && n.Kind != caseforms.MailChase && n.Reported == string(mail.ActionFailed) {
			back[n.HandOff] = true
		}
		if p, err := k.posting(ctx, &sends[i]); err == nil && !p.Listed {
			address[sends[i].Office] = p.Address
		}
	}
	for i := range m.hands {
		h := &m.hands[i]
		if h.Ref != m.doc.Ref || h.Elsewhere || back[h.ID] {
			continue
		}
		c, err := k.handOffContent(ctx, h)
		if err != nil {
			return nil, err
		}
		note(Reached{To: c.To, Office: c.Office, Role: c.Role, Address: address[c.Office], Issue: h.Version, Channel: Channel(h.Channel), On: h.Day})
	}
	for i := range sends {
		n := &sends[i]
		if n.State == store.SendWithdrawn || n.Kind == caseforms.MailChase || n.HandOff != 0 {
			continue
		}
		it, err := k.itemOf(ctx, n)
		if err != nil {
			return nil, err
		}
		if it != nil && it.State == store.Dead {
			continue // it did not arrive
		}
		p, err := k.posting(ctx, n)
		if err != nil {
			return nil, err
		}
		note(Reached{To: p.Organisation, Office: n.Office, Address: address[n.Office], Issue: n.Version, Channel: ByEmail, On: caseforms.DateOf(caseforms.London(n.Created)), Leaving: true, Held: n.State == store.SendHeld})
	}
	return out, nil
}
