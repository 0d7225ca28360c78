package web

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"caseforms"
	"caseforms/internal/casework"
)

// OpenID says who else vouches for people (OpenID Connect, authorization code with PKCE).
type OpenID struct {
	Issuer string
	Client string // our id there
	Secret string // "" for a public client
	// Claim is what somebody's login is read from: email (default; the provider must have verified it), preferred_username, or sub.
	Claim string
	// Proof is how they have to have proved there who they are: one of these must be the acr of the token or among its amr (OpenID Connect Core 2, RFC 8176).
	// None leaves it to the provider.
	Proof []string
	Label string       // of the button; "" is "Sign in with your work account"
	HTTP  *http.Client // nil is one with time-outs
}

type openID struct {
	o    OpenID
	back string

	seal cipher.AEAD // of the cookie; the key is drawn at the start and kept nowhere

	mu    sync.Mutex
	known *known // once it answered
}

// known is what the provider said of itself.
type known struct {
	*oidc.Provider
	conf *oauth2.Config // it remembers how the provider takes the secret, so that this is tried once and not at every sign-in
	iss  bool           // it names itself in what it sends back (RFC 9207), so that an answer without that is another's
}

// pending is a sign-in that has been sent to the provider. It is in a sealed cookie, so that those who begin and never come back take no room.
type pending struct {
	State, Nonce, Verifier, Next string
	At                           int64 // Unix time
	Again                        bool  // it asked the provider to have them prove who they are, whether or not it remembers them
}

const pendingLasts = 10 * time.Minute

func newOpenID(o OpenID, base string) (*openID, error) {
	if base == "" {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "signing in by OpenID Connect needs the address of the service", Hint: "url: https://… in the configuration, the same as the provider was told"}
	}
	if o.Issuer == "" || o.Client == "" {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "OpenID Connect needs an issuer and a client", Hint: "the provider's administrator gives them"}
	}
	switch o.Claim {
	case "":
		o.Claim = "email"
	case "email", "preferred_username", "sub":
	default:
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "a login is read from email, preferred_username or sub"}
	}
	if slices.Contains(o.Proof, "") {
		return nil, &caseforms.Error{Kind: caseforms.Invalid, Msg: "one of the proofs that the provider has to tell of is empty", Hint: "proof: [mfa] in the configuration, or leave it out"}
	}
	if o.Label == "" {
		o.Label = "Sign in with your work account"
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 15 * time.Second}
	}
	if o.HTTP.CheckRedirect == nil { // the provider's addresses are what it says of itself, and lead nowhere else
		asked := *o.HTTP
		asked.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		o.HTTP = &asked
	}
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &openID{o: o, back: strings.TrimRight(base, "/") + "/sign-in/openid/back", seal: seal}, nil
}

// Both are GET, as the protocol has it: the provider sends the browser back by a link. What is done hangs on a cookie of this browser.
func (s *Service) openIDRoutes() []Route {
	return []Route{
		{Method: "GET", Pattern: "/sign-in/openid", Who: Anybody(), Do: s.openIDBegin, Quiet: true},
		{Method: "GET", Pattern: "/sign-in/openid/back", Who: Anybody(), Do: s.openIDBack, Quiet: true},
	}
}

