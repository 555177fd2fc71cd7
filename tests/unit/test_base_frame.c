/* Frames between processes, in any pieces they arrive in, and the JSON inside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/frame.h"
#include "base/json.h"

static json_t *sample(void)
{
    return json_pack("{s:i,s:s,s:[i,n]}", "seq", 7, "verb", "磁盘 \"df\"", "args", 1);
}

static void a_frame_split_at_every_byte_arrives_whole(void **state)
{
    (void)state;
    struct rb_buf wire, in;
    rb_buf_init(&wire, 4096);
    rb_buf_init(&in, 4096);
    json_t *value = sample(), *got = NULL;
    assert_int_equal(rb_frame_encode(&wire, value, NULL), 0);
    size_t one = wire.len;
    assert_int_equal(rb_frame_encode(&wire, value, NULL), 0);
    for (size_t split = 0; split < one; split++) {
        rb_buf_clear(&in);
        assert_int_equal(rb_buf_add(&in, wire.data, split), 0);
        assert_int_equal(rb_frame_decode(&in, &got, NULL), 0);
        assert_null(got);
        assert_int_equal(rb_buf_add(&in, wire.data + split, wire.len - split), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(rb_frame_decode(&in, &got, NULL), 1);
            assert_true(json_equal(got, value));
            json_decref(got);
        }
        assert_int_equal(in.len, 0);
    }
    json_decref(value);
    rb_buf_deinit(&wire);
    rb_buf_deinit(&in);
}

static void check_refused(const char *bytes, size_t len)
{
    struct rb_buf in;
    struct rb_err err = {0};
    json_t *got = NULL;
    rb_buf_init(&in, 4096);
    assert_int_equal(rb_buf_add(&in, bytes, len), 0);
    assert_int_equal(rb_frame_decode(&in, &got, &err), RB_EPROTOCOL);
    assert_null(got);
    assert_true(err.text[0] != '\0');
    rb_buf_deinit(&in);
}

#define REFUSED(bytes) check_refused(bytes, sizeof bytes - 1)

static void impossible_frames_are_refused(void **state)
{
    (void)state;
    REFUSED("\0\0\0\0");
    REFUSED("\xff\xff\xff\xff");
    REFUSED("\x01\x00\x80\x00"); /* one more than the maximum */
    REFUSED("\x02\0\0\0[]");
    REFUSED("\x02\0\0\0{x");
    REFUSED("\x0d\0\0\0{\"a\":1,\"a\":2}");
    REFUSED("\x09\0\0\0{\"a\":\"\xff\"}");
}

static void a_frame_that_is_too_long_is_not_written(void **state)
{
    (void)state;
    struct rb_buf out;
    struct rb_err err = {0};
    char *text = malloc(RB_FRAME_MAX);
    memset(text, 'x', RB_FRAME_MAX);
    json_t *value = json_pack("{s:o}", "t", json_stringn(text, RB_FRAME_MAX));
    rb_buf_init(&out, RB_FRAME_MAX * 2);
    assert_int_equal(rb_buf_adds(&out, "before"), 0);
    assert_int_equal(rb_frame_encode(&out, value, &err), RB_ETOO_LARGE);
    assert_string_equal(rb_buf_str(&out), "before");
    json_decref(value);
    free(text);
    rb_buf_deinit(&out);
}

static void frames_cross_a_socket(void **state)
{
    (void)state;
    int fds[2];
    struct rb_buf scratch;
    struct rb_err err = {0};
    json_t *value = sample(), *got = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    rb_buf_init(&scratch, RB_FRAME_MAX + 4);
    assert_int_equal(rb_frame_write(fds[0], value, &err), 0);
    assert_int_equal(rb_frame_write(fds[0], value, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rb_frame_read(fds[1], &scratch, &got, &err), 0);
        assert_true(json_equal(got, value));
        json_decref(got);
    }
    close(fds[0]);
    assert_int_equal(rb_frame_read(fds[1], &scratch, &got, &err), RB_ERESET);
    close(fds[1]);
    json_decref(value);
    rb_buf_deinit(&scratch);
}

static void check_json(const char *text, bool good)
{
    struct rb_err err = {0};
    json_t *value = rb_json_parse(text, strlen(text), &err);
    assert_int_equal(value != NULL, good);
    assert_int_equal(err.code, good ? 0 : RB_EUSAGE);
    json_decref(value);
}

