#include "file/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "base/buf.h"

#define CHUNK (256u << 10)

struct rb_lines {
    gzFile gz; /* reads what is not gzipped as it is */
    const char *name;
    char *data;
    size_t start, end; /* what is read and not given yet */
    int64_t at;
    bool over;
};

struct rb_lines *rb_lines_new(int fd, int64_t from, const char *name)
{
    struct rb_lines *l = rb_xcalloc(1, sizeof *l);

    l->data = rb_xcalloc(1, CHUNK);
    l->name = name;
    l->at = from;
    if (from > 0) {
        (void)lseek(fd, from, SEEK_SET); /* a regular file */
    }
    l->gz = gzdopen(fd, "r");
    RB_REQUIRE(l->gz); /* only without memory */
    (void)gzbuffer(l->gz, CHUNK);
    return l;
}

static int fill(struct rb_lines *l, struct rb_err *err)
{
    int n, code = 0;

    memmove(l->data, l->data + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    n = gzread(l->gz, l->data + l->end, (unsigned)(CHUNK - l->end));
    const char *why = n <= 0 ? gzerror(l->gz, &code) : "";
    if (n < 0 || code == Z_BUF_ERROR) { /* the latter: it ends too early */
        return code == Z_ERRNO ? rb_err_errno(err, errno, "%s", l->name)
                               : rb_err_set(err, RB_ECORRUPT, RB_T_bindings_gzip_damaged, l->name, why);
    }
    l->over = n == 0;
    l->end += (size_t)n;
    return 0;
}

static int give(struct rb_lines *l, size_t len, size_t step, const char **line, size_t *out)
{
    *line = l->data + l->start;
    *out = len > 0 && (*line)[len - 1] == '\r' ? len - 1 : len;
    l->start += step;
    l->at += (int64_t)step;
    return 1;
}

int rb_lines_next(struct rb_lines *l, const char **line, size_t *len, bool last, struct rb_err *err)
{
    for (;;) {
        size_t have = l->end - l->start;
        const char *end = memchr(l->data + l->start, '\n', have);
        int rc;
        if (end && (size_t)(end - l->data) - l->start <= RB_LINE_MAX) {
            size_t n = (size_t)(end - l->data) - l->start;
            return give(l, n, n + 1, line, len);
        }
        if (have >= RB_LINE_MAX) {
            return give(l, RB_LINE_MAX, RB_LINE_MAX, line, len);
        }
        if (l->over) {
            return have > 0 && last ? give(l, have, have, line, len) : 0;
        }
        rc = fill(l, err);
        if (rc != 0) {
            return rc;
        }
    }
}

int64_t rb_lines_at(const struct rb_lines *l)
{
    return l->at;
}

void rb_lines_free(struct rb_lines *l)
{
    (void)gzclose_r(l->gz); /* read only */
    free(l->data);
    free(l);
}
