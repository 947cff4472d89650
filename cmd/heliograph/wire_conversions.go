package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/blob"
	"github.com/heliograph/heliograph/internal/config"
	"github.com/heliograph/heliograph/internal/conversion"
	"github.com/heliograph/heliograph/internal/converter/child"
)

// conversionCore makes what answers and what drives conversions.
func conversionCore(set settings, store conversion.Store, metrics conversion.Metrics, log *slog.Logger) (
	*conversion.Manager, *conversion.Queue, error) {
	opener, err := blob.New(blobConfig(set.Storage))
	if err != nil {
		return nil, nil, err
	}
	sealer, err := conversion.OpenSealer(filepath.Join(set.DataDir, sealKeyFile))
	if err != nil {
		return nil, nil, err
	}
	c := set.Conversion
	queue, err := conversion.NewQueue(conversion.QueueConfig{
		Store: store, Storage: storage{opener}, Sealer: sealer, Metrics: metrics, Log: log,
		Converter: conversion.Process{
			Binary: set.Worker.Binary, Threads: c.Threads, Log: log,
			Limits: child.Limits{Memory: c.MemoryLimitMiB << 20, CPU: c.CPUTimeLimit, FileSize: c.MaxOutputMiB << 20},
		},
		Dir: filepath.Join(set.DataDir, conversionsDir), MaxRunning: c.MaxRunning, MaxInputBytes: c.MaxInputMiB << 20,
		TimeLimit: c.TimeLimit, Retention: set.Retention,
	})
	if err != nil {
		return nil, nil, err
	}
	manager := conversion.NewManager(conversion.ManagerConfig{
		Store: store, Storage: storage{opener}, Sealer: sealer, Notify: queue.Notify,
	})
	return manager, queue, nil
}

// storage is the Opener as conversions see it.
type storage struct{ *blob.Opener }

// Open implements conversion.Storage.
func (s storage) Open(ctx context.Context, account arr.AccountID, uri, sas string) (conversion.Container, error) {
	c, err := s.Opener.Open(ctx, account, uri, sas)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// blobConfig says the same in the words of package blob.
func blobConfig(s config.Storage) blob.Config {
	c := blob.Config{
		Local: blob.Local(s.Local), Azure: blob.Azure{HostSuffixes: s.Azure.HostSuffixes}, S3: blob.S3(s.S3), GCS: blob.GCS(s.GCS),
	}
	for _, a := range s.Azure.Accounts {
		c.Azure.Accounts = append(c.Azure.Accounts, blob.AzureAccount(a))
	}
	for _, r := range s.Reserved {
		c.Reserved = append(c.Reserved, blob.Reservation(r))
	}
	return c
}
