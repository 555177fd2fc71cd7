/* Following a list of seals beside the events: each line against the one before it, then against its event. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "journal/private.h"
#include "journal/seal_read.h"

static int complain(struct seal_reader *r, enum rb_text_id why)
{
    (void)snprintf(r->why, sizeof r->why, rb_text(why), (long long)r->line);
    r->bad = true;
    return -1;
}

/* The first signer is the one noted; later ones are those announced, or the same again (a crash came between). */
static bool key_fits(const struct seal_reader *r, const struct seal *s)
{
    if (r->count == 0) {
        return true;
    }
    return memcmp(s->signer, r->now.next, SEAL_KEY_SIZE) == 0 || memcmp(s->signer, r->now.signer, SEAL_KEY_SIZE) == 0;
}

static bool order_fits(const struct seal_reader *r, const struct seal *s)
{
    if (r->count == 0) {
        return s->n == 1;
    }
    bool again = memcmp(s->signer, r->now.signer, SEAL_KEY_SIZE) == 0;
    return memcmp(s->origin, r->now.origin, RB_HASH_SIZE) == 0 && s->n == r->now.n + (again ? 0 : 1) &&
           s->id >= r->now.id;
}

int seal_reader_next(struct seal_reader *r)
{
    char line[SEAL_LINE_MAX];
    struct seal next;
    r->has = false;
    if (!r->file || r->bad || r->left <= 0 || !fgets(line, sizeof line, r->file)) {
        return r->bad ? -1 : 0;
    }
    size_t len = strlen(line);
    r->left -= (long)len;
    r->line++;
    if (len == 0 || line[len - 1] != '\n' || seal_parse(line, len - 1, &next) != 0) {
        return complain(r, RB_T_journal_seals_line);
    }
    if (!key_fits(r, &next)) {
        return complain(r, RB_T_journal_seals_key);
    }
    if (!order_fits(r, &next)) {
        return complain(r, RB_T_journal_seals_order);
    }
    char signer[RB_HEX_SIZE];
    rb_hex(next.signer, signer);
    if (r->count == 0 && r->key && strcmp(signer, r->key) != 0) {
        return complain(r, RB_T_journal_seals_first);
    }
    if (r->count == 0) {
        memcpy(r->first, signer, sizeof r->first);
    }
    r->now = next;
    r->count++;
    r->has = true;
    return 1;
}

int seal_reader_open(struct seal_reader *r, const char *path, const char *key, bool required, struct rb_err *err)
{
    struct stat st;
    *r = (struct seal_reader){.key = key};
    r->file = fopen(path, "re");
    if (r->file && fstat(fileno(r->file), &st) == 0) {
        r->left = (long)st.st_size;
    } else if (r->file || errno != ENOENT || required) {
        struct rb_err why = {0};
        rb_err_errno(&why, errno, "open");
        return rb_err_set(err, RB_EJOURNAL, RB_T_journal_seals_read, path, why.text);
    }
    return 0;
}

void seal_reader_close(struct seal_reader *r)
{
    if (r->file) {
        (void)fclose(r->file); /* only read */
    }
    r->file = NULL;
}

bool seal_reader_check(struct seal_reader *r, int64_t id, const unsigned char hash[RB_HASH_SIZE])
{
    while (r->has && r->now.id == id) {
        if (memcmp(r->now.hash, hash, RB_HASH_SIZE) != 0) {
            (void)snprintf(r->why, sizeof r->why, rb_text(RB_T_journal_seals_hash), (long long)r->now.n);
            r->bad = true;
            return false;
        }
        r->sealed = id;
        (void)seal_reader_next(r);
    }
    return !r->bad;
}
