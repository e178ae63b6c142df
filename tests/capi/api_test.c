/* SPDX-License-Identifier: Apache-2.0 */
/* The C API as a C99 program sees it: include/inlay and nothing else. argv[1] is the toy model, argv[2] the one with marks of tool calls. */
#include <inlay/inlay.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
#define CHECK(x)                                                     \
    do {                                                             \
        if (!(x)) {                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #x);           \
            ++failures;                                              \
        }                                                            \
    } while (0)

/* Counts what the library holds, and can fail the n-th allocation. */
struct counter {
    long live, calls, fail_at;
    int fail_on;
};
static void *counted_alloc(void *user, size_t bytes, size_t align) {
    struct counter *c = user;
    void *p = NULL;
    ++c->calls;
    if (c->fail_at && (c->calls == c->fail_at || (c->fail_on && c->calls > c->fail_at))) return NULL;
    if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, bytes)) return NULL;
    ++c->live;
    return p;
}
static void counted_free(void *user, void *ptr, size_t bytes, size_t align) {
    struct counter *c = user;
    (void)bytes;
    (void)align;
    --c->live;
    free(ptr);
}

static inlay_status open_all(struct counter *c, const char *path, inlay_runtime **rt, inlay_model **model, inlay_engine **engine, inlay_error *err) {
    inlay_allocator a;
    inlay_runtime_params rp;
    inlay_engine_params ep;
    inlay_status st;
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.user = c;
    a.alloc = counted_alloc;
    a.free = counted_free;
    inlay_runtime_params_init(&rp, sizeof rp);
    rp.executor_kind = INLAY_EXECUTOR_CALLER;
    if (c) rp.allocator = &a;
    *rt = NULL;
    *model = NULL;
    *engine = NULL;
    st = inlay_runtime_create(&rp, rt, err);
    if (st == INLAY_OK) st = inlay_model_open(*rt, path, strlen(path), NULL, model, err);
    inlay_engine_params_init(&ep, sizeof ep);
    ep.n_ctx = 64;
    ep.max_requests = 2;
    ep.max_batch_tokens = 32;
    if (st == INLAY_OK) st = inlay_engine_create(*model, &ep, engine, err);
    return st;
}

static inlay_status generate(inlay_engine *engine, uint64_t seed, float temperature, int32_t *ids, int *n_ids, inlay_error *err) {
    inlay_request_params p;
    inlay_sampling_params s;
    inlay_request *req = NULL;
    inlay_status st;
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params_init(&s, sizeof s);
    s.seed = seed;
    s.temperature = temperature;
    p.sampling = &s;
    p.max_tokens = 12;
    p.flags = INLAY_REQUEST_IGNORE_EOS;
    *n_ids = 0;
    st = inlay_request_submit_text(engine, "abc def", 7, &p, &req, err);
    while (st >= 0) {
        inlay_event ev;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        st = inlay_request_poll(req, &ev, err);
        if (st == INLAY_DONE) break;
        if (st == INLAY_AGAIN) st = inlay_engine_step(engine, 0, err);
        else if (st == INLAY_OK && ev.kind == INLAY_EVENT_TOKEN && *n_ids < 12) ids[(*n_ids)++] = ev.token;
        else if (st == INLAY_OK && ev.kind == INLAY_EVENT_FINISH && ev.finish == INLAY_FINISH_ERROR) st = INLAY_E_OUT_OF_MEMORY;
    }
    inlay_request_free(req);
    return st;
}

