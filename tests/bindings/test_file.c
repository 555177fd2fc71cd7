/* file: exact reading, whole writing. */
#include "harness.h"

#include "calls.h"

static json_t *path_args(const char *path)
{
    return json_pack("{s:s}", "path", path);
}

static void assert_text(json_t *value, const char *wanted)
{
    assert_string_equal(json_string_value(value), wanted);
    json_decref(value);
}

static void reading(void **state)
{
    const char *path = in(state, "a");
    static const char *const verbs[] = {"file.read", "file.stat", "file.tail", "file.hash"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        json_t *none = must(verbs[i], path_args(path));
        assert_true(json_is_null(none));
    }
    put(path, "one\ntwo\nthree\n", 14);
    assert_text(must("file.read", path_args(path)), "one\ntwo\nthree\n");
    assert_text(must("file.read", json_pack("{s:s, s:i, s:i}", "path", path, "offset", 4, "max", 3)), "two");
    assert_text(must("file.tail", json_pack("{s:s, s:i}", "path", path, "lines", 2)), "two\nthree\n");
    assert_text(must("file.tail", json_pack("{s:s, s:i}", "path", path, "bytes", 7)), "three\n");
    assert_text(must("file.hash", path_args(path)), "b6285c57e8797db5d4c51c80d6f11938afda9b11c6a003549709189e9b4b92a2");
    put(path, "\xd6\xd0\x00x", 4);
    json_t *raw = must("file.read", path_args(path));
    assert_string_equal(rb_json_str(raw, "$b64", ""), "1tAAeA==");
    json_decref(raw);
    json_t *proc = must("file.read", path_args("/proc/self/stat"));
    assert_true(json_string_length(proc) > 10);
    json_decref(proc);
    assert_int_equal(truncate(path, 2 << 20), 0);
    assert_int_equal(code_of("file.read", path_args(path)), RB_ETOO_LARGE);
    assert_int_equal(code_of("file.read", json_pack("{s:s, s:i}", "path", path, "max", 5 << 20)), RB_EUSAGE);
    assert_int_equal(code_of("file.read", path_args(*state)), RB_EUSAGE);
    assert_int_equal(code_of("file.read", path_args("relative")), RB_EUSAGE);
    const char *fifo = in(state, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(code_of("file.read", path_args(fifo)), RB_EUSAGE); /* and does not hang */
}

static void stats(void **state)
{
    const char *path = in(state, "a"), *link_path = in(state, "l");
    put(path, "12345", 5);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(symlink(path, link_path), 0);
    json_t *st = must("file.stat", path_args(link_path));
    assert_int_equal(rb_json_int(st, "size", 0), 5);
    assert_int_equal(rb_json_int(st, "mode", 0), 0640);
    assert_string_equal(rb_json_str(st, "type", ""), "file");
    assert_int_equal(rb_json_int(st, "links", 0), 1);
    json_decref(st);
    st = must("file.stat", json_pack("{s:s, s:b}", "path", link_path, "follow", 0));
    assert_string_equal(rb_json_str(st, "type", ""), "link");
    json_decref(st);
}

static void listing(void **state)
{
    put(in(state, "b.log"), "1", 1);
    put(in(state, "a.log"), "22", 2);
    put(in(state, "c.txt"), "333", 3);
    assert_int_equal(mkdir(in(state, "sub"), 0755), 0);
    put(in(state, "sub/d.log"), "4444", 4);
    assert_int_equal(symlink("/", in(state, "sub/root")), 0);
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(AT_FDCWD, in(state, "b.log"), old, 0), 0);
    json_t *list = must("file.list", json_pack("{s:s, s:s}", "dir", *state, "pattern", "*.log"));
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(rb_json_str(json_array_get(list, 0), "name", ""), "a.log");
    assert_string_equal(rb_json_str(json_array_get(list, 1), "path", ""), in(state, "b.log"));
    json_decref(list);
    list = must("file.list", json_pack("{s:s}", "dir", *state));
    assert_int_equal(json_array_size(list), 4);
    json_decref(list);
    list = must("file.find", json_pack("{s:s, s:s}", "dir", *state, "name", "*.log"));
    assert_int_equal(json_array_size(list), 3);
    json_decref(list);
    list = must("file.find", json_pack("{s:s, s:i}", "dir", *state, "larger", 2));
    assert_int_equal(json_array_size(list), 2);
    json_decref(list);
    list = must("file.find", json_pack("{s:s, s:f}", "dir", *state, "older", 3600.0));
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(rb_json_str(json_array_get(list, 0), "name", ""), "b.log");
    json_decref(list);
    assert_int_equal(code_of("file.find", json_pack("{s:s, s:i}", "dir", *state, "max", 3)), RB_ETOO_LARGE);
    assert_int_equal(code_of("file.list", json_pack("{s:s}", "dir", in(state, "none"))), RB_ENOT_FOUND);
    assert_int_equal(code_of("file.find", json_pack("{s:s}", "dir", in(state, "a.log"))), RB_EUSAGE);
}

