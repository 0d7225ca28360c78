package casework

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"caseforms"
	"caseforms/internal/store"
)

// The second factor is a code from an app (TOTP, RFC 6238: SHA-1, six digits, 30 seconds, as every app has it) of somebody who signs in with a password of
// ours. Whoever signs in elsewhere has theirs there.
const (
	codeLasts     = 30 // seconds
	codeDrift     = 1  // steps that a clock may be off, each way (RFC 6238 5.2)
	factorSecret  = 20 // bytes: as long as the hash
	recoveryCodes = 10
	recoveryBytes = 15               // 120 bits, so that a plain hash keeps them
	halfLasts     = 10 * time.Minute // between password and code
	halvesMost    = 10_000
	provenLasts   = 10 * time.Minute
)

// Crockford's letters, without those that are read as others.
var recoveryLetters = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

var appLetters = base32.StdEncoding.WithPadding(base32.NoPadding)

// RequireFactor says that nobody signs in with a password alone. It is called before anything else.
func (k *Desk) RequireFactor() { k.factorNeeded = true }

// FactorNeeded tells whether nobody signs in with a password alone.
func (k *Desk) FactorNeeded() bool { return k.factorNeeded }

// SecondStep says that the password is right and that a code is still needed. Token is what the browser proves it with meanwhile.
type SecondStep struct{ Token string }

func (e *SecondStep) Error() string { return "a code is needed as well" }

// half is somebody who has given the right password and no code yet.
type half struct {
	user            string
	hash            string // of the password that was given; another one by now ends this
	browser, before string
	until           time.Time
	enrol           *Enrolment // for whoever has no factor and needs one
}

// Enrolment is a factor that is about to be set. Secret and URI are for the owner's app, and are kept in memory only.
type Enrolment struct {
	Secret string
	URI    string // otpauth://…, for the QR code
	until  time.Time
}

func (k *Desk) enrolment(u store.User) *Enrolment {
	secret := make([]byte, factorSecret)
	rand.Read(secret)
	e := &Enrolment{Secret: appLetters.EncodeToString(secret), until: k.store.Now().Add(halfLasts)}
	e.URI = "otpauth://totp/Caseforms:" + escapeURI(u.Login) + "?secret=" + e.Secret + "&issuer=Caseforms"
	return e
}

