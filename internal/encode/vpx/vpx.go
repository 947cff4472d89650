// Package vpx encodes VP8 by libvpx (BSD-3, royalty free), loaded at run time: the complete fallback for viewers, or
// machines, without H.264. Building needs the headers of libvpx-dev.
package vpx

/*
#cgo CFLAGS: -O2 -Wall
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/internal/dl"
)

// Library is the loaded libvpx.
type Library struct {
	fn   [C.VPX_FUNCTIONS]unsafe.Pointer
	Name string // as it was found
}

// sonames are the library's names whose encoder interface version the headers can match, newest first. A mismatch is
// noticed by vpx_codec_enc_init_ver.
var sonames = [...]string{"libvpx.so.9", "libvpx.so.8", "libvpx.so.7", "libvpx.so"}

// Load opens the library at path, or the system's when path is "". The error says what to install.
func Load(path string) (*Library, error) {
	names := sonames[:]
	if path != "" {
		names = []string{path}
	}
	lib, err := dl.Open("libvpx7", names...)
	if err != nil {
		return nil, err
	}
	fn, err := lib.Symbols("vpx_codec_vp8_cx", "vpx_codec_enc_config_default", "vpx_codec_enc_init_ver", "vpx_codec_control_",
		"vpx_codec_encode", "vpx_codec_get_cx_data", "vpx_codec_enc_config_set", "vpx_codec_destroy", "vpx_img_wrap")
	if err != nil {
		return nil, err
	}
	l := &Library{Name: lib.Name}
	copy(l.fn[:], fn)
	return l, nil
}

// Encoder is one open VP8 stream.
type Encoder struct {
	p      *C.vp8_encoder
	config encode.Config
}

var _ encode.Encoder = (*Encoder)(nil)

// Open starts an encoder: zero delay, constant bit rate, real-time speed, key frames on demand.
func (l *Library) Open(c encode.Config) (*Encoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var p *C.vp8_encoder
	rc := C.vp8_open(&l.fn[0], C.int(c.Width), C.int(c.Height), C.int(c.BitsPerSecond), C.int(c.ThreadCount()), &p)
	if rc != 0 {
		return nil, fmt.Errorf("open VP8 encoder for %dx%d: libvpx error %d", c.Width, c.Height, int(rc))
	}
	return &Encoder{p, c}, nil
}

// Codec is encode.VP8.
func (e *Encoder) Codec() encode.Codec { return encode.VP8 }

// Encode implements encode.Encoder.
func (e *Encoder) Encode(f encode.Frame, forceKey bool) (encode.AccessUnit, error) {
	if e.p == nil {
		return encode.AccessUnit{}, errors.New("encode: encoder is closed")
	}
	if err := f.Validate(e.config); err != nil {
		return encode.AccessUnit{}, err
	}
	var data *C.uint8_t
	var key, force C.int
	if forceKey {
		force = 1
	}
	n := C.vp8_encode(e.p, plane(f.Y), plane(f.U), plane(f.V), C.int(f.StrideY), C.int(f.StrideUV), C.int64_t(f.TimestampMS),
		force, &data, &key)
	if n < 0 {
		return encode.AccessUnit{}, fmt.Errorf("encode VP8 frame: libvpx error %d", -int(n))
	}
	if n == 0 {
		return encode.AccessUnit{}, nil
	}
	return encode.AccessUnit{Data: unsafe.Slice((*byte)(unsafe.Pointer(data)), int(n)), Key: key != 0}, nil
}

// SetBitrate implements encode.Encoder; it takes effect with the next frame.
func (e *Encoder) SetBitrate(bitsPerSecond int) error {
	if e.p == nil {
		return errors.New("set bit rate: encoder is closed")
	}
	if rc := C.vp8_set_bitrate(e.p, C.int(bitsPerSecond)); rc != 0 {
		return fmt.Errorf("set bit rate %d: libvpx error %d", bitsPerSecond, int(rc))
	}
	return nil
}

// Close frees the encoder; closing twice is allowed.
func (e *Encoder) Close() error {
	if e.p != nil {
		C.vp8_close(e.p)
		e.p = nil
	}
	return nil
}

func plane(p []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(p))) }
