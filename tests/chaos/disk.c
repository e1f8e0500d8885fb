/* Preloaded into a server: while $CHAOS_DISK/full exists there is no space for its databases, and
   while $CHAOS_DISK/broken exists they cannot be synced. A byte for each refusal goes to `refused`. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int in_folder(const char *name, char *path, size_t size) {
    const char *folder = getenv("CHAOS_DISK");
    return folder && snprintf(path, size, "%s/%s", folder, name) < (int)size;
}

static int is_database(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strstr(path, ".db") != NULL && strstr(path, "-shm") == NULL;
}

static int is_refused(const char *fault, int fd) {
    char path[4096];
    int kept = errno, refused = in_folder(fault, path, sizeof path) && !access(path, F_OK) && is_database(fd);
    if (refused && in_folder("refused", path, sizeof path)) {
        int count = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
        ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        if (count >= 0) {
            (void)!real(count, ".", 1);
            close(count);
        }
    }
    errno = kept;
    return refused;
}

#define WRITES(NAME, OFFSET)                                                        \
    ssize_t NAME(int fd, const void *bytes, size_t count, OFFSET at) {              \
        static ssize_t (*real)(int, const void *, size_t, OFFSET);                  \
        if (!real) real = dlsym(RTLD_NEXT, #NAME);                                  \
        if (is_refused("full", fd)) return errno = ENOSPC, -1;                      \
        return real(fd, bytes, count, at);                                          \
    }

#define SYNCS(NAME)                                                                 \
    int NAME(int fd) {                                                              \
        static int (*real)(int);                                                    \
        if (!real) real = dlsym(RTLD_NEXT, #NAME);                                  \
        return is_refused("broken", fd) ? (errno = EIO, -1) : real(fd);             \
    }

WRITES(pwrite, off_t)
WRITES(pwrite64, off64_t)
SYNCS(fsync)
SYNCS(fdatasync)

ssize_t write(int fd, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    if (is_refused("full", fd)) return errno = ENOSPC, -1;
    return real(fd, bytes, count);
}
