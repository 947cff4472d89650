package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
)

// recorder makes parts that note when they end.
type recorder struct {
	mu    sync.Mutex
	ended []string
}

func (r *recorder) part(name string, err error) part {
	return part{name, func(ctx context.Context) error {
		if err == nil {
			<-ctx.Done()
			err = ctx.Err()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ended = append(r.ended, name)
		return err
	}}
}

func TestPartsEndLastFirst(t *testing.T) {
	var r recorder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := supervise(ctx, []part{r.part("store", nil), r.part("reconciler", nil), r.part("api", nil)}); err != nil {
		t.Error(err)
	}
	if want := []string{"api", "reconciler", "store"}; !slices.Equal(r.ended, want) {
		t.Errorf("ended %v, want %v", r.ended, want)
	}
}

func TestOneFailureEndsAll(t *testing.T) {
	var r recorder
	broken := errors.New("disk full")
	err := supervise(t.Context(), []part{r.part("store", nil), r.part("reconciler", broken), r.part("api", nil)})
	if !errors.Is(err, broken) || err.Error() != "reconciler: disk full" {
		t.Errorf("got %v", err)
	}
	if want := []string{"reconciler", "api", "store"}; !slices.Equal(r.ended, want) {
		t.Errorf("ended %v, want %v", r.ended, want)
	}
}

func TestEndingWithoutReasonIsAnError(t *testing.T) {
	var r recorder
	err := supervise(t.Context(), []part{r.part("store", nil), {"api", func(context.Context) error { return nil }}})
	if err == nil || err.Error() != "api ended unexpectedly" {
		t.Errorf("got %v", err)
	}
}

func TestHTTPPartDrains(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	p := httpPart("api", ln, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop() // the service ends while this request runs
		if r.Context().Err() != nil {
			t.Error("the request's context ended with the service's")
		}
		_, _ = io.WriteString(w, "whole")
	}), slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- p.run(ctx) }()
	resp, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != "whole" {
		t.Errorf("got %q, %v", text, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestHTTPPartReportsABrokenListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := httpPart("api", ln, nil, http.NotFoundHandler(), slog.New(slog.DiscardHandler)).run(t.Context()); err == nil {
		t.Error("no error")
	}
}
