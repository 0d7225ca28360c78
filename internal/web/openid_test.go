package web

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// provider is somebody who vouches for people, in this process. Its fields say how it misbehaves.
type provider struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // what each code was asked for with
	claims map[string]any        // in place of the right ones; nil takes one away
	signer *rsa.PrivateKey       // in place of the right one
	alg    jose.SignatureAlgorithm
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", p.token)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// authorize is what the provider's page does once somebody has signed in there: where it sends the browser back to.
func (p *provider) authorize(t *testing.T, location string) url.Values {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, p.URL+"/authorize?") {
		t.Fatalf("not sent to the provider: %s", location)
	}
	q := u.Query()
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(q.Get(name)) < 20 {
			t.Errorf("no %s is sent along", name)
		}
	}
	if q.Get("code_challenge_method") != "S256" || q.Get("response_type") != "code" || q.Get("redirect_uri") != "http://caseforms.example/sign-in/openid/back" {
		t.Error(q)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := secret()
	p.codes[code] = q
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

func (p *provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, ok := p.codes[r.FormValue("code")]
	delete(p.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != q.Get("code_challenge") {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	claims := map[string]any{"iss": p.URL, "sub": "subject-1", "aud": q.Get("client_id"), "nonce": q.Get("nonce"), "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(),
		"email": "petra", "email_verified": true, "preferred_username": "petra"}
	for k, v := range p.claims {
		claims[k] = v
		if v == nil {
			delete(claims, k)
		}
	}
	signer := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}
	if p.signer != nil {
		signer.Key = jose.JSONWebKey{Key: p.signer, KeyID: "1"}
	}
	if p.alg != "" { // signed with the public key as if it were a secret
		signer = jose.SigningKey{Algorithm: p.alg, Key: []byte(strings.Repeat("k", 64))}
	}
	s, err := jose.NewSigner(signer, nil)
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	raw, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": raw})
}

func (p *provider) options(o *Options) { o.OpenID = &OpenID{Issuer: p.URL, Client: "caseforms"} }

func TestOpenID(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := newHouse(t, p.options)
	v := h.visitor()
	v.header.Set("Sec-Fetch-Site", "cross-site") // the link is followed by whoever wants to sign in, and not by a page elsewhere
	v.get("/sign-in/openid?next=/cases").expect(t, 303, "/sign-in?next=%2Fcases")
	v.header.Del("Sec-Fetch-Site")
	v.get("/sign-in?next=/cases").expect(t, 200, "Sign in with your work account", "/sign-in/openid?next=%2fcases")
	back := p.authorize(t, v.get("/sign-in/openid?next=/cases").expect(t, 303).Header.Get("Location"))
	v.get("/sign-in/openid/back?"+back.Encode()).expect(t, 303, "/cases")
	v.get("/").expect(t, 200, "Petra Practitioner")
	v.get("/account").expect(t, 200, "OpenID Connect")
	v.get("/sign-in/openid/back?"+back.Encode()).expect(t, 403) // once
	if got := h.did("petra", 1); got[0] != "signed in" {
		t.Error(got)
	}
}

// Whatever is wrong with what comes back, nobody is signed in.
func TestOpenIDHostile(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := newHouse(t, p.options)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	h.must(err)
	for name, c := range map[string]struct {
		claims map[string]any
		signer *rsa.PrivateKey
		alg    jose.SignatureAlgorithm
		back   func(url.Values)
		before func(*visitor)
	}{
		"nonce of another":        {claims: map[string]any{"nonce": "another"}},
		"no nonce":                {claims: map[string]any{"nonce": nil}},
		"audience of another":     {claims: map[string]any{"aud": "another"}},
		"issuer of another":       {claims: map[string]any{"iss": "https://elsewhere.example"}},
		"expired":                 {claims: map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}},
		"not verified":            {claims: map[string]any{"email_verified": false}},
		"not said to be verified": {claims: map[string]any{"email_verified": nil}},
		"no address":              {claims: map[string]any{"email": nil}},
		"a stranger":              {claims: map[string]any{"email": "stranger"}},
		"another's key":           {signer: other},
		"a shared secret":         {alg: jose.HS256},
		"state of another":        {back: func(q url.Values) { q.Set("state", "another") }},
		"no state":                {back: func(q url.Values) { q.Del("state") }},
		"code of another":         {back: func(q url.Values) { q.Set("code", "another") }},
		"no code":                 {back: func(q url.Values) { q.Del("code") }},
		"an error":                {back: func(q url.Values) { q.Set("error", "access_denied") }},
		"mixed up":                {back: func(q url.Values) { q.Set("iss", "https://elsewhere.example") }},
		"another browser":         {before: func(v *visitor) { clear(v.cookies) }},
		"a made-up cookie": {before: func(v *visitor) {
			v.cookies[h.cookie("openid")].Value = base64.RawURLEncoding.EncodeToString([]byte(`{"State":"x"}`))
		}},
		"too late": {before: func(v *visitor) { h.wait(11 * time.Minute) }},
	} {
		p.mu.Lock()
		p.claims, p.signer, p.alg = c.claims, c.signer, c.alg
		p.mu.Unlock()
		v := h.visitor()
		back := p.authorize(t, v.get("/sign-in/openid").Header.Get("Location"))
		if c.back != nil {
			c.back(back)
		}
		if c.before != nil {
			c.before(v)
		}
		r := v.get("/sign-in/openid/back?" + back.Encode())
		if r.StatusCode != 403 {
			t.Errorf("%s: %d", name, r.StatusCode)
		}
		if v.cookies[h.cookieName()] != nil {
			t.Errorf("%s: signed in", name)
		}
	}
	// A code that was got for one browser is of no use in another that has begun too: the verifier is not the same.
	p.mu.Lock()
	p.claims, p.signer, p.alg = nil, nil, ""
	p.mu.Unlock()
	mine, theirs := h.visitor(), h.visitor()
	a := p.authorize(t, mine.get("/sign-in/openid").Header.Get("Location"))
	b := p.authorize(t, theirs.get("/sign-in/openid").Header.Get("Location"))
	theirs.get("/sign-in/openid/back?"+url.Values{"code": a["code"], "state": b["state"]}.Encode()).expect(t, 403)
}

func TestOpenIDClaims(t *testing.T) {
	t.Parallel()
	for claim, login := range map[string]string{"sub": "subject-1", "preferred_username": "petra"} {
		p := newProvider(t)
		h := newHouse(t, p.options, func(o *Options) { o.OpenID.Claim = claim })
		_, err := h.desk.AddUser(t.Context(), h.as("adam"), "subject-1", "Sam Subject", "", h.as("petra").Roles)
		h.must(err)
		v := h.visitor()
		back := p.authorize(t, v.get("/sign-in/openid").Header.Get("Location"))
		v.get("/sign-in/openid/back?"+back.Encode()).expect(t, 303)
		v.get("/account").expect(t, 200, login)
	}
	for _, o := range []OpenID{{}, {Issuer: "x"}, {Issuer: "x", Client: "y", Claim: "name"}, {Issuer: "x", Client: "y", Proof: []string{""}}} {
		if _, err := newOpenID(o, "https://caseforms.example"); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if _, err := newOpenID(OpenID{Issuer: "x", Client: "y"}, ""); err == nil {
		t.Error("without an address of ours")
	}
}

// Where a second proof is wanted, nobody comes in of whom the provider does not say that it was given.
func TestOpenIDProof(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	h := newHouse(t, p.options, func(o *Options) { o.OpenID.Proof = []string{"mfa", "urn:example:two"} })
	for _, told := range []struct {
		claims map[string]any
		code   int
	}{
		{nil, 403},
		{map[string]any{"amr": []string{"pwd"}, "acr": "urn:example:one"}, 403},
		{map[string]any{"amr": []string{"pwd", "mfa"}, "acr": 1}, 303}, // no text: the provider does not keep to the standard
		{map[string]any{"acr": ""}, 403},
		{map[string]any{"amr": []string{"pwd", "mfa"}}, 303},
		{map[string]any{"acr": "urn:example:two"}, 303},
	} {
		v := h.visitor()
		to := v.get("/sign-in/openid").expect(t, 303).Header.Get("Location")
		if !strings.Contains(to, "acr_values=mfa+urn%3Aexample%3Atwo") {
			t.Error("not asked for: ", to)
		}
		p.claims = told.claims
		r := v.get("/sign-in/openid/back?" + p.authorize(t, to).Encode())
		r.expect(t, told.code)
		if told.code == 403 {
			r.expect(t, 403, "second proof")
			v.get("/").expect(t, 303)
		} else {
			v.get("/").expect(t, 200, "Petra Practitioner")
		}
	}
}

// What the provider sends to another address is not asked there.
func TestOpenIDRedirects(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	away := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	t.Cleanup(away.Close)
	h := newHouse(t, func(o *Options) { o.OpenID = &OpenID{Issuer: away.URL, Client: "caseforms"} })
	h.visitor().get("/sign-in/openid").expect(t, 503)
	if asked.Load() > 0 {
		t.Error("it was followed")
	}
}

// A provider that is away keeps nobody from the pages, and is asked again.
func TestOpenIDAway(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	addr := p.URL
	h := newHouse(t, func(o *Options) { o.OpenID = &OpenID{Issuer: addr + "/away", Client: "caseforms"} })
	h.visitor().get("/sign-in/openid").expect(t, 503, "does not answer")
	h.visitor().get("/sign-in").expect(t, 200)
}