static void writing(void **state)
{
    const char *path = in(state, "conf");
    struct stat before, after;
    put(path, "old", 3);
    assert_int_equal(chmod(path, 0640), 0);
    if (getuid() == 0) {
        assert_int_equal(chown(path, 65534, 65534), 0);
    }
    assert_int_equal(stat(path, &before), 0);
    json_t *answer = must("file.write", json_pack("{s:s, s:s}", "path", path, "data", "new\n"));
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_uid, before.st_uid);
    char *now = slurp(path), *old = slurp(rb_json_str(answer, "backup", "/none"));
    assert_string_equal(now, "new\n");
    assert_string_equal(old, "old");
    free(now);
    free(old);
    json_decref(answer);
    /* Through a link the file is replaced, not the link. */
    const char *link_path = in(state, "link");
    assert_int_equal(symlink("conf", link_path), 0);
    answer = must("file.write", json_pack("{s:s, s:s, s:b}", "path", link_path, "data", "third", "backup", 0));
    assert_null(json_object_get(answer, "backup"));
    json_decref(answer);
    assert_int_equal(lstat(link_path, &after), 0);
    assert_true(S_ISLNK(after.st_mode));
    now = slurp(path);
    assert_string_equal(now, "third");
    free(now);
    answer = must("file.write", json_pack("{s:s, s:s, s:s}", "path", in(state, "fresh"), "data", "", "mode", "0600"));
    json_decref(answer);
    assert_int_equal(stat(in(state, "fresh"), &after), 0);
    assert_int_equal(after.st_mode & 07777, 0600);
    answer = must("file.append", json_pack("{s:s, s:s}", "path", path, "data", "+"));
    assert_int_equal(rb_json_int(answer, "size", 0), 6);
    json_decref(answer);
    assert_int_equal(code_of("file.write", json_pack("{s:s, s:s}", "path", in(state, "no/file"), "data", "x")),
                     RB_ENOT_FOUND);
    assert_int_equal(code_of("file.write", json_pack("{s:s, s:s, s:s}", "path", path, "data", "x", "mode", "abc")),
                     RB_EUSAGE);
    const char *const left[] = {"sh", "-c", "! ls \"$1\" | grep -q part", "sh", *state, NULL};
    assert_int_equal(run_argv(left), 0);
}

/* A full disk leaves the old content, and nothing beside it. */
static void disk_full(void **state)
{
    const char *dir = in(state, "small"), *path = in(state, "small/conf");
    const char *const mount[] = {"mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", dir, NULL};
    const char *const unmount[] = {"umount", dir, NULL};
    assert_int_equal(mkdir(dir, 0755), 0);
    if (getuid() != 0 || run_argv(mount) != 0) {
        skip();
    }
    put(path, "old", 3);
    char *data = calloc(1, 200001);
    memset(data, 'x', 200000);
    assert_int_equal(code_of("file.write", json_pack("{s:s, s:s, s:b}", "path", path, "data", data, "backup", 0)),
                     RB_ENO_SPACE);
    put(in(state, "big"), data, 200000);
    assert_int_equal(
        code_of("file.copy", json_pack("{s:s, s:s}", "from", in(state, "big"), "to", in(state, "small/big"))),
        RB_ENO_SPACE);
    free(data);
    char *now = slurp(path);
    assert_string_equal(now, "old");
    free(now);
    json_t *list = must("file.list", json_pack("{s:s}", "dir", dir));
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
    json_t *answer = must("file.move", json_pack("{s:s, s:s}", "from", path, "to", in(state, "moved")));
    json_decref(answer);
    now = slurp(in(state, "moved")); /* across file systems */
    assert_string_equal(now, "old");
    free(now);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(run_argv(unmount), 0);
}

