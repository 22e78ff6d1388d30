// Splats, cameras and ellipses as the kernels share them. Compiled with the constants of render.project and render.blend:
// NEAR, BLUR, SMALLEST_ALPHA, LARGEST_ALPHA, LARGEST_LOG_SCALE, GUARD; and with those of
// render.cuda.program.

const int PIXELS = TILE * TILE;  // of a tile

// A pinhole camera: world to camera is x -> R x + t, with x right, y down, z forward.
struct Camera {
    float R[9];
    float t[3];
    float focal[2];
    float centre[2];
    float size[2];
    float position[3];
};

// A splat's ellipse on a picture; alpha 0 where it is not to be seen.
struct Ellipse {
    float mean[2];
    float conic[3];
    float alpha;
    float colour[3];
    float reach[2];
    float limit;  // half the squared Mahalanobis distance at which alpha is SMALLEST_ALPHA
};

struct Tiles {
    int left, top, right, bottom;  // the last two are within
};

// Those that the ellipse's box touches; none where left > right or top > bottom.
__device__ inline Tiles tiles_of(const Ellipse &e, int columns, int rows) {
    return {(int)fmaxf(floorf((e.mean[0] - e.reach[0]) / TILE), 0.f),
            (int)fmaxf(floorf((e.mean[1] - e.reach[1]) / TILE), 0.f),
            (int)fminf(floorf((e.mean[0] + e.reach[0]) / TILE), columns - 1.f),
            (int)fminf(floorf((e.mean[1] + e.reach[1]) / TILE), rows - 1.f)};
}

__device__ inline float half_distance2(const Ellipse &e, float x, float y) {
    return (e.conic[0] * x * x + e.conic[2] * y * y) / 2 + e.conic[1] * x * y;
}

// Whether the ellipse reaches SMALLEST_ALPHA between the pixel centres of a tile: see render.tiles.
__device__ inline bool touches(const Ellipse &e, int column, int row) {
    float left = column * TILE + 0.5f - e.mean[0], right = left + (TILE - 1);
    float top = row * TILE + 0.5f - e.mean[1], bottom = top + (TILE - 1);
    float x = fminf(fmaxf(left, 0.f), right), y = fminf(fmaxf(top, 0.f), bottom);
    float along_y = half_distance2(e, x, fminf(fmaxf(-e.conic[1] * x / e.conic[2], top), bottom));
    float along_x = half_distance2(e, fminf(fmaxf(-e.conic[1] * y / e.conic[0], left), right), y);
    return fminf(along_x, along_y) <= e.limit;
}

// Alpha of an ellipse at a pixel centre that is (x, y) from its mean; 0 where too little to be drawn.
__device__ inline float alpha_at(const Ellipse &e, float x, float y) {
    float alpha = fminf(e.alpha * expf(-half_distance2(e, x, y)), LARGEST_ALPHA);
    return alpha > SMALLEST_ALPHA ? alpha : 0.f;
}
