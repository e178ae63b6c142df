/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file runtime.h
 * A runtime is one host's set of resources: memory, files, threads, kernels, log. Nothing in inlay is global, so
 * several runtimes live side by side in one process. Everything opened in a runtime keeps it alive, so handles may be
 * freed in any order.
 */
#ifndef INLAY_RUNTIME_H
#define INLAY_RUNTIME_H

#include "common.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An opened runtime. */
typedef struct inlay_runtime inlay_runtime;

/** Kernel tiers, each including those before it in its family. Results are bit-identical on all of them. */
#define INLAY_TIER_AUTO 0
#define INLAY_TIER_SCALAR 1
#define INLAY_TIER_AVX2 2
#define INLAY_TIER_AVXVNNI 3
#define INLAY_TIER_AVX512 4
#define INLAY_TIER_AVX512VNNI 5
#define INLAY_TIER_NEON 6
#define INLAY_TIER_DOTPROD 7
#define INLAY_TIER_I8MM 8

/** Which threads do the work. */
#define INLAY_EXECUTOR_AUTO 0   /**< the built-in pool */
#define INLAY_EXECUTOR_POOL 1   /**< threads of the runtime's own, which sleep when idle */
#define INLAY_EXECUTOR_TBB 2    /**< a oneTBB arena of the runtime's own, in the process's shared TBB pool */
#define INLAY_EXECUTOR_HOST 3   /**< the host's job system, by inlay_executor */
#define INLAY_EXECUTOR_CALLER 4 /**< the calling thread alone: the library starts no thread */

#define INLAY_LOG_ERROR 1
#define INLAY_LOG_WARN 2
#define INLAY_LOG_INFO 3
#define INLAY_LOG_DEBUG 4

/**
 * The host's allocator. It serves weights, caches, scratch and every container of the library; not the insides of TBB,
 * OpenBLAS and simdjson. `alloc` returns NULL on failure; `align` is a power of two. Called from any thread, at once.
 */
typedef struct inlay_allocator {
    uint32_t struct_size;
    uint32_t reserved0;
    void *user;
    void *(*alloc)(void *user, size_t bytes, size_t align);
    void (*free)(void *user, void *ptr, size_t bytes, size_t align);
} inlay_allocator;

/**
 * The host's files. With it, every path given to this runtime goes to `open`; the library touches no file itself.
 * `open` sets a file handle of the host's choice and its size and returns INLAY_OK, or a negative status. `read` reads up
 * to `n` bytes at `offset` and returns how many (0 = end of file), or a negative status. Called from any thread, at once.
 */
typedef struct inlay_io {
    uint32_t struct_size;
    uint32_t reserved0;
    void *user;
    inlay_status (*open)(void *user, const char *path, size_t n_path, void **out_file, uint64_t *out_size);
    int64_t (*read)(void *user, void *file, uint64_t offset, void *dst, size_t n);
    void (*close)(void *user, void *file);
} inlay_io;

/**
 * The host's job system. `run` calls `task(ctx, i)` once for each i in [0, n), on any threads and in any order, and returns
 * 0 when all are done; anything else ends the step with INLAY_E_CANCELLED. Tasks never wait for each other. `width` is how
 * many tasks may run at once; more are held back.
 */
typedef struct inlay_executor {
    uint32_t struct_size;
    uint32_t width;
    void *user;
    int32_t (*run)(void *user, int64_t n, void (*task)(void *ctx, int64_t i), void *ctx);
} inlay_executor;

/** A line of the log. May be called from any thread, at once; must not call into the library. */
typedef void (*inlay_log_fn)(void *user, int32_t level, const char *text, size_t n_text);

/**
 * Products of f32 weights with 32 tokens or more go through OpenBLAS: other bits, which differ between CPUs and batches. Only a build
 * with the meson option `openblas` has it, elsewhere a runtime that asks is refused. Makes OpenBLAS run on its caller's
 * thread, a setting of the whole process; its memory is not counted.
 */
#define INLAY_RUNTIME_BLAS 1u

