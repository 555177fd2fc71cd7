/* No secret comes through in any of its forms, wherever it stands and however the bytes are cut; all else stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/redact.h"

#define ROUNDS 4000

static uint64_t seed = 20260308;

static unsigned dice(unsigned sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

/* ---- encodings, written without a look at the product's ---- */

static void base64(struct rb_buf *out, const char *text, size_t len, const char *last, size_t wrap)
{
    char alphabet[65];
    snprintf(alphabet, sizeof alphabet, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%s", last);
    size_t column = 0;
    for (size_t i = 0; i < len; i += 3) {
        unsigned n = (unsigned char)text[i] << 16 | (i + 1 < len ? (unsigned char)text[i + 1] << 8 : 0) |
                     (i + 2 < len ? (unsigned char)text[i + 2] : 0);
        for (int k = 0; k < 4; k++) {
            char c = i + (size_t)k > len ? '=' : alphabet[n >> (18 - 6 * k) & 63];
            rb_buf_add(out, &c, 1);
            if (wrap && ++column == wrap) {
                rb_buf_adds(out, "\n");
                column = 0;
            }
        }
    }
}

static void hex(struct rb_buf *out, const char *text, size_t len, const char *format)
{
    for (size_t i = 0; i < len; i++) {
        rb_buf_addf(out, *format == 'x' ? "%02x" : "%02X", (unsigned char)text[i]);
    }
}

static void url(struct rb_buf *out, const char *text, size_t len, const char *plain)
{
    for (size_t i = 0; i < len; i++) {
        bool keep = (text[i] >= 'a' && text[i] <= 'z') || (text[i] && strchr(plain, text[i]));
        rb_buf_addf(out, keep ? "%c" : dice(2) ? "%%%02X" : "%%%02x", (unsigned char)text[i]);
    }
}

static void json_form(struct rb_buf *out, const char *text, size_t flags)
{
    json_t *value = json_string(text);
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | flags);
    rb_buf_add(out, dumped + 1, strlen(dumped) - 2);
    free(dumped);
    json_decref(value);
}

static void shell(struct rb_buf *out, const char *text, int form)
{
    for (const char *p = text; *p; p++) {
        if (form == 0 && *p == '\'') {
            rb_buf_adds(out, "'\\''");
        } else if (form == 1 && *p > ' ' && *p < 0x7f && strchr("!\"#$&'()*;<>?[\\]^`{|}~", *p)) {
            rb_buf_addf(out, "\\%c", *p);
        } else {
            rb_buf_add(out, p, 1);
        }
    }
}

#define FORMS 14

/* before: bytes that stand in the same base64 group. */
static void form_of(struct rb_buf *out, int form, const char *secret)
{
    char with[600];
    size_t len = strlen(secret), offset = (size_t)form % 3;
    snprintf(with, sizeof with, "%.*s%s%s", (int)offset, "##", secret, "###");
    switch (form) {
    case 0:
    case 1:
    case 2:
        base64(out, with, offset + len + 3, "+/", 0);
        break;
    case 3:
    case 4:
    case 5:
        base64(out, with, offset + len + 3, "-_", 0);
        break;
    case 6:
        base64(out, secret, len, "+/", 76);
        break;
    case 7:
        hex(out, secret, len, "x");
        break;
    case 8:
        hex(out, secret, len, "X");
        break;
    case 9:
        url(out, secret, len, "-._~");
        break;
    case 10:
        json_form(out, secret, 0);
        break;
    case 11:
        json_form(out, secret, JSON_ENSURE_ASCII | JSON_ESCAPE_SLASH);
        break;
    case 12:
        shell(out, secret, 1);
        break;
    default:
        rb_buf_adds(out, secret);
    }
}

static const char *const secrets[] = {
    "hunter2!",
    "p@ss/w0rd+x",
    "s3cr€t-密码-key",
    "a\"quoted\\one'",
    "tok_live_0123456789abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJ-KLMNOPQRSTUV",
    "line one of it\nline two of it\nand the third",
    "abcdef",
};
#define SECRETS (sizeof secrets / sizeof *secrets)

