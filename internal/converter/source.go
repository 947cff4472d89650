package converter

import (
	"io/fs"
	"sync"
)

// source is the model's folder, with a note of what was read of it. It is safe for concurrent use.
type source struct {
	fs.FS

	mu    sync.Mutex
	sizes map[string]int64 // of files that were opened
}

// Open implements fs.FS.
func (s *source) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sizes == nil {
			s.sizes = map[string]int64{}
		}
		s.sizes[name] = info.Size()
	}
	return f, nil
}

// Stat implements fs.StatFS, so that looking for a file does not open it.
func (s *source) Stat(name string) (fs.FileInfo, error) { return fs.Stat(s.FS, name) }

// bytes is the size of all files that were opened.
func (s *source) bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int64
	for _, size := range s.sizes {
		n += size
	}
	return n
}
