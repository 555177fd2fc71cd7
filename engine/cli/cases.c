/* Results for CI: TAP version 14 and the common subset of JUnit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"

#define CASES_MAX (16u << 20)

/* Clean text in XML: what is left to escape are the five characters. */
static const char *xml(struct rb_cli *c, const char *text)
{
    struct rb_buf b;
    const char *clean = rb_word(c, text);
    rb_buf_init(&b, 1u << 20);
    for (; *clean != '\0'; clean++) {
        switch (*clean) {
        case '&':
            rb_buf_adds(&b, "&amp;");
            break;
        case '<':
            rb_buf_adds(&b, "&lt;");
            break;
        case '>':
            rb_buf_adds(&b, "&gt;");
            break;
        case '"':
            rb_buf_adds(&b, "&quot;");
            break;
        case '\'':
            rb_buf_adds(&b, "&apos;");
            break;
        default:
            rb_buf_add(&b, clean, 1);
        }
    }
    const char *kept = rb_word(c, rb_buf_str(&b));
    rb_buf_deinit(&b);
    return kept;
}

static void put_tap(struct rb_cli *c, const json_t *cases)
{
    size_t i;
    json_t *one;
    rb_put(c, RB_OUT, RB_PLAIN, "TAP version 14\n1..%zu\n", json_array_size(cases));
    json_array_foreach((json_t *)cases, i, one) {
        bool ok = rb_json_bool(one, "ok", false), skipped = rb_json_bool(one, "skipped", false);
        const char *text = rb_word(c, rb_json_str(one, "text", ""));
        rb_put(c, RB_OUT, RB_PLAIN, "%sok %zu - %s%s%s\n", ok || skipped ? "" : "not ", i + 1,
               rb_word(c, rb_json_str(one, "name", "?")), skipped ? " # SKIP " : "", skipped ? text : "");
        if (!ok && !skipped && text[0] != '\0') {
            json_t *quoted = json_string(text);
            char *line = json_dumps(quoted, JSON_ENCODE_ANY);
            rb_put(c, RB_OUT, RB_PLAIN, "  ---\n  message: %s\n  ...\n", line != NULL ? line : "");
            free(line);
            json_decref(quoted);
        }
    }
}

static void junit_case(struct rb_cli *c, struct rb_buf *out, const char *suite, const json_t *one)
{
    const char *text = xml(c, rb_json_str(one, "text", ""));
    rb_buf_addf(out, "<testcase classname=\"%s\" name=\"%s\" time=\"%.3f\">", suite,
                xml(c, rb_json_str(one, "name", "?")), (double)rb_json_int(one, "ms", 0) / 1000);
    if (rb_json_bool(one, "skipped", false)) {
        rb_buf_addf(out, "<skipped message=\"%s\"/>", text);
    } else if (!rb_json_bool(one, "ok", false)) {
        rb_buf_addf(out, "<failure message=\"%s\"/>", text);
    }
    rb_buf_adds(out, "</testcase>\n");
}

static void junit(struct rb_cli *c, struct rb_buf *out, const char *suite, const json_t *cases)
{
    size_t i;
    json_t *one;
    int failures = 0, skipped = 0;
    json_array_foreach((json_t *)cases, i, one) {
        skipped += rb_json_bool(one, "skipped", false);
        failures += !rb_json_bool(one, "ok", false) && !rb_json_bool(one, "skipped", false);
    }
    rb_buf_adds(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    rb_buf_addf(out, "<testsuite name=\"%s\" tests=\"%zu\" failures=\"%d\" skipped=\"%d\">\n", suite,
                json_array_size(cases), failures, skipped);
    json_array_foreach((json_t *)cases, i, one) {
        junit_case(c, out, suite, one);
    }
    rb_buf_adds(out, "</testsuite>\n</testsuites>\n");
}

void rb_put_cases(struct rb_cli *c, const char *suite, const json_t *cases)
{
    struct rb_buf out;
    if (c->format == RB_FORMAT_TAP) {
        put_tap(c, cases);
        return;
    }
    rb_buf_init(&out, CASES_MAX);
    junit(c, &out, suite, cases);
    rb_put(c, RB_OUT, RB_PLAIN, "%s", rb_buf_str(&out));
    rb_buf_deinit(&out);
}

int rb_junit_write(struct rb_cli *c, const char *path, const char *suite, const json_t *cases, struct rb_err *err)
{
    struct rb_buf out;
    rb_buf_init(&out, CASES_MAX);
    junit(c, &out, suite, cases);
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fputs(rb_buf_str(&out), file) >= 0;
    written = (file == NULL || fclose(file) == 0) && written;
    rb_buf_deinit(&out);
    return written ? 0 : rb_err_errno(err, errno, "%s", path);
}
