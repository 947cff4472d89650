package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/heliograph/heliograph/internal/arr"
)

const (
	configName = "worker.json"
	logName    = "worker.log"

	maxTail = 1 << 20 // most bytes that LogTail returns
)

// A log that has grown beyond maxLog is cut down to its last keptLog bytes.
const (
	maxLog  = 32 << 20
	keptLog = 1 << 20
)

func configFile(dir string) string { return filepath.Join(dir, configName) }
func logFile(dir string) string    { return filepath.Join(dir, logName) }

// sessionDir is the directory of a session. Account and id hold nothing but [A-Za-z0-9_-] (contract section 3), but an
// id may be longer than a file name: then it is cut, and told apart by a hash. "~" is in no id.
func (b *Backend) sessionDir(key arr.SessionKey) string {
	name := string(key.ID)
	if len(name) > 200 {
		sum := sha256.Sum256([]byte(name))
		name = name[:160] + "~" + hex.EncodeToString(sum[:16])
	}
	return filepath.Join(b.c.Dir, string(key.Account), name)
}

// LogTail returns the last n lines of the session's log, at most 1 MiB, also after its end; arr.CodeNotFound when the
// session never had a worker here.
func (b *Backend) LogTail(_ context.Context, key arr.SessionKey, n int) ([]byte, error) {
	tail, err := readTail(logFile(b.sessionDir(key)), maxTail)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, arr.Errorf(arr.CodeNotFound, "There is no log of this session.")
	}
	if err != nil {
		return nil, fmt.Errorf("read worker log: %w", err)
	}
	start := len(bytes.TrimSuffix(tail, []byte("\n")))
	for range n {
		if start = bytes.LastIndexByte(tail[:start], '\n'); start < 0 {
			return tail, nil
		}
	}
	if n <= 0 {
		return nil, nil
	}
	return tail[start+1:], nil
}

// readTail returns the last max bytes of a file, from the start of a line.
func readTail(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := info.Size() - max
	if from <= 0 {
		return io.ReadAll(io.LimitReader(f, max))
	}
	tail, err := io.ReadAll(io.NewSectionReader(f, from, max))
	if i := bytes.IndexByte(tail, '\n'); i >= 0 {
		tail = tail[i+1:]
	}
	return tail, err
}

// capLog keeps a talkative worker from filling the disk. The worker appends (O_APPEND), so it goes on at the new end; what
// it writes during the cut is lost.
func capLog(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() <= maxLog {
		return nil
	}
	if err != nil {
		return err
	}
	tail, err := readTail(path, keptLog)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(tail)
	return errors.Join(err, f.Close())
}

// Remove implements session.Remover: the directory of an ended session, with its log.
func (b *Backend) Remove(_ context.Context, key arr.SessionKey) error {
	return os.RemoveAll(b.sessionDir(key))
}
