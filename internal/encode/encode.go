// Package encode turns pictures into video access units. Each codec library is loaded at run time behind a thin shim
// (encode/openh264, encode/vpx); a missing library is an error of Open, never of the program's start.
package encode

// Codec names a bit stream format by its RTP encoding name.
type Codec string

// The codecs Heliograph can make. H.264 is constrained baseline.
const (
	H264 Codec = "H264"
	VP8  Codec = "VP8"
)

// Config opens an encoder.
type Config struct {
	Width, Height int // even
	BitsPerSecond int
	MaxFPS        int // upper bound used for rate control only
	Threads       int // 0 = number of cores, at most 4
}

// Frame is one I420 picture, BT.709 limited range. The encoder does not keep it after Encode returned.
type Frame struct {
	Y, U, V           []byte
	StrideY, StrideUV int
	TimestampMS       int64 // monotonic
}

// AccessUnit is one encoded picture: Annex B for H.264 (SPS and PPS before every IDR), one frame for VP8.
// Data is nil when rate control skipped the frame, and valid until the next call.
type AccessUnit struct {
	Data []byte
	Key  bool
}

// Encoder is used by one goroutine. It adds no delay: a picture goes in, its access unit comes out.
type Encoder interface {
	Codec() Codec
	Encode(f Frame, forceKey bool) (AccessUnit, error)
	SetBitrate(bitsPerSecond int) error
	Close() error
}
