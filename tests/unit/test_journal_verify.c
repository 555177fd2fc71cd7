/* Tampering: every byte of every column, and rows removed, exchanged, repeated, renumbered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "journal/journal.h"

#include "journal_folder.h"

#define EVENTS 5

static struct rb_journal *journal;
static sqlite3 *db;

static const char *const columns[] = {"id",   "run",   "seq",  "utc",         "mono",
                                      "kind", "actor", "body", "body_digest", "hash"};

static void run_sql(const char *sql)
{
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message)) {
        fail_msg("%s: %s", sql, message);
    }
}

static int open_folder(void **state)
{
    (void)state;
    return journal_folder_make("/tmp") || rb_journal_open(&journal, path, NULL) || sqlite3_open(path, &db) != SQLITE_OK;
}

static int fill(void **state)
{
    if (open_folder(state)) {
        return -1;
    }
    for (int i = 0; i < EVENTS; i++) {
        json_t *body = json_pack("{s:i,s:s}", "n", i, "text", "磁盘");
        if (rb_journal_add(journal, "r-one", i ? "note" : "run.started", body, NULL)) {
            return -1;
        }
        json_decref(body);
    }
    return rb_journal_commit(journal, NULL);
}

static int remove_folder(void **state)
{
    (void)state;
    sqlite3_close(db);
    rb_journal_close(journal);
    return journal_folder_remove();
}

static struct rb_verify verify(void)
{
    struct rb_verify v;
    struct rb_err err = {0};
    if (rb_journal_verify(journal, NULL, &v, &err)) {
        fail_msg("%s", err.text);
    }
    return v;
}

static void check_good(int events)
{
    struct rb_verify v = verify();
    if (!v.ok) {
        fail_msg("event %lld: %s", (long long)v.id, v.why);
    }
    assert_int_equal(v.events, events);
    assert_int_equal(strlen(v.last), events ? 64 : 0);
}

static void check_bad(const char *what, int64_t id, int64_t seq)
{
    struct rb_verify v = verify();
    if (v.ok || v.id != id || v.seq != seq || strcmp(v.run, "r-one") != 0 || !v.why[0] || v.last[0]) {
        fail_msg("%s: ok %d, %s %lld (id %lld): %s", what, v.ok, v.run, (long long)v.seq, (long long)v.id, v.why);
    }
}

/* Computed by another program from the description in chain.c. */
static void known_hashes_are_accepted(void **state)
{
    (void)state;
    check_good(0);
    run_sql("INSERT INTO events "
            "VALUES(1,'r-vector',1,1772947800123456,5,'run.started','{\"uid\":0}','{\"text\":\"磁盘\"}',"
            "x'38a61988036c40404bea1cca2a2dcca5da354265744d144efe219616af0689ce',"
            "x'd12a51a3d5b753ca4368ec53fe1d2f6a200998e79feaba146d692683bb711658')");
    run_sql("INSERT INTO events VALUES(2,'r-vector',2,1772947800223456,6,'note','{\"uid\":0}','{}',"
            "x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',"
            "x'481661b94ea5152151bb2742fa4930fb626c9a97e0e7d7df2a9d5e6d7983b732')");
    check_good(2);
    assert_string_equal(verify().last, "481661b94ea5152151bb2742fa4930fb626c9a97e0e7d7df2a9d5e6d7983b732");
}

struct cell {
    const char *column;
    int row, type, size;
    unsigned char bytes[512];
};

static void read_cell(struct cell *c)
{
    char sql[128];
    sqlite3_stmt *s;
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM events WHERE id = %d", c->column, c->row);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    c->type = sqlite3_column_type(s, 0);
    sqlite3_int64 number = sqlite3_column_int64(s, 0);
    c->size = c->type == SQLITE_INTEGER ? 8 : sqlite3_column_bytes(s, 0);
    assert_in_range(c->size, 1, sizeof c->bytes);
    memcpy(c->bytes, c->type == SQLITE_INTEGER ? (const void *)&number : sqlite3_column_blob(s, 0), (size_t)c->size);
    sqlite3_finalize(s);
}

