// CUDA's threads on a CPU, one after the other: each is a coroutine that goes on where all of its block, or warp, wait.
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __shared__ static

using std::max;
using std::min;

struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct Index { int x; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int __float_as_int(float value) { int bits; memcpy(&bits, &value, 4); return bits; }
inline float __int_as_float(int bits) { float value; memcpy(&value, &bits, 4); return value; }
inline float rsqrtf(float value) { return 1 / sqrtf(value); }

static Index threadIdx, blockIdx, blockDim;

// Threads that wait for each other, each with a number to tell the others.
struct Group {
    int members = 0, arrived = 0, round = 0;
    std::vector<double> numbers, told;
};

static ucontext_t scheduler;
static std::vector<ucontext_t> threads;
static std::vector<char> is_over;
static std::vector<Group> warps;
static Group block;
static int current;
static std::function<void()> *kernel;

static void give_way() {
    int self = current;
    swapcontext(&threads[self], &scheduler);
    threadIdx.x = self;
}

static void release(Group &group) {
    if (group.members && group.arrived == group.members) group.arrived = 0, group.round++, group.told = group.numbers;
}

// Wait for the others of a group; afterwards, until all of them meet again, `told` has everybody's number.
static void meet(Group &group, int place, double number) {
    group.numbers[place] = number;
    int round = group.round;
    group.arrived++;
    release(group);
    while (group.round == round) give_way();
}

static void __syncthreads() { meet(block, current, 0); }

static void __syncwarp() { meet(warps[current / 32], current % 32, 0); }

static int __syncthreads_and(int value) {
    meet(block, current, value != 0);
    bool all = true;
    for (size_t i = 0; i < threads.size(); i++) all = all && (is_over[i] || block.told[i] != 0);
    return all;
}

static float __shfl_up_sync(unsigned, float value, int distance) {
    Group &warp = warps[current / 32];
    int lane = current % 32;
    meet(warp, lane, value);
    return lane < distance ? value : (float)warp.told[lane - distance];
}

static int __any_sync(unsigned, int value) {
    Group &warp = warps[current / 32];
    meet(warp, current % 32, value != 0);
    return std::any_of(warp.told.begin(), warp.told.end(), [](double number) { return number != 0; });
}

static void run_thread() {
    threadIdx.x = current;
    (*kernel)();
    is_over[current] = true;
    for (Group *group : {&block, &warps[current / 32]}) group->members--, release(*group);
    swapcontext(&threads[current], &scheduler);
}

static void run_blocks(int blocks, int size, std::function<void()> body) {
    const size_t STACK = 1 << 16;
    std::vector<char> stacks(STACK * size);
    kernel = &body;
    blockDim.x = size;
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
        threads.assign(size, {}), is_over.assign(size, false);
        warps.assign((size + 31) / 32, {});
        block = {size, 0, 0, std::vector<double>(size), {}};
        for (auto &warp : warps) warp.numbers.assign(32, 0);
        for (int i = 0; i < size; i++) {
            warps[i / 32].members++;
            getcontext(&threads[i]);
            threads[i].uc_stack.ss_sp = stacks.data() + STACK * i, threads[i].uc_stack.ss_size = STACK;
            makecontext(&threads[i], run_thread, 0);
        }
        for (int left = size; left;)
            for (current = 0; current < size; current++) {
                if (is_over[current]) continue;
                threadIdx.x = current;
                swapcontext(&scheduler, &threads[current]);
                left -= is_over[current];
            }
    }
}
