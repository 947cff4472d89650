package sqlite

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/store/storetest"
)

const childEnv = "HELIOGRAPH_TEST_SQLITE_CHILD" // path of the database that the re-executed test binary fills

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		if err := fillForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// openRunning opens path and runs its writer; stop ends both.
func openRunning(t *testing.T, path string) (s *Store, stop func()) {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) session.Store {
		s, stop := openRunning(t, filepath.Join(t.TempDir(), "a ? name #100%.db"))
		t.Cleanup(stop)
		return s
	})
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.db")
	stop := func() {}
	storetest.RunDurable(t, func(t *testing.T) session.Store {
		stop()
		var s *Store
		s, stop = openRunning(t, path)
		t.Cleanup(stop)
		return s
	})
}

func TestConversionConformance(t *testing.T) {
	storetest.RunConversions(t, func(t *testing.T) conversion.Store {
		s, stop := openRunning(t, filepath.Join(t.TempDir(), "h.db"))
		t.Cleanup(stop)
		return s.Conversions()
	})
}

func TestConversionReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.db")
	stop := func() {}
	storetest.RunConversionsDurable(t, func(t *testing.T) conversion.Store {
		stop()
		var s *Store
		s, stop = openRunning(t, path)
		t.Cleanup(stop)
		return s.Conversions()
	})
}

// TestConversionListsUseTheirIndexes: neither the list of an account nor the queue's reads the history of others.
func TestConversionListsUseTheirIndexes(t *testing.T) {
	in, err := whereStatus([]arr.ConversionStatus{arr.ConversionRunning, arr.ConversionNotStarted},
		arr.ConversionNotStarted, arr.ConversionRunning)
	if err != nil || in != liveConversion {
		t.Fatalf("condition %q (%v), want %q", in, err, liveConversion)
	}
	s, stop := openRunning(t, filepath.Join(t.TempDir(), "h.db"))
	defer stop()
	for query, want := range map[string]string{
		" WHERE " + in: "SCAN conversion USING INDEX conversion_live",
		" WHERE account = 'a' AND (created_at, account, id) > (1, 'a', 'b')": "SEARCH conversion USING INDEX conversion_order",
	} {
		var id, parent, unused int
		var detail string
		row := s.read.QueryRow("EXPLAIN QUERY PLAN " + selectConversion + query + " ORDER BY created_at, account, id")
		if err := row.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(detail, want) {
			t.Errorf("%s: plan %s, want %s", query, detail, want)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.db")
	s, stop := openRunning(t, path)
	defer stop()
	mustCreate(t, s, "x")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", suffix, info.Mode())
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.db")
	_, stop := openRunning(t, path)
	stop()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (7777, 1)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "schema version 7777") {
		t.Errorf("opened a newer database: %v", err)
	}
}

func TestOpenConcurrently(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
}

func TestChangesAfterRunFail(t *testing.T) {
	s, stop := openRunning(t, filepath.Join(t.TempDir(), "h.db"))
	stop()
	if _, _, err := s.Create(t.Context(), record("late")); !errors.Is(err, errEnded) {
		t.Errorf("Create after Run: %v", err)
	}
}

// TestFailedStatementFailsAlone forces a failing statement into the middle of a shared commit.
func TestFailedStatementFailsAlone(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "h.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := s.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{conn: conn, statements: map[string]*sql.Stmt{}}
	defer w.close()
	insert := func(id string) *op {
		return &op{ctx: t.Context(), done: make(chan error, 1), do: func(w *writer) error {
			return w.exec("INSERT INTO account (id, name, key_hash_1, key_hash_2, created_at) VALUES (?, '', x'', x'', 0)", id)
		}}
	}
	batch := []*op{insert("one"), insert("two"), insert("one"), insert("three")}
	for rest := batch; len(rest) > 0; {
		rest = rest[w.commit(rest):]
	}
	for i, wantErr := range []bool{false, false, true, false} {
		if err := <-batch[i].done; (err != nil) != wantErr {
			t.Errorf("change %d: %v", i, err)
		}
	}
	if all, err := s.ListAccounts(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%d accounts (%v), want 3", len(all), err)
	}
}

// TestLiveListUsesItsIndex keeps lists of live sessions independent of 30 days of history: SQLite refuses INDEXED BY when
// the condition of the query is not the one of the index.
func TestLiveListUsesItsIndex(t *testing.T) {
	in, err := whereStatus([]arr.SessionStatus{arr.StatusReady, arr.StatusStarting}, arr.StatusStarting, arr.StatusReady)
	if err != nil || in != liveStatus {
		t.Fatalf("condition %q (%v), want %q", in, err, liveStatus)
	}
	s, stop := openRunning(t, filepath.Join(t.TempDir(), "h.db"))
	defer stop()
	rows, err := s.read.Query("EXPLAIN QUERY PLAN " + selectSession + " INDEXED BY session_live WHERE account = 'a' AND " + in +
		" AND (created_at, account, id) > (1, 'a', 'b') ORDER BY created_at, account, id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if !rows.Next() {
		t.Fatal("no plan")
	}
	var id, parent, unused int
	var detail string
	if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(detail, "SEARCH session USING INDEX session_live") {
		t.Errorf("plan: %s", detail)
	}
}

func TestAccounts(t *testing.T) {
	s, stop := openRunning(t, filepath.Join(t.TempDir(), "h.db"))
	defer stop()
	ctx := t.Context()
	a := arr.Account{ID: "aaaaaaaa-0000-4000-8000-000000000001", Name: "first", KeyHash: [2][32]byte{{1}, {2, 31: 9}}, CreatedAt: time.Unix(5, 7).UTC()}
	if err := s.CreateAccount(ctx, a); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateAccount(ctx, a); arr.CodeOf(err) != arr.CodeConflict {
		t.Errorf("second create: %v", err)
	}
	if got, err := s.GetAccount(ctx, a.ID); err != nil || got != a {
		t.Errorf("got %+v (%v), want %+v", got, err, a)
	}
	if _, err := s.GetAccount(ctx, "none"); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("unknown: %v", err)
	}
	rotated := a
	rotated.KeyHash[1] = [32]byte{42}
	if err := s.UpdateAccount(ctx, a.ID, func(a *arr.Account) error { a.KeyHash[1] = [32]byte{42}; return nil }); err != nil {
		t.Error(err)
	}
	refused := errors.New("refused")
	if err := s.UpdateAccount(ctx, a.ID, func(a *arr.Account) error { a.Name = "x"; return refused }); !errors.Is(err, refused) {
		t.Errorf("refused update: %v", err)
	}
	if err := s.UpdateAccount(ctx, "none", func(*arr.Account) error { return nil }); arr.CodeOf(err) != arr.CodeNotFound {
		t.Errorf("unknown update: %v", err)
	}
	if all, err := s.ListAccounts(ctx); err != nil || len(all) != 1 || all[0] != rotated {
		t.Errorf("list %+v (%v), want only %+v", all, err, rotated)
	}
}

