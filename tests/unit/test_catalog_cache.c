/* What is kept of runbooks for the next list: when it is used, when it is not, and what foreign bytes do. The runner
 * is a fake one whose every declaration has another title, so that a kept one shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/frame.h"
#include "base/json.h"
#include "catalog/cache.h"
#include "catalog/catalog.h"
#include "process/spawner.h"

static struct rb_spawner *spawner;
static uv_loop_t loop;
static char folder[PATH_MAX];

/* ---- the fake runner ---- */

/* Text after a word up to the end of the line; NULL when it is not there. */
static const char *said(const char *text, const char *word, char out[64])
{
    const char *at = strstr(text, word);
    snprintf(out, 64, "%.*s", at ? (int)strcspn(at + strlen(word), "\n") : 0, at ? at + strlen(word) : "");
    return at ? out : NULL;
}

static json_t *declared(const char *path, const char *text, json_int_t n)
{
    char title[64], alias[64], reviewed[64], tz[64];
    snprintf(title, sizeof title, "t%lld", (long long)rb_clock_mono_ns());
    json_t *blocks = json_pack("[{s:s, s:s, s:s, s:i, s:{s:s, s:s, s:s*, s:s*}}]", "block", "runbook", "id", "x/y",
                               "file", path, "line", 1, "fields", "title", title, "severity", "P2", "alias",
                               said(text, "alias=", alias), "reviewed", said(text, "reviewed=", reviewed));
    if (said(text, "tz=", tz)) {
        json_array_append_new(blocks,
                              json_pack("{s:s, s:s, s:s, s:i, s:{s:s, s:s}}", "block", "schedule", "id", "daily",
                                        "file", path, "line", 2, "fields", "cron", "0 3 * * *", "tz", tz));
    }
    return json_pack("{s:I, s:o, s:o}", "n", n, "blocks", blocks, "error",
                     strstr(text, "BROKEN") ? json_pack("{s:s, s:i, s:s}", "file", path, "line", 3, "message", title)
                                            : json_null());
}

static int declare(int fd, const json_t *files, json_int_t n)
{
    struct rb_buf in;
    json_t *reply = NULL;
    const json_t *file = rb_json_find(files, "role", "runbook");
    json_t *call = json_pack("{s:I, s:s, s:s, s:o}", "seq", n + 1, "task", "1", "verb", "run.declare", "args",
                             declared(rb_json_str(file, "path", "?"), rb_json_str(file, "text", ""), n));
    rb_buf_init(&in, RB_FRAME_MAX + 4);
    int rc = strstr(rb_json_str(file, "text", ""), "DIE") ? 7 : 0;
    rc = rc ? rc : rb_frame_write(fd, call, NULL);
    rc = rc ? rc : rb_frame_read(fd, &in, &reply, NULL);
    json_decref(call);
    json_decref(reply);
    rb_buf_deinit(&in);
    return rc;
}

static int fake_runner(int fd)
{
    struct rb_buf in;
    json_t *frame = NULL, *files;
    size_t n;
    rb_buf_init(&in, RB_FRAME_MAX + 4);
    int rc = rb_frame_read(fd, &in, &frame, NULL);
    json_array_foreach(json_object_get(json_object_get(frame, "start"), "runbooks"), n, files) {
        rc = rc ? rc : declare(fd, files, (json_int_t)n);
    }
    json_decref(frame);
    rb_buf_deinit(&in);
    return rc;
}

/* ---- folders ---- */

static const char *at(const char *below)
{
    static char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, below);
    return path;
}

