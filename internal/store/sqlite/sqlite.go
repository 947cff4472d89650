// Package sqlite keeps sessions, conversions and accounts durably in one SQLite file. It knows no logic of theirs and no
// HTTP.
//
// Open returns a Store; its Run is the only writer, so run it before, and end it after, everything that changes a record.
// Changes that arrive while a commit waits for the disk share the next one (group commit), which is what makes
// synchronous=FULL affordable; NORMAL lost acknowledged rows in a real power cut.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite" // "sqlite" of database/sql, in pure Go
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/heliograph/heliograph/internal/session"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store implements session.Store and token.AccountStore on one file, and Conversions conversion.Store. Safe for concurrent use.
type Store struct {
	read  *sql.DB // a pool beside the writer; WAL readers never wait for it
	write *sql.DB // exactly one connection, used by Run
	ops   chan *op
	ended chan struct{} // closed when Run returns
}

var _ session.Store = (*Store)(nil)

// Open opens or creates the database at path (mode 0600) and brings its schema up to date. A database that a newer
// Heliograph has written is an error.
func Open(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	// Made here because SQLite would make it readable for everybody; -wal and -shm take the mode of the database.
	switch f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); {
	case err == nil:
		f.Close()
	case !errors.Is(err, os.ErrExist):
		return nil, fmt.Errorf("create database: %w", err)
	}
	s := &Store{ops: make(chan *op), ended: make(chan struct{})}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	if s.write, err = sql.Open("sqlite", dsn); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	if err := patiently(func() error { return migrate(context.Background(), s.write) }); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), s.write.Close())
	}
	if s.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), s.write.Close())
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	return s, nil
}

// Close closes the file; call it after Run has returned.
func (s *Store) Close() error { return errors.Join(s.read.Close(), s.write.Close()) }

// patiently repeats open while another process opens or closes the same file. SQLite waits for that by busy_timeout, except
// where waiting could be a deadlock (sqlite.org/c3ref/busy_handler.html): when a file becomes one with a write-ahead log, and
// when the last connection removes that log.
func patiently(open func() error) error {
	const patience, pause = 10 * time.Second, 10 * time.Millisecond
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		err := open()
		var refused *driver.Error
		if !errors.As(err, &refused) || refused.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
	}
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	m, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := m.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read schema version: %w", err)
	case have > want:
		return fmt.Errorf("it has schema version %d, but this program knows only up to %d: use a newer heliograph", have, want)
	}
	if _, err = m.Up(ctx); err != nil {
		if now, _, verr := m.GetVersions(ctx); verr == nil && now > have {
			return migrate(ctx, db) // another process migrates the same file, and has done what failed here
		}
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}
