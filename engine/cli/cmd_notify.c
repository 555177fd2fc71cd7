/* runbook notify test CHANNEL: one message through a channel, with what was sent and what came back. It is a run of a
 * small runbook of our own, so that the secrets, the record and the redaction are those of any other message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "catalog/catalog.h"
#include "cli/exec.h"

static const char test_runbook[] =
    "runbook \"runbook/notify-test\" { title = { zh = \"测试通知渠道\", en = \"test a channel\" }, severity = \"P4\",\n"
    "  target = \"channel {channel}\" }\n"
    "param \"channel\" { type = \"string\", title = { zh = \"渠道\", en = \"channel\" }, required = true }\n"
    "param \"message\" { type = \"string\", title = { zh = \"消息\", en = \"message\" }, default = \"\" }\n"
    "step \"send\" {\n"
    "  title = { zh = \"发给 {channel}\", en = \"tell {channel}\" }, risk = \"low\",\n"
    "  run = function(p)\n"
    "    local words = { zh = \"runbook 测试消息，请忽略\", en = \"a test message of runbook, nothing to do\" }\n"
    "    local message = { title = p.message ~= \"\" and p.message or words, level = \"P4\", event = \"test\" }\n"
    "    notify.preview(p.channel, message)\n"
    "    notify(p.channel, message, { timeout = \"15s\" })\n"
    "  end,\n"
    "}\n";

struct trial {
    struct rb_cli *c;
    json_t *request, *reply, *error; /* of the newest calls */
    json_t *result;
};

static void on_event(void *user, const char *kind, const json_t *body)
{
    struct trial *t = user;
    const char *verb = rb_json_str(body, "verb", "");
    if (strcmp(kind, "call.outcome") != 0 || strncmp(verb, "notify.", 7) != 0) {
        return;
    }
    json_t **kept = strcmp(verb, "notify.preview") == 0 ? &t->request : &t->reply,
           *value = json_object_get(body, "value");
    if (value) {
        json_decref(*kept);
        *kept = json_incref(value);
    }
    json_decref(t->error);
    t->error = json_incref(json_object_get(body, "error"));
}

static void on_output(void *user, int stream, const char *data, size_t len)
{
    struct trial *t = user;
    (void)stream;
    if (t->c->format == RB_FORMAT_TEXT) {
        rb_put(t->c, RB_OUT, RB_PLAIN, "%.*s", (int)len, data);
    }
}

static void on_ended(void *user, const json_t *result)
{
    struct trial *t = user;
    t->result = json_deep_copy(result);
}

/* ---- what is shown ---- */

static void put_field(struct rb_cli *c, const char *name, const json_t *value)
{
    if (value != NULL && !json_is_null(value)) {
        rb_put(c, RB_OUT, RB_DIM, "  %s  ", name);
        rb_put(c, RB_OUT, RB_PLAIN, "%s\n", rb_word_json(c, value, 2000));
    }
}

/* Every line of it, also where the body is one long line of JSON: this is what is compared with a vendor's document. */
static void put_request(struct rb_cli *c, const json_t *request)
{
    const char *name, *body = rb_json_str(request, "body", rb_json_str(request, "mail", NULL));
    json_t *value;
    rb_put(c, RB_OUT, RB_BOLD, "%s", rb_text(RB_T_notify_request));
    rb_put(c, RB_OUT, RB_PLAIN, "  %s\n", rb_word(c, rb_json_str(request, "url", "")));
    json_object_foreach(json_object_get(request, "headers"), name, value) {
        put_field(c, rb_word(c, name), value);
    }
    put_field(c, "from", json_object_get(request, "from"));
    put_field(c, rb_text(RB_T_notify_to), json_object_get(request, "to"));
    if (body != NULL) {
        json_t *text = json_string(body);
        rb_put_block(c, RB_OUT, 2, text);
        json_decref(text);
    }
}

static void put_reply(struct rb_cli *c, const json_t *reply)
{
    char text[512];
    int tries = (int)rb_json_int(reply, "tries", 1);
    const char *said = rb_json_str(reply, "reply", ""), *channel = rb_json_str(reply, "channel", "?");
    snprintf(text, sizeof text, rb_text(RB_T_notify_sent), channel, rb_json_str(reply, "kind", "?"));
    rb_put_mark(c, RB_OUT, RB_GOOD);
    rb_put(c, RB_OUT, RB_PLAIN, "%s", rb_word(c, text));
    if (json_object_get(reply, "status") != NULL) {
        rb_put(c, RB_OUT, RB_PLAIN, "  %s", rb_word_json(c, json_object_get(reply, "status"), 20));
    }
    rb_put(c, RB_OUT, RB_PLAIN, "%s%s", said[0] != '\0' ? "  " : "", rb_word(c, said));
    if (tries > 1) {
        snprintf(text, sizeof text, rb_text_n(RB_T_notify_tried, tries), tries);
        rb_put(c, RB_OUT, RB_DIM, "  %s", text);
    }
    rb_put(c, RB_OUT, RB_PLAIN, "\n");
}

