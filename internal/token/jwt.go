package token

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/heliograph/heliograph/internal/arr"
)

// Each service signs with keys of its own, so the names need not tell services apart.
const (
	issuerName   = "heliograph"
	audienceName = "heliograph-data-plane"

	// clockSkew is how far the clocks of the control plane and of a worker's host may differ.
	clockSkew = 30 * time.Second
	// maxTokenSize bounds what is parsed; real tokens have about 800 bytes.
	maxTokenSize = 8 << 10
)

// claims is the payload of a token. Java and Python clients decode it with the plain base64 alphabet (contract section 2):
// a '-' or '_' breaks them. Both come only from bytes beyond ASCII and from '>', '?', '~' and DEL, which none of the values
// may hold; Issue checks the result.
type claims struct {
	Issuer    string        `json:"iss"`
	Audience  string        `json:"aud"`
	Account   arr.AccountID `json:"account"`
	Roles     []Role        `json:"roles"`
	Actions   []Action      `json:"actions"`
	Session   arr.SessionID `json:"session,omitempty"`
	IssuedAt  int64         `json:"iat"` // Unix seconds; SDKs read exp as an integer
	NotBefore int64         `json:"nbf"`
	Expiry    int64         `json:"exp"`
	ID        string        `json:"jti"`
}

// Grant is what a new token is to allow.
type Grant struct {
	Account arr.AccountID
	Role    Role          // RoleAdministrator or RoleClient; ignored for a viewer token
	Session arr.SessionID // not "": a viewer token, which only looks at this one session
	Life    time.Duration // 0 = the full Life, which is also the most
}

// Issuer mints tokens. Safe for concurrent use.
type Issuer struct{ keys *Keys }

// NewIssuer returns an issuer that signs with keys.
func NewIssuer(keys *Keys) *Issuer { return &Issuer{keys} }

// Issue mints a token and says when it expires.
func (i *Issuer) Issue(g Grant) (arr.Secret, time.Time, error) {
	now := time.Now().Truncate(time.Second)
	expires := now.Add(min(cmp.Or(g.Life, Life), Life))
	c := claims{
		Issuer: issuerName, Audience: audienceName,
		Account: g.Account, Roles: []Role{g.Role}, Actions: g.Role.Actions(), Session: g.Session,
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expiry: expires.Unix(),
		ID: rand.Text(),
	}
	if g.Session != "" {
		c.Roles, c.Actions = []Role{RoleClient}, []Action{ActionReadSessions, ActionRender, ActionInspect}
	}
	if err := c.check(now); err != nil {
		return "", time.Time{}, fmt.Errorf("issue token: %w", err)
	}
	raw, err := i.sign(c)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("issue token: %w", err)
	}
	return arr.Secret(raw), expires, nil
}

func (i *Issuer) sign(c claims) (string, error) {
	key, err := i.keys.signing()
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	if strings.ContainsAny(base64.RawURLEncoding.EncodeToString(payload), "-_") {
		return "", errors.New("the claims hold characters that old clients cannot decode")
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// check returns an error unless the claims are complete and in force at now.
func (c *claims) check(now time.Time) error {
	if c.Issuer != issuerName || c.Audience != audienceName {
		return errors.New("issued by or for somebody else")
	}
	if id, err := arr.ParseAccountID(string(c.Account)); err != nil || id != c.Account {
		return errors.New("no account")
	}
	if c.Session != "" {
		if _, err := arr.ParseSessionID(string(c.Session)); err != nil {
			return err
		}
	}
	if len(c.Actions) == 0 {
		return errors.New("no role")
	}
	if now.Before(time.Unix(c.NotBefore, 0).Add(-clockSkew)) || !now.Before(time.Unix(c.Expiry, 0)) {
		return errors.New("not yet or no longer in force")
	}
	return nil
}

// maxKnown bounds the tokens that a Verifier remembers.
const maxKnown = 4096

// Verifier checks tokens. Safe for concurrent use.
type Verifier struct {
	key func(kid string) (jose.JSONWebKey, bool)

	// Checking a signature costs more than the rest of a request, and a client sends the same token for a day.
	mu    sync.Mutex
	known map[[sha256.Size]byte]claims // what genuine tokens say, by their hash; whether it is in force is asked anew
}

// NewVerifier returns a verifier for the tokens signed with keys.
func NewVerifier(keys *Keys) *Verifier { return newVerifier(keys.verifying) }

func newVerifier(key func(kid string) (jose.JSONWebKey, bool)) *Verifier {
	return &Verifier{key: key, known: map[[sha256.Size]byte]claims{}}
}

// NewVerifierFromJWKS returns a verifier that trusts the keys of a JWK set, as Keys.PublicJWKS exports it.
func NewVerifierFromJWKS(jwks string) (*Verifier, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(jwks), &set); err != nil {
		return nil, fmt.Errorf("token keys: %w", err)
	}
	if len(set.Keys) == 0 {
		return nil, errors.New("token keys: the set is empty")
	}
	for _, key := range set.Keys {
		if !key.Valid() || !key.IsPublic() || key.KeyID == "" {
			return nil, errors.New("token keys: not a public key with an id")
		}
	}
	return newVerifier(func(kid string) (jose.JSONWebKey, bool) { return find(set, kid) }), nil
}

// Verify returns the principal of a genuine token that is in force, and arr.CodeUnauthorized for any other. The slices of
// the principal are shared: do not change them.
func (v *Verifier) Verify(raw string) (Principal, error) {
	c, err := v.genuine(raw)
	if err == nil {
		err = c.check(time.Now())
	}
	if err != nil {
		return Principal{}, arr.Errorf(arr.CodeUnauthorized, "The access token is not valid: %v.", err)
	}
	return Principal{
		Account: c.Account, Roles: c.Roles, Actions: c.Actions, Session: c.Session,
		ExpiresAt: time.Unix(c.Expiry, 0),
	}, nil
}

// genuine returns the claims of a token with a good signature.
func (v *Verifier) genuine(raw string) (claims, error) {
	if len(raw) > maxTokenSize {
		return claims{}, errors.New("too long")
	}
	sum := sha256.Sum256([]byte(raw))
	v.mu.Lock()
	c, ok := v.known[sum]
	v.mu.Unlock()
	if ok {
		return c, nil
	}
	c, err := v.parse(raw)
	if err != nil {
		return claims{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= maxKnown { // most have expired by then, and the rest are checked once more
		clear(v.known)
	}
	v.known[sum] = c
	return c, nil
}

func (v *Verifier) parse(raw string) (claims, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms())
	if err != nil {
		return claims{}, errors.New("not a signed token")
	}
	header := jws.Signatures[0].Protected
	key, ok := v.key(header.KeyID)
	if !ok || key.Algorithm != header.Algorithm {
		return claims{}, errors.New("signed with an unknown key")
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return claims{}, errors.New("the signature is wrong")
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return claims{}, errors.New("not the claims of an access token")
	}
	return c, nil
}
