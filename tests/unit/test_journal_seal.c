/* Seals: what the chain alone cannot find is found by them, and no crash makes a false alarm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/buf.h"
#include "base/files.h"
#include "journal/private.h"
#include "journal/seal.h"

static char folder[64], path[96], seals[112], key_file[112], sink[112];
static struct rb_journal *journal;

static void add_run(const char *run, int notes)
{
    for (int i = 0; i <= notes; i++) {
        json_t *body = json_pack("{s:i}", "n", i);
        assert_int_equal(rb_journal_add(journal, run, i ? "note" : "run.started", body, NULL), 0);
        json_decref(body);
    }
    assert_int_equal(rb_journal_commit(journal, NULL), 0);
}

static void seal_now(void)
{
    struct rb_err err = {0};
    if (rb_journal_seal(journal, &err) != 0) {
        fail_msg("%s", err.text);
    }
}

static int setup(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/rb-seal-XXXXXX");
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/journal.db", folder);
    (void)snprintf(seals, sizeof seals, "%s.seals", path);
    (void)snprintf(key_file, sizeof key_file, "%s.seal-key", path);
    (void)snprintf(sink, sizeof sink, "%s/elsewhere", folder);
    return rb_journal_open(&journal, path, NULL);
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    rb_journal_close(journal);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command); /* NOLINT: a folder of mkdtemp */
}

static struct rb_verify verify_with(const char *list, const char *key)
{
    struct rb_verify v;
    struct rb_err err = {0};
    const struct rb_verify_with with = {.seals = list, .key = key};
    if (rb_journal_verify(journal, &with, &v, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return v;
}

static void check_good(int64_t count, int64_t sealed)
{
    struct rb_verify v = verify_with(NULL, NULL);
    if (!v.ok) {
        fail_msg("event %lld: %s", (long long)v.id, v.why);
    }
    assert_int_equal(v.seals, count);
    assert_int_equal(v.sealed, sealed);
}

static void check_bad(const char *list, const char *key, const char *word)
{
    struct rb_verify v = verify_with(list, key);
    assert_false(v.ok);
    if (!strstr(v.why, word)) {
        fail_msg("\"%s\" does not say \"%s\"", v.why, word);
    }
}

static void change(const char *sql)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* What an attacker who knows the format does: changes one event and computes all hashes after it anew. */
static void chain_anew(int64_t from)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *all = NULL, *set = NULL;
    unsigned char previous[RB_HASH_SIZE] = {0};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id, seq, utc, mono, run, kind, actor, body_digest, hash FROM events ORDER BY id",
                           -1, &all, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "UPDATE events SET hash = ?2 WHERE id = ?1", -1, &set, NULL), SQLITE_OK);
    while (sqlite3_step(all) == SQLITE_ROW) {
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
                                .digest = sqlite3_column_blob(all, 7)};
        chain_hash(&row, previous, previous);
        if (row.id >= from) {
            sqlite3_bind_int64(set, 1, row.id);
            sqlite3_bind_blob(set, 2, previous, RB_HASH_SIZE, SQLITE_STATIC);
            assert_int_equal(sqlite3_step(set), SQLITE_DONE);
            sqlite3_reset(set);
        }
    }
    sqlite3_finalize(all);
    sqlite3_finalize(set);
    sqlite3_close(db);
}

static void slurp(const char *name, struct rb_buf *out)
{
    rb_buf_init(out, 1 << 20);
    assert_int_equal(rb_files_read(name, 1 << 20, 0, out, NULL), 0);
}

