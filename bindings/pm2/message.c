#include "pm2/message.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"

#define VERSION 1
#define PARTS_MAX 15

static void add_part(struct rb_buf *out, const char *text)
{
    uint32_t n = (uint32_t)strlen(text);
    const unsigned char len[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                                  (unsigned char)n};
    (void)rb_buf_add(out, len, sizeof len);
    (void)rb_buf_add(out, text, n);
}

void rb_pm2_question(struct rb_buf *out)
{
    const unsigned char meta = VERSION << 4 | 2;
    (void)rb_buf_add(out, &meta, 1);
    add_part(out, "j:{\"type\":\"call\",\"method\":\"getMonitorData\",\"args\":[{}]}");
    add_part(out, "s:1:0"); /* its number: the only one on this connection */
}

static uint32_t length_at(const char *data)
{
    const unsigned char *b = (const unsigned char *)data;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* Where the message ends, 0 while that is not known. */
static size_t end_of(const char *data, size_t len, int parts)
{
    size_t at = 1;
    for (int i = 0; i < parts; i++) {
        if (len - at < 4) {
            return 0;
        }
        uint32_t n = length_at(data + at);
        if (n > RB_PM2_MESSAGE_MAX || len - at - 4 < n) {
            return 0;
        }
        at += 4 + n;
    }
    return at;
}

int rb_pm2_message(const char *data, size_t len, json_t **out, struct rb_err *err)
{
    int parts = len > 0 ? data[0] & PARTS_MAX : 0, version = len > 0 ? (unsigned char)data[0] >> 4 : VERSION;
    if (version != VERSION || (len > 0 && parts == 0)) {
        return rb_err_set(err, RB_ESTATUS, RB_T_servers_pm2_strange);
    }
    if (len == 0 || end_of(data, len, parts) == 0) {
        return 0;
    }
    uint32_t n = length_at(data + 1);
    *out = n > 2 && memcmp(data + 5, "j:", 2) == 0 ? rb_json_parse(data + 7, n - 2, NULL) : NULL;
    return *out ? 1 : rb_err_set(err, RB_ESTATUS, RB_T_servers_pm2_strange);
}

/* What a runbook gets: its name, and where it is; in pm2_env unless the path says monit. */
static const struct {
    const char *name, *from;
} fields[] = {{"namespace", "namespace"},
              {"status", "status"},
              {"restarts", "restart_time"},
              {"unstable_restarts", "unstable_restarts"},
              {"mode", "exec_mode"},
              {"script", "pm_exec_path"},
              {"cwd", "pm_cwd"},
              {"interpreter", "exec_interpreter"},
              {"out_log", "pm_out_log_path"},
              {"err_log", "pm_err_log_path"},
              {"user", "username"},
              {"autorestart", "autorestart"},
              {"watch", "watch"},
              {"exit_code", "exit_code"}};

static bool is_plain(const json_t *value)
{
    return value && !json_is_object(value) && !json_is_array(value) && !json_is_null(value);
}

static void take(json_t *out, const char *name, const json_t *value)
{
    if (is_plain(value)) {
        json_object_set(out, name, (json_t *)value);
    }
}

static json_t *process(const json_t *one)
{
    const json_t *env = json_object_get(one, "pm2_env"), *monit = json_object_get(one, "monit");
    json_int_t since = rb_json_int(env, "pm_uptime", 0);
    json_t *out = json_object();
    take(out, "id", json_object_get(one, "pm_id"));
    take(out, "name", json_object_get(one, "name"));
    take(out, "pid", json_object_get(one, "pid"));
    take(out, "memory", json_object_get(monit, "memory"));
    take(out, "cpu", json_object_get(monit, "cpu"));
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        take(out, fields[i].name, json_object_get(env, fields[i].from));
    }
    if (since > 0) {
        json_object_set_new(out, "started_at", json_integer(since / 1000));
    }
    return out;
}

json_t *rb_pm2_processes(const json_t *answer, struct rb_err *err)
{
    size_t i;
    const json_t *one, *list = json_array_get(json_object_get(answer, "args"), 0);
    if (!json_is_array(list)) {
        rb_err_set(err, RB_ESTATUS, RB_T_servers_pm2_strange);
        return NULL;
    }
    json_t *out = json_array();
    json_array_foreach(list, i, one) {
        json_array_append_new(out, process(one));
    }
    return out;
}
