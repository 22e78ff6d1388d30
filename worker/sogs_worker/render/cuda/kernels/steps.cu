// One step of Adam (Kingma and Ba 2015) for splats, from the gradients of their ellipses in V pictures.
#include "splats.cuh"
#include "projection.cuh"

// Learning rates: 0 keeps what it belongs to. Positions move in units of the splat's middle axis.
struct Rates {
    float position, rotation, scale, opacity, sh0, shn;
};

struct Adam {
    float keep1, keep2;      // of the mean and of the mean square of gradients, at each step
    float unbias1, unbias2;  // 1 / (1 - keep ^ steps)
};

// Each splat, and each number of an entry, counts its own steps: one that is first seen late must not leap.
__device__ inline Adam adam_after(int steps, const float *keep) {
    return {keep[0], keep[1], 1 / (1 - powf(keep[0], steps)), 1 / (1 - powf(keep[1], steps))};
}

struct Keep {
    float of[2];
};

// Above it, the square of a gradient is no number too small for float32, and the step at most as long as the rate.
const float TINY = 1e-15f;

__device__ inline float adam(const Adam &adam, float gradient, float *mean, float *square) {
    *mean = adam.keep1 * *mean + (1 - adam.keep1) * gradient;
    *square = adam.keep2 * *square + (1 - adam.keep2) * gradient * gradient;
    return *mean * adam.unbias1 / (sqrtf(*square * adam.unbias2) + TINY);
}

__device__ inline float unit_quaternion(const float *rotation, float *q) {
    float norm2 = 0;
    for (int i = 0; i < 4; i++) norm2 += rotation[i] * rotation[i];
    float norm = fmaxf(sqrtf(norm2), 1e-12f);
    for (int i = 0; i < 4; i++) q[i] = rotation[i] / norm;
    return norm;
}

__device__ inline void matrix_of(const float *q, float *r) {
    float w = q[0], x = q[1], y = q[2], z = q[3];
    r[0] = 1 - 2 * (y * y + z * z), r[1] = 2 * (x * y - w * z), r[2] = 2 * (x * z + w * y);
    r[3] = 2 * (x * y + w * z), r[4] = 1 - 2 * (x * x + z * z), r[5] = 2 * (y * z - w * x);
    r[6] = 2 * (x * z - w * y), r[7] = 2 * (y * z + w * x), r[8] = 1 - 2 * (x * x + y * y);
}

// What pictures need of a splat: see render.scene.Shapes.
extern "C" __global__ void shape(int splats, const float *rotations, const float *scales, const float *opacities,
                                 float *factors, float *alphas) {
    int splat = blockIdx.x * blockDim.x + threadIdx.x;
    if (splat >= splats) return;
    float q[4], turn[9];
    unit_quaternion(rotations + 4 * splat, q);
    matrix_of(q, turn);
    for (int i = 0; i < 9; i++)
        factors[9 * (long long)splat + i] = turn[i] * expf(fminf(scales[3 * splat + i % 3], LARGEST_LOG_SCALE));
    alphas[splat] = 1 / (1 + expf(-opacities[splat]));
}

// From the gradients of an ellipse to those of the splat's position, factor and alpha, which are added up.
__device__ inline void shape_gradients(const Camera &camera, const float *position, const float *factor, float alpha,
                                       bool is_antialiased, const float *by, float *by_position, float *by_factor,
                                       float *by_alpha) {
    Projection s;
    if (!project_splat(camera, position, factor, alpha, is_antialiased, s)) return;
    float slope = s.xy / s.xx, rest = s.yy - slope * s.xy;
    float a = 1 / s.xx + slope * slope / rest, b = -slope / rest, c = 1 / rest;
    // d(inverse of S) = -inverse dS inverse, with the gradient of b shared by two entries.
    float ga = by[2], gb = by[3] / 2, gc = by[4];
    float left = a * ga + b * gb, right = a * gb + b * gc, low_left = b * ga + c * gb, low_right = b * gb + c * gc;
    float by_xx = -(left * a + right * b), by_xy = -2 * (left * b + right * c), by_yy = -(low_left * b + low_right * c);
    *by_alpha += by[5] * s.fainter;
    if (is_antialiased && s.fainter > 1e-4f) {  // fainter^2 = D0 / D
        float x = s.xx - BLUR, y = s.yy - BLUR, blurred = s.area2 + BLUR * (x + y + BLUR);
        float factor0 = by[5] * alpha * s.fainter / 2 * (1 / s.area2 - 1 / blurred);
        float factor1 = by[5] * alpha * s.fainter / 2 * BLUR / blurred;
        by_xx += factor0 * y - factor1, by_yy += factor0 * x - factor1, by_xy -= 2 * factor0 * s.xy;
    }
    float z = s.p[2], fx = camera.focal[0] / z, fy = camera.focal[1] / z;
    float by_p[3] = {fx * by[0], fy * by[1], -(fx * s.p[0] * by[0] + fy * s.p[1] * by[1]) / z};
    float by_slope[2] = {0, 0};
    for (int j = 0; j < 3; j++) {
        float column[3] = {factor[j], factor[3 + j], factor[6 + j]};
        float along = dot3(camera.R + 6, column);
        float by_jx = 2 * by_xx * s.jx[j] + by_xy * s.jy[j], by_jy = 2 * by_yy * s.jy[j] + by_xy * s.jx[j];
        by_p[2] -= (by_jx * s.jx[j] + by_jy * s.jy[j]) / z;
        by_slope[0] -= fx * by_jx * along, by_slope[1] -= fy * by_jy * along;
        float by_axis[3] = {fx * by_jx, fy * by_jy, -(fx * s.slope[0] * by_jx + fy * s.slope[1] * by_jy)};
        for (int i = 0; i < 3; i++)
            by_factor[3 * i + j] +=
                camera.R[i] * by_axis[0] + camera.R[3 + i] * by_axis[1] + camera.R[6 + i] * by_axis[2];
    }
    for (int i = 0; i < 2; i++)
        if (!s.is_guarded[i]) by_p[i] += by_slope[i] / z, by_p[2] -= by_slope[i] * s.slope[i] / z;
    for (int i = 0; i < 3; i++)
        by_position[i] += camera.R[i] * by_p[0] + camera.R[3 + i] * by_p[1] + camera.R[6 + i] * by_p[2];
}

