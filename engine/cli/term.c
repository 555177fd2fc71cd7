/* The sink: what leaves for a terminal, a pipe or a file is cleaned here and nowhere else. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "run/secrets.h"

#define LINE_MAX_BYTES (1u << 20)

static FILE *stream_of(enum rb_sink sink)
{
    return sink == RB_OUT ? stdout : stderr;
}

static void flush_results(struct rb_cli *c)
{
    errno = 0;
    if ((fflush(stdout) != 0 || ferror(stdout)) && c->lost == 0) {
        c->lost = errno != 0 ? errno : EIO;
    }
}

static const char *sgr(enum rb_style style)
{
    static const char *const codes[] = {
        [RB_PLAIN] = "",       [RB_BOLD] = "\033[1m",  [RB_DIM] = "\033[2m",     [RB_GOOD] = "\033[32m",
        [RB_BAD] = "\033[31m", [RB_WARN] = "\033[33m", [RB_COMMAND] = "\033[1m",
    };
    return codes[style];
}

#define COLUMNS_MIN 40 /* narrower, every word would stand alone */

/* Asked for each line: the window may have changed. */
int rb_columns(const struct rb_cli *c, enum rb_sink sink)
{
    struct winsize size;
    const char *set = getenv("COLUMNS");
    if (!c->tty[sink]) {
        return 0;
    }
    long columns = set != NULL ? strtol(set, NULL, 10) : 0;
    if (columns <= 0 && ioctl(sink == RB_OUT ? STDOUT_FILENO : STDERR_FILENO, TIOCGWINSZ, &size) == 0) {
        columns = size.ws_col;
    }
    return columns >= COLUMNS_MIN && columns <= 1000 ? (int)columns : 0;
}

static void write_clean(struct rb_cli *c, enum rb_sink sink, enum rb_style style, const char *text, size_t len)
{
    FILE *f = stream_of(sink);
    bool colored = c->color[sink] && style != RB_PLAIN;
    /* One stream must not overtake the other on a shared terminal. */
    if (sink == RB_ERR) {
        flush_results(c);
    }
    if (colored) {
        fputs(sgr(style), f);
    }
    fwrite(text, 1, len, f);
    if (colored) {
        fputs("\033[0m", f);
    }
}

void rb_put(struct rb_cli *c, enum rb_sink sink, enum rb_style style, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (len < 0) {
        return;
    }
    struct rb_buf clean, wrapped;
    rb_buf_init(&clean, 8 * LINE_MAX_BYTES);
    rb_buf_init(&wrapped, 16 * LINE_MAX_BYTES);
    rb_utf8_clean(&clean, text, (size_t)len < LINE_MAX_BYTES ? (size_t)len : LINE_MAX_BYTES, true);
    int columns = style == RB_COMMAND || c->format != RB_FORMAT_TEXT ? 0 : rb_columns(c, sink);
    rb_wrap_add(&c->line[sink], &wrapped, rb_buf_str(&clean), clean.len, columns);
    write_clean(c, sink, style, rb_buf_str(&wrapped), wrapped.len);
    rb_buf_deinit(&wrapped);
    rb_buf_deinit(&clean);
    free(text);
}

void rb_put_entered(struct rb_cli *c)
{
    c->line[RB_ERR] = (struct rb_wrap){0};
}

/* The pool holds jansson strings: they are UTF-8 by then, and freed together. */
static const char *pool_keep(struct rb_cli *c, struct rb_buf *b)
{
    json_t *kept = json_stringn(rb_buf_str(b), b->len);
    rb_buf_deinit(b);
    if (kept == NULL) {
        return "";
    }
    json_array_append_new(c->pool, kept);
    return json_string_value(kept);
}

size_t rb_word_mark(const struct rb_cli *c)
{
    return json_array_size(c->pool);
}

void rb_word_release(struct rb_cli *c, size_t mark)
{
    for (size_t n = json_array_size(c->pool); n > mark; n--) {
        json_array_remove(c->pool, n - 1);
    }
}

const char *rb_word(struct rb_cli *c, const char *text)
{
    struct rb_buf b;
    rb_buf_init(&b, LINE_MAX_BYTES);
    rb_utf8_clean(&b, text, strlen(text), false);
    return pool_keep(c, &b);
}

