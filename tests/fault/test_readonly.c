/* Read-only children, against the real kernel: each way to change something is refused and
 * nothing changed, while the same line does change it in a child that may write. */
#include "../unit/process_harness.h"
#include "process/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* A line of tests/fault/writes/kernel.tsv: one that changes something below its working folder, and one that ends with
 * 0 when it has. */
struct way {
    const char *name, *prepare, *act, *changed, *refused;
};

static struct way ways[80];
static size_t way_count;

static int read_ways(void)
{
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(RUNBOOK_SOURCE "/tests/fault/writes/kernel.tsv", "re");
    while (file && way_count < sizeof(ways) / sizeof(*ways) && getline(&line, &size, file) > 0) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '#') {
            struct way *w = &ways[way_count++];
            const char **fields[] = {&w->name, &w->prepare, &w->act, &w->changed, &w->refused};
            for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
                *fields[i] = strsep(&rest, "\t");
            }
            line = NULL; /* it is theirs */
            size = 0;
        }
    }
    free(line);
    return file && fclose(file) == 0 && way_count > 40 ? 0 : -1;
}

struct place {
    char folder[64], victim[32], target[48];
    pid_t pid;
};

static volatile char target = 'o';

/* A process that holds `held` open for writing as 9 and waits. */
static pid_t start_victim(const struct place *p)
{
    char path[128], link[64], file[128] = "";
    (void)snprintf(path, sizeof(path), "%s/held", p->folder);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        rb_wire_close_others(NULL, 0); /* the host's, whose end must be seen */
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        (void)dup2(fd, 9);
        for (;;) {
            (void)pause();
        }
    }
    (void)snprintf(link, sizeof(link), "/proc/%d/fd/9", (int)pid);
    for (int i = 0; strcmp(file, path) != 0; i++) {
        assert_true(i < 60000);
        ssize_t n = readlink(link, file, sizeof(file) - 1);
        file[n > 0 ? n : 0] = '\0';
        (void)poll(NULL, 0, 1);
    }
    return pid;
}

static void in_place(struct host *h, struct result *r, const struct place *p, enum rb_child_access access,
                     const char *line)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    const char *env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", p->victim, p->target, "HOME=/nonexistent", NULL};
    struct rb_child_spec spec = {.argv = argv, .env = env, .cwd = p->folder, .access = access};
    (void)harness_start(h, r, &spec);
    harness_run(h, 0);
}

static int status_of(struct host *h, const struct place *p, enum rb_child_access access, const char *line)
{
    struct result r;
    in_place(h, &r, p, access, line);
    int status = r.status;
    result_free(&r);
    return status;
}

/* `[ ! -e /proc/PID ]` sees a zombie, so the victim is reaped before each look. */
static bool has_changed(struct host *h, const struct place *p, const struct way *w)
{
    if (p->pid > 0) {
        (void)waitpid(p->pid, NULL, WNOHANG);
    }
    return status_of(h, p, RB_CHILD_WRITE, w->changed) == 0;
}

static void make_place(struct host *h, struct place *p, const char *prepare)
{
    memset(p, 0, sizeof(*p));
    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/runbook-readonly-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    p->pid = start_victim(p);
    (void)snprintf(p->victim, sizeof(p->victim), "VICTIM=%d", (int)p->pid);
    (void)snprintf(p->target, sizeof(p->target), "TARGET=%llu", (unsigned long long)(uintptr_t)&target);
    assert_int_equal(0, status_of(h, p, RB_CHILD_WRITE, "echo old > f"));
    assert_int_equal(0, status_of(h, p, RB_CHILD_WRITE, prepare));
}

static void remove_place(struct host *h, const struct place *p)
{
    char line[128];
    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
    (void)snprintf(line, sizeof(line), "rm -rf %s", p->folder);
    struct result r;
    harness_sh(h, &r, RB_CHILD_WRITE, line);
    result_free(&r);
}

static bool refusal_named(const struct result *r, const char *words)
{
    char call[64];
    const char *space = strchr(words, ' ');
    (void)snprintf(call, sizeof(call), "%.*s", space ? (int)(space - words) : 60, words);
    return strstr(rb_buf_str(&r->refused), call) && (!space || strstr(rb_buf_str(&r->refused), space + 1));
}