// From the gradients of a factor to those of the quaternion and the logarithms of the standard deviations.
__device__ inline void factor_gradients(const float *rotation, const float *factor, const float *scale,
                                        const float *by_factor, float *by_rotation, float *by_scale) {
    float q[4], turn[9], by_turn[9];
    float norm = unit_quaternion(rotation, q);
    matrix_of(q, turn);
    for (int j = 0; j < 3; j++) {
        float sigma = expf(fminf(scale[j], LARGEST_LOG_SCALE));
        by_scale[j] = 0;
        for (int i = 0; i < 3; i++) {
            by_scale[j] += by_factor[3 * i + j] * factor[3 * i + j];
            by_turn[3 * i + j] = by_factor[3 * i + j] * sigma;
        }
        if (scale[j] > LARGEST_LOG_SCALE) by_scale[j] = 0;
    }
    float w = q[0], x = q[1], y = q[2], z = q[3];
    const float *t = by_turn;
    float by_q[4] = {
        2 * (x * (t[7] - t[5]) + y * (t[2] - t[6]) + z * (t[3] - t[1])),
        2 * (y * (t[1] + t[3]) + z * (t[2] + t[6]) + w * (t[7] - t[5])) - 4 * x * (t[4] + t[8]),
        2 * (x * (t[1] + t[3]) + z * (t[5] + t[7]) + w * (t[2] - t[6])) - 4 * y * (t[0] + t[8]),
        2 * (x * (t[2] + t[6]) + y * (t[5] + t[7]) + w * (t[3] - t[1])) - 4 * z * (t[0] + t[4])};
    float along = 0;
    for (int i = 0; i < 4; i++) along += q[i] * by_q[i];
    for (int i = 0; i < 4; i++) by_rotation[i] = (by_q[i] - q[i] * along) / norm;
}

// Add up the gradients of one ellipse over the tiles that show it.
__device__ inline void add_pairs(const float *gradients, int first, int count, float *by) {
    for (int part = 0; part < PARTS; part++) by[part] = 0;
    const float *from = gradients + (long long)first * PARTS;
    for (int pair = 0; pair < count; pair++)
        for (int part = 0; part < PARTS; part++) by[part] += *from++;
}

