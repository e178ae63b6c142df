// SPDX-License-Identifier: Apache-2.0
// inlay.hpp as a C++17 program sees it. argv[1] is the toy model.
#include <inlay/inlay.hpp>

#include <cstdio>

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    int bad = 0;
    auto check = [&](bool ok, const char *what) {
        if (!ok) std::printf("failed: %s\n", what), ++bad;
    };
    inlay_runtime_params rp;
    inlay_runtime_params_init(&rp, sizeof rp);
    rp.n_threads = 1;
    inlay::Runtime rt(&rp);
    inlay::Model model(rt, argv[1]);
    inlay::Tokenizer tok = model.tokenizer();
    check(tok.decode(tok.encode("hello there")) == "hello there", "round trip");
    inlay_engine_params ep;
    inlay_engine_params_init(&ep, sizeof ep);
    ep.n_ctx = 64;
    inlay::Engine engine(model, &ep);
    inlay_request_params p;
    inlay_request_params_init(&p, sizeof p);
    p.max_tokens = 8;
    std::string a = inlay::Request(engine, "abc", &p).text(), b;
    inlay::Request again(engine, "abc", &p);
    for (std::string_view piece : again.pieces()) b += piece;
    check(a == b, "the same seed gives the same text");
    try {
        inlay::Model none(rt, "/nonexistent");
        check(false, "a missing file throws");
    } catch (const inlay::Failure &f) {
        check(f.status() == INLAY_E_NOT_FOUND, "NOT_FOUND");
    }
    return bad;
}
