package casework

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // common passwords
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"caseforms"
	"caseforms/internal/store"
)

// How long somebody is signed in, and a link can be used.
const (
	SessionIdle = 20 * time.Minute // without doing anything
	SessionMost = 12 * time.Hour   // whatever they do
	linkLasts   = 48 * time.Hour
	seenEvery   = time.Minute // how often it is written that a session is in use
)

// The ways of signing in, as the ledger and the list of sessions tell them.
const (
	MeansPassword = "password"
	MeansOpenID   = "OpenID Connect"
	MeansDemo     = "demonstration"
)

// Signed is somebody who is signed in.
type Signed struct {
	store.Session
	Actor caseforms.Actor
	Login string
	Token string    // only when the session begins: what the browser is given
	Until time.Time // it ends then if nothing is done
}

// Ended is a session whose time was over when somebody came with it.
type Ended struct {
	User string
	ID   string
	Idle bool // nothing was done for too long; else it had lasted for as long as it may
}

// door is what is remembered of signing in while the program runs.
type door struct {
	hashes chan struct{} // a password takes 19 MiB to check: so many at once

	throttle          // of passwords
	codes    throttle // of second factors

	mu     sync.Mutex
	seen   map[string]time.Time  // when sessions were used last, by hash
	told   map[string]time.Time  // when the store was told so
	halves map[string]*half      // by the hash of their token
	enrols map[string]*Enrolment // by session
}

func newDoor() *door {
	return &door{hashes: make(chan struct{}, 2), seen: map[string]time.Time{}, told: map[string]time.Time{}, halves: map[string]*half{}, enrols: map[string]*Enrolment{},
		throttle: throttle{tries: map[string]*tries{}}, codes: throttle{tries: map[string]*tries{}}}
}

// throttle slows down whoever guesses.
type throttle struct {
	mu    sync.Mutex
	tries map[string]*tries
	known map[string]time.Time // when an account last passed from an address
}

// tries are the failures of an account, an address, or of both together.
type tries struct {
	n     int
	last  time.Time
	until time.Time
}

// How many failures there may be before one has to wait: a minute, and twice as long after each further one, up to the most. An account from
// one address is what somebody guessing looks like; the account alone is allowed more, so that nobody is kept out by a stranger easily.
const (
	triesTogether = 5
	triesAccount  = 25
	triesAddress  = 50
	waitMost      = 15 * time.Minute
	triesKept     = 50_000
	knownKept     = 50_000
	knownLasts    = 30 * 24 * time.Hour
	triesForget   = time.Hour
)

// An IPv6 network of one customer is one address.
func addressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "?"
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func loginKey(login string) string {
	login = strings.ToLower(norm.NFKC.String(login))
	return "login " + login[:min(len(login), 200)]
}

func bothKey(login, address string) string {
	return "both " + addressKey(address) + " " + loginKey(login)
}

func tryKeys(login, address string) map[string]int {
	return map[string]int{bothKey(login, address): triesTogether, loginKey(login): triesAccount, "address " + addressKey(address): triesAddress}
}

// begin counts a try as a failure before it is known what it is, so that many at once gain nothing. It refuses one that has to wait.
func (d *throttle) begin(login, address string, now time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := tryKeys(login, address)
	// Where somebody passed before, what strangers try elsewhere under their name does not keep them out.
	if at, ok := d.known[bothKey(login, address)]; ok && now.Sub(at) < knownLasts {
		delete(keys, loginKey(login))
	}
	for k := range keys {
		if t := d.tries[k]; t != nil && now.Before(t.until) {
			return &Throttled{After: t.until.Sub(now)}
		}
	}
	if len(d.tries) >= triesKept {
		for k, t := range d.tries {
			if now.Sub(t.last) > triesForget || len(d.tries) >= triesKept {
				delete(d.tries, k)
			}
		}
	}
	for k, free := range keys {
		t := d.tries[k]
		if t == nil || now.Sub(t.last) > triesForget {
			t = &tries{}
			d.tries[k] = t
		}
		t.n++
		t.last = now
		if over := t.n - free; over >= 0 {
			t.until = now.Add(min(time.Minute<<min(over, 10), waitMost))
		}
	}
	return nil
}

