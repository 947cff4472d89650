package sqlite

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
)

// The columns of a record: those fixed at its creation, and those that Update writes. Leaving the first out of the UPDATE
// spares the index in their order.
const (
	fixedColumns   = "account, id, size, created_at, requested_lease_minutes"
	mutableColumns = "status, ready_at, ended_at, lease_minutes, hostname, handshake_port, inspector_port, teraflops, error, token_hash, " +
		"started_at, handle"

	selectSession = "SELECT " + fixedColumns + ", " + mutableColumns + " FROM session"
	selectByKey   = selectSession + " WHERE account = ? AND id = ?"
	insertSession = "INSERT INTO session (" + fixedColumns + ", " + mutableColumns + ") VALUES (?,?,?,?,?, ?,?,?,?,?,?,?,?,?,?,?,?)" +
		" ON CONFLICT DO NOTHING"
	updateSession = "UPDATE session SET (" + mutableColumns + ") = (?,?,?,?,?,?,?,?,?,?,?,?) WHERE account = ? AND id = ?"
	liveStatus    = "status IN ('Starting','Ready')" // exactly the condition of the index session_live
	pruneSessions = "DELETE FROM session WHERE ended_at > 0 AND ended_at < ?"
)

// Create implements session.Store.
func (s *Store) Create(ctx context.Context, r session.Record) (session.Record, bool, error) {
	mutable, err := mutableValues(&r)
	if err != nil {
		return session.Record{}, false, err
	}
	values := append([]any{string(r.Key.Account), string(r.Key.ID), string(r.Size), nanos(r.CreatedAt), r.RequestedLeaseMinutes}, mutable...)
	var (
		stored  session.Record
		created bool
	)
	err = s.submit(ctx, func(w *writer) error {
		n, err := w.execCount(insertSession, values...)
		if err != nil {
			return fmt.Errorf("insert session: %w", err)
		}
		created = n == 1
		stored, err = w.session(r.Key)
		return err
	})
	if err != nil {
		return session.Record{}, false, err
	}
	return stored, created, nil
}

// Get implements session.Store.
func (s *Store) Get(ctx context.Context, key arr.SessionKey) (session.Record, error) {
	return scanSession(s.read.QueryRowContext(ctx, selectByKey, string(key.Account), string(key.ID)))
}

// Update implements session.Store. fn runs on the writer's goroutine.
func (s *Store) Update(ctx context.Context, key arr.SessionKey, fn func(*session.Record) error) (session.Record, error) {
	var updated session.Record
	err := s.submit(ctx, func(w *writer) error {
		r, err := w.session(key)
		if err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		values, err := mutableValues(&r)
		if err != nil {
			return err
		}
		if err := w.exec(updateSession, append(values, string(key.Account), string(key.ID))...); err != nil {
			return fmt.Errorf("update session: %w", err)
		}
		updated, err = w.session(key)
		return err
	})
	if err != nil {
		return session.Record{}, err
	}
	return updated, nil
}

// List implements session.Store.
func (s *Store) List(ctx context.Context, o session.ListOptions) ([]session.Record, string, error) {
	var (
		where []string
		args  []any
		from  = selectSession
	)
	if o.Account != "" {
		where, args = append(where, "account = ?"), append(args, string(o.Account))
	}
	if len(o.Status) > 0 {
		in, err := whereStatus(o.Status, arr.StatusStarting, arr.StatusReady, arr.StatusStopped, arr.StatusExpired, arr.StatusError)
		if err != nil {
			return nil, "", fmt.Errorf("list sessions: %w", err)
		}
		where = append(where, in)
		if in == liveStatus {
			from += " INDEXED BY session_live" // the planner prefers the primary key, and with it the whole history
		}
	}
	if o.After != "" {
		at, account, id, err := parsePosition(o.After)
		if err != nil {
			return nil, "", err
		}
		where, args = append(where, "(created_at, account, id) > (?, ?, ?)"), append(args, at, account, id)
	}
	query := from
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY created_at, account, id"
	if o.Limit > 0 {
		query, args = query+" LIMIT ?", append(args, o.Limit+1) // one more tells whether there is a next page
	}
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, "", fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	var page []session.Record
	for rows.Next() {
		r, err := scanSession(rows)
		if err != nil {
			return nil, "", err
		}
		page = append(page, r)
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("list sessions: %w", err)
	}
	if o.Limit > 0 && len(page) > o.Limit {
		page = page[:o.Limit]
		last := &page[o.Limit-1]
		return page, position(last.CreatedAt, last.Key), nil
	}
	return page, "", nil
}

