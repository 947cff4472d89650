//go:build !linux

package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// errNoWorkers keeps the rest of the control plane and the command line usable where workers do not run.
var errNoWorkers = fmt.Errorf("render workers run on Linux, not on %s: %w", runtime.GOOS, errors.ErrUnsupported)

type process struct{ state }

func startProcess(string, string, *os.File) (*process, error) { return nil, errNoWorkers }

func (p *process) confine(int64) error                       { return errNoWorkers }
func (p *process) running() bool                             { return false }
func (p *process) wait(context.Context) error                { return nil }
func (p *process) exitText() string                          { return "" }
func (p *process) stop(context.Context, time.Duration) error { return nil }

func scan(string) ([]state, error) { return nil, nil }
