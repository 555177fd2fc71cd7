#include "base/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define STEPS_MAX 1000000 /* of one search: some 20 ms */
#define DEPTH_MAX 10000   /* of backtracking */
#define HEAP_MAX_KIB (16u << 10)

struct rb_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    pcre2_match_data *match;
    char *text;
    unsigned captures;
    const char *names[RB_PATTERN_GROUPS];
};

static void read_names(struct rb_pattern *p)
{
    PCRE2_SPTR table;
    uint32_t count = 0, size = 0;
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &count);
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &table);
    for (uint32_t i = 0; i < count; i++) {
        PCRE2_SPTR entry = table + (size_t)i * size;
        unsigned number = (unsigned)entry[0] << 8 | entry[1];
        if (number < RB_PATTERN_GROUPS) {
            p->names[number] = (const char *)entry + 2;
        }
    }
}

static int compile(struct rb_pattern *p, const char *text, size_t len, bool plain, struct rb_err *err)
{
    PCRE2_UCHAR why[256] = "";
    PCRE2_SIZE at = 0;
    int code = 0;
    uint32_t options = plain ? PCRE2_LITERAL | PCRE2_UTF | PCRE2_MATCH_INVALID_UTF
                             : PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    pcre2_compile_context *limits = pcre2_compile_context_create(NULL);
    RB_REQUIRE(limits);
    (void)pcre2_set_parens_nest_limit(limits, 50);
    p->code = pcre2_compile((PCRE2_SPTR)text, len, options, &code, &at, limits);
    if (!p->code && plain) { /* searched as bytes when it is no UTF-8 itself */
        p->code = pcre2_compile((PCRE2_SPTR)text, len, PCRE2_LITERAL, &code, &at, limits);
    }
    pcre2_compile_context_free(limits);
    if (p->code) {
        return 0;
    }
    (void)pcre2_get_error_message(code, why, sizeof(why));
    return rb_err_set(err, RB_EUSAGE, RB_T_base_pattern, text, (int)at, (const char *)why);
}

int rb_pattern_new(struct rb_pattern **out, const char *text, size_t len, bool plain, struct rb_err *err)
{
    uint32_t captures = 0;
    *out = NULL;
    if (len > RB_PATTERN_MAX || len == 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_base_pattern_length, RB_PATTERN_MAX);
    }
    struct rb_pattern *p = rb_xcalloc(1, sizeof(*p));
    if (compile(p, text, len, plain, err) != 0) {
        free(p);
        return RB_EUSAGE;
    }
    (void)pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &captures);
    p->captures = captures < RB_PATTERN_GROUPS ? captures : RB_PATTERN_GROUPS - 1;
    read_names(p);
    p->text = rb_xstrdup(text);
    p->match = pcre2_match_data_create(RB_PATTERN_GROUPS, NULL);
    p->limits = pcre2_match_context_create(NULL);
    RB_REQUIRE(p->match && p->limits);
    (void)pcre2_set_match_limit(p->limits, STEPS_MAX);
    (void)pcre2_set_depth_limit(p->limits, DEPTH_MAX);
    (void)pcre2_set_heap_limit(p->limits, HEAP_MAX_KIB);
    *out = p;
    return 0;
}

void rb_pattern_free(struct rb_pattern *p)
{
    if (p) {
        pcre2_match_context_free(p->limits);
        pcre2_match_data_free(p->match);
        pcre2_code_free(p->code);
        free(p->text);
        free(p);
    }
}

int rb_pattern_find(struct rb_pattern *p, const char *subject, size_t len, size_t from,
                    struct rb_span spans[RB_PATTERN_GROUPS], struct rb_err *err)
{
    int n =
        from > len ? PCRE2_ERROR_NOMATCH : pcre2_match(p->code, (PCRE2_SPTR)subject, len, from, 0, p->match, p->limits);
    if (n == PCRE2_ERROR_NOMATCH) {
        return 0;
    }
    if (n < 0) {
        return rb_err_set(err, RB_ETIMEOUT, RB_T_base_pattern_steps, p->text);
    }
    n = n == 0 ? RB_PATTERN_GROUPS : n;
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(p->match);
    for (int i = 0; i < RB_PATTERN_GROUPS; i++) {
        bool set = i < n && ends[2 * i] != PCRE2_UNSET;
        spans[i] = set ? (struct rb_span){ends[2 * i], ends[2 * i + 1]} : (struct rb_span){SIZE_MAX, SIZE_MAX};
    }
    if (spans[0].to < spans[0].from) { /* \K in a lookahead */
        spans[0].to = spans[0].from;
    }
    return n;
}

const char *rb_pattern_name(const struct rb_pattern *p, unsigned i)
{
    return i < RB_PATTERN_GROUPS ? p->names[i] : NULL;
}

unsigned rb_pattern_captures(const struct rb_pattern *p)
{
    return p->captures;
}
