package httpapi

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/arrapi"
)

// dataPlane implements the operations of the contract. Its errors become answers in Server.fail.
type dataPlane struct{ s *Server }

var _ arrapi.StrictServerInterface = dataPlane{}

func (d dataPlane) CreateSession(ctx context.Context, r arrapi.CreateSessionRequestObject) (arrapi.CreateSessionResponseObject, error) {
	key, err := sessionKey(r.AccountID, r.SessionID)
	if err != nil {
		return nil, err
	}
	if err := arr.CheckLease(r.Body.MaxLeaseTimeMinutes); err != nil {
		return nil, err
	}
	size, err := arr.ParseSize(r.Body.Size)
	if err != nil {
		return nil, err
	}
	session, created, err := d.s.cfg.Sessions.Create(ctx, key, size, r.Body.MaxLeaseTimeMinutes)
	if err != nil {
		return nil, err
	}
	if created {
		return arrapi.CreateSession201JSONResponse(wireSession(&session)), nil
	}
	return arrapi.CreateSession200JSONResponse(wireSession(&session)), nil
}

func (d dataPlane) GetSession(ctx context.Context, r arrapi.GetSessionRequestObject) (arrapi.GetSessionResponseObject, error) {
	key, err := sessionKey(r.AccountID, r.SessionID)
	if err != nil {
		return nil, err
	}
	session, err := d.s.cfg.Sessions.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return arrapi.GetSession200JSONResponse(wireSession(&session)), nil
}

func (d dataPlane) UpdateSession(ctx context.Context, r arrapi.UpdateSessionRequestObject) (arrapi.UpdateSessionResponseObject, error) {
	key, err := sessionKey(r.AccountID, r.SessionID)
	if err != nil {
		return nil, err
	}
	session, err := d.s.cfg.Sessions.Extend(ctx, key, r.Body.MaxLeaseTimeMinutes)
	if err != nil {
		return nil, err
	}
	return arrapi.UpdateSession200JSONResponse(wireSession(&session)), nil
}

func (d dataPlane) StopSession(ctx context.Context, r arrapi.StopSessionRequestObject) (arrapi.StopSessionResponseObject, error) {
	key, err := sessionKey(r.AccountID, r.SessionID)
	if err != nil {
		return nil, err
	}
	if err := d.s.cfg.Sessions.Stop(ctx, key); err != nil {
		return nil, err
	}
	return arrapi.StopSession204Response{}, nil
}

func (d dataPlane) ListSessions(ctx context.Context, r arrapi.ListSessionsRequestObject) (arrapi.ListSessionsResponseObject, error) {
	account, err := arr.ParseAccountID(r.AccountID)
	if err != nil {
		return nil, err
	}
	sessions, next, err := d.s.cfg.Sessions.List(ctx, account, text(r.Params.After), d.s.cfg.PageSize)
	if err != nil {
		return nil, err
	}
	page := arrapi.ListSessions200JSONResponse{Sessions: make([]arrapi.SessionProperties, len(sessions))} // [] even if empty
	for i := range sessions {
		page.Sessions[i] = wireSession(&sessions[i])
	}
	page.NextLink = d.s.nextLink(ctx, account, "sessions", string(r.Params.APIVersion), next)
	return page, nil
}

func sessionKey(account, session string) (arr.SessionKey, error) {
	a, err := arr.ParseAccountID(account)
	if err != nil {
		return arr.SessionKey{}, err
	}
	id, err := arr.ParseSessionID(session)
	return arr.SessionKey{Account: a, ID: id}, err
}

// sessionTime is the form of creationTime: at most seven digits of a second, and never "Z" (contract sections 4 and 8.17).
const sessionTime = "2006-01-02T15:04:05.9999999-07:00"

// wireSession shows of a session what its status lets be seen: where the worker is only while Ready, how fast it was also
// afterwards (contract section 4, "Object").
func wireSession(s *arr.Session) arrapi.SessionProperties {
	out := arrapi.SessionProperties{
		ID:                  string(s.Key.ID),
		CreationTime:        s.CreatedAt.UTC().Format(sessionTime),
		ElapsedTimeMinutes:  s.ElapsedMinutes(time.Now()),
		MaxLeaseTimeMinutes: s.LeaseMinutes,
		Size:                arrapi.SessionSize(s.Size),
		Status:              arrapi.SessionStatus(s.Status),
	}
	if s.Status == arr.StatusReady {
		out.Hostname, out.HandshakePort, out.ArrInspectorPort = &s.Hostname, &s.HandshakePort, &s.InspectorPort
	}
	if s.Status != arr.StatusStarting && s.Teraflops > 0 {
		teraflops := max(0.001, math.Round(s.Teraflops*1000)/1000) // measured on a busy machine it may be next to nothing, but not 0
		out.Teraflops = &teraflops
	}
	if s.Status == arr.StatusError && s.Error != nil {
		e := wireError(s.Error)
		out.Error = &e
	}
	return out
}

type originKey struct{}

// withOrigin keeps the origin that the client used.
func withOrigin(r *http.Request) context.Context {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return context.WithValue(r.Context(), originKey{}, scheme+r.Host)
}

// origin is what absolute links begin with (contract section 6).
func (s *Server) origin(ctx context.Context) string {
	if s.cfg.ExternalURL != "" {
		return s.cfg.ExternalURL
	}
	origin, _ := ctx.Value(originKey{}).(string)
	return origin
}
