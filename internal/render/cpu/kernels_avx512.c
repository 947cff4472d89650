//go:build amd64

#include <immintrin.h>
#include <stddef.h>
#include <string.h>
#include "kernels.h"
#include "vec_avx512.h"
#define ISA(name) name##_avx512
#include "kernels.inc.h"