static void try_way(struct host *h, const struct way *w, enum rb_child_access access)
{
    struct place p;
    struct result r;
    make_place(h, &p, w->prepare);
    if (has_changed(h, &p, w))
        fail_msg("%s", w->name);
    in_place(h, &r, &p, access, w->act);
    if (has_changed(h, &p, w) || r.refusals == 0 || !refusal_named(&r, w->refused)) {
        fail_msg("%s: status %d, refused: %s, said: %s", w->name, r.status, rb_buf_str(&r.refused), rb_buf_str(&r.err));
    }
    result_free(&r);
    if (geteuid() == 0) {
        in_place(h, &r, &p, RB_CHILD_WRITE, w->act);
        bool changed = has_changed(h, &p, w);
        for (int i = 0; i < 100 && !changed; i++) { /* a process that got a signal ends a little later */
            (void)poll(NULL, 0, 100);
            changed = has_changed(h, &p, w);
        }
        if (!changed) {
            fail_msg("%s: has no effect where it may: %d %s", w->name, r.status, rb_buf_str(&r.err));
        }
        assert_int_equal(0, r.refusals);
        result_free(&r);
    }
    remove_place(h, &p);
}

static void test_ways(void **state)
{
    for (size_t i = 0; i < way_count; i++) {
        try_way(*state, &ways[i], RB_CHILD_READ);
    }
}

static void test_ways_with_network(void **state)
{
    for (size_t i = 0; i < way_count; i++) {
        try_way(*state, &ways[i], RB_CHILD_READ_NET);
    }
}

/* Peers in this process; what reached them is read here. */
struct peers {
    int tcp, udp, stream, datagram;
    char folder[64], env[4][128];
};

static int listener(int domain, int type, const void *address, socklen_t len)
{
    int fd = socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(0, bind(fd, address, len));
    if (type != SOCK_DGRAM) {
        assert_int_equal(0, listen(fd, 8));
    }
    return fd;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&a, &len));
    return ntohs(a.sin_port);
}

static void open_peers(struct peers *p)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/runbook-peers-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    assert_int_equal(0, chmod(p->folder, 0755));
    p->tcp = listener(AF_INET, SOCK_STREAM, &in, sizeof(in));
    p->udp = listener(AF_INET, SOCK_DGRAM, &in, sizeof(in));
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/docker.sock", p->folder);
    p->stream = listener(AF_UNIX, SOCK_STREAM, &un, sizeof(un));
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s/log", p->folder);
    p->datagram = listener(AF_UNIX, SOCK_DGRAM, &un, sizeof(un));
    (void)snprintf(p->env[0], sizeof(p->env[0]), "D=%s", p->folder);
    (void)snprintf(p->env[1], sizeof(p->env[1]), "TCP=%u", port_of(p->tcp));
    (void)snprintf(p->env[2], sizeof(p->env[2]), "UDP=%u", port_of(p->udp));
}

