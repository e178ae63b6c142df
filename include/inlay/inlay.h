/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file inlay.h
 * The whole C API. A language model inside your program, in five nouns:
 *
 *   runtime  threads, kernels, memory: one per host program          runtime.h
 *   model    weights packed for this CPU, tokenizer: shared           model.h tokenizer.h
 *   engine   KV cache and scheduler: runs requests in batches         engine.h
 *   request  a prompt and its answer, polled                          request.h sampling.h constraint.h
 *   text     templates, constraints, parsers: usable alone            template.h constraint.h parser.h
 *
 * A program (error handling left out; examples/minimal.c is the whole of it):
 *
 *   inlay_runtime *rt;  inlay_model *model;  inlay_engine *engine;  inlay_request *req;
 *   inlay_runtime_create(NULL, &rt, &err);
 *   inlay_model_open(rt, path, strlen(path), NULL, &model, &err);
 *   inlay_engine_create(model, NULL, &engine, &err);
 *   inlay_request_submit_text(engine, "Once upon a time", 16, NULL, &req, &err);
 *   inlay_event ev = {.struct_size = sizeof ev};
 *   for (;;) {
 *       inlay_status st = inlay_request_poll(req, &ev, &err);
 *       if (st == INLAY_AGAIN) st = inlay_engine_step(engine, 0, &err);
 *       else if (st == INLAY_OK) fwrite(ev.text, 1, ev.n_text, stdout);
 *       if (st < 0 || st == INLAY_DONE) break;
 *   }
 *
 * What holds everywhere: the library never aborts, exits, prints, reads the environment, installs signal handlers or
 * touches process-wide state; results are bit-identical whatever the batch, the threads, the cache and the CPU tier;
 * every failure is a status with one line that names the value and the limit. common.h has the fixed words.
 */
#ifndef INLAY_INLAY_H
#define INLAY_INLAY_H

#include "common.h"
#include "constraint.h"
#include "engine.h"
#include "file.h"
#include "model.h"
#include "parser.h"
#include "request.h"
#include "runtime.h"
#include "sampling.h"
#include "template.h"
#include "tokenizer.h"
#include "version.h"

#endif /* INLAY_INLAY_H */
