package gltf

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/heliograph/heliograph/internal/arr"
)

// FuzzOpen feeds whole files. The seeds are in testdata/fuzz/FuzzOpen: small models of every construct the reader knows.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"asset":{"version":"2.0"}}`))
	root := fstest.MapFS{"a.bin": {Data: make([]byte, 256)}}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Open(context.Background(), Source{Root: root, Name: "model.gltf", Data: data}, Options{MemoryBudget: 32 << 20})
		if err != nil {
			if c := arr.CodeOf(err); c != arr.CodeUnprocessableEntity && c != arr.CodeBadRequest {
				t.Errorf("error %v is not meant for a user", err)
			}
			return
		}
		checkModel(t, m)
	})
}