const char *rb_word_text(struct rb_cli *c, const json_t *text)
{
    return text == NULL ? "" : rb_word(c, rb_text_json(text));
}

bool rb_word_is_empty(const json_t *text)
{
    return text == NULL || rb_text_json(text)[0] == '\0';
}

void rb_put_block(struct rb_cli *c, enum rb_sink sink, int indent, const json_t *text)
{
    const char *at = text != NULL ? rb_text_json(text) : "";
    while (*at != '\0') {
        size_t len = strcspn(at, "\n");
        rb_put(c, sink, RB_PLAIN, "%*s%.*s\n", indent, "", (int)(len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES), at);
        at += len + (at[len] == '\n');
    }
}

static void add_json(struct rb_buf *b, const json_t *value, int depth)
{
    size_t i;
    const char *key;
    json_t *item;
    const char *secret = rb_secret_token(value);
    if (json_is_string(value)) {
        rb_utf8_clean(b, json_string_value(value), json_string_length(value), false);
    } else if (secret != NULL) {
        rb_buf_addf(b, RB_SECRET_SHOWN, secret);
    } else if (depth > 0 && json_is_array(value)) {
        json_array_foreach((json_t *)value, i, item) {
            rb_buf_adds(b, i > 0 ? ", " : "");
            add_json(b, item, depth - 1);
        }
    } else if (depth > 0 && json_is_object(value)) {
        const char *gap = "";
        json_object_foreach((json_t *)value, key, item) {
            rb_buf_addf(b, "%s%s=", gap, key);
            add_json(b, item, depth - 1);
            gap = " ";
        }
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12));
        rb_buf_adds(b, text != NULL ? text : "");
        free(text);
    }
}

const char *rb_word_json(struct rb_cli *c, const json_t *value, size_t max)
{
    struct rb_buf all, cut;
    rb_buf_init(&all, LINE_MAX_BYTES);
    rb_buf_init(&cut, LINE_MAX_BYTES);
    add_json(&all, value, 3);
    rb_utf8_clean(&cut, rb_buf_str(&all), all.len, false);
    if (cut.len > max) {
        size_t at = max;
        while (at > 0 && ((unsigned char)cut.data[at] & 0xc0) == 0x80) {
            at--;
        }
        cut.len = at;
        rb_buf_adds(&cut, "...");
    }
    rb_buf_deinit(&all);
    return pool_keep(c, &cut);
}

const char *rb_word_pad(struct rb_cli *c, const char *text, int width)
{
    struct rb_buf b;
    rb_buf_init(&b, LINE_MAX_BYTES);
    rb_utf8_pad(&b, text, width, 0);
    return pool_keep(c, &b);
}

const char *rb_word_ms(struct rb_cli *c, json_int_t ms)
{
    char text[RB_TIME_MAX];
    rb_duration_format((double)ms / 1000, text);
    return rb_word(c, text);
}

static void add_quoted(struct rb_buf *b, const char *arg)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    size_t len = strlen(arg);
    if (len > 0 && strspn(arg, plain) == len) {
        rb_buf_adds(b, arg);
        return;
    }
    bool control = false;
    for (size_t i = 0; i < len; i++) {
        control = control || (unsigned char)arg[i] < 0x20 || arg[i] == 0x7f;
    }
    /* $'…' is the one form in which a control character can be pasted. */
    rb_buf_adds(b, control ? "$'" : "'");
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)arg[i];
        if (ch == '\'') {
            rb_buf_adds(b, control ? "\\'" : "'\\''");
        } else if (control && ch == '\\') {
            rb_buf_adds(b, "\\\\");
        } else if (ch < 0x20 || ch == 0x7f) {
            rb_buf_addf(b, "\\x%02x", ch);
        } else {
            rb_buf_add(b, &arg[i], 1);
        }
    }
    rb_buf_adds(b, "'");
}

