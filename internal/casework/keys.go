package casework

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"caseforms"
	"caseforms/internal/store"
)

// Scope is something that a program with a key may ask for. What the person may do whose key it is holds beside it.
type Scope string

const (
	ScopeForms     Scope = "forms:read"      // which forms there are, and what a case is made of
	ScopeRender    Scope = "forms:render"    // check a case, and fill forms from it; nothing is stored
	ScopeCases     Scope = "cases:read"      // find cases and read them
	ScopeDrafts    Scope = "drafts:write"    // drafts, reading them as well
	ScopeDocuments Scope = "documents:read"  // what happened with a document, and its files
	ScopeIssue     Scope = "documents:issue" // issue documents
	ScopeSend      Scope = "documents:send"  // send them by e-mail
	ScopeFollowUp  Scope = "followups:write" // hand-offs, responses, notes
	ScopeDue       Scope = "followups:read"  // what is due
	keyPrefix            = "caseforms_"      // by which people and programs that look for lost keys know one
	testPrefix           = keyPrefix + "test_"
	keyLasts             = 90 // days, when nothing else is said
	keyLastsMost         = 366
)

// Scopes are all there are.
var Scopes = []Scope{ScopeForms, ScopeRender, ScopeCases, ScopeDrafts, ScopeDocuments, ScopeIssue, ScopeSend, ScopeFollowUp, ScopeDue}

// Key is a key of a program, without what proves it.
type Key struct {
	store.APIKey
	Login string
	Maker string // the name of who made it; only in lists
	Holds bool   // it works: it has not expired, was not revoked, and its person's account is open
}

// Has tells whether a key has a scope.
func (k *Key) Has(s Scope) bool { return slices.Contains(k.Scopes, string(s)) }

// MakeKey asks for a key.
type MakeKey struct {
	Login   string
	Scopes  []string
	Test    bool           // with it cases are checked, forms filled and sending is tried, and nothing is stored or leaves
	Expires caseforms.Date // the last day on which it works; zero is in 90 days
}

// keyUse remembers when the store was told last that a key is in use.
type keyUse struct {
	mu   sync.Mutex
	told map[string]time.Time
}

// MakeKey makes a key for a person: their own, or by an admin anybody's. It is given back once; only its hash is kept.
func (k *Desk) MakeKey(ctx context.Context, a caseforms.Actor, m MakeKey) (string, *Key, error) {
	u, err := k.keyOwner(ctx, a, m.Login, "make keys for other people")
	if err != nil {
		return "", nil, err
	}
	if !u.Active {
		return "", nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "this account is closed", Hint: "open it first"}
	}
	var scopes []string
	for _, s := range m.Scopes {
		if s = strings.ToLower(strings.TrimSpace(s)); !slices.Contains(Scopes, Scope(s)) {
			return "", nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "there is no scope of this name", Hint: "scopes: " + scopeList()}
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	if len(scopes) == 0 {
		return "", nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a key without scopes is good for nothing", Hint: "say what it is for with --scope: " + scopeList()}
	}
	today := k.today()
	switch {
	case m.Expires.IsZero():
		m.Expires = today.AddDays(keyLasts)
	case m.Expires.Before(today):
		return "", nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "the day on which the key is to end is over"}
	case today.AddDays(keyLastsMost).Before(m.Expires):
		return "", nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: fmt.Sprintf("a key lasts %d days at most", keyLastsMost), Hint: "make a new one then"}
	}
	var random [32 + 5]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", nil, err
	}
	secret := keyPrefix
	if m.Test {
		secret = testPrefix
	}
	secret += base64.RawURLEncoding.EncodeToString(random[:32])
	n := store.APIKey{Hash: tokenHash(secret), ID: "k-" + hex.EncodeToString(random[32:]), User: u.ID, Scopes: scopes, Test: m.Test, By: a.ID, Made: k.store.Now(), Expires: endOf(m.Expires)}
	kind := "real"
	if m.Test {
		kind = "test"
	}
	e := store.Entry{What: "key made", Actor: a.ID, Detail: map[string]string{"key": n.ID, "user": u.ID, "scopes": strings.Join(scopes, " "), "kind": kind, "until": m.Expires.String()}}
	if err := k.store.PutAPIKey(ctx, n, e); err != nil {
		return "", nil, err
	}
	return secret, &Key{APIKey: n, Login: u.Login, Holds: true}, nil
}

