// Package codecs finds the video encoders of this machine and opens them by name. It is the only place that knows every
// implementation.
package codecs

import (
	"fmt"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/openh264"
	"github.com/heliograph/heliograph/internal/encode/vpx"
)

// Set holds the encoders that could be loaded.
type Set struct {
	h264     *openh264.Library
	vp8      *vpx.Library
	problems map[encode.Codec]error
}

// Load looks for every library: the system's, or the files that getenv names (HELIOGRAPH_OPENH264, HELIOGRAPH_LIBVPX).
// It never fails; what is missing is not in Available, and Open says why.
func Load(getenv func(string) string) *Set {
	s := &Set{problems: map[encode.Codec]error{}}
	var err error
	if s.h264, err = openh264.Load(getenv("HELIOGRAPH_OPENH264")); err != nil {
		s.problems[encode.H264] = err
	}
	if s.vp8, err = vpx.Load(getenv("HELIOGRAPH_LIBVPX")); err != nil {
		s.problems[encode.VP8] = err
	}
	return s
}

// Available lists the loaded codecs, best first.
func (s *Set) Available() []encode.Codec {
	var out []encode.Codec
	for _, c := range []encode.Codec{encode.H264, encode.VP8} {
		if s.problems[c] == nil {
			out = append(out, c)
		}
	}
	return out
}

// Problems tells why each missing codec is missing.
func (s *Set) Problems() map[encode.Codec]error { return s.problems }

// Open starts an encoder for codec.
func (s *Set) Open(codec encode.Codec, c encode.Config) (encode.Encoder, error) {
	if err := s.problems[codec]; err != nil {
		return nil, err
	}
	switch codec {
	case encode.H264:
		return opened(s.h264.Open(c))
	case encode.VP8:
		return opened(s.vp8.Open(c))
	}
	return nil, fmt.Errorf("no encoder for codec %q", codec)
}

// opened keeps a failed Open's nil pointer from becoming an interface that is not nil.
func opened[E encode.Encoder](e E, err error) (encode.Encoder, error) {
	if err != nil {
		return nil, err
	}
	return e, nil
}