// passed forgets the failures of somebody who proved who they are. Those of the address stay but for this try.
func (d *throttle) passed(login, address string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, at := range d.known {
		if len(d.known) < knownKept {
			break
		}
		if now.Sub(at) > knownLasts || len(d.known) >= knownKept {
			delete(d.known, k)
		}
	}
	if d.known == nil {
		d.known = map[string]time.Time{}
	}
	_, before := d.known[bothKey(login, address)]
	d.known[bothKey(login, address)] = now
	for k := range tryKeys(login, address) {
		if t := d.tries[k]; strings.HasPrefix(k, "address ") && t != nil {
			if t.n--; t.n < triesAddress {
				t.until = time.Time{}
			}
			continue
		}
		if before && k == loginKey(login) { // it did not count here; whoever guesses elsewhere is forgiven nothing
			continue
		}
		delete(d.tries, k)
	}
}

// Throttled refuses a sign-in after too many that failed, whether or not there is such an account.
type Throttled struct{ After time.Duration }

func (e *Throttled) Error() string { return "there were too many attempts to sign in" }

// argon2id as OWASP gives it for passwords: two passes over 19 MiB.
const (
	argonTime   = 2
	argonMemory = 19 << 10
	argonKey    = 32
)

var phc = base64.RawStdEncoding

func passwordBytes(s string) []byte { return []byte(norm.NFKC.String(s)) }

// hashing waits for a turn to hash a password.
func (d *door) hashing(ctx context.Context) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	select {
	case d.hashes <- struct{}{}:
		return func() { <-d.hashes }, nil
	case <-ctx.Done():
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "too many people sign in at this moment", Hint: "try again in a minute"}
	}
}

func (d *door) hash(ctx context.Context, password string) (string, error) {
	done, err := d.hashing(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, 16)
	rand.Read(salt)
	key := argon2.IDKey(passwordBytes(password), salt, argonTime, argonMemory, 1, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonTime, phc.EncodeToString(salt), phc.EncodeToString(key)), nil
}

// nobodysHash is checked where there is no account or no password, so that it takes as long.
var nobodysHash = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonTime, phc.EncodeToString(make([]byte, 16)), phc.EncodeToString(make([]byte, argonKey)))

// check tells whether a password is the one of a hash.
func (d *door) check(ctx context.Context, hash, password string) (bool, error) {
	done, err := d.hashing(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	real := hash != ""
	if !real {
		hash = nobodysHash
	}
	var version, memory, passes int
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, damagedHash()
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &memory, &passes); err != nil || version != argon2.Version || memory < 8 || memory > 1<<20 || passes < 1 || passes > 20 {
		return false, damagedHash()
	}
	salt, err1 := phc.DecodeString(parts[4])
	want, err2 := phc.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) != argonKey {
		return false, damagedHash()
	}
	got := argon2.IDKey(passwordBytes(password), salt, uint32(passes), uint32(memory), 1, argonKey)
	return subtle.ConstantTimeCompare(got, want) == 1 && real, nil
}

func damagedHash() error {
	return &caseforms.Error{Kind: caseforms.Internal, Msg: "a stored password cannot be read", Hint: "an admin makes a new link: caseforms user link LOGIN"}
}

// Passwords are long rather than complicated (NIST SP 800-63B 5.1.1.2).
const (
	passwordLeast = 12
	passwordMost  = 256
)

// checkPassword refuses a password that is easily guessed.
func checkPassword(password, login string) error {
	p := norm.NFKC.String(password)
	low := strings.ToLower(p)
	bad := func(msg string) error {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: msg, Hint: "three or four words that do not belong together are good"}
	}
	distinct := map[rune]bool{}
	for _, r := range low {
		distinct[r] = true
	}
	switch {
	case utf8.RuneCountInString(p) < passwordLeast:
		return bad(fmt.Sprintf("the password needs at least %d characters", passwordLeast))
	case len(p) > passwordMost:
		return bad("the password is too long")
	case len(distinct) < 5, len(login) > 3 && strings.Contains(low, strings.ToLower(login)),
		common()[low], slices.ContainsFunc(guessed, func(g string) bool { return strings.Contains(low, g) && len(low)-len(g) < passwordLeast-len(g)/2 }):
		return bad("the password is one that is guessed early")
	}
	return nil
}