// discover asks the provider for its addresses and keys, when somebody first needs them: the service starts without it.
func (p *openID) discover(ctx context.Context) (*known, error) {
	p.mu.Lock()
	k := p.known
	p.mu.Unlock()
	if k != nil {
		return k, nil
	}
	// The keys are fetched later with the context given here, so it must not end with this request.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.o.HTTP), p.o.Issuer)
	if _, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the system that signs people in is not called what the configuration says", Hint: "tell an admin: the issuer has to be written as the provider writes it, to the last slash"}
	}
	if err != nil {
		return nil, &caseforms.Error{Kind: caseforms.Unavailable, Msg: "the system that signs people in does not answer", Hint: "try again in a few minutes"}
	}
	scopes := []string{oidc.ScopeOpenID}
	if p.o.Claim != "sub" {
		scopes = append(scopes, map[string]string{"email": "email", "preferred_username": "profile"}[p.o.Claim])
	}
	k = &known{Provider: found, conf: &oauth2.Config{ClientID: p.o.Client, ClientSecret: p.o.Secret, Endpoint: found.Endpoint(), RedirectURL: p.back, Scopes: scopes}}
	if p.o.Secret == "" { // a public client says who it is and proves nothing
		k.conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	var says struct {
		Iss bool `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&says); err != nil {
		return nil, err
	}
	k.iss = says.Iss
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = k
	return k, nil
}

func secret() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Service) openIDBegin(w http.ResponseWriter, r *Request) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" { // a page of somebody else's signs nobody in
		return seeOther(w, r, "/sign-in?"+url.Values{"next": {s.inside(r.URL.Query().Get("next"))}}.Encode())
	}
	known, err := s.openID.discover(r.Context())
	if err != nil {
		return err
	}
	p := pending{State: secret(), Nonce: secret(), Verifier: oauth2.GenerateVerifier(), Next: s.inside(r.URL.Query().Get("next")), At: s.desk.Now().Unix(), Again: r.URL.Query().Has("again")}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	s.setCookie(w, "openid", base64.RawURLEncoding.EncodeToString(s.openID.seal.Seal(nil, nil, b, nil)))
	ask := []oauth2.AuthCodeOption{oidc.Nonce(p.Nonce), oauth2.S256ChallengeOption(p.Verifier)}
	if len(s.openID.o.Proof) > 0 {
		ask = append(ask, oauth2.SetAuthURLParam("acr_values", strings.Join(s.openID.o.Proof, " ")))
	}
	if p.Again {
		ask = append(ask, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	http.Redirect(w, r.Request, known.conf.AuthCodeURL(p.State, ask...), http.StatusSeeOther)
	return nil
}

// errOpenID is told for whatever is wrong with what came back; the log says which step.
func (s *Service) openIDWrong(r *Request, step string) error {
	s.log.Warn("sign-in refused", "request", stateOf(r.Request).number, "what", step)
	return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "you could not be signed in", Hint: "begin again from the page to sign in"}
}

func (s *Service) openIDBack(w http.ResponseWriter, r *Request) (err error) {
	defer func() { s.metrics.signIn(casework.MeansOpenID, err) }()
	s.setCookie(w, "openid", "")
	c, err := r.Cookie(s.cookie("openid"))
	if err != nil {
		return s.openIDWrong(r, "openid: no cookie")
	}
	p, ok := s.openID.open(c.Value)
	q := r.URL.Query()
	switch {
	case !ok || s.desk.Now().Sub(time.Unix(p.At, 0)) > pendingLasts:
		return s.openIDWrong(r, "openid: not begun here, or too long ago")
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(p.State)) != 1:
		return s.openIDWrong(r, "openid: state")
	}
	known, err := s.openID.discover(r.Context())
	if err != nil {
		return err
	}
	switch {
	case (known.iss || q.Has("iss")) && q.Get("iss") != s.openID.o.Issuer:
		return s.openIDWrong(r, "openid: issuer")
	case q.Get("error") == "access_denied":
		s.log.Info("sign-in refused", "request", stateOf(r.Request).number, "what", "openid: cancelled")
		return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "you were not signed in, because it was cancelled or refused where you sign in", Hint: "begin again from the page to sign in"}
	case q.Get("error") != "":
		return s.openIDWrong(r, "openid: the provider refused")
	}
	ctx := oidc.ClientContext(r.Context(), s.openID.o.HTTP)
	tokens, err := known.conf.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(p.Verifier))
	if err != nil {
		return s.openIDWrong(r, "openid: code")
	}
	raw, _ := tokens.Extra("id_token").(string)
	// Its times are compared with the real time, whatever clock the store goes by.
	id, err := known.Verifier(&oidc.Config{ClientID: s.openID.o.Client}).Verify(ctx, raw)
	if _, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return s.openIDWrong(r, "openid: token expired: compare the clock of this machine with the provider's")
	}
	if err != nil {
		return s.openIDWrong(r, "openid: token")
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(p.Nonce)) != 1 {
		return s.openIDWrong(r, "openid: nonce")
	}
	if !s.openID.proved(id) {
		s.log.Warn("sign-in refused", "request", stateOf(r.Request).number, "what", "openid: proof")
		return &caseforms.Error{Kind: caseforms.Forbidden, Msg: "where you sign in you were not asked for the second proof that is needed here", Hint: "set one up there, such as a code from an app, and sign in again; an admin can tell you how"}
	}
	login, err := s.openID.login(ctx, known, id, tokens)
	if err != nil {
		return s.openIDWrong(r, "openid: claim")
	}
	signed, err := s.desk.Vouched(r.Context(), login, casework.MeansOpenID, browser(r.UserAgent()), stateOf(r.Request).token, s.proven(id, p.Again))
	if err != nil {
		return err
	}
	return s.begun(w, r, signed, s.inside(p.Next))
}

// proved tells whether the provider says that it was proved to it as it has to be.
func (p *openID) proved(id *oidc.IDToken) bool {
	var claims struct {
		ACR json.RawMessage `json:"acr"`
		AMR json.RawMessage `json:"amr"`
	}
	if len(p.o.Proof) == 0 {
		return true
	}
	if id.Claims(&claims) != nil {
		return false
	}
	var told []string
	for _, c := range []json.RawMessage{claims.ACR, claims.AMR} { // each by itself: some providers write one as the other should be
		var one string
		var several []string
		if json.Unmarshal(c, &one) == nil {
			told = append(told, one)
		} else if json.Unmarshal(c, &several) == nil {
			told = append(told, several...)
		}
	}
	return slices.ContainsFunc(told, func(t string) bool { return t != "" && slices.Contains(p.o.Proof, t) })
}

// open opens the cookie of a sign-in that was begun here.
func (p *openID) open(cookie string) (out pending, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		return out, false
	}
	b, err := p.seal.Open(nil, nil, sealed, nil)
	return out, err == nil && json.Unmarshal(b, &out) == nil && out.State != ""
}

// proven is when somebody proved to the provider who they are, zero when it does not say. A provider that never says is believed to have asked when it was
// told to; one that says is not, because whoever sits at the browser can take that out of the address.
func (s *Service) proven(id *oidc.IDToken, again bool) time.Time {
	var claims struct {
		At *int64 `json:"auth_time"`
	}
	now := s.desk.Now()
	switch err := id.Claims(&claims); {
	case err == nil && claims.At != nil:
		return now.Add(-max(time.Since(time.Unix(*claims.At, 0)), 0)) // the token goes by the real time
	case err == nil && again:
		return now
	}
	return time.Time{}
}

// login is the login of whom a token is about. A provider may tell the claims of a scope only when it is asked for them with the access token
// (OpenID Connect Core 5.4).
func (p *openID) login(ctx context.Context, k *known, id *oidc.IDToken, tokens *oauth2.Token) (string, error) {
	if p.o.Claim == "sub" {
		return id.Subject, nil
	}
	var c struct {
		Subject  string `json:"sub"`
		Email    string `json:"email"`
		Verified any    `json:"email_verified"` // some providers write it as text
		Name     string `json:"preferred_username"`
	}
	if err := id.Claims(&c); err != nil {
		return "", err
	}
	if k.UserInfoEndpoint() != "" && (p.o.Claim == "email" && c.Email == "" || p.o.Claim == "preferred_username" && c.Name == "") {
		info, err := k.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err != nil {
			return "", errors.New("the provider tells nothing about its user")
		}
		c.Subject, c.Verified = "", nil
		if err := info.Claims(&c); err != nil {
			return "", err
		}
		if c.Subject != id.Subject { // OpenID Connect Core 5.3.2: it could be about another
			return "", errors.New("the provider tells about another")
		}
	}
	login := c.Name
	if p.o.Claim == "email" {
		if c.Verified != true && c.Verified != "true" {
			return "", errors.New("the address was not verified")
		}
		login = c.Email
	}
	if login == "" {
		return "", errors.New("the claim is empty")
	}
	return login, nil
}
