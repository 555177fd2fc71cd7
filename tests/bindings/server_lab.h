/* A real database server for a test program: started in the foreground as its own user, in a private folder,
 * on a free port of the loopback and a UNIX socket, and stopped by pid. */
#ifndef RB_TESTS_BINDINGS_SERVER_LAB_H
#define RB_TESTS_BINDINGS_SERVER_LAB_H

#include "async.h"
#include "stopped.h"

#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>

struct server {
    char dir[PATH_MAX];
    const char *user; /* of the operating system; NULL: we are it already */
    int port;
    pid_t pid;
};

static inline void become(const char *user)
{
    const struct passwd *who = user ? getpwnam(user) : NULL;
    if (user && (!who || initgroups(user, who->pw_gid) != 0 || setgid(who->pw_gid) != 0 || setuid(who->pw_uid) != 0)) {
        _exit(126);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* after setuid, which clears it */
}

/* Starts a program of the server; its words go to <dir>/log. */
static inline pid_t spawn_as(const struct server *s, const char *const *argv)
{
    char log[PATH_MAX + 8];
    pid_t pid = fork();
    if (pid == 0) {
        become(s->user);
        (void)snprintf(log, sizeof log, "%s/log", s->dir);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        if (chdir(s->dir) == 0) {
            execvp(argv[0], (char *const *)argv);
        }
        _exit(127);
    }
    return pid;
}

static inline void run_as(const struct server *s, const char *const *argv)
{
    int status = 0;
    pid_t pid = spawn_as(s, argv);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char path[PATH_MAX + 8];
        (void)snprintf(path, sizeof path, "%s/log", s->dir);
        char *log = slurp(path);
        fail_msg("%s failed (is the server's package installed? script/setup)\n%s", argv[0], log ? log : "");
    }
}

/* A folder that belongs to the server's user. */
static inline void server_dir(struct server *s, const char *user)
{
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/runbook-%s-XXXXXX", user);
    assert_non_null(mkdtemp(s->dir));
    s->user = geteuid() == 0 ? user : NULL;
    const struct passwd *who = s->user ? getpwnam(s->user) : NULL;
    if (s->user) {
        assert_non_null(who); /* script/setup installs the server */
        assert_int_equal(chown(s->dir, who->pw_uid, who->pw_gid), 0);
    }
    assert_int_equal(chmod(s->dir, 0755), 0);
    s->port = free_port();
}

static inline void server_stop(struct server *s, int signal)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGCONT);
        (void)kill(s->pid, signal);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

static inline void server_remove(struct server *s)
{
    const char *const argv[] = {"rm", "-rf", s->dir, NULL};
    (void)run_argv(argv);
}

/* ---- servers that are none ---- */

struct impostor {
    const char *what;
    const char *bytes; /* what it sends to whoever connects */
    size_t len;
    bool accepts, ends; /* ends: closes after it, with a reset */
    bool again;         /* sends it for ever */
};

static inline void impersonate(int fd, const struct impostor *i)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (i->accepts) {
        int peer = accept(fd, NULL, NULL);
        while (peer >= 0 && i->len > 0 && send(peer, i->bytes, i->len, MSG_NOSIGNAL) > 0 && i->again) {
        }
        if (i->ends) {
            struct linger now = {.l_onoff = 1};
            setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            close(peer);
        }
    }
    for (;;) {
        (void)poll(NULL, 0, 1000);
    }
}

/* Every call ends with its deadline, long before the ten seconds of connecting (on a busy machine a little later),
 * nothing is left, and a write that never began is not unknown. */
static inline void meet_impostors(json_t *connection, const struct impostor *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof at;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
        pid_t pid = fork();
        if (pid == 0) {
            impersonate(fd, &list[i]);
        }
        close(fd);
        json_t *there = json_deep_copy(connection);
        json_object_set_new(there, "port", json_integer(ntohs(at.sin_port)));
        int64_t from = rb_clock_mono_ns();
        struct rb_call call = run_call(
            "sql.exec", json_pack("{s:o, s:s}", "connection", there, "query", "DELETE FROM orders"), false, 400);
        double took = (double)(rb_clock_mono_ns() - from) / 1e9;
        if (call.value || !call.err.text[0] || took > 8) {
            fail_msg("%s: %s after %.2f s", list[i].what, call.err.text, took);
        }
        assert_true(call.undone);
        drop(&call);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
}

/* ---- calls ---- */

/* The answer of a call on a server; an error fails the test. Takes args. */
static inline json_t *answer(const char *verb, json_t *args)
{
    struct rb_call call = run_call(verb, args, strcmp(verb, "sql.exec") != 0 && strcmp(verb, "sql.tx") != 0, 0);
    if (!call.value) {
        fail_msg("%s: %s (%s)", verb, call.err.text, rb_err_name(call.err.code));
    }
    json_t *value = json_incref(call.value);
    drop(&call);
    return value;
}

static inline json_t *with(json_t *connection, const char *query, json_t *params)
{
    return params ? json_pack("{s:O, s:s, s:o}", "connection", connection, "query", query, "params", params)
                  : json_pack("{s:O, s:s}", "connection", connection, "query", query);
}

static inline long long int_of(json_t *connection, const char *query);

/* Turns the loop until the query says n; fails after 60 s. */
static inline void wait_until(json_t *connection, const char *query, long long n)
{
    int64_t until = rb_clock_mono_ns() + 60000000000;
    while (int_of(connection, query) != n) {
        if (rb_clock_mono_ns() > until) {
            fail_msg("never %lld: %s", n, query);
        }
        (void)poll(NULL, 0, 20);
    }
}

