/* Preloaded: lets the n-th call that writes fail once, or kills the process there.

   Below Python, so that SQLite and FAISS are reached, too. Armed by fault_arm(n, errno); errno 0
   kills. fault_calls() says how many calls there were since. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls, target = -1;
static atomic_int error_number;

void fault_arm(long n, int err) {
    error_number = err;
    target = n;
    calls = 0;
}
long fault_calls(void) { return calls; }

static int hit(void) {
    if (target < 0) return 0;
    if (++calls != target) return 0;
    if (!error_number) kill(getpid(), SIGKILL);
    errno = error_number;
    return 1;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define WRAP(type, name, failed, parameters, arguments)                                            \
    type name parameters {                                                                         \
        static __typeof__(name) *real;                                                             \
        if (!real) real = REAL(name);                                                              \
        return hit() ? failed : real arguments;                                                    \
    }

WRAP(ssize_t, write, -1, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(ssize_t, pwrite, -1, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
WRAP(ssize_t, pwrite64, -1, (int fd, const void *data, size_t size, off64_t at),
     (fd, data, size, at))
WRAP(ssize_t, writev, -1, (int fd, const struct iovec *parts, int count), (fd, parts, count))
WRAP(size_t, fwrite, 0, (const void *data, size_t size, size_t count, FILE *file),
     (data, size, count, file))
WRAP(int, fsync, -1, (int fd), (fd))
WRAP(int, fdatasync, -1, (int fd), (fd))
WRAP(int, ftruncate, -1, (int fd, off_t size), (fd, size))
WRAP(int, ftruncate64, -1, (int fd, off64_t size), (fd, size))
WRAP(int, rename, -1, (const char *from, const char *to), (from, to))
WRAP(int, unlink, -1, (const char *path), (path))
WRAP(int, unlinkat, -1, (int fd, const char *path, int flags), (fd, path, flags))
WRAP(int, rmdir, -1, (const char *path), (path))
WRAP(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