static void write_back(const char *name, const void *data, size_t len)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static void test_runs_are_sealed(void **state)
{
    (void)state;
    check_good(0, 0);
    add_run("r-one", 3);
    seal_now();
    check_good(1, 4);
    seal_now(); /* nothing new: nothing to seal */
    check_good(1, 4);
    add_run("r-two", 1);
    seal_now();
    add_run("r-three", 0); /* not sealed yet */
    check_good(2, 6);
    struct stat st;
    assert_int_equal(stat(key_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_a_tail_cut_off_is_found(void **state)
{
    (void)state;
    add_run("r-one", 3);
    seal_now();
    change("DELETE FROM events WHERE id > 2");
    check_bad(NULL, NULL, "cut off");
}

static void test_a_chain_computed_anew_is_found(void **state)
{
    (void)state;
    add_run("r-one", 3);
    seal_now();
    add_run("r-two", 3);
    seal_now();
    change("UPDATE events SET kind = 'noted' WHERE id = 3");
    chain_anew(3);
    check_bad(NULL, NULL, "computed anew");
    change("UPDATE events SET kind = 'note' WHERE id = 3");
    chain_anew(3);
    check_good(2, 8); /* the attack was what made it bad */
}

static void test_a_forged_list_is_found(void **state)
{
    (void)state;
    struct rb_buf old, all;
    add_run("r-one", 3);
    seal_now();
    slurp(seals, &old);
    add_run("r-two", 3);
    seal_now();
    slurp(seals, &all);
    write_back(seals, old.data, old.len); /* last week's list, and the events cut to it */
    change("DELETE FROM events WHERE id > 4");
    check_bad(NULL, NULL, "seals signed by the key: 2, in the list");
    write_back(seals, all.data + old.len, all.len - old.len); /* the first one dropped */
    check_bad(NULL, NULL, "out of order");
    rb_buf_deinit(&old);
    rb_buf_deinit(&all);
}

/* With today's key nobody signs yesterday anew: it would have to be a key that was announced. */
static void test_the_key_of_today_cannot_sign_yesterday(void **state)
{
    (void)state;
    struct rb_buf all;
    struct seal first, forged;
    unsigned char today[SEAL_KEY_SIZE];
    char line[SEAL_LINE_MAX];
    add_run("r-one", 3);
    seal_now();
    add_run("r-two", 3);
    seal_now();
    slurp(key_file, &all);
    memcpy(today, all.data + 128 + 24, SEAL_KEY_SIZE); /* slot 1 holds the key of seal 3, the other one is erased */
    rb_buf_deinit(&all);
    slurp(seals, &all);
    assert_int_equal(seal_parse(all.data, strcspn(all.data, "\n"), &first), 0);
    forged = first;
    forged.utc_us += 1000; /* any change he likes: the hash would be that of his own events */
    seal_sign(&forged, today);
    size_t len = seal_format(&forged, line), rest = strcspn(all.data, "\n") + 1;
    struct rb_buf changed;
    rb_buf_init(&changed, 1 << 20);
    rb_buf_add(&changed, line, len);
    rb_buf_add(&changed, all.data + rest, all.len - rest);
    write_back(seals, changed.data, changed.len);
    check_bad(NULL, NULL, "no seal before it announced");
    rb_buf_deinit(&changed);
    rb_buf_deinit(&all);
}

static void test_every_byte_of_a_line_counts(void **state)
{
    (void)state;
    struct rb_buf all;
    struct seal seal;
    add_run("r-one", 1);
    seal_now();
    slurp(seals, &all);
    assert_int_equal(seal_parse(all.data, all.len - 1, &seal), 0);
    for (size_t i = 0; i + 1 < all.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            all.data[i] = (char)(all.data[i] ^ 1 << bit);
            assert_int_equal(seal_parse(all.data, all.len - 1, &seal), -1);
            all.data[i] = (char)(all.data[i] ^ 1 << bit);
        }
    }
    assert_int_equal(seal_parse(all.data, all.len - 2, &seal), -1);
    rb_buf_deinit(&all);
}

static void test_second_sink_and_noted_key(void **state)
{
    (void)state;
    rb_journal_sink_add(journal, sink);
    add_run("r-one", 3);
    seal_now();
    struct rb_verify v = verify_with(sink, NULL);
    assert_true(v.ok);
    assert_int_equal(v.seals, 1);
    char noted[RB_HEX_SIZE];
    memcpy(noted, v.key, sizeof noted);
    assert_true(verify_with(NULL, noted).ok);
    /* The whole journal replaced by another one that is sound in itself. */
    rb_journal_close(journal);
    char command[256];
    (void)snprintf(command, sizeof command, "rm %s*", path);
    (void)system(command); /* NOLINT: names of mkdtemp */
    assert_int_equal(rb_journal_open(&journal, path, NULL), 0);
    add_run("r-fake", 3);
    seal_now();
    check_good(1, 4);
    check_bad(NULL, noted, "another key");
    check_bad(sink, NULL, "computed anew");
}

static void test_a_sink_that_is_gone_is_told_and_nothing_is_lost(void **state)
{
    (void)state;
    struct rb_err err = {0};
    rb_journal_sink_add(journal, "/does/not/exist/seals");
    rb_journal_sink_add(journal, sink);
    add_run("r-one", 1);
    assert_int_equal(rb_journal_seal(journal, &err), RB_EJOURNAL);
    assert_non_null(strstr(err.text, "/does/not/exist/seals"));
    check_good(1, 2);
    assert_true(verify_with(sink, NULL).ok);
}

/* Half a line, then the crash: the key has not moved on, and the next seal drops the half. */
static void test_crash_inside_the_line(void **state)
{
    (void)state;
    struct rb_buf all;
    add_run("r-one", 1);
    seal_now();
    slurp(seals, &all);
    char half[100];
    memcpy(half, all.data, sizeof half);
    rb_buf_add(&all, half, sizeof half);
    write_back(seals, all.data, all.len);
    add_run("r-two", 1);
    seal_now();
    check_good(2, 4);
    rb_buf_deinit(&all);
}

/* The line is there, the key has not moved on: it signs once more. */
static void test_crash_between_line_and_key(void **state)
{
    (void)state;
    struct rb_buf key;
    add_run("r-one", 1);
    seal_now();
    slurp(key_file, &key);
    add_run("r-two", 1);
    seal_now();
    write_back(key_file, key.data, key.len);
    check_good(2, 4);
    add_run("r-three", 1);
    seal_now();
    check_good(3, 6);
    add_run("r-four", 1);
    seal_now();
    check_good(4, 8);
    rb_buf_deinit(&key);
}

static void test_many_processes(void **state)
{
    (void)state;
    add_run("r-one", 0);
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            struct rb_journal *own;
            char run[RB_ID_MAX];
            int rc = rb_journal_open(&own, path, NULL);
            for (int k = 0; k < 25 && rc == 0; k++) {
                json_t *body = json_object();
                (void)snprintf(run, sizeof run, "r-%d-%d", i % 10, k % 100);
                rc = rb_journal_add(own, run, "run.started", body, NULL) || rb_journal_commit(own, NULL) ||
                     rb_journal_seal(own, NULL);
                json_decref(body);
            }
            rb_journal_close(own);
            _exit(rc != 0);
        }
    }
    for (int i = 0, status; i < 4; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct rb_verify v = verify_with(NULL, NULL);
    if (!v.ok) {
        fail_msg("%s", v.why);
    }
    assert_int_equal(v.events, 101);
    assert_int_equal(v.sealed, 101); /* whoever was last sealed all */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(runs_are_sealed),
        T(a_tail_cut_off_is_found),
        T(a_chain_computed_anew_is_found),
        T(a_forged_list_is_found),
        T(the_key_of_today_cannot_sign_yesterday),
        T(every_byte_of_a_line_counts),
        T(second_sink_and_noted_key),
        T(a_sink_that_is_gone_is_told_and_nothing_is_lost),
        T(crash_inside_the_line),
        T(crash_between_line_and_key),
        T(many_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
