/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin host: loads the library, computes with three threads, unloads it, a thousand times. No thread, descriptor, mapping
   or memory stays. argv: the shared library, the toy model, how often. */
#include <dirent.h>
#include <dlfcn.h>
#include <inlay/inlay.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(x)                                                       \
    do {                                                              \
        if (!(x)) return printf("%s:%d: %s\n", __FILE__, __LINE__, #x), 0; \
    } while (0)
#define FIND(name) *(void **)&name = dlsym(lib, "inlay_" #name); NEED(name != NULL)

static int once(const char *so, const char *path) {
    inlay_status (*runtime_create)(const inlay_runtime_params *, inlay_runtime **, inlay_error *);
    void (*runtime_params_init)(inlay_runtime_params *, size_t);
    void (*runtime_free)(inlay_runtime *);
    inlay_status (*model_open)(inlay_runtime *, const char *, size_t, const inlay_model_params *, inlay_model **, inlay_error *);
    void (*model_free)(inlay_model *);
    inlay_error err;
    inlay_runtime_params rp;
    inlay_runtime *rt = NULL;
    inlay_model *model = NULL;
    void *lib = dlopen(so, RTLD_NOW | RTLD_LOCAL);
    NEED(lib != NULL);
    FIND(runtime_create);
    FIND(runtime_params_init);
    FIND(runtime_free);
    FIND(model_open);
    FIND(model_free);
    runtime_params_init(&rp, sizeof rp);
    rp.n_threads = 3;
    NEED(runtime_create(&rp, &rt, &err) == INLAY_OK);
    NEED(model_open(rt, path, strlen(path), NULL, &model, &err) == INLAY_OK);
    model_free(model);
    runtime_free(rt);
    NEED(dlclose(lib) == 0);
    return 1;
}

static long lines_of(const char *name) {
    FILE *f = fopen(name, "r");
    long n = 0;
    int c;
    if (!f) return -1;
    while ((c = getc(f)) != EOF) n += c == '\n';
    fclose(f);
    return n;
}

static int entries(const char *folder) {
    DIR *d = opendir(folder);
    int n = 0;
    if (!d) return -1;
    while (readdir(d)) ++n;
    closedir(d);
    return n;
}

static long anonymous_kib(void) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;
    if (!f) return -1;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "RssAnon:", 8) == 0) kib = atol(line + 8);
    fclose(f);
    return kib;
}

/* n rounds; false when they left something behind. */
static int clean(const char *so, const char *path, int n, int *failed) {
    int i, fds = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    long maps = lines_of("/proc/self/maps"), kib = anonymous_kib();
    for (i = 0; i < n && !*failed; ++i) *failed = !once(so, path);
    fds = entries("/proc/self/fd") - fds, threads = entries("/proc/self/task") - threads;
    maps = lines_of("/proc/self/maps") - maps, kib = anonymous_kib() - kib;
    printf("%d times: descriptors %+d, threads %+d, mappings %+ld, memory %+ld KiB\n", n, fds, threads, maps, kib);
    /* Two mappings and 512 KiB of room: arenas and stacks that the C library caches; 1 KiB lost each time would be 1,000. */
    return fds == 0 && threads == 0 && maps <= 2 && kib <= 512;
}

int main(int argc, char **argv) {
    int i, n, failed = 0;
    if (argc < 4) return 2;
    n = atoi(argv[3]);
    for (i = 0; i < n / 2; ++i) /* what the C library keeps for itself, up to 1 MiB, is there by then */
        if (!once(argv[1], argv[2])) return 1;
    /* Which of its arenas the C library touches is a matter of chance: a leak shows every time, that does not. */
    for (i = 0; i < 4; ++i)
        if (clean(argv[1], argv[2], n, &failed) || failed) return failed;
    return 1;
}
