/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest whole program: opens a model, streams an answer.
 *   cc minimal.c $(pkg-config --cflags --libs inlay) -o minimal && ./minimal model.gguf "Once upon a time"
 */
#include <inlay/inlay.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    inlay_error err;
    inlay_runtime *rt = NULL;
    inlay_model *model = NULL;
    inlay_engine *engine = NULL;
    inlay_request *req = NULL;
    inlay_status st;
    if (argc != 3) {
        fprintf(stderr, "usage: minimal MODEL PROMPT\n");
        return 2;
    }
    inlay_model_info info;
    inlay_engine_params ep;
    inlay_request_params rp;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.max_requests = 1;
    inlay_request_params_init(&rp, sizeof rp);
    rp.max_tokens = 64;

    st = inlay_runtime_create(NULL, &rt, &err);
    if (st == INLAY_OK) st = inlay_model_open(rt, argv[1], strlen(argv[1]), NULL, &model, &err);
    if (st == INLAY_OK) st = inlay_model_get_info(model, &info, &err);
    if (info.n_ctx > 1024) ep.n_ctx = 1024; /* a cache for this answer, not for the model's whole context */
    if (st == INLAY_OK) st = inlay_engine_create(model, &ep, &engine, &err);
    if (st == INLAY_OK) st = inlay_request_submit_text(engine, argv[2], strlen(argv[2]), &rp, &req, &err);
    while (st >= 0) {
        inlay_event ev;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        st = inlay_request_poll(req, &ev, &err);
        if (st == INLAY_DONE) break;
        if (st == INLAY_AGAIN) st = inlay_engine_step(engine, 0, &err);
        else if (st == INLAY_OK) fwrite(ev.text, 1, (size_t)ev.n_text, stdout);
    }
    printf("\n");
    if (st < 0) fprintf(stderr, "%s: %s\n", inlay_status_name(st), err.message);
    inlay_request_free(req); /* in any order */
    inlay_engine_free(engine);
    inlay_model_free(model);
    inlay_runtime_free(rt);
    return st < 0;
}
