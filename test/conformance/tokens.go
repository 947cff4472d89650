package conformance

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (s *suite) buyToken(t *testing.T) string {
	t.Helper()
	a := s.raw(t, s.STS, call{method: "GET", path: "/Accounts/" + s.AccountID + "/token", auth: s.AccountID + ":" + s.AccountKey})
	wantStatus(t, a, http.StatusOK)
	var body map[string]string
	decode(t, a.body, &body)
	if len(body) != 1 || body["AccessToken"] == "" {
		t.Fatalf("body with %d members", len(body))
	}
	return body["AccessToken"]
}

// tokenService checks contract section 2.
func (s *suite) tokenService(t *testing.T) {
	upper := strings.ToUpper(s.AccountID)
	good := s.AccountID + ":" + s.AccountKey
	f := func(path, auth string, status int) {
		t.Helper()
		a := s.raw(t, s.STS, call{method: "GET", path: path, query: "api-version=2019-02-28-preview", auth: auth,
			header: map[string]string{"X-MRC-CV": "dKEFmka2kkSlDmp/af+sOw", "Accept": "application/json"}})
		wantStatus(t, a, status)
		if got := a.Header.Get("api-supported-versions"); got != "" {
			t.Errorf("the token service announces versions: %q", got)
		}
		if status != http.StatusOK {
			if len(a.body) > 0 {
				t.Errorf("401 with body %q", a.body)
			}
			return
		}
		if a.Header.Get("Cache-Control") != "no-store,no-cache" || a.Header.Get("Pragma") != "no-cache" {
			t.Errorf("Cache-Control %q, Pragma %q", a.Header.Get("Cache-Control"), a.Header.Get("Pragma"))
		}
	}
	f("/Accounts/"+s.AccountID+"/token", good, 200)
	f("/accounts/"+s.AccountID+"/token", good, 200)
	f("/Accounts/"+upper+"/token", good, 200)
	f("/Accounts/"+s.AccountID+"/token", upper+":"+s.AccountKey, 200)
	f("/Accounts/"+s.AccountID+"/token", "none", 401)
	f("/Accounts/"+s.AccountID+"/token", s.AccountID+":"+s.AccountKey+"x", 401)
	f("/Accounts/"+s.AccountID+"/token", s.AccountID, 401)
	f("/Accounts/"+s.AccountID+"/token", s.token, 401)
	f("/Accounts/"+otherAccount+"/token", good, 401)
	f("/Accounts/"+otherAccount+"/token", otherAccount+":"+s.AccountKey, 401)

	parts := strings.Split(s.token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts", len(parts))
	}
	// Java and Python decode the payload with the plain alphabet, .NET parses the header too.
	payload, err := base64.RawStdEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatalf("payload: %v", err)
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || !json.Valid(header) {
		t.Errorf("header %q: %v", header, err)
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	decode(t, payload, &claims)
	if left := time.Until(time.Unix(claims.Exp, 0)); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("a fresh token is good for %v", left)
	}
}
