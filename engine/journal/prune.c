/* Retention: old bodies go, their digests stay in the chain, and one event says up to where. */
#include "base/json.h"
#include "journal/private.h"

#define PRUNE_MAX 20000 /* events at once: a service must not stand still */

static int64_t ask(struct rb_journal *j, const char *sql, int64_t id)
{
    sqlite3_stmt *s = NULL;
    int64_t value = 0;
    int rc = journal_prepare(j, &s, sql);
    rc = rc ? rc : sqlite3_bind_int64(s, 1, id);
    if (!rc && sqlite3_step(s) == SQLITE_ROW) {
        value = sqlite3_column_int64(s, 0);
    }
    (void)sqlite3_finalize(s); /* what cannot be read is not pruned */
    return value;
}

/* How many events from the first on satisfy a condition that holds up to some event and not after it: ids
 * have no gaps. */
static int64_t count_while(struct rb_journal *j, const char *sql, int64_t parameter, int64_t limit)
{
    sqlite3_stmt *s = NULL;
    int64_t low = 0, high = limit;
    int rc = journal_prepare(j, &s, sql);
    while (!rc && low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        rc = sqlite3_bind_int64(s, 1, middle);
        rc = rc ? rc : sqlite3_bind_int64(s, 2, parameter);
        bool holds = !rc && sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int64(s, 0);
        rc = rc ? rc : sqlite3_reset(s);
        low = holds ? middle : low;
        high = holds ? high : middle - 1;
    }
    (void)sqlite3_finalize(s); /* repeats rc */
    return rc ? 0 : low;
}

static int remove_bodies(struct rb_journal *j, int64_t after, int64_t upto, struct rb_err *err)
{
    sqlite3_stmt *s = NULL;
    int rc = journal_prepare(j, &s, "UPDATE events SET body = NULL WHERE id > ?1 AND id <= ?2");
    rc = rc ? rc : sqlite3_bind_int64(s, 1, after);
    rc = rc ? rc : sqlite3_bind_int64(s, 2, upto);
    rc = rc ? rc : sqlite3_step(s);
    rc = rc == SQLITE_DONE ? 0 : journal_cannot_write(j, err);
    (void)sqlite3_finalize(s); /* reported above */
    return rc;
}

int rb_journal_prune(struct rb_journal *j, int64_t before_us, int64_t *events, struct rb_err *err)
{
    int64_t newest = ask(j, "SELECT coalesce(max(id), 0) FROM events WHERE id > ?1", 0);
    int64_t old = count_while(j, "SELECT utc < ?2 FROM events WHERE id = ?1", before_us, newest);
    int64_t gone = count_while(j, "SELECT body IS NULL AND ?2 = ?2 FROM events WHERE id = ?1", 0, old);
    int64_t upto = old < gone + PRUNE_MAX ? old : gone + PRUNE_MAX;
    *events = 0;
    if (upto <= gone) {
        return 0;
    }
    json_t *body = json_pack("{s:I}", "upto", (json_int_t)upto);
    int rc = rb_journal_add(j, "journal", "pruned", body, err);
    json_decref(body);
    rc = rc ? rc : rb_journal_commit(j, err); /* said first: a body that is missing without a word is an alarm */
    rc = rc ? rc : lock_take(j, false, err);
    if (!rc) {
        rc = remove_bodies(j, gone, upto, err);
        lock_release(j);
    }
    *events = rc ? 0 : upto - gone;
    return rc;
}
