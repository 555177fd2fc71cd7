/* Two journals: where one cannot be written, another takes the record. A run is in one of them, from its first event to
 * its last; whoever asks for a run gets it from the one that has it. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "journal/private.h"

void rb_journal_beside_set(struct rb_journal *j, struct rb_journal *other, const char *blind)
{
    j->beside = other;
    j->blind = blind ? rb_xstrdup(blind) : NULL;
}

struct rb_journal *rb_journal_beside(const struct rb_journal *j)
{
    return j->beside;
}

const char *rb_journal_blind(const struct rb_journal *j)
{
    return j->blind;
}

const char *rb_journal_path(const struct rb_journal *j)
{
    return j->path;
}

bool rb_journal_has(struct rb_journal *j, const char *run)
{
    sqlite3_stmt *s = NULL;
    bool has = journal_prepare(j, &s,
                               "SELECT 1 FROM events INDEXED BY runs WHERE " RUNS_CONDITION
                               " AND kind = 'run.started' AND run = ?1 LIMIT 1") == SQLITE_OK &&
               sqlite3_bind_text(s, 1, run, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    (void)sqlite3_finalize(s); /* what reads the run meets the same error and reports it */
    return has;
}

struct rb_journal *journal_of(struct rb_journal *j, const char *run)
{
    return run && j->beside && !rb_journal_has(j, run) && rb_journal_has(j->beside, run) ? j->beside : j;
}

/* As a page that is written anew with what it holds: SQLite writes and syncs it like any other commit. */
static int touch(struct rb_journal *j, struct rb_err *err)
{
    int rc = lock_take(j, false, err);
    if (rc) {
        return rc;
    }
    rc = schema_touch(j) ? journal_cannot_write(j, err) : 0;
    bool full = rc && journal_disk_full(j);
    if (full && reserve_release(j)) {
        rc = schema_touch(j) ? journal_cannot_write(j, err) : 0;
    }
    lock_release(j);
    return rc;
}

int rb_journal_try(struct rb_journal *j, struct rb_err *err)
{
    if (!reserve_keep(j)) {
        rb_err_set(err, RB_EJOURNAL, RB_T_journal_write, j->path, rb_text(RB_T_journal_no_room));
        rb_err_hint(err, RB_T_journal_full_hint, j->path);
        return RB_EJOURNAL;
    }
    return touch(j, err);
}