/* In run r-one, id and seq are the same number, so one finds the row while the other changes. */
static int write_cell(const struct cell *c)
{
    char sql[128];
    sqlite3_stmt *s;
    sqlite3_int64 number;
    memcpy(&number, c->bytes, sizeof number);
    (void)snprintf(sql, sizeof sql, "UPDATE events SET %s = ?1 WHERE %s = %d", c->column,
                   strcmp(c->column, "id") == 0 ? "seq" : "id", c->row);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    int rc = c->type == SQLITE_INTEGER ? sqlite3_bind_int64(s, 1, number)
             : c->type == SQLITE_TEXT  ? sqlite3_bind_text(s, 1, (const char *)c->bytes, c->size, SQLITE_TRANSIENT)
                                       : sqlite3_bind_blob(s, 1, c->bytes, c->size, SQLITE_TRANSIENT);
    assert_int_equal(rc, SQLITE_OK);
    (void)sqlite3_step(s);
    return sqlite3_finalize(s);
}

/* The lowest bit of each byte: of the 8 bytes of a number, of all bytes of a text. */
static int flip_bytes(const char *column, int row)
{
    struct cell c = {.column = column, .row = row};
    int found = 0;
    read_cell(&c);
    for (int at = 0; at < c.size; at++) {
        c.bytes[at] ^= 1;
        if (write_cell(&c) == SQLITE_OK) { /* not when the id is another row's */
            struct rb_verify v = verify();
            if (v.ok || (strcmp(column, "id") != 0 && v.id != row)) {
                fail_msg("byte %d of %s in row %d: ok %d, event %lld", at, column, row, v.ok, (long long)v.id);
            }
            found++;
        }
        c.bytes[at] ^= 1;
        (void)write_cell(&c); /* the same refusal as above */
    }
    return found;
}

static void every_changed_byte_is_found(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        for (int row = 1; row <= EVENTS; row++) {
            assert_true(flip_bytes(columns[c], row) > 0);
            check_good(EVENTS);
        }
    }
}

static void other_types_of_the_same_bytes_are_found(void **state)
{
    (void)state;
    /* STRICT stops the shell; somebody who edits the schema is not stopped */
    run_sql("PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') "
            "WHERE name = 'events'; PRAGMA writable_schema=RESET");
    sqlite3_close(db);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    static const char *const changes[] = {
        "UPDATE events SET run = CAST(run AS BLOB) WHERE id = 3",
        "UPDATE events SET kind = CAST(kind AS BLOB) WHERE id = 3",
        "UPDATE events SET body = CAST(body AS BLOB) WHERE id = 3",
        "UPDATE events SET hash = substr(hash, 1, 31) WHERE id = 3",
        "UPDATE events SET body_digest = x'' WHERE id = 3",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        run_sql("CREATE TEMP TABLE kept AS SELECT * FROM events WHERE id = 3");
        run_sql(changes[i]);
        struct rb_verify v = verify();
        assert_false(v.ok);
        assert_int_equal(v.id, 3);
        run_sql("REPLACE INTO events SELECT * FROM kept; DROP TABLE kept");
        check_good(EVENTS);
    }
}

static void removed_rows_are_found(void **state)
{
    (void)state;
    for (int row = 1; row < EVENTS; row++) {
        char sql[160];
        (void)snprintf(sql, sizeof sql,
                       "CREATE TEMP TABLE kept AS SELECT * FROM events; DELETE FROM events WHERE id = %d", row);
        run_sql(sql);
        check_bad("removed", row + 1, row + 1);
        run_sql("REPLACE INTO events SELECT * FROM kept; DROP TABLE kept");
        check_good(EVENTS);
    }
}

static void removed_and_renumbered_rows_are_found(void **state)
{
    (void)state;
    run_sql("DELETE FROM events WHERE id = 2; UPDATE events SET id = id - 1 WHERE id > 2");
    check_bad("removed, the others moved up", 2, 3);
}

static void exchanged_rows_are_found(void **state)
{
    (void)state;
    run_sql("UPDATE events SET id = 99 WHERE id = 2; UPDATE events SET id = 2 WHERE id = 3; "
            "UPDATE events SET id = 3 WHERE id = 99");
    check_bad("exchanged", 2, 3);
}

static void repeated_rows_are_found(void **state)
{
    (void)state;
    run_sql("INSERT INTO events SELECT 6, run, seq, utc, mono, kind, actor, body, body_digest, hash "
            "FROM events WHERE id = 5");
    check_bad("repeated", 6, 5);
}