static void put_bytes(const char *path, const char *data, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void put(const char *below, const char *text)
{
    char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s", at(below));
    *strrchr(path, '/') = 0;
    assert_int_equal(rb_files_mkdirs(path, 0755, NULL), 0);
    put_bytes(at(below), text, strlen(text));
    assert_int_equal(chmod(at(below), 0644), 0);
}

static int fresh(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/rb_cache_XXXXXX");
    if (!mkdtemp(folder) || chmod(folder, 0755) || mkdir(at("kept"), 0700) || unsetenv("RUNBOOK_PATH")) {
        return -1;
    }
    put("own/a/one.lua", "alias=first");
    put("own/a/two.lua", "t");
    put("own/b/three.lua", "t");
    return 0;
}

static int wipe(void **state)
{
    (void)state;
    const char *argv[] = {"rm", "-rf", folder, NULL};
    char *const env[] = {NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execve("/bin/rm", (char *const *)argv, env);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

/* The files that are kept; path: of the last one. */
static int kept_files(char path[2 * PATH_MAX])
{
    int count = 0;
    struct dirent *entry;
    DIR *dir = opendir(at("kept"));
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            snprintf(path, 2 * PATH_MAX, "%s/kept/%s", folder, entry->d_name);
            count++;
        }
    }
    closedir(dir);
    return count;
}

/* ---- lists ---- */

static struct rb_catalog *opened(const char *verbs)
{
    struct rb_catalog *catalog = NULL;
    assert_int_equal(rb_catalog_open(&catalog, at("own"), NULL), 0);
    rb_catalog_verbs_take(catalog, json_string(verbs));
    rb_catalog_cache_in(catalog, at("kept"));
    return catalog;
}

/* {id: its title, or what is wrong with it} as a command that begins now lists them. */
static json_t *titles_with(const char *verbs, bool anew)
{
    struct rb_err err = {0};
    struct rb_catalog *catalog = opened(verbs);
    const json_t *list =
        anew ? rb_catalog_load(catalog, &loop, spawner, &err) : rb_catalog_list(catalog, &loop, spawner, &err);
    json_t *titles = json_object(), *one;
    size_t i;
    if (!list) {
        fail_msg("%s", err.text);
    }
    json_array_foreach((json_t *)list, i, one) {
        const json_t *title = json_object_get(json_object_get(one, "meta"), "title"),
                     *problem = json_array_get(json_object_get(one, "problems"), 0);
        assert_int_equal(strlen(rb_json_str(one, "sha256", "")), 64);
        if (!strncmp(rb_json_str(one, "file", ""), folder, strlen(folder))) { /* not those that came with the program */
            json_object_set(titles, rb_json_str(one, "id", ""),
                            title ? (json_t *)title : json_object_get(problem, "text"));
        }
    }
    rb_catalog_close(catalog);
    return titles;
}

static json_t *titles(void)
{
    return titles_with("", false);
}

/* Which of the ids have the same title in both: "a/one b/three". */
static void kept_are(json_t *before, json_t *after, const char *expected)
{
    char same[256] = "";
    const char *id;
    json_t *title;
    json_object_foreach(before, id, title) {
        const json_t *now = json_object_get(after, id);
        if (now && json_equal(title, now)) {
            snprintf(same + strlen(same), sizeof same - strlen(same), "%s%s", same[0] ? " " : "", id);
        }
    }
    assert_string_equal(same, expected);
    json_decref(before);
    json_decref(after);
}

#define ALL "a/one a/two b/three"

/* Keeps 50 that say they are of this title, without any list. */
static bool keep(const char *title)
{
    json_t *of = json_object(), *one = json_pack("{s:[], s:{s:s}}", "problems", "meta", "title", title);
    char key[RB_HEX_SIZE];
    struct rb_cache *cache = rb_cache_open(at("kept"), of);
    for (int k = 0; k < 50; k++) {
        snprintf(key, sizeof key, "%s%d", title, k);
        rb_cache_put(cache, key, one);
    }
    rb_cache_save(cache);
    rb_cache_close(cache);
    json_decref(of);
    json_decref(one);
    return true;
}

/* ---- tests ---- */

static void test_what_has_not_changed_is_kept(void **state)
{
    (void)state;
    json_t *first = titles(), *second = titles(), *anew = titles_with("", true);
    kept_are(json_incref(first), second, ALL);
    kept_are(first, anew, "");
}

static void test_what_was_declared_is_what_is_listed(void **state)
{
    (void)state;
    struct rb_catalog *catalog = opened("");
    const json_t *list = rb_catalog_load(catalog, &loop, spawner, NULL);
    assert_non_null(list);
    assert_ptr_equal(rb_catalog_list(catalog, &loop, spawner, NULL), list);
    rb_catalog_close(catalog);
    catalog = opened("");
    list = rb_catalog_list(catalog, &loop, spawner, NULL);
    assert_ptr_equal(rb_catalog_list(catalog, &loop, spawner, NULL), list);
    assert_ptr_not_equal(rb_catalog_load(catalog, &loop, spawner, NULL), list);
    rb_catalog_close(catalog);
}

static void test_a_changed_text_is_declared_again(void **state)
{
    (void)state;
    json_t *first = titles();
    put("own/a/two.lua", "u"); /* as long as before, perhaps in the same second */
    json_t *second = titles();
    kept_are(first, json_incref(second), "a/one b/three");
    put("own/profiles/a.lua", "p"); /* of all of the system */
    json_t *third = titles();
    kept_are(second, json_incref(third), "b/three");
    put("own/a/one.drills.lua", "d");
    put("own/b/three.lua", "generic.more { }");
    json_t *fourth = titles();
    kept_are(third, json_incref(fourth), "a/two");
    put("own/lib/more.lua", "a factory it names");
    kept_are(fourth, titles(), "a/one a/two");
}

static void test_a_runbook_that_is_gone_or_came(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    struct stat before, after;
    json_t *first = titles();
    assert_int_equal(kept_files(path), 1);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(unlink(at("own/a/one.lua")), 0);
    put("own/a/four.lua", "t"); /* not a/two, although its text is the same */
    kept_are(first, titles(), "a/two b/three");
    assert_int_equal(unlink(at("own/a/four.lua")), 0);
    json_decref(titles());
    assert_int_equal(kept_files(path), 1);
    assert_int_equal(stat(path, &after), 0);
    assert_true(after.st_size < before.st_size);
}

static void test_other_verbs_language_or_program(void **state)
{
    (void)state;
    char self[PATH_MAX];
    struct stat st;
    json_t *first = titles();
    kept_are(json_incref(first), titles_with("shell.read read argv\n", false), "");
    rb_text_lang_set(RB_LANG_ZH);
    kept_are(json_incref(first), titles(), "");
    rb_text_lang_set(RB_LANG_EN);
    kept_are(json_incref(first), titles(), ALL); /* each has its own */
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(len > 0);
    self[len] = 0;
    assert_int_equal(stat(self, &st), 0);
    usleep(20000);                                        /* the clock of a file system may tick every 10 ms */
    assert_int_equal(chmod(self, st.st_mode & 07777), 0); /* as an installation does: another ctime */
    kept_are(first, titles(), "");
}

static void test_a_file_that_is_not_whole(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    struct rb_buf text;
    json_decref(titles());
    assert_int_equal(kept_files(path), 1);
    rb_buf_init(&text, 1 << 20);
    assert_int_equal(rb_files_read(path, 1 << 20, 1, &text, NULL), 0);
    for (size_t i = 0; i < text.len + 1; i += 1 + text.len / 16) {
        char *bad = malloc(text.len + 1);
        json_t *first = titles();
        memcpy(bad, text.data, text.len);
        bad[i < text.len ? i : text.len - 1] ^= 1;
        put_bytes(path, bad, text.len);
        json_t *second = titles(), *third = titles();
        kept_are(first, json_incref(second), "");
        kept_are(second, json_incref(third), ALL); /* it was written anew */
        put_bytes(path, text.data, i < text.len ? i : text.len - 1);
        kept_are(third, titles(), "");
        free(bad);
    }
    rb_buf_deinit(&text);
}

static void test_a_file_of_somebody_else(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    json_t *first = titles();
    assert_int_equal(kept_files(path), 1);
    assert_int_equal(chmod(path, 0620), 0);
    json_t *second = titles();
    kept_are(first, json_incref(second), "");
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
        json_t *third = titles();
        kept_are(json_incref(second), json_incref(third), "");
        kept_are(third, titles(), ALL); /* replaced by ours */
        assert_int_equal(chown(at("kept"), 65534, 65534), 0);
        kept_are(json_incref(second), titles(), "");
        assert_int_equal(chown(at("kept"), 0, 0), 0);
    }
    json_decref(second);
    assert_int_equal(kept_files(path), 1);
    first = titles();
    assert_int_equal(chmod(at("kept"), 0770), 0);
    kept_are(first, titles(), "");
}

