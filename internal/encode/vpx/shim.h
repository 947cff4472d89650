// A flat C surface over libvpx's VP8 encoder. The library is opened at run time and passed in as function pointers.
#ifndef HELIOGRAPH_VPX_SHIM_H
#define HELIOGRAPH_VPX_SHIM_H

#include <stdint.h>

typedef struct vp8_encoder vp8_encoder;

// The functions of libvpx that are used, in the order of Go's symbol list.
enum { VPX_CX, VPX_CONFIG_DEFAULT, VPX_INIT, VPX_CONTROL, VPX_ENCODE, VPX_GET_DATA, VPX_CONFIG_SET, VPX_DESTROY, VPX_IMG_WRAP, VPX_FUNCTIONS };

// vp8_open returns 0 and sets *out, or a vpx_codec_err_t (or -1 without memory).
int vp8_open(void *const fn[VPX_FUNCTIONS], int width, int height, int bits_per_second, int threads, vp8_encoder **out);
// vp8_encode returns the size of the frame at *data (0: dropped), or a negative error code.
int vp8_encode(vp8_encoder *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_uv,
               int64_t timestamp_ms, int force_key, const uint8_t **data, int *key);
int vp8_set_bitrate(vp8_encoder *e, int bits_per_second);
void vp8_close(vp8_encoder *e);

#endif
