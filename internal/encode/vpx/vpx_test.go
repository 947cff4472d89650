package vpx_test

import (
	"strings"
	"testing"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/encodetest"
	"github.com/heliograph/heliograph/internal/encode/vpx"
)

func opener(tb testing.TB) encodetest.Open {
	lib, err := vpx.Load("")
	if err != nil {
		tb.Fatal(err)
	}
	return func(c encode.Config) (encode.Encoder, error) { return lib.Open(c) }
}

func TestConformance(t *testing.T) { encodetest.Run(t, encode.VP8, opener(t)) }

func TestMissingLibraryNamesThePackage(t *testing.T) {
	_, err := vpx.Load("/nonexistent/codec.so")
	if err == nil || !strings.Contains(err.Error(), "apt install") {
		t.Fatalf("got %v, want an error that says what to install", err)
	}
}

func BenchmarkEncode720p(b *testing.B) { encodetest.Benchmark(b, opener(b)) }
