/* The catalogue: which files count, whom they may come from, what a bad one does to the others, and names.
 * The runner here is a fake one that does what the file's text says. */
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

#include "base/clock.h"
#include "base/files.h"
#include "base/frame.h"
#include "base/json.h"
#include "catalog/catalog.h"
#include "process/spawner.h"

static struct rb_spawner *spawner;
static uv_loop_t loop;
static char folder[PATH_MAX];

/* ---- the fake runner ---- */

static json_t *declared(const char *path, const char *text, json_int_t n)
{
    if (strstr(text, "BROKEN")) {
        return json_pack("{s:I, s:[], s:{s:s, s:i, s:s}}", "n", n, "blocks", "error", "file", path, "line", 3,
                         "message", "near 'x'");
    }
    const char *alias = strstr(text, "alias="), *status = strstr(text, "DRAFT") ? "draft" : "live";
    return json_pack("{s:I, s:[{s:s, s:s, s:s, s:i, s:{s:s, s:s, s:s, s:s}}], s:n}", "n", n, "blocks", "block",
                     "runbook", "id", "x/y", "file", path, "line", 1, "fields", "title", text, "severity", "P2",
                     "status", status, "alias", alias ? alias + 6 : "none", "error");
}

static const json_t *runbook_of(const json_t *files)
{
    size_t i;
    json_t *file;
    json_array_foreach((json_t *)files, i, file) {
        if (strcmp(rb_json_str(file, "role", ""), "runbook") == 0) {
            return file;
        }
    }
    return NULL;
}

static int obey(int fd, const json_t *files, json_int_t n)
{
    struct rb_buf in;
    json_t *reply = NULL;
    const json_t *file = runbook_of(files);
    const char *text = rb_json_str(file, "text", "");
    if (strstr(text, "HANG")) { /* as a pattern does that never comes to an end: what counts is processor time */
        for (volatile bool on = true; on;) {
        }
    }
    if (strstr(text, "DIE") || strstr(text, "MEMORY")) {
        return strstr(text, "DIE") ? 7 : 88;
    }
    if (strstr(text, "SECOND") && n > 0) {
        return 88;
    }
    json_t *call = json_pack("{s:I, s:s, s:s, s:o}", "seq", n + 1, "task", "1", "verb",
                             strstr(text, "ASK") ? "shell.run" : "run.declare", "args",
                             declared(rb_json_str(file, "path", "?"), text, n));
    rb_buf_init(&in, RB_FRAME_MAX + 4);
    int rc = rb_frame_write(fd, call, NULL);
    rc = rc ? rc : rb_frame_read(fd, &in, &reply, NULL);
    rc = rc || rb_json_int(reply, "seq", 0) != n + 1 || !json_object_get(reply, "ok");
    json_decref(call);
    json_decref(reply);
    rb_buf_deinit(&in);
    return rc ? 70 : 0;
}

static int fake_runner(int fd)
{
    struct rb_buf in;
    json_t *frame = NULL, *files;
    size_t n;
    rb_buf_init(&in, RB_FRAME_MAX + 4);
    int rc = rb_frame_read(fd, &in, &frame, NULL);
    json_t *start = json_object_get(frame, "start");
    rc = rc || strcmp(rb_json_str(start, "mode", ""), "list") ? 70 : 0;
    json_array_foreach(json_object_get(start, "runbooks"), n, files) {
        rc = rc ? rc : obey(fd, files, (json_int_t)n);
    }
    json_decref(frame);
    rb_buf_deinit(&in);
    return rc;
}

/* ---- folders ---- */

static void put(const char *below, const char *text)
{
    char path[2 * PATH_MAX], dir[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, below);
    snprintf(dir, sizeof dir, "%s", path);
    *strrchr(dir, '/') = 0;
    assert_int_equal(rb_files_mkdirs(dir, 0755, NULL), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0644), 0);
}

static const char *at(const char *below)
{
    static char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, below);
    return path;
}

static int fresh(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rb_catalog_XXXXXX");
    return mkdtemp(folder) && chmod(folder, 0755) == 0 && unsetenv("RUNBOOK_PATH") == 0 ? 0 : -1;
}

