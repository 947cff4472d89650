package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/blob"
	"github.com/heliograph/heliograph/internal/config"
)

// TestStorageIsConfiguredInFull: each key of the configuration's storage has its place in that of package blob.
func TestStorageIsConfiguredInFull(t *testing.T) {
	const text = `
local: {roots: [/a, /b]}
azure: {accounts: [{name: c, endpoint: d, key: e, identity: true}, {name: f, endpoint: "", key: g, identity: false}], hostSuffixes: [h]}
s3: {buckets: [i], endpoint: j, region: k, pathStyle: true, accessKeyID: l, secretAccessKey: m, sessionToken: n}
gcs: {buckets: [o], endpoint: p, anonymous: true}
reserved: [{uri: q, accounts: [r, s]}]
`
	var from config.Storage
	if err := yaml.UnmarshalWithOptions([]byte(text), &from, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var want blob.Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &want, yaml.Strict()); err != nil { // strict: no key is the configuration's alone
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, blobConfig(from)); diff != "" {
		t.Error(diff)
	}
}

// TestStorageFlag: directories for containers are whole paths, and what a development service makes there can be looked at.
func TestStorageFlag(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(dir))
	for _, dev := range []bool{true, false} {
		c := serveCmd{Dev: dev, Storage: []string{filepath.Base(dir)}}
		set, err := c.settings(&app{getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(set.Storage.Local.Roots, []string{dir}) || slices.Contains(set.Worker.ModelRoots, dir) != dev {
			t.Errorf("dev %t: storage %v, models %v", dev, set.Storage.Local.Roots, set.Worker.ModelRoots)
		}
	}
}

func TestConversionMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newConversionMetrics(registry)
	m.Live(3, 2)
	m.Live(2, 1)
	m.Ended(arr.ConversionSucceeded, "", 10*time.Second)
	m.Ended(arr.ConversionFailed, arr.CodeConversionCancelled, 0) // before it ran: not counted as a quick one
	m.Moved(5, 0)
	m.Moved(0, 7)
	const want = `
# HELP heliograph_conversion_bytes_total Bytes fetched from and stored to containers.
# TYPE heliograph_conversion_bytes_total counter
heliograph_conversion_bytes_total{direction="fetched"} 5
heliograph_conversion_bytes_total{direction="stored"} 7
# HELP heliograph_conversions Conversions that wait and that run.
# TYPE heliograph_conversions gauge
heliograph_conversions{state="running"} 1
heliograph_conversions{state="waiting"} 2
# HELP heliograph_conversions_ended_total Ends of conversions; code says why status is Failed.
# TYPE heliograph_conversions_ended_total counter
heliograph_conversions_ended_total{code="",status="Succeeded"} 1
heliograph_conversions_ended_total{code="ConversionCancelled",status="Failed"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"heliograph_conversions", "heliograph_conversions_ended_total", "heliograph_conversion_bytes_total"); err != nil {
		t.Error(err)
	}
	var ran uint64
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "heliograph_conversion_seconds" {
			ran = f.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	if ran != 1 {
		t.Errorf("%d conversions were timed, want 1", ran)
	}
}
