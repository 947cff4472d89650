// A flat C surface over OpenH264's C interface (codec_api.h): its methods are reached through a table of function
// pointers, which Go cannot call. The library itself is opened at run time and passed in as two function pointers.
#ifndef HELIOGRAPH_OPENH264_SHIM_H
#define HELIOGRAPH_OPENH264_SHIM_H

#include <stdint.h>

typedef struct h264_encoder h264_encoder;

// h264_open returns 0 and sets *out, or the library's error code. Rates are bits per second.
int h264_open(void *create, void *destroy, int width, int height, int bits_per_second, float max_fps, int threads,
              h264_encoder **out);
// h264_encode returns the size of the access unit at *data (0: skipped), or a negative error code. *data stays valid
// until the next call. Planes are I420.
int h264_encode(h264_encoder *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_uv,
                int64_t timestamp_ms, int force_key, const uint8_t **data, int *key);
int h264_set_bitrate(h264_encoder *e, int bits_per_second);
void h264_close(h264_encoder *e);

#endif
