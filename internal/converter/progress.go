package converter

import (
	"sync"
	"time"

	"github.com/heliograph/heliograph/internal/converter/child"
)

// weights are the shares of the stages in the time of a usual conversion.
var stages = []struct {
	name   string
	weight float64
}{
	{child.StageRead, 0.2}, {child.StagePrepare, 0.05}, {child.StageMeshes, 0.55}, {child.StageTextures, 0.15}, {child.StageWrite, 0.05},
}

// meter turns what the parts of a conversion tell of themselves into the progress of the whole, which never goes back. It is
// safe for concurrent use; report is called by one goroutine at a time.
type meter struct {
	report func(child.Progress)

	mu      sync.Mutex
	stage   string
	started time.Time
	last    child.Progress
}

// tell says that a stage is done by so much, which is so much of a unit.
func (t *meter) tell(stage string, done, amount float64, unit string) {
	if t.report == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if stage != t.stage {
		t.stage, t.started = stage, now
		t.last.StageDone = 0
	}
	before := 0.0
	for _, s := range stages {
		if s.name == stage {
			done = max(t.last.StageDone, min(done, 1))
			t.last = child.Progress{Stage: stage, StageDone: done, Done: max(t.last.Done, before+s.weight*done), Unit: unit}
			break
		}
		before += s.weight
	}
	if took := now.Sub(t.started).Seconds(); took > 0.05 && unit != "" {
		t.last.Rate = done * amount / took
	}
	t.report(t.last)
}
