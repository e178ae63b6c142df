/* SPDX-License-Identifier: Apache-2.0 */
/* What the scheduler promises through the C API: preempted requests keep their answer, with and without a swap.
   argv[1] is the toy model. */
#include <inlay/inlay.h>
#include <stdio.h>
#include <string.h>

static int failures;
#define CHECK(x)                                                     \
    do {                                                             \
        if (!(x)) {                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #x);           \
            ++failures;                                              \
        }                                                            \
    } while (0)

static inlay_runtime *rt;
static inlay_model *model;
static inlay_error err;

static inlay_engine *open_engine(uint64_t kv_bytes, uint64_t swap_bytes) {
    inlay_engine_params p;
    inlay_engine *e = NULL;
    inlay_engine_params_init(&p, sizeof p);
    p.n_ctx = 64;
    p.max_requests = 4;
    p.max_batch_tokens = 32;
    p.kv_bytes = kv_bytes;
    p.swap_bytes = swap_bytes;
    CHECK(inlay_engine_create(model, &p, &e, &err) == INLAY_OK);
    return e;
}

static inlay_engine_stats stats_of(const inlay_engine *e) {
    inlay_engine_stats s;
    memset(&s, 0, sizeof s);
    s.struct_size = sizeof s;
    CHECK(inlay_engine_get_stats(e, &s, &err) == INLAY_OK);
    return s;
}

static inlay_request *submit(inlay_engine *e, int32_t first, size_t n_prompt, uint32_t max_tokens) {
    inlay_request_params p;
    inlay_sampling_params s;
    inlay_request *r = NULL;
    int32_t ids[64];
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params_init(&s, sizeof s);
    s.temperature = 0;
    p.sampling = &s;
    p.max_tokens = max_tokens;
    p.flags = INLAY_REQUEST_IGNORE_EOS;
    for (size_t i = 0; i < n_prompt; ++i) ids[i] = first + (int32_t)i;
    CHECK(inlay_request_submit(e, ids, n_prompt, &p, &r, &err) == INLAY_OK);
    return r;
}

/* The tokens that are there; frees the request. */
static int take(inlay_request *r, int32_t *ids) {
    int n = 0;
    for (;;) {
        inlay_event ev;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        if (inlay_request_poll(r, &ev, &err) != INLAY_OK) break;
        if (ev.kind == INLAY_EVENT_TOKEN) ids[n++] = ev.token;
    }
    inlay_request_free(r);
    return n;
}

static void finish(inlay_engine *e) {
    while (inlay_engine_step(e, 0, &err) == INLAY_OK) {
    }
}

static void test_swap(uint64_t block) {
    int32_t want[2][40], got[40];
    for (int swap = -1; swap < 2; ++swap) { /* -1: room for both */
        inlay_engine *e = open_engine(swap < 0 ? 64 * block : 6 * block, swap > 0 ? 8 * block : 0);
        inlay_request *r[2];
        for (int i = 0; i < 2; ++i) r[i] = submit(e, 5 + 40 * i, 20, 40);
        finish(e);
        const inlay_engine_stats s = stats_of(e);
        for (int i = 0; i < 2; ++i) {
            CHECK(take(r[i], swap < 0 ? want[i] : got) == 40);
            if (swap >= 0) CHECK(memcmp(want[i], got, sizeof got) == 0);
        }
        CHECK((s.preempted > 0) == (swap >= 0));
        CHECK((s.swapped_out > 0) == (swap > 0));
        CHECK(s.n_swap_blocks == (swap > 0 ? 8u : 0u) && s.n_swap_blocks_free == s.n_swap_blocks);
        inlay_engine_free(e);
    }
    inlay_engine_params p;
    inlay_engine *e = NULL;
    inlay_engine_params_init(&p, sizeof p);
    p.n_ctx = 64;
    p.kv_bytes = 8 * block;
    p.swap_bytes = block / 2;
    CHECK(inlay_engine_create(model, &p, &e, &err) == INLAY_E_LIMIT && strstr(err.message, "swap_bytes"));
    p.swap_bytes = UINT64_MAX; /* over any cap */
    CHECK(inlay_engine_create(model, &p, &e, &err) < 0 && e == NULL);
}

static uint64_t sum(const uint64_t *buckets) {
    uint64_t n = 0;
    for (int i = 0; i < INLAY_TIME_BUCKETS; ++i) n += buckets[i];
    return n;
}

