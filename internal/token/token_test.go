package token

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/heliograph/heliograph/internal/arr"
)

const account = arr.AccountID("30ea64bd-100f-4bf0-adc9-29fa45d4880c")

func openKeys(t testing.TB, alg Algorithm) *Keys {
	t.Helper()
	keys, err := OpenKeys(filepath.Join(t.TempDir(), "token-keys.json"), alg)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func issue(t testing.TB, keys *Keys, g Grant) string {
	t.Helper()
	tok, _, err := NewIssuer(keys).Issue(g)
	if err != nil {
		t.Fatal(err)
	}
	return tok.Reveal()
}

func TestIssueAndVerify(t *testing.T) {
	for _, alg := range []Algorithm{ES256, RS256} {
		t.Run(string(alg), func(t *testing.T) {
			keys := openKeys(t, alg)
			tok, expires, err := NewIssuer(keys).Issue(Grant{Account: account, Role: RoleAdministrator})
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(expires); left < Life-time.Minute || left > Life {
				t.Errorf("token lives %v, want %v", left, Life)
			}
			worker, err := NewVerifierFromJWKS(keys.PublicJWKS())
			if err != nil {
				t.Fatal(err)
			}
			want := Principal{Account: account, Roles: []Role{RoleAdministrator}, Actions: RoleAdministrator.Actions(), ExpiresAt: expires}
			for name, v := range map[string]*Verifier{"control plane": NewVerifier(keys), "worker": worker} {
				got, err := v.Verify(tok.Reveal())
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			if strings.Contains(keys.PublicJWKS(), `"d"`) {
				t.Error("the exported set holds a private key")
			}
		})
	}
}

func TestRolesHaveTheEightActions(t *testing.T) {
	admin, client := RoleAdministrator.Actions(), RoleClient.Actions()
	if len(admin) != 8 || len(client) != 5 || Role("x").Actions() != nil {
		t.Errorf("administrator %v, client %v", admin, client)
	}
	for _, a := range client {
		if strings.HasPrefix(string(a), "convert/") {
			t.Errorf("a client may %s", a)
		}
	}
}

func TestViewerTokenIsForItsSessionOnly(t *testing.T) {
	keys := openKeys(t, ES256)
	p, err := NewVerifier(keys).Verify(issue(t, keys, Grant{Account: account, Role: RoleAdministrator, Session: "mine"}))
	if err != nil {
		t.Fatal(err)
	}
	f := func(session arr.SessionID, a Action, want arr.Code) {
		t.Helper()
		if got := arr.CodeOf(p.Check(arr.SessionKey{Account: account, ID: session}, a)); got != want {
			t.Errorf("%s %s: %q, want %q", a, session, got, want)
		}
	}
	f("mine", ActionRender, "")
	f("mine", ActionInspect, "")
	f("mine", ActionReadSessions, "")
	f("mine", ActionManageSessions, arr.CodeForbidden)
	f("mine", ActionStopSessions, arr.CodeForbidden)
	f("mine", ActionConvert, arr.CodeForbidden)
	f("Mine", ActionRender, arr.CodeForbidden)
	f("", ActionReadSessions, arr.CodeForbidden)
	other := arr.SessionKey{Account: "00000000-0000-4000-8000-000000000000", ID: "mine"}
	if err := p.Check(other, ActionRender); arr.CodeOf(err) != arr.CodeForbidden {
		t.Errorf("another account: %v", err)
	}
}

func TestTokenLife(t *testing.T) {
	keys := openKeys(t, ES256)
	synctest.Test(t, func(t *testing.T) {
		f := func(life, age time.Duration, ok bool) {
			t.Helper()
			tok, verifier := issue(t, keys, Grant{Account: account, Role: RoleClient, Life: life}), NewVerifier(keys)
			if _, err := verifier.Verify(tok); err != nil { // now it is known, which must not lengthen its life
				t.Error(err)
			}
			time.Sleep(age)
			if _, err := verifier.Verify(tok); (err == nil) != ok {
				t.Errorf("token for %v after %v: %v", life, age, err)
			}
		}
		f(0, Life-time.Second, true)
		f(0, Life, false)
		f(time.Hour, time.Hour-time.Second, true)
		f(time.Hour, time.Hour, false)
		f(100*time.Hour, Life, false)
	})
}

// Java's and Python's clients decode the payload with the plain alphabet (contract section 2).
func TestPayloadHasNoURLAlphabet(t *testing.T) {
	keys := openKeys(t, ES256)
	rapid.Check(t, func(r *rapid.T) {
		hex := rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`).Draw(r, "account")
		tok, _, err := NewIssuer(keys).Issue(Grant{
			Account: arr.AccountID(hex),
			Role:    rapid.SampledFrom([]Role{RoleAdministrator, RoleClient}).Draw(r, "role"),
			Session: arr.SessionID(rapid.StringMatching(`[A-Za-z0-9_-]{0,256}`).Draw(r, "session")),
		})
		if err != nil {
			r.Fatal(err)
		}
		parts := strings.Split(tok.Reveal(), ".")
		if len(parts) != 3 {
			r.Fatalf("%d parts", len(parts))
		}
		payload, err := base64.RawStdEncoding.DecodeString(parts[1])
		if err != nil {
			r.Fatalf("a Java client cannot decode the payload: %v", err)
		}
		var c struct {
			Exp json.Number `json:"exp"`
		}
		if err := json.Unmarshal(payload, &c); err != nil {
			r.Fatal(err)
		}
		if _, err := c.Exp.Int64(); err != nil {
			r.Errorf("exp is no integer: %v", err)
		}
		header, err := base64.RawURLEncoding.DecodeString(parts[0])
		if err != nil || !json.Valid(header) {
			r.Errorf("header %q: %v", header, err)
		}
	})
}

func TestVerifierForgetsInTime(t *testing.T) {
	keys := openKeys(t, ES256)
	v := NewVerifier(keys)
	for i := range maxKnown + 1 {
		v.known[[32]byte{byte(i), byte(i >> 8)}] = claims{}
	}
	tok := issue(t, keys, Grant{Account: account, Role: RoleClient})
	for range 2 {
		if _, err := v.Verify(tok); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.known) != 1 {
		t.Errorf("%d tokens remembered", len(v.known))
	}
}

func TestIssueRefuses(t *testing.T) {
	issuer := NewIssuer(openKeys(t, ES256))
	for _, g := range []Grant{
		{Role: RoleClient},
		{Account: account},
		{Account: account, Role: "Owner"},
		{Account: arr.AccountID(strings.ToUpper(string(account))), Role: RoleClient},
		{Account: account, Role: RoleClient, Session: "a/b"},
		{Account: account, Role: RoleClient, Life: -time.Minute},
	} {
		if tok, _, err := issuer.Issue(g); err == nil {
			t.Errorf("%+v: issued %d bytes", g, len(tok))
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	keys := openKeys(t, ES256)
	signed := func(key any, alg jose.SignatureAlgorithm, kid, payload string) string {
		t.Helper()
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := time.Now().Unix()
	payload := func(edit func(map[string]any)) string {
		m := map[string]any{"iss": issuerName, "aud": audienceName, "account": account, "roles": []string{"Client"},
			"actions": []Action{ActionRender}, "iat": now, "nbf": now, "exp": now + 60}
		edit(m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	own := keys.ring.Current
	good := payload(func(map[string]any) {})
	verifier := NewVerifier(keys)
	if _, err := verifier.Verify(signed(own.Key, jose.ES256, own.KeyID, good)); err != nil {
		t.Fatalf("the good token: %v", err)
	}
	parts := strings.Split(issue(t, keys, Grant{Account: account, Role: RoleClient}), ".")
	foreign := openKeys(t, ES256).ring.Current
	rsaKey := openKeys(t, RS256).ring.Current

	for name, raw := range map[string]string{
		"empty":                  "",
		"garbage":                "a.b.c",
		"no signature":           parts[0] + "." + parts[1] + ".",
		"alg none":               base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"`+own.KeyID+`"}`)) + "." + parts[1] + ".",
		"payload changed":        parts[0] + "." + parts[1][:40] + "A" + parts[1][41:] + "." + parts[2],
		"foreign key":            signed(foreign.Key, jose.ES256, foreign.KeyID, good),
		"foreign key, own id":    signed(foreign.Key, jose.ES256, own.KeyID, good),
		"other algorithm":        signed(rsaKey.Key, jose.RS256, own.KeyID, good),
		"public key as a secret": signed([]byte(keys.PublicJWKS()), jose.HS256, own.KeyID, good),
		"no key id":              signed(own.Key, jose.ES256, "", good),
		"not JSON":               signed(own.Key, jose.ES256, own.KeyID, "claims"),
		"too long":               strings.Repeat("a", maxTokenSize+1),
		"other issuer":           signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { m["iss"] = "x" })),
		"other audience":         signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { m["aud"] = "x" })),
		"no account":             signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { delete(m, "account") })),
		"no actions":             signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { delete(m, "actions") })),
		"no expiry":              signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { delete(m, "exp") })),
		"expired":                signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { m["exp"] = now - 1 })),
		"of the future":          signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { m["nbf"] = now + 120 })),
		"bad session":            signed(own.Key, jose.ES256, own.KeyID, payload(func(m map[string]any) { m["session"] = "a b" })),
	} {
		if p, err := verifier.Verify(raw); arr.CodeOf(err) != arr.CodeUnauthorized {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token-keys.json")
	first, err := OpenKeys(path, ES256)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	tok := issue(t, first, Grant{Account: account, Role: RoleClient})
	again, err := OpenKeys(path, ES256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewVerifier(again).Verify(tok); err != nil {
		t.Errorf("after a restart: %v", err)
	}

	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeys(path, ES256); err == nil {
		t.Error("a key file that others can read was accepted")
	}
	if _, err := OpenKeys(filepath.Join(t.TempDir(), "k"), "HS256"); err == nil {
		t.Error("an unknown algorithm was accepted")
	}
	for _, text := range []string{"", "{}", `{"current":{"kty":"EC"}}`, `{"current":null}`} {
		bad := filepath.Join(t.TempDir(), "bad")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKeys(bad, ES256); err == nil {
			t.Errorf("the key file %q was accepted", text)
		}
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token-keys.json")
	server, err := OpenKeys(path, ES256)
	if err != nil {
		t.Fatal(err)
	}
	old := issue(t, server, Grant{Account: account, Role: RoleClient})
	worker, err := NewVerifierFromJWKS(server.PublicJWKS()) // started before the rotation
	if err != nil {
		t.Fatal(err)
	}
	command, err := OpenKeys(path, RS256) // another process rotates, to another algorithm
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Rotate(); err != nil {
		t.Fatal(err)
	}
	fresh := issue(t, command, Grant{Account: account, Role: RoleClient})
	if kid(t, old) == kid(t, fresh) {
		t.Error("still signed with the old key")
	}
	if got := issue(t, server, Grant{Account: account, Role: RoleClient}); kid(t, got) != kid(t, fresh) {
		t.Error("the running server goes on signing with the old key")
	}
	for name, v := range map[string]*Verifier{"server": NewVerifier(server), "command": NewVerifier(command), "worker": worker} {
		for age, tok := range map[string]string{"old": old, "fresh": fresh} {
			if _, err := v.Verify(tok); err != nil {
				t.Errorf("%s, %s token: %v", name, age, err)
			}
		}
	}

	// A second rotation: the server learns of it from the token's key id.
	if err := command.Rotate(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewVerifier(server).Verify(issue(t, command, Grant{Account: account, Role: RoleClient})); err != nil {
		t.Errorf("server, after the second rotation: %v", err)
	}
	if n := len(command.ring.Retired); n != 2 {
		t.Errorf("%d retired keys, want 2", n)
	}
	for _, r := range command.ring.Retired {
		if !r.Key.IsPublic() {
			t.Error("a retired private key is kept")
		}
	}
	command.ring.Retired[0].Until = time.Now().Add(-time.Second)
	if err := command.rotate(); err != nil {
		t.Fatal(err)
	}
	if n := len(command.ring.Retired); n != 2 {
		t.Errorf("%d retired keys after one was due to go, want 2", n)
	}
}

func kid(t *testing.T, raw string) string {
	t.Helper()
	jws, err := jose.ParseSignedCompact(raw, algorithms())
	if err != nil {
		t.Fatal(err)
	}
	return jws.Signatures[0].Protected.KeyID
}

func TestVerifierFromJWKSRefuses(t *testing.T) {
	private, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{openKeys(t, ES256).ring.Current}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{}", `{"keys":[]}`, `{"keys":[{}]}`, string(private)} {
		if _, err := NewVerifierFromJWKS(text); err == nil {
			t.Errorf("%.40q was accepted", text)
		}
	}
}

func FuzzVerify(f *testing.F) {
	keys := openKeys(f, ES256)
	good := issue(f, keys, Grant{Account: account, Role: RoleClient, Session: "s"})
	f.Add(good)
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(strings.ReplaceAll(good, ".", ".."))
	verifier := NewVerifier(keys)
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := verifier.Verify(raw)
		// The signature covers header and payload; only its own last character has bits that do not count.
		if err == nil && !strings.HasPrefix(raw, good[:strings.LastIndexByte(good, '.')]) {
			t.Fatalf("forged: %+v from %q", p, raw)
		}
		if err != nil && arr.CodeOf(err) != arr.CodeUnauthorized {
			t.Fatalf("error %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Algorithm{ES256, RS256} {
		b.Run(string(alg), func(b *testing.B) {
			keys := openKeys(b, alg)
			raw := issue(b, keys, Grant{Account: account, Role: RoleClient})
			for name, verify := range map[string]func(string) (claims, error){"first": NewVerifier(keys).parse, "known": NewVerifier(keys).genuine} {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if _, err := verify(raw); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
