package mail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"caseforms"
)

// Channel is the means by which something may go to a recipient.
type Channel string

const (
	None     Channel = "none"     // nothing may go
	TLS      Channel = "tls"      // by a relay whose operator guarantees that it passes mail on over verified TLS or not at all
	CJSM     Channel = "cjsm"     // by the relay of Criminal Justice Secure eMail, to the address as it is known there
	Password Channel = "password" // as a file sealed with a password, which is told by telephone
	Hand     Channel = "hand"     // not by e-mail: by hand, telephone, post or the agency's portal
)

// cjsmSuffix is what CJSM puts behind an address that its gateways carry.
const cjsmSuffix = ".cjsm.net"

// Demonstration is how and when somebody saw for themselves that a way is secure. Without one nothing personal may go by it (003:332).
type Demonstration struct {
	How string         // "TLS test and letter from their IT"
	On  caseforms.Date // zero: never
}

// Recipient is somebody who may be sent to: a function of an organisation, never a person.
type Recipient struct {
	ID           string // in the directory
	Listed       bool   // it stands in the directory; whatever does not must be confirmed each time
	Role         string // what forms and settings call it: "mash", "public_protection_office"
	Organisation string
	Area         string
	Address      Address
	Phone        string // of the service, told when something does not get through
	Demonstrated Demonstration
}

// Policy says by what may be sent to an address or a domain.
type Policy struct {
	For          string // mash@council.gov.uk, or a domain: council.gov.uk, or gov.uk for all that are below it
	Channel      Channel
	Relay        string        // by which; "" is the first one that will do
	Demonstrated Demonstration // for all it is about; the later of this and the recipient's holds
	Why          string        // of none and hand: the reason people are told
}

// anybodys are domains below which anybody may have one: a policy for all of them would be one for strangers.
var anybodys = strings.Fields("co.uk org.uk me.uk ltd.uk plc.uk net.uk uk.com uk.net gb.net")

// Check tells what is wrong with a policy as it was written down.
func (p *Policy) Check() error {
	bad := func(msg, hint string) error {
		return &caseforms.Error{Kind: caseforms.Invalid, Op: "policy", Msg: msg, Hint: hint}
	}
	if !slices.Contains([]Channel{None, TLS, CJSM, Password, Hand}, p.Channel) {
		return bad("there is no such channel", "channels: none, tls, cjsm, password, hand")
	}
	if strings.Contains(p.For, "@") {
		_, err := ParseAddress(p.For)
		return err
	}
	domain, err := ParseDomain(p.For)
	if err == nil && slices.Contains(anybodys, domain) {
		return bad("what is below this domain is too much for one policy", "write it as council.gov.uk")
	}
	return err
}

// Question is all that decides whether something may be sent.
type Question struct {
	To        Recipient
	Policies  []Policy
	Relays    []Relay
	Urgent    bool           // a child is in danger: what to do instead comes first
	Size      int            // of the whole message in bytes, see [EncodedSize]
	Today     caseforms.Date // London's
	Confirmed bool           // somebody looked at an address outside the directory and logged that it is right
	Months    int            // how long a demonstration holds; 0 is 12
}

// Allowed is what policy allows: this relay, this address, in this state.
type Allowed struct {
	Channel Channel
	Relay   string
	To      Address // as it goes on the envelope and into the message
	Sealed  bool    // only files that open with a password
}

// Reason says in a word why something is held.
type Reason string

const (
	BadAddress      Reason = "bad_address"
	Unconfirmed     Reason = "unconfirmed"
	NoPolicy        Reason = "no_policy"
	Ambiguous       Reason = "ambiguous"
	Blocked         Reason = "blocked"
	ByHand          Reason = "by_hand"
	NotDemonstrated Reason = "not_demonstrated"
	Expired         Reason = "expired"
	NoRelay         Reason = "no_relay"
	TooLarge        Reason = "too_large"
	PolicyChanged   Reason = "policy_changed"
)

// Held says why something may not be sent, and what to do instead. Neither has personal data.
type Held struct {
	Reason Reason
	Why    string
	Do     string
}

func (h *Held) Error() string { return "held: " + h.Why }

// Decision is the answer to a [Question]: exactly one of the two is set.
type Decision struct {
	Allowed *Allowed
	Held    *Held
}

