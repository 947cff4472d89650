// Package encodetest is the conformance suite of encode.Encoder, with decoders to check what the encoders made. Only
// tests import it; it links the codec libraries at build time.
package encodetest

/*
#cgo LDFLAGS: -lopenh264 -lvpx
#cgo CFLAGS: -O2 -Wall
#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vp8dx.h>

static ISVCDecoder *h264_new(void)
{
	ISVCDecoder *d = NULL;
	if (WelsCreateDecoder(&d) != 0)
		return NULL;
	int level = WELS_LOG_QUIET;
	(*d)->SetOption(d, DECODER_OPTION_TRACE_LEVEL, &level);
	SDecodingParam p;
	memset(&p, 0, sizeof p);
	p.sVideoProperty.eVideoBsType = VIDEO_BITSTREAM_AVC;
	p.eEcActiveIdc = ERROR_CON_DISABLE;
	if ((*d)->Initialize(d, &p) != 0)
		return NULL;
	return d;
}

// Sets planes, strides and size; returns 1 with a picture, 0 without, negative on errors.
static int h264_decode(ISVCDecoder *d, const unsigned char *data, int n, unsigned char *planes[3], int strides[2], int size[2])
{
	SBufferInfo info;
	memset(&info, 0, sizeof info);
	if ((*d)->DecodeFrameNoDelay(d, data, n, planes, &info) != 0)
		return -1;
	if (info.iBufferStatus != 1)
		return 0;
	strides[0] = info.UsrData.sSystemBuffer.iStride[0];
	strides[1] = info.UsrData.sSystemBuffer.iStride[1];
	size[0] = info.UsrData.sSystemBuffer.iWidth;
	size[1] = info.UsrData.sSystemBuffer.iHeight;
	return 1;
}

static void h264_free(ISVCDecoder *d)
{
	(*d)->Uninitialize(d);
	WelsDestroyDecoder(d);
}

static vpx_codec_ctx_t *vp8_new(void)
{
	vpx_codec_ctx_t *c = calloc(1, sizeof *c);
	if (c && vpx_codec_dec_init(c, vpx_codec_vp8_dx(), NULL, 0) != 0) {
		free(c);
		return NULL;
	}
	return c;
}

static int vp8_decode(vpx_codec_ctx_t *c, const unsigned char *data, int n, unsigned char *planes[3], int strides[2], int size[2])
{
	if (vpx_codec_decode(c, data, (unsigned)n, NULL, 0) != 0)
		return -1;
	vpx_codec_iter_t it = NULL;
	vpx_image_t *img = vpx_codec_get_frame(c, &it);
	if (!img)
		return 0;
	for (int i = 0; i < 3; i++)
		planes[i] = img->planes[i];
	strides[0] = img->stride[0];
	strides[1] = img->stride[1];
	size[0] = (int)img->d_w;
	size[1] = (int)img->d_h;
	return 1;
}

static void vp8_free(vpx_codec_ctx_t *c)
{
	vpx_codec_destroy(c);
	free(c);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/heliograph/heliograph/internal/encode"
)

// Picture is a decoded picture, I420 without padding.
type Picture struct {
	Width, Height int
	Y, U, V       []byte
}

// Decoder decodes one stream of either codec.
type Decoder struct {
	h264 *C.ISVCDecoder
	vp8  *C.vpx_codec_ctx_t
}

// NewDecoder opens a decoder for codec.
func NewDecoder(codec encode.Codec) (*Decoder, error) {
	d := &Decoder{}
	switch codec {
	case encode.H264:
		d.h264 = C.h264_new()
	case encode.VP8:
		d.vp8 = C.vp8_new()
	}
	if d.h264 == nil && d.vp8 == nil {
		return nil, fmt.Errorf("no decoder for %q", codec)
	}
	return d, nil
}

// Decode takes one access unit and returns its picture.
func (d *Decoder) Decode(au []byte) (*Picture, error) {
	if len(au) == 0 {
		return nil, errors.New("decode: empty access unit")
	}
	var planes [3]*C.uchar
	var strides, size [2]C.int
	data := (*C.uchar)(unsafe.Pointer(&au[0]))
	var rc C.int
	if d.h264 != nil {
		rc = C.h264_decode(d.h264, data, C.int(len(au)), &planes[0], &strides[0], &size[0])
	} else {
		rc = C.vp8_decode(d.vp8, data, C.int(len(au)), &planes[0], &strides[0], &size[0])
	}
	if rc != 1 {
		return nil, fmt.Errorf("decode: no picture (%d)", int(rc))
	}
	w, h := int(size[0]), int(size[1])
	return &Picture{
		Width: w, Height: h,
		Y: dense(planes[0], int(strides[0]), w, h),
		U: dense(planes[1], int(strides[1]), w/2, h/2),
		V: dense(planes[2], int(strides[1]), w/2, h/2),
	}, nil
}

// Close frees the decoder.
func (d *Decoder) Close() {
	if d.h264 != nil {
		C.h264_free(d.h264)
	}
	if d.vp8 != nil {
		C.vp8_free(d.vp8)
	}
	d.h264, d.vp8 = nil, nil
}

func dense(p *C.uchar, stride, w, h int) []byte {
	src := unsafe.Slice((*byte)(unsafe.Pointer(p)), stride*(h-1)+w)
	out := make([]byte, 0, w*h)
	for y := range h {
		out = append(out, src[y*stride:y*stride+w]...)
	}
	return out
}