static void test_roundtrip(const char *path) {
    struct counter c = {0, 0, 0, 0};
    inlay_error err;
    inlay_runtime *rt;
    inlay_model *model;
    inlay_engine *engine;
    inlay_tokenizer *tok = NULL;
    int32_t a[12], b[12], ids[16];
    int na, nb;
    size_t n = 16;
    char text[64];
    CHECK(open_all(&c, path, &rt, &model, &engine, &err) == INLAY_OK);
    CHECK(generate(engine, 7, 0.9f, a, &na, &err) == INLAY_DONE);
    CHECK(generate(engine, 7, 0.9f, b, &nb, &err) == INLAY_DONE);
    CHECK(na == 12 && nb == 12 && memcmp(a, b, sizeof a) == 0);
    CHECK(generate(engine, 8, 0.9f, b, &nb, &err) == INLAY_DONE);
    CHECK(memcmp(a, b, sizeof a) != 0);

    inlay_model_info info;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    CHECK(inlay_model_get_info(model, &info, &err) == INLAY_OK);
    CHECK(info.n_layers == 2 && info.n_embd == 64 && info.n_vocab == 512 && strcmp(info.architecture, "llama") == 0);
    CHECK(info.weights_bytes > 0 && info.has_tokenizer == 1);
    /* two layers of q 64x64, k and v 64x32, o 64x64 and three of 64x128; the head 64x512, all f32 */
    CHECK(info.layer_weights_per_token == 73728 && info.step_bytes == (73728 + 64 * 512) * 4);

    CHECK(inlay_model_get_tokenizer(model, &tok, &err) == INLAY_OK);
    CHECK(inlay_tokenizer_encode(tok, "abc", 3, INLAY_ENCODE_ADD_SPECIAL, ids, NULL, &n, &err) == INLAY_OK);
    CHECK(n >= 2 && ids[0] == 1);
    size_t room = sizeof text;
    CHECK(inlay_tokenizer_decode(tok, ids, n, INLAY_DECODE_SKIP_SPECIAL, text, &room, &err) == INLAY_OK);
    CHECK(room == 3 && memcmp(text, "abc", 3) == 0);
    n = 1;
    CHECK(inlay_tokenizer_encode(tok, "abc", 3, 0, ids, NULL, &n, &err) == INLAY_E_LIMIT && n > 1);
    CHECK(strlen(err.message) > 10);
    ids[0] = -1;
    room = sizeof text;
    CHECK(inlay_tokenizer_decode(tok, ids, 1, 0, text, &room, &err) == INLAY_E_INVALID_ARGUMENT);

    inlay_score *score = NULL;
    int32_t in[3] = {1, 260, 261};
    inlay_score_row row;
    memset(&row, 0, sizeof row);
    row.struct_size = sizeof row;
    CHECK(inlay_score_create(engine, in, 3, 0, &score, &err) == INLAY_OK);
    for (int i = 0; i < 3; ++i) CHECK(inlay_score_read(score, &row, NULL, 0, &err) == INLAY_OK && row.index == (uint64_t)i);
    CHECK(inlay_score_read(score, &row, NULL, 0, &err) == INLAY_DONE);
    inlay_score_free(score);

    inlay_runtime_free(rt); /* parents first: children keep them */
    inlay_model_free(model);
    CHECK(generate(engine, 7, 0.9f, b, &nb, &err) == INLAY_DONE);
    CHECK(memcmp(a, b, sizeof a) == 0);
    inlay_engine_free(engine);
    CHECK(c.live > 0);
    inlay_tokenizer_free(tok);
    CHECK(c.live == 0);
}

