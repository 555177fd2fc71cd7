#include "redis/key_verbs.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "redis/errors.h"
#include "redis/op.h"
#include "redis/reply.h"

#define SCAN_MAX 1000
#define KEYS_MAX 100000
#define KEYS_BYTES (4u << 20)
#define PAGE 1000 /* keys a server looks at for one SCAN */
#define BATCH 500
#define TOLD_NS 1000000000

/* ---- scan ---- */

static void next_page(struct rb_redis_op *op, rb_redis_replied *replied)
{
    const char *match = rb_json_str(op->args, "match", NULL), *type = rb_json_str(op->args, "type", NULL);
    const char *words[9] = {"SCAN", op->cursor, "COUNT", op->page};
    size_t n = 4;
    if (match) {
        words[n++] = "MATCH";
        words[n++] = match;
    }
    if (type) {
        words[n++] = "TYPE";
        words[n++] = type;
    }
    words[n] = NULL;
    rb_redis_op_send(op, words, replied);
}

/* [cursor, keys] -> keys, borrowed; NULL when it is no such reply. The cursor is kept. */
static json_t *page_of(struct rb_redis_op *op, const json_t *reply)
{
    const char *cursor = json_string_value(json_array_get(reply, 0));
    json_t *keys = json_array_get(reply, 1);
    if (!cursor || strlen(cursor) >= sizeof op->cursor || !json_is_array(keys)) {
        return NULL;
    }
    (void)snprintf(op->cursor, sizeof op->cursor, "%s", cursor);
    op->seen += (json_int_t)json_array_size(keys);
    return keys;
}

static bool at_end(const struct rb_redis_op *op)
{
    return strcmp(op->cursor, "0") == 0;
}

static void strange(struct rb_redis_op *op, json_t *reply)
{
    struct rb_err err = {0};
    rb_err_set(&err, RB_ESTATUS, RB_T_servers_redis_protocol, rb_redis_where(op->link), "SCAN");
    json_decref(reply);
    rb_redis_op_fail(op, &err);
}

static size_t size_of(const json_t *key)
{
    return json_is_string(key) ? json_string_length(key) + 4 : json_string_length(json_object_get(key, "$b64")) + 16;
}

static void on_scanned(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    size_t i, max = (size_t)rb_json_int(op->args, "max", SCAN_MAX);
    const json_t *key;
    if (!rb_redis_op_heard(op, reply, err)) {
        return;
    }
    json_t *page = page_of(op, reply);
    if (!page) {
        strange(op, reply);
        return;
    }
    bool room = true;
    json_array_foreach(page, i, key) {
        room = room && json_array_size(op->keys) < max && op->bytes + size_of(key) <= KEYS_BYTES;
        if (room) {
            json_array_append(op->keys, (json_t *)key);
            op->bytes += size_of(key);
        }
    }
    json_decref(reply);
    if (room && !at_end(op)) {
        next_page(op, on_scanned);
    } else {
        rb_redis_op_done(op, json_pack("{s:O, s:b}", "keys", op->keys, "complete", room));
    }
}

static void scan_first(struct rb_redis_op *op)
{
    next_page(op, on_scanned);
}

static int check_number(const json_t *args, const char *name, json_int_t max, struct rb_err *err)
{
    const json_t *value = json_object_get(args, name);
    json_int_t n = json_integer_value(value);
    return !value || (n >= 1 && n <= max) ? 0
                                          : rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_number, name, (long long)max);
}

static struct rb_redis_op *walk_new(struct rb_call *call, const json_t *args, void (*ready)(struct rb_redis_op *op),
                                    struct rb_err *err)
{
    if (check_number(args, "count", KEYS_MAX, err) != 0 || check_number(args, "max", KEYS_MAX, err) != 0 ||
        check_number(args, "batch", 10000, err) != 0) {
        return NULL;
    }
    struct rb_redis_op *op = rb_redis_op_new(call, args, ready);
    op->keys = json_array();
    (void)snprintf(op->cursor, sizeof op->cursor, "0");
    (void)snprintf(op->page, sizeof op->page, "%lld", (long long)rb_json_int(args, "count", PAGE));
    return op;
}

int rb_redis_scan(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    struct rb_redis_op *op = walk_new(call, args, scan_first, err);
    return op ? rb_redis_op_start(op, err) : RB_EUSAGE;
}

/* ---- unlink ---- */

static void next_batch(struct rb_redis_op *op);

