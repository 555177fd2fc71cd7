/* Our own files: what is read, what is refused, and where the folders are. */
#include <fcntl.h>
#include <ftw.h>
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

#include "base/files.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/rb-files-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static int read_of(const char *name, size_t max, int private_only, struct rb_buf *out)
{
    rb_buf_init(out, 1000);
    return rb_files_read(path_of(name), max, private_only, out, NULL);
}

static void a_file_is_read_up_to_its_maximum(void **state)
{
    (void)state;
    struct rb_buf out;
    put("text", "0123456789", 0600);
    assert_int_equal(read_of("text", 10, 1, &out), 0);
    assert_string_equal(rb_buf_str(&out), "0123456789");
    rb_buf_deinit(&out);
    assert_int_equal(read_of("text", 9, 1, &out), RB_ETOO_LARGE);
    rb_buf_deinit(&out);
    assert_int_equal(read_of("none", 9, 1, &out), RB_ENOT_FOUND);
    rb_buf_deinit(&out);
    rb_buf_init(&out, 100000);
    assert_int_equal(rb_files_read("/proc/self/status", 3, 0, &out, NULL), RB_ETOO_LARGE); /* says it has 0 bytes */
    rb_buf_deinit(&out);
}

static void files_others_may_write_are_refused(void **state)
{
    (void)state;
    struct rb_buf out;
    static const mode_t open_modes[] = {0622, 0620, 0602, 0666};
    for (size_t i = 0; i < 4; i++) {
        put("open", "x", open_modes[i]);
        assert_int_equal(read_of("open", 10, 1, &out), RB_EDENIED);
        rb_buf_deinit(&out);
        assert_int_equal(read_of("open", 10, 0, &out), 0);
        rb_buf_deinit(&out);
    }
    put("open", "x", 0644);
    assert_int_equal(read_of("open", 10, 1, &out), 0);
    rb_buf_deinit(&out);
}

static void what_is_no_file_is_refused_without_waiting(void **state)
{
    (void)state;
    struct rb_buf out;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(read_of("fifo", 10, 0, &out), RB_EUSAGE);
    rb_buf_deinit(&out);
    assert_int_equal(read_of(".", 10, 0, &out), RB_EUSAGE);
    rb_buf_deinit(&out);
}

static void folders_are_made_with_their_mode(void **state)
{
    (void)state;
    struct stat st;
    assert_int_equal(rb_files_mkdirs(path_of("a/b/c"), 0700, NULL), 0);
    assert_int_equal(rb_files_mkdirs(path_of("a/b/c"), 0700, NULL), 0);
    assert_int_equal(stat(path_of("a/b"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    put("file", "x", 0600);
    assert_int_not_equal(rb_files_mkdirs(path_of("file/below"), 0700, NULL), 0);
}

/* In a child: the environment is the whole process's. */
static void check_state_dir(char *environment[], const char *expected)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char out[PATH_MAX];
        environ = environment;
        _exit(rb_files_state_dir(out, NULL) == 0 && strcmp(out, expected) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void the_state_folder_follows_the_environment(void **state)
{
    (void)state;
    char own[128], xdg[128], home[128], expected[160];
    struct stat st;
    (void)snprintf(own, sizeof own, "RUNBOOK_STATE=%s/own", folder);
    (void)snprintf(xdg, sizeof xdg, "XDG_STATE_HOME=%s/xdg", folder);
    (void)snprintf(home, sizeof home, "HOME=%s", folder);
    check_state_dir((char *[]){own, xdg, home, NULL}, own + strlen("RUNBOOK_STATE="));
    (void)snprintf(expected, sizeof expected, "%s/xdg/runbook", folder);
    check_state_dir((char *[]){xdg, home, NULL}, expected);
    (void)snprintf(expected, sizeof expected, "%s/.local/state/runbook", folder);
    check_state_dir((char *[]){"XDG_STATE_HOME=relative", home, NULL}, expected);
    assert_int_equal(stat(expected, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_up_to_its_maximum),
        cmocka_unit_test(files_others_may_write_are_refused),
        cmocka_unit_test(what_is_no_file_is_refused_without_waiting),
        cmocka_unit_test(folders_are_made_with_their_mode),
        cmocka_unit_test(the_state_folder_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