// Prune implements session.Store.
func (s *Store) Prune(ctx context.Context, t time.Time) (int, error) {
	var n int64
	err := s.submit(ctx, func(w *writer) (err error) {
		n, err = w.execCount(pruneSessions, nanos(t))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune sessions: %w", err)
	}
	return int(n), nil
}

// session reads a record inside the transaction.
func (w *writer) session(key arr.SessionKey) (session.Record, error) {
	row, err := w.queryRow(selectByKey, string(key.Account), string(key.ID))
	if err != nil {
		return session.Record{}, err
	}
	return scanSession(row)
}

func mutableValues(r *session.Record) ([]any, error) {
	sessionError, err := nullJSON(r.Error)
	if err != nil {
		return nil, err
	}
	handle, err := nullJSON(r.Handle)
	if err != nil {
		return nil, err
	}
	return []any{
		string(r.Status), nanos(r.ReadyAt), nanos(r.EndedAt), r.LeaseMinutes, r.Hostname, r.HandshakePort, r.InspectorPort, r.Teraflops,
		sessionError, r.TokenHash[:], nanos(r.StartedAt), handle,
	}, nil
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

func scanSession(row scanner) (session.Record, error) {
	var (
		r                              session.Record
		created, ready, ended, started int64
		account, id, size, status      string
		sessionError, handle           sql.Null[string]
		tokenHash                      []byte
	)
	err := row.Scan(&account, &id, &size, &created, &r.RequestedLeaseMinutes,
		&status, &ready, &ended, &r.LeaseMinutes, &r.Hostname, &r.HandshakePort, &r.InspectorPort, &r.Teraflops,
		&sessionError, &tokenHash, &started, &handle)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Record{}, arr.Errorf(arr.CodeNotFound, "There is no session with this ID.")
	}
	if err != nil {
		return session.Record{}, fmt.Errorf("read session: %w", err)
	}
	r.Key = arr.SessionKey{Account: arr.AccountID(account), ID: arr.SessionID(id)}
	r.Size, r.Status = arr.Size(size), arr.SessionStatus(status)
	r.CreatedAt, r.ReadyAt, r.EndedAt, r.StartedAt = instant(created), instant(ready), instant(ended), instant(started)
	copy(r.TokenHash[:], tokenHash)
	if r.Error, err = fromJSON[arr.Error](sessionError); err != nil {
		return session.Record{}, fmt.Errorf("read session %s: error: %w", r.Key, err)
	}
	if r.Handle, err = fromJSON[session.Handle](handle); err != nil {
		return session.Record{}, fmt.Errorf("read session %s: handle: %w", r.Key, err)
	}
	return r, nil
}

// whereStatus spells the condition with literals, in the order of the state machine (known): as SQLite recognises it in the
// condition of an index.
func whereStatus[S ~string](statuses []S, known ...S) (string, error) {
	var literals []string
	for _, s := range known {
		if slices.Contains(statuses, s) {
			literals = append(literals, "'"+string(s)+"'")
		}
	}
	for _, s := range statuses {
		if !slices.Contains(known, s) {
			return "", fmt.Errorf("unknown status %q", s)
		}
	}
	return "status IN (" + strings.Join(literals, ",") + ")", nil
}

// position is where a page ends whose last record has this time of creation and this key ("account/id").
func position(created time.Time, key fmt.Stringer) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(nanos(created), 10) + "/" + key.String()))
}

func parsePosition(s string) (at int64, account, id string, err error) {
	invalid := arr.Errorf(arr.CodeBadRequest, "The position in the list is not one that this service gave.")
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, "", "", invalid
	}
	parts := strings.Split(string(raw), "/")
	if len(parts) != 3 {
		return 0, "", "", invalid
	}
	if at, err = strconv.ParseInt(parts[0], 10, 64); err != nil {
		return 0, "", "", invalid
	}
	return at, parts[1], parts[2], nil
}

// nanos and instant map the zero time to 0, and lose the monotonic reading and the zone, nothing else.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func nullJSON[T any](v *T) (sql.Null[string], error) {
	if v == nil {
		return sql.Null[string]{}, nil
	}
	b, err := json.Marshal(v)
	return sql.Null[string]{V: string(b), Valid: true}, err
}

func fromJSON[T any](s sql.Null[string]) (*T, error) {
	if !s.Valid {
		return nil, nil
	}
	v := new(T)
	return v, json.Unmarshal([]byte(s.V), v)
}
