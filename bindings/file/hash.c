#include "file/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nettle/sha2.h>

#define CHUNK (256 << 10)

int rb_file_hash(int fd, struct rb_work *work, const char *name, char out[RB_HEX_SIZE], struct rb_err *err)
{
    unsigned char digest[RB_HASH_SIZE];
    unsigned char *chunk = rb_xcalloc(1, CHUNK);
    struct sha256_ctx hash;
    struct stat st = {0};
    off_t at = 0;
    ssize_t n;
    int rc = 0;

    (void)fstat(fd, &st);
    sha256_init(&hash);
    while ((n = pread(fd, chunk, CHUNK, at)) > 0) {
        sha256_update(&hash, (size_t)n, chunk);
        at += n;
        if ((at & ((16 << 20) - 1)) == 0) {
            rb_work_progress(work, at, st.st_size, "bytes");
        }
        if (rb_work_left(work) <= 0) {
            rc = rb_err_set(err, RB_ETIMEOUT, RB_T_bindings_timeout, name);
            break;
        }
    }
    if (n < 0) {
        rc = rb_err_errno(err, errno, "%s", name);
    }
    free(chunk);
    sha256_digest(&hash, sizeof digest, digest);
    rb_hex(digest, out);
    return rc;
}
