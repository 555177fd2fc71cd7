/* runbook history --trend: one line a runbook, from its runs. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/commands.h"

#define LATELY 30 /* runs shown as a strip */

enum fate { GOOD, FIXED, FOUND, FAILED, OTHER, FATES };

static enum fate fate_of(const char *result)
{
    return rb_option_listed("healthy done", result)                           ? GOOD
           : strcmp(result, "fixed") == 0                                     ? FIXED
           : rb_option_listed("found waiting rejected", result)               ? FOUND
           : rb_option_listed("failed unknown timed_out interrupted", result) ? FAILED
                                                                              : OTHER;
}

static int by_number(const void *a, const void *b)
{
    json_int_t one = *(const json_int_t *)a, two = *(const json_int_t *)b;
    return one < two ? -1 : one > two;
}

static json_int_t median(const json_t *list)
{
    size_t n = json_array_size(list), i;
    json_t *item;
    json_int_t *sorted = rb_xcalloc(n + 1, sizeof *sorted);
    json_array_foreach((json_t *)list, i, item) {
        sorted[i] = json_integer_value(item);
    }
    qsort(sorted, n, sizeof *sorted, by_number);
    json_int_t middle = n > 0 ? sorted[n / 2] : 0;
    free(sorted);
    return middle;
}

/* runs: newest first. {runbook: {"runs", "good", …, "took": [ms…], "lately": [result…]}} */
static json_t *counted(const json_t *runs)
{
    static const char *const names[] = {"good", "fixed", "found", "failed", "other"};
    json_t *by_id = json_object(), *run;
    size_t i;
    json_array_foreach((json_t *)runs, i, run) {
        const char *id = rb_json_str(run, "runbook", "?"), *fate = names[fate_of(rb_json_str(run, "result", ""))];
        json_t *one = json_object_get(by_id, id), *ms = json_object_get(run, "ms");
        if (one == NULL) {
            one = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:[], s:[]}", "runs", 0, "good", 0, "fixed", 0, "found", 0,
                            "failed", 0, "other", 0, "took", "lately");
            json_object_set_new(by_id, id, one);
        }
        json_object_set_new(one, "runs", json_integer(rb_json_int(one, "runs", 0) + 1));
        json_object_set_new(one, fate, json_integer(rb_json_int(one, fate, 0) + 1));
        if (json_is_integer(ms)) {
            json_array_append(json_object_get(one, "took"), ms);
        }
        if (json_array_size(json_object_get(one, "lately")) < LATELY) {
            json_array_insert(json_object_get(one, "lately"), 0, json_object_get(run, "result"));
        }
    }
    return by_id;
}

static const char *strip(struct rb_cli *c, const json_t *lately)
{
    char text[LATELY + 1];
    size_t i;
    json_t *result;
    json_array_foreach((json_t *)lately, i, result) {
        text[i] = ".+!x-"[fate_of(json_is_string(result) ? json_string_value(result) : "")];
    }
    text[json_array_size(lately)] = '\0';
    return rb_word(c, text);
}

static const char *number(struct rb_cli *c, const json_t *one, const char *key)
{
    return rb_word_json(c, json_object_get(one, key), 20);
}

void rb_put_trend(struct rb_cli *c, const json_t *runs)
{
    json_t *by_id = counted(runs), *rows = json_array(), *headings = json_array(), *one;
    const char *id;
    rb_row(headings, TX(col_runbook), rb_text(RB_T_guide_col_runs), rb_text(RB_T_guide_col_good),
           rb_text(RB_T_guide_col_fixed), rb_text(RB_T_guide_col_found), rb_text(RB_T_guide_col_failed),
           rb_text(RB_T_guide_col_median), rb_text(RB_T_guide_col_lately), NULL);
    json_object_foreach(by_id, id, one) {
        json_int_t ms = median(json_object_get(one, "took"));
        json_object_set_new(one, "median_ms", json_integer(ms));
        rb_row(rows, id, number(c, one, "runs"), number(c, one, "good"), number(c, one, "fixed"),
               number(c, one, "found"), number(c, one, "failed"), rb_word_ms(c, ms),
               strip(c, json_object_get(one, "lately")), NULL);
    }
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:O}", "schema", "runbook.trend/1", "runbooks", by_id));
    } else if (json_array_size(rows) == 0) {
        rb_put(c, RB_ERR, RB_PLAIN, "%s\n", TX(no_runs));
    } else {
        rb_put_listing(c, headings, rows, 0);
        rb_put(c, RB_ERR, RB_DIM, "%s\n", rb_text(RB_T_guide_trend_legend));
    }
    json_decref(rows);
    json_decref(headings);
    json_decref(by_id);
}
