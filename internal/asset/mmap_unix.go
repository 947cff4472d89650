//go:build unix

package asset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// mapped is a local file in memory. Its pages are read by the system when they are touched.
type mapped struct{ data []byte }

func mapFile(f *os.File, size int64) (source, error) {
	if size == 0 || int64(int(size)) != size {
		return nil, fmt.Errorf("asset: %s has %d bytes", f.Name(), size)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("asset: map %s: %w", f.Name(), err)
	}
	return &mapped{data}, nil
}

func (m *mapped) Size() int64 { return int64(len(m.data)) }

// ReadAt implements io.ReaderAt. Where the file was cut short meanwhile, the fault of touching it becomes an error.
func (m *mapped) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off >= int64(len(m.data)) {
		return 0, io.EOF
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			n, err = 0, errors.New("asset: the file was cut short while it was in use")
		}
	}()
	if n = copy(p, m.data[off:]); n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *mapped) Close() error { return unix.Munmap(m.data) }
