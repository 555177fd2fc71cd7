#include "docker/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "bind.h"
#include "shell/output.h"

#define WORDS_MAX 128
#define ID_MIN 12
#define ID_MAX 64
#define LABEL_MAX 512

struct ask {
    struct rb_call *call;
    struct rb_child *child;
    json_t *project, *words;
    char *service;
    char host[256], id[ID_MAX + 1];
    struct rb_shell_output out, err;
    int64_t since;
    bool executing, stopped;
};

static void ask_free(struct ask *a)
{
    rb_shell_output_deinit(&a->out);
    rb_shell_output_deinit(&a->err);
    json_decref(a->project);
    json_decref(a->words);
    free(a->service);
    free(a);
}

static void fail(struct ask *a, const struct rb_err *err)
{
    struct rb_call *call = a->call;
    rb_call_data_set(call, NULL);
    ask_free(a);
    rb_call_fail(call, err);
}

static void on_output(struct rb_child *child, int stream, const char *data, size_t len, void *user)
{
    struct ask *a = user;
    (void)child;
    rb_shell_output_add(stream == 2 ? &a->err : &a->out, data, len);
}

static void on_exit_event(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user);

/* words: after `docker -H …`; at most WORDS_MAX of them. */
static int run(struct ask *a, const char *const *words, struct rb_err *err)
{
    static const struct rb_child_events events = {.output = on_output, .exit = on_exit_event};
    const char *argv[WORDS_MAX + 4] = {"docker", "-H", a->host};
    struct rb_child_spec spec = {.argv = argv, .access = RB_CHILD_WRITE};
    for (size_t n = 3; *words && n < WORDS_MAX + 3; n++) {
        argv[n] = *words++;
    }
    rb_shell_output_deinit(&a->out);
    rb_shell_output_deinit(&a->err);
    a->child = rb_child_start(rb_call_spawner(a->call), &spec, &events, a, err);
    return a->child ? 0 : err->code;
}

static int find_container(struct ask *a, struct rb_err *err)
{
    char project[LABEL_MAX], service[LABEL_MAX];
    (void)snprintf(project, sizeof project, "label=com.docker.compose.project=%s", json_string_value(a->project));
    (void)snprintf(service, sizeof service, "label=com.docker.compose.service=%s", a->service);
    const char *const words[] = {"ps",    "--quiet",  "--filter",       project, "--filter",
                                 service, "--filter", "status=running", NULL};
    return run(a, words, err);
}

static int execute(struct ask *a, struct rb_err *err)
{
    const char *words[WORDS_MAX + 1] = {"exec", a->id};
    for (size_t i = 0; i < json_array_size(a->words) && i < WORDS_MAX - 2; i++) {
        words[i + 2] = json_string_value(json_array_get(a->words, i));
    }
    a->executing = true;
    return run(a, words, err);
}

/* The first line of docker ps, when it is an id. */
static bool take_id(struct ask *a)
{
    size_t len = 0;
    while (len < a->out.head_len && len < ID_MAX && strchr("0123456789abcdef", a->out.head[len]) && a->out.head[len]) {
        len++;
    }
    if (len < ID_MIN) {
        return false;
    }
    memcpy(a->id, a->out.head, len);
    a->id[len] = '\0';
    return true;
}

static void on_found(struct ask *a, int status)
{
    struct rb_err err = {0};
    char last[400];
    if (status != 0) {
        rb_shell_output_last(&a->err, last, sizeof last);
        rb_err_foreign(&err, RB_ESTATUS, "docker ps: %s", last);
    } else if (!take_id(a)) {
        rb_err_set(&err, RB_ENOT_RUNNING, RB_T_servers_docker_not_running, a->service, json_string_value(a->project));
    } else {
        (void)execute(a, &err);
    }
    if (err.code != 0) {
        fail(a, &err);
    }
}

static void on_answer(struct ask *a, int status)
{
    struct rb_call *call = a->call;
    json_t *value =
        json_pack("{s:b, s:i, s:o, s:o, s:I}", "ok", status == 0, "code", status, "out", rb_shell_output_json(&a->out),
                  "err", rb_shell_output_json(&a->err), "ms", (json_int_t)((rb_clock_mono_ns() - a->since) / 1000000));
    rb_call_data_set(call, NULL);
    ask_free(a);
    rb_call_done(call, value);
}

static void on_exit_event(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    struct ask *a = user;
    struct rb_err stopped = {0};
    (void)child, (void)orphaned;
    a->child = NULL;
    if (a->stopped) {
        rb_err_set(&stopped, RB_ECANCELLED, RB_T_servers_docker_cancelled, a->service);
        fail(a, &stopped);
    } else if (err && err->code != 0) {
        fail(a, err);
    } else if (a->executing) {
        on_answer(a, status);
    } else {
        on_found(a, status);
    }
}

static bool are_words(const json_t *words)
{
    size_t i;
    const json_t *word;
    json_array_foreach(words, i, word) {
        if (!json_is_string(word)) {
            return false;
        }
    }
    return json_array_size(words) > 0 && json_array_size(words) <= WORDS_MAX - 2;
}

/* What the configuration declares: asks = { SERVICE = { NAME = { "command", … } } }. Borrowed; NULL with an error. */
static json_t *declared(const json_t *connection, const char *service, const char *name, struct rb_err *err)
{
    json_t *words = json_object_get(json_object_get(json_object_get(connection, "asks"), service), name);
    if (!json_is_string(json_object_get(connection, "project"))) {
        rb_err_set(err, RB_EUSAGE, RB_T_servers_docker_connection);
    } else if (!are_words(words)) {
        rb_err_set(err, RB_ENOT_FOUND, RB_T_servers_docker_no_question, service, name,
                   rb_json_str(connection, "name", "?"));
        rb_err_hint(err, RB_T_servers_docker_hint, service, name);
    } else {
        return words;
    }
    return NULL;
}

int rb_docker_ask(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    const json_t *connection = json_object_get(args, "connection");
    const char *service = rb_json_str(args, "service", "");
    struct rb_err why = {.code = RB_EINTERNAL};
    json_t *words = declared(connection, service, rb_json_str(args, "name", ""), &why);
    int rc = why.code;
    if (words) {
        struct ask *a = rb_xcalloc(1, sizeof *a);
        a->call = call;
        a->since = rb_clock_mono_ns();
        a->project = json_deep_copy(json_object_get(connection, "project"));
        a->words = json_deep_copy(words);
        a->service = rb_xstrdup(service);
        (void)snprintf(a->host, sizeof a->host, "unix://%s", rb_json_str(connection, "socket", "/var/run/docker.sock"));
        rc = find_container(a, &why);
        if (rc == 0) {
            rb_call_data_set(call, a);
            rb_call_remark(call, "unenforced", "docker exec");
            return 0;
        }
        ask_free(a);
    }
    if (err) {
        *err = why;
    }
    return rc;
}

void rb_docker_cancel(struct rb_call *call)
{
    struct ask *a = rb_call_data(call);
    if (a && a->child) {
        a->stopped = true;
        rb_child_kill(a->child, 0);
    }
}