// One thread for each splat. Those that no picture shows stay as they are. `paces`, if there are any, multiply the rates
// of each. Leaves the gradients of the colours in each view, 0 where the colour is black, and the number of views that
// show the splat.
extern "C" __global__ void step_shapes(int splats, int views, int is_antialiased, const Camera *cameras,
                                       const Ellipse *ellipses, const int *firsts, const int *counts,
                                       const float *gradients, const float *factors, const float *alphas, Rates rates,
                                       const float *paces, Keep keep, int *steps, float *positions, float *rotations,
                                       float *scales, float *opacities, float *means, float *squares,
                                       float *by_colours) {
    int splat = blockIdx.x * blockDim.x + threadIdx.x;
    if (splat >= splats) return;
    float position[3], factor[9], alpha = alphas[splat], by[PARTS];
    for (int i = 0; i < 3; i++) position[i] = positions[3 * splat + i];
    for (int i = 0; i < 9; i++) factor[i] = factors[9 * (long long)splat + i];
    float by_position[3] = {}, by_factor[9] = {}, by_alpha = 0;
    bool is_seen = false;
    for (int view = 0; view < views; view++) {
        long long item = (long long)view * splats + splat;
        float *out = by_colours + 3 * item;
        out[0] = out[1] = out[2] = 0;
        if (!counts[item]) continue;
        is_seen = true;
        add_pairs(gradients, firsts[item], counts[item], by);
        for (int channel = 0; channel < 3; channel++)
            if (ellipses[item].colour[channel] > 0) out[channel] = by[6 + channel];
        shape_gradients(cameras[view], position, factor, alpha, is_antialiased, by, by_position, by_factor, &by_alpha);
    }
    if (!is_seen) return;
    float all[11];
    for (int i = 0; i < 3; i++) all[i] = by_position[i];
    factor_gradients(rotations + 4 * splat, factor, scales + 3 * splat, by_factor, all + 3, all + 7);
    all[10] = by_alpha * alpha * (1 - alpha);
    Adam state = adam_after(++steps[splat], keep.of);

    float *mean = means + 11 * (long long)splat, *square = squares + 11 * (long long)splat, *scale = scales + 3 * splat;
    float pace = paces ? paces[splat] : 1;
    float middle = expf(fmaxf(fminf(scale[0], scale[1]), fminf(fmaxf(scale[0], scale[1]), scale[2])));
    for (int i = 0; i < 11; i++) {
        float change = pace * adam(state, all[i], mean + i, square + i);
        if (i < 3) positions[3 * splat + i] -= rates.position * middle * change;
        else if (i < 7) rotations[4 * splat + i - 3] -= rates.rotation * change;
        else if (i < 10) scale[i - 7] -= rates.scale * change;
        else opacities[splat] -= rates.opacity * change;
    }
}

// One thread for each splat, after `step_shapes`, which the directions do not know of: its moves are small. Where splats
// share their SH coefficients above the constant one, the gradients of these are left in `by_shn`.
extern "C" __global__ void step_colours(int splats, int views, int coefficients, const Camera *cameras,
                                        const int *counts, const float *by_colours, const float *positions, Rates rates,
                                        const float *paces, Keep keep, const int *steps, float *sh0, float *shn,
                                        float *means, float *squares, float *by_shn) {
    int splat = blockIdx.x * blockDim.x + threadIdx.x;
    if (splat >= splats) return;
    float sums[48] = {};
    bool is_seen = false;
    for (int view = 0; view < views; view++) {
        long long item = (long long)view * splats + splat;
        if (!counts[item]) continue;
        is_seen = true;
        float direction[3], basis[16] = {C0};
        direction_to(cameras[view], positions + 3 * splat, direction);
        harmonics(direction[0], direction[1], direction[2], coefficients, basis + 1);
#pragma unroll
        for (int k = 0; k < 16; k++)
            for (int channel = 0; channel < 3; channel++)
                sums[3 * k + channel] += basis[k] * by_colours[3 * item + channel];
    }
    Adam state = adam_after(max(steps[splat], 1), keep.of);
    int own = by_shn ? 3 : 3 + 3 * coefficients;
    if (by_shn) {
        float *out = by_shn + 3 * (long long)coefficients * splat;
#pragma unroll
        for (int i = 3; i < 48; i++)
            if (i < 3 + 3 * coefficients) out[i - 3] = sums[i];
    }
    if (!is_seen) return;
    float *mean = means + (long long)own * splat, *square = squares + (long long)own * splat;
    float *rest = shn + 3 * (long long)coefficients * splat;
    float pace = paces ? paces[splat] : 1;
#pragma unroll
    for (int i = 0; i < 48; i++) {
        if (i >= own) break;
        float change = pace * adam(state, sums[i], mean + i, square + i);
        if (i < 3) sh0[3 * splat + i] -= rates.sh0 * change;
        else rest[i - 3] -= rates.shn * change;
    }
}

// One thread for each number of each chunk of an entry's splats, `members`: an entry may have very many.
extern "C" __global__ void sum_members(int chunks, int numbers, const int *chunk_starts, const int *members,
                                       const float *by_shn, float *sums) {
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= chunks * numbers) return;
    int chunk = place / numbers, number = place % numbers;
    float sum = 0;
    for (int i = chunk_starts[chunk]; i < chunk_starts[chunk + 1]; i++)
        sum += by_shn[(long long)members[i] * numbers + number];
    sums[place] = sum;
}

// One thread for each number of each of the palette's entries, whose chunks follow each other.
extern "C" __global__ void step_entries(int entries, int numbers, const int *starts, const float *sums, float rate,
                                        Keep keep, int *steps, float *values, float *means, float *squares) {
    int place = blockIdx.x * blockDim.x + threadIdx.x;
    if (place >= entries * numbers) return;
    int entry = place / numbers, number = place % numbers;
    float sum = 0;
    for (int chunk = starts[entry]; chunk < starts[entry + 1]; chunk++) sum += sums[(long long)chunk * numbers + number];
    if (sum == 0) return;
    Adam state = adam_after(++steps[place], keep.of);
    values[place] -= rate * adam(state, sum, means + place, squares + place);
}
