// How a splat becomes an ellipse, as in render.project, with what the way back needs.

struct Projection {
    float p[3];          // the mean, in the camera's axes
    float slope[2];      // at which the perspective is linearised
    bool is_guarded[2];  // the slope is limited there
    float jx[3], jy[3];  // the splat's axes on the picture, pixels
    float xx, xy, yy;    // covariance, blurred
    float area2;         // determinant without blur
    float fainter;       // factor of alpha of an antialiased scene
};

__device__ inline float dot3(const float *a, const float *b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// False where the splat is behind the camera or too faint. `factor` is the rotation times the standard deviations.
__device__ inline bool project_splat(const Camera &camera, const float *position, const float *factor, float alpha,
                                     bool is_antialiased, Projection &o) {
    for (int i = 0; i < 3; i++) o.p[i] = dot3(camera.R + 3 * i, position) + camera.t[i];
    if (!(o.p[2] > NEAR) || !(alpha > SMALLEST_ALPHA)) return false;
    for (int i = 0; i < 2; i++) {
        float limit = GUARD * camera.size[i] / 2 / camera.focal[i], slope = o.p[i] / o.p[2];
        o.slope[i] = fminf(fmaxf(slope, -limit), limit);
        o.is_guarded[i] = o.slope[i] != slope;
    }
    for (int j = 0; j < 3; j++) {
        float column[3] = {factor[j], factor[3 + j], factor[6 + j]};
        float along = dot3(camera.R + 6, column);
        o.jx[j] = camera.focal[0] / o.p[2] * (dot3(camera.R, column) - o.slope[0] * along);
        o.jy[j] = camera.focal[1] / o.p[2] * (dot3(camera.R + 3, column) - o.slope[1] * along);
    }
    float xx = dot3(o.jx, o.jx), yy = dot3(o.jy, o.jy);
    o.xx = xx + BLUR, o.yy = yy + BLUR, o.xy = dot3(o.jx, o.jy);
    float cross[3] = {o.jx[1] * o.jy[2] - o.jx[2] * o.jy[1], o.jx[2] * o.jy[0] - o.jx[0] * o.jy[2],
                      o.jx[0] * o.jy[1] - o.jx[1] * o.jy[0]};
    o.area2 = dot3(cross, cross);
    o.fainter = is_antialiased ? rsqrtf(1 + BLUR * (xx + yy + BLUR) / o.area2) : 1.f;
    return true;
}

// Alpha 0 where the ellipse is off the picture, too faint, or so large that float32 cannot invert it.
__device__ inline void ellipse_of(const Camera &camera, const Projection &s, float alpha, Ellipse &e) {
    float slope = s.xy / s.xx, rest = s.yy - slope * s.xy;
    for (int i = 0; i < 2; i++) e.mean[i] = s.p[i] / s.p[2] * camera.focal[i] + camera.centre[i];
    e.conic[0] = 1 / s.xx + slope * slope / rest, e.conic[1] = -slope / rest, e.conic[2] = 1 / rest;
    e.alpha = alpha * s.fainter;
    e.limit = logf(e.alpha / SMALLEST_ALPHA);
    float deviations = sqrtf(2 * e.limit);
    e.reach[0] = deviations * sqrtf(s.xx), e.reach[1] = deviations * sqrtf(s.yy);
    bool is_seen = rest > 0;
    for (int i = 0; i < 2; i++)  // nor where the reach is NaN
        is_seen = is_seen && e.mean[i] + e.reach[i] > 0 && e.mean[i] - e.reach[i] < camera.size[i];
    if (!is_seen) e.alpha = 0;
}

const float C2[] = {C2_VALUES}, C3[] = {C3_VALUES};

// Spherical harmonics of bands 1 to 3 as encode.harmonics has them, `count` of them, at a unit direction.
__device__ inline void harmonics(float x, float y, float z, int count, float *basis) {
    if (count < 3) return;
    basis[0] = -C1 * y, basis[1] = C1 * z, basis[2] = -C1 * x;
    if (count < 8) return;
    float xx = x * x, yy = y * y, zz = z * z;
    basis[3] = C2[0] * x * y, basis[4] = C2[1] * y * z, basis[5] = C2[2] * (2 * zz - xx - yy);
    basis[6] = C2[3] * x * z, basis[7] = C2[4] * (xx - yy);
    if (count < 15) return;
    basis[8] = C3[0] * y * (3 * xx - yy), basis[9] = C3[1] * x * y * z, basis[10] = C3[2] * y * (4 * zz - xx - yy);
    basis[11] = C3[3] * z * (2 * zz - 3 * xx - 3 * yy), basis[12] = C3[4] * x * (4 * zz - xx - yy);
    basis[13] = C3[5] * z * (xx - yy), basis[14] = C3[6] * x * (xx - 3 * yy);
}

__device__ inline void direction_to(const Camera &camera, const float *position, float *direction) {
    float length2 = 0;
    for (int i = 0; i < 3; i++) direction[i] = position[i] - camera.position[i], length2 += direction[i] * direction[i];
    float length = fmaxf(sqrtf(length2), 1e-12f);
    for (int i = 0; i < 3; i++) direction[i] /= length;
}