static void test_times(uint64_t block) {
    inlay_engine *e = open_engine(64 * block, 0);
    int32_t ids[40];
    inlay_engine_times t;
    inlay_request *r[3];
    memset(&t, 0, sizeof t);
    CHECK(inlay_engine_get_times(e, &t, &err) == INLAY_E_INVALID_ARGUMENT);
    t.struct_size = sizeof t;
    CHECK(inlay_engine_get_times(e, &t, &err) == INLAY_OK && sum(t.step) + sum(t.batch) + sum(t.token) == 0);
    for (int i = 0; i < 3; ++i) r[i] = submit(e, 5 + i, 10, 12);
    finish(e);
    for (int i = 0; i < 3; ++i) CHECK(take(r[i], ids) == 12);
    CHECK(inlay_engine_get_times(e, &t, &err) == INLAY_OK);
    const inlay_engine_stats s = stats_of(e);
    CHECK(sum(t.step) == s.steps && sum(t.batch) == s.steps);
    CHECK(sum(t.queue) == 3 && sum(t.first_token) == 3 && sum(t.token) == 33);
    /* What is counted adds up to no more than what was spent. */
    uint64_t least = 0;
    for (uint32_t b = 4; b < INLAY_TIME_BUCKETS; ++b) least += t.batch[b] * ((uint64_t)(4 + b % 4) << (b / 4 - 1));
    CHECK(least * 1000 <= s.step_ns);
    inlay_engine_free(e);
}

static void test_prefix(uint64_t block) {
    inlay_engine *e = open_engine(8 * block, 0); /* n_ctx is 4 blocks: 4 may be pinned */
    int32_t ids[70], got[40];
    uint32_t total = 0, held = 7;
    inlay_prefix *p = NULL, *q = NULL;
    for (int i = 0; i < 70; ++i) ids[i] = 5 + i;
    CHECK(inlay_prefix_create(e, ids, 15, 0, &p, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "15"));
    CHECK(inlay_prefix_create(e, ids, 0, 0, &p, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(inlay_prefix_create(NULL, ids, 40, 0, &p, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(inlay_prefix_create(e, ids, 40, 0, &p, &err) == INLAY_OK);
    CHECK(inlay_prefix_create(e, ids, 48, 0, &q, &err) == INLAY_E_LIMIT && strstr(err.message, "pinning 3 KV blocks beside 2"));
    CHECK(inlay_prefix_get_tokens(p, &total, &held, &err) == INLAY_OK && total == 32 && held == 0);
    /* One request computes it, then others pass through the whole cache. */
    for (int i = 0; i < 6; ++i) {
        inlay_request *r = submit(e, i == 0 ? 5 : 100 + 50 * i, 40, 20);
        finish(e);
        CHECK(take(r, got) == 20);
        CHECK(inlay_prefix_get_tokens(p, NULL, &held, &err) == INLAY_OK && held == 32);
    }
    CHECK(stats_of(e).n_blocks_pinned == 2);
    for (int round = 0; round < 2; ++round) { /* found while pinned; not when others passed after it was let go */
        inlay_request_info info;
        inlay_request *r = submit(e, 5, 40, 1);
        finish(e);
        memset(&info, 0, sizeof info);
        info.struct_size = sizeof info;
        CHECK(inlay_request_get_info(r, &info, &err) == INLAY_OK && info.cached_tokens == (round == 0 ? 32u : 0u));
        inlay_request_free(r);
        if (round == 0) inlay_prefix_free(p);
        for (int i = 0; i < 6; ++i) {
            r = submit(e, 120 + 50 * i, 40, 20);
            finish(e);
            CHECK(take(r, got) == 20);
        }
    }
    CHECK(stats_of(e).n_blocks_pinned == 0);
    CHECK(inlay_prefix_create(e, ids, 64, 0, &q, &err) == INLAY_OK);
    inlay_engine_free(e); /* a prefix may outlive its engine */
    CHECK(inlay_prefix_get_tokens(q, &total, NULL, &err) == INLAY_OK && total == 64);
    inlay_prefix_free(q);
    inlay_prefix_free(NULL);
}

int main(int argc, char **argv) {
    inlay_runtime_params rp;
    if (argc != 2) return 2;
    inlay_runtime_params_init(&rp, sizeof rp);
    rp.executor_kind = INLAY_EXECUTOR_CALLER;
    rp.memory_bytes = 256u << 20;
    CHECK(inlay_runtime_create(&rp, &rt, &err) == INLAY_OK);
    CHECK(inlay_model_open(rt, argv[1], strlen(argv[1]), NULL, &model, &err) == INLAY_OK);
    inlay_engine *probe = open_engine(1u << 22, 0);
    const uint64_t block = (1u << 22) / stats_of(probe).n_blocks;
    inlay_engine_free(probe);
    test_swap(block);
    test_times(block);
    test_prefix(block);
    inlay_model_free(model);
    inlay_runtime_free(rt);
    printf("%d failures\n", failures);
    return failures != 0;
}
