package encode

import (
	"fmt"
	"runtime"
)

// Limits of every encoder here.
const (
	minSize, maxSize = 16, 8192
	maxThreads       = 4
)

// Validate checks sizes and rates; the error names the field.
func (c Config) Validate() error {
	switch {
	case c.Width < minSize || c.Width > maxSize || c.Height < minSize || c.Height > maxSize:
		return fmt.Errorf("encoder size %dx%d is outside %d..%d", c.Width, c.Height, minSize, maxSize)
	case c.Width%2 != 0 || c.Height%2 != 0:
		return fmt.Errorf("encoder size %dx%d is not even", c.Width, c.Height)
	case c.BitsPerSecond <= 0:
		return fmt.Errorf("encoder bit rate %d is not positive", c.BitsPerSecond)
	case c.MaxFPS < 0 || c.Threads < 0:
		return fmt.Errorf("encoder frame rate %d and threads %d must not be negative", c.MaxFPS, c.Threads)
	}
	return nil
}

// ThreadCount resolves Threads: 0 means one a core, and never more than four, where slices begin to cost quality.
func (c Config) ThreadCount() int {
	n := c.Threads
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return min(n, maxThreads)
}

// Validate checks that the planes hold a picture of c's size.
func (f Frame) Validate(c Config) error {
	if f.StrideY < c.Width || f.StrideUV < c.Width/2 {
		return fmt.Errorf("strides %d and %d are too small for width %d", f.StrideY, f.StrideUV, c.Width)
	}
	luma, chroma := f.StrideY*(c.Height-1)+c.Width, f.StrideUV*(c.Height/2-1)+c.Width/2
	if len(f.Y) < luma || len(f.U) < chroma || len(f.V) < chroma {
		return fmt.Errorf("planes of %d, %d and %d bytes are too small for %dx%d", len(f.Y), len(f.U), len(f.V), c.Width, c.Height)
	}
	return nil
}
