/* What a runbook declares: checked, with the profile and the parameters of this run. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/utf8.h"
#include "run/state.h"
#include "runner/language.h"

#define NAMES_MAX 256 /* among which a misspelt one is looked for */

static json_t *sources_of(const json_t *file)
{
    json_t *sources = json_object(), *one;
    size_t i;
    json_array_foreach(json_object_get(file, "files"), i, one) {
        json_object_set(sources, rb_json_str(one, "path", "?"), json_object_get(one, "text"));
    }
    return sources;
}

static const json_t *first_error(const json_t *problems)
{
    size_t i;
    json_t *problem;
    json_array_foreach(problems, i, problem) {
        if (!strcmp(rb_json_str(problem, "level", "error"), "error")) {
            return problem;
        }
    }
    return NULL;
}

static void load_failed(struct rb_run *run, const json_t *problem)
{
    char text[1500];
    snprintf(text, sizeof text, "%s:%lld: %s", rb_json_str(problem, "file", "?"), rb_json_int(problem, "line", 0),
             rb_json_str(problem, "text", rb_json_str(problem, "message", "")));
    rb_run_fail(run, "failed", 6, text);
}

static json_t *options_of(const struct rb_run *run)
{
    json_t *options = json_pack("{s:b, s:b, s:b, s:s}", "diagnose", run->mode == RB_MODE_DIAGNOSE, "dry_run",
                                run->mode == RB_MODE_DRY_RUN, "guided", run->guided, "run", run->id);
    if (run->drill) {
        json_object_set_new(options, run->mode == RB_MODE_TEST ? "test" : "drill", json_string(run->drill));
    }
    return options;
}

/* A path, or a database that is one and no address. */
static bool is_relative_path(const char *text, const char *type)
{
    bool sql = !strcmp(type, "sql") && strchr(text, '/') && !strstr(text, "://");
    return text[0] && text[0] != '/' && text[0] != '{' && (sql || !strcmp(type, "path"));
}

/* A path is meant from where the person stands; everything behind sees it whole. */
static void make_paths_absolute(struct rb_run *run)
{
    char cwd[PATH_MAX];
    const char *name;
    json_t *value;
    const json_t *declared = json_object_get(run->meta, "params");
    if (!getcwd(cwd, sizeof cwd)) {
        return; /* the folder is gone: a relative path is then refused by its verb */
    }
    json_object_foreach(run->given, name, value) {
        const char *text = json_string_value(value);
        const char *type = rb_json_str(json_object_get(declared, name), "type", "");
        if (text && is_relative_path(text, type)) {
            while (!strncmp(text, "./", 2)) {
                text += 2;
            }
            json_object_set_new(run->given, name, json_sprintf("%s/%s", strcmp(cwd, "/") ? cwd : "", text));
        }
    }
}

/* A secret given by its value ({"value": …}, which only a file of parameters can hold) stays here; the
 * runbook and the record get a name for it. */
static void keep_given_secrets(struct rb_run *run)
{
    const char *name;
    json_t *value;
    const json_t *declared = json_object_get(run->meta, "params");
    json_object_foreach(run->given, name, value) {
        const char *secret = rb_json_str(value, "value", NULL);
        if (secret && !strcmp(rb_json_str(json_object_get(declared, name), "type", ""), "secret")) {
            json_t *given = json_sprintf(RB_SECRET_GIVEN "%s", name);
            rb_secrets_give(run->secrets, json_string_value(given), secret);
            json_object_set_new(run->given, name, given);
        }
    }
}

/* A test may leave out what it does not need. In a drill the lab sets the parameters, so that nothing
 * required is missing before. */
static json_t *resolve(struct rb_run *run, struct rb_err *err)
{
    make_paths_absolute(run);
    keep_given_secrets(run);
    json_t *params = rb_params_resolve(run->meta, run->given, err);
    if (run->mode == RB_MODE_DRILL || run->mode == RB_MODE_TEST) {
        return params ? params : json_object();
    }
    if (params && rb_fill_check_params(run, params, err)) {
        json_decref(params);
        return NULL;
    }
    return params;
}

/* Another installation of the same system. */
static int choose_profile(struct rb_run *run, struct rb_err *err)
{
    const json_t *profiles = json_object_get(run->meta, "profiles");
    if (!run->profile) {
        return 0;
    }
    if (!json_object_get(profiles, run->profile)) {
        return rb_fill_unknown(profiles, run->profile, RB_T_config_no_profile, RB_T_config_no_profile_hint, err);
    }
    return json_object_set_new(run->meta, "profile", json_string(run->profile));
}

