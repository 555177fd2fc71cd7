/* Real Redis servers: each in a folder of its own, on a free loopback port, ended by its pid. */
#ifndef RB_TESTS_BINDINGS_REDIS_LAB_H
#define RB_TESTS_BINDINGS_REDIS_LAB_H

#include "async.h"
#include "stopped.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#define PASSWORD "s3cret pass"

struct server {
    pid_t pid;
    int port;
};

/* A socket that listens on loopback; *port. */
static inline int listener(int *port, int backlog)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static inline int dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    at.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Asks beside the binding, by a line of its own, until the answer holds words; fails after 60 s. */
static inline void wait_for_redis(const struct server *s, const char *line, const char *words)
{
    int64_t until = rb_clock_mono_ns() + 60000000000;
    char reply[16384] = "";
    while (!strstr(reply, words)) {
        assert_true(rb_clock_mono_ns() < until);
        uv_run(&loop, UV_RUN_NOWAIT);
        int fd = dial(s->port);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
        struct pollfd said = {.fd = fd, .events = POLLIN};
        ssize_t n = poll(&said, 1, 1000) == 1 ? read(fd, reply, sizeof reply - 1) : 0;
        reply[n > 0 ? n : 0] = '\0';
        close(fd);
        (void)poll(NULL, 0, 5);
    }
}

/* extra: more words of its command line, NULL-terminated. */
static inline struct server start_redis(void **state, const char *const *extra)
{
    struct server s = {.port = free_port()};
    char port[16];
    const char *argv[40] = {"redis-server",
                            "--port",
                            port,
                            "--bind",
                            "127.0.0.1",
                            "--dir",
                            in(state, "."),
                            "--save",
                            "",
                            "--appendonly",
                            "no",
                            "--unixsocket",
                            in(state, "redis.sock"),
                            "--logfile",
                            in(state, "redis.log"),
                            "--daemonize",
                            "no"};
    size_t n = 17;
    (void)snprintf(port, sizeof port, "%d", s.port);
    while (*extra) {
        argv[n++] = *extra++;
    }
    s.pid = fork();
    if (s.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (int i = 0, fd; i < 6000; i++) {
        assert_int_equal(waitpid(s.pid, NULL, WNOHANG), 0); /* redis-server is missing, or did not start */
        if ((fd = dial(s.port)) >= 0) {
            close(fd);
            return s;
        }
        (void)poll(NULL, 0, 10);
    }
    fail_msg("redis-server does not listen");
    return s;
}

static inline void end_redis(struct server *s)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGCONT);
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

static inline json_t *connection(const struct server *s, const char *user, const char *password)
{
    json_t *c =
        json_pack("{s:s, s:s, s:s, s:i}", "name", "cache", "driver", "redis", "host", "127.0.0.1", "port", s->port);
    if (user) {
        json_object_set_new(c, "user", json_string(user));
    }
    if (password) {
        json_object_set_new(c, "password", json_string(password));
    }
    return c;
}

/* One command of words, NULL-terminated. */
static inline struct rb_call command(const char *verb, json_t *conn, const char *const *words)
{
    json_t *list = json_array();
    for (; *words; words++) {
        json_array_append_new(list, json_string(*words));
    }
    return run_call(verb, json_pack("{s:o, s:o}", "connection", conn, "command", list), strcmp(verb, "redis.ask") == 0,
                    0);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline char *text_of(const struct rb_call *c)
{
    return c->value ? json_dumps(c->value, JSON_ENCODE_ANY | JSON_COMPACT) : strdup(c->err.text);
}

#define SAYS(c, expected) \
    do { \
        struct rb_call one_ = (c); \
        char *text_ = text_of(&one_); \
        assert_string_equal(text_, expected); \
        free(text_); \
        drop(&one_); \
    } while (0)

#define RAISES(c, number, part) \
    do { \
        struct rb_call one_ = (c); \
        if (one_.value || one_.err.code != (number) || !strstr(one_.err.text, part)) { \
            char *text_ = text_of(&one_); \
            fail_msg("%s: %s", rb_err_name(one_.err.code), text_); \
        } \
        drop(&one_); \
    } while (0)

#endif
