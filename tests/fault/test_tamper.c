/* Journals changed at random in every way the threat model names: flipped, deleted, inserted, exchanged, repeated, cut,
 * computed anew, with lists of seals changed to match. All must be found; $RUNBOOK_TAMPER says how many (script/torture
 * makes 10,000, the normal run 1,200). */
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

#include "base/files.h"
#include "journal/private.h"

#define RUNS 5
#define EVENTS_A_RUN 6
#define EVENTS (RUNS * EVENTS_A_RUN)

static char folder[64], path[96], seals[112];
static struct rb_buf whole, whole_seals;
static unsigned seed = 20261130;

static int below(int n)
{
    seed = seed * 1103515245u + 12345u;
    return (int)((seed >> 16) % (unsigned)n);
}

static void write_file(const char *name, const struct rb_buf *b)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

static void make_journal(void)
{
    struct rb_journal *j;
    assert_int_equal(rb_journal_open(&j, path, NULL), 0);
    for (int run = 0; run < RUNS; run++) {
        for (int i = 0; i < EVENTS_A_RUN; i++) {
            char id[RB_ID_MAX];
            (void)snprintf(id, sizeof id, "r-%d", run);
            json_t *body = json_pack("{s:i, s:s}", "n", i, "text", "the lock was released");
            assert_int_equal(rb_journal_add(j, id, i ? "note" : "run.started", body, NULL), 0);
            json_decref(body);
        }
        assert_int_equal(rb_journal_commit(j, NULL), 0);
        assert_int_equal(rb_journal_seal(j, NULL), 0);
    }
    rb_journal_close(j);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK); /* one file, so that a copy is whole */
    assert_int_equal(sqlite3_exec(db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    rb_buf_init(&whole, 1 << 22);
    rb_buf_init(&whole_seals, 1 << 20);
    assert_int_equal(rb_files_read(path, 1 << 22, 0, &whole, NULL), 0);
    assert_int_equal(rb_files_read(seals, 1 << 20, 0, &whole_seals, NULL), 0);
}

static void put_back(void)
{
    write_file(path, &whole);
    write_file(seals, &whole_seals);
}

static void sql(const char *fmt, ...)
{
    sqlite3 *db;
    char *message = NULL;
    va_list ap;
    va_start(ap, fmt);
    char *text = sqlite3_vmprintf(fmt, ap);
    va_end(ap);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    sqlite3_free(text);
    sqlite3_close(db);
}

/* Bodies' digests, numbers and hashes as if the rows had been written so. */
static void chain_anew(void)
{
    sqlite3 *db;
    sqlite3_stmt *all, *set;
    unsigned char previous[RB_HASH_SIZE] = {0}, digest[RB_HASH_SIZE];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT id, seq, utc, mono, run, kind, actor, body FROM events ORDER BY id",
                                        -1, &all, NULL),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "UPDATE events SET body_digest = ?2, hash = ?3 WHERE id = ?1", -1, &set, NULL),
        SQLITE_OK);
    while (sqlite3_step(all) == SQLITE_ROW) {
        rb_hash(sqlite3_column_text(all, 7), (size_t)sqlite3_column_bytes(all, 7), digest);
        struct chain_row row = {.id = sqlite3_column_int64(all, 0),
                                .seq = sqlite3_column_int64(all, 1),
                                .utc_us = sqlite3_column_int64(all, 2),
                                .mono_ns = sqlite3_column_int64(all, 3),
                                .run = sqlite3_column_text(all, 4),
                                .run_len = (size_t)sqlite3_column_bytes(all, 4),
                                .kind = sqlite3_column_text(all, 5),
                                .kind_len = (size_t)sqlite3_column_bytes(all, 5),
                                .actor = sqlite3_column_text(all, 6),
                                .actor_len = (size_t)sqlite3_column_bytes(all, 6),
                                .digest = digest};
        chain_hash(&row, previous, previous);
        sqlite3_bind_int64(set, 1, row.id);
        sqlite3_bind_blob(set, 2, digest, RB_HASH_SIZE, SQLITE_STATIC);
        sqlite3_bind_blob(set, 3, previous, RB_HASH_SIZE, SQLITE_STATIC);
        assert_int_equal(sqlite3_step(set), SQLITE_DONE);
        sqlite3_reset(set);
    }
    sqlite3_finalize(all);
    sqlite3_finalize(set);
    sqlite3_close(db);
}

/* ---- the ways ---- */

static void flip(void)
{
    static const char *const texts[] = {"run", "kind", "actor", "body"};
    static const char *const blobs[] = {"body_digest", "hash"};
    static const char *const numbers[] = {"seq", "utc", "mono"};
    int id = 1 + below(EVENTS);
    switch (below(3)) {
    case 0: {
        const char *column = texts[below(4)];
        sql("UPDATE events SET %s = substr(%s, 2) || 'x' WHERE id = %d", column, column, id);
        break;
    }
    case 1: {
        const char *column = blobs[below(2)];
        int at = 1 + below(RB_HASH_SIZE);
        sql("UPDATE events SET %s = CAST(substr(%s, 1, %d - 1) || x'%02x' || substr(%s, %d + 1) AS BLOB) WHERE id = %d",
            column, column, at, below(256), column, at, id);
        sql("UPDATE events SET mono = mono + 1 WHERE id = %d", id); /* the byte may have been the same */
        break;
    }
    default:
        sql("UPDATE events SET %s = %s + %d WHERE id = %d", numbers[below(3)], "mono", 1 + below(1000), id);
    }
}

static void delete_one(void)
{
    sql("DELETE FROM events WHERE id = %d", 1 + below(EVENTS));
}