static int wipe(void **state)
{
    (void)state;
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "%s", folder);
    const char *argv[] = {"rm", "-rf", command, NULL};
    char *const env[] = {NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execve("/bin/rm", (char *const *)argv, env);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static struct rb_catalog *opened(const char *below)
{
    struct rb_catalog *catalog = NULL;
    struct rb_err err = {0};
    if (rb_catalog_open(&catalog, at(below), &err)) {
        fail_msg("%s", err.text);
    }
    return catalog;
}

static const json_t *loaded(struct rb_catalog *catalog)
{
    struct rb_err err = {0};
    const json_t *list = rb_catalog_load(catalog, &loop, spawner, &err);
    if (!list) {
        fail_msg("%s", err.text);
    }
    return list;
}

static const json_t *entry(const json_t *list, const char *id)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one) {
        if (strcmp(rb_json_str(one, "id", ""), id) == 0) {
            return one;
        }
    }
    fail_msg("no entry %s", id);
    return NULL;
}

static void is_broken(const json_t *list, const char *id, const char *words)
{
    const json_t *one = entry(list, id);
    const json_t *problem = json_array_get(json_object_get(one, "problems"), 0);
    assert_string_equal(rb_json_str(one, "status", ""), "broken");
    if (!strstr(rb_json_str(problem, "text", ""), words)) {
        fail_msg("%s: \"%s\" does not say \"%s\"", id, rb_json_str(problem, "text", ""), words);
    }
}

static void is_ok(const json_t *list, const char *id)
{
    const json_t *one = entry(list, id);
    assert_string_equal(rb_json_str(one, "status", ""), "ok");
    assert_string_equal(rb_json_str(json_object_get(one, "meta"), "id", ""), id);
}

static void not_listed(const json_t *list, const char *id)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one) {
        assert_string_not_equal(rb_json_str(one, "id", ""), id);
    }
}

/* ---- tests ---- */

static void test_ids_are_paths(void **state)
{
    (void)state;
    put("b/two.lua", "t");
    put("a/one.lua", "t");
    put("a/deep/three.lua", "DRAFT");
    put("a/one.drills.lua", "t");
    put("profiles/a.lua", "t");
    put("lib/x.lua", "t");
    put("a/Big.lua", "t");
    put("a/readme.md", "t");
    struct rb_catalog *catalog = opened("");
    const json_t *list = loaded(catalog);
    is_ok(list, "a/one");
    is_ok(list, "b/two");
    assert_string_equal(rb_json_str(entry(list, "a/deep/three"), "status", ""), "draft");
    is_broken(list, "a/Big", "no id");
    not_listed(list, "a/one.drills");
    not_listed(list, "profiles/a");
    not_listed(list, "lib/x");
    not_listed(list, "a/readme.md");
    assert_int_equal(strlen(rb_json_str(entry(list, "b/two"), "sha256", "")), 64);
    assert_true(rb_catalog_load(catalog, &loop, spawner, NULL) == list); /* once */
    rb_catalog_close(catalog);
}

static void test_a_bad_file_never_hides_the_others(void **state)
{
    (void)state;
    put("a/b-broken.lua", "BROKEN");
    put("a/c-dies.lua", "DIE");
    put("a/d-eats.lua", "MEMORY");
    put("a/e-asks.lua", "ASK");
    put("a/f-hangs.lua", "HANG");
    put("a/a-good.lua", "t");
    put("a/w-good.lua", "t");
    put("a/z-good.lua", "t");
    put("a/y-bytes.lua", "\xff\xfe");
    put("a/x-full.lua", "SECOND");
    struct rb_catalog *catalog = opened("");
    int64_t started = rb_clock_mono_ns();
    const json_t *list = loaded(catalog);
    assert_true(rb_clock_mono_ns() - started < 30000000000);
    is_ok(list, "a/a-good");
    is_ok(list, "a/z-good");
    is_ok(list, "a/x-full"); /* at the start of a runner there was room for it */
    is_broken(list, "a/b-broken", "near 'x'");
    assert_int_equal(rb_json_int(json_array_get(json_object_get(entry(list, "a/b-broken"), "problems"), 0), "line", 0),
                     3);
    is_broken(list, "a/c-dies", "ended with 7");
    is_broken(list, "a/d-eats", "memory");
    is_broken(list, "a/e-asks", "ended with");
    is_broken(list, "a/f-hangs", "more than 2 s");
    is_broken(list, "a/y-bytes", "UTF-8");
    rb_catalog_close(catalog);
}

