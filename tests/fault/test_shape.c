/* A read-only command reaches a UNIX socket only when its words are in the table of shape.c, and then only those of
 * that row. The program is the real systemctl; what it talks to listens on systemd's own path, in a mount namespace of
 * this test. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../unit/process_harness.h"

#include "process/shape.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define MANAGER "/run/systemd/private"
#define DOCKER "/run/docker.sock"

/* ---- the table ---- */

static void shapes(void **state)
{
    (void)state;
    const char *const *const yes[] = {
        ARGV("systemctl", "status", "nginx"),
        ARGV("/usr/bin/systemctl", "show", "nginx.service", "--property=ActiveState,MainPID", "--no-pager"),
        ARGV("systemctl", "--no-pager", "-n", "20", "-l", "status", "coze@1.service"),
        ARGV("systemctl", "is-active", "a", "b"),
        ARGV("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--all"),
        ARGV("systemctl", "list-timers"),
        ARGV("systemctl", "cat", "dev-disk-by\\x2dlabel.swap"),
        ARGV("timedatectl", "show", "-p", "NTPSynchronized", "--value"),
    };
    const char *const *const no[] = {
        ARGV("systemctl"),
        ARGV("systemctl", "restart", "nginx"),
        ARGV("systemctl", "is-active"),
        ARGV("systemctl", "status", "nginx", "--signal=KILL"),
        ARGV("systemctl", "kill", "status"),
        ARGV("systemctl", "-H", "root@host", "status"),
        ARGV("systemctl", "-Mcontainer", "status"),
        ARGV("systemctl", "--host=evil", "status"),
        ARGV("systemctl", "--root=/tmp", "cat", "x"),
        ARGV("systemctl", "--", "status"),
        ARGV("systemctl", "status", "--", "nginx"),
        ARGV("systemctl", "-p"),
        ARGV("systemctl", "-p", "--now", "status"),
        ARGV("systemctl", "status", "a b"),
        ARGV("systemctl", "status", ""),
        ARGV("systemctl", "status", "/etc/passwd"),
        ARGV("systemctl", "status", "../x"),
        ARGV("systemctl", "list-units", "restart"),
        ARGV("systemctl", "--property=A;B", "show"),
        ARGV("systemctl", "daemon-reload"),
        ARGV("systemctl", "set-property", "x", "CPUQuota=1"),
        ARGV("systemctl", "statu"),
        ARGV("systemctl", "status-all"),
        ARGV("/tmp/systemctl", "status"),
        ARGV("./systemctl", "status"),
        ARGV("/usr/bin/../bin/systemctl", "status"),
        ARGV("sh", "-c", "systemctl status"),
        ARGV("busctl", "list"),
        ARGV("docker", "ps"),
        ARGV("timedatectl", "set-time", "2020-01-01"),
        ARGV("timedatectl", "status", "now"),
        ARGV("loginctl", "terminate-user", "x"),
    };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!rb_shape_of(yes[i])) {
            fail_msg("%s %s", yes[i][0], yes[i][1]);
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (rb_shape_of(no[i])) {
            fail_msg("%s %s", no[i][0], no[i][1] ? no[i][1] : "");
        }
    }
}

static void trusted_programs(void **state)
{
    (void)state;
    char dir[] = "/tmp/shape-XXXXXX", path[64];
    assert_true(rb_shape_is_trusted("/bin/cat"));
    assert_false(rb_shape_is_trusted("/bin/no-such-program"));
    assert_false(rb_shape_is_trusted("/bin")); /* no file */
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/cat", dir);
    assert_int_equal(0, symlink("/bin/cat", path));
    assert_true(rb_shape_is_trusted(path)); /* what it leads to counts */
    assert_int_equal(0, unlink(path));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    (void)fclose(f);
    assert_false(rb_shape_is_trusted(path)); /* below /tmp anybody may make a folder */
    assert_int_equal(0, unlink(path));
    assert_int_equal(0, rmdir(dir));
}

/* ---- the kernel ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    assert_int_equal(0, bind(fd, (struct sockaddr *)&at, sizeof at));
    assert_int_equal(0, listen(fd, 8));
    return fd;
}

/* What somebody who connected said first; "" when nobody did. */
static const char *heard(int listener)
{
    static char said[256];
    struct pollfd one = {.fd = listener, .events = POLLIN};
    memset(said, 0, sizeof said);
    if (poll(&one, 1, 0) == 1) {
        int fd = accept(listener, NULL, NULL);
        ssize_t n = read(fd, said, sizeof said - 1);
        close(fd);
        return n > 1 ? said + 1 : "?"; /* the first byte is NUL */
    }
    return "";
}

