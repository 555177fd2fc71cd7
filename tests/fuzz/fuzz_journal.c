/* A journal whose file was changed anywhere: nothing crashes, and what verify calls good is what was
 * written, whole or without its newest events. Input: changes of 4 bytes, place (3) and value (1). */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "journal/journal.h"

#define EVENTS 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    char folder[64], path[96];
    unsigned char file[1 << 16];
    size_t size;
    struct rb_buf events;
} seed;

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static int dump(const struct rb_event *e, void *user)
{
    return rb_buf_addf(user, "%lld|%s|%lld|%lld|%lld|%s|%s|%s|%s\n", (long long)e->id, e->run, (long long)e->seq,
                       (long long)e->utc_us, (long long)e->mono_ns, e->kind, e->actor, e->body ? e->body : "", e->hash);
}

static void write_events(void)
{
    struct rb_journal *j = NULL;
    json_t *body = json_pack("{s:s,s:s}", "runbook", "a/b", "text", "磁盘");
    require(rb_journal_open(&j, seed.path, NULL) == 0);
    for (int i = 0; i < EVENTS; i++) {
        const char *kind = i % 10 == 0 ? "run.started" : i % 10 == 9 ? "run.ended" : "note";
        char run[RB_ID_MAX];
        (void)snprintf(run, sizeof run, "r-%d", i / 10);
        require(rb_journal_add(j, run, kind, body, NULL) == 0);
    }
    require(rb_journal_commit(j, NULL) == 0);
    rb_buf_init(&seed.events, 1 << 20);
    require(rb_journal_read(j, NULL, 0, dump, &seed.events, NULL) == 0);
    rb_journal_close(j);
    json_decref(body);
}

static void make_seed(void)
{
    sqlite3 *db;
    (void)snprintf(seed.folder, sizeof seed.folder, "/tmp/rb-fuzz-XXXXXX");
    require(mkdtemp(seed.folder) != NULL);
    (void)snprintf(seed.path, sizeof seed.path, "%s/journal.db", seed.folder);
    write_events();
    require(sqlite3_open(seed.path, &db) == SQLITE_OK); /* its close moves the log into the file */
    require(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK);
    require(sqlite3_close(db) == SQLITE_OK);
    FILE *f = fopen(seed.path, "rbe");
    require(f != NULL);
    seed.size = fread(seed.file, 1, sizeof seed.file, f);
    fclose(f);
}

static void remove_companions(void)
{
    static const char *const names[] = {"-wal", "-shm"};
    for (size_t i = 0; i < 2; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", seed.path, names[i]);
        (void)unlink(name);
    }
}

static void write_changed(const uint8_t *data, size_t size)
{
    static unsigned char file[sizeof seed.file];
    memcpy(file, seed.file, seed.size);
    for (size_t at = 0; at + 4 <= size; at += 4) {
        size_t place = (size_t)data[at] | (size_t)data[at + 1] << 8 | (size_t)data[at + 2] << 16;
        file[place % seed.size] = data[at + 3];
    }
    remove_companions();
    int fd = open(seed.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, file, seed.size) == (ssize_t)seed.size);
    close(fd);
}

static void check(struct rb_journal *j)
{
    struct rb_verify v;
    struct rb_buf events;
    char run[RB_ID_MAX];
    rb_buf_init(&events, 1 << 22);
    if (rb_journal_verify(j, NULL, &v, NULL) == 0 && v.ok && rb_journal_read(j, NULL, 0, dump, &events, NULL) == 0) {
        require(events.len <= seed.events.len && memcmp(rb_buf_str(&events), seed.events.data, events.len) == 0);
    }
    json_decref(rb_journal_runs(j, NULL, 100, NULL));
    (void)rb_journal_find_run(j, "r-2", run, NULL);
    rb_buf_deinit(&events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rb_journal *j = NULL;
    if (!seed.size) {
        make_seed();
    }
    write_changed(data, size);
    if (rb_journal_open_reader(&j, seed.path, NULL) == 0) {
        check(j);
    }
    rb_journal_close(j);
    return 0;
}
