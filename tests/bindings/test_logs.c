/* file.scan and file.follow: counted exactly, whatever rotates. */
#include "harness.h"

#include <time.h>

#include "calls.h"
#include "file/log_time.h"

static void put_text(const char *path, const char *text)
{
    put(path, text, strlen(text));
}

static void add_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void times(void **state)
{
    static const struct {
        const char *line;
        int64_t utc; /* -1 = none */
    } lines[] = {{"2026-03-08T05:30:00Z ERROR", 1772947800},
                 {"2026-03-08 05:30:00,123 [main] ERROR", 1772947800},
                 {"[2026-03-08T13:30:00.5+08:00] x", 1772947800},
                 {"2026/03/08 05:30:00 [error] 12#12: *1", 1772947800},
                 {"1.2.3.4 - - [08/Mar/2026:05:30:00 +0000] \"GET /\" 502", 1772947800},
                 {"1.2.3.4 - - [08/Mar/2026:01:30:00 -0400] x", 1772947800},
                 {"{\"level\":\"error\",\"time\":1772947800123,\"msg\":\"x\"}", 1772947800},
                 {"{\"ts\":1772947800.5}", 1772947800},
                 {"Mar  8 05:30:00 host sshd[1]: x", 1772947800},
                 {"Nov 30 23:59:59 host x", 1764547199}, /* last year's: the future has no log */
                 {"    at Object.<anonymous> (/srv/a.js:10:20)", -1},
                 {"id 20260308053000 and 192.168.100.200", -1},
                 {"2026-13-08 05:30:00", -1},
                 {"2026-03-08 25:30:00", -1},
                 {"2026-03-0", -1},
                 {"Mar", -1},
                 {"", -1}};
    (void)state;
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    tzset();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int64_t utc = -1;
        bool found = rb_log_time(lines[i].line, strlen(lines[i].line), 1775000000, &utc);
        if (found != (lines[i].utc >= 0) || (found && utc != lines[i].utc)) {
            fail_msg("%s: %d %lld", lines[i].line, found, (long long)utc);
        }
    }
}

static int64_t count_of(const json_t *answer, const char *name)
{
    return rb_json_int(json_object_get(json_object_get(answer, "matches"), name), "count", -1);
}

static void line_at(char *out, size_t size, int64_t utc, const char *text)
{
    char time[RB_TIME_MAX];
    rb_clock_format(utc * 1000000, 0, time);
    (void)snprintf(out, size, "%s %s\n", time, text);
}

/* A line without a time, then one a minute, the newest now: an error every five. Returns now, in UTC seconds. */
static int64_t write_errors(const char *path)
{
    int64_t now = rb_clock_utc_us() / 1000000;
    char line[256];
    add_text(path, "ERROR without a time\n");
    for (int age = 100; age >= 0; age--) {
        line_at(line, sizeof line, now - age * 60,
                age % 10 == 0   ? "ERROR_TYPE_DB locked"
                : age % 10 == 5 ? "ERROR_TYPE_NET down"
                                : "fine");
        add_text(path, line);
        add_text(path, "    at ERROR in a stack trace\n");
    }
    return now;
}

static void scanning(void **state)
{
    const char *path = in(state, "error.log");
    assert_true(json_is_null(must("file.scan", json_pack("{s:s, s:s}", "path", path, "patterns", "x"))));
    (void)write_errors(path);
    json_t *answer =
        must("file.scan", json_pack("{s:s, s:{s:s, s:s}, s:b, s:i, s:i}", "path", path, "patterns", "type",
                                    "ERROR_TYPE_[A-Z]+", "any", "ERROR", "group", 1, "samples", 3, "every", 3600));
    assert_int_equal(count_of(answer, "type"), 21);
    assert_int_equal(count_of(answer, "any"), 1 + 21 + 101);
    assert_int_equal(rb_json_int(json_object_get(json_object_get(json_object_get(answer, "matches"), "type"), "groups"),
                                 "ERROR_TYPE_DB", 0),
                     11);
    assert_int_equal(json_array_size(json_object_get(answer, "samples")), 3);
    assert_true(truth(answer, "dated"));
    assert_true(json_object_size(json_object_get(answer, "buckets")) >= 2);
    int64_t at = rb_json_int(answer, "at", 0);
    json_decref(answer);
    answer = must("file.scan",
                  json_pack("{s:s, s:s, s:i}", "path", path, "patterns", "ERROR_TYPE_[A-Z]+", "last", 30 * 60 + 30));
    assert_int_equal(count_of(answer, "match"), 7); /* 30 25 20 … 0 minutes old; not the hour of the clock before */
    json_decref(answer);
    add_text(path, "ERROR_TYPE_NEW\n");
    answer = must("file.scan",
                  json_pack("{s:s, s:s, s:I}", "path", path, "patterns", "ERROR_TYPE_[A-Z]+", "from", (json_int_t)at));
    assert_int_equal(count_of(answer, "match"), 1);
    json_decref(answer);
}

