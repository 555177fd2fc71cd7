/* file: packed, hashed as a tree, removed as a tree, moved out of the way and back, cut, followed and
 * scanned. */
#include "harness.h"

#include <sys/mount.h>
#include <time.h>

#include "calls.h"

static json_t *path_args(const char *path)
{
    return json_pack("{s:s}", "path", path);
}

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

static void assert_content(const char *path, const char *wanted)
{
    char *text = slurp(path);
    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

static void put_many(const char *path, int lines)
{
    FILE *f = fopen(path, "we");
    for (int i = 0; i < lines; i++) {
        assert_true(fprintf(f, "line %d of a log that packs well\n", i) > 0);
    }
    assert_int_equal(fclose(f), 0);
}

static void packing(void **state)
{
    const char *path = in(state, "a b.log"), *packed = in(state, "a b.log.gz");
    struct stat before, after;
    put_many(path, 20000);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(stat(path, &before), 0);
    json_t *hash = must("file.hash", path_args(path));
    json_t *answer = must("file.gzip", path_args(path));
    assert_string_equal(rb_json_str(answer, "path", ""), packed);
    assert_int_equal(rb_json_int(answer, "before", 0), before.st_size);
    assert_true(rb_json_int(answer, "size", 0) < before.st_size / 4);
    json_decref(answer);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(stat(packed, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_mtime, before.st_mtime);
    const char *const test[] = {"gzip", "-t", packed, NULL};
    assert_int_equal(run_argv(test), 0);
    json_decref(must("file.gunzip", path_args(packed)));
    json_t *again = must("file.hash", path_args(path));
    assert_true(json_equal(hash, again));
    json_decref(hash);
    json_decref(again);
    assert_int_equal(access(packed, F_OK), -1);
    put_text(packed, "something else");
    assert_int_equal(code_of("file.gzip", path_args(path)), RB_EEXISTS);
    assert_content(packed, "something else");
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(code_of("file.gunzip", path_args(packed)), RB_ECORRUPT);
    assert_int_equal(code_of("file.gunzip", path_args(in(state, "none.gz"))), RB_ENOT_FOUND);
    assert_int_equal(code_of("file.gunzip", path_args(in(state, "none"))), RB_EUSAGE);
    json_t *list = must("file.list", json_pack("{s:s}", "dir", *state));
    assert_int_equal(json_array_size(list), 1); /* no part of a failed one stays */
    json_decref(list);
}

static void packing_what_is_written(void **state)
{
    const char *path = in(state, "open.log"), *link_path = in(state, "link.log");
    put_many(path, 100);
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(code_of("file.gzip", path_args(link_path)), RB_EUSAGE);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(code_of("file.gzip", path_args(path)), RB_EBUSY);
    assert_int_equal(access(path, F_OK), 0);
    json_t *closed = must("file.find", json_pack("{s:s, s:b}", "dir", *state, "closed", 1));
    assert_int_equal(json_array_size(closed), 0);
    json_decref(closed);
    close(fd);
    closed = must("file.find", json_pack("{s:s, s:b}", "dir", *state, "closed", 1));
    assert_int_equal(json_array_size(closed), 1);
    json_decref(closed);
    json_decref(must("file.gzip", path_args(path)));
}

/* 64 MB of zeros in some 64 kB: refused at the limit, nothing stays. */
static void a_bomb(void **state)
{
    const char *path = in(state, "bomb"), *packed = in(state, "bomb.gz");
    put_text(path, "");
    assert_int_equal(truncate(path, 64 << 20), 0);
    json_decref(must("file.gzip", path_args(path)));
    assert_int_equal(code_of("file.gunzip", json_pack("{s:s, s:i}", "path", packed, "max", 1 << 20)), RB_ETOO_LARGE);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(packed, F_OK), 0);
    assert_int_equal(truncate(packed, 1000), 0); /* cut short */
    assert_int_equal(code_of("file.gunzip", path_args(packed)), RB_ECORRUPT);
}

static void make_tree(void **state, const char *top)
{
    char path[PATH_MAX];
    const char *const names[] = {"", "/sub", "/sub/deep"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%s%s", (const char *)*state, top, names[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    (void)snprintf(path, sizeof path, "%s/%s/a\nb", (const char *)*state, top);
    put_text(path, "newline in its name");
    (void)snprintf(path, sizeof path, "%s/%s/sub/-rf", (const char *)*state, top);
    put_text(path, "dash");
    (void)snprintf(path, sizeof path, "%s/%s/sub/deep/link", (const char *)*state, top);
    assert_int_equal(symlink("/etc", path), 0);
}

static void hashing_trees(void **state)
{
    make_tree(state, "one");
    make_tree(state, "two");
    json_t *one = must("file.hash", path_args(in(state, "one"))), *two = must("file.hash", path_args(in(state, "two")));
    assert_true(json_equal(one, two));
    json_decref(two);
    put_text(in(state, "two/sub/-rf"), "dasH");
    two = must("file.hash", path_args(in(state, "two")));
    assert_false(json_equal(one, two));
    json_decref(two);
    put_text(in(state, "two/sub/-rf"), "dash");
    assert_int_equal(rename(in(state, "two/sub/-rf"), in(state, "two/sub/-rg")), 0);
    two = must("file.hash", path_args(in(state, "two")));
    assert_false(json_equal(one, two));
    json_decref(two);
    json_decref(one);
}

static void removing_trees(void **state)
{
    make_tree(state, "gone");
    make_tree(state, "stays");
    assert_int_equal(symlink(in(state, "stays"), in(state, "gone/sub/to-stays")), 0);
    const char *gone = in(state, "gone");
    assert_int_equal(code_of("file.remove", path_args(gone)), RB_EUSAGE);
    json_t *answer = must("file.remove", json_pack("{s:s, s:b}", "path", gone, "tree", 1));
    assert_int_equal(rb_json_int(answer, "entries", 0), 7);
    json_decref(answer);
    assert_int_equal(access(gone, F_OK), -1);
    assert_content(in(state, "stays/sub/-rf"), "dash"); /* links are not followed */
    static const char *const never[] = {"/", "/etc", "/tmp/..", "/usr/.", "/usr", "//"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        assert_int_equal(code_of("file.remove", json_pack("{s:s, s:b}", "path", never[i], "tree", 1)), RB_EUSAGE);
    }
    struct stat st;
    struct rb_err err = {0};
    assert_int_equal(stat(in(state, "stays/sub/-rf"), &st), 0);
    struct rb_work work = {
        .deadline_ns = rb_clock_mono_ns() + 30000000000, .forbidden_dev = st.st_dev, .forbidden_ino = st.st_ino};
    assert_null(call_with(&work, "file.remove", json_pack("{s:s, s:b}", "path", in(state, "stays"), "tree", 1), &err));
    assert_int_equal(err.code, RB_EDENIED); /* the journal is in it: nothing goes */
    assert_content(in(state, "stays/a\nb"), "newline in its name");
    const char *mount_point = in(state, "stays/sub/deep");
    if (mount("none", mount_point, "tmpfs", 0, "size=1m") == 0) {
        assert_int_equal(code_of("file.remove", json_pack("{s:s, s:b}", "path", in(state, "stays"), "tree", 1)),
                         RB_EUSAGE);
        assert_int_equal(code_of("file.remove", json_pack("{s:s, s:b}", "path", mount_point, "tree", 1)), RB_EUSAGE);
        assert_content(in(state, "stays/a\nb"), "newline in its name");
        assert_int_equal(umount(mount_point), 0);
    }
}

static void quarantining(void **state)
{
    const char *db = in(state, "us.sqlite"), *wal = in(state, "us.sqlite-wal"), *none = in(state, "us.sqlite-journal");
    const char *backup = in(state, "us.sqlite.backup.20240101");
    put_text(db, "db");
    put_text(wal, "wal");
    put_text(backup, "backup");
    json_t *answer = must("file.quarantine", json_pack("{s:[s, s, s], s:s}", "paths", db, wal, none, "dir", *state));
    char *dir = strdup(rb_json_str(answer, "dir", ""));
    assert_int_equal(json_array_size(json_object_get(answer, "files")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "missing"), 0)), none);
    json_decref(answer);
    assert_int_equal(access(db, F_OK), -1);
    assert_content(backup, "backup");
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    put_text(db, "a new one");
    assert_int_equal(code_of("file.bring_back", json_pack("{s:s}", "dir", dir)), RB_EEXISTS);
    assert_int_equal(access(wal, F_OK), -1); /* all or none */
    assert_content(db, "a new one");
    assert_int_equal(unlink(db), 0);
    json_decref(must("file.bring_back", json_pack("{s:s}", "dir", dir)));
    assert_content(db, "db");
    assert_content(wal, "wal");
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(code_of("file.quarantine", json_pack("{s:[s], s:s}", "paths", none, "dir", *state)),
                     RB_ENOT_FOUND);
    assert_int_equal(code_of("file.quarantine", json_pack("{s:[s], s:s}", "paths", db, "dir", "/dev/shm")), RB_EUSAGE);
    assert_content(db, "db");
    free(dir);
}

