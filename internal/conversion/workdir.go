package conversion

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/heliograph/heliograph/internal/arr"
)

// workDir is where conversions have their files: a directory for each, named so that a conversion that was deleted and
// made again under the same key has another one.
type workDir struct{ path string }

const (
	inputDir  = "input"
	outputDir = "output"
	logName   = "log.txt"
)

func openWorkDir(path string) (workDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return workDir{}, fmt.Errorf("make directory of conversions: %w", err)
	}
	return workDir{path}, nil
}

// keyName is a hash, since an id may be longer than a file name.
func keyName(key arr.ConversionKey) string {
	sum := sha256.Sum256([]byte(key.String()))
	return hex.EncodeToString(sum[:16])
}

func dirName(rec *Record) string {
	return keyName(rec.Key) + "-" + strconv.FormatInt(rec.CreatedAt.UnixNano(), 36)
}

func (w workDir) of(rec *Record) string { return filepath.Join(w.path, dirName(rec)) }

// begin makes empty directories for an attempt. Files of an earlier one are removed, except for the log.
func (w workDir) begin(rec *Record) (dir string, err error) {
	all, err := filepath.Glob(filepath.Join(w.path, keyName(rec.Key)+"-*"))
	if err != nil {
		return "", err
	}
	dir = w.of(rec)
	for _, other := range all {
		if other != dir {
			err = errors.Join(err, os.RemoveAll(other)) // of a deleted conversion of the same name
		}
	}
	if err = errors.Join(err, w.end(rec)); err != nil {
		return "", err
	}
	for _, sub := range []string{inputDir, outputDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// end removes all but the log.
func (w workDir) end(rec *Record) error {
	dir := w.of(rec)
	return errors.Join(os.RemoveAll(filepath.Join(dir, inputDir)), os.RemoveAll(filepath.Join(dir, outputDir)))
}

// forget removes everything of the conversions of that key.
func (w workDir) forget(key arr.ConversionKey) error {
	all, err := filepath.Glob(filepath.Join(w.path, keyName(key)+"-*"))
	for _, dir := range all {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

// clean removes the directories whose names are not known, and says how many.
func (w workDir) clean(known map[string]bool) (removed int, err error) {
	entries, err := os.ReadDir(w.path)
	for _, e := range entries {
		if !known[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(w.path, e.Name())))
			removed++
		}
	}
	return removed, err
}

const (
	maxLog  = 8 << 20   // bytes of a log; of what is more, the last keptLog bytes are kept
	keptLog = 256 << 10 //
	maxTail = 1 << 20   // bytes that logTail returns at most
)

// logTail returns the last n lines of the log.
func (w workDir) logTail(rec *Record, n int) ([]byte, error) {
	f, err := os.Open(filepath.Join(w.of(rec), logName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log of conversion: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("read log of conversion: %w", err)
	}
	from := max(0, size-maxTail)
	text := make([]byte, size-from)
	if _, err := f.ReadAt(text, from); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read log of conversion: %w", err)
	}
	if from > 0 {
		text = text[bytes.IndexByte(text, '\n')+1:] // no half a line
	}
	return lastLines(text, n), nil
}

// lastLines is the end of text, from the beginning of its n-th last line on.
func lastLines(text []byte, n int) []byte {
	if n <= 0 {
		return nil
	}
	start := len(bytes.TrimSuffix(text, []byte("\n")))
	for range n {
		if start = bytes.LastIndexByte(text[:start], '\n'); start < 0 {
			return text
		}
	}
	return text[start+1:]
}

// logFile is the log of a conversion over all its attempts. What a process says without end does not fill the disk: the
// middle of it is left out. No signature gets into it.
type logFile struct {
	mu      sync.Mutex
	f       *os.File
	room    int64 // bytes that may still be written
	kept    []byte
	left    int64 // bytes left out before kept
	secrets *strings.Replacer
}

func openLog(dir string, secrets Credentials) (*logFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &logFile{f: f, room: max(0, maxLog-info.Size()), secrets: redactor(secrets)}, nil
}

// Write implements io.Writer. The log is not what a conversion fails for: an error is not reported.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.secrets.Replace(string(p))
	if int64(len(text)) <= l.room {
		l.room -= int64(len(text))
		_, _ = l.f.WriteString(text)
		return len(p), nil
	}
	l.room = 0
	l.kept = append(l.kept, text...)
	if over := len(l.kept) - 2*keptLog; over > 0 {
		cut := len(l.kept) - keptLog
		l.left += int64(cut)
		l.kept = append([]byte(nil), l.kept[cut:]...)
	}
	return len(p), nil
}

// Close writes what was kept of the end.
func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left > 0 {
		fmt.Fprintf(l.f, "\n[%d bytes left out]\n", l.left)
	}
	_, err := l.f.Write(l.kept)
	return errors.Join(err, l.f.Close())
}

// redactor takes signatures out of a text, whole and in their parts that give access: errors of storage name URLs.
func redactor(c Credentials) *strings.Replacer {
	const hidden = "[redacted]"
	var pairs []string
	for _, sas := range []SAS{c.Input, c.Output} {
		if sas == "" {
			continue
		}
		pairs = append(pairs, string(sas), hidden)
		for part := range strings.SplitSeq(string(sas), "&") {
			if value, ok := strings.CutPrefix(part, "sig="); ok && value != "" {
				pairs = append(pairs, value, hidden)
			}
		}
	}
	return strings.NewReplacer(pairs...)
}