static void delete_and_close_the_gap(void)
{
    int id = 1 + below(EVENTS);
    sql("DELETE FROM events WHERE id = %d; UPDATE events SET id = -id WHERE id > %d; UPDATE events SET id = -id - 1 WHERE id < 0",
        id, id);
    chain_anew();
}

static void insert_and_chain_anew(void)
{
    int id = 1 + below(EVENTS);
    sql("UPDATE events SET id = -id WHERE id >= %d; UPDATE events SET id = -id + 1 WHERE id < 0;"
        "INSERT INTO events SELECT %d, run, seq, utc, mono, kind, actor, '{}', body_digest, hash FROM events WHERE id = %d",
        id, id, id + 1);
    chain_anew();
}

static void exchange(void)
{
    int one = 1 + below(EVENTS - 1), two = one + 1 + below(EVENTS - one);
    sql("UPDATE events SET id = -1 WHERE id = %d; UPDATE events SET id = %d WHERE id = %d; UPDATE events SET id = %d WHERE id = -1",
        one, one, two, two);
    if (below(2)) {
        chain_anew();
    }
}

static void repeat(void)
{
    sql("INSERT INTO events SELECT %d, run, seq, utc, mono, kind, actor, body, body_digest, hash FROM events WHERE id = %d",
        EVENTS + 1, 1 + below(EVENTS));
}

static void cut(void)
{
    sql("DELETE FROM events WHERE id > %d", below(EVENTS));
}

static void change_and_chain_anew(void)
{
    sql("UPDATE events SET body = '{\"text\":\"nothing happened %d\"}' WHERE id = %d", below(1000), 1 + below(EVENTS));
    chain_anew();
}

static void drop_bodies(void)
{
    sql("UPDATE events SET body = NULL WHERE id >= %d", 1 + below(EVENTS));
}

/* Line n of the list, its bytes. */
static size_t line_at(int n, size_t *len)
{
    const char *at = whole_seals.data;
    while (n-- > 0) {
        at = strchr(at, '\n') + 1;
    }
    *len = (size_t)(strchr(at, '\n') + 1 - at);
    return (size_t)(at - whole_seals.data);
}

static void without_a_seal(void)
{
    size_t len, at = line_at(below(RUNS), &len);
    struct rb_buf b;
    rb_buf_init(&b, 1 << 20);
    rb_buf_add(&b, whole_seals.data, at);
    rb_buf_add(&b, whole_seals.data + at + len, whole_seals.len - at - len);
    write_file(seals, &b);
    rb_buf_deinit(&b);
}

static void seal_flipped(void)
{
    struct rb_buf b;
    rb_buf_init(&b, 1 << 20);
    rb_buf_add(&b, whole_seals.data, whole_seals.len);
    b.data[below((int)b.len)] ^= (char)(1 << below(7));
    write_file(seals, &b);
    rb_buf_deinit(&b);
}

/* Last week's file and list; only the key knows that there was more. */
static void rolled_back(void)
{
    int runs = 1 + below(RUNS - 1);
    size_t len, at = line_at(runs, &len);
    struct rb_buf b;
    rb_buf_init(&b, 1 << 20);
    rb_buf_add(&b, whole_seals.data, at);
    write_file(seals, &b);
    rb_buf_deinit(&b);
    sql("DELETE FROM events WHERE id > %d", runs * EVENTS_A_RUN);
}

static const struct {
    const char *name;
    void (*tamper)(void);
} ways[] = {
    {"flip", flip},
    {"delete", delete_one},
    {"delete, chain anew", delete_and_close_the_gap},
    {"insert, chain anew", insert_and_chain_anew},
    {"exchange", exchange},
    {"repeat", repeat},
    {"cut", cut},
    {"change, chain anew", change_and_chain_anew},
    {"drop bodies", drop_bodies},
    {"seal removed", without_a_seal},
    {"seal flipped", seal_flipped},
    {"rolled back", rolled_back},
};
#define WAYS (sizeof ways / sizeof *ways)

static bool is_whole(void)
{
    struct rb_journal *j;
    struct rb_verify v;
    struct rb_err err = {0};
    if (rb_journal_open_reader(&j, path, &err) != 0) {
        return false; /* not even a journal any more */
    }
    int rc = rb_journal_verify(j, NULL, &v, &err);
    rb_journal_close(j);
    return rc == 0 && v.ok;
}

static void test_all_are_found(void **state)
{
    (void)state;
    const char *wanted = getenv("RUNBOOK_TAMPER");
    int count = wanted ? (int)strtol(wanted, NULL, 10) : 1200, missed = 0, done[WAYS] = {0};
    (void)snprintf(folder, sizeof folder, "%s/rb-tamper-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* no syncs */
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/journal.db", folder);
    (void)snprintf(seals, sizeof seals, "%s.seals", path);
    make_journal();
    put_back();
    assert_true(is_whole());
    for (int i = 0; i < count; i++) {
        size_t way = (size_t)i % WAYS;
        ways[way].tamper();
        done[way]++;
        if (is_whole()) {
            print_error("missed: %s, number %d\n", ways[way].name, i);
            missed++;
        }
        put_back();
    }
    assert_true(is_whole());
    for (size_t i = 0; i < WAYS; i++) {
        print_message("%-24s %5d\n", ways[i].name, done[i]);
    }
    print_message("%d journals tampered with, %d not found\n", count, missed);
    assert_int_equal(missed, 0);
    rb_buf_deinit(&whole);
    rb_buf_deinit(&whole_seals);
    static const char *const names[] = {"", ".lock", ".reserve", ".seals", ".seal-key"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", path, names[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