static void test_arguments(const char *path) {
    inlay_error err;
    inlay_runtime *rt = NULL;
    inlay_model *model = (inlay_model *)&err;
    inlay_runtime_params p;
    struct {
        inlay_runtime_params p;
        char tail[16];
    } longer;
    CHECK(inlay_runtime_create(NULL, NULL, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(inlay_runtime_create(NULL, NULL, NULL) == INLAY_E_INVALID_ARGUMENT);
    inlay_runtime_params_init(&p, sizeof p);
    p.struct_size = 0;
    CHECK(inlay_runtime_create(&p, &rt, &err) == INLAY_E_INVALID_ARGUMENT);
    memset(&longer, 0, sizeof longer);
    inlay_runtime_params_init(&longer.p, sizeof longer.p);
    longer.p.struct_size = sizeof longer;
    longer.p.executor_kind = INLAY_EXECUTOR_CALLER;
    longer.tail[3] = 1;
    CHECK(inlay_runtime_create(&longer.p, &rt, &err) == INLAY_E_UNSUPPORTED);
    longer.tail[3] = 0;
    CHECK(inlay_runtime_create(&longer.p, &rt, &err) == INLAY_OK);
    p.struct_size = 8; /* an old caller: fields beyond are the defaults */
    p.n_threads = 1;
    inlay_runtime *old = NULL;
    CHECK(inlay_runtime_create(&p, &old, &err) == INLAY_OK);
    inlay_runtime_free(old);
    inlay_runtime_params_init(&p, sizeof p);
    p.flags = 2;
    CHECK(inlay_runtime_create(&p, &old, &err) == INLAY_E_INVALID_ARGUMENT);
    p.flags = INLAY_RUNTIME_BLAS; /* there, or refused by name */
    old = NULL;
    inlay_status st = inlay_runtime_create(&p, &old, &err);
    CHECK(st == INLAY_OK || (st == INLAY_E_UNSUPPORTED && strstr(err.message, "openblas")));
    inlay_runtime_free(old);
    inlay_runtime_params_init(&p, sizeof p);
    p.cpu_tier = 77;
    CHECK(inlay_runtime_create(&p, &old, &err) == INLAY_E_INVALID_ARGUMENT);
    p.cpu_tier = 0;
    p.n_threads = 1000000;
    CHECK(inlay_runtime_create(&p, &old, &err) == INLAY_E_INVALID_ARGUMENT);

    CHECK(inlay_model_open(rt, NULL, 5, NULL, &model, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(model == (inlay_model *)&err); /* untouched */
    CHECK(inlay_model_open(rt, "/nonexistent", 12, NULL, &model, &err) == INLAY_E_NOT_FOUND);
    CHECK(inlay_model_open((inlay_runtime *)&longer, path, strlen(path), NULL, &model, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(inlay_model_open_memory(rt, "GGUF", 4, NULL, &model, &err) == INLAY_E_FORMAT);
    CHECK(strncmp(err.message, "truncated:", 10) == 0);
    inlay_model_free(NULL);
    inlay_engine_free(NULL);
    inlay_request_free(NULL);
    inlay_request_cancel(NULL);
    CHECK(strcmp(inlay_status_name(INLAY_E_BUSY), "INLAY_E_BUSY") == 0);
    CHECK(inlay_abi_version() == INLAY_ABI_VERSION);
    inlay_runtime_free(rt);
}

static void test_requests(const char *path) {
    inlay_error err;
    inlay_runtime *rt;
    inlay_model *model;
    inlay_engine *engine;
    inlay_request *req = NULL;
    inlay_request_params p;
    inlay_sampling_params s;
    int32_t bad = 512, good = 5;
    CHECK(open_all(NULL, path, &rt, &model, &engine, &err) == INLAY_OK);
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params_init(&s, sizeof s);
    p.sampling = &s;
    CHECK(inlay_request_submit(engine, &bad, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(inlay_request_submit(engine, &good, 0, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT);
    s.temperature = -1;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "temperature"));
    inlay_sampling_params_init(&s, sizeof s);
    s.top_p = 2;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "top_p"));
    inlay_sampling_params_init(&s, sizeof s);
    {
        const inlay_string order[] = {{"top_k", 5}, {"temperature", 11}, {"top_k", 5}}, wrong = {"top_q", 5};
        s.samplers = order;
        s.n_samplers = 3;
        CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "top_k is named twice"));
        s.samplers = &wrong;
        s.n_samplers = 1;
        CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "'top_q'") &&
              strstr(err.message, "penalties, dry, top_n_sigma"));
        s.samplers = NULL;
        CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "samplers"));
        s.n_samplers = 12;
        CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "n_samplers 12"));
        s.samplers = order;
        s.n_samplers = 2;
        s.flags = INLAY_SAMPLING_TEMPERATURE_FIRST;
        CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "TEMPERATURE_FIRST"));
    }
    inlay_sampling_params_init(&s, sizeof s);
    p.max_tokens = 1000;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_LIMIT);
    p.max_tokens = 4;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_OK);
    inlay_request_cancel(req);
    inlay_request_cancel(req);
    int finish = 0;
    for (int i = 0; i < 20 && !finish; ++i) {
        inlay_event ev;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        inlay_status st = inlay_request_poll(req, &ev, &err);
        if (st == INLAY_AGAIN) CHECK(inlay_engine_step(engine, 0, &err) >= 0);
        if (st == INLAY_OK && ev.kind == INLAY_EVENT_FINISH) finish = ev.finish;
    }
    CHECK(finish == INLAY_FINISH_CANCELLED);
    inlay_request_free(req);

    /* The host samples. */
    p.flags = INLAY_REQUEST_HOST_SAMPLER;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_OK);
    int given = 0, tokens = 0, done = 0;
    for (int i = 0; i < 100 && !done; ++i) {
        inlay_event ev;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        inlay_status st = inlay_request_poll(req, &ev, &err);
        if (st == INLAY_AGAIN) CHECK(inlay_engine_step(engine, 0, &err) >= 0);
        if (st == INLAY_DONE) done = 1;
        if (st != INLAY_OK) continue;
        if (ev.kind == INLAY_EVENT_NEEDS_TOKEN) {
            float logits[512];
            size_t n = 512;
            CHECK(inlay_request_get_logits(req, logits, &n, &err) == INLAY_OK && n == 512);
            CHECK(inlay_request_set_token(req, 300 + given, &err) == INLAY_OK);
            ++given;
        }
        if (ev.kind == INLAY_EVENT_TOKEN) CHECK(ev.token == 300 + tokens++);
    }
    CHECK(done && given == 4 && tokens == 4);
    CHECK(inlay_request_set_token(req, 1, &err) == INLAY_E_STATE);
    inlay_request_free(req);

    /* The best of several draws, and beams: handed out best first, once all is over. */
    for (int beams = 0; beams < 2; ++beams) {
        double sum[2] = {0, 0};
        int n[2] = {0, 0};
        inlay_status st;
        p.flags = INLAY_REQUEST_IGNORE_EOS;
        p.n = 2;
        p.want_logprobs = 1;
        p.best_of = beams ? 0 : 4;
        p.beam_width = beams ? 4 : 0;
        CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_OK);
        while ((st = inlay_engine_step(engine, 0, &err)) == INLAY_OK || st == INLAY_AGAIN) continue;
        for (unsigned i = 0; i < 2; ++i) {
            inlay_request *choice = NULL;
            inlay_event ev;
            memset(&ev, 0, sizeof ev);
            ev.struct_size = sizeof ev;
            CHECK(inlay_request_get_choice(req, i, &choice, &err) == INLAY_OK);
            while (inlay_request_poll(choice, &ev, &err) == INLAY_OK)
                if (ev.kind == INLAY_EVENT_TOKEN) sum[i] += ev.logprob, ++n[i];
            inlay_request_free(choice);
        }
        CHECK(n[0] == 4 && n[1] == 4 && sum[0] < 0 && sum[0] >= sum[1]);
        inlay_request_free(req);
    }
    p.n = 5;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "beam_width"));
    p.n = 1;
    p.early_stopping = 3;
    CHECK(inlay_request_submit(engine, &good, 1, &p, &req, &err) == INLAY_E_INVALID_ARGUMENT && strstr(err.message, "early_stopping"));
    inlay_engine_free(engine);
    inlay_model_free(model);
    inlay_runtime_free(rt);
}