const char *rb_word_argv(struct rb_cli *c, const json_t *argv)
{
    struct rb_buf b;
    size_t i;
    json_t *arg;
    rb_buf_init(&b, LINE_MAX_BYTES);
    json_array_foreach((json_t *)argv, i, arg) {
        rb_buf_adds(&b, i > 0 ? " " : "");
        add_quoted(&b, json_is_string(arg) ? json_string_value(arg) : "");
    }
    return pool_keep(c, &b);
}

const char *rb_word_time(struct rb_cli *c, int64_t utc_us)
{
    struct tm tm;
    char text[RB_TIME_MAX];
    time_t seconds = (time_t)(utc_us / 1000000);
    if (localtime_r(&seconds, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        return "?";
    }
    return rb_word(c, text);
}

const char *rb_word_ago(struct rb_cli *c, const char *rfc3339)
{
    int64_t then;
    char text[64];
    if (rfc3339 == NULL || rb_clock_parse(rfc3339, &then) != 0) {
        return "-";
    }
    int64_t s = (rb_clock_utc_us() - then) / 1000000;
    if (s < 60) {
        return TX(just_now);
    }
    int64_t n = s < 3600 ? s / 60 : s < 86400 ? s / 3600 : s / 86400;
    const char *fmt = s < 3600 ? TX(minutes_ago) : s < 86400 ? TX(hours_ago) : TX(days_ago);
    snprintf(text, sizeof text, fmt, (long long)n);
    return rb_word(c, text);
}

void rb_put_mark(struct rb_cli *c, enum rb_sink sink, enum rb_style style)
{
    const char *mark = style == RB_GOOD  ? (c->ascii ? "[ok]" : "✓")
                       : style == RB_BAD ? (c->ascii ? "[x]" : "✗")
                                         : (c->ascii ? "[!]" : "!");
    rb_put(c, sink, style, "%s", mark);
    rb_put(c, sink, RB_PLAIN, " ");
}

/* jansson escapes C0 only; DEL, C1 and bidi controls must not reach a terminal either. */
static void put_json_text(const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s != 0; s++) {
        if (*s == 0x7f) {
            fputs("\\u007f", stdout);
        } else if (s[0] == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f) {
            printf("\\u%04x", s[1]);
            s++;
        } else if (s[0] == 0xe2 && (s[1] == 0x80 || s[1] == 0x81) && s[2] != 0 &&
                   ((s[1] == 0x80 && ((s[2] >= 0x8b && s[2] <= 0x8f) || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
                    (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9))) {
            printf("\\u%04x", 0x2000 | (unsigned)(s[1] & 1) << 6 | (s[2] & 0x3f));
            s += 2;
        } else {
            putchar(*s);
        }
    }
}

static void put_json_line(const json_t *value, size_t flags)
{
    /* Sorted: the same object is the same text, whatever order it was made in. */
    char *text = json_dumps(value, flags | JSON_ENCODE_ANY | JSON_SORT_KEYS);
    if (text != NULL) {
        put_json_text(text);
        putchar('\n');
    }
    free(text);
}

void rb_put_json(struct rb_cli *c, json_t *value)
{
    put_json_line(value, c->tty[RB_OUT] ? JSON_INDENT(2) : JSON_COMPACT);
    json_decref(value);
}

void rb_put_jsonl(struct rb_cli *c, const json_t *value)
{
    put_json_line(value, JSON_COMPACT);
    flush_results(c);
}

void rb_put_raw(struct rb_cli *c, const char *text)
{
    (void)c; /* our own bytes: nothing to clean */
    fputs(text, stdout);
}

void rb_status(struct rb_cli *c, const char *text)
{
    if (!c->redraws || (text == NULL && !c->status_on)) {
        return;
    }
    c->status_on = text != NULL;
    flush_results(c);
    fputs("\r\033[K", stderr);
    if (text != NULL) {
        struct rb_buf b;
        rb_buf_init(&b, LINE_MAX_BYTES);
        rb_utf8_pad(&b, text, 0, 76);
        fputs(rb_buf_str(&b), stderr);
        rb_buf_deinit(&b);
    }
    fflush(stderr);
}

int rb_term_finish(struct rb_cli *c)
{
    fflush(stderr);
    flush_results(c);
    return c->lost != 0 && c->lost != EPIPE ? RB_EIO : 0;
}