static void put_text(const struct trial *t, bool print)
{
    struct rb_cli *c = t->c;
    if (t->request != NULL) {
        put_request(c, t->request);
    }
    if (t->reply != NULL) {
        put_reply(c, t->reply);
    } else if (print && t->error == NULL) {
        rb_put(c, RB_OUT, RB_DIM, "%s\n", rb_text(RB_T_notify_not_sent));
    }
}

/* What usually helps, where the error itself does not say. */
static enum rb_text_id cure_of(const char *code)
{
    static const struct {
        const char *codes;
        enum rb_text_id text;
    } cures[] = {
        {"auth denied not_found", RB_T_notify_cure_key},
        {"refused dns unreachable reset timeout", RB_T_notify_cure_way},
        {"tls", RB_T_notify_cure_tls},
        {"busy", RB_T_notify_cure_busy},
    };
    for (size_t i = 0; i < sizeof cures / sizeof *cures; i++) {
        if (rb_option_listed(cures[i].codes, code)) {
            return cures[i].text;
        }
    }
    return RB_T_none;
}

/* An error is told as that of any command: what, and what to do. */
static int put_error(struct rb_cli *c, const json_t *error)
{
    struct rb_err err = {.code = RB_EIO};
    enum rb_text_id cure = cure_of(rb_json_str(error, "code", ""));
    const char *text = rb_json_str(error, "message", json_is_string(error) ? json_string_value(error) : "?");
    snprintf(err.text, sizeof err.text, "%s", text);
    snprintf(err.hint, sizeof err.hint, "%s", rb_json_str(error, "hint", cure != RB_T_none ? rb_text(cure) : ""));
    (void)rb_cli_fail(c, &err);
    return 1;
}

static int put_trial(struct trial *t, bool print)
{
    struct rb_cli *c = t->c;
    const json_t *error = t->error != NULL ? t->error : json_object_get(t->result, "error");
    bool sent = t->reply != NULL, good = sent || (print && t->request != NULL && t->error == NULL);
    if (c->format != RB_FORMAT_TEXT) {
        rb_put_json(c, json_pack("{s:s, s:O?, s:O?, s:b, s:O?, s:O?}", "schema", "runbook.notify/1", "run",
                                 json_object_get(t->result, "run"), "request", t->request, "sent", sent, "reply",
                                 t->reply, "error", good ? NULL : error));
        return good ? 0 : 1;
    }
    put_text(t, print);
    return good ? 0 : put_error(c, error);
}

/* ---- the run ---- */

static int try_channel(struct rb_cli *c, const char *channel, const json_t *config, struct rb_err *err)
{
    static const struct rb_run_view view = {.event = on_event, .output = on_output, .ended = on_ended};
    struct trial t = {.c = c};
    bool print = rb_options_has(&c->options, RB_O_PRINT);
    const char *message = rb_options_get(&c->options, RB_O_MESSAGE);
    json_t *params = json_pack("{s:s, s:s}", "channel", channel, "message", message != NULL ? message : "");
    json_t *file = rb_catalog_own_file("runbook/notify-test", test_runbook), *repeat = rb_cli_repeat(c);
    const struct rb_engine engine = rb_cli_engine(c);
    const struct rb_run_options o = {.file = file,
                                     .params = params,
                                     .config = config,
                                     .no_input = true,
                                     .allow = "low",
                                     .mode = print ? RB_MODE_DRY_RUN : RB_MODE_EXEC,
                                     .repeat = repeat};
    struct rb_run *run;
    int rc = rb_run_start(&run, &engine, &o, &view, &t, err);
    while (rc == 0 && t.result == NULL) {
        uv_run(&c->loop, UV_RUN_ONCE);
    }
    int code = rc != 0 ? rb_cli_fail(c, err) : put_trial(&t, print);
    json_decref(params);
    json_decref(file);
    json_decref(repeat);
    json_decref(t.request);
    json_decref(t.reply);
    json_decref(t.error);
    json_decref(t.result);
    return code;
}

int rb_cmd_notify(struct rb_cli *c)
{
    struct rb_err err = {0};
    const json_t *config = NULL;
    if (c->nargs != 2 || strcmp(c->args[0], "test") != 0) {
        rb_err_set(&err, RB_EUSAGE, RB_T_notify_usage);
        return rb_cli_fail(c, &err);
    }
    int rc = rb_cli_config(c, &config, &err);
    rc = rc != 0 ? rc : rb_exec_journal(c, &err);
    if (rc == 0 && json_object_size(json_object_get(config, "channel")) == 0 && c->format == RB_FORMAT_TEXT) {
        char text[512];
        snprintf(text, sizeof text, rb_text(RB_T_notify_none), c->args[1]);
        rb_put(c, RB_ERR, RB_WARN, "%s\n", rb_word(c, text));
    }
    return rc != 0 ? rb_cli_fail(c, &err) : try_channel(c, c->args[1], config, &err);
}
