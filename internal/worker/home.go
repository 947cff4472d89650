package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/heliograph/heliograph/internal/streampb"
	"github.com/heliograph/heliograph/internal/workerrpc"
)

// ErrOrphaned ends a session whose control plane is out of reach: its view of this process may be gone, so the process
// must not hold memory and ports on its own authority (docs/adr: workers dial home).
var ErrOrphaned = errors.New("orphaned")

// Home is where a worker reports to; *workerrpc.Client is one.
type Home interface {
	Ready(ctx context.Context, r workerrpc.ReadyReport) error
	RenewLoop(ctx context.Context, every, orphanAfter time.Duration, report func() workerrpc.RenewReport) error
	LeaseLeft() (left time.Duration, ok bool)
}

// stayHome reports ready and keeps the lease. It returns nil when ctx ends, workerrpc.ErrEnded when the session is
// over, and ErrOrphaned when nobody answered for orphanAfter.
func (s *Session) stayHome(ctx context.Context, ready workerrpc.ReadyReport) error {
	c := &s.opt.Config
	started := time.Now()
	readyCtx, cancel := context.WithTimeout(ctx, c.OrphanAfter)
	defer cancel()
	err := s.opt.Home.Ready(readyCtx, ready)
	switch {
	case ctx.Err() != nil:
		return nil
	case readyCtx.Err() != nil:
		return fmt.Errorf("%w: report ready: %w", ErrOrphaned, err)
	case err != nil:
		return fmt.Errorf("report ready: %w", err)
	}
	s.opt.Log.Info("session ready", "pid", os.Getpid(), "handshakePort", ready.HandshakePort,
		"inspectorPort", ready.InspectorPort, "teraflops", ready.Teraflops, "reportTook", time.Since(started))
	close(s.ready)
	err = s.opt.Home.RenewLoop(ctx, c.RenewEvery, c.OrphanAfter, s.renewReport)
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, workerrpc.ErrOrphaned):
		return fmt.Errorf("%w: %w", ErrOrphaned, err)
	}
	return err
}

func (s *Session) renewReport() workerrpc.RenewReport {
	return workerrpc.RenewReport{
		Viewers: s.hub.viewers(), Triangles: s.editor.Snapshot().Triangles, Frames: s.frames.Stats().Sent,
	}
}

// almostOver is when a session that is told to end is taken for expired: the control plane ends it by the same signal.
const almostOver = 2 * time.Second

// ended tells a viewer why its connection is ended.
func (s *Session) ended(cause error) *streampb.Ended {
	switch {
	case errors.Is(cause, errReplaced):
		return &streampb.Ended{Reason: "replaced", Message: "Another viewer took over."}
	case errors.Is(cause, workerrpc.ErrEnded), s.told():
		if left, ok := s.opt.Home.LeaseLeft(); ok && left <= almostOver {
			return &streampb.Ended{Reason: "expired", Message: "The session's lease has run out."}
		}
		return &streampb.Ended{Reason: "stopped", Message: "The session was stopped."}
	}
	return &streampb.Ended{Reason: "error", Message: "The session can show no more frames."}
}