static bool is_protected(const struct rb_redis_op *op, const json_t *key)
{
    size_t i;
    const json_t *pattern;
    struct rb_buf bytes;
    bool hit = false;
    rb_buf_init(&bytes, KEYS_BYTES);
    (void)rb_json_bytes_get(key, &bytes);
    json_array_foreach(json_object_get(op->args, "protect"), i, pattern) {
        hit = hit || fnmatch(json_string_value(pattern), rb_buf_str(&bytes), 0) == 0;
    }
    rb_buf_deinit(&bytes);
    return hit;
}

static void tell_progress(struct rb_redis_op *op)
{
    char line[160];
    int64_t now = rb_clock_mono_ns();
    if (now - (op->told ? op->told : op->since) < TOLD_NS) {
        return;
    }
    op->told = now;
    int n =
        snprintf(line, sizeof line, rb_text(RB_T_servers_redis_progress), (long long)op->removed, (long long)op->seen);
    if (n > 0 && (size_t)n < sizeof line) {
        rb_call_output(op->call, 1, line, (size_t)n);
    }
}

static void on_unlinked(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    if (rb_redis_op_heard(op, reply, err)) {
        op->removed += json_integer_value(reply);
        json_decref(reply);
        tell_progress(op);
        next_batch(op);
    }
}

static void on_found(void *user, json_t *reply, const struct rb_err *err)
{
    struct rb_redis_op *op = user;
    size_t i;
    const json_t *key;
    if (!rb_redis_op_heard(op, reply, err)) {
        return;
    }
    json_t *page = page_of(op, reply);
    if (!page) {
        strange(op, reply);
        return;
    }
    json_array_foreach(page, i, key) {
        bool kept = is_protected(op, key);
        op->kept += kept;
        if (!kept) {
            json_array_append(op->keys, (json_t *)key);
        }
    }
    if (at_end(op)) {
        op->cursor[0] = '\0';
    }
    json_decref(reply);
    next_batch(op);
}

static void send_batch(struct rb_redis_op *op, size_t count)
{
    struct rb_buf out;
    struct rb_err err = {0};
    json_t *words = json_pack("[s]", "UNLINK");
    for (size_t i = 0; i < count; i++) {
        json_array_append(words, json_array_get(op->keys, op->at++));
    }
    rb_buf_init(&out, RB_REDIS_COMMAND_MAX);
    int rc = rb_redis_encode(words, &out, &err);
    json_decref(words);
    if (rc == 0) {
        rb_redis_send(op->link, &out, 1, on_unlinked);
    } else {
        rb_redis_op_fail(op, &err);
    }
    rb_buf_deinit(&out);
}

/* First what was found, a batch at a time; then the next page, until the cursor is at its end (""). */
static void next_batch(struct rb_redis_op *op)
{
    size_t left = json_array_size(op->keys) - op->at, batch = (size_t)rb_json_int(op->args, "batch", BATCH);
    if (left > 0) {
        send_batch(op, left < batch ? left : batch);
    } else if (op->cursor[0]) {
        json_array_clear(op->keys);
        op->at = 0;
        next_page(op, on_found);
    } else {
        rb_redis_op_done(op, json_pack("{s:I, s:I, s:I}", "removed", op->removed, "seen", op->seen, "kept", op->kept));
    }
}

/* "*" and "?" alone would be a FLUSHDB; three letters of one's own are asked for. */
static int check_pattern(const char *match, struct rb_err *err)
{
    size_t own = 0;
    for (const char *c = match; *c; c++) {
        own += !strchr("*?[]\\^-", *c);
    }
    return own >= 3 ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_pattern, match);
}

static int check_protect(const json_t *protect, struct rb_err *err)
{
    size_t i;
    const json_t *pattern;
    json_array_foreach(protect, i, pattern) {
        if (!json_is_string(pattern)) {
            return rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_word);
        }
    }
    return 0;
}

int rb_redis_unlink(struct rb_call *call, const json_t *args, struct rb_err *err)
{
    const char *match = rb_json_str(args, "match", NULL);
    json_t *keys = json_object_get(args, "keys");
    if (!match == !keys) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_which);
    }
    int rc = match ? check_pattern(match, err) : 0;
    rc = rc ? rc : check_protect(json_object_get(args, "protect"), err);
    struct rb_redis_op *op = rc ? NULL : walk_new(call, args, next_batch, err);
    if (!op) {
        return rc ? rc : RB_EUSAGE;
    }
    for (size_t i = 0; i < json_array_size(keys); i++) {
        bool kept = is_protected(op, json_array_get(keys, i));
        op->kept += kept;
        if (!kept) {
            json_array_append(op->keys, json_array_get(keys, i));
        }
    }
    if (keys) {
        op->seen = (json_int_t)json_array_size(keys);
        op->cursor[0] = '\0';
    }
    return rb_redis_op_start(op, err);
}