static void json_is_strict(void **state)
{
    (void)state;
    static const char *const good[] = {"null",          "1", "\"a\"", "{\"a\":[9007199254740993,1.5]}", " [] ",
                                       "\"[[[\\\"[[[\""};
    static const char *const bad[] = {"",
                                      "{",
                                      "[1,]",
                                      "{\"a\":1,\"a\":2}",
                                      "\"\xff\"",
                                      "nul",
                                      "'a'",
                                      "[1] x",
                                      "NaN",
                                      "\"\\u0000\"",
                                      "\"\\ud800\"",
                                      "01",
                                      "{a:1}",
                                      "[1e999]",
                                      "99999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        check_json(good[i], true);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_json(bad[i], false);
    }
}

static void json_has_a_depth(void **state)
{
    (void)state;
    char text[131] = "";
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    check_json(text, true);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    check_json(text, false);
}

static void the_canonical_form_is_one(void **state)
{
    (void)state;
    struct rb_err err = {0};
    static const char loose[] = "{ \"b\" : [1, 9007199254740993, null], \"a\":\"中\" }";
    json_t *value = rb_json_parse(loose, sizeof loose - 1, &err);
    assert_non_null(value);
    char *text = rb_json_canonical(value);
    assert_string_equal(text, "{\"a\":\"中\",\"b\":[1,9007199254740993,null]}");
    free(text);
    json_decref(value);
}

static void check_bytes(const void *data, size_t len, bool plain)
{
    struct rb_buf out;
    rb_buf_init(&out, 8192);
    json_t *value = rb_json_bytes(data, len);
    assert_int_equal(json_is_string(value), plain);
    assert_int_equal(rb_json_bytes_get(value, &out), 0);
    assert_int_equal(out.len, len);
    assert_memory_equal(rb_buf_str(&out), data, len);
    json_decref(value);
    rb_buf_deinit(&out);
}

static void any_bytes_travel(void **state)
{
    (void)state;
    char all[5000];
    for (size_t i = 0; i < sizeof all; i++) {
        all[i] = (char)(i * 7);
    }
    check_bytes("", 0, true);
    check_bytes("磁盘", 6, true);
    check_bytes("a\0b", 3, false);
    check_bytes("\xc4\xe3\xba\xc3", 4, false);
    for (size_t len = 1; len < sizeof all; len += 331) {
        check_bytes(all, len, false);
    }
}

static void bad_bytes_leave_the_buffer_as_it_was(void **state)
{
    (void)state;
    struct rb_buf out;
    rb_buf_init(&out, 64);
    assert_int_equal(rb_buf_adds(&out, "kept"), 0);
    json_t *bad = json_pack("{s:s}", "$b64", "QUJD*");
    json_t *cut = json_pack("{s:s}", "$b64", "QUJDQ");
    json_t *number = json_integer(1);
    assert_int_equal(rb_json_bytes_get(bad, &out), RB_EUSAGE);
    assert_int_equal(rb_json_bytes_get(cut, &out), RB_EUSAGE);
    assert_int_equal(rb_json_bytes_get(number, &out), RB_EUSAGE);
    assert_int_equal(rb_json_bytes_get(NULL, &out), RB_EUSAGE);
    assert_string_equal(rb_buf_str(&out), "kept");
    json_decref(bad);
    json_decref(cut);
    json_decref(number);
    rb_buf_deinit(&out);
}

static void members_have_defaults(void **state)
{
    (void)state;
    json_t *object = json_pack("{s:s,s:i,s:b}", "s", "text", "i", 7, "b", 1);
    assert_string_equal(rb_json_str(object, "s", "x"), "text");
    assert_string_equal(rb_json_str(object, "i", "x"), "x");
    assert_null(rb_json_str(NULL, "s", NULL));
    assert_int_equal(rb_json_int(object, "i", -1), 7);
    assert_int_equal(rb_json_int(object, "s", -1), -1);
    assert_true(rb_json_bool(object, "b", false));
    assert_true(rb_json_bool(object, "none", true));
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_split_at_every_byte_arrives_whole),
        cmocka_unit_test(impossible_frames_are_refused),
        cmocka_unit_test(a_frame_that_is_too_long_is_not_written),
        cmocka_unit_test(frames_cross_a_socket),
        cmocka_unit_test(json_is_strict),
        cmocka_unit_test(json_has_a_depth),
        cmocka_unit_test(the_canonical_form_is_one),
        cmocka_unit_test(any_bytes_travel),
        cmocka_unit_test(bad_bytes_leave_the_buffer_as_it_was),
        cmocka_unit_test(members_have_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
