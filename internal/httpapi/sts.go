package httpapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/arrapi/stsapi"
	"github.com/heliograph/heliograph/internal/token"
)

// getToken is the token service (contract section 2): it sells an access token for an account key. An account key has
// the rights of an administrator, as in ARR. Errors have no body.
func (s *Server) getToken(w http.ResponseWriter, r *http.Request) {
	account, err := s.checkAccountKey(r.Context(), r.PathValue("account_id"), bearer(r))
	if err == nil {
		err = s.limits.take(w, account)
	}
	var access arr.Secret
	if err == nil {
		access, _, err = s.cfg.Issuer.Issue(token.Grant{Account: account, Role: token.RoleAdministrator})
	}
	if err != nil {
		s.failBare(w, r, err)
		return
	}
	noStore(w.Header())
	writeJSON(w, http.StatusOK, stsapi.StsTokenResponseMessage{AccessToken: access.Reveal()})
}

// checkAccountKey checks credentials of the form <account>:<key> for the account of the path.
func (s *Server) checkAccountKey(ctx context.Context, path, credentials string) (arr.AccountID, error) {
	id, key, _ := strings.Cut(credentials, ":")
	account, err := arr.ParseAccountID(id)
	if err == nil && !strings.EqualFold(id, path) {
		err = arr.Errorf(arr.CodeUnauthorized, "The key is for another account.")
	}
	if err != nil {
		return "", arr.Errorf(arr.CodeUnauthorized, "%v", err)
	}
	return account, s.cfg.Accounts.CheckKey(ctx, account, arr.Secret(key))
}