static int no_such_fix(const struct rb_run *run, const char *name, struct rb_err *err)
{
    static const char *const lists[] = {"fixes", "steps"};
    const char *names[NAMES_MAX];
    struct rb_buf all;
    size_t count = 0;
    rb_buf_init(&all, sizeof err->hint);
    for (size_t l = 0; l < 2; l++) {
        size_t i;
        json_t *block;
        json_array_foreach(json_object_get(run->meta, lists[l]), i, block) {
            if (count < NAMES_MAX) {
                names[count++] = rb_json_str(block, "id", "");
                (void)rb_buf_addf(&all, "%s%s", all.len ? ", " : "", names[count - 1]); /* the first are enough */
            }
        }
    }
    const char *near = rb_utf8_nearest(name, names, count);
    rb_err_set(err, RB_EUSAGE, RB_T_run_no_fix, name);
    rb_err_hint(err, near ? RB_T_config_mean : RB_T_run_no_fix_hint, near ? near : rb_buf_str(&all));
    rb_buf_deinit(&all);
    return RB_EUSAGE;
}

/* --fix NAME, or NAME=KEY: a slip of the pen is told before anything is looked at. */
static int check_chosen(const struct rb_run *run, struct rb_err *err)
{
    size_t i;
    json_t *one;
    int rc = 0;
    json_array_foreach(run->fixes, i, one) {
        char *name = rb_xstrdup(json_is_string(one) ? json_string_value(one) : "");
        name[strcspn(name, "=")] = '\0';
        rc = rc || rb_block_declared(run, name) ? rc : no_such_fix(run, name, err);
        free(name);
    }
    return rc;
}

static void usage_failed(struct rb_run *run, const struct rb_err *err)
{
    char text[sizeof err->text + sizeof err->hint + 8];
    snprintf(text, sizeof text, err->hint[0] ? "%s (%s)" : "%s", err->text, err->hint);
    rb_run_fail(run, "failed", 2, text);
}

static void reply_declared(struct rb_run *run, json_int_t seq)
{
    rb_run_reply(run, seq,
                 json_pack("{s:O, s:O, s:o}", "meta", run->meta, "params", run->params, "options", options_of(run)));
}

/* A guided run: with these parameters? problem: why they do not do yet. */
static void ask_to_begin(struct rb_run *run, json_int_t seq, const struct rb_err *problem)
{
    json_t *question = run->params ? json_pack("{s:O}", "params", run->params)
                                   : json_pack("{s:s, s:s}", "problem", problem->text, "hint", problem->hint);
    rb_consent_begin(run, seq, question);
    json_decref(question);
}

void rb_verb_declare(struct rb_run *run, json_int_t seq, const json_t *args)
{
    struct rb_err err = {0};
    rb_run_block_deadline(run, 0);
    const json_t *failed = json_object_get(args, "error");
    if (failed && !json_is_null(failed)) {
        load_failed(run, failed);
        return;
    }
    json_t *sources = sources_of(run->file);
    rb_config_lay_over((json_t *)args, run->config, rb_json_str(run->file, "id", ""));
    json_t *problems = rb_language_check(args, sources);
    json_decref(sources);
    const json_t *error = first_error(problems);
    if (error) {
        load_failed(run, error);
    } else {
        run->meta = rb_language_meta(rb_json_str(run->file, "id", "?"), args);
        run->response =
            rb_response_of(run->config, rb_json_str(run->file, "id", "?"), rb_json_str(run->meta, "severity", "P3"),
                           json_object_get(run->meta, "escalate"));
        int rc = choose_profile(run, &err);
        rc = rc ? rc : check_chosen(run, &err);
        if (rc == 0 && !run->params) { /* those of a run that goes on stay as they were */
            run->params = resolve(run, &err);
        }
        if (run->guided && rc == 0 && !run->archive) {
            ask_to_begin(run, seq, &err);
        } else if (run->params) {
            reply_declared(run, seq);
        } else {
            usage_failed(run, &err);
        }
    }
    json_decref(problems);
}

void rb_declared_answer(struct rb_run *run, json_int_t seq, const json_t *answer)
{
    struct rb_err err = {0};
    const json_t *changed = json_object_get(answer, "params");
    if (changed) {
        json_object_update(run->given, (json_t *)changed);
        json_decref(run->params);
        run->params = resolve(run, &err);
        ask_to_begin(run, seq, &err);
    } else if (run->params && rb_json_bool(answer, "go", false)) {
        reply_declared(run, seq);
    } else {
        rb_run_leave(run);
    }
}