// common are the 10,000 passwords of 12 letters or more that stood most often in what was stolen from others, in small letters (docs/dependencies.md).
var common = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	z, err := gzip.NewReader(bytes.NewReader(commonPasswords))
	if err == nil {
		lines := bufio.NewScanner(z)
		for lines.Scan() {
			all[lines.Text()] = true
		}
		err = lines.Err()
	}
	if err != nil {
		panic("the list of common passwords is damaged") // it is part of the program
	}
	return all
})

//go:embed common-passwords.txt.gz
var commonPasswords []byte

// guessed are words that stand in the passwords of people who work here, or of everybody.
var guessed = []string{"password", "passw0rd", "letmein", "welcome", "qwerty", "azerty", "123456789", "987654321", "abcdefg", "iloveyou", "caseforms", "probation", "safeguarding", "changeme", "administrator"}

// token draws what a link or a session is proved by, and its hash, which is what is kept.
func token() (string, []byte) {
	b := make([]byte, 32)
	rand.Read(b)
	t := base64.RawURLEncoding.EncodeToString(b)
	return t, tokenHash(t)
}

func tokenHash(t string) []byte {
	h := sha256.Sum256([]byte(t))
	return h[:]
}

// SignIn is somebody who wants to sign in with a password.
type SignIn struct {
	Login, Password string
	Address         string // of the network, for throttling only
	Browser         string
	Before          string // the token of the session that the browser has; it ends
}

// wrongSignIn is the same for every reason, so that nobody learns which accounts there are.
func wrongSignIn() error {
	return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "the name or the password is wrong", Hint: "an admin can give you a new link to set a password"}
}

