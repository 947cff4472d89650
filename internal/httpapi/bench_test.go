package httpapi

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/token"
)

// What the edge adds to a request: everything but the connection and the session core.
func BenchmarkEdge(b *testing.B) {
	keys, err := token.OpenKeys(filepath.Join(b.TempDir(), "keys.json"), token.ES256)
	if err != nil {
		b.Fatal(err)
	}
	sessions := &fakeSessions{all: []arr.Session{{Key: arr.SessionKey{Account: account, ID: "s"}, Size: arr.SizeStandard,
		Status: arr.StatusStarting, LeaseMinutes: 5, RequestedLeaseMinutes: 5}}}
	s, err := New(Config{
		Sessions: sessions, Conversions: &fakeConversions{}, ConversionWatch: &fakeConversions{},
		Accounts: token.NewAccounts(nil), Issuer: token.NewIssuer(keys), Verifier: token.NewVerifier(keys),
	})
	if err != nil {
		b.Fatal(err)
	}
	tok, _, err := token.NewIssuer(keys).Issue(token.Grant{Account: account, Role: token.RoleClient})
	if err != nil {
		b.Fatal(err)
	}
	handler := s.Handler()
	for method, body := range map[string]string{"GET": "", "PUT": `{"maxLeaseTimeMinutes":5,"size":"Standard"}`} {
		b.Run(method, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(method, session("s")+version, strings.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+tok.Reveal())
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
