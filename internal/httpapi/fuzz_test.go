package httpapi

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
)

// Whatever the body, the answer is one of the contract's, and a session is made exactly of what the members of the exact
// names say.
func FuzzCreateSession(f *testing.F) {
	for _, body := range []string{
		`{"maxLeaseTimeMinutes":60,"size":"Standard"}`,
		`{"maxLeaseTimeMinutes":-1,"size":"premium"}`,
		`{"maxLeaseTimeMinutes":1441,"size":"Tiny"}`,
		`{"size":"Standard","SIZE":"Premium","maxLeaseTimeMinutes":5,"maxLeaseTimeMinutes":6}`,
		`{"maxLeaseTimeMinutes":6.0,"size":"Standard"}`,
		`{"maxLeaseTimeMinutes":1e2,"size":"Standard"}`,
		`{"maxLeaseTimeMinutes":1e400,"size":null}`,
		`{"size":"\ud800","maxLeaseTimeMinutes":1}`,
		"[[[[", "", "null", "{}", "\x00", "{\"a\":\"\xff\"}",
	} {
		f.Add(body)
	}
	h := start(f, nil)
	f.Fuzz(func(t *testing.T, body string) {
		h := &harness{t: t, sessions: h.sessions, issuer: h.issuer, url: h.url, client: h.client, contract: h.contract}
		h.sessions.all = nil
		a := h.do("PUT", session("s")+version, body)
		if a.StatusCode == 400 {
			if len(h.sessions.all) != 0 {
				t.Fatalf("refused and made: %q", body)
			}
			return
		}
		wantStatus(t, a, 201)
		var members map[string]any
		if err := json.Unmarshal([]byte(body), &members); err != nil {
			t.Fatalf("accepted: %q", body)
		}
		minutes, _ := members["maxLeaseTimeMinutes"].(float64)
		size, _ := members["size"].(string)
		s := h.sessions.all[0]
		if float64(s.LeaseMinutes) != minutes || minutes < 0 || minutes > arr.MaxLeaseMinutes || !strings.EqualFold(string(s.Size), size) {
			t.Fatalf("%q made %s for %d minutes", body, s.Size, s.LeaseMinutes)
		}
	})
}

func FuzzUpdateSession(f *testing.F) {
	for _, body := range []string{`{"maxLeaseTimeMinutes":60}`, `{"maxLeaseTimeMinutes":5}`, `{"maxLeaseTimeMinutes":"9"}`, "{}", "", "[]"} {
		f.Add(body)
	}
	h := start(f, nil)
	f.Fuzz(func(t *testing.T, body string) {
		h := &harness{t: t, sessions: h.sessions, issuer: h.issuer, url: h.url, client: h.client, contract: h.contract}
		h.sessions.all = []arr.Session{{Key: arr.SessionKey{Account: account, ID: "s"}, Size: arr.SizeStandard, Status: arr.StatusStarting, LeaseMinutes: 5}}
		switch a := h.do("PATCH", session("s")+version, body); {
		case a.StatusCode == 200 && h.sessions.all[0].LeaseMinutes > 5:
		case a.StatusCode == 422 && h.sessions.all[0].LeaseMinutes == 5:
		default:
			t.Fatalf("%q: %d, then %d minutes", body, a.StatusCode, h.sessions.all[0].LeaseMinutes)
		}
	})
}

// Whatever the body, the answer is one of the contract's, a conversion is made of strings that were in it, and no signature
// is shown.
func FuzzCreateConversion(f *testing.F) {
	for _, body := range []string{
		conversionBody,
		strings.Replace(conversionBody, "Input", "a/../b", 1),
		strings.Replace(conversionBody, "https://a.example/in", "https://a.example/in?sig=hush", 1),
		strings.Replace(conversionBody, "box.fbx", "\\ud800", 1),
		`{"settings":{"inputLocation":[],"outputLocation":null}}`, `{"settings":{"settings":{}}}`, "null", "{}", "",
	} {
		f.Add(body)
	}
	h := start(f, nil)
	f.Fuzz(func(t *testing.T, body string) {
		h := &harness{t: t, convert: h.convert, issuer: h.issuer, url: h.url, client: h.client, contract: h.contract}
		h.convert.all, h.convert.secrets = nil, nil
		a := h.do("PUT", converted("c")+version, body)
		if a.StatusCode == 400 {
			if len(h.convert.all) != 0 {
				t.Fatalf("refused and made: %q", body)
			}
			return
		}
		wantStatus(t, a, 201)
		if normal, err := h.convert.all[0].Settings.Normalize(); err != nil || normal != h.convert.all[0].Settings {
			t.Fatalf("%q made %+v", body, h.convert.all[0].Settings)
		}
		s := h.convert.secrets[0]
		for _, secret := range []string{string(s.Input), string(s.Output)} {
			if len(secret) > 30 && strings.Contains(a.body, secret) { // a short one may well be a part of something else
				t.Fatalf("%q shows a signature: %s", body, a.body)
			}
		}
	})
}
