#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <vpx/vp8cx.h>
#include <vpx/vpx_encoder.h>

typedef vpx_codec_iface_t *(*cx_fn)(void);
typedef vpx_codec_err_t (*config_default_fn)(vpx_codec_iface_t *, vpx_codec_enc_cfg_t *, unsigned int);
typedef vpx_codec_err_t (*init_fn)(vpx_codec_ctx_t *, vpx_codec_iface_t *, const vpx_codec_enc_cfg_t *, vpx_codec_flags_t, int);
typedef vpx_codec_err_t (*control_fn)(vpx_codec_ctx_t *, int, ...);
typedef vpx_codec_err_t (*encode_fn)(vpx_codec_ctx_t *, const vpx_image_t *, vpx_codec_pts_t, unsigned long, vpx_enc_frame_flags_t,
                                     unsigned long);
typedef const vpx_codec_cx_pkt_t *(*get_data_fn)(vpx_codec_ctx_t *, vpx_codec_iter_t *);
typedef vpx_codec_err_t (*config_set_fn)(vpx_codec_ctx_t *, const vpx_codec_enc_cfg_t *);
typedef vpx_codec_err_t (*destroy_ctx_fn)(vpx_codec_ctx_t *);
typedef vpx_image_t *(*img_wrap_fn)(vpx_image_t *, vpx_img_fmt_t, unsigned int, unsigned int, unsigned int, unsigned char *);

// Real-time speed 8 takes a third more CPU than 12 and makes 40 % smaller frames of equal quality.
enum { CPU_USED = -8, MAX_INTRA_PERCENT = 450 };

struct vp8_encoder {
	void *fn[VPX_FUNCTIONS];
	vpx_codec_ctx_t ctx;
	vpx_codec_enc_cfg_t cfg;
	int64_t last_ms;
	int started;
};

int vp8_open(void *const fn[VPX_FUNCTIONS], int width, int height, int bits_per_second, int threads, vp8_encoder **out)
{
	vp8_encoder *e = calloc(1, sizeof *e);
	if (!e)
		return -1;
	memcpy(e->fn, fn, sizeof e->fn);
	vpx_codec_iface_t *iface = ((cx_fn)fn[VPX_CX])();
	vpx_codec_enc_cfg_t *c = &e->cfg;
	int rc = ((config_default_fn)fn[VPX_CONFIG_DEFAULT])(iface, c, 0);
	if (rc != 0) {
		free(e);
		return rc;
	}
	c->g_w = (unsigned)width;
	c->g_h = (unsigned)height;
	c->g_timebase.num = 1;
	c->g_timebase.den = 1000; // timestamps are milliseconds
	c->g_threads = (unsigned)threads;
	c->g_lag_in_frames = 0;
	c->g_pass = VPX_RC_ONE_PASS;
	c->rc_end_usage = VPX_CBR;
	c->rc_target_bitrate = (unsigned)(bits_per_second / 1000);
	c->rc_min_quantizer = 2;
	c->rc_max_quantizer = 56;
	c->rc_undershoot_pct = 100;
	c->rc_overshoot_pct = 15;
	c->rc_buf_initial_sz = 500;
	c->rc_buf_optimal_sz = 600;
	c->rc_buf_sz = 1000;
	c->rc_dropframe_thresh = 0; // a dropped frame would be a lost pose
	c->kf_mode = VPX_KF_DISABLED; // key frames on demand only
	rc = ((init_fn)fn[VPX_INIT])(&e->ctx, iface, c, 0, VPX_ENCODER_ABI_VERSION);
	if (rc != 0) {
		free(e);
		return rc;
	}
	control_fn control = (control_fn)fn[VPX_CONTROL];
	control(&e->ctx, VP8E_SET_CPUUSED, CPU_USED);
	control(&e->ctx, VP8E_SET_MAX_INTRA_BITRATE_PCT, MAX_INTRA_PERCENT);
	control(&e->ctx, VP8E_SET_STATIC_THRESHOLD, 1);
	control(&e->ctx, VP8E_SET_TOKEN_PARTITIONS, threads > 1 ? VP8_TWO_TOKENPARTITION : VP8_ONE_TOKENPARTITION);
	*out = e;
	return 0;
}

int vp8_encode(vp8_encoder *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_uv,
               int64_t timestamp_ms, int force_key, const uint8_t **data, int *key)
{
	vpx_image_t img;
	if (!((img_wrap_fn)e->fn[VPX_IMG_WRAP])(&img, VPX_IMG_FMT_I420, e->cfg.g_w, e->cfg.g_h, 1, (unsigned char *)y))
		return -1;
	img.planes[0] = (unsigned char *)y; // the encoder only reads them
	img.planes[1] = (unsigned char *)u;
	img.planes[2] = (unsigned char *)v;
	img.stride[0] = stride_y;
	img.stride[1] = img.stride[2] = stride_uv;

	// libvpx wants strictly growing time stamps, and derives its rate from the distance.
	int64_t pts = timestamp_ms;
	if (e->started && pts <= e->last_ms)
		pts = e->last_ms + 1;
	unsigned long duration = e->started && pts - e->last_ms < 1000 ? (unsigned long)(pts - e->last_ms) : 16;
	e->last_ms = pts;
	e->started = 1;
	int rc = ((encode_fn)e->fn[VPX_ENCODE])(&e->ctx, &img, pts, duration, force_key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
	if (rc != 0)
		return -rc;
	vpx_codec_iter_t it = NULL;
	const vpx_codec_cx_pkt_t *pkt;
	while ((pkt = ((get_data_fn)e->fn[VPX_GET_DATA])(&e->ctx, &it))) {
		if (pkt->kind != VPX_CODEC_CX_FRAME_PKT)
			continue;
		*data = pkt->data.frame.buf;
		*key = (pkt->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
		return (int)pkt->data.frame.sz;
	}
	return 0;
}

int vp8_set_bitrate(vp8_encoder *e, int bits_per_second)
{
	e->cfg.rc_target_bitrate = (unsigned)(bits_per_second / 1000);
	return ((config_set_fn)e->fn[VPX_CONFIG_SET])(&e->ctx, &e->cfg);
}

void vp8_close(vp8_encoder *e)
{
	((destroy_ctx_fn)e->fn[VPX_DESTROY])(&e->ctx);
	free(e);
}