/** How a runtime is made. */
typedef struct inlay_runtime_params {
    uint32_t struct_size;             /**< set by inlay_runtime_params_init() */
    uint32_t n_threads;               /**< threads that compute, the caller's among them; 0 = physical cores within the cgroup quota */
    uint64_t memory_bytes;            /**< hard cap on what the allocator may hold; 0 = none */
    int32_t cpu_tier;                 /**< INLAY_TIER_*; one that this CPU lacks is INLAY_E_UNSUPPORTED */
    int32_t executor_kind;            /**< INLAY_EXECUTOR_* */
    const inlay_allocator *allocator; /**< NULL = malloc */
    const inlay_io *io;               /**< NULL = the operating system's files */
    const inlay_executor *executor;   /**< for INLAY_EXECUTOR_HOST, else NULL */
    inlay_log_fn log;                 /**< NULL = no log */
    void *log_user;                   /**< first argument of `log` */
    int32_t log_level;                /**< INLAY_LOG_*: the most talkative level to be given; 0 = INLAY_LOG_WARN */
    uint32_t flags;                   /**< INLAY_RUNTIME_* */
} inlay_runtime_params;

/** What a runtime is. */
typedef struct inlay_runtime_info {
    uint32_t struct_size;   /**< set by the caller */
    uint32_t n_threads;     /**< threads that compute */
    int32_t cpu_tier;       /**< the tier in use */
    int32_t executor_kind;  /**< the executor in use */
    uint64_t memory_used;   /**< bytes held now */
    uint64_t memory_peak;   /**< most bytes held at once */
    uint64_t memory_cap;    /**< the cap, 0 = none */
    uint64_t weights_bytes; /**< of memory_used: packed weights */
    uint64_t kv_bytes;      /**< of memory_used: KV caches */
    uint64_t scratch_bytes; /**< of memory_used: scratch of engines */
} inlay_runtime_info;

/**
 * Set every field to its default.
 *
 * @param params      The struct.
 * @param struct_size sizeof(*params) of the caller.
 * @owns    borrows params.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_runtime_params_init(inlay_runtime_params *params, size_t struct_size);

/**
 * Open a runtime: choose kernels, start its threads.
 *
 * @param params  How, or NULL for the defaults.
 * @param out_rt  Receives the runtime.
 * @param err     Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_UNSUPPORTED for a tier this CPU lacks, or an executor or OpenBLAS that this build lacks;
 *         INLAY_E_OUT_OF_MEMORY when a thread can't be started.
 * @owns    params, and the tables it points to: copies. out_rt: gives, free with inlay_runtime_free().
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_runtime_create(const inlay_runtime_params *params, inlay_runtime **out_rt, inlay_error *err);

/**
 * Give the handle back. The runtime itself ends when nothing opened in it is left; its threads end with it.
 *
 * @param rt The runtime, or NULL.
 * @owns    takes rt.
 * @threads any.
 * @since   0.1
 */
INLAY_API void inlay_runtime_free(inlay_runtime *rt);

/**
 * What the runtime is and holds.
 *
 * @param rt       The runtime.
 * @param out_info Receives the facts; its struct_size set by the caller.
 * @param err      Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_INVALID_ARGUMENT.
 * @owns    borrows.
 * @threads shared.
 * @since   0.1
 */
INLAY_API inlay_status inlay_runtime_get_info(const inlay_runtime *rt, inlay_runtime_info *out_info, inlay_error *err);

/**
 * The name of a tier as the command line knows it: "scalar", "avx2", ...; and the tier of a name.
 *
 * @param tier INLAY_TIER_*.
 * @return NUL-terminated text, or "?".
 * @owns    lends for ever.
 * @threads any.
 * @since   0.1
 */
INLAY_API const char *inlay_tier_name(int32_t tier);

/**
 * The tier that has a name.
 *
 * @param name     "auto", "scalar", "avx2", ...
 * @param n_name   Its bytes.
 * @param out_tier Receives INLAY_TIER_*.
 * @param err      Detail on failure, or NULL.
 * @return INLAY_OK; INLAY_E_NOT_FOUND.
 * @owns    borrows.
 * @threads any.
 * @since   0.1
 */
INLAY_API inlay_status inlay_tier_parse(const char *name, size_t n_name, int32_t *out_tier, inlay_error *err);

#ifdef __cplusplus
}
#endif

#endif /* INLAY_RUNTIME_H */
