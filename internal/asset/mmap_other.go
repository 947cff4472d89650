//go:build !unix

package asset

import "os"

// opened is a local file that is read piece by piece.
type opened struct {
	*os.File
	size int64
}

func mapFile(f *os.File, size int64) (source, error) {
	again, err := os.Open(f.Name()) // the caller closes f
	return opened{again, size}, err
}

func (o opened) Size() int64 { return o.size }
