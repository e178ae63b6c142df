/* SPDX-License-Identifier: Apache-2.0 */
/* What the library does to the process around it: nothing. Signals, descriptors, threads, standard output and the locale are
   as before; a locale with a decimal comma changes no number; a forked child computes and frees. argv: the toy model, a
   folder to write in. */
#include <dirent.h>
#include <fcntl.h>
#include <inlay/inlay.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;
#define CHECK(x)                                                     \
    do {                                                             \
        if (!(x)) {                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #x);           \
            ++failures;                                              \
        }                                                            \
    } while (0)

struct all {
    inlay_runtime *rt;
    inlay_model *model;
    inlay_engine *engine;
};

static void open_all(struct all *a, const char *path) {
    inlay_error err;
    inlay_runtime_params rp;
    inlay_engine_params ep;
    inlay_runtime_params_init(&rp, sizeof rp);
    rp.n_threads = 3;
    CHECK(inlay_runtime_create(&rp, &a->rt, &err) == INLAY_OK);
    CHECK(inlay_model_open(a->rt, path, strlen(path), NULL, &a->model, &err) == INLAY_OK);
    inlay_engine_params_init(&ep, sizeof ep);
    ep.n_ctx = 64;
    ep.max_requests = 2;
    CHECK(inlay_engine_create(a->model, &ep, &a->engine, &err) == INLAY_OK);
}

static void free_all(struct all *a) {
    inlay_engine_free(a->engine);
    inlay_model_free(a->model);
    inlay_runtime_free(a->rt);
}

/* Twelve tokens under a schema with fractions, as numbers; then a template with fractions. */
static void answer(const struct all *a, int32_t ids[12], char *text, size_t n_text) {
    static const char schema[] = "{\"type\":\"number\",\"multipleOf\":0.25,\"minimum\":1.5,\"maximum\":1e3}";
    static const char source[] = "{{ 2.5 }} {{ x }} {{ '%.2f'|format(x) }} {{ [0.125]|tojson }}", json[] = "{\"messages\":[],\"kwargs\":{\"x\":1234567.75}}";
    inlay_error err;
    inlay_constraint *c = NULL;
    inlay_request_params p;
    inlay_sampling_params s;
    inlay_request *r = NULL;
    inlay_template *t = NULL;
    int n = 0;
    memset(ids, 0, 12 * sizeof *ids);
    CHECK(inlay_constraint_create(a->rt, INLAY_CONSTRAINT_JSON_SCHEMA, schema, sizeof schema - 1, NULL, &c, &err) == INLAY_OK);
    inlay_constraint_free(c);
    inlay_request_params_init(&p, sizeof p);
    inlay_sampling_params_init(&s, sizeof s);
    s.temperature = 0.7f;
    s.seed = 5;
    p.sampling = &s;
    p.max_tokens = 12;
    p.flags = INLAY_REQUEST_IGNORE_EOS;
    CHECK(inlay_request_submit_text(a->engine, "abc def", 7, &p, &r, &err) == INLAY_OK);
    for (;;) {
        inlay_event ev;
        inlay_status st;
        memset(&ev, 0, sizeof ev);
        ev.struct_size = sizeof ev;
        st = inlay_request_poll(r, &ev, &err);
        if (st == INLAY_AGAIN) st = inlay_engine_step(a->engine, 0, &err);
        else if (st == INLAY_OK && ev.kind == INLAY_EVENT_TOKEN && n < 12) ids[n++] = ev.token;
        if (st == INLAY_DONE || st < 0) break;
    }
    inlay_request_free(r);
    CHECK(n == 12);
    CHECK(inlay_template_create(a->rt, source, sizeof source - 1, &t, &err) == INLAY_OK);
    memset(text, 0, n_text);
    --n_text;
    CHECK(inlay_template_render(t, json, sizeof json - 1, NULL, text, &n_text, &err) == INLAY_OK);
    inlay_template_free(t);
}

static void mistakes(const struct all *a) {
    static const char bad[] = "root ::= root | (";
    inlay_error err;
    inlay_model *m = NULL;
    inlay_constraint *c = NULL;
    inlay_template *t = NULL;
    CHECK(inlay_model_open(a->rt, "/dev/null", 9, NULL, &m, &err) < 0);
    CHECK(inlay_model_open_memory(a->rt, "GGUF\3\0\0\0", 8, NULL, &m, &err) < 0);
    CHECK(inlay_constraint_create(a->rt, INLAY_CONSTRAINT_GBNF, bad, sizeof bad - 1, NULL, &c, &err) < 0);
    CHECK(inlay_template_create(a->rt, "{% if %}", 8, &t, &err) < 0);
}