// TestKill9 kills a process that acknowledges creates and updates as fast as it can, and looks for each acknowledged one.
func TestKill9(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]string{} // id to what was acknowledged last
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ { // goes on after the kill: what is in the pipe was acknowledged
		what, id, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			t.Fatalf("child says %q", lines.Text())
		}
		acknowledged[id] = what
		if n == 3000 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || len(acknowledged) < 1000 {
		t.Fatalf("child ended with %v after %d acknowledgements", err, len(acknowledged))
	}
	s, stop := openRunning(t, path)
	defer stop()
	for id, what := range acknowledged {
		r, err := s.Get(t.Context(), record(id).Key)
		if err != nil || (what == "updated" && r.LeaseMinutes != 77) {
			t.Errorf("%s was acknowledged as %s: lease %d, %v", id, what, r.LeaseMinutes, err)
		}
	}
}

// fillForever is the child of TestKill9: it prints each change after it was acknowledged.
func fillForever(path string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	failed := make(chan error, 1)
	go func() { failed <- s.Run(ctx) }()
	var stdout sync.Mutex
	say := func(what, id string) {
		stdout.Lock()
		defer stdout.Unlock()
		os.Stdout.WriteString(what + " " + id + "\n") // one write: no line is torn by the kill
	}
	for writer := range 16 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("w%d-%d", writer, i)
				if _, _, err := s.Create(ctx, record(id)); err != nil {
					failed <- err
					return
				}
				say("created", id)
				if i%2 == 0 {
					continue
				}
				if _, err := s.Update(ctx, record(id).Key, func(r *session.Record) error { r.LeaseMinutes = 77; return nil }); err != nil {
					failed <- err
					return
				}
				say("updated", id)
			}
		}()
	}
	return <-failed
}

func record(id string) session.Record {
	return session.Record{Session: arr.Session{
		Key:  arr.SessionKey{Account: "aaaaaaaa-0000-4000-8000-000000000001", ID: arr.SessionID(id)},
		Size: arr.SizeStandard, Status: arr.StatusStarting, CreatedAt: time.Unix(1, 0).UTC(), LeaseMinutes: 5, RequestedLeaseMinutes: 5,
	}}
}

func mustCreate(t *testing.T, s *Store, id string) {
	t.Helper()
	if _, created, err := s.Create(t.Context(), record(id)); err != nil || !created {
		t.Fatalf("create %s: created=%v err=%v", id, created, err)
	}
}

// BenchmarkCreate measures durable creates; with -cpu and SetParallelism many share each fsync.
func BenchmarkCreate(b *testing.B) {
	for _, writers := range []int{1, 32, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "h.db"))
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			ids := make(chan int)
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for i := range ids {
						if _, _, err := s.Create(ctx, record(fmt.Sprint("s", i))); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				ids <- i
			}
			close(ids)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
			b.StopTimer()
			cancel()
			if err := errors.Join(<-done, s.Close()); err != nil {
				b.Error(err)
			}
		})
	}
}