static void a_forged_row_breaks_the_next_one(void **state)
{
    (void)state;
    run_sql("UPDATE events SET body = '{}', body_digest = "
            "x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' WHERE id = 3");
    check_bad("a body with its new digest", 3, 3);
}

static void bodies_go_only_with_a_word(void **state)
{
    (void)state;
    run_sql("UPDATE events SET body = NULL WHERE id IN (2, 3)");
    check_bad("bodies removed", 2, 2);
    json_t *two = json_pack("{s:i}", "upto", 2), *three = json_pack("{s:i}", "upto", 3);
    assert_int_equal(rb_journal_add(journal, "r-prune", "pruned", two, NULL), 0);
    assert_int_equal(rb_journal_commit(journal, NULL), 0);
    check_bad("one body more removed", 3, 3);
    assert_int_equal(rb_journal_add(journal, "r-prune", "pruned", three, NULL), 0);
    assert_int_equal(rb_journal_commit(journal, NULL), 0);
    check_good(EVENTS + 2);
    run_sql("UPDATE events SET kind = 'other' WHERE id = 2");
    check_bad("a row without its body is still protected", 2, 2);
    json_decref(two);
    json_decref(three);
}

static void a_cut_tail_shows_only_in_the_last_hash(void **state)
{
    (void)state;
    char before[RB_HEX_SIZE];
    memcpy(before, verify().last, sizeof before);
    run_sql("DELETE FROM events WHERE id = 5");
    check_good(EVENTS - 1);
    assert_string_not_equal(verify().last, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fill, remove_folder)

/* They are not in the chain, but events name them by their hash. */
static void stored_bytes_are_checked(void **state)
{
    (void)state;
    char hex[RB_HEX_SIZE];
    assert_int_equal(rb_journal_blob_add(journal, "the runbook", 11, hex, NULL), 0);
    assert_int_equal(rb_journal_add(journal, "r-one", "note", NULL, NULL), 0);
    assert_int_equal(rb_journal_commit(journal, NULL), 0);
    check_good(EVENTS + 1);
    run_sql("UPDATE blobs SET data = CAST('another one' AS BLOB)");
    assert_false(verify().ok);
    run_sql("UPDATE blobs SET data = CAST('the runbook' AS BLOB)");
    check_good(EVENTS + 1);
}

/* The chain is whole, and yet no list shows the run. */
static void a_run_hidden_from_the_lists_is_found(void **state)
{
    (void)state;
    run_sql("CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'runs';"
            "DROP INDEX runs; CREATE INDEX runs ON events(kind, id, run) WHERE kind = 'none';"
            "PRAGMA writable_schema = 1;"
            "UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = 'runs';"
            "PRAGMA writable_schema = 0");
    assert_false(verify().ok);
}

static void retention_keeps_the_chain(void **state)
{
    (void)state;
    struct rb_verify v;
    int64_t events = -1;
    const int64_t later = INT64_C(1) << 60;
    assert_int_equal(rb_journal_prune(journal, 0, &events, NULL), 0);
    assert_int_equal(events, 0);
    assert_int_equal(rb_journal_prune(journal, later, &events, NULL), 0);
    assert_int_equal(events, EVENTS);
    assert_int_equal(rb_journal_verify(journal, NULL, &v, NULL), 0);
    assert_true(v.ok);
    assert_int_equal(v.events, EVENTS + 1);
    run_sql("UPDATE events SET body = NULL WHERE kind = 'pruned'"); /* nobody said that this one may go */
    assert_int_equal(rb_journal_verify(journal, NULL, &v, NULL), 0);
    assert_false(v.ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(known_hashes_are_accepted, open_folder, remove_folder),
        TEST(every_changed_byte_is_found),
        TEST(other_types_of_the_same_bytes_are_found),
        TEST(removed_rows_are_found),
        TEST(removed_and_renumbered_rows_are_found),
        TEST(exchanged_rows_are_found),
        TEST(repeated_rows_are_found),
        TEST(a_forged_row_breaks_the_next_one),
        TEST(bodies_go_only_with_a_word),
        TEST(retention_keeps_the_chain),
        TEST(a_cut_tail_shows_only_in_the_last_hash),
        TEST(stored_bytes_are_checked),
        TEST(a_run_hidden_from_the_lists_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