static struct rb_redact *redact_of_all(void)
{
    struct rb_redact *r = rb_redact_new();
    for (size_t i = 0; i < SECRETS; i++) {
        char name[16];
        snprintf(name, sizeof name, "s%zu", i);
        rb_redact_add(r, name, secrets[i], strlen(secrets[i]));
    }
    return r;
}

/* What may not be in the output: the middle of the form; the ends of base64 share bits with their neighbours. */
static bool comes_through(const struct rb_buf *out, const struct rb_buf *form)
{
    size_t trim = form->len > 16 ? 4 : 1;
    struct rb_buf middle;
    rb_buf_init(&middle, 1 << 16);
    rb_buf_add(&middle, form->data + trim, form->len - 2 * trim);
    bool found = out->len >= middle.len && memmem(rb_buf_str(out), out->len, middle.data, middle.len);
    rb_buf_deinit(&middle);
    return found;
}

static void feed_in_pieces(const struct rb_redact *r, const struct rb_buf *text, struct rb_buf *out)
{
    struct rb_redact_stream *s = rb_redact_open(r);
    for (size_t at = 0; at < text->len;) {
        size_t size = 1 + dice(dice(2) ? 3 : 40);
        size = size > text->len - at ? text->len - at : size;
        assert_int_equal(rb_redact_feed(s, text->data + at, size, out), 0);
        at += size;
    }
    assert_int_equal(rb_redact_end(s, false, out), 0);
    rb_redact_close(s);
}

static void no_form_comes_through_at_any_place_in_any_pieces(void **state)
{
    (void)state;
    struct rb_redact *r = redact_of_all();
    for (int round = 0; round < ROUNDS; round++) {
        struct rb_buf text, form, out, whole;
        rb_buf_init(&text, 1 << 16);
        rb_buf_init(&form, 1 << 16);
        rb_buf_init(&out, 1 << 16);
        rb_buf_init(&whole, 1 << 16);
        size_t before = dice(50), after = dice(50);
        for (size_t i = 0; i < before; i++) {
            rb_buf_addf(&text, "%c", "#,:;=!?"[dice(7)]);
        }
        int kind = (int)dice(FORMS);
        form_of(&form, kind, secrets[dice(SECRETS)]);
        rb_buf_add(&text, form.data, form.len);
        for (size_t i = 0; i < after; i++) {
            rb_buf_addf(&text, "%c", "#,:;=!?"[dice(7)]);
        }
        feed_in_pieces(r, &text, &out);
        assert_int_equal(rb_redact_text(r, text.data, text.len, false, &whole), 0);
        if (comes_through(&out, &form) || !strstr(rb_buf_str(&out), "‹secret s")) {
            fail_msg("form %d: %s -> %s", kind, text.data, rb_buf_str(&out));
        }
        assert_int_equal(out.len, whole.len); /* the pieces make no difference */
        assert_memory_equal(out.data, whole.data, whole.len);
        assert_memory_equal(out.data, text.data, before); /* what stands around it stays */
        assert_memory_equal(out.data + out.len - after, text.data + text.len - after, after);
        rb_buf_deinit(&text);
        rb_buf_deinit(&form);
        rb_buf_deinit(&out);
        rb_buf_deinit(&whole);
    }
    rb_redact_free(r);
}

static void other_bytes_stay_exact(void **state)
{
    (void)state;
    struct rb_redact *r = redact_of_all();
    for (int round = 0; round < ROUNDS; round++) {
        struct rb_buf text, out;
        rb_buf_init(&text, 1 << 16);
        rb_buf_init(&out, 1 << 16);
        for (size_t i = dice(300); i > 0; i--) { /* near misses: pieces of secrets and of escapes */
            const char *secret = secrets[dice(SECRETS)];
            size_t len = strlen(secret), from = dice((unsigned)len);
            char byte = "#,:;=?~\n\x01\xff"[dice(10)];
            unsigned what = dice(6);
            if (what == 0) {
                rb_buf_add(&text, secret + from, len - from < 4 ? len - from : 4);
                rb_buf_adds(&text, "#");
            } else if (what == 1) {
                rb_buf_adds(&text, (const char *[]){"%", "%4", "\\", "\\u", "\\ud83d", "\r\n", "+"}[dice(7)]);
            } else {
                rb_buf_add(&text, &byte, 1);
            }
        }
        feed_in_pieces(r, &text, &out);
        assert_int_equal(out.len, text.len);
        assert_memory_equal(rb_buf_str(&out), rb_buf_str(&text), text.len);
        rb_buf_deinit(&text);
        rb_buf_deinit(&out);
    }
    rb_redact_free(r);
}

