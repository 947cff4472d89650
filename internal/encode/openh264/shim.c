#include "shim.h"

#include <stdlib.h>
#include <string.h>
#include <wels/codec_api.h>

typedef int (*create_fn)(ISVCEncoder **);
typedef void (*destroy_fn)(ISVCEncoder *);

struct h264_encoder {
	ISVCEncoder *enc;
	destroy_fn destroy;
	int width, height;
	uint8_t *buf;
	size_t cap;
};

// Video usability information: BT.709 primaries, transfer and matrix, limited range (H.264 annex E, tables E-3 to E-5).
static void describe_colour(SSpatialLayerConfig *l)
{
	l->bVideoSignalTypePresent = true;
	l->uiVideoFormat = VF_UNDEF;
	l->bFullRange = false;
	l->bColorDescriptionPresent = true;
	l->uiColorPrimaries = CP_BT709;
	l->uiTransferCharacteristics = TRC_BT709;
	l->uiColorMatrix = CM_BT709;
}

int h264_open(void *create, void *destroy, int width, int height, int bits_per_second, float max_fps, int threads,
              h264_encoder **out)
{
	h264_encoder *e = calloc(1, sizeof *e);
	if (!e)
		return -1;
	e->destroy = (destroy_fn)destroy;
	e->width = width;
	e->height = height;
	int rc = ((create_fn)create)(&e->enc);
	if (rc != 0 || !e->enc) {
		free(e);
		return rc ? rc : -1;
	}
	int level = WELS_LOG_QUIET; // errors come back as return codes
	(*e->enc)->SetOption(e->enc, ENCODER_OPTION_TRACE_LEVEL, &level);

	SEncParamExt p;
	(*e->enc)->GetDefaultParams(e->enc, &p);
	p.iUsageType = CAMERA_VIDEO_REAL_TIME;
	p.iPicWidth = width;
	p.iPicHeight = height;
	p.iTargetBitrate = bits_per_second;
	p.iMaxBitrate = UNSPECIFIED_BIT_RATE; // a maximum would have to move with every change of the target
	p.iRCMode = RC_BITRATE_MODE;
	p.fMaxFrameRate = max_fps;
	p.bEnableFrameSkip = false; // a skipped frame would be a lost pose
	p.uiIntraPeriod = 0;        // key frames on demand only
	p.iMultipleThreadIdc = (unsigned short)threads;
	p.iComplexityMode = LOW_COMPLEXITY;
	p.bEnableDenoise = false;
	p.bEnableBackgroundDetection = true;
	p.bEnableAdaptiveQuant = true;
	p.bEnableSceneChangeDetect = false; // it inserts key frames nobody asked for
	p.bEnableLongTermReference = false;
	p.iEntropyCodingModeFlag = 0; // CAVLC: constrained baseline
	p.iNumRefFrame = 1;
	p.iMinQp = 12;
	p.iMaxQp = 51;
	p.eSpsPpsIdStrategy = CONSTANT_ID;

	SSpatialLayerConfig *l = &p.sSpatialLayers[0];
	l->iVideoWidth = width;
	l->iVideoHeight = height;
	l->fFrameRate = max_fps;
	l->iSpatialBitrate = bits_per_second;
	l->iMaxSpatialBitrate = UNSPECIFIED_BIT_RATE;
	l->uiProfileIdc = PRO_BASELINE;
	if (threads > 1) {
		l->sSliceArgument.uiSliceMode = SM_FIXEDSLCNUM_SLICE;
		l->sSliceArgument.uiSliceNum = (unsigned)threads;
	} else {
		l->sSliceArgument.uiSliceMode = SM_SINGLE_SLICE;
	}
	describe_colour(l);

	rc = (*e->enc)->InitializeExt(e->enc, &p);
	if (rc != 0) {
		e->destroy(e->enc);
		free(e);
		return rc;
	}
	*out = e;
	return 0;
}

int h264_encode(h264_encoder *e, const uint8_t *y, const uint8_t *u, const uint8_t *v, int stride_y, int stride_uv,
                int64_t timestamp_ms, int force_key, const uint8_t **data, int *key)
{
	if (force_key)
		(*e->enc)->ForceIntraFrame(e->enc, true);
	SSourcePicture pic;
	memset(&pic, 0, sizeof pic);
	pic.iColorFormat = videoFormatI420;
	pic.iPicWidth = e->width;
	pic.iPicHeight = e->height;
	pic.iStride[0] = stride_y;
	pic.iStride[1] = pic.iStride[2] = stride_uv;
	pic.pData[0] = (unsigned char *)y; // the encoder only reads them
	pic.pData[1] = (unsigned char *)u;
	pic.pData[2] = (unsigned char *)v;
	pic.uiTimeStamp = timestamp_ms;

	SFrameBSInfo info;
	memset(&info, 0, sizeof info);
	int rc = (*e->enc)->EncodeFrame(e->enc, &pic, &info);
	if (rc != 0)
		return rc < 0 ? rc : -rc;
	*key = info.eFrameType == videoFrameTypeIDR;
	if (info.eFrameType == videoFrameTypeSkip || info.eFrameType == videoFrameTypeInvalid)
		return 0;

	size_t n = 0;
	for (int i = 0; i < info.iLayerNum; i++) {
		const SLayerBSInfo *layer = &info.sLayerInfo[i];
		size_t size = 0;
		for (int j = 0; j < layer->iNalCount; j++)
			size += (size_t)layer->pNalLengthInByte[j];
		if (n + size > e->cap) {
			size_t cap = 2 * (n + size);
			uint8_t *grown = realloc(e->buf, cap);
			if (!grown)
				return -1;
			e->buf = grown;
			e->cap = cap;
		}
		memcpy(e->buf + n, layer->pBsBuf, size);
		n += size;
	}
	*data = e->buf;
	return (int)n;
}

int h264_set_bitrate(h264_encoder *e, int bits_per_second)
{
	SBitrateInfo target = {SPATIAL_LAYER_ALL, bits_per_second};
	return (*e->enc)->SetOption(e->enc, ENCODER_OPTION_BITRATE, &target);
}

void h264_close(h264_encoder *e)
{
	(*e->enc)->Uninitialize(e->enc);
	e->destroy(e->enc);
	free(e->buf);
	free(e);
}
