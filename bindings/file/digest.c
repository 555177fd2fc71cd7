#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <nettle/sha2.h>

#include "file/hash.h"
#include "file/tree.h"

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* The hash of what one entry holds; "-" for a folder and for what holds nothing. */
static int content(const FTSENT *e, struct rb_work *work, char out[RB_HEX_SIZE], struct rb_err *err)
{
    char target[PATH_MAX];
    ssize_t len;
    int fd, rc;

    (void)snprintf(out, RB_HEX_SIZE, "-");
    if (e->fts_info == FTS_SL || e->fts_info == FTS_SLNONE) {
        len = readlink(e->fts_accpath, target, sizeof target);
        if (len < 0) {
            return rb_err_errno(err, errno, "%s", e->fts_path);
        }
        rb_hash_hex(target, (size_t)len, out);
    } else if (e->fts_info == FTS_F) {
        fd = open(e->fts_accpath, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
            return rb_err_errno(err, errno, "%s", e->fts_path);
        }
        rc = rb_file_hash(fd, work, e->fts_path, out, err);
        close(fd);
        return rc;
    }
    return 0;
}

static char kind_of(const FTSENT *e)
{
    return e->fts_info == FTS_D ? 'd' : e->fts_info == FTS_F ? 'f' : e->fts_info == FTS_DEFAULT ? 'o' : 'l';
}

/* "KIND HASH PATH" and a NUL, in the order of the walk: folders before what is in them, names by their bytes.
 */
static int add_entry(struct sha256_ctx *whole, const FTSENT *e, size_t root, struct rb_work *work, struct rb_err *err)
{
    char hash[RB_HEX_SIZE], head[RB_HEX_SIZE + 8];
    int rc;

    if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS) {
        return rb_err_errno(err, e->fts_errno, "%s", e->fts_path); /* without it the digest would be another tree's */
    }
    if (e->fts_info == FTS_DP || e->fts_level == 0) {
        return 0;
    }
    if (rb_work_left(work) <= 0) {
        return rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, e->fts_path);
    }
    rc = content(e, work, hash, err);
    if (rc == 0) {
        int len = snprintf(head, sizeof head, "%c %s ", kind_of(e), hash);
        sha256_update(whole, (size_t)len, (const uint8_t *)head);
        sha256_update(whole, e->fts_pathlen - root, (const uint8_t *)e->fts_path + root);
        sha256_update(whole, 1, (const uint8_t *)"");
    }
    return rc;
}

int rb_tree_digest(const char *dir, struct rb_work *work, char out[RB_HEX_SIZE], struct rb_err *err)
{
    char *const roots[] = {(char *)dir, NULL};
    unsigned char digest[RB_HASH_SIZE];
    struct sha256_ctx whole;
    size_t root = strlen(dir) + 1;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    FTSENT *e;
    int rc = 0;

    if (!walk) {
        return rb_err_errno(err, errno, "%s", dir);
    }
    sha256_init(&whole);
    while (rc == 0 && (e = fts_read(walk)) != NULL) {
        rc = add_entry(&whole, e, root, work, err);
    }
    (void)fts_close(walk);
    sha256_digest(&whole, sizeof digest, digest);
    rb_hex(digest, out);
    return rc;
}