/* A conversation under a template of the request's own: kinds of events and what was in them. */
struct answer {
    char content[512], reasoning[512], name[64], arguments[512];
    int finish, calls;
    unsigned prompt_tokens, completion_tokens;
};
static inlay_status chat(inlay_engine *engine, const char *json, uint64_t seed, uint32_t max_tokens, const inlay_constraint *constraint, struct answer *a,
                         inlay_error *err) {
    inlay_request_params p;
    inlay_sampling_params s;
    inlay_request *req = NULL;
    inlay_request_info info;
    inlay_status st;
    memset(a, 0, sizeof *a);
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params_init(&s, sizeof s);
    s.seed = seed;
    p.sampling = &s;
    p.max_tokens = max_tokens;
    p.constraint = constraint;
    st = inlay_request_submit_messages(engine, json, strlen(json), &p, &req, err);
    while (st >= 0) {
        inlay_event ev;
        char *to = NULL;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        st = inlay_request_poll(req, &ev, err);
        if (st == INLAY_DONE) break;
        if (st == INLAY_AGAIN) {
            st = inlay_engine_step(engine, 0, err);
            continue;
        }
        if (ev.kind == INLAY_EVENT_CONTENT || ev.kind == INLAY_EVENT_TOKEN) to = a->content;
        if (ev.kind == INLAY_EVENT_REASONING) to = a->reasoning;
        if (ev.kind == INLAY_EVENT_TOOL_CALL) to = a->name;
        if (ev.kind == INLAY_EVENT_TOOL_ARGUMENTS) to = a->arguments;
        if (to && ev.n_text && strlen(to) + ev.n_text < 64) strncat(to, ev.text, (size_t)ev.n_text);
        if (ev.kind == INLAY_EVENT_TOOL_END) ++a->calls;
        if (ev.kind == INLAY_EVENT_FINISH) a->finish = ev.finish;
    }
    if (req) {
        memset(&info, 0, sizeof info);
        info.struct_size = sizeof info;
        CHECK(inlay_request_get_info(req, &info, err) == INLAY_OK);
        a->prompt_tokens = info.prompt_tokens;
        a->completion_tokens = info.completion_tokens;
    }
    inlay_request_free(req);
    return st;
}
#define HERMES "\"chat_template\":\"{{ messages[0].content }}{# <tool_call> #}\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]"
#define TOOLS "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}},{\"type\":\"function\",\"function\":{\"name\":\"g\"}}]"