// SignIn signs somebody in. Whether there is no such account, it is closed, or the password is wrong is told to nobody, also not by the time it takes.
func (k *Desk) SignIn(ctx context.Context, in SignIn) (*Signed, error) {
	in.Login = strings.TrimSpace(in.Login)
	if err := k.door.begin(in.Login, in.Address, k.store.Now()); err != nil {
		return nil, err
	}
	u, found, err := k.store.UserByLogin(ctx, in.Login)
	if err != nil {
		return nil, err
	}
	hash, err := k.store.PasswordHash(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	if len(in.Password) > passwordMost*4 {
		in.Password = ""
	}
	ok, err := k.door.check(ctx, hash, in.Password)
	if err != nil {
		return nil, err
	}
	if !ok || !found || !u.Active {
		by := caseforms.Scheduler().ID
		if found {
			by = u.ID
		}
		if err := k.store.Append(ctx, store.Entry{What: "sign-in refused", Actor: by, Detail: map[string]string{"by": MeansPassword}}); err != nil {
			return nil, err
		}
		return nil, wrongSignIn()
	}
	k.door.passed(in.Login, in.Address, k.store.Now())
	return k.passed(ctx, u, hash, in.Browser, in.Before)
}

// SignInBy signs somebody in who has just proved who they are: to another system, or by setting a password of ours, after which a [SecondStep] may be needed.
func (k *Desk) SignInBy(ctx context.Context, login, means, browser, before string) (*Signed, error) {
	return k.Vouched(ctx, login, means, browser, before, k.store.Now())
}

// Vouched signs somebody in whom another system vouches for under a login. proven is when they proved to it who they are, zero when that is not known.
func (k *Desk) Vouched(ctx context.Context, login, means, browser, before string, proven time.Time) (*Signed, error) {
	u, found, err := k.store.UserByLogin(ctx, strings.TrimSpace(login))
	if err != nil {
		return nil, err
	}
	if !found || !u.Active {
		by := caseforms.Scheduler().ID
		if found {
			by = u.ID
		}
		if err := k.store.Append(ctx, store.Entry{What: "sign-in refused", Actor: by, Detail: map[string]string{"by": means}}); err != nil {
			return nil, err
		}
		return nil, &caseforms.Error{Kind: caseforms.Forbidden, Msg: "you have no open account here", Hint: "ask an admin to add you, with the login under which you sign in"}
	}
	if means == MeansPassword {
		hash, err := k.store.PasswordHash(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		return k.passed(ctx, u, hash, browser, before)
	}
	return k.begin(ctx, u, means, "", browser, before, proven)
}

func (k *Desk) begin(ctx context.Context, u store.User, means, second, browser, before string, proven time.Time) (*Signed, error) {
	var old []byte
	if before != "" {
		old = tokenHash(before)
	}
	return k.beginAfter(ctx, u, means, second, browser, old, proven)
}

// beginAfter begins a session after another, which ends, by its hash. second is what was given beside the password.
func (k *Desk) beginAfter(ctx context.Context, u store.User, means, second, browser string, old []byte, proven time.Time) (*Signed, error) {
	t, hash := token()
	now := k.store.Now()
	n := store.Session{Hash: hash, ID: "s-" + hex.EncodeToString(tokenHash("id of " + t)[:6]), User: u.ID, Means: means, Browser: browser, Began: now, Seen: now, Proven: proven}
	detail := map[string]string{"by": means}
	if second != "" {
		detail["second"] = second
	}
	if err := k.store.BeginSession(ctx, n, old, store.Entry{What: "signed in", Actor: u.ID, Detail: detail}); err != nil {
		return nil, err
	}
	return &Signed{Session: n, Actor: u.Actor, Login: u.Login, Token: t, Until: now.Add(SessionIdle)}, nil
}

// Session is who has a token; nil when nobody has. A session whose time is over is told as ended. Looking at it is not using it: see [Desk.Use].
func (k *Desk) Session(ctx context.Context, t string) (*Signed, *Ended, error) {
	if len(t) != 43 {
		return nil, nil, nil
	}
	hash := tokenHash(t)
	n, found, err := k.store.FindSession(ctx, hash)
	if err != nil || !found {
		return nil, nil, err
	}
	u, found, err := k.store.UserByID(ctx, n.User)
	if err != nil || !found || !u.Active {
		return nil, nil, err
	}
	k.door.mu.Lock()
	if seen := k.door.seen[string(hash)]; seen.After(n.Seen) {
		n.Seen = seen
	}
	k.door.mu.Unlock()
	now := k.store.Now()
	if idle := now.Sub(n.Seen) >= SessionIdle; idle || now.Sub(n.Began) >= SessionMost {
		return nil, &Ended{User: n.User, ID: n.ID, Idle: idle}, nil
	}
	return &Signed{Session: n, Actor: u.Actor, Login: u.Login, Until: until(&n)}, nil, nil
}

// until is when a session ends if nothing is done.
func until(n *store.Session) time.Time {
	idle, most := n.Seen.Add(SessionIdle), n.Began.Add(SessionMost)
	if most.Before(idle) {
		return most
	}
	return idle
}

// Use counts as doing something in a session, which keeps it from ending. The store is told once a minute at most.
func (k *Desk) Use(ctx context.Context, s *Signed) error {
	now := k.store.Now()
	k.door.mu.Lock()
	told := k.door.told[string(s.Hash)]
	write := now.Sub(told) >= seenEvery
	if write {
		k.door.told[string(s.Hash)] = now
	}
	k.door.seen[string(s.Hash)] = now
	k.door.mu.Unlock()
	s.Seen = now
	s.Until = until(&s.Session)
	if !write {
		return nil
	}
	return k.store.SeeSession(ctx, s.Hash, now)
}

// SignOut ends a session of the actor.
func (k *Desk) SignOut(ctx context.Context, a caseforms.Actor, session string) error {
	err := k.store.EndSession(ctx, a.ID, session, store.Entry{What: "signed out", Actor: a.ID})
	if errors.Is(err, store.ErrChanged) {
		return nil // it has ended already
	}
	return err
}

// Sessions are where the actor is signed in, the latest first.
func (k *Desk) Sessions(ctx context.Context, a caseforms.Actor) ([]store.Session, error) {
	all, err := k.store.Sessions(ctx, a.ID)
	now := k.store.Now()
	return slices.DeleteFunc(all, func(n store.Session) bool {
		k.door.mu.Lock()
		defer k.door.mu.Unlock()
		seen := n.Seen
		if s := k.door.seen[string(n.Hash)]; s.After(seen) {
			seen = s
		}
		return now.Sub(seen) >= SessionIdle || now.Sub(n.Began) >= SessionMost
	}), err
}

// EndSession ends one of the actor's sessions by its id.
func (k *Desk) EndSession(ctx context.Context, a caseforms.Actor, session string) error {
	err := k.store.EndSession(ctx, a.ID, session, store.Entry{What: "session ended", Actor: a.ID})
	if errors.Is(err, store.ErrChanged) {
		return &caseforms.Error{Kind: caseforms.NotFound, Msg: "there is no such session any more"}
	}
	return err
}

// EndOtherSessions ends all of the actor's sessions but one, and tells how many there were.
func (k *Desk) EndOtherSessions(ctx context.Context, a caseforms.Actor, but string) (int, error) {
	n, err := k.store.EndSessions(ctx, a.ID, but, store.Entry{What: "other sessions ended", Actor: a.ID})
	return int(n), err
}

// EndSessionsOf ends all sessions of somebody else.
func (k *Desk) EndSessionsOf(ctx context.Context, a caseforms.Actor, login string) (int, error) {
	if err := a.Need("sign other people out", caseforms.RoleAdmin); err != nil {
		return 0, err
	}
	u, found, err := k.store.UserByLogin(ctx, login)
	if err != nil {
		return 0, err
	}
	if !found {
		return 0, noUser(login)
	}
	n, err := k.store.EndSessions(ctx, u.ID, "", store.Entry{What: "sessions ended", Actor: a.ID, Detail: map[string]string{"user": u.ID}})
	return int(n), err
}

// SweepSessions forgets sessions and links whose time is over.
func (k *Desk) SweepSessions(ctx context.Context) error {
	now := k.store.Now()
	k.door.mu.Lock()
	for h, seen := range k.door.seen {
		if now.Sub(seen) >= SessionIdle {
			delete(k.door.seen, h)
			delete(k.door.told, h)
		}
	}
	k.door.mu.Unlock()
	// What ended for want of use is kept a while, so that its owner is told so, and what they had typed finds them again.
	return k.store.SweepSessions(ctx, now.Add(-SessionMost), now.Add(-SessionIdle-SessionMost/2))
}

// MakeLink makes a link by which somebody sets a password, once. What is given back is its token; only the hash is kept.
func (k *Desk) MakeLink(ctx context.Context, a caseforms.Actor, login string) (string, time.Time, error) {
	if err := a.Need("give people a way to sign in", caseforms.RoleAdmin); err != nil {
		return "", time.Time{}, err
	}
	u, found, err := k.store.UserByLogin(ctx, login)
	if err != nil {
		return "", time.Time{}, err
	}
	if !found {
		return "", time.Time{}, noUser(login)
	}
	if !u.Active {
		return "", time.Time{}, &caseforms.Error{Kind: caseforms.Conflict, Msg: "this account is closed", Hint: "open it first"}
	}
	return k.makeLink(ctx, a.ID, u.ID)
}

func (k *Desk) makeLink(ctx context.Context, by, user string) (string, time.Time, error) {
	t, hash := token()
	until := k.store.Now().Add(linkLasts)
	e := store.Entry{What: "sign-in link made", Actor: by, Detail: map[string]string{"user": user}}
	return t, until, k.store.PutSignInLink(ctx, store.SignInLink{Hash: hash, User: user, By: by, Expires: until}, e)
}

// FirstLink is a link for the first admin, when nobody could sign in: in a store without users for whoever opens it, else for the admin who
// was first. elsewhere tells that people sign in without a password, so that whoever is in the store can already. It is "" when somebody can.
func (k *Desk) FirstLink(ctx context.Context, elsewhere bool) (string, error) {
	have, err := k.store.HavePasswords(ctx)
	if err != nil || have {
		return "", err
	}
	users, err := k.store.Users(ctx)
	if err != nil || elsewhere && len(users) > 0 {
		return "", err
	}
	user := ""
	slices.SortFunc(users, func(a, b store.User) int { return a.Created.Compare(b.Created) })
	if len(users) > 0 {
		i := slices.IndexFunc(users, func(u store.User) bool { return u.Active && u.Is(caseforms.RoleAdmin) })
		if i < 0 {
			return "", nil
		}
		user = users[i].ID
	}
	t, _, err := k.makeLink(ctx, caseforms.Scheduler().ID, user)
	return t, err
}

// Link is what a link is for.
type Link struct {
	First       bool // it makes the first admin, who says who they are
	Login, Name string
}

func noLink() error {
	return &caseforms.Error{Kind: caseforms.NotFound, Msg: "this link was used before, has been replaced by another, or is too old", Hint: "ask an admin for a new one"}
}

// Link tells what a link is for, without using it.
func (k *Desk) Link(ctx context.Context, t string) (*Link, error) {
	_, u, err := k.link(ctx, t)
	if err != nil {
		return nil, err
	}
	return &Link{First: u.ID == "", Login: u.Login, Name: u.Name}, nil
}

func (k *Desk) link(ctx context.Context, t string) (l store.SignInLink, u store.User, err error) {
	l, found, err := k.store.FindSignInLink(ctx, tokenHash(t))
	if err != nil {
		return l, u, err
	}
	if !found {
		return l, u, noLink()
	}
	if l.User != "" {
		if u, found, err = k.store.UserByID(ctx, l.User); err != nil {
			return l, u, err
		}
		if !found || !u.Active {
			return l, u, noLink()
		}
	}
	return l, u, nil
}

// UseLink sets a password by a link and uses the link up; login and name are of the first admin only. It gives back the login.
func (k *Desk) UseLink(ctx context.Context, t, login, name, password string) (string, error) {
	l, u, err := k.link(ctx, t)
	if err != nil {
		return "", err
	}
	p := store.SetPassword{User: u, Link: l.Hash}
	var es []store.Entry
	if l.User == "" {
		login, name = strings.TrimSpace(login), strings.TrimSpace(name)
		if login == "" || strings.ContainsAny(login, " \t\r\n") || name == "" {
			return "", &caseforms.Error{Kind: caseforms.Invalid, Msg: "a person has a login without spaces, and a name"}
		}
		p.Make = true
		p.User = store.User{Login: login, Actor: caseforms.Actor{Name: name, Roles: []caseforms.Role{caseforms.RolePractitioner, caseforms.RoleAdmin}}}
		if p.User.ID, err = k.store.NewUserID(); err != nil {
			return "", err
		}
		es = append(es, store.Entry{What: "first user", Actor: p.User.ID, Detail: map[string]string{"user": p.User.ID, "roles": roleNames(p.User.Roles)}})
	}
	if err := checkPassword(password, p.User.Login); err != nil {
		return "", err
	}
	if p.Hash, err = k.door.hash(ctx, password); err != nil {
		return "", err
	}
	es = append(es, store.Entry{What: "password set by a link", Actor: p.User.ID})
	err = k.store.SetPassword(ctx, p, es...)
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrTaken) {
		return "", noLink()
	}
	return p.User.Login, err
}

// ChangePassword changes the actor's own password. All their sessions end, the one they are in too.
func (k *Desk) ChangePassword(ctx context.Context, a caseforms.Actor, address, old, password string) error {
	u, hash, err := k.owner(ctx, a)
	if err != nil {
		return err
	}
	if err := checkPassword(password, u.Login); err != nil {
		return err
	}
	if err := k.door.begin(u.Login, address, k.store.Now()); err != nil {
		return err
	}
	ok, err := k.door.check(ctx, hash, old)
	if err != nil {
		return err
	}
	if !ok {
		return &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is not the password you have now"}
	}
	k.door.passed(u.Login, address, k.store.Now())
	p := store.SetPassword{User: u, Was: hash}
	if p.Hash, err = k.door.hash(ctx, password); err != nil {
		return err
	}
	return again(k.store.SetPassword(ctx, p, store.Entry{What: "password changed", Actor: a.ID}))
}

// Ready tells whether the store answers.
func (k *Desk) Ready(ctx context.Context) error {
	_, err := k.store.HavePasswords(ctx)
	return err
}