static void test_nowhere_to_keep_it(void **state)
{
    (void)state;
    char path[2 * PATH_MAX];
    assert_int_equal(rmdir(at("kept")), 0);
    kept_are(titles(), titles(), "");
    put("kept", "a file");
    kept_are(titles(), titles(), "");
    assert_int_equal(unlink(at("kept")), 0);
    assert_int_equal(mkdir(at("kept"), 0700), 0);
    pid_t pid = fork();
    if (pid == 0) { /* as a disk that is full in the middle of it */
        const struct rlimit small = {64, 64};
        _exit(signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &small) || !keep("t"));
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(kept_files(path), 0); /* no halves are left */
}

static void test_what_depends_on_more_is_not_kept(void **state)
{
    (void)state;
    put("own/a/error.lua", "BROKEN");
    put("own/a/zone.lua", "tz=Europe/Berlin");
    put("own/a/death.lua", "DIE");
    json_t *first = titles(), *second = titles();
    assert_non_null(json_object_get(second, "a/zone"));
    assert_non_null(strstr(rb_json_str(second, "a/death", ""), "7"));
    json_object_del(first, "a/death"); /* its text is the same each time */
    kept_are(first, second, ALL);
}

/* Changes what is kept of a runbook, as somebody who knows the form. */
static void forge(const char *member, json_t *value)
{
    char path[2 * PATH_MAX];
    struct rb_buf text;
    const char *key;
    json_t *one;
    assert_int_equal(kept_files(path), 1);
    rb_buf_init(&text, 1 << 20);
    assert_int_equal(rb_files_read(path, 1 << 20, 1, &text, NULL), 0);
    json_t *all =
        rb_json_parse(strchr(text.data, '\n') + 1, text.len - (size_t)(strchr(text.data, '\n') + 1 - text.data), NULL);
    json_object_foreach(json_object_get(all, "sets"), key, one) {
        json_t *meta = json_object_get(one, "meta");
        json_object_set(strcmp(member, "until") ? meta : one, member, value);
    }
    char *forged = rb_cache_print(json_object_get(all, "sets"), rb_json_str(all, "of", ""));
    put_bytes(path, forged, strlen(forged));
    free(forged);
    json_decref(value);
    json_decref(all);
    rb_buf_deinit(&text);
}

