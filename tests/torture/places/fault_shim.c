/* Counts the calls by which a process changes files below one folder, and at the Nth kills it or lets it fail.

   Loaded before the C library (LD_PRELOAD) with FAULT_UNDER=FOLDER; the program arms it with fault_set(). Calls that go
   past the C library's symbols are not seen: writes through mapped memory, and what stdio writes inside the library.

   fault_set(n, "kill")            ends the process by SIGKILL instead of the nth call
   fault_set(n, "torn")            writes half of what the nth call was to write, then the same
   fault_set(n, "ENOSPC" | "EIO")  the nth call and all after it fail, as on a full or broken disk
   fault_set(0, "")                only counts, for fault_count(); fault_set(-1, "") does nothing at all */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum verdict { GO_ON, FAIL, TEAR };

static atomic_long calls;
static long at = -1;
static int code, kills, tears;

void fault_set(long number, const char *what) {
    calls = 0;
    at = number;
    tears = !strcmp(what, "torn");
    kills = tears || !strcmp(what, "kill");
    code = !strcmp(what, "ENOSPC") ? ENOSPC : !strcmp(what, "EIO") ? EIO : 0;
}

long fault_count(void) { return calls; }

static void die(void) { kill(getpid(), SIGKILL); }

static int is_below(const char *path) {
    static const char *under;
    if (!under && !(under = getenv("FAULT_UNDER"))) under = "";
    return *under && path && !strncmp(path, under, strlen(under));
}

static int is_file_below(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* A relative path of an *at call lies below the folder of its descriptor. */
static int is_at_below(int folder, const char *path) {
    return path && path[0] == '/' ? is_below(path) : folder != AT_FDCWD && is_file_below(folder);
}

static enum verdict next_call(int frees) {
    long n = ++calls;
    if (at == 0 || n < at) return GO_ON;
    if (kills && n == at) {
        if (tears) return TEAR;
        die();
    }
    if (!code || (frees && code == ENOSPC)) return GO_ON; /* a full disk lets go of what it has */
    errno = code;
    return FAIL;
}

#define REAL(name)                            \
    static __typeof__(&name) real;            \
    if (!real) real = dlsym(RTLD_NEXT, #name)

/* name: the call; its parameters and arguments; counts: whether it is about a file below the folder; frees: whether it
   gives space back; torn: what is done of it before a torn death. */
#define WRAP(type, name, parameters, arguments, counts, frees, torn) \
    type name parameters {                                           \
        REAL(name);                                                  \
        enum verdict verdict = at >= 0 && (counts) ? next_call(frees) : GO_ON; \
        if (verdict == FAIL) return -1;                              \
        if (verdict == TEAR) { torn; die(); }                        \
        return real arguments;                                       \
    }

WRAP(ssize_t, write, (int d, const void *b, size_t n), (d, b, n), is_file_below(d), 0, (void)!real(d, b, n / 2))
WRAP(ssize_t, pwrite, (int d, const void *b, size_t n, off_t o), (d, b, n, o), is_file_below(d), 0, (void)!real(d, b, n / 2, o))
WRAP(ssize_t, pwrite64, (int d, const void *b, size_t n, off64_t o), (d, b, n, o), is_file_below(d), 0, (void)!real(d, b, n / 2, o))
WRAP(ssize_t, writev, (int d, const struct iovec *v, int n), (d, v, n), is_file_below(d), 0, (void)!real(d, v, n / 2))
WRAP(ssize_t, sendfile, (int d, int s, off_t *o, size_t n), (d, s, o, n), is_file_below(d), 0, (void)!real(d, s, o, n / 2))
WRAP(ssize_t, sendfile64, (int d, int s, off64_t *o, size_t n), (d, s, o, n), is_file_below(d), 0, (void)!real(d, s, o, n / 2))
WRAP(ssize_t, copy_file_range, (int s, off64_t *f, int d, off64_t *t, size_t n, unsigned g), (s, f, d, t, n, g), is_file_below(d), 0, (void)!real(s, f, d, t, n / 2, g))
WRAP(int, fsync, (int d), (d), is_file_below(d), 0, )
WRAP(int, fdatasync, (int d), (d), is_file_below(d), 0, )
WRAP(int, ftruncate, (int d, off_t n), (d, n), is_file_below(d), 1, )
WRAP(int, ftruncate64, (int d, off64_t n), (d, n), is_file_below(d), 1, )
WRAP(int, truncate, (const char *p, off_t n), (p, n), is_below(p), 1, )
WRAP(int, rename, (const char *a, const char *b), (a, b), is_below(a) || is_below(b), 0, )
WRAP(int, renameat, (int c, const char *a, int d, const char *b), (c, a, d, b), is_at_below(c, a) || is_at_below(d, b), 0, )
WRAP(int, link, (const char *a, const char *b), (a, b), is_below(b), 0, )
WRAP(int, unlink, (const char *p), (p), is_below(p), 1, )
WRAP(int, unlinkat, (int d, const char *p, int f), (d, p, f), is_at_below(d, p), 1, )
WRAP(int, rmdir, (const char *p), (p), is_below(p), 1, )
WRAP(int, mkdir, (const char *p, mode_t m), (p, m), is_below(p), 0, )

static mode_t mode_of(int flags, va_list list) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0; }

#define WRAP_OPEN(name, parameters, last, arguments, below)          \
    int name parameters {                                            \
        REAL(name);                                                  \
        va_list list;                                                \
        va_start(list, last);                                        \
        mode_t m = mode_of(flags, list);                             \
        va_end(list);                                                \
        enum verdict verdict = at >= 0 && (flags & (O_CREAT | O_TRUNC)) && (below) ? next_call(0) : GO_ON; \
        if (verdict == FAIL) return -1;                              \
        if (verdict == TEAR) die();                                  \
        return real arguments;                                       \
    }

WRAP_OPEN(open, (const char *p, int flags, ...), flags, (p, flags, m), is_below(p))
WRAP_OPEN(open64, (const char *p, int flags, ...), flags, (p, flags, m), is_below(p))
WRAP_OPEN(openat, (int d, const char *p, int flags, ...), flags, (d, p, flags, m), is_at_below(d, p))
WRAP_OPEN(openat64, (int d, const char *p, int flags, ...), flags, (d, p, flags, m), is_at_below(d, p))
