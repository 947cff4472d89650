// Package openh264 encodes H.264 constrained baseline by Cisco's OpenH264 (BSD-2), which is loaded at run time: its
// patent terms cover the vendor's own binary, so the library is the system's and never part of ours. Building needs
// the headers of libopenh264-dev.
package openh264

/*
#cgo CFLAGS: -O2 -Wall
#include "shim.h"
*/
import "C"

import (
	"cmp"
	"errors"
	"fmt"
	"unsafe"

	"github.com/heliograph/heliograph/internal/encode"
	"github.com/heliograph/heliograph/internal/encode/internal/dl"
)

// Library is the loaded OpenH264.
type Library struct {
	create, destroy unsafe.Pointer
	Name            string // as it was found
}

// sonames are the library's names with the binary interface of the headers we build with, newest first.
var sonames = [...]string{"libopenh264.so.7", "libopenh264.so.2.3.1", "libopenh264.so"}

// Load opens the library at path, or the system's when path is "". The error says what to install.
func Load(path string) (*Library, error) {
	names := sonames[:]
	if path != "" {
		names = []string{path}
	}
	lib, err := dl.Open("libopenh264-7", names...)
	if err != nil {
		return nil, err
	}
	fn, err := lib.Symbols("WelsCreateSVCEncoder", "WelsDestroySVCEncoder")
	if err != nil {
		return nil, err
	}
	return &Library{create: fn[0], destroy: fn[1], Name: lib.Name}, nil
}

// Encoder is one open H.264 stream.
type Encoder struct {
	p      *C.h264_encoder
	config encode.Config
}

var _ encode.Encoder = (*Encoder)(nil)

// Open starts an encoder: zero delay, constant bit rate, low complexity, one slice a thread, key frames on demand.
func (l *Library) Open(c encode.Config) (*Encoder, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var p *C.h264_encoder
	fps := C.float(cmp.Or(c.MaxFPS, 60))
	rc := C.h264_open(l.create, l.destroy, C.int(c.Width), C.int(c.Height), C.int(c.BitsPerSecond), fps, C.int(c.ThreadCount()), &p)
	if rc != 0 {
		return nil, fmt.Errorf("open H.264 encoder for %dx%d: OpenH264 error %d", c.Width, c.Height, int(rc))
	}
	return &Encoder{p, c}, nil
}

// Codec is encode.H264.
func (e *Encoder) Codec() encode.Codec { return encode.H264 }

// Encode implements encode.Encoder.
func (e *Encoder) Encode(f encode.Frame, forceKey bool) (encode.AccessUnit, error) {
	if e.p == nil {
		return encode.AccessUnit{}, errors.New("encode: encoder is closed")
	}
	if err := f.Validate(e.config); err != nil {
		return encode.AccessUnit{}, err
	}
	var data *C.uint8_t
	var key C.int
	n := C.h264_encode(e.p, plane(f.Y), plane(f.U), plane(f.V), C.int(f.StrideY), C.int(f.StrideUV), C.int64_t(f.TimestampMS),
		flag(forceKey), &data, &key)
	if n < 0 {
		return encode.AccessUnit{}, fmt.Errorf("encode H.264 frame: OpenH264 error %d", int(n))
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
	if rc := C.h264_set_bitrate(e.p, C.int(bitsPerSecond)); rc != 0 {
		return fmt.Errorf("set bit rate %d: OpenH264 error %d", bitsPerSecond, int(rc))
	}
	return nil
}

// Close frees the encoder; closing twice is allowed.
func (e *Encoder) Close() error {
	if e.p != nil {
		C.h264_close(e.p)
		e.p = nil
	}
	return nil
}

func plane(p []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(p))) }

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}