static void copying(void **state)
{
    const char *from = in(state, "from"), *to = in(state, "to");
    struct stat a, b;
    put(from, "content", 7);
    assert_int_equal(chmod(from, 0600), 0);
    json_decref(must("file.copy", json_pack("{s:s, s:s}", "from", from, "to", to)));
    assert_int_equal(stat(from, &a), 0);
    assert_int_equal(stat(to, &b), 0);
    assert_int_equal(a.st_mode, b.st_mode);
    assert_int_equal(a.st_mtime, b.st_mtime);
    put(from, "changed", 7);
    assert_int_equal(code_of("file.copy", json_pack("{s:s, s:s}", "from", from, "to", to)), RB_EEXISTS);
    assert_int_equal(code_of("file.move", json_pack("{s:s, s:s}", "from", from, "to", to)), RB_EEXISTS);
    char *now = slurp(to);
    assert_string_equal(now, "content");
    free(now);
    json_decref(must("file.copy", json_pack("{s:s, s:s, s:b}", "from", from, "to", to, "overwrite", 1)));
    now = slurp(to);
    assert_string_equal(now, "changed");
    free(now);
    assert_int_equal(code_of("file.copy", json_pack("{s:s, s:s, s:b}", "from", from, "to", from, "overwrite", 1)),
                     RB_EUSAGE);
    json_decref(must("file.move", json_pack("{s:s, s:s}", "from", from, "to", in(state, "away"))));
    assert_int_equal(access(from, F_OK), -1);
    assert_int_equal(code_of("file.move", json_pack("{s:s, s:s}", "from", from, "to", in(state, "x"))), RB_ENOT_FOUND);
}

static void removing(void **state)
{
    const char *path = in(state, "a"), *link_path = in(state, "l"), *dir = in(state, "d");
    put(path, "x", 1);
    put(in(state, "a*"), "pattern", 7);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(mkdir(dir, 0755), 0);
    json_decref(must("file.remove", path_args(link_path)));
    assert_int_equal(access(path, F_OK), 0); /* the link went, not the file */
    json_decref(must("file.remove", path_args(dir)));
    assert_int_equal(access(dir, F_OK), -1); /* it was empty */
    json_decref(must("file.remove", path_args(in(state, "a*"))));
    assert_int_equal(access(path, F_OK), 0); /* a name, not a pattern */
    json_decref(must("file.remove", path_args(path)));
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(code_of("file.remove", path_args(path)), RB_ENOT_FOUND);
}

static void folders_and_modes(void **state)
{
    struct stat st;
    json_t *answer = must("file.mkdir", json_pack("{s:s, s:s}", "path", in(state, "x/y/z"), "mode", "0750"));
    assert_true(truth(answer, "created"));
    json_decref(answer);
    answer = must("file.mkdir", path_args(in(state, "x/y/z")));
    assert_false(truth(answer, "created"));
    json_decref(answer);
    assert_int_equal(stat(in(state, "x/y/z"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
    assert_int_equal(code_of("file.mkdir", json_pack("{s:s, s:b}", "path", in(state, "q/r"), "parents", 0)),
                     RB_ENOT_FOUND);
    put(in(state, "f"), "x", 1);
    assert_int_equal(chmod(in(state, "f"), 0644), 0);
    answer = must("file.chmod", json_pack("{s:s, s:s}", "path", in(state, "f"), "mode", "0600"));
    assert_int_equal(rb_json_int(answer, "before", 0), 0644);
    json_decref(answer);
    assert_int_equal(stat(in(state, "f"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(code_of("file.chmod", json_pack("{s:s, s:i}", "path", in(state, "f"), "mode", 99999)), RB_EUSAGE);
}

static void probing(void **state)
{
    json_t *answer = must("file.probe", json_pack("{s:s}", "dir", *state));
    assert_true(truth(answer, "ok"));
    json_decref(answer);
    json_t *list = must("file.list", json_pack("{s:s}", "dir", *state));
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
    answer = must("file.probe", json_pack("{s:s}", "dir", "/proc"));
    assert_false(truth(answer, "ok"));
    assert_true(rb_json_str(answer, "message", "")[0] != '\0');
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reading, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(stats, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(listing, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(writing, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(disk_full, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(copying, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(removing, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(folders_and_modes, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(probing, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