/* A manifest somebody wrote: names with a slash lead nowhere. */
static void forged_manifest(void **state)
{
    static const char *const forged[] = {"{\"files\":[{\"from\":\"/tmp/x\",\"to\":\"../../etc/passwd\"}]}",
                                         "{\"files\":[{\"from\":\"x\",\"to\":\"001-a\"}]}",
                                         "{\"files\":[]}",
                                         "[]",
                                         "{",
                                         "{\"files\":[{\"from\":\"/tmp/x\",\"to\":\"..\"}]}",
                                         "{\"files\":[{\"to\":\"001-a\"}]}"};
    assert_int_equal(mkdir(in(state, "q"), 0700), 0);
    put_text(in(state, "q/001-a"), "kept");
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        put_text(in(state, "q/manifest.json"), forged[i]);
        int code = code_of("file.bring_back", json_pack("{s:s}", "dir", in(state, "q")));
        assert_true(code == RB_ECORRUPT || code == RB_EUSAGE);
    }
    assert_content(in(state, "q/001-a"), "kept");
}

static void swapping_and_owners(void **state)
{
    make_tree(state, "live");
    make_tree(state, "staged");
    put_text(in(state, "staged/sub/-rf"), "new");
    json_decref(must("file.swap", json_pack("{s:s, s:s}", "path", in(state, "live"), "with", in(state, "staged"))));
    assert_content(in(state, "live/sub/-rf"), "new");
    assert_content(in(state, "staged/sub/-rf"), "dash");
    assert_int_equal(
        code_of("file.swap", json_pack("{s:s, s:s}", "path", in(state, "live"), "with", in(state, "none"))),
        RB_ENOT_FOUND);
    json_t *parent = must("file.parent", path_args(in(state, "live/none")));
    assert_string_equal(json_string_value(parent), in(state, "live"));
    json_decref(parent);
    assert_int_equal(code_of("file.chown", path_args(in(state, "live"))), RB_EUSAGE);
    assert_int_equal(code_of("file.chown", json_pack("{s:s, s:s}", "path", in(state, "live"), "owner", "no-such-user")),
                     RB_ENOT_FOUND);
    if (geteuid() == 0) {
        struct stat st;
        json_t *answer = must("file.chown", json_pack("{s:s, s:s, s:i}", "path", in(state, "live/sub/-rf"), "owner",
                                                      "nobody", "group", 12));
        assert_int_equal(rb_json_int(json_object_get(answer, "before"), "uid", -1), 0);
        json_decref(answer);
        assert_int_equal(stat(in(state, "live/sub/-rf"), &st), 0);
        assert_int_equal(st.st_uid, 65534);
        assert_int_equal(st.st_gid, 12);
    }
}