static void assert_text(struct rb_redact *r, const char *text, bool cut, const char *expected)
{
    struct rb_buf out;
    rb_buf_init(&out, 1 << 20);
    assert_int_equal(rb_redact_text(r, text, strlen(text), cut, &out), 0);
    assert_string_equal(rb_buf_str(&out), expected);
    rb_buf_deinit(&out);
}

static void what_is_shown_in_its_place(void **state)
{
    (void)state;
    struct rb_redact *r = rb_redact_new();
    assert_true(rb_redact_idle(r));
    rb_redact_add(r, "pw", "hunter2hunter", 13);
    rb_redact_add(r, "tiny", "abc", 3); /* too short to be told from other words */
    rb_redact_add(r, "long", "hunter2hunter-and-more", 22);
    assert_false(rb_redact_idle(r));
    assert_text(r, "user=a password=hunter2hunter; abc", false, "user=a password=‹secret pw›; abc");
    assert_text(r, "hunter2hunterhunter2hunter", false, "‹secret pw›");
    assert_text(r, "hunter2hunter-and-more", false, "‹secret long›");
    assert_text(r, "it ends with hunter2hun", false, "it ends with hunter2hun");
    assert_text(r, "it was cut in hunter2hun", true, "it was cut in ‹secret pw›");
    assert_text(r, "", true, "");
    rb_redact_free(r);
}

static void a_longer_secret_may_come_while_a_stream_is_open(void **state)
{
    (void)state;
    struct rb_redact *r = rb_redact_new();
    struct rb_buf out;
    rb_buf_init(&out, 1 << 16);
    rb_redact_add(r, "a", "short-one", 9);
    struct rb_redact_stream *s = rb_redact_open(r);
    assert_int_equal(rb_redact_feed(s, "x short-on", 10, &out), 0);
    rb_redact_add(r, "b", "a-much-longer-secret-than-the-first-one", 39);
    assert_int_equal(rb_redact_feed(s, "e a-much-longer-secret-than-the-first-one y", 43, &out), 0);
    assert_int_equal(rb_redact_end(s, false, &out), 0);
    assert_string_equal(rb_buf_str(&out), "x ‹secret a› ‹secret b› y");
    rb_redact_close(s);
    rb_buf_deinit(&out);
    rb_redact_free(r);
}

static void values_are_cleaned_to_their_leaves(void **state)
{
    (void)state;
    struct rb_redact *r = rb_redact_new();
    rb_redact_add(r, "pin", "271828", 6);
    rb_redact_add(r, "pw", "hunter2hunter", 13);
    const char *text =
        "{\"a\":[1,\"x hunter2hunter\",{\"hunter2hunter\":true}],\"b\":271828,\"c\":{\"$b64\":\"aHVudGVyMmh1bnRlcv8=\"},"
        "\"ticks\":9271828}";
    json_t *value = rb_json_parse(text, strlen(text), NULL), *clean = rb_redact_json(r, value);
    char *shown = rb_json_canonical(clean);
    assert_string_equal(shown, "{\"a\":[1,\"x ‹secret pw›\",{\"‹secret pw›\":true}],\"b\":\"‹secret pin›\","
                               "\"c\":{\"$b64\":\"4oC5c2VjcmV0IHB34oC6/w==\"},\"ticks\":9271828}");
    free(shown);
    json_decref(clean);
    json_decref(value);
    value = json_pack("{s:s}", "a", "nothing here");
    clean = rb_redact_json(r, value);
    assert_ptr_equal(clean, value);
    json_decref(clean);
    json_decref(value);
    rb_redact_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_form_comes_through_at_any_place_in_any_pieces),
        cmocka_unit_test(other_bytes_stay_exact),
        cmocka_unit_test(what_is_shown_in_its_place),
        cmocka_unit_test(a_longer_secret_may_come_while_a_stream_is_open),
        cmocka_unit_test(values_are_cleaned_to_their_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