// endOf is when a day in London is over.
func endOf(d caseforms.Date) time.Time {
	d = d.AddDays(1)
	noon := time.Date(d.Year, time.Month(d.Month), d.Day, 12, 0, 0, 0, time.UTC)
	_, offset := caseforms.London(noon).Zone()
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC).Add(-time.Duration(offset) * time.Second)
}

func scopeList() string {
	var out []string
	for _, s := range Scopes {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

// keyOwner is the user of a login whose keys the actor may make and end: their own, or by an admin anybody's.
func (k *Desk) keyOwner(ctx context.Context, a caseforms.Actor, login, what string) (store.User, error) {
	u, found, err := k.store.UserByLogin(ctx, strings.TrimSpace(login))
	if err == nil && (!found || u.ID != a.ID) {
		err = a.Need(what, caseforms.RoleAdmin)
	}
	if err == nil && !found {
		err = noUser(login)
	}
	return u, err
}

// Keys are the keys of a person, those that ended as well; of everybody when login is "", which is for admins.
func (k *Desk) Keys(ctx context.Context, a caseforms.Actor, login string) (out []Key, err error) {
	user := ""
	if login != "" {
		u, err := k.keyOwner(ctx, a, login, "see the keys of other people")
		if err != nil {
			return nil, err
		}
		user = u.ID
	} else if err := a.Need("see the keys of other people", caseforms.RoleAdmin); err != nil {
		return nil, err
	}
	users, err := k.store.Users(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := k.store.APIKeys(ctx, user)
	for _, n := range keys {
		x := Key{APIKey: n}
		if i := slices.IndexFunc(users, func(u store.User) bool { return u.ID == n.User }); i >= 0 {
			x.Login, x.Holds = users[i].Login, users[i].Active && n.Revoked.IsZero() && k.store.Now().Before(n.Expires)
		}
		if i := slices.IndexFunc(users, func(u store.User) bool { return u.ID == n.By }); i >= 0 {
			x.Maker = users[i].Name
		}
		out = append(out, x)
	}
	return out, err
}

// RevokeKey ends a key by its id: one's own, or by an admin anybody's.
func (k *Desk) RevokeKey(ctx context.Context, a caseforms.Actor, id string) error {
	none := &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such key that still holds", Hint: "caseforms user keys lists them"}
	all, err := k.store.APIKeys(ctx, "")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(n store.APIKey) bool { return n.ID == id })
	if i < 0 || all[i].User != a.ID {
		if err := a.Need("end the keys of other people", caseforms.RoleAdmin); err != nil {
			return err
		}
	}
	if i < 0 {
		return none
	}
	err = k.store.RevokeAPIKey(ctx, id, store.Entry{What: "key revoked", Actor: a.ID, Detail: map[string]string{"key": id, "user": all[i].User}})
	if errors.Is(err, store.ErrChanged) {
		return none
	}
	return err
}

// Bearer is who comes with a key; found is false when it is none, has ended, or its person's account is closed.
func (k *Desk) Bearer(ctx context.Context, secret string) (key *Key, a caseforms.Actor, found bool, err error) {
	if !strings.HasPrefix(secret, keyPrefix) || len(secret) > 100 {
		return nil, a, false, nil
	}
	n, found, err := k.store.FindAPIKey(ctx, tokenHash(secret))
	now := k.store.Now()
	if err != nil || !found || !n.Revoked.IsZero() || !now.Before(n.Expires) {
		return nil, a, false, err
	}
	u, found, err := k.store.UserByID(ctx, n.User)
	if err != nil || !found || !u.Active {
		return nil, a, false, err
	}
	k.keys.mu.Lock()
	write := now.Sub(k.keys.told[n.ID]) >= seenEvery
	if write {
		if k.keys.told == nil {
			k.keys.told = map[string]time.Time{}
		}
		k.keys.told[n.ID] = now
	}
	k.keys.mu.Unlock()
	if write {
		err = k.store.UseAPIKey(ctx, n.Hash, now)
	}
	return &Key{APIKey: n, Login: u.Login, Holds: true}, u.Actor, err == nil, err
}

// Once is a request that a program gave a name, so that it can ask again when it does not know whether it was heard: it is done once.
type Once struct {
	key    []byte
	name   string
	Done   bool   // it was done before
	Answer []byte // what was answered then; nil when that is not known
}

// AskOnce gives a request of an actor its name. A name that was given to another request before is refused.
func (k *Desk) AskOnce(ctx context.Context, a caseforms.Actor, what, name string, asked []byte) (*Once, error) {
	o := &Once{name: "api\x00" + a.ID + "\x00" + what + "\x00" + name}
	o.key = k.store.Term("api request", o.name)
	got, err := k.store.Ask(ctx, o.key, k.store.Term("api body", string(asked)))
	if errors.Is(err, store.ErrOther) {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this name of a request was used before, for another request", Hint: "use a new one for each request; the same only to ask for the same again"}
	}
	o.Done, o.Answer = got.Done, got.Answer
	return o, err
}

// Row is the name as [Record] takes it.
func (o *Once) Row() string { return o.name }

// AnswerOnce keeps what was answered, for whoever asks again. It must tell nothing about anybody.
func (k *Desk) AnswerOnce(ctx context.Context, o *Once, answer []byte) error {
	return k.store.Answered(ctx, o.key, answer)
}

// ForgetOnce takes the name back from a request of which nothing was done, so that it can be given to what is asked instead.
func (k *Desk) ForgetOnce(ctx context.Context, o *Once) error { return k.store.Forget(ctx, o.key) }

// DoneBefore tells whether an act was not done because the same request was done before.
func DoneBefore(err error) bool { return errors.Is(err, store.ErrDone) }

// Whole is a case with all that is known of it.
type Whole struct {
	Case      caseforms.CaseID
	Area      string
	Card      Card
	Owner     string // a name
	Team      string
	Version   int
	Changed   time.Time
	Record    []byte // as JSON
	Documents []caseforms.Ref
	Drafts    []caseforms.DraftID
	Due       []Due
}

// ReadCase reads a case. Whoever does is in the ledger.
func (k *Desk) ReadCase(ctx context.Context, a caseforms.Actor, id caseforms.CaseID) (*Whole, error) {
	c, err := k.store.FindCase(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := k.see(ctx, a, c, "read this case"); err != nil {
		return nil, err
	}
	w := &Whole{Case: id, Area: c.Area, Team: c.Team, Version: c.Version, Changed: c.Changed}
	if w.Card, err = k.card(ctx, c); err != nil {
		return nil, err
	}
	if w.Owner, err = k.nameOf(ctx, c.Owner); err != nil {
		return nil, err
	}
	if w.Record, err = k.store.Record(ctx, c); err != nil {
		return nil, err
	}
	if w.Documents, err = k.store.DocumentsOf(ctx, id); err != nil {
		return nil, err
	}
	drafts, err := k.store.Drafts(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, d := range drafts {
		w.Drafts = append(w.Drafts, d.ID)
	}
	if w.Due, err = k.dueOf(ctx, a, id, func(store.FollowUp) bool { return true }); err != nil {
		return nil, err
	}
	return w, k.store.Append(ctx, store.Entry{Acts: []store.Act{store.Consultation}, What: "case read", Actor: a.ID, Case: id})
}

// SendsOf is how everything stands that was sent of a document.
func (k *Desk) SendsOf(ctx context.Context, a caseforms.Actor, ref caseforms.Ref) ([]Outgoing, error) {
	m, err := k.matter(ctx, a, ref, "see where this document was sent")
	if err != nil {
		return nil, err
	}
	sends, err := k.store.Sends(ctx, m.doc.Ref)
	if err != nil {
		return nil, err
	}
	return k.outgoings(ctx, sends)
}
