// Package obs sets up what makes the programs observable: the log and the build's version. It keeps no global state
// and installs no default logger.
package obs

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
)

// NewLogger logs to w at level (debug, info, warn, error) as text, as JSON, or (format "auto") as text on a terminal
// and as JSON elsewhere.
func NewLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	o := &slog.HandlerOptions{Level: l}
	switch {
	case format == "text", format == "auto" && Terminal(w):
		return slog.New(slog.NewTextHandler(w, o)), nil
	case format == "json", format == "auto":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, fmt.Errorf("log format: %q is none of auto, text, json", format)
}

// Terminal reports whether w is a character device, i.e. whether a person probably reads it.
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Version is the module version for released builds, else "devel" with the commit that the build came from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	version, modified := "devel", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			version += "-" + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-modified"
		}
	}
	return version + modified
}
