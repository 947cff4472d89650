package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// maxBatch bounds how many changes share a commit, and with it how long the first of them waits.
const maxBatch = 512

// errEnded is returned by changes after Run has ended.
var errEnded = errors.New("the database is shutting down")

// op is one change. do makes at most one writing statement, which SQLite undoes by itself when it fails: that keeps the
// changes of one transaction independent without the cost of a savepoint around each.
type op struct {
	ctx  context.Context
	do   func(*writer) error
	done chan error // buffered
}

// writer is the one connection that changes the database.
type writer struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	failed     bool // a statement of the present transaction failed, and SQLite may have rolled all of it back
}

// Run commits changes until ctx ends; those it has accepted by then are committed before it returns.
func (s *Store) Run(ctx context.Context) error {
	defer close(s.ended)
	conn, err := s.write.Conn(context.WithoutCancel(ctx))
	if err != nil {
		return fmt.Errorf("open the writing connection: %w", err)
	}
	w := &writer{conn: conn, statements: map[string]*sql.Stmt{}}
	defer w.close()
	batch := make([]*op, 0, maxBatch)
	for {
		select {
		case <-ctx.Done():
			return nil
		case o := <-s.ops:
			batch = append(batch[:0], o)
		}
	collect:
		for len(batch) < maxBatch {
			select {
			case o := <-s.ops:
				batch = append(batch, o)
			default:
				break collect
			}
		}
		for rest := batch; len(rest) > 0; {
			rest = rest[w.commit(rest):]
		}
	}
}

// submit hands a change to Run and waits until it is durable or has failed. A change that was accepted is waited for
// even when ctx ends, so that do never runs after submit has returned.
func (s *Store) submit(ctx context.Context, do func(*writer) error) error {
	o := &op{ctx: ctx, do: do, done: make(chan error, 1)}
	select {
	case s.ops <- o:
		return <-o.done
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return errEnded
	}
}

// commit runs the first changes of batch in one transaction, answers them, and returns how many they were (at least
// one). It stops early after a failed statement.
func (w *writer) commit(batch []*op) int {
	w.failed = false
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		answer(batch, err)
		return len(batch)
	}
	results := make([]error, 0, len(batch))
	for _, o := range batch {
		if w.failed {
			break
		}
		err := o.ctx.Err()
		if err == nil {
			err = o.do(w)
		}
		results = append(results, err)
	}
	batch = batch[:len(results)]
	if err := w.exec("COMMIT"); err != nil {
		// Nothing is known to be durable. The rollback's own error would only say that SQLite did it before.
		_ = w.exec("ROLLBACK")
		for i, r := range results {
			if r == nil {
				results[i] = fmt.Errorf("commit: %w", err)
			}
		}
	}
	for i, o := range batch {
		o.done <- results[i]
	}
	return len(batch)
}

func answer(batch []*op, err error) {
	for _, o := range batch {
		o.done <- err
	}
}

// exec runs a writing statement; statements are prepared once. Only the writer goroutine calls it, never with a caller's
// context: a half-done transaction must not be interrupted.
func (w *writer) exec(query string, args ...any) error {
	_, err := w.execCount(query, args...)
	return err
}

// execCount is exec that also returns the number of changed rows.
func (w *writer) execCount(query string, args ...any) (int64, error) {
	stmt, err := w.prepare(query)
	if err == nil {
		var res sql.Result
		if res, err = stmt.ExecContext(context.Background(), args...); err == nil {
			return res.RowsAffected()
		}
	}
	w.failed = true
	return 0, err
}

// queryRow reads inside the transaction.
func (w *writer) queryRow(query string, args ...any) (*sql.Row, error) {
	stmt, err := w.prepare(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryRowContext(context.Background(), args...), nil
}

func (w *writer) prepare(query string) (*sql.Stmt, error) {
	if stmt, ok := w.statements[query]; ok {
		return stmt, nil
	}
	stmt, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	w.statements[query] = stmt
	return stmt, nil
}

func (w *writer) close() {
	for _, stmt := range w.statements {
		stmt.Close()
	}
	w.conn.Close()
}