/* A run that wrote five minutes ago is not told of older lines, unless it asks. */
static void scanning_after_a_write(void **state)
{
    const char *path = in(state, "error.log");
    int64_t now = write_errors(path);
    add_text(path, "ERROR_TYPE_NEW\n");
    struct rb_work work = {.deadline_ns = rb_clock_mono_ns() + 30000000000, .last_write_us = (now - 299) * 1000000};
    struct rb_err err = {0};
    json_t *answer =
        call_with(&work, "file.scan",
                  json_pack("{s:s, s:s, s:i}", "path", path, "patterns", "ERROR_TYPE_[A-Z]+", "last", 3600), &err);
    assert_int_equal(count_of(answer, "match"), 2);
    json_decref(answer);
    answer = call_with(&work, "file.scan",
                       json_pack("{s:s, s:s, s:i, s:b}", "path", path, "patterns", "ERROR_TYPE_[A-Z]+", "last", 3600,
                                 "before_writes", 1),
                       &err);
    assert_int_equal(count_of(answer, "match"), 14);
    json_decref(answer);
}

static void scanning_what_is_gzipped(void **state)
{
    const char *path = in(state, "error.log");
    (void)write_errors(path);
    add_text(path, "ERROR_TYPE_NEW\n");
    const char *const pack[] = {"gzip", path, NULL};
    assert_int_equal(run_argv(pack), 0);
    json_t *answer =
        must("file.scan", json_pack("{s:s, s:s}", "path", in(state, "error.log.gz"), "patterns", "ERROR_TYPE_[A-Z]+"));
    assert_int_equal(count_of(answer, "match"), 22);
    json_decref(answer);
    assert_int_equal(truncate(in(state, "error.log.gz"), 200), 0);
    assert_int_equal(
        code_of("file.scan", json_pack("{s:s, s:s}", "path", in(state, "error.log.gz"), "patterns", "ERROR")),
        RB_ECORRUPT);
}

static void hostile_logs(void **state)
{
    const char *path = in(state, "x.log");
    char *text = malloc(300000);
    memset(text, 'a', 300000);
    text[299999] = '\n';
    put(path, text, 300000);
    free(text);
    add_text(path, "\xd6\xd0 GBK \xff\xfe ERROR\n");
    add_text(path, "no end ERROR");
    json_t *answer = must("file.scan", json_pack("{s:s, s:s}", "path", path, "patterns", "ERROR"));
    assert_int_equal(count_of(answer, "match"), 2);
    assert_false(truth(answer, "dated"));
    json_t *line = json_object_get(json_array_get(json_object_get(answer, "samples"), 0), "line");
    assert_non_null(json_object_get(line, "$b64")); /* exactly, not as question marks */
    json_decref(answer);
    int64_t before = rb_clock_mono_ns();
    assert_int_equal(code_of("file.scan", json_pack("{s:s, s:s}", "path", path, "patterns", "(a|aa)+\\d")),
                     RB_ETIMEOUT);
    assert_true(rb_clock_mono_ns() - before < 60000000000);
    json_t *bad[] = {
        json_pack("{s:s, s:s}", "path", path, "patterns", "("), json_pack("{s:s, s:{}}", "path", path, "patterns"),
        json_pack("{s:s, s:s}", "path", path, "patterns", ""), json_pack("{s:s, s:[s]}", "path", path, "patterns", "x"),
        json_pack("{s:s, s:s}", "path", path, "patterns", "\\C")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(code_of("file.scan", bad[i]), RB_EUSAGE);
    }
    answer = must("file.scan", json_pack("{s:s, s:s, s:b}", "path", path, "patterns", "(.*", "plain", 1));
    assert_int_equal(count_of(answer, "match"), 0);
    json_decref(answer);
}