static void cutting(void **state)
{
    const char *path = in(state, "container.log");
    put_many(path, 1000);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    json_t *answer = must("file.cut", json_pack("{s:s, s:i}", "path", path, "keep", 100));
    assert_int_equal(rb_json_int(answer, "size", 0), 68); /* two whole lines */
    json_decref(answer);
    assert_int_equal(write(fd, "next\n", 5), 5); /* its writer goes on */
    close(fd);
    assert_content(path, "line 998 of a log that packs well\nline 999 of a log that packs well\nnext\n");
    json_decref(must("file.cut", path_args(path)));
    assert_content(path, "");
    assert_int_equal(code_of("file.cut", json_pack("{s:s, s:i}", "path", path, "keep", -1)), RB_EUSAGE);
}

static void usage_of_space(void **state)
{
    make_tree(state, "t");
    put_many(in(state, "t/sub/deep/big"), 10000);
    put_many(in(state, "t/small"), 2000);
    json_t *answer = must("file.usage", json_pack("{s:s, s:i}", "dir", in(state, "t"), "top", 2));
    assert_true(truth(answer, "complete"));
    assert_int_equal(rb_json_int(answer, "files", 0), 4);
    json_t *biggest = json_object_get(answer, "biggest");
    assert_int_equal(json_array_size(biggest), 2);
    assert_string_equal(rb_json_str(json_array_get(biggest, 0), "path", ""), in(state, "t/sub/deep/big"));
    assert_string_equal(rb_json_str(json_array_get(biggest, 1), "path", ""), in(state, "t/small"));
    json_t *folder = json_array_get(json_object_get(answer, "folders"), 0);
    assert_string_equal(rb_json_str(folder, "path", ""), in(state, "t/sub"));
    assert_int_equal(rb_json_int(folder, "files", 0), 2);
    json_decref(answer);
    int fd = open(in(state, "t/small"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(unlink(in(state, "t/small")), 0);
    answer = must("system.deleted", path_args(*state));
    bool found = false;
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(answer, "deleted"), i, one) {
        found = found || (rb_json_int(one, "pid", 0) == getpid() && rb_json_int(one, "bytes", 0) > 60000);
    }
    assert_true(found);
    json_decref(answer);
    close(fd);
}

/* A full disk: whatever was asked for, the old files are as they were and no half one is left. */
static void no_room(void **state)
{
    const char *top = in(state, "small");
    assert_int_equal(mkdir(top, 0755), 0);
    if (mount("none", top, "tmpfs", 0, "size=1m") != 0) {
        assert_int_not_equal(geteuid(), 0);
        skip();
    }
    const char *log = in(state, "small/a.log"), *env = in(state, "small/.env");
    put_text(env, "A=1\n");
    char *noise = malloc(900000);
    unsigned seed = 7;
    for (size_t i = 0; i < 900000; i++) {
        seed = seed * 1103515245 + 12345;
        noise[i] = (char)(seed >> 16);
    }
    put(log, noise, 900000);
    json_t *before = must("file.hash", path_args(top));
    assert_int_equal(code_of("file.gzip", path_args(log)), RB_ENO_SPACE);
    FILE *f = fopen(in(state, "small/fill"), "we");
    while (fwrite(noise, 1, 4096, f) == 4096 && fflush(f) == 0) {
    }
    (void)fclose(f);
    json_t *filled = must("file.hash", path_args(top));
    assert_int_equal(code_of("file.env_set", json_pack("{s:s, s:s, s:s}", "path", env, "name", "B", "value", "2")),
                     RB_ENO_SPACE);
    int code = code_of("file.quarantine", json_pack("{s:[s], s:s}", "paths", log, "dir", top));
    assert_int_equal(code, RB_ENO_SPACE);
    json_t *after = must("file.hash", path_args(top));
    assert_true(json_equal(filled, after));
    json_decref(must("file.cut", json_pack("{s:s, s:i}", "path", log, "keep", 1000))); /* needs no room */
    free(noise);
    json_decref(before);
    json_decref(filled);
    json_decref(after);
    assert_int_equal(umount(top), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(packing, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(packing_what_is_written, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(a_bomb, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(hashing_trees, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(removing_trees, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(quarantining, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(forged_manifest, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(swapping_and_owners, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(cutting, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(usage_of_space, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(no_room, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
