package obs

import (
	"bytes"
	"strings"
	"testing"
)

func TestNewLogger(t *testing.T) {
	for format, want := range map[string]string{
		"text": "level=WARN msg=hello k=v", "json": `"level":"WARN","msg":"hello","k":"v"`, "auto": `"msg":"hello"`,
	} {
		var b bytes.Buffer
		log, err := NewLogger(&b, "warn", format)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("not shown")
		log.Warn("hello", "k", "v")
		if !strings.Contains(b.String(), want) || strings.Contains(b.String(), "not shown") {
			t.Errorf("%s: %q", format, b.String())
		}
	}
	if _, err := NewLogger(nil, "loud", "text"); err == nil {
		t.Error("level loud accepted")
	}
	if _, err := NewLogger(nil, "info", "xml"); err == nil {
		t.Error("format xml accepted")
	}
}

func TestVersionIsNotEmpty(t *testing.T) {
	if Version() == "" {
		t.Error("empty")
	}
}
