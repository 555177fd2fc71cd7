#include "database/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "bind.h"

#define WAIT 5.0     /* seconds a statement waits for a lock */
#define TIMEOUT 30.0 /* as dispatch has it */
#define STATEMENTS_MAX 1000

static bool may_be_value(const json_t *value)
{
    return !json_is_array(value) && (!json_is_object(value) || json_object_get(value, "$b64"));
}

static int check_params(const struct rb_statement *s, const json_t *params, struct rb_err *err)
{
    /* An empty Lua table may arrive as a list or as a map. */
    if (params && !json_is_null(params) && !json_is_array(params) && json_object_size(params) > 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_params_list);
    }
    size_t given = json_array_size(params);
    if ((size_t)s->places != given) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_params_count, s->places, (int)given);
    }
    for (size_t i = 0; i < given; i++) {
        if (!may_be_value(json_array_get(params, i))) {
            return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_param_type, (int)i + 1);
        }
    }
    return 0;
}

/* Writes of this kind leave nothing in their session: no settings, locks, temporary tables. */
static bool is_plain_write(const struct rb_statement *s)
{
    static const char *const plain[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "TRUNCATE", NULL};
    return rb_statement_word_in(s->first, plain);
}

/* A statement that commits by itself would commit the receipt before it is done. */
static bool commits_once(const struct rb_db_plan *plan)
{
    bool plain = true;
    for (size_t i = 0; i < plan->count; i++) {
        plain = plain && is_plain_write(&plan->statements[i]) && strcmp(plan->statements[i].first, "TRUNCATE") != 0;
    }
    return plain;
}

static int add(struct rb_db_plan *plan, const struct rb_db_driver *driver, const json_t *query, const json_t *params,
               struct rb_err *err)
{
    if (!json_is_string(query) || strlen(json_string_value(query)) != json_string_length(query)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_statement);
    }
    struct rb_statement *s = &plan->statements[plan->count];
    plan->params[plan->count++] = json_array_size(params) > 0 ? params : NULL;
    int rc = rb_statement_read(driver->dialect, json_string_value(query), s, err);
    if (rc == 0) {
        rc = plan->reading ? rb_statement_may_read(driver->dialect, s, err)
                           : rb_statement_may_write(driver->dialect, s, plan->verb == RB_DB_TX, err);
    }
    plan->keeps_session &= plan->reading || is_plain_write(s);
    return rc == 0 ? check_params(s, params, err) : rc;
}

/* One statement of a transaction: { "query", { params } } or { query = …, params = … } or "query". */
static int add_item(struct rb_db_plan *plan, const struct rb_db_driver *driver, const json_t *item, struct rb_err *err)
{
    const json_t *query = json_is_array(item) ? json_array_get(item, 0) : json_object_get(item, "query");
    const json_t *params = json_is_array(item) ? json_array_get(item, 1) : json_object_get(item, "params");
    query = json_is_string(item) ? item : query;
    return json_is_string(query) ? add(plan, driver, query, params, err)
                                 : rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_tx_item);
}

static int add_all(struct rb_db_plan *plan, const struct rb_db_driver *driver, struct rb_err *err)
{
    const json_t *items = json_object_get(plan->args, "statements");
    size_t count = plan->verb == RB_DB_TX ? json_array_size(items) : plan->verb == RB_DB_PROBE ? 0 : 1;
    if (plan->verb == RB_DB_TX && (count == 0 || count > STATEMENTS_MAX)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_sql_statements, STATEMENTS_MAX);
    }
    plan->statements = rb_xcalloc(count + 1, sizeof *plan->statements);
    plan->params = rb_xcalloc(count + 1, sizeof(json_t *));
    if (count > 0 && plan->verb != RB_DB_TX) {
        return add(plan, driver, json_object_get(plan->args, "query"), json_object_get(plan->args, "params"), err);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add_item(plan, driver, json_array_get(items, i), err);
    }
    return rc;
}

int rb_db_plan_read(struct rb_db_plan *plan, const struct rb_db_driver *driver, int verb, const json_t *args,
                    struct rb_err *err)
{
    json_int_t max = rb_json_int(args, "max_rows", 1000);
    *plan = (struct rb_db_plan){.verb = verb, .args = json_incref((json_t *)args), .reading = verb <= RB_DB_VALUE};
    plan->target = json_object_get(args, "connection");
    plan->keeps_session = true;
    plan->look = rb_json_bool(args, "$look", false);
    plan->max_rows = max > 0 ? (size_t)max : 0;
    plan->limits.timeout = rb_bind_real(args, "timeout", TIMEOUT);
    plan->limits.wait = rb_bind_real(args, "wait", verb == RB_DB_PROBE ? 0 : WAIT);
    int rc = add_all(plan, driver, err);
    if (rc == 0 && verb >= RB_DB_EXEC && commits_once(plan)) {
        plan->receipt = rb_json_str(args, "$receipt", NULL);
    }
    if (rc == 0 && verb == RB_DB_PROBE && rb_json_int(args, "times", 1) != 1) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_servers_sql_times);
    }
    if (rc != 0) {
        rb_db_plan_free(plan);
    }
    return rc;
}

void rb_db_plan_free(struct rb_db_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        rb_statement_free(&plan->statements[i]);
    }
    free(plan->statements);
    free(plan->params);
    json_decref(plan->args);
    *plan = (struct rb_db_plan){0};
}

static json_t *changed(const struct rb_answer *answer, bool with_rows)
{
    json_t *out = json_pack("{s:I}", "changes", (json_int_t)answer->changes);
    if (answer->last_id >= 0) {
        json_object_set_new(out, "last_id", json_integer((json_int_t)answer->last_id));
    }
    if (with_rows && answer->rows) {
        json_object_set(out, "rows", answer->rows);
    }
    return out;
}

static json_t *one_column(const json_t *row, struct rb_err *err)
{
    if (row && json_object_size(row) != 1) {
        rb_err_set(err, RB_EUSAGE, RB_T_bindings_sql_one_column);
        return NULL;
    }
    return row ? json_incref(json_object_iter_value(json_object_iter((json_t *)row))) : json_null();
}

json_t *rb_db_plan_result(const struct rb_db_plan *plan, const struct rb_answer *answer, struct rb_err *err)
{
    json_t *first = json_array_get(answer->rows, 0);
    switch (plan->verb) {
    case RB_DB_ROWS:
        return answer->rows ? json_incref(answer->rows) : json_array();
    case RB_DB_ROW:
        return first ? json_incref(first) : json_null();
    case RB_DB_VALUE:
        return one_column(first, err);
    case RB_DB_PROBE:
        return json_pack("{s:b}", "ok", 1);
    default:
        return changed(answer, plan->verb == RB_DB_EXEC);
    }
}