static void test_files_others_may_write(void **state)
{
    (void)state;
    put("a/ok.lua", "t");
    put("a/open.lua", "t");
    put("b/inside.lua", "t");
    put("c/foreign.lua", "t");
    assert_int_equal(chmod(at("a/open.lua"), 0666), 0);
    assert_int_equal(chmod(at("b"), 0775), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(at("c/foreign.lua"), 12345, 12345), 0);
    }
    struct rb_catalog *catalog = opened("");
    struct rb_err err = {0};
    const json_t *list = loaded(catalog);
    is_ok(list, "a/ok");
    is_broken(list, "a/open", "may be written by others");
    is_broken(list, "b/inside", "may be written by others");
    if (geteuid() == 0) {
        is_broken(list, "c/foreign", "belongs to user 12345");
    }
    assert_null(rb_catalog_find_file(catalog, &loop, spawner, "a/open", &err));
    assert_int_equal(err.code, RB_EDENIED);
    assert_null(rb_catalog_find_file(catalog, &loop, spawner, "inside", &err));
    assert_int_equal(err.code, RB_EDENIED);
    rb_catalog_close(catalog);
}

static void test_a_root_others_may_write(void **state)
{
    (void)state;
    put("open/a/x.lua", "t");
    assert_int_equal(chmod(at("open"), 0777), 0);
    struct rb_catalog *catalog = opened("open");
    is_broken(loaded(catalog), "a/x", "may be written by others");
    rb_catalog_close(catalog);
}

static void test_links_that_leave(void **state)
{
    (void)state;
    put("tree/a/real.lua", "t");
    put("outside.lua", "t");
    put("elsewhere/x.lua", "t");
    char out[2 * PATH_MAX];
    snprintf(out, sizeof out, "%s", at("outside.lua"));
    assert_int_equal(symlink(out, at("tree/a/out.lua")), 0);
    assert_int_equal(symlink("real.lua", at("tree/a/near.lua")), 0);
    assert_int_equal(symlink("../../elsewhere", at("tree/a/dir")), 0);
    assert_int_equal(symlink("nowhere.lua", at("tree/a/gone.lua")), 0);
    struct rb_catalog *catalog = opened("tree");
    const json_t *list = loaded(catalog);
    is_ok(list, "a/near");
    is_broken(list, "a/out", "outside of its folder");
    is_broken(list, "a/dir", "not followed");
    is_broken(list, "a/gone", "no file");
    not_listed(list, "a/dir/x");
    rb_catalog_close(catalog);
}

static void test_the_first_folder_wins(void **state)
{
    (void)state;
    put("one/a/x.lua", "first");
    put("two/a/x.lua", "second");
    put("two/a/y.lua", "t");
    char second[2 * PATH_MAX];
    snprintf(second, sizeof second, "relative:%s:/does/not/exist", at("two"));
    assert_int_equal(setenv("RUNBOOK_PATH", second, 1), 0);
    struct rb_catalog *catalog = opened("one");
    const json_t *list = loaded(catalog);
    size_t i, shadowed = 0;
    json_t *one;
    assert_string_equal(rb_json_str(json_object_get(entry(list, "a/x"), "meta"), "title", ""), "first");
    is_ok(list, "a/y");
    json_array_foreach((json_t *)list, i, one) {
        if (strcmp(rb_json_str(one, "status", ""), "shadowed") == 0 && strcmp(rb_json_str(one, "id", ""), "a/x") == 0) {
            assert_non_null(strstr(rb_json_str(one, "file", ""), "/two/"));
            assert_true(json_is_null(json_object_get(one, "meta")));
            shadowed++;
        }
    }
    assert_int_equal(shadowed, 1);
    rb_catalog_close(catalog);
}

static void test_a_file_that_is_too_large(void **state)
{
    (void)state;
    char *text = malloc((1 << 20) + 2);
    memset(text, ' ', (1 << 20) + 1);
    text[(1 << 20) + 1] = 0;
    put("a/big.lua", text);
    free(text);
    struct rb_catalog *catalog = opened("");
    is_broken(loaded(catalog), "a/big", "larger than");
    rb_catalog_close(catalog);
}

static void test_more_than_one_frame_of_files(void **state)
{
    (void)state;
    char *text = malloc(900001), name[32];
    memset(text, '-', 900000);
    text[900000] = 0;
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "a/f%02d.lua", i);
        put(name, text);
    }
    free(text);
    struct rb_catalog *catalog = opened("");
    const json_t *list = loaded(catalog);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "a/f%02d", i);
        is_ok(list, name);
    }
    rb_catalog_close(catalog);
}

static void finds(struct rb_catalog *catalog, const char *name, const char *id)
{
    struct rb_err err = {0};
    json_t *file = rb_catalog_find_file(catalog, &loop, spawner, name, &err);
    if (!file || strcmp(rb_json_str(file, "id", ""), id)) {
        fail_msg("%s gives %s %s", name, rb_json_str(file, "id", "nothing"), err.text);
    }
    json_decref(file);
}

