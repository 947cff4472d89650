// Package sqlite keeps sessions and accounts durably in one SQLite file. It knows no session logic and no HTTP.
package sqlite

import (
	"context"
	"errors"
)

// Store implements session.Store and token.AccountStore on one file.
type Store struct{}

// Open opens or creates the database at path and migrates it. It writes nothing until Run runs.
func Open(path string) (*Store, error) { return nil, errors.New("not written yet") }

// Run is the writer: every change waits until Run commits it. It returns when ctx has ended and all that was accepted
// is committed. Run it before, and end it after, everything that writes.
func (s *Store) Run(ctx context.Context) error { return errors.New("not written yet") }

// Close closes the file; call it after Run has returned.
func (s *Store) Close() error { return nil }