static int entries(const char *folder) {
    DIR *d = opendir(folder);
    int n = 0;
    if (!d) return -1;
    while (readdir(d)) ++n;
    closedir(d);
    return n;
}

static void handlers(struct sigaction *out, sigset_t *blocked) {
    int i;
    memset(out, 0, 65 * sizeof *out);
    for (i = 1; i < 65; ++i) sigaction(i, NULL, &out[i]);
    sigprocmask(SIG_SETMASK, NULL, blocked);
}

static void test_process(const char *path, const char *folder) {
    struct sigaction before[65], after[65];
    sigset_t blocked_before, blocked_after;
    struct all a;
    struct stat st;
    int32_t ids[12];
    char text[128], name[512];
    int i, out, err, file, n_fds = entries("/proc/self/fd"), n_threads = entries("/proc/self/task");
    handlers(before, &blocked_before);
    snprintf(name, sizeof name, "%s/printed", folder);
    fflush(stdout);
    out = dup(1), err = dup(2), file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file >= 0 && dup2(file, 1) == 1 && dup2(file, 2) == 2);
    open_all(&a, path);
    answer(&a, ids, text, sizeof text);
    mistakes(&a);
    free_all(&a);
    CHECK(fstat(file, &st) == 0);
    dup2(out, 1), dup2(err, 2), close(out), close(err), close(file);
    CHECK(st.st_size == 0); /* nothing was printed; stdio of ours is not flushed before */
    handlers(after, &blocked_after);
    for (i = 1; i < 65; ++i) {
        CHECK(before[i].sa_handler == after[i].sa_handler && before[i].sa_flags == after[i].sa_flags);
        CHECK(sigismember(&blocked_before, i) == sigismember(&blocked_after, i));
    }
    CHECK(entries("/proc/self/fd") == n_fds);
    CHECK(entries("/proc/self/task") == n_threads);
}

static void test_locale(const char *path, const char *folder) {
    struct all a;
    int32_t plain[12], comma[12];
    char text[128], again[128], command[1024], number[16];
    open_all(&a, path);
    answer(&a, plain, text, sizeof text);
    free_all(&a);
    CHECK(strcmp(text, "2.5 1234567.75 1234567.75 [0.125]") == 0);
    snprintf(command, sizeof command, "localedef -c -i de_DE -f UTF-8 '%s/de_DE.UTF-8' >/dev/null 2>&1", folder);
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && (system(command) < 0 || setenv("LOCPATH", folder, 1) || !setlocale(LC_ALL, "de_DE.UTF-8"))) {
        printf("SKIP: no locale de_DE, and localedef cannot make one\n");
        return;
    }
    snprintf(number, sizeof number, "%.1f", 2.5);
    CHECK(strcmp(number, "2,5") == 0);
    open_all(&a, path);
    answer(&a, comma, again, sizeof again);
    CHECK(memcmp(plain, comma, sizeof plain) == 0 && strcmp(text, again) == 0);
    free_all(&a);
    CHECK(strcmp(setlocale(LC_ALL, NULL), "de_DE.UTF-8") == 0);
    setlocale(LC_ALL, "C");
}

/* After fork the child has no workers; its own copies of everything work on the calling thread, and can be freed. */
static void test_fork(const char *path) {
    struct all a;
    int32_t ids[12], again[12];
    char text[128];
    int status = -1;
    pid_t child;
    open_all(&a, path);
    answer(&a, ids, text, sizeof text);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(60);
        answer(&a, again, text, sizeof text);
        CHECK(memcmp(ids, again, sizeof ids) == 0);
        free_all(&a);
        open_all(&a, path);
        answer(&a, again, text, sizeof text);
        CHECK(memcmp(ids, again, sizeof ids) == 0);
        free_all(&a);
        fflush(stdout);
        _exit(failures != 0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    answer(&a, again, text, sizeof text);
    CHECK(memcmp(ids, again, sizeof ids) == 0);
    free_all(&a);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    test_process(argv[1], argv[2]);
    test_locale(argv[1], argv[2]);
    test_fork(argv[1]);
    printf(failures ? "%d failures\n" : "ok\n", failures);
    return failures != 0;
}
