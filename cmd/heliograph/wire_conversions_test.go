package main

import (
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

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
