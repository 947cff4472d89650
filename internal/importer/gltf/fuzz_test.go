package gltf

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/heliograph/heliograph/internal/arr"
	"github.com/heliograph/heliograph/internal/importer"
	"github.com/heliograph/heliograph/internal/importer/importertest"
)

var fuzzFiles = fstest.MapFS{"a.bin": {Data: make([]byte, 256)}}

// fuzzOne imports a file: it ends in a sound model or in an error meant for a user.
func fuzzOne(t *testing.T, data []byte) {
	m, err := Open(context.Background(), importer.Source{Root: fuzzFiles, Name: "model.gltf", Data: data}, importer.Options{MemoryBudget: 32 << 20})
	if err != nil {
		if c := arr.CodeOf(err); c != arr.CodeUnprocessableEntity && c != arr.CodeBadRequest {
			t.Errorf("error %v is not meant for a user", err)
		}
		return
	}
	importertest.CheckModel(t, m)
}

// FuzzOpen feeds whole files. The seeds are in testdata/fuzz/FuzzOpen: small models of every construct the reader knows.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"asset":{"version":"2.0"}}`))
	f.Fuzz(fuzzOne)
}

// FuzzNumbers changes two numbers in a valid model, which random bytes seldom manage.
func FuzzNumbers(f *testing.F) {
	docs := []string{fuzzSeed(f, "everything"), fuzzSeed(f, "sparse"), fuzzSeed(f, "modes"), fuzzSeed(f, "external")}
	f.Add(uint8(0), uint16(3), int64(-1), uint16(9), int64(1)<<53)
	f.Add(uint8(1), uint16(20), int64(1)<<32-1, uint16(21), int64(36))
	f.Fuzz(func(t *testing.T, doc uint8, i uint16, x int64, j uint16, y int64) {
		var v any
		if err := json.Unmarshal([]byte(docs[int(doc)%len(docs)]), &v); err != nil {
			t.Fatal(err)
		}
		var places []func(int64)
		numbers(v, &places)
		places[int(i)%len(places)](x)
		places[int(j)%len(places)](y)
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fuzzOne(t, data)
	})
}

// fuzzSeed reads one seed of FuzzOpen.
func fuzzSeed(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile("testdata/fuzz/FuzzOpen/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	line := strings.TrimSpace(strings.SplitN(string(b), "\n", 2)[1])
	s, err := strconv.Unquote(strings.TrimSuffix(strings.TrimPrefix(line, "[]byte("), ")"))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// numbers collects a setter for every number in v.
func numbers(v any, places *[]func(int64)) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if _, ok := v[key].(float64); ok {
				*places = append(*places, func(n int64) { v[key] = n })
			}
			numbers(v[key], places)
		}
	case []any:
		for i := range v {
			if _, ok := v[i].(float64); ok {
				*places = append(*places, func(n int64) { v[i] = n })
			}
			numbers(v[i], places)
		}
	}
}