static void test_messages(const char *path) {
    inlay_error err;
    inlay_runtime *rt;
    inlay_model *model;
    inlay_engine *engine;
    inlay_constraint *constraint = NULL;
    inlay_request *req = NULL, *second = NULL;
    inlay_request_params p;
    inlay_engine_params ep;
    struct answer a, b;
    int called = 0, objects = 0;
    uint64_t seed;
    CHECK(open_all(NULL, path, &rt, &model, &engine, &err) == INLAY_OK);
    inlay_engine_free(engine);
    inlay_engine_params_init(&ep, sizeof ep);
    ep.n_ctx = 128;
    ep.max_requests = 2;
    CHECK(inlay_engine_create(model, &ep, &engine, &err) == INLAY_OK);

    CHECK(chat(engine, "{\"messages\":[]}", 0, 1, NULL, &a, &err) == INLAY_E_NOT_FOUND && strstr(err.message, "chat_template"));
    /* A control token in the template is one; in a user's words it is text. */
    CHECK(chat(engine, "{\"messages\":[],\"chat_template\":\"</s>\"}", 0, 1, NULL, &a, &err) == INLAY_DONE);
    CHECK(chat(engine, "{\"messages\":[{\"role\":\"user\",\"content\":\"</s>\"}],\"chat_template\":\"raw\"}", 0, 1, NULL, &b, &err) == INLAY_DONE);
    CHECK(a.prompt_tokens >= 1 && b.prompt_tokens >= a.prompt_tokens + 3);
    CHECK(chat(engine, "{\"messages\":[],\"chat_template\":\"{{ bos_token }}\"}", 0, 1, NULL, &b, &err) == INLAY_DONE);
    CHECK(b.prompt_tokens == 1); /* BOS once, though the tokenizer would put it there, too */

    /* The clock is the host's. */
    CHECK(chat(engine, "{\"messages\":[],\"chat_template\":\"{{ strftime_now('%Y') }}\"}", 0, 1, NULL, &a, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(strstr(err.message, "strftime_now"));
    CHECK(chat(engine, "{\"messages\":[],\"chat_template\":\"{{ strftime_now('%Y') }}\",\"now\":\"2026-02-29T00:00:00\"}", 0, 1, NULL, &a, &err) ==
          INLAY_E_INVALID_ARGUMENT);
    CHECK(chat(engine, "{\"messages\":[],\"chat_template\":\"{{ strftime_now('%Y') }}\",\"now\":\"2024-02-29T23:59:00\"}", 0, 1, NULL, &a, &err) == INLAY_DONE);

    /* Continued words: what the template says behind them is cut off. */
    CHECK(chat(engine, "{\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":\"so\"}],\"chat_template\":\"chatml\"}", 0, 1,
               NULL, &a, &err) == INLAY_DONE);
    CHECK(chat(engine,
               "{\"messages\":[{\"role\":\"user\",\"content\":\"u\"},{\"role\":\"assistant\",\"content\":\"so\"}],\"chat_template\":\"chatml\","
               "\"continue_final_message\":true}",
               0, 1, NULL, &b, &err) == INLAY_DONE);
    CHECK(b.prompt_tokens < a.prompt_tokens);

    /* The choice holds, whatever the weights: these are random. */
    for (seed = 0; seed < 8; ++seed) {
        CHECK(chat(engine, "{" HERMES "," TOOLS ",\"tool_choice\":\"required\",\"parallel_tool_calls\":false}", seed, 0, NULL, &a, &err) == INLAY_DONE);
        CHECK(a.content[0] == 0 && a.calls <= 1 && a.completion_tokens > 0);
        CHECK(a.calls ? a.finish == INLAY_FINISH_TOOL_CALLS || a.finish == INLAY_FINISH_LENGTH : a.finish == INLAY_FINISH_LENGTH);
        called += a.finish == INLAY_FINISH_TOOL_CALLS;
        CHECK(chat(engine, "{" HERMES "," TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}}", seed, 0, NULL, &a, &err) ==
              INLAY_DONE);
        CHECK(a.name[0] == 0 || a.name[0] == 'g');
        CHECK(chat(engine, "{" HERMES "," TOOLS ",\"tool_choice\":\"none\"}", seed, 20, NULL, &a, &err) == INLAY_DONE);
        CHECK(a.calls == 0 && a.name[0] == 0);
        CHECK(chat(engine, "{" HERMES ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":{\"enum\":[[],7]}}}}", seed, 40, NULL, &a,
                   &err) == INLAY_DONE);
        objects += a.finish == INLAY_FINISH_STOP && (strchr(a.content, '7') || strchr(a.content, '['));
        CHECK(a.calls == 0 && strpbrk(a.content, "abc{\"") == NULL);
    }
    CHECK(called > 0 && objects > 0);

    /* What is asked for is done or refused. */
    CHECK(chat(engine, "{" HERMES "," TOOLS ",\"tool_choice\":\"sometimes\"}", 0, 1, NULL, &a, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(strstr(err.message, "sometimes"));
    CHECK(chat(engine, "{" HERMES "," TOOLS ",\"tool_choice\":{\"type\":\"function\",\"name\":\"h\"}}", 0, 1, NULL, &a, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(strstr(err.message, "'h'"));
    CHECK(chat(engine, "{" HERMES ",\"tool_choice\":\"required\"}", 0, 1, NULL, &a, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(chat(engine, "{\"messages\":[],\"chat_template\":\"plain\"," TOOLS ",\"tool_choice\":\"required\"}", 0, 1, NULL, &a, &err) == INLAY_E_UNSUPPORTED);
    CHECK(chat(engine, "{" HERMES ",\"tools\":[{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"nullable\":true}}]}", 0, 1, NULL, &a, &err) ==
          INLAY_E_UNSUPPORTED);
    CHECK(strstr(err.message, "'f'") && strstr(err.message, "/nullable"));
    CHECK(chat(engine,
               "{" HERMES ",\"schema_options\":{\"waived\":[\"nullable\"]},"
               "\"tools\":[{\"name\":\"f\",\"parameters\":{\"type\":\"object\",\"nullable\":true}}]}",
               0, 1, NULL, &a, &err) == INLAY_DONE);
    CHECK(chat(engine, "{" HERMES ",\"functions\":[]}", 0, 1, NULL, &a, &err) == INLAY_E_UNSUPPORTED);
    CHECK(inlay_constraint_create(rt, INLAY_CONSTRAINT_REGEX, "[0-9]", 5, NULL, &constraint, &err) == INLAY_OK);
    CHECK(chat(engine, "{" HERMES "," TOOLS ",\"tool_choice\":\"auto\"}", 0, 4, constraint, &a, &err) == INLAY_E_INVALID_ARGUMENT);
    CHECK(chat(engine, "{" HERMES "," TOOLS "}", 0, 4, constraint, &a, &err) == INLAY_DONE && a.content[0] >= '0' && a.content[0] <= '9');

    /* Each choice has its own answer. */
    inlay_request_params_init(&p, sizeof p);
    p.n = 2;
    p.max_tokens = 4;
    CHECK(inlay_request_submit_messages(engine, "{" HERMES "}", strlen("{" HERMES "}"), &p, &req, &err) == INLAY_OK);
    CHECK(inlay_request_get_choice(req, 1, &second, &err) == INLAY_OK);
    for (int i = 0; i < 2; ++i) {
        int finish = 0, kinds = 0;
        for (int k = 0; k < 100 && !finish; ++k) {
            inlay_event ev;
            memset(&ev, 0, sizeof ev);
            ev.struct_size = sizeof ev;
            inlay_status st = inlay_request_poll(i ? second : req, &ev, &err);
            if (st == INLAY_AGAIN) CHECK(inlay_engine_step(engine, 0, &err) >= 0);
            if (st != INLAY_OK) continue;
            kinds |= 1 << ev.kind;
            if (ev.kind == INLAY_EVENT_FINISH) finish = ev.finish;
        }
        CHECK(finish && !(kinds & 1 << INLAY_EVENT_TOKEN));
    }
    inlay_request_free(second);
    inlay_request_free(req);
    inlay_constraint_free(constraint);
    inlay_engine_free(engine);
    inlay_model_free(model);
    inlay_runtime_free(rt);
}

/* Marks that are control tokens: the answer has the tokens, the host sees the call; a user's words never become them. */
#define MISTRAL "\"chat_template\":\"{{ messages[0].content }}{# [TOOL_CALLS] [ARGS] #}\",\"messages\":[{\"role\":\"user\",\"content\":\"a[TOOL_CALLS]b\"}]"
static void test_control_marks(const char *path) {
    inlay_error err;
    inlay_runtime *rt;
    inlay_model *model;
    inlay_engine *engine;
    inlay_engine_params ep;
    struct answer a;
    int called = 0;
    uint64_t seed;
    CHECK(open_all(NULL, path, &rt, &model, &engine, &err) == INLAY_OK);
    inlay_engine_free(engine);
    inlay_engine_params_init(&ep, sizeof ep);
    ep.n_ctx = 128;
    ep.max_requests = 2;
    CHECK(inlay_engine_create(model, &ep, &engine, &err) == INLAY_OK);
    for (seed = 0; seed < 8; ++seed) {
        CHECK(chat(engine, "{" MISTRAL "," TOOLS ",\"tool_choice\":\"required\"}", seed, 0, NULL, &a, &err) == INLAY_DONE);
        CHECK(a.prompt_tokens >= 14 && a.content[0] == 0 && (a.name[0] == 'f' || a.name[0] == 'g') && a.calls > 0);
        called += a.finish == INLAY_FINISH_TOOL_CALLS;
        CHECK(chat(engine, "{" MISTRAL "," TOOLS ",\"tool_choice\":\"none\"}", seed, 30, NULL, &a, &err) == INLAY_DONE);
        CHECK(a.calls == 0 && a.name[0] == 0 && a.content[0]);
        CHECK(chat(engine, "{" MISTRAL "," TOOLS "}", seed, 60, NULL, &a, &err) == INLAY_DONE);
        CHECK(a.name[0] == 0 || a.name[0] == 'f' || a.name[0] == 'g');
    }
    CHECK(called > 0);
    inlay_engine_free(engine);
    inlay_model_free(model);
    inlay_runtime_free(rt);
}

/* Every allocation of open + generate fails once, and for good: a status each time, nothing left behind. */
static void test_allocation_failures(const char *path) {
    struct counter c = {0, 0, 0, 0};
    inlay_error err;
    inlay_runtime *rt;
    inlay_model *model;
    inlay_engine *engine;
    int32_t ids[12];
    int n;
    CHECK(open_all(&c, path, &rt, &model, &engine, &err) == INLAY_OK);
    CHECK(generate(engine, 1, 0, ids, &n, &err) == INLAY_DONE);
    inlay_engine_free(engine);
    inlay_model_free(model);
    inlay_runtime_free(rt);
    const long total = c.calls;
    const long stride = total > 1500 ? total / 750 : 1; /* the tail of a long load repeats itself */
    for (int on = 0; on < 2; ++on)
        for (long i = 1; i <= total; i += i < 300 ? 1 : stride) {
            struct counter f = {0, 0, i, on};
            inlay_status st = open_all(&f, path, &rt, &model, &engine, &err);
            if (st == INLAY_OK) st = generate(engine, 1, 0, ids, &n, &err);
            if (st < 0) CHECK(st == INLAY_E_OUT_OF_MEMORY || st == INLAY_E_LIMIT);
            inlay_engine_free(engine);
            inlay_model_free(model);
            inlay_runtime_free(rt);
            if (f.live != 0) printf("allocation %ld of %ld (%s): %ld left\n", i, total, on ? "for good" : "once", f.live);
            CHECK(f.live == 0);
        }
    printf("%ld allocations failed in turn\n", total);
}

/* A sidecar pack: written by the first opening, used by the second, the same answers. */
static void test_pack(const char *path) {
    char pack[1024];
    int32_t ids[3][12];
    int n[3];
    inlay_error err;
    CHECK(snprintf(pack, sizeof pack, "%s.api-test.pack", path) < (int)sizeof pack);
    remove(pack);
    for (int i = 0; i < 3; ++i) { /* without, writing, mapped */
        inlay_runtime *rt;
        inlay_model *model = NULL;
        inlay_engine *engine = NULL;
        inlay_model_params mp;
        inlay_engine_params ep;
        CHECK(inlay_runtime_create(NULL, &rt, &err) == INLAY_OK);
        inlay_model_params_init(&mp, sizeof mp);
        if (i > 0) {
            mp.pack.data = pack;
            mp.pack.size = strlen(pack);
        }
        CHECK(inlay_model_open(rt, path, strlen(path), &mp, &model, &err) == INLAY_OK);
        inlay_engine_params_init(&ep, sizeof ep);
        ep.n_ctx = 64;
        CHECK(inlay_engine_create(model, &ep, &engine, &err) == INLAY_OK);
        CHECK(generate(engine, 1, 0, ids[i], &n[i], &err) == INLAY_DONE);
        CHECK(n[i] == n[0] && memcmp(ids[i], ids[0], sizeof(int32_t) * (size_t)n[0]) == 0);
        mp.pack.data = path; /* a model is no pack, and stays what it is */
        mp.pack.size = strlen(path);
        inlay_model *other = NULL;
        CHECK(inlay_model_open(rt, path, strlen(path), &mp, &other, &err) == INLAY_E_FORMAT);
        inlay_engine_free(engine);
        inlay_model_free(model);
        inlay_runtime_free(rt);
    }
    CHECK(remove(pack) == 0);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    test_arguments(argv[1]);
    test_roundtrip(argv[1]);
    test_requests(argv[1]);
    test_messages(argv[1]);
    test_control_marks(argv[2]);
    test_pack(argv[1]);
    test_allocation_failures(argv[1]);
    printf("%d failures\n", failures);
    return failures != 0;
}
