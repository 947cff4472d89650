// Package arr holds the nouns of the Azure Remote Rendering contract: accounts, sessions, conversions and errors. Every
// other room of the house speaks in these types. It imports the standard library only and does no I/O.
package arr

import (
	"regexp"
	"strings"
	"time"
)

// AccountID is an account GUID in canonical lower case. SDKs re-serialise it (contract section 3), so it is compared
// only after ParseAccountID.
type AccountID string

// SessionID is chosen by the client: case-sensitive, 1..256 characters of [A-Za-z0-9_-] (contract section 3).
type SessionID string

// SessionKey names one session of one account.
type SessionKey struct {
	Account AccountID
	ID      SessionID
}

func (k SessionKey) String() string { return string(k.Account) + "/" + string(k.ID) }

// Size is the profile a session asks for. Requests may spell it in any case; answers use the canonical spelling.
type Size string

// The two sizes of the contract.
const (
	SizeStandard Size = "Standard"
	SizePremium  Size = "Premium"
)

// ParseSize accepts either size in any case and returns its canonical spelling.
// The error text for anything else is the service's own (contract section 4).
func ParseSize(s string) (Size, error) {
	switch strings.ToLower(s) {
	case "standard":
		return SizeStandard, nil
	case "premium":
		return SizePremium, nil
	}
	return "", Errorf(CodeBadRequest, "Can't specify this VM size: %s", s)
}

// SessionStatus is the state of a session; see Session.Transition for the allowed moves.
type SessionStatus string

// The states of a session (contract section 4, "State machine").
const (
	StatusStarting SessionStatus = "Starting" // accepted and durable; no worker is ready yet
	StatusReady    SessionStatus = "Ready"    // a worker answers on hostname and ports; the lease runs
	StatusStopped  SessionStatus = "Stopped"  // ended by :stop
	StatusExpired  SessionStatus = "Expired"  // ended by its lease
	StatusError    SessionStatus = "Error"    // ended by a failure; Session.Error says which
)

// Terminal reports whether s is an end state. End states are irreversible.
func (s SessionStatus) Terminal() bool {
	return s == StatusStopped || s == StatusExpired || s == StatusError
}

// MaxLeaseMinutes is the longest lease a session may have (contract section 4: "between 0 and 1440").
const MaxLeaseMinutes = 1440

// CheckLease returns an error unless minutes is a lease that a session may be created with. The text for a negative one is
// the service's own, and clients look for its words (contract sections 4 and 8.16).
func CheckLease(minutes int) error {
	switch {
	case minutes < 0:
		return Errorf(CodeBadRequest, "The maxLeaseTimeMinutes value cannot be negative.")
	case minutes > MaxLeaseMinutes:
		return Errorf(CodeBadRequest, "The maxLeaseTimeMinutes value must be between 0 and %d.", MaxLeaseMinutes)
	}
	return nil
}

// Session is one rendering session as the contract describes it.
type Session struct {
	Key       SessionKey
	Size      Size
	Status    SessionStatus
	CreatedAt time.Time
	ReadyAt   time.Time // zero until Ready; the lease counts from here
	EndedAt   time.Time // zero until terminal

	// LeaseMinutes is the present total lease; RequestedLeaseMinutes is what the PUT that created the session asked
	// for, kept so that a retried PUT is still "same settings" after a PATCH (contract section 8.9).
	LeaseMinutes          int
	RequestedLeaseMinutes int

	Hostname      string  // bare host of the worker; shown only while Ready
	HandshakePort int     // 49152..65534; shown only while Ready
	InspectorPort int     // 49152..65534; shown only while Ready
	Teraflops     float64 // measured by the worker; shown from Ready on, also after the end

	Error *Error // set exactly when Status is Error
}

// Endpoint is where a ready worker serves, and how fast its machine is: what its session shows while Ready.
type Endpoint struct {
	Hostname      string // bare host
	HandshakePort int    // 49152..65534
	InspectorPort int    // 49152..65534, another one
	Teraflops     float64
}

// ElapsedMinutes is floor(minutes in Ready) at now, frozen at the end; 0 while Starting.
func (s *Session) ElapsedMinutes(now time.Time) int {
	if s.ReadyAt.IsZero() {
		return 0
	}
	if !s.EndedAt.IsZero() {
		now = s.EndedAt
	}
	return max(0, int(now.Sub(s.ReadyAt)/time.Minute))
}

// LeaseEnd is when the lease runs out; ok is false while the session has not been Ready.
func (s *Session) LeaseEnd() (end time.Time, ok bool) {
	if s.ReadyAt.IsZero() {
		return time.Time{}, false
	}
	return s.ReadyAt.Add(time.Duration(s.LeaseMinutes) * time.Minute), true
}

// Transition moves the session to status to at time now. Moving to the present state is a no-op; a move that the
// state machine forbids is CodeConflict and changes nothing.
func (s *Session) Transition(to SessionStatus, now time.Time) error {
	if s.Status == to {
		return nil
	}
	if s.Status.Terminal() || (s.Status == StatusReady && to == StatusStarting) || (s.Status == StatusStarting && to == StatusExpired) {
		return Errorf(CodeConflict, "A session in state %s cannot become %s.", s.Status, to)
	}
	s.Status = to
	switch {
	case to == StatusReady:
		s.ReadyAt = now
	case to.Terminal():
		s.EndedAt = now
	}
	return nil
}

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
	guidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// ParseSessionID checks the character set and length of contract section 3.
func ParseSessionID(s string) (SessionID, error) {
	if !idPattern.MatchString(s) {
		return "", Errorf(CodeBadRequest, "The session ID must have 1 to 256 characters out of A-Z, a-z, 0-9, '_' and '-'.")
	}
	return SessionID(s), nil
}

// ParseAccountID accepts a GUID in any case.
func ParseAccountID(s string) (AccountID, error) {
	s = strings.ToLower(s)
	if !guidPattern.MatchString(s) {
		return "", Errorf(CodeBadRequest, "The account ID must be a GUID.")
	}
	return AccountID(s), nil
}

// Account owns sessions. Its two keys are equal in rights; having two lets one be rotated while the other serves.
// Only the SHA-256 of a key is kept: keys are 256 random bits, so a plain hash is not guessable.
type Account struct {
	ID        AccountID
	Name      string
	KeyHash   [2][32]byte // primary, secondary
	CreatedAt time.Time
}
