// From splats to the pixels of V pictures: project, list the ellipses of each tile, blend.
#include "splats.cuh"
#include "projection.cuh"

// One thread for each splat of each view; `coefficients` is the number of SH coefficients above the constant one.
extern "C" __global__ void project(int splats, int views, int columns, int rows, int coefficients, int is_antialiased,
                                   const Camera *cameras, const float *positions, const float *factors,
                                   const float *alphas, const float *sh0, const float *shn, Ellipse *ellipses,
                                   int *depths, int *counts) {
    long long item = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (item >= (long long)splats * views) return;
    int view = item / splats, splat = item % splats;
    const Camera &camera = cameras[view];
    const float *position = positions + 3 * splat;
    Projection projection;
    Ellipse e;
    counts[item] = 0;
    depths[item] = 0x7fffffff;
    if (!project_splat(camera, position, factors + 9 * (long long)splat, alphas[splat], is_antialiased, projection))
        return;
    ellipse_of(camera, projection, alphas[splat], e);
    if (!(e.alpha > SMALLEST_ALPHA)) return;
    Tiles tiles = tiles_of(e, columns, rows);
    int count = 0;
    for (int row = tiles.top; row <= tiles.bottom; row++)
        for (int column = tiles.left; column <= tiles.right; column++) count += touches(e, column, row);
    if (!count) return;

    float direction[3], basis[15];
    direction_to(camera, position, direction);
    harmonics(direction[0], direction[1], direction[2], coefficients, basis);
    const float *bands = shn + (long long)splat * coefficients * 3;
    for (int channel = 0; channel < 3; channel++) {
        float value = 0.5f + C0 * sh0[3 * splat + channel];
        for (int k = 0; k < coefficients; k++) value += basis[k] * bands[3 * k + channel];
        e.colour[channel] = fmaxf(value, 0.f);
    }
    ellipses[item] = e;
    counts[item] = count;
    depths[item] = __float_as_int(projection.p[2]);
}

// One thread for each item, nearest first: its pairs with tiles begin at starts[rank]. There are as many as were counted,
// although another kernel's arithmetic may be rounded in another way: a tile more, or less, is one that hardly shows it.
extern "C" __global__ void list_pairs(int items, int splats, int columns, int rows, const long long *order,
                                      const Ellipse *ellipses, const int *counts, const int *starts, int *tiles,
                                      int *owners, int *firsts) {
    int rank = blockIdx.x * blockDim.x + threadIdx.x;
    if (rank >= items) return;
    long long item = order[rank];
    int next = starts[rank], end = next + counts[item];
    firsts[item] = next;
    if (next == end) return;
    const Ellipse e = ellipses[item];
    int before = item / splats * (columns * rows);
    Tiles box = tiles_of(e, columns, rows);
    for (int row = box.top; row <= box.bottom; row++)
        for (int column = box.left; column <= box.right; column++)
            if (next < end && touches(e, column, row)) {
                tiles[next] = before + row * columns + column;
                owners[next++] = item;
            }
    for (; next < end; next++) tiles[next] = before + box.top * columns + box.left, owners[next] = item;
}

// One block for each tile of each view, one thread for each pixel. Writes colours on black and the light left from
// behind; with checkpoints also, before each bucket of a tile, both as they are there, and how many ellipses a pixel
// has blended when it is opaque.
extern "C" __global__ void blend(int columns, int rows, int width, int height, const int *starts, const int *members,
                                 const Ellipse *ellipses, float *colours, float *lights, const int *buckets,
                                 float4 *checkpoints, int *blended) {
    __shared__ Ellipse batch[PIXELS];
    int tile = blockIdx.x, pixel = threadIdx.x;
    int within = tile % (columns * rows), view = tile / (columns * rows);
    int column = within % columns * TILE + pixel % TILE, row = within / columns * TILE + pixel / TILE;
    bool is_inside = column < width && row < height, is_done = !is_inside;
    float x = column + 0.5f, y = row + 0.5f, light = 1, r = 0, g = 0, b = 0;
    int begin = starts[tile], end = starts[tile + 1], last = 0;
    for (int first = begin; first < end; first += PIXELS) {
        if (__syncthreads_and(is_done)) break;
        if (first + pixel < end) batch[pixel] = ellipses[members[first + pixel]];
        __syncthreads();
        int count = min(PIXELS, end - first);
        for (int i = 0; i < count; i++) {
            if (checkpoints && i % BUCKET == 0)
                checkpoints[(buckets[tile] + (first - begin + i) / BUCKET) * (long long)PIXELS + pixel] =
                    make_float4(light, r, g, b);
            if (is_done) continue;
            const Ellipse &e = batch[i];
            float alpha = alpha_at(e, x - e.mean[0], y - e.mean[1]);
            if (alpha == 0) continue;
            float weight = alpha * light;
            r += weight * e.colour[0], g += weight * e.colour[1], b += weight * e.colour[2];
            light *= 1 - alpha;
            last = first - begin + i + 1;
            is_done = light < OPAQUE;
        }
    }
    if (!is_inside) return;
    long long place = ((long long)view * height + row) * width + column;
    colours[3 * place] = r, colours[3 * place + 1] = g, colours[3 * place + 2] = b;
    lights[place] = light;
    if (checkpoints) blended[place] = last;
}
