// Package token mints and verifies the access tokens of the data plane, and keeps the account keys that buy them. It
// knows no HTTP and no SQL; workers import it to verify tokens, so it depends on the nouns and on a JOSE library only.
package token

import (
	"slices"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
)

// Life is how long an access token is good. SDKs fetch a new one for every call when less than about five minutes are
// left (contract section 8.2), and ARR's tokens lived this long (section 2).
const Life = 24 * time.Hour

// Role is one of ARR's two built-in roles.
type Role string

// The roles (ARR's "Remote Rendering Administrator" and "Remote Rendering Client").
const (
	RoleAdministrator Role = "Administrator" // conversions and sessions
	RoleClient        Role = "Client"        // sessions only
)

// Action is one of ARR's eight data actions.
type Action string

// The actions.
const (
	ActionConvert          Action = "convert/action"
	ActionReadConversion   Action = "convert/read"
	ActionDeleteConversion Action = "convert/delete"
	ActionManageSessions   Action = "managesessions/action" // create, extend
	ActionReadSessions     Action = "managesessions/read"
	ActionStopSessions     Action = "managesessions/delete"
	ActionRender           Action = "render/read"     // connect to a session
	ActionInspect          Action = "diagnostic/read" // look into a running session
)

// Actions returns what the role may do; nothing for an unknown role.
func (r Role) Actions() []Action {
	sessions := []Action{ActionManageSessions, ActionReadSessions, ActionStopSessions, ActionRender, ActionInspect}
	switch r {
	case RoleAdministrator:
		return append([]Action{ActionConvert, ActionReadConversion, ActionDeleteConversion}, sessions...)
	case RoleClient:
		return sessions
	}
	return nil
}

// Principal is who a token speaks for, and what it may do.
type Principal struct {
	Account   arr.AccountID
	Roles     []Role
	Actions   []Action
	Session   arr.SessionID // a viewer token is good for this session only; "" = every session of the account
	ExpiresAt time.Time
}

// Can reports whether the principal may do a.
func (p *Principal) Can(a Action) bool { return slices.Contains(p.Actions, a) }

// Check returns nil if the principal may do a to the session k, and arr.CodeForbidden otherwise.
func (p *Principal) Check(k arr.SessionKey, a Action) error {
	switch {
	case p.Account != k.Account:
		return arr.Errorf(arr.CodeForbidden, "The access token is for another account.")
	case p.Session != "" && p.Session != k.ID:
		return arr.Errorf(arr.CodeForbidden, "The access token is for another session.")
	case !p.Can(a):
		return arr.Errorf(arr.CodeForbidden, "The access token does not allow the action %s.", a)
	}
	return nil
}