struct follower {
    json_t *at;
    char text[4096]; /* all lines so far */
    size_t rotated, lost;
};

static void batch(struct follower *f, const char *path, double within)
{
    json_t *args = json_pack("{s:[s], s:f}", "paths", path, "within", within), *one;
    size_t i;
    if (f->at) {
        json_object_set_new(args, "at", f->at);
    }
    json_t *answer = must("file.follow", args);
    f->at = json_incref(json_object_get(answer, "at"));
    json_array_foreach(json_object_get(answer, "lines"), i, one) {
        (void)strncat(f->text, rb_json_str(one, "line", "?"), sizeof f->text - strlen(f->text) - 2);
        (void)strncat(f->text, "|", 2);
    }
    f->rotated += json_array_size(json_object_get(answer, "rotated"));
    f->lost += json_array_size(json_object_get(answer, "lost"));
    json_decref(answer);
}

static void following(void **state)
{
    const char *path = in(state, "app.log");
    struct follower f = {0};
    put_text(path, "old\n");
    batch(&f, path, 0);
    add_text(path, "one\ntw");
    batch(&f, path, 0);
    add_text(path, "o\nthree\n"); /* a line is given once it is whole */
    assert_int_equal(rename(path, in(state, "app.log.1")), 0);
    add_text(in(state, "app.log.1"), "four, after the rename");
    add_text(path, "five\n");
    batch(&f, path, 0);
    const char *const copy[] = {"cp", path, in(state, "app.log.2"), NULL};
    assert_int_equal(run_argv(copy), 0);
    assert_int_equal(truncate(path, 0), 0); /* copied and cut */
    add_text(path, "six\n");
    batch(&f, path, 0);
    assert_string_equal(f.text, "one|two|three|four, after the rename|five|six|");
    assert_int_equal(f.rotated, 2);
    assert_int_equal(f.lost, 0);
    add_text(path, "never seen\n");
    assert_int_equal(unlink(path), 0);
    batch(&f, path, 0);
    add_text(path, "seven\n");
    batch(&f, path, 0);
    assert_non_null(strstr(f.text, "seven|"));
    assert_int_equal(f.lost, 1);
    json_decref(f.at);
}

static void following_what_is_not_there(void **state)
{
    const char *path = in(state, "later.log");
    struct follower f = {0};
    int64_t before = rb_clock_mono_ns();
    batch(&f, path, 0.3);
    assert_in_range((rb_clock_mono_ns() - before) / 1000000, 290, 30000);
    put_text(path, "first\n");
    batch(&f, path, 0.1);
    assert_string_equal(f.text, "first|");
    json_decref(f.at);
    json_t *answer = must("file.follow",
                          json_pack("{s:[s], s:b, s:i, s:i}", "paths", path, "from_start", 1, "max", 1, "within", 20));
    assert_int_equal(json_array_size(json_object_get(answer, "lines")), 1); /* full at once */
    json_decref(answer);
    assert_int_equal(code_of("file.follow", json_pack("{s:[]}", "paths")), RB_EUSAGE);
    assert_int_equal(code_of("file.follow", json_pack("{s:[s]}", "paths", "relative")), RB_EUSAGE);
    assert_int_equal(code_of("file.follow", json_pack("{s:[s]}", "paths", *state)), RB_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test_setup_teardown(scanning, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(scanning_after_a_write, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(scanning_what_is_gzipped, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(hostile_logs, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(following, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(following_what_is_not_there, setup_dir, teardown_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