/* Until no slot is left: each call is at its statement, which the query counts, or was turned away, or whoever asks is.
 * Fails after 60 s. */
static inline void fill_slots(const struct started *calls, size_t count, json_t *connection, const char *at_it)
{
    int64_t until = rb_clock_mono_ns() + 60000000000;
    size_t settled = 0;
    while (settled < count) {
        assert_true(rb_clock_mono_ns() < until);
        (void)poll(NULL, 0, 20);
        struct rb_call asked = run_call("sql.value", with(connection, at_it, NULL), true, 0);
        assert_true(asked.value || asked.err.code == RB_EBUSY);
        settled = asked.value ? (size_t)json_integer_value(asked.value) : count;
        drop(&asked);
        for (size_t i = 0; i < count; i++) {
            settled += (size_t)calls[i].call.ended;
        }
    }
}

static inline json_t *value_of(json_t *connection, const char *query, json_t *params)
{
    return answer("sql.value", with(connection, query, params));
}

static inline void exec_ok(json_t *connection, const char *query)
{
    json_decref(answer("sql.exec", with(connection, query, NULL)));
}

/* Compares with JSON text; takes got. */
static inline void is_json(json_t *got, const char *expected)
{
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, NULL);
    assert_non_null(wanted);
    if (!json_equal(got, wanted)) {
        fail_msg("got %s, expected %s", json_dumps(got, JSON_ENCODE_ANY), expected);
    }
    json_decref(got);
    json_decref(wanted);
}

static inline long long int_of(json_t *connection, const char *query)
{
    json_t *value = value_of(connection, query, NULL);
    assert_true(json_is_integer(value));
    long long n = json_integer_value(value);
    json_decref(value);
    return n;
}

/* The error's code; an answer fails the test. Takes args. */
static inline struct rb_call fails(const char *verb, json_t *args, int code, int cancel_ms)
{
    struct rb_call call = run_call(verb, args, strcmp(verb, "sql.exec") != 0 && strcmp(verb, "sql.tx") != 0, cancel_ms);
    if (call.value) {
        fail_msg("%s answered %s", verb, json_dumps(call.value, JSON_ENCODE_ANY));
    }
    if (call.err.code != code) {
        fail_msg("%s failed with %s, not %s: %s", verb, rb_err_name(call.err.code), rb_err_name(code), call.err.text);
    }
    assert_true(call.err.text[0] != '\0');
    drop(&call);
    return call;
}

static inline json_t *changed_target(json_t *connection, const char *key, json_t *value)
{
    json_t *copy = json_deep_copy(connection);
    json_object_set_new(copy, key, value);
    return copy;
}

/* Descriptors that are open now, but for those of the loop itself. */
static inline int open_files(void)
{
    int n = 0;
    for (int fd = 3; fd < 1024; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n;
}

/* ---- receipts ---- */

static inline json_t *with_receipt(json_t *connection, const char *query, const char *receipt, bool look)
{
    json_t *args = with(connection, query, NULL);
    json_object_set_new(args, "$receipt", json_string(receipt));
    if (look) {
        json_object_set_new(args, "$look", json_true());
    }
    return args;
}

static inline void has_announced(const char *json)
{
    json_t *expected = json_loads(json, 0, NULL);
    assert_true(json_equal(announced, expected));
    json_decref(expected);
}

/* A row in the same transaction, only where the table is, and only of writes that commit once. */
static inline void receipts(json_t *connection, bool decisive)
{
    char with_row[96];
    (void)snprintf(with_row, sizeof with_row, "{\"receipt\": \"r-1.1\", \"decisive\": %s}",
                   decisive ? "true" : "false");
    exec_ok(connection, "CREATE TABLE paid (n INT PRIMARY KEY)");
    fails("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (1)", "r-1.1", true), RB_ENOT_FOUND, 0);
    json_decref(answer("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (1)", "r-1.1", false)));
    has_announced("{}");
    exec_ok(
        connection,
        "CREATE TABLE runbook_receipts (receipt VARCHAR(64) PRIMARY KEY, at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
    is_json(answer("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (2)", "r-1.1", true)), "false");
    assert_int_equal(int_of(connection, "SELECT count(*) FROM paid"), 1);
    fails("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (1)", "r-1.1", false), RB_ESQL, 0);
    has_announced(with_row);
    is_json(answer("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (2)", "r-1.1", true)), "false");
    json_decref(answer("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (2)", "r-1.1", false)));
    is_json(answer("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (2)", "r-1.1", true)), "true");
    fails("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (3)", "r-1.1", false), RB_ESQL,
          0); /* not twice */
    assert_int_equal(int_of(connection, "SELECT count(*) FROM paid"), 2);
    json_decref(answer("sql.exec", with_receipt(connection, "TRUNCATE TABLE paid", "r-1.2", false)));
    has_announced("{}");
    unrecordable = true; /* what cannot be announced does not happen */
    fails("sql.exec", with_receipt(connection, "INSERT INTO paid VALUES (4)", "r-1.3", false), RB_EJOURNAL, 0);
    unrecordable = false;
    assert_int_equal(int_of(connection, "SELECT count(*) FROM paid"), 0);
    exec_ok(connection, "DROP TABLE paid");
    exec_ok(connection, "DROP TABLE runbook_receipts");
    json_decref(announced);
    announced = NULL;
}

#endif