static void finds_not(struct rb_catalog *catalog, const char *name, int code, const char *words)
{
    struct rb_err err = {0};
    assert_null(rb_catalog_find_file(catalog, &loop, spawner, name, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.text, words)) {
        fail_msg("%s: \"%s\" does not say \"%s\"", name, err.text, words);
    }
}

static void test_names(void **state)
{
    (void)state;
    put("a/jar-locked.lua", "alias=locked");
    put("a/backup.lua", "t");
    put("b/backup.lua", "alias=nightly");
    put("c/other.lua", "alias=locked2");
    put("c/more.lua", "alias=locked2");
    struct rb_catalog *catalog = opened("");
    finds(catalog, "a/jar-locked", "a/jar-locked");
    finds(catalog, "jar-locked", "a/jar-locked");
    finds(catalog, "locked", "a/jar-locked");
    finds(catalog, "b/backup", "b/backup");
    finds(catalog, "nightly", "b/backup");
    finds_not(catalog, "backup", RB_EUSAGE, "a/backup, b/backup");
    finds_not(catalog, "locked2", RB_EUSAGE, "c/more, c/other");
    finds_not(catalog, "jar-lokced", RB_EUSAGE, "did you mean 'jar-locked'?");
    finds_not(catalog, "a/jar-lockd", RB_EUSAGE, "did you mean 'a/jar-locked'?");
    finds_not(catalog, "something-else", RB_ENOT_FOUND, "no runbook 'something-else'");
    finds_not(catalog, "../../etc/passwd", RB_ENOT_FOUND, "no runbook");
    rb_catalog_close(catalog);
}

static void test_the_files_of_a_runbook(void **state)
{
    (void)state;
    static const char *const roles[] = {"profile", "profile", "lib", "runbook", "drills"};
    put("own/profiles/a.lua", "operator");
    put("tree/profiles/a.lua", "shipped");
    put("tree/lib/db_locks.lua", "return function(o) end");
    put("tree/a/x.lua", "generic.db_locks { } generic.db_locks { } generic.absent { }");
    put("tree/a/x.drills.lua", "drills");
    char shipped[2 * PATH_MAX];
    snprintf(shipped, sizeof shipped, "%s", at("tree"));
    assert_int_equal(setenv("RUNBOOK_PATH", shipped, 1), 0);
    struct rb_catalog *catalog = opened("own");
    json_t *file = rb_catalog_find_file(catalog, &loop, spawner, "a/x", NULL), *files = json_object_get(file, "files");
    assert_int_equal(json_array_size(files), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(rb_json_str(json_array_get(files, i), "role", ""), roles[i]);
    }
    assert_string_equal(rb_json_str(json_array_get(files, 0), "text", ""),
                        "shipped"); /* the operator's is laid over it */
    assert_string_equal(rb_json_str(json_array_get(files, 1), "text", ""), "operator");
    assert_string_equal(rb_json_str(json_array_get(files, 3), "path", ""), "a/x.lua");
    char before[65];
    snprintf(before, sizeof before, "%s", rb_json_str(file, "sha256", ""));
    json_decref(file);
    put("own/profiles/a.lua", "changed");
    file = rb_catalog_find_file(catalog, &loop, spawner, "a/x", NULL);
    assert_string_not_equal(rb_json_str(file, "sha256", ""), before);
    json_decref(file);
    rb_catalog_close(catalog);
}

static void test_a_folder_that_is_not_there(void **state)
{
    (void)state;
    struct rb_catalog *catalog = NULL;
    struct rb_err err = {0};
    assert_int_equal(rb_catalog_open(&catalog, "/does/not/exist", &err), RB_ENOT_FOUND);
    assert_non_null(strstr(err.text, "/does/not/exist"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, wipe)

int main(void)
{
    static const struct rb_entry entries[] = {{"runner", fake_runner}};
    const struct CMUnitTest tests[] = {
        CASE(test_ids_are_paths),
        CASE(test_a_bad_file_never_hides_the_others),
        CASE(test_files_others_may_write),
        CASE(test_a_root_others_may_write),
        CASE(test_links_that_leave),
        CASE(test_the_first_folder_wins),
        CASE(test_a_file_that_is_too_large),
        CASE(test_more_than_one_frame_of_files),
        CASE(test_names),
        CASE(test_the_files_of_a_runbook),
        CASE(test_a_folder_that_is_not_there),
    };
    setenv("XDG_CONFIG_HOME", "/does/not/exist", 1);
    if (rb_spawner_fork(&spawner, entries, 1, NULL) || uv_loop_init(&loop) || rb_spawner_attach(spawner, &loop, NULL)) {
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rb_spawner_close(spawner);
    uv_loop_close(&loop);
    return rc;
}
