/* SPDX-License-Identifier: Apache-2.0 */
/* The weights of 8-bit attention, rint(255 e^d) for d <= 0, without the exponential: the same integers as
 * `(int32_t)ftv_rint(ftv_exp(d) * 255.0f)` for every float (tests/test_pie.c).
 *
 * The integer steps up at 255 places. They are at least 1/255 apart, so that an interval of 1/256 holds at most one:
 * a table says what the integer is at its lower end, and one comparison whether d lies beyond the step. */
#ifndef FTV_EXP255_H
#define FTV_EXP255_H

#include <math.h>
#include <stdint.h>

enum { FTV_EXP255_INTERVALS = 1600 }; /* of 1/256: below -6.25 the integer is 0 */

/* [k]: the least d that gives k */
static const float ftv_exp255_steps[257] = {
    -INFINITY, -0x1.8f0094p+2f, -0x1.48b0ecp+2f, -0x1.27ff8cp+2f,
    -0x1.1276cap+2f, -0x1.02614p+2f, -0x1.eb12fp+1f, -0x1.d5b0e8p+1f,
    -0x1.c35fc8p+1f, -0x1.b35a6ep+1f, -0x1.a51dcap+1f, -0x1.984e4p+1f,
    -0x1.8ca94cp+1f, -0x1.81fd0ap+1f, -0x1.78233p+1f, -0x1.6efd9ep+1f,
    -0x1.667446p+1f, -0x1.5e739ap+1f, -0x1.56eb86p+1f, -0x1.4fce9ap+1f,
    -0x1.491194p+1f, -0x1.42aad6p+1f, -0x1.3c922ap+1f, -0x1.36c072p+1f,
    -0x1.312f88p+1f, -0x1.2bdap+1f, -0x1.26bb1cp+1f, -0x1.21cea4p+1f,
    -0x1.1d10ep+1f, -0x1.187e76p+1f, -0x1.14146cp+1f, -0x1.0fd00ep+1f,
    -0x1.0baeeep+1f, -0x1.07aed8p+1f, -0x1.03cdccp+1f, -0x1.0009f6p+1f,
    -0x1.f8c35ap+0f, -0x1.f1a6c8p+0f, -0x1.eabb7p+0f, -0x1.e3feb4p+0f,
    -0x1.dd6e34p+0f, -0x1.d707b6p+0f, -0x1.d0c934p+0f, -0x1.cab0bep+0f,
    -0x1.c4bc96p+0f, -0x1.beeb1p+0f, -0x1.b93aa6p+0f, -0x1.b3a9e4p+0f,
    -0x1.ae3776p+0f, -0x1.a8e214p+0f, -0x1.a3a89p+0f, -0x1.9e89ccp+0f,
    -0x1.9984bep+0f, -0x1.949864p+0f, -0x1.8fc3d4p+0f, -0x1.8b062ap+0f,
    -0x1.865e92p+0f, -0x1.81cc4p+0f, -0x1.7d4e78p+0f, -0x1.78e48p+0f,
    -0x1.748db4p+0f, -0x1.704968p+0f, -0x1.6c1706p+0f, -0x1.67f5f8p+0f,
    -0x1.63e5b2p+0f, -0x1.5fe5aap+0f, -0x1.5bf568p+0f, -0x1.581468p+0f,
    -0x1.54424p+0f, -0x1.507e76p+0f, -0x1.4cc8a8p+0f, -0x1.492066p+0f,
    -0x1.45855ap+0f, -0x1.41f71cp+0f, -0x1.3e755ap+0f, -0x1.3affb4p+0f,
    -0x1.3795e2p+0f, -0x1.34378ep+0f, -0x1.30e46ep+0f, -0x1.2d9c34p+0f,
    -0x1.2a5ea2p+0f, -0x1.272b6ap+0f, -0x1.240254p+0f, -0x1.20e316p+0f,
    -0x1.1dcd7ep+0f, -0x1.1ac14ap+0f, -0x1.17be46p+0f, -0x1.14c436p+0f,
    -0x1.11d2ecp+0f, -0x1.0eea2ep+0f, -0x1.0c09d2p+0f, -0x1.0931a2p+0f,
    -0x1.066174p+0f, -0x1.039918p+0f, -0x1.00d868p+0f, -0x1.fc3e68p-1f,
    -0x1.f6dab2p-1f, -0x1.f18558p-1f, -0x1.ec3e16p-1f, -0x1.e70498p-1f,
    -0x1.e1d8a2p-1f, -0x1.dcb9e4p-1f, -0x1.d7a826p-1f, -0x1.d2a31cp-1f,
    -0x1.cdaa9p-1f, -0x1.c8be3ep-1f, -0x1.c3ddfp-1f, -0x1.bf0964p-1f,
    -0x1.ba406ap-1f, -0x1.b582c4p-1f, -0x1.b0d046p-1f, -0x1.ac28b2p-1f,
    -0x1.a78bdep-1f, -0x1.a2f99p-1f, -0x1.9e71a2p-1f, -0x1.99f3dep-1f,
    -0x1.95801cp-1f, -0x1.91162ap-1f, -0x1.8cb5e4p-1f, -0x1.885f18p-1f,
    -0x1.8411a6p-1f, -0x1.7fcd5ep-1f, -0x1.7b9222p-1f, -0x1.775fc2p-1f,
    -0x1.733622p-1f, -0x1.6f1516p-1f, -0x1.6afc84p-1f, -0x1.66ec4p-1f,
    -0x1.62e43p-1f, -0x1.5ee42cp-1f, -0x1.5aec1ep-1f, -0x1.56fbdap-1f,
    -0x1.53135p-1f, -0x1.4f3252p-1f, -0x1.4b58d4p-1f, -0x1.4786aap-1f,
    -0x1.43bbc4p-1f, -0x1.3ff7fcp-1f, -0x1.3c3b44p-1f, -0x1.388574p-1f,
    -0x1.34d67ep-1f, -0x1.312e4p-1f, -0x1.2d8cacp-1f, -0x1.29f19cp-1f,
    -0x1.265d08p-1f, -0x1.22cecap-1f, -0x1.1f46dcp-1f, -0x1.1bc516p-1f,
    -0x1.184974p-1f, -0x1.14d3dp-1f, -0x1.116426p-1f, -0x1.0dfa5p-1f,
    -0x1.0a964cp-1f, -0x1.0737f8p-1f, -0x1.03df4cp-1f, -0x1.008c2ap-1f,
    -0x1.fa7d1ap-2f, -0x1.f3ecaap-2f, -0x1.ed66fap-2f, -0x1.e6ebcep-2f,
    -0x1.e07b1ep-2f, -0x1.da14bp-2f, -0x1.d3b87cp-2f, -0x1.cd6648p-2f,
    -0x1.c71e0ep-2f, -0x1.c0df96p-2f, -0x1.baaadap-2f, -0x1.b47fa6p-2f,
    -0x1.ae5dfp-2f, -0x1.a84588p-2f, -0x1.a23668p-2f, -0x1.9c305ap-2f,
    -0x1.96335ep-2f, -0x1.903f3ep-2f, -0x1.8a53fap-2f, -0x1.847162p-2f,
    -0x1.7e976ep-2f, -0x1.78c5f2p-2f, -0x1.72fceep-2f, -0x1.6d3c2ep-2f,
    -0x1.6783b6p-2f, -0x1.61d356p-2f, -0x1.5c2b0cp-2f, -0x1.568aaap-2f,
    -0x1.50f234p-2f, -0x1.4b617cp-2f, -0x1.45d88p-2f, -0x1.40571ap-2f,
    -0x1.3add4ap-2f, -0x1.356aep-2f, -0x1.2fffe4p-2f, -0x1.2a9c2ap-2f,
    -0x1.253fb2p-2f, -0x1.1fea56p-2f, -0x1.1a9c1ap-2f, -0x1.1554d2p-2f,
    -0x1.101482p-2f, -0x1.0adb04p-2f, -0x1.05a85ap-2f, -0x1.007c5ep-2f,
    -0x1.f6ae28p-3f, -0x1.ec70acp-3f, -0x1.e2405p-3f, -0x1.d81cc8p-3f,
    -0x1.ce061ep-3f, -0x1.c3fc08p-3f, -0x1.b9fe92p-3f, -0x1.b00d6ep-3f,
    -0x1.a628acp-3f, -0x1.9c5004p-3f, -0x1.92837ep-3f, -0x1.88c2d8p-3f,
    -0x1.7f0e1ap-3f, -0x1.7564fep-3f, -0x1.6bc796p-3f, -0x1.623598p-3f,
    -0x1.58af16p-3f, -0x1.4f33cap-3f, -0x1.45c3bep-3f, -0x1.3c5eb6p-3f,
    -0x1.3304bcp-3f, -0x1.29b59p-3f, -0x1.20714p-3f, -0x1.17378ep-3f,
    -0x1.0e0886p-3f, -0x1.04e3e8p-3f, -0x1.f7938cp-4f, -0x1.e573cp-4f,
    -0x1.d36888p-4f, -0x1.c1717p-4f, -0x1.af8e92p-4f, -0x1.9dbf78p-4f,
    -0x1.8c043ep-4f, -0x1.7a5c7p-4f, -0x1.68c82cp-4f, -0x1.574702p-4f,
    -0x1.45d90ap-4f, -0x1.347dd8p-4f, -0x1.233588p-4f, -0x1.11ffaep-4f,
    -0x1.00dc64p-4f, -0x1.df9684p-5f, -0x1.bd98c2p-5f, -0x1.9bbeb2p-5f,
    -0x1.7a089p-5f, -0x1.587588p-5f, -0x1.3705dap-5f, -0x1.15b8b2p-5f,
    -0x1.e91ca6p-6f, -0x1.a70bdap-6f, -0x1.653f7ep-6f, -0x1.23b6p-6f,
    -0x1.c4dfb8p-7f, -0x1.42d70ap-7f, -0x1.82a5e8p-8f, -0x1.013f94p-9f, INFINITY};

/* lower[i] <- the integer at d = -(i + 1)/256 */
static inline void ftv_exp255_prepare(uint8_t *lower) {
    int k = 255;
    for (int i = 0; i < FTV_EXP255_INTERVALS; i++) {
        while (ftv_exp255_steps[k] > (float)(i + 1) * -0x1p-8f) k--;
        lower[i] = (uint8_t)k;
    }
}

/* 0 for NaN, too */
static inline int32_t ftv_exp255(float d, const uint8_t *lower) {
    if (!(d > FTV_EXP255_INTERVALS * -0x1p-8f)) return 0;
    const int32_t k = lower[(int)(d * -0x1p8f)];
    return k + (d >= ftv_exp255_steps[k + 1]);
}

#endif