// escapeURI writes every byte but plain letters and figures as %XX, as all apps read it.
func escapeURI(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// passed is somebody whose password was right: they are signed in, or asked for a code.
func (k *Desk) passed(ctx context.Context, u store.User, hash, browser, before string) (*Signed, error) {
	_, found, err := k.store.SecondFactor(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	if !found && !k.factorNeeded {
		return k.begin(ctx, u, MeansPassword, "", browser, before, k.store.Now())
	}
	now := k.store.Now()
	h := &half{user: u.ID, hash: hash, browser: browser, before: before, until: now.Add(halfLasts)}
	if !found {
		h.enrol = k.enrolment(u)
	}
	t, sum := token()
	k.door.mu.Lock()
	defer k.door.mu.Unlock()
	for key, other := range k.door.halves {
		if len(k.door.halves) >= halvesMost || !now.Before(other.until) {
			delete(k.door.halves, key)
		}
	}
	k.door.halves[string(sum)] = h
	return nil, &SecondStep{Token: t}
}

var errBegunElsewhere = &caseforms.Error{Kind: caseforms.NotFound, Msg: "it took too long, or was begun elsewhere", Hint: "begin again from the page to sign in"}

// half finds somebody between password and code.
func (k *Desk) half(ctx context.Context, t string) (*half, store.User, error) {
	k.door.mu.Lock()
	h := k.door.halves[string(tokenHash(t))]
	k.door.mu.Unlock()
	if h == nil || !k.store.Now().Before(h.until) {
		return nil, store.User{}, errBegunElsewhere
	}
	u, found, err := k.store.UserByID(ctx, h.user)
	if err != nil {
		return nil, u, err
	}
	hash, err := k.store.PasswordHash(ctx, h.user)
	if err != nil {
		return nil, u, err
	}
	if !found || !u.Active || subtle.ConstantTimeCompare([]byte(hash), []byte(h.hash)) != 1 {
		return nil, u, errBegunElsewhere
	}
	if h.enrol != nil { // whoever was quicker with the same password has set theirs
		if _, set, err := k.store.SecondFactor(ctx, h.user); err != nil || set {
			return nil, u, cmp.Or(err, error(errBegunElsewhere))
		}
	}
	return h, u, nil
}

// SecondStepOf is what somebody between password and code sets up; nil when they have a factor and give a code of it.
func (k *Desk) SecondStepOf(ctx context.Context, t string) (*Enrolment, error) {
	h, _, err := k.half(ctx, t)
	if err != nil {
		return nil, err
	}
	return h.enrol, nil
}

// FinishSignIn signs somebody in by a code after the password. Whoever sets up their factor by it is given recovery codes as well, this once.
func (k *Desk) FinishSignIn(ctx context.Context, t, address, code string) (signed *Signed, codes []string, err error) {
	h, u, err := k.half(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	second := "code, set up"
	if h.enrol != nil {
		codes, err = k.setFactor(ctx, u, h.enrol, "", true, address, code)
	} else {
		second, err = k.takeCode(ctx, u, address, code)
	}
	if err != nil {
		return nil, nil, err
	}
	k.door.mu.Lock()
	delete(k.door.halves, string(tokenHash(t)))
	k.door.mu.Unlock()
	signed, err = k.begin(ctx, u, MeansPassword, second, h.browser, h.before, k.store.Now())
	return signed, codes, err
}

func wrongCode() error {
	return &caseforms.Error{Kind: caseforms.Invalid, Msg: "the code is wrong, or was used before", Hint: "enter the one that the app shows now; your device has to show the right time"}
}

// stepOf is the step of which a code is; ok is false when it is of none that is near.
func stepOf(secret []byte, code string, now time.Time) (step int64, ok bool, err error) {
	current := now.Unix() / codeLasts
	for s := current - codeDrift; s <= current+codeDrift; s++ {
		want, err := hotp.GenerateCodeCustom(appLetters.EncodeToString(secret), uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = s, true
		}
	}
	return step, ok, nil
}

// plainCode is a code as it is compared, however it was typed: people write gaps, and letters that look like figures.
func plainCode(code string) string {
	code = strings.Map(func(r rune) rune {
		switch r {
		case ' ', '-', '\t', '\u00a0':
			return -1
		case 'o', 'O':
			return '0'
		case 'i', 'I', 'l', 'L':
			return '1'
		}
		return r
	}, code)
	return strings.ToUpper(code)
}

// takeCode takes a code of the app or a recovery code of somebody, once, and tells which it was. Tries are throttled as those of passwords are.
func (k *Desk) takeCode(ctx context.Context, u store.User, address, code string) (string, error) {
	if err := k.door.codes.begin(u.ID, address, k.store.Now()); err != nil {
		return "", err
	}
	f, found, err := k.store.SecondFactor(ctx, u.ID)
	if err != nil {
		return "", err
	}
	second := "code"
	err = wrongCode()
	if plain := plainCode(code); !found {
	} else if len(plain) > 6 {
		second = "recovery code"
		if err = k.store.TakeRecoveryCode(ctx, u.ID, tokenHash(plain), store.Entry{What: "recovery code used", Actor: u.ID}); errors.Is(err, store.ErrChanged) {
			err = wrongCode()
		}
	} else if step, ok, e := stepOf(f.Secret, plain, k.store.Now()); e != nil {
		return "", e
	} else if ok {
		if err = k.store.TakeStep(ctx, u.ID, step); errors.Is(err, store.ErrChanged) {
			err = wrongCode()
		}
	}
	if err == nil {
		k.door.codes.passed(u.ID, address, k.store.Now())
		return second, nil
	}
	var ours *caseforms.Error
	if errors.As(err, &ours) && ours.Kind == caseforms.Invalid {
		if e := k.store.Append(ctx, store.Entry{What: "code refused", Actor: u.ID}); e != nil {
			return "", e
		}
	}
	return "", err
}

// newRecoveryCodes draws codes for people, and their hashes.
func newRecoveryCodes() (codes []string, hashes [][]byte) {
	for range recoveryCodes {
		b := make([]byte, recoveryBytes)
		rand.Read(b)
		c := recoveryLetters.EncodeToString(b)
		hashes = append(hashes, tokenHash(c))
		var groups []string
		for ; c != ""; c = c[4:] {
			groups = append(groups, c[:4])
		}
		codes = append(codes, strings.Join(groups, "-"))
	}
	return codes, hashes
}

// setFactor sets a factor when its first code is right; the first of somebody only while they have none.
func (k *Desk) setFactor(ctx context.Context, u store.User, e *Enrolment, session string, first bool, address, code string) ([]string, error) {
	if err := k.door.codes.begin(u.ID, address, k.store.Now()); err != nil {
		return nil, err
	}
	secret, err := appLetters.DecodeString(e.Secret)
	if err != nil {
		return nil, err
	}
	step, ok, err := stepOf(secret, plainCode(code), k.store.Now())
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, wrongCode()
	}
	codes, hashes := newRecoveryCodes()
	err = k.store.SetSecondFactor(ctx, u.ID, session, first, store.Factor{Secret: secret, Step: step}, hashes, store.Entry{What: "second factor set", Actor: u.ID})
	if errors.Is(err, store.ErrChanged) {
		err = errBegunElsewhere
	}
	if err != nil {
		return nil, err
	}
	k.door.codes.passed(u.ID, address, k.store.Now())
	return codes, nil
}

// Factor is how the actor's second factor stands; set is false when they have none.
func (k *Desk) Factor(ctx context.Context, a caseforms.Actor) (f store.Factor, set bool, err error) {
	f, set, err = k.store.SecondFactor(ctx, a.ID)
	f.Secret = nil
	return f, set, err
}

// owner is the actor as a user with a password of ours.
func (k *Desk) owner(ctx context.Context, a caseforms.Actor) (u store.User, hash string, err error) {
	u, found, err := k.store.UserByID(ctx, a.ID)
	if err != nil {
		return u, "", err
	}
	if !found {
		return u, "", noUser("")
	}
	if hash, err = k.store.PasswordHash(ctx, a.ID); err == nil && hash == "" {
		err = &caseforms.Error{Kind: caseforms.Conflict, Msg: "you sign in without a password of ours", Hint: "change it where you sign in"}
	}
	return u, hash, err
}

// BeginFactor begins to set up a factor in a session, in place of the one there may be: that one holds until the new one has given a code.
func (k *Desk) BeginFactor(ctx context.Context, a caseforms.Actor, session string) error {
	u, _, err := k.owner(ctx, a)
	if err != nil {
		return err
	}
	now := k.store.Now()
	k.door.mu.Lock()
	defer k.door.mu.Unlock()
	for s, e := range k.door.enrols {
		if !now.Before(e.until) {
			delete(k.door.enrols, s)
		}
	}
	k.door.enrols[session] = k.enrolment(u)
	return nil
}

// Enrolling is what is being set up in a session of the actor; nil is nothing.
func (k *Desk) Enrolling(session string) *Enrolment {
	k.door.mu.Lock()
	defer k.door.mu.Unlock()
	if e := k.door.enrols[session]; e != nil && k.store.Now().Before(e.until) {
		return e
	}
	return nil
}

// SetFactor sets the factor that is being set up, by its first code, and ends the actor's other sessions. The recovery codes are told this once.
func (k *Desk) SetFactor(ctx context.Context, a caseforms.Actor, session, address, code string) ([]string, error) {
	u, _, err := k.owner(ctx, a)
	if err != nil {
		return nil, err
	}
	e := k.Enrolling(session)
	if e == nil {
		return nil, &caseforms.Error{Kind: caseforms.NotFound, Msg: "it took too long", Hint: "begin again from your account"}
	}
	codes, err := k.setFactor(ctx, u, e, session, false, address, code)
	if err == nil {
		k.door.mu.Lock()
		delete(k.door.enrols, session)
		k.door.mu.Unlock()
	}
	return codes, err
}

// NewRecoveryCodes gives the actor recovery codes in place of those they had. They are told this once.
func (k *Desk) NewRecoveryCodes(ctx context.Context, a caseforms.Actor) ([]string, error) {
	codes, hashes := newRecoveryCodes()
	err := k.store.SetRecoveryCodes(ctx, a.ID, hashes, store.Entry{What: "recovery codes made", Actor: a.ID})
	if errors.Is(err, store.ErrChanged) {
		err = noFactor("set one up first")
	}
	return codes, err
}

func noFactor(hint string) error {
	return &caseforms.Error{Kind: caseforms.Conflict, Msg: "there is no second factor on this account", Hint: hint}
}

// RemoveFactor takes the actor's factor away, where it may be gone without, and ends their other sessions.
func (k *Desk) RemoveFactor(ctx context.Context, a caseforms.Actor, session string) error {
	if k.factorNeeded {
		return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "nobody signs in with a password alone here", Hint: "set up another app instead"}
	}
	err := k.store.DropSecondFactor(ctx, a.ID, session, false, store.Entry{What: "second factor removed", Actor: a.ID})
	if errors.Is(err, store.ErrChanged) {
		err = noFactor("")
	}
	return err
}

// ResetFactor takes somebody's factor away who has lost it, and their password, sessions and API keys with it: they come in again as they did first, by a link that an
// admin hands to them, so that asking for a reset gains nothing for whoever only knows the password.
func (k *Desk) ResetFactor(ctx context.Context, a caseforms.Actor, login string) error {
	if err := a.Need("reset how people sign in", caseforms.RoleAdmin); err != nil {
		return err
	}
	u, found, err := k.store.UserByLogin(ctx, login)
	if err != nil {
		return err
	}
	if !found {
		return noUser(login)
	}
	err = k.store.DropSecondFactor(ctx, u.ID, "", true, store.Entry{What: "second factor reset", Actor: a.ID, Detail: map[string]string{"user": u.ID}})
	if errors.Is(err, store.ErrChanged) {
		err = noFactor("")
	}
	return err
}

// Proven tells whether somebody proved a short while ago who they are, so that a browser they left alone does not do what cannot be undone.
func (k *Desk) Proven(s *Signed) bool {
	return s.Means == MeansDemo || !s.Proven.IsZero() && k.store.Now().Sub(s.Proven) < provenLasts
}

// Prove lets somebody who is signed in with a password prove again who they are. The session they are in ends, and another begins.
func (k *Desk) Prove(ctx context.Context, s *Signed, address, password, code string) (*Signed, error) {
	u, hash, err := k.owner(ctx, s.Actor)
	if err != nil {
		return nil, err
	}
	_, set, err := k.store.SecondFactor(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	if s.Means != MeansPassword || !set && k.factorNeeded {
		return nil, &caseforms.Error{Kind: caseforms.Conflict, Msg: "this cannot be shown with a password here", Hint: "sign out, and in again"}
	}
	if err := k.door.begin(u.Login, address, k.store.Now()); err != nil {
		return nil, err
	}
	ok, err := k.door.check(ctx, hash, password)
	if err != nil {
		return nil, err
	}
	if !ok {
		if err := k.store.Append(ctx, store.Entry{What: "sign-in refused", Actor: u.ID, Detail: map[string]string{"by": MeansPassword}}); err != nil {
			return nil, err
		}
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "this is not your password"}
	}
	second := ""
	if set {
		if second, err = k.takeCode(ctx, u, address, code); err != nil {
			return nil, err
		}
	}
	k.door.passed(u.Login, address, k.store.Now())
	return k.beginAfter(ctx, u, MeansPassword, second, s.Browser, s.Hash, k.store.Now())
}
