/* The catalogue with the real runner: what files do while they are declared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "process/spawner.h"
#include "runner/runner.h"

#define HEAD(id) "runbook \"a/" id "\" { title = \"t\", severity = \"P1\" }\n"

static struct rb_spawner *spawner;
static uv_loop_t loop;

static const struct {
    const char *id, *text, *status, *words;
    int line;
} files[] = {
    {"call", HEAD("call") "shell.read { \"ls\" }\n", "broken", "shell.read only works inside a check", 2},
    {"eat", HEAD("eat") "local s = (\"x\"):rep(31 << 20) local _ = s .. s .. s\n", "broken", "memory", 1},
    {"good", HEAD("good") "check \"c\" { title = \"c\", run = function(p) return shell.read { \"ls\" } end }\n", "ok",
     NULL, 0},
    {"hang", HEAD("hang") "while true do end\n", "broken", "2 s", 2},
    {"match", HEAD("match") "local _ = (\"a\"):rep(100000):find((\".-\"):rep(40) .. \"b\")\n", "broken", "2 s", 1},
    {"name", "chekc \"x\" {}\n", "broken", "did you mean 'check'?", 1},
    {"top",
     "local read = shell.read\n" HEAD(
         "top") "check \"c\" { title = \"c\", run = function(p) return read { \"ls\" } end }\n",
     "ok", NULL, 0},
    {"typo",
     HEAD("typo") "finding \"idle\" { title = \"i\", advice = \"a\" }\nfix \"f\" {\n  when = \"idle\", title "
                  "= \"t\", risk = \"low\",\n"
                  "  run = function(p, f) local rsik = 1 rsik = 2 end,\n  rsik = \"low\",\n}\n",
     "broken", "did you mean 'risk'?", 6},
    {"wide", "runbook \"a/wide\" {\n  title = \"t\"，\n}\n", "broken", "full-width", 2},
};

#define COUNT (sizeof files / sizeof *files)

static void write_all(const char *folder)
{
    char path[256];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "%s/a/%s.lua", folder, files[i].id);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(files[i].text, file);
        fclose(file);
        assert_int_equal(chmod(path, 0644), 0);
    }
}

static void remove_all(const char *folder)
{
    char path[256];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "%s/a/%s.lua", folder, files[i].id);
        assert_int_equal(unlink(path), 0);
    }
    snprintf(path, sizeof path, "%s/a", folder);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static const json_t *entry(const json_t *list, const char *id)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one) {
        const char *full = rb_json_str(one, "id", "");
        if (strncmp(full, "a/", 2) == 0 && strcmp(full + 2, id) == 0) {
            return one;
        }
    }
    fail_msg("no entry %s", id);
    return NULL;
}

static void test_each_file_is_judged_alone(void **state)
{
    (void)state;
    char folder[] = "/tmp/rb_runner_XXXXXX", below[64];
    struct rb_catalog *catalog = NULL;
    struct rb_err err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(below, sizeof below, "%s/a", folder);
    assert_int_equal(mkdir(below, 0755), 0);
    write_all(folder);
    assert_int_equal(rb_catalog_open(&catalog, folder, &err), 0);
    rb_catalog_verbs_take(catalog, json_string("shell.read read argv timeout=\n"));
    const json_t *list = rb_catalog_load(catalog, &loop, spawner, &err);
    assert_non_null(list);
    for (size_t i = 0; i < COUNT; i++) {
        const json_t *one = entry(list, files[i].id), *problem = json_array_get(json_object_get(one, "problems"), 0);
        const char *text = rb_json_str(problem, "text", "");
        bool fits = strcmp(rb_json_str(one, "status", ""), files[i].status) == 0;
        fits = fits &&
               (!files[i].words || (strstr(text, files[i].words) && rb_json_int(problem, "line", 0) == files[i].line));
        if (!fits) {
            fail_msg("%s: %s", files[i].id, json_dumps(one, 0));
        }
    }
    rb_catalog_close(catalog);
    remove_all(folder);
}

int main(void)
{
    static const struct rb_entry entries[] = {{"runner", rb_runner_main}};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_file_is_judged_alone)};
    setenv("XDG_CONFIG_HOME", "/does/not/exist", 1);
    if (rb_spawner_fork(&spawner, entries, 1, NULL) || uv_loop_init(&loop) || rb_spawner_attach(spawner, &loop, NULL)) {
        return 1;
    }
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rb_spawner_close(spawner);
    uv_loop_close(&loop);
    return rc;
}
