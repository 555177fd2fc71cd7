#include "pm2/ask.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/json.h"
#include "bind.h"
#include "pm2/message.h"

struct ask {
    struct rb_call *call; /* NULL: it was answered, the handle closes */
    uv_pipe_t pipe;
    uv_connect_t connect;
    uv_write_t write;
    struct rb_buf question, answer;
    char path[PATH_MAX], room[65536];
};

static void on_closed(uv_handle_t *handle)
{
    struct ask *a = handle->data;
    rb_buf_deinit(&a->question);
    rb_buf_deinit(&a->answer);
    free(a);
}

/* Once: the call's end, and the socket's. value is taken. */
static void end(struct ask *a, json_t *value, const struct rb_err *err)
{
    struct rb_call *call = a->call;
    a->call = NULL;
    rb_call_data_set(call, NULL);
    uv_close((uv_handle_t *)&a->pipe, on_closed);
    if (value) {
        rb_call_done(call, value);
    } else {
        rb_call_fail(call, err);
    }
}

static void fail(struct ask *a, int status)
{
    struct rb_err err = {0};
    if (status == UV_ENOENT || status == UV_ECONNREFUSED) {
        rb_err_set(&err, RB_ENOT_RUNNING, RB_T_servers_pm2_none, a->path);
    } else if (status == UV_EOF) {
        rb_err_set(&err, RB_ERESET, RB_T_servers_pm2_closed, a->path);
    } else {
        rb_err_foreign(&err, status == UV_EACCES || status == UV_EPERM ? RB_EDENIED : RB_ERESET, "%s: %s", a->path,
                       uv_strerror(status));
    }
    end(a, NULL, &err);
}

static void on_answer(struct ask *a)
{
    struct rb_err err = {0};
    json_t *answer = NULL;
    int rc = rb_pm2_message(rb_buf_str(&a->answer), a->answer.len, &answer, &err);
    if (rc != 0) {
        json_t *list = rc > 0 ? rb_pm2_processes(answer, &err) : NULL;
        json_decref(answer);
        end(a, list, &err);
    }
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct ask *a = handle->data;
    (void)suggested;
    *buf = uv_buf_init(a->room, sizeof a->room);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct ask *a = stream->data;
    struct rb_err err = {0};
    if (n < 0) {
        fail(a, (int)n);
    } else if (rb_buf_add(&a->answer, buf->base, (size_t)n) != 0) {
        rb_err_set(&err, RB_ETOO_LARGE, RB_T_servers_pm2_large, a->path, RB_PM2_MESSAGE_MAX >> 20);
        end(a, NULL, &err);
    } else {
        on_answer(a);
    }
}

static void on_written(uv_write_t *write, int status)
{
    struct ask *a = write->handle->data;
    if (status < 0 && a->call) {
        fail(a, status);
    }
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct ask *a = connect->handle->data;
    if (!a->call) {
        return;
    }
    uv_buf_t buf = uv_buf_init(a->question.data, (unsigned)a->question.len);
    status = status ? status : uv_write(&a->write, connect->handle, &buf, 1, on_written);
    status = status ? status : uv_read_start(connect->handle, give_room, on_read);
    if (status != 0) {
        fail(a, status);
    }
}

/* 0, or RB_EUSAGE when there is no home, or it is too long for a socket's path. */
static int find_socket(const json_t *args, char path[PATH_MAX], struct rb_err *err)
{
    const char *given = rb_json_str(args, "home", NULL), *pm2 = getenv("PM2_HOME"), *home = getenv("HOME");
    if (given && !rb_bind_path(args, "home", err)) {
        return RB_EUSAGE;
    }
    const char *base = given ? given : pm2 ? pm2 : home;
    int n = snprintf(path, PATH_MAX, "%s%s/rpc.sock", base ? base : "", given || pm2 ? "" : "/.pm2");
    bool fits = n > 0 && (size_t)n < sizeof(((struct sockaddr_un *)0)->sun_path);
    return base && fits ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_servers_pm2_home);
}

int rb_pm2_list(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    struct ask *a = rb_xcalloc(1, sizeof *a);
    int rc = find_socket(args, a->path, err);
    if (rc != 0) {
        free(a);
        return rc;
    }
    a->call = call;
    rb_buf_init(&a->question, 1024);
    rb_buf_init(&a->answer, RB_PM2_MESSAGE_MAX);
    rb_pm2_question(&a->question);
    (void)uv_pipe_init(rb_call_loop(call), &a->pipe, 0);
    a->pipe.data = a;
    rb_call_data_set(call, a);
    uv_pipe_connect(&a->connect, &a->pipe, a->path, on_connect);
    return 0;
}

void rb_pm2_cancel(struct rb_call *call)
{
    struct ask *a = rb_call_data(call);
    struct rb_err err = {0};
    if (a) {
        rb_err_set(&err, RB_ECANCELLED, RB_T_servers_pm2_cancelled, a->path);
        end(a, NULL, &err);
    }
}
