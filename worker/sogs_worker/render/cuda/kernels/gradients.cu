// From the error of pictures back to their ellipses: how it would change with each.
#include "splats.cuh"

// One warp for each bucket of a tile: a lane has an ellipse, and the tile's pixels pass from lane to lane, so that each
// pixel meets the ellipses in their order and each sum stays in its lane (as Mallick et al. 2024 do). A pair's sums
// are written to its own place, so that the result does not depend on the order in which warps run.
extern "C" __global__ void blend_gradients(int tiles, int columns, int rows, int width, int height, const int *starts,
                                           const int *members, const long long *pairs, const Ellipse *ellipses,
                                           const int *buckets, const float4 *checkpoints, const float *colours,
                                           const int *blended, const unsigned char *targets, const float *weights,
                                           float absolute, float *gradients) {
    // Of each pixel: the picture's gradient and the number of ellipses; the light, and the gradient times the colour to come.
    __shared__ float4 pixels[WARPS][PIXELS];
    __shared__ float2 states[WARPS][PIXELS];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, bucket = blockIdx.x * WARPS + warp;
    if (bucket >= buckets[tiles]) return;
    int tile = 0;
    for (int step = 1 << 30; step; step >>= 1)  // the last tile that begins at or before the bucket
        if (tile + step < tiles && buckets[tile + step] <= bucket) tile += step;
    int within = tile % (columns * rows), view = tile / (columns * rows);
    int left = within % columns * TILE, top = within / columns * TILE;
    int number = (bucket - buckets[tile]) * BUCKET + lane, slot = starts[tile] + number;
    bool is_there = slot < starts[tile + 1];

    bool is_needed = false;
    for (int pixel = lane; pixel < PIXELS; pixel += 32) {
        int column = left + pixel % TILE, row = top + pixel / TILE;
        float4 shown = make_float4(0, 0, 0, 0);
        float2 state = make_float2(0, 0);
        if (column < width && row < height) {
            long long place = ((long long)view * height + row) * width + column;
            int count = blended[place];
            if (count > number - lane) {
                const float *colour = colours + 3 * place;
                const unsigned char *target = targets + 3 * place;
                float gradient[3];
                for (int channel = 0; channel < 3; channel++) {
                    float error = fminf(colour[channel], 1.f) - target[channel] / 255.f;
                    gradient[channel] = weights[view] * (2 * error + copysignf(absolute, error));
                    // What a screen cannot show has no error.
                    if (colour[channel] > 1 && error == 0) gradient[channel] = 0;
                }
                float4 before = checkpoints[bucket * (long long)PIXELS + pixel];
                shown = make_float4(gradient[0], gradient[1], gradient[2], __int_as_float(count));
                state = make_float2(before.x, gradient[0] * (colour[0] - before.y) + gradient[1] * (colour[1] - before.z) +
                                                  gradient[2] * (colour[2] - before.w));
                is_needed = true;
            }
        }
        pixels[warp][pixel] = shown, states[warp][pixel] = state;
    }
    __syncwarp();
    float sums[PARTS] = {};
    if (__any_sync(0xffffffff, is_needed)) {
        Ellipse e = {};
        if (is_there) e = ellipses[members[slot]];
        float light = 0, rest = 0;
        for (int step = 0; step < PIXELS + 31; step++) {
            light = __shfl_up_sync(0xffffffff, light, 1);
            rest = __shfl_up_sync(0xffffffff, rest, 1);
            int pixel = step - lane;
            if (lane == 0 && step < PIXELS) light = states[warp][step].x, rest = states[warp][step].y;
            if (!is_there || pixel < 0 || pixel >= PIXELS) continue;
            float4 shown = pixels[warp][pixel];
            if (number >= __float_as_int(shown.w)) continue;
            float x = left + pixel % TILE + 0.5f - e.mean[0], y = top + pixel / TILE + 0.5f - e.mean[1];
            float alpha = alpha_at(e, x, y);
            if (alpha == 0) continue;
            float weight = alpha * light;
            float shine = shown.x * e.colour[0] + shown.y * e.colour[1] + shown.z * e.colour[2];
            sums[6] += weight * shown.x, sums[7] += weight * shown.y, sums[8] += weight * shown.z;
            rest -= weight * shine;
            float by_alpha = light * shine - rest / (1 - alpha);
            light *= 1 - alpha;
            if (alpha >= LARGEST_ALPHA) continue;
            float by_power = by_alpha * alpha;
            sums[0] += by_power * (e.conic[0] * x + e.conic[1] * y);
            sums[1] += by_power * (e.conic[1] * x + e.conic[2] * y);
            sums[2] -= by_power * x * x / 2, sums[3] -= by_power * x * y, sums[4] -= by_power * y * y / 2;
            sums[5] += by_power;
        }
        sums[5] /= is_there ? e.alpha : 1.f;
    }
    if (!is_there) return;
    float *out = gradients + PARTS * pairs[slot];
    for (int part = 0; part < PARTS; part++) out[part] = sums[part];
}