// Decide tells whether and how something may be sent. It looks at nothing but the question, so that the same one can be asked when a message
// is queued and again before it is sent. What it cannot place is held: there is no way that is used because a better one is missing.
func Decide(q Question) Decision {
	held := func(r Reason, why, do string) Decision {
		return Decision{Held: &Held{r, why, q.meanwhile(r == ByHand) + do}}
	}
	to, err := ParseAddress(string(q.To.Address))
	if err != nil {
		return held(BadAddress, "the recipient has no e-mail address that can be sent to", "correct the address in the directory")
	}
	if !q.To.Listed && !q.Confirmed {
		return held(Unconfirmed, "the address does not stand in the directory", "compare it with the organisation's own published address and confirm it with the reason, or choose a recipient of the directory")
	}
	p, also := policyFor(q.Policies, to)
	switch {
	case p == nil:
		return held(NoPolicy, "there is no policy for "+to.Domain(), "ask an administrator to find out how it can be sent to securely, and to write that down as a policy")
	case also != nil:
		return held(Ambiguous, "there are two policies for "+p.For+" that do not agree", "ask an administrator to remove the one that does not hold")
	case p.Channel == Hand:
		return held(ByHand, cmp.Or(p.Why, "nothing goes there by e-mail"), "hand it over and record that")
	case p.Channel == None:
		return held(Blocked, cmp.Or(p.Why, "policy lets nothing go there"), "ask the organisation for another address, or hand it over and record that")
	case p.Check() != nil:
		return held(NoPolicy, "the policy for "+to.Domain()+" cannot be used as it is written", "ask an administrator to correct it")
	}
	if p.Channel == TLS || p.Channel == CJSM { // a sealed file is secure by itself
		shown := q.To.Demonstrated
		if shown.On.Before(p.Demonstrated.On) {
			shown = p.Demonstrated
		}
		months := cmp.Or(q.Months, 12)
		switch {
		case shown.On.IsZero() || strings.TrimSpace(shown.How) == "" || q.Today.Before(shown.On):
			return held(NotDemonstrated, "nobody has recorded how it was demonstrated that this way is secure", "have it demonstrated and record how and when")
		case shown.On.AddMonths(months).Before(q.Today):
			return held(Expired, fmt.Sprintf("that this way is secure was last demonstrated on %s, more than %d months ago", shown.On.Long(), months), "have it demonstrated again and record how and when")
		}
	}
	relay := q.relay(p)
	if relay == nil {
		return held(NoRelay, "no relay is set up that may carry "+string(p.Channel), "ask an administrator to set up the relay that the policy needs")
	}
	a := &Allowed{Channel: p.Channel, Relay: relay.Name, To: to, Sealed: p.Channel == Password}
	if p.Channel == CJSM && !strings.HasSuffix(to.Domain(), cjsmSuffix) {
		if a.To, err = ParseAddress(string(to) + cjsmSuffix); err != nil {
			return held(BadAddress, "the address is too long to be sent to by CJSM", "ask the organisation for its CJSM address")
		}
	}
	if most := relay.most(); q.Size > most {
		return held(TooLarge, fmt.Sprintf("the message has %s and %s may go by this way", megabytes(q.Size), megabytes(most)), "send fewer attachments, each as a message of its own, or hand them over")
	}
	return Decision{Allowed: a}
}

// Recheck asks again before a message is sent that was allowed when it was made: its bytes, and so its address and whether its files are sealed, can no
// longer be changed. Another relay will do. A sealed file may go where an open one could; what must be sealed by now may not go open.
func Recheck(then Allowed, q Question) Decision {
	d := Decide(q)
	if d.Held != nil {
		return d
	}
	now := *d.Allowed
	if !now.To.Same(then.To) || now.Sealed && !then.Sealed {
		return Decision{Held: &Held{PolicyChanged, "policy has changed since this was made ready, and as it is it may not go any more", q.meanwhile(false) + "send it again: it is then made as policy is now"}}
	}
	now.To, now.Sealed = then.To, then.Sealed
	return Decision{Allowed: &now}
}

// meanwhile is what comes before everything else when a child is in danger (0.4 point 3). A call that was logged counts as made.
func (q *Question) meanwhile(hand bool) string {
	if !q.Urgent {
		return ""
	}
	s := "ring the service now"
	if q.To.Phone != "" {
		s = "ring the service now on " + q.To.Phone
	}
	if hand {
		return s + " and record the call; then "
	}
	return s + ", print the document and hand it over, and record both; then "
}

// PolicyFor is the policy for an address; nil when there is none, or two that do not agree.
func PolicyFor(ps []Policy, to Address) *Policy {
	if p, also := policyFor(ps, to); also == nil {
		return p
	}
	return nil
}

// policyFor is the policy that is most exactly about an address: its own, else its domain's, else that of the nearest domain above. When two
// are equally exact and do not agree, also is the other one.
func policyFor(ps []Policy, to Address) (p, also *Policy) {
	best := 0
	for i := range ps {
		n := ps[i].exactness(to)
		switch {
		case n == 0 || n < best:
		case n > best:
			best, p, also = n, &ps[i], nil
		case ps[i].Channel != p.Channel || ps[i].Relay != p.Relay:
			also = &ps[i]
		}
	}
	return p, also
}

// exactness is 0 when the policy is not about an address.
func (p *Policy) exactness(to Address) int {
	domain, about := to.Domain(), strings.ToLower(p.For)
	switch {
	case about == "":
	case strings.Contains(about, "@"):
		if strings.EqualFold(about, string(to)) {
			return maxAddress + 1
		}
	case about == domain, strings.HasSuffix(domain, "."+about):
		return len(about)
	}
	return 0
}

// relay is the one that the policy names if it may carry the channel, else the first that may; nil when there is none.
func (q *Question) relay(p *Policy) *Relay {
	for i := range q.Relays {
		r := &q.Relays[i]
		may := r.Guarantees == p.Channel
		if p.Channel == Password {
			may = r.Guarantees != CJSM // which carries nothing to others
		}
		if may && (p.Relay == "" || p.Relay == r.Name) {
			return r
		}
	}
	return nil
}

func megabytes(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