static void close_peers(struct peers *p)
{
    char path[128];
    int fds[] = {p->tcp, p->udp, p->stream, p->datagram};
    for (size_t i = 0; i < 4; i++) {
        (void)close(fds[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/docker.sock", p->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/log", p->folder);
    (void)unlink(path);
    (void)rmdir(p->folder);
}

static bool was_reached(const struct peers *p)
{
    char byte;
    bool reached = false;
    int streams[] = {p->tcp, p->stream}, datagrams[] = {p->udp, p->datagram};
    for (int i = 0; i < 2; i++) {
        int fd = accept4(streams[i], NULL, NULL, SOCK_CLOEXEC);
        reached = reached || fd >= 0 || recv(datagrams[i], &byte, 1, MSG_DONTWAIT) >= 0;
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return reached;
}

static void with_peers(struct host *h, struct result *r, const struct peers *p, enum rb_child_access access,
                       const char *code)
{
    char script[1024];
    (void)snprintf(script, sizeof(script),
                   "import os, socket as s; D = os.environ['D']; "
                   "TCP = ('127.0.0.1', int(os.environ['TCP'])); UDP = ('127.0.0.1', int(os.environ['UDP'])); %s",
                   code);
    const char *argv[] = {"/usr/bin/python3", "-c", script, NULL};
    const char *env[] = {"PATH=/usr/bin:/bin", p->env[0], p->env[1], p->env[2], NULL};
    struct rb_child_spec spec = {.argv = argv, .env = env, .access = access};
    (void)harness_start(h, r, &spec);
    harness_run(h, 0);
}

struct call {
    const char *code;
    bool with_net; /* allowed by RB_CHILD_READ_NET */
    const char *refused;
};

static const struct call calls[] = {
    {"s.create_connection(TCP)", true, "connect 127.0.0.1:"},
    {"s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b'x', UDP)", true, "sendto 127.0.0.1:"},
    {"s.socket(s.AF_INET, s.SOCK_DGRAM).sendmsg([b'x'], [], 0, UDP)", true, ""},
    {"s.socket(s.AF_INET, s.SOCK_STREAM).sendto(b'x', s.MSG_FASTOPEN, TCP)", true, "sendto 127.0.0.1:"},
    {"s.socket(s.AF_INET, s.SOCK_STREAM).sendmsg([b'x'], [], s.MSG_FASTOPEN, TCP)", true, "sendmsg"},
    {"s.socket(s.AF_UNIX, s.SOCK_STREAM).connect(D + '/docker.sock')", false, "/docker.sock"},
    {"s.socket(s.AF_UNIX, s.SOCK_DGRAM).sendto(b'x', D + '/log')", false, "socket 1"},
    {"s.socketpair(s.AF_UNIX, s.SOCK_DGRAM)[0].sendmsg([b'x'], [], 0, D + '/log')", false, "socketpair 1"},
};

static void test_peers(void **state)
{
    struct peers p;
    struct result r;
    open_peers(&p);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        with_peers(*state, &r, &p, RB_CHILD_READ, calls[i].code);
        if (r.status == 0 || was_reached(&p) || !strstr(rb_buf_str(&r.refused), calls[i].refused)) {
            fail_msg("%s: %d, refused %s", calls[i].code, r.status, rb_buf_str(&r.refused));
        }
        result_free(&r);
        with_peers(*state, &r, &p, RB_CHILD_READ_NET, calls[i].code);
        if (was_reached(&p) != calls[i].with_net || (r.status == 0) != calls[i].with_net) {
            fail_msg("%s, with net: %d, refused %s", calls[i].code, r.status, rb_buf_str(&r.refused));
        }
        result_free(&r);
        with_peers(*state, &r, &p, RB_CHILD_WRITE, calls[i].code);
        if (r.status != 0 || !was_reached(&p)) {
            fail_msg("%s, where it may: %d %s", calls[i].code, r.status, rb_buf_str(&r.err));
        }
        result_free(&r);
    }
    close_peers(&p);
}

/* A client is no server, and a bind leaves no socket file behind. */
static void test_no_server(void **state)
{
    static const char *const codes[] = {"x = s.socket(); x.bind(('127.0.0.1', 0)); x.listen()",
                                        "x = s.socket(); x.bind(('127.0.0.1', 999))",
                                        "x = s.socketpair()[0]; x.bind(D + '/new')"};
    struct peers p;
    struct result r;
    char path[128];
    open_peers(&p);
    (void)snprintf(path, sizeof(path), "%s/new", p.folder);
    for (size_t i = 0; i < 3; i++) {
        with_peers(*state, &r, &p, RB_CHILD_READ_NET, codes[i]);
        assert_int_not_equal(0, r.status);
        assert_int_not_equal(0, access(path, F_OK));
        result_free(&r);
    }
    with_peers(*state, &r, &p, RB_CHILD_READ_NET, "x = s.socket(); x.bind(('127.0.0.1', 0)); x.connect(TCP)");
    assert_int_equal(0, r.status);
    result_free(&r);
    close_peers(&p);
}

/* What looks, works, and has nothing in the record. */
struct look {
    const char *line, *expected;
};

static const struct look looks[] = {
    {"cat f", "old"},
    {"ls -l", " f"},
    {"ps -e -o pid= | grep -w $VICTIM", ""},
    {"fuser held 2>/dev/null", "PID"},
    {"lsof -t held", "PID"},
    {"lsof -p $VICTIM | grep held", "held"},
    {"df . | tail -1", "/"},
    {"echo x > /dev/null && echo fine", "fine"},
    {"echo x > /dev/stderr && echo y >/dev/stdout && echo z > /dev/fd/1", "z"},
    {"echo abc | cat | tr a z", "zbc"},
    {"cat <<X\nhere $((1 + 1))\nX", "here 2"},
    {"bash -c 'cat <<X\nin bash\nX'", "in bash"},
    {"bash -c 'diff <(echo same) <(echo same) && echo equal'", "equal"},
    {"sleep 100 & kill $!; wait $!; echo $?", "143"},
    {"sh -c 'sleep 100 & sleep 100' & sleep 0.1; kill -9 $!; wait $!; echo $?", "137"},
    {"bash -c 'set -m; sleep 100 & kill -TERM -- -$!; wait $!; echo $?'", "143"},
    {"kill -TERM 4194303 2>&1 || echo none", "No such process"},
    {"timeout 0.1 sleep 100; echo $?", "124"},
    {"kill -0 $VICTIM && echo alive || echo hidden", ""},
    {"nice -n 3 echo nicer", "nicer"},
    {"find . -name f | xargs cat", "old"},
    {"id -un; getent passwd root", "root:"},
    {"date +%Y && uptime && free && uname -a", "20"},
    {"ip -o addr show lo", "127.0.0.1"},
    {"python3 -c 'import threading as t; x = t.Thread(target=print, args=[7]); x.start(); x.join()'", "7"},
    {"head -c 3 /dev/zero | wc -c", "3"},
    {"ipcs -m", "Shared"},
    {"ls /proc/$VICTIM/fd", "9"},
};

static void test_looking_works(void **state)
{
    struct place p;
    make_place(*state, &p, "true");
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        for (int access = RB_CHILD_READ; access <= RB_CHILD_READ_NET; access++) {
            struct result r;
            in_place(*state, &r, &p, (enum rb_child_access)access, looks[i].line);
            const char *expected =
                strcmp(looks[i].expected, "PID") == 0 ? strchr(p.victim, '=') + 1 : looks[i].expected;
            if (r.status != 0 || !strstr(rb_buf_str(&r.out), expected) || r.refusals > 0) {
                fail_msg("%s: %d, said %s%s, refused: %s", looks[i].line, r.status, rb_buf_str(&r.out),
                         rb_buf_str(&r.err), rb_buf_str(&r.refused));
            }
            result_free(&r);
        }
    }
    remove_place(*state, &p);
}

static void test_listeners_are_named(void **state)
{
    struct peers p;
    struct result r;
    char own[64], line[64];
    open_peers(&p);
    (void)snprintf(own, sizeof(own), "pid=%d,", (int)getpid());
    (void)snprintf(line, sizeof(line), "ss -ltnp 'sport = :%u'", port_of(p.tcp));
    harness_sh(*state, &r, RB_CHILD_READ, line);
    assert_int_equal(0, r.status);
    assert_non_null(strstr(rb_buf_str(&r.out), own));
    assert_int_equal(0, r.refusals);
    result_free(&r);
    (void)snprintf(line, sizeof(line), "fuser %u/tcp 2>/dev/null", port_of(p.tcp));
    harness_sh(*state, &r, RB_CHILD_READ, line);
    assert_int_equal(getpid(), strtol(rb_buf_str(&r.out), NULL, 10));
    assert_int_equal(0, r.refusals);
    result_free(&r);
    (void)snprintf(line, sizeof(line), "lsof -nP -iTCP:%u -sTCP:LISTEN -t", port_of(p.tcp));
    harness_sh(*state, &r, RB_CHILD_READ, line);
    assert_int_equal(getpid(), strtol(rb_buf_str(&r.out), NULL, 10));
    result_free(&r);
    close_peers(&p);
}

/* A database in use: its -wal and -shm are there, and another process writes. */
static void test_live_database(void **state)
{
    struct host *h = *state;
    struct place p;
    struct result writer, r;
    make_place(h, &p, "true");
    const char *argv[] = {"/usr/bin/python3", "-c",
                          "import sqlite3, time; d = sqlite3.connect('db'); d.execute('pragma journal_mode=wal'); "
                          "d.execute('create table t(x)'); d.execute('insert into t values (1), (2)'); "
                          "d.commit(); print('ready', flush=True); time.sleep(1000)",
                          NULL};
    struct rb_child_spec spec = {.argv = argv, .cwd = p.folder, .access = RB_CHILD_WRITE};
    struct rb_child *child = harness_start(h, &writer, &spec);
    for (int i = 0; i < 6000 && !strchr(rb_buf_str(&writer.out), '\n'); i++) {
        harness_run(h, 10);
    }
    assert_string_equal("ready\n", rb_buf_str(&writer.out));
    h->running--; /* it stays; the next waits are not for it */
    in_place(h, &r, &p, RB_CHILD_READ, "sqlite3 db 'select count(*) from t; pragma integrity_check'");
    assert_string_equal("2\nok\n", rb_buf_str(&r.out));
    assert_string_equal("", rb_buf_str(&r.err));
    assert_int_equal(0, r.status);
    result_free(&r);
    in_place(h, &r, &p, RB_CHILD_READ, "sqlite3 db 'insert into t values (3)'");
    assert_non_null(strstr(rb_buf_str(&r.err), "readonly"));
    result_free(&r);
    in_place(h, &r, &p, RB_CHILD_WRITE, "sqlite3 db 'select count(*) from t'");
    assert_string_equal("2\n", rb_buf_str(&r.out));
    result_free(&r);
    h->running++;
    rb_child_kill(child, 0);
    harness_run(h, 0);
    result_free(&writer);
    remove_place(h, &p);
}

static void test_many_refusals_are_counted(void **state)
{
    struct place p;
    struct result r;
    make_place(*state, &p, "true");
    in_place(*state, &r, &p, RB_CHILD_READ, "for i in $(seq 100); do (: > new$i) 2>/dev/null; done; ls | wc -l");
    assert_string_equal("2\n", rb_buf_str(&r.out)); /* f, held */
    assert_int_equal(65, r.refusals);
    assert_non_null(strstr(rb_buf_str(&r.refused), "openat new64\nand 36 more\n"));
    result_free(&r);
    remove_place(*state, &p);
}

static void test_rights_that_are_left(void **state)
{
    struct result r;
    harness_sh(*state, &r, RB_CHILD_READ, "grep -E '^(Cap(Prm|Eff|Bnd|Inh|Amb)|NoNewPrivs)' /proc/self/status");
    /* DAC_READ_SEARCH is 2, SYS_PTRACE 19 */
    const char *left = geteuid() == 0 ? "0000000000080004" : "0000000000000000";
    char expected[256];
    (void)snprintf(expected, sizeof(expected), "CapInh:\t%016d\nCapPrm:\t%s\nCapEff:\t%s\n", 0, left, left);
    assert_ptr_equal(rb_buf_str(&r.out), strstr(rb_buf_str(&r.out), expected));
    assert_non_null(strstr(rb_buf_str(&r.out), "NoNewPrivs:\t1"));
    assert_true(geteuid() != 0 || strstr(rb_buf_str(&r.out), "CapBnd:\t0000000000080004\n"));
    result_free(&r);
}

static void test_daemon_does_not_stay(void **state)
{
    struct place p;
    struct result r;
    const char *line = "(setsid sh -c 'trap \"\" TERM HUP; sleep 0.5; echo x > new; sleep 1000' >/dev/null 2>&1 &); "
                       "echo started";
    make_place(*state, &p, "true");
    in_place(*state, &r, &p, RB_CHILD_READ, line);
    assert_string_equal("started\n", rb_buf_str(&r.out));
    assert_false(r.orphaned);
    result_free(&r);
    assert_int_not_equal(0, status_of(*state, &p, RB_CHILD_WRITE, "lsof -t +D ."));
    remove_place(*state, &p);
}

/* The same without root. */
static void test_as_nobody(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/proc/self/exe", "test_readonly", "--nobody", (char *)NULL);
        _exit(99);
    }
    int status = -1;
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(0, status);
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct host));
    harness_open(*state, NULL, 0);
    return read_ways();
}

static int teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_ways_with_network),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_no_server),
        cmocka_unit_test(test_looking_works),
        cmocka_unit_test(test_listeners_are_named),
        cmocka_unit_test(test_live_database),
        cmocka_unit_test(test_many_refusals_are_counted),
        cmocka_unit_test(test_rights_that_are_left),
        cmocka_unit_test(test_daemon_does_not_stay),
        cmocka_unit_test(test_as_nobody),
    };
    if (argc > 1 && strcmp(argv[1], "--nobody") == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
            return 98;
        }
    } else if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, setup, teardown);
}
