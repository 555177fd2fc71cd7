#include "bind.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

double rb_bind_real(const json_t *args, const char *key, double fallback)
{
    const json_t *value = json_object_get(args, key);

    return json_is_number(value) ? json_number_value(value) : fallback;
}

const char *rb_bind_path(const json_t *args, const char *key, struct rb_err *err)
{
    const char *path = rb_json_str(args, key, "");

    if (path[0] != '/') {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_absolute, key, path);
        return NULL;
    }
    if (strlen(path) >= PATH_MAX - 64) { /* room for the suffixes we add */
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, key);
        return NULL;
    }
    return path;
}

int rb_bind_allowed(const struct rb_work *work, const struct stat *st, const char *path, struct rb_err *err)
{
    if (!rb_work_forbidden_file(work, (uint64_t)st->st_dev, (uint64_t)st->st_ino)) {
        return 0;
    }
    return rb_err_set(err, RB_EDENIED, RB_T_bindings_journal_file, path);
}

int rb_bind_open(const struct rb_work *work, const char *path, int flags, struct stat *st, struct rb_err *err)
{
    struct stat own;
    int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    int rc = 0;

    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    st = st ? st : &own;
    if (fstat(fd, st) != 0) {
        rc = rb_err_errno(err, errno, "%s", path);
    } else {
        rc = rb_bind_allowed(work, st, path, err);
    }
    if (rc != 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int rb_bind_sync_parent(const char *path, struct rb_err *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    char parent[PATH_MAX] = "/";
    int fd = -1, rc = 0;

    if (len >= sizeof parent) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, "path");
    }
    if (len > 0) {
        memcpy(parent, path, len);
        parent[len] = '\0';
    }
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* EINVAL: a file system without fsync of folders. */
    if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL)) {
        rc = rb_err_errno(err, errno, "%s", parent);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

bool rb_bind_wait_ms(const struct rb_work *work, int ms)
{
    double left = rb_work_left(work) * 1000;

    if (left <= 0) {
        return false;
    }
    (void)poll(NULL, 0, ms < left ? ms : (int)left);
    return true;
}

size_t rb_bind_whole_chars(const char *s, size_t len)
{
    size_t start = len, need;
    unsigned char lead;

    while (start > 0 && len - start < 3 && ((unsigned char)s[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return len;
    }
    lead = (unsigned char)s[--start];
    need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return len - start < need ? start : len;
}

long rb_bind_slurp(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = 0;

    out[0] = '\0';
    if (fd < 0) {
        return -1;
    }
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0) {
        len += (size_t)n;
    }
    close(fd);
    out[len] = '\0';
    return n < 0 ? -1 : (long)len;
}
