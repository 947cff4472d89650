package local

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/session"
	"github.com/heliograph/heliograph/internal/store/sqlite"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// BenchmarkPutToReady measures the control plane's share of a start: Manager.Create on SQLite, a real process (the
// smallest worker there is), its report over the socket, until Ready is durable. Then the session is stopped.
func BenchmarkPutToReady(b *testing.B) {
	store, err := sqlite.Open(filepath.Join(b.TempDir(), "h.db"))
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	ln, err := workerrpc.Listen(filepath.Join(dir, "control.sock"))
	if err != nil {
		b.Fatal(err)
	}
	backend, err := New(Config{
		Dir: filepath.Join(dir, "sessions"), Binary: os.Args[0], ControlAddress: "unix:" + filepath.Join(dir, "control.sock"),
		Hostname: "localhost", PortMin: 49152, PortMax: 65534, RenewEvery: time.Second, OrphanAfter: 5 * time.Second,
	})
	if err != nil {
		b.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	rec := session.NewReconciler(session.ReconcilerConfig{Store: store, Backend: backend, Log: log})
	mgr := session.NewManager(session.ManagerConfig{Store: store, Notify: rec.Notify})
	// In the order of start; ended in reverse.
	var stops []func()
	for _, run := range []func(context.Context) error{
		store.Run, rec.Run, func(ctx context.Context) error { return workerrpc.Serve(ctx, ln, workerrpc.NewHandler(rec, log)) },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		stops = append(stops, func() {
			cancel()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		key := arr.SessionKey{Account: account, ID: arr.SessionID(fmt.Sprint(i))}
		began := time.Now()
		if _, _, err := mgr.Create(b.Context(), key, arr.SizeStandard, 10); err != nil {
			b.Fatal(err)
		}
		for s, err := mgr.Get(b.Context(), key); s.Status != arr.StatusReady; s, err = mgr.Get(b.Context(), key) {
			if err != nil || s.Status.Terminal() {
				b.Fatalf("%+v (%v)", s, err)
			}
			<-time.After(200 * time.Microsecond)
		}
		took = append(took, time.Since(began))
		if err := mgr.Stop(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	for { // all workers gone
		workers, err := backend.List(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if len(workers) == 0 {
			break
		}
		<-time.After(time.Millisecond)
	}
	for _, stop := range slices.Backward(stops) {
		stop()
	}
	if err := store.Close(); err != nil {
		b.Error(err)
	}
}
