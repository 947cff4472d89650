package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/heliograph/heliograph/internal/converter"
	"github.com/heliograph/heliograph/internal/converter/child"
	"github.com/heliograph/heliograph/internal/obs"
)

type convertCmd struct {
	Job       string `required:"" type:"existingfile" placeholder:"FILE" help:"JSON file with the job (child.Job)."`
	LogLevel  string `default:"info" enum:"debug,info,warn,error" env:"HELIOGRAPH_LOG_LEVEL" help:"Least severe level that is logged."`
	LogFormat string `default:"text" enum:"auto,text,json" env:"HELIOGRAPH_LOG_FORMAT" help:"Shape of log lines on standard error."`
}

// errConversion ends the process with exitFailed after the result has been told.
var errConversion = errors.New("the conversion failed")

// Run converts one model; child.Run has started this process, and reads what it writes.
func (c *convertCmd) Run(e *env) error {
	job, err := child.ReadJob(c.Job)
	if err != nil {
		return usageError{err}
	}
	log, err := obs.NewLogger(e.stderr, c.LogLevel, c.LogFormat)
	if err != nil {
		return usageError{err}
	}
	missing, err := e.confine(job.Limits)
	if err != nil {
		return err
	}
	for _, m := range missing {
		log.Warn("the conversion is confined less than it should be", "reason", m)
	}
	ctx, stop := context.WithCancelCause(e.ctx)
	defer stop(nil)
	defer onCPULimit(func() { stop(errCPU) })()

	log.Info("conversion starts", "input", job.InputFile, "memory", job.Limits.Memory, "version", obs.Version())
	start := time.Now()
	report := child.NewReporter(e.stdout)
	result, err := converter.Run(ctx, job, report.Progress)
	if errors.Is(context.Cause(ctx), errCPU) {
		result, err = converter.Exceeded(job, fmt.Sprintf("%v of processor time", job.Limits.CPU)), nil
	}
	if err != nil {
		return err
	}
	for _, w := range result.Warnings {
		log.Warn("conversion", "code", w.Code, "warning", w.Text())
	}
	if err := report.Result(result); err != nil {
		return err
	}
	if !result.Succeeded {
		log.Error("conversion failed", "kind", result.Kind, "error", result.Error.Message)
		return errConversion
	}
	s := result.Summary
	log.Info("conversion ends", "seconds", time.Since(start).Seconds(), "triangles", s.Triangles, "points", s.Points, "bytes", s.AssetBytes)
	return nil
}

// errCPU is the cause of a context that the limit of processor time ended.
var errCPU = errors.New("the limit of processor time")

// onCPULimit calls f when the system says that the processor time is used up, some seconds before it ends the process.
func onCPULimit(f func()) (stop func()) {
	limit := make(chan os.Signal, 1)
	signal.Notify(limit, syscall.SIGXCPU)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-limit:
			f()
		case <-done:
		}
	}()
	return func() {
		signal.Stop(limit)
		close(done)
		<-ended
	}
}
