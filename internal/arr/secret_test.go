package arr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsHideThemselves(t *testing.T) {
	const text = "c2VjcmV0"
	s := Secret(text)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", s)
	marshalled, err := json.Marshal(map[string]any{"key": s})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %s %q %+v %#v", s, s, s, struct{ K Secret }{s}, s) + log.String() + string(marshalled)
	if strings.Contains(shown, text) || strings.Count(shown, "[redacted]") != 7 {
		t.Errorf("shown: %s", shown)
	}
	var back Secret
	if err := json.Unmarshal([]byte(`"`+text+`"`), &back); err != nil || back.Reveal() != text {
		t.Errorf("read %q, %v", back.Reveal(), err)
	}
	if empty := Secret(""); empty.String() != "" {
		t.Errorf("an empty secret is %q", empty)
	}
}