/* To its end; what it said on a socket stays in the listener's queue. */
static void run(struct host *h, struct result *r, const char *const *argv, const char *const *env,
                enum rb_child_access access)
{
    struct rb_child_spec spec = {.argv = argv, .env = env, .access = access};
    (void)harness_start(h, r, &spec);
    harness_run(h, 0);
}

/* The real one, which waits for an answer that never comes. */
static void run_systemctl(struct host *h, struct result *r)
{
    struct rb_child_spec spec = {.argv = ARGV("systemctl", "is-active", "nginx"), .access = RB_CHILD_READ};
    struct rb_child *child = harness_start(h, r, &spec);
    harness_run(h, 700);
    if (h->running > 0) {
        rb_child_kill(child, 0);
        harness_run(h, 0);
    }
}

#define CONNECT \
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b'\\0POST /containers')"

static void only_the_shape(void **state)
{
    (void)state;
    struct host h;
    struct result r;
    if (geteuid() != 0) {
        skip(); /* a mount namespace needs root */
    }
    harness_open(&h, NULL, 0);
    int manager = listen_at(MANAGER), docker = listen_at(DOCKER);

    run_systemctl(&h, &r);
    assert_string_equal(rb_buf_str(&r.granted), MANAGER "\n");
    assert_non_null(strstr(heard(manager), "AUTH EXTERNAL"));
    result_free(&r);

    const struct {
        const char *const *argv, *const *env;
        enum rb_child_access access;
    } refused[] = {
        {ARGV("systemctl", "restart", "nginx"), NULL, RB_CHILD_READ},
        {ARGV("systemctl", "is-active", "nginx"), ARGV("PATH=/usr/bin", "LD_PRELOAD=/tmp/x.so"), RB_CHILD_READ},
        {ARGV("systemctl", "is-active", "nginx"), NULL, RB_CHILD_READ_NET},
        {ARGV("sh", "-c", "systemctl is-active nginx"), NULL, RB_CHILD_READ},
        {ARGV("/usr/bin/python3", "-c", CONNECT, MANAGER), NULL, RB_CHILD_READ},
        {ARGV("/usr/bin/python3", "-c", CONNECT, DOCKER), NULL, RB_CHILD_READ},
        {ARGV("/usr/bin/python3", "-c", CONNECT, DOCKER), NULL, RB_CHILD_READ_NET},
        {ARGV("docker", "-H", "unix://" DOCKER, "ps"), NULL, RB_CHILD_READ},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        run(&h, &r, refused[i].argv, refused[i].env, refused[i].access);
        assert_string_equal(rb_buf_str(&r.granted), "");
        assert_string_equal(heard(manager), "");
        assert_string_equal(heard(docker), "");
        result_free(&r);
    }
    run(&h, &r, ARGV("/usr/bin/python3", "-c", CONNECT, DOCKER), NULL, RB_CHILD_WRITE); /* the positive control */
    assert_string_equal(heard(docker), "POST /containers");
    result_free(&r);
    close(manager);
    close(docker);
    harness_close(&h);
}

/* Nobody accepts any more: the keeper does not wait there, the child hears EAGAIN. */
static void a_full_queue(void **state)
{
    (void)state;
    struct host h;
    struct result r;
    if (geteuid() != 0) {
        skip();
    }
    harness_open(&h, NULL, 0);
    (void)unlink(MANAGER);
    int manager = listen_at(MANAGER);
    assert_int_equal(0, listen(manager, 0));
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = MANAGER};
    int fill = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(0, connect(fill, (struct sockaddr *)&at, sizeof at));
    int64_t since = rb_clock_mono_ns();
    run_systemctl(&h, &r);
    assert_true(rb_clock_mono_ns() - since < 20000000000);
    result_free(&r);
    close(fill);
    close(manager);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(trusted_programs),
                                       cmocka_unit_test(only_the_shape), cmocka_unit_test(a_full_queue)};
    if (geteuid() == 0 && (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
                           mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") != 0 || mkdir("/run/systemd", 0755) != 0 ||
                           mkdir("/run/systemd/system", 0755) != 0)) {
        perror("a private /run");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