static json_int_t until_of(const char *text)
{
    char path[2 * PATH_MAX];
    struct rb_buf file;
    json_decref(titles());
    put("own/a/one.lua", text);
    json_decref(titles());
    assert_int_equal(kept_files(path), 1);
    rb_buf_init(&file, 1 << 20);
    assert_int_equal(rb_files_read(path, 1 << 20, 1, &file, NULL), 0);
    json_t *all = rb_json_parse(strchr(file.data, '\n') + 1,
                                file.len - (size_t)(strchr(file.data, '\n') + 1 - file.data), NULL),
           *one;
    json_int_t latest = 0;
    const char *key;
    json_object_foreach(json_object_get(all, "sets"), key, one) {
        latest = rb_json_int(one, "until", -1) > latest ? rb_json_int(one, "until", -1) : latest;
    }
    json_decref(all);
    rb_buf_deinit(&file);
    return latest;
}

static void test_a_review_that_grows_old(void **state)
{
    (void)state;
    char text[64], day[RB_TIME_MAX];
    int64_t now = rb_clock_utc_us(), midnight;
    assert_int_equal(until_of("t"), 0);
    rb_clock_format(now - INT64_C(100) * 86400000000, 0, day);
    snprintf(text, sizeof text, "reviewed=%.10s", day);
    snprintf(day + 10, sizeof day - 10, "T00:00:00Z");
    assert_int_equal(rb_clock_parse(day, &midnight), 0);
    assert_int_equal(until_of(text), midnight / 1000000 + 366 * 86400); /* that day it becomes a warning */
    json_int_t until = until_of("reviewed=2020-02-29");                 /* one with another number every day */
    assert_in_range(until, (now / 1000000) + 1, rb_clock_utc_us() / 1000000 + 86400);
    json_t *first = titles();
    forge("until", json_integer(rb_clock_utc_us() / 1000000 + 3600));
    kept_are(json_incref(first), titles(), ALL);
    forge("until", json_integer(rb_clock_utc_us() / 1000000));
    kept_are(first, titles(), "");
}

static void test_a_kept_alias_decides_nothing(void **state)
{
    (void)state;
    struct rb_err err = {0};
    json_decref(titles());
    forge("alias", json_pack("[s]", "first"));
    struct rb_catalog *catalog = opened(""); /* the list says that three have that name */
    assert_null(rb_catalog_find_file(catalog, &loop, spawner, "first", &err));
    assert_int_equal(err.code, RB_EUSAGE);
    rb_catalog_close(catalog);
    assert_int_equal(unlink(at("own/b/three.lua")), 0);
    assert_int_equal(unlink(at("own/a/two.lua")), 0);
    forge("alias", json_pack("[s]", "false"));
    catalog = opened(""); /* now that one has, and it is asked */
    assert_null(rb_catalog_find_file(catalog, &loop, spawner, "false", &err));
    rb_catalog_close(catalog);
    json_decref(titles());
    put("own/a/one.lua", "alias=first ");
    json_decref(titles());
    put("own/a/one.lua", "alias=first");
    catalog = opened("");
    json_t *file = rb_catalog_find_file(catalog, &loop, spawner, "first", &err);
    assert_string_equal(rb_json_str(file, "id", ""), "a/one");
    json_decref(file);
    rb_catalog_close(catalog);
}

static void test_old_ones_go(void **state)
{
    (void)state;
    char path[2 * PATH_MAX], verbs[32];
    for (int i = 0; i < 12; i++) {
        snprintf(verbs, sizeof verbs, "v.%d read\n", i);
        json_decref(titles_with(verbs, false));
    }
    assert_int_equal(kept_files(path), RB_CACHE_FILES);
    put("kept/other", "is not ours");
    json_decref(titles());
    assert_int_equal(kept_files(path), RB_CACHE_FILES + 1);
}

/* How many of the two left what is kept now. */
static int writers(const json_t *of)
{
    struct rb_cache *cache = rb_cache_open(at("kept"), of);
    int count = (rb_cache_get(cache, "a49") != NULL) + (rb_cache_get(cache, "b49") != NULL);
    rb_cache_close(cache);
    return count;
}

static void test_two_processes_at_once(void **state)
{
    (void)state;
    int64_t until = rb_clock_mono_ns() + INT64_C(60000000000);
    char path[2 * PATH_MAX];
    pid_t pids[2];
    json_t *of = json_object();
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            bool kept = true;
            for (int k = 0; k < 100 && kept; k++) {
                kept = keep(i ? "a" : "b");
            }
            _exit(!kept);
        }
    }
    while (writers(of) == 0) { /* the first of them is still at it */
        assert_true(rb_clock_mono_ns() < until);
        usleep(1000);
    }
    for (int i = 0; i < 50; i++) { /* from then on, whenever one looks, there is all of one of them */
        assert_int_equal(writers(of), 1);
    }
    for (int i = 0; i < 2; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(kept_files(path), 1);
    json_decref(of);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, wipe)

int main(void)
{
    static const struct rb_entry entries[] = {{"runner", fake_runner}};
    const struct CMUnitTest tests[] = {
        CASE(test_what_has_not_changed_is_kept),
        CASE(test_what_was_declared_is_what_is_listed),
        CASE(test_a_changed_text_is_declared_again),
        CASE(test_a_runbook_that_is_gone_or_came),
        CASE(test_other_verbs_language_or_program),
        CASE(test_a_file_that_is_not_whole),
        CASE(test_a_file_of_somebody_else),
        CASE(test_nowhere_to_keep_it),
        CASE(test_what_depends_on_more_is_not_kept),
        CASE(test_a_review_that_grows_old),
        CASE(test_a_kept_alias_decides_nothing),
        CASE(test_old_ones_go),
        CASE(test_two_processes_at_once),
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
