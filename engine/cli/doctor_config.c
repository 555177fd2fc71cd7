/* The configuration, tried out: each connection is asked something harmless, each secret is read and for each channel a
 * message is made that is not sent, by a small runbook of our own, so that gate, read accounts and redaction are the
 * same as in any check. */
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "binding.h"
#include "catalog/catalog.h"
#include "cli/doctor.h"
#include "journal/journal.h"
#include "run/run.h"

#define PROBES_MAX 200
#define PROBE_SECONDS 15

static const struct way {
    const char *driver; /* of a connection, or "secret", "channel" */
    const char *binding, *type, *call;
} ways[] = {
    {"sqlite", "sql", "sql", "sql(p.c):value(\"SELECT 1\")"},
    {"postgres", "sql", "sql", "sql(p.c):value(\"SELECT 1\")"},
    {"mysql", "sql", "sql", "sql(p.c):value(\"SELECT 1\")"},
    {"redis", "redis", "redis", "redis(p.c):ask(\"PING\")"},
    {"rpc", "rpc", "rpc",
     "local _, err = try(function() return rpc(p.c):ask(\"web3_clientVersion\") end)\n"
     "  if err and err.code ~= \"rpc\" then fail(err.message) end"},
    {"ws", "ws", "string",
     "local w = ws.read(p.c, { listen = \"100ms\" })\n"
     "  if w.status ~= 101 then fail(\"HTTP \" .. tostring(w.status)) end"},
    {"channel", "notify", "string", "notify.preview(p.c, \"doctor\")"},
    {"secret", "secret", "secret", "if secret.inspect(p.c).short then found(\"short\") end"},
};

struct probe {
    const char *kind, *name; /* "connection" "orders" */
    const struct way *way;
    struct rb_run *run;
    json_t *result;
    int64_t started_ns;
};

struct probing {
    struct doctor *d;
    const json_t *config;
    struct rb_journal *journal;
    char folder[PATH_MAX], path[PATH_MAX + 16];
    struct probe *list;
    size_t count, open;
};

/* ---- a journal that nobody keeps ---- */

static int open_journal(struct probing *all, struct rb_err *err)
{
    const char *base = getenv("TMPDIR");
    snprintf(all->folder, sizeof all->folder, "%s/runbook-doctor-XXXXXX",
             base != NULL && base[0] == '/' ? base : "/tmp");
    if (mkdtemp(all->folder) == NULL) {
        all->folder[0] = '\0';
        return rb_err_set(err, RB_EIO, RB_T_config_doctor_no_folder);
    }
    snprintf(all->path, sizeof all->path, "%s/journal", all->folder);
    return rb_journal_open(&all->journal, all->path, err);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void close_journal(struct probing *all)
{
    rb_journal_close(all->journal);
    if (all->folder[0] != '\0') {
        (void)nftw(all->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS); /* what is left of it harms nobody */
    }
}

/* ---- probes ---- */

static void on_ended(void *user, const json_t *result)
{
    struct probe *probe = user;
    probe->result = json_deep_copy(result);
    probe->run = NULL;
}

static json_t *file_of(const struct way *way, const char *name)
{
    char text[1024];
    snprintf(text, sizeof text,
             "runbook \"doctor/probe\" { title = \"doctor\", severity = \"P4\", target = \"doctor %s\" }\n"
             "param \"c\" { type = \"%s\" }\nfinding \"short\" { title = \"short\", advice = \"-\" }\n"
             "check \"reach\" { title = \"reach\", timeout = \"%ds\", run = function(p)\n  %s\nend }\n",
             name, way->type, PROBE_SECONDS, way->call);
    return rb_catalog_own_file("doctor/probe", text);
}

static bool has_binding(const char *name)
{
    for (size_t i = 0; rb_bindings[i] != NULL; i++) {
        if (strcmp(rb_bindings[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void start_probe(struct probing *all, struct probe *probe)
{
    static const struct rb_run_view view = {.ended = on_ended};
    struct rb_engine engine = rb_cli_engine(all->d->c);
    engine.journal = all->journal; /* not the usual one, and no second one */
    engine.second = NULL;
    struct rb_err err = {0};
    json_t *file = file_of(probe->way, probe->name), *params = json_pack("{s:s}", "c", probe->name);
    struct rb_run_options options = {
        .file = file, .params = params, .config = all->config, .mode = RB_MODE_DIAGNOSE, .no_input = true};
    probe->started_ns = rb_clock_mono_ns();
    if (rb_run_start(&probe->run, &engine, &options, &view, probe, &err) != 0) {
        probe->result = json_pack("{s:s, s:s}", "result", "failed", "error", err.text);
    }
    json_decref(params);
    json_decref(file);
}

static void add_probe(struct probing *all, const char *kind, const char *name, const char *driver)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways && all->count < PROBES_MAX; i++) {
        if (strcmp(ways[i].driver, driver) == 0 && has_binding(ways[i].binding)) {
            struct probe *probe = &all->list[all->count++];
            *probe = (struct probe){.kind = kind, .name = name, .way = &ways[i]};
            start_probe(all, probe);
            return;
        }
    }
    char text[128];
    snprintf(text, sizeof text, TX_CONFIG(doctor_not_tried), driver);
    rb_doctor_item(all->d, kind, name, RB_WARN, text);
}

/* Written or meant by the url. */
static void driver_of(const json_t *fields, char out[32])
{
    const char *driver = rb_json_str(fields, "driver", NULL), *url = rb_json_str(fields, "url", "");
    size_t scheme = strcspn(url, ":");
    snprintf(out, 32, "%.*s", driver != NULL ? 31 : (int)(scheme < 31 ? scheme : 31), driver != NULL ? driver : url);
    static const char *const same[][2] = {
        {"postgresql", "postgres"}, {"mariadb", "mysql"}, {"rediss", "redis"}, {"http", "rpc"},
        {"https", "rpc"},           {"tcp", "rpc"},       {"unix", "rpc"},     {"wss", "ws"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        if (strcmp(out, same[i][0]) == 0) {
            snprintf(out, 32, "%s", same[i][1]);
        }
    }
}

static void start_all(struct probing *all)
{
    const char *name;
    json_t *fields;
    json_object_foreach(json_object_get(all->config, "secret"), name, fields) {
        add_probe(all, "secret", name, "secret");
    }
    json_object_foreach(json_object_get(all->config, "connection"), name, fields) {
        char driver[32];
        driver_of(fields, driver);
        add_probe(all, "connection", name, driver);
    }
    json_object_foreach(json_object_get(all->config, "channel"), name, fields) {
        add_probe(all, "channel", name, "channel");
    }
}

static bool any_open(const struct probing *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].result == NULL) {
            return true;
        }
    }
    return false;
}

/* ---- what was seen ---- */

static void put_good(struct probing *all, const struct probe *probe, const char *label)
{
    char text[256];
    const json_t *channel = json_object_get(json_object_get(all->config, "channel"), probe->name);
    if (strcmp(probe->kind, "channel") == 0) {
        snprintf(text, sizeof text, TX_CONFIG(doctor_channel), rb_json_str(channel, "kind", "?"), probe->name);
    } else {
        snprintf(text, sizeof text, "%s", TX_CONFIG(doctor_answers));
    }
    rb_doctor_item(all->d, probe->kind, label, RB_GOOD, text);
}

static void put_result(struct probing *all, const struct probe *probe)
{
    char label[160];
    const char *result = rb_json_str(probe->result, "result", "failed");
    const json_t *check = json_array_get(json_object_get(probe->result, "checks"), 0);
    const char *error =
        rb_json_str(check, "error", rb_json_str(check, "text", rb_json_str(probe->result, "error", "?")));
    snprintf(label, sizeof label, "%s %s", probe->kind, probe->name);
    if (strcmp(result, "healthy") == 0) {
        put_good(all, probe, label);
    } else if (strcmp(result, "found") == 0) {
        rb_doctor_item(all->d, probe->kind, label, RB_WARN, TX_CONFIG(doctor_short));
    } else {
        rb_doctor_item(all->d, probe->kind, label, RB_BAD, error);
    }
}

static void try_all(struct doctor *d, const json_t *config)
{
    struct rb_err err = {0};
    struct probing all = {.d = d, .config = config, .list = rb_xcalloc(PROBES_MAX, sizeof *all.list)};
    if (open_journal(&all, &err) != 0) {
        rb_doctor_item(d, "connections", TX(doctor_config), RB_BAD, err.text);
    } else {
        start_all(&all);
    }
    while (any_open(&all)) {
        uv_run(&d->c->loop, UV_RUN_ONCE);
    }
    for (size_t i = 0; i < all.count; i++) {
        put_result(&all, &all.list[i]);
        json_decref(all.list[i].result);
    }
    close_journal(&all);
    free(all.list);
}

static bool anything_to_try(const json_t *config)
{
    return json_object_get(config, "secret") || json_object_get(config, "connection") ||
           json_object_get(config, "channel");
}

static void put_problem(struct doctor *d, const json_t *problem)
{
    char text[2048];
    const char *hint = rb_json_str(problem, "hint", "");
    bool error = strcmp(rb_json_str(problem, "level", "error"), "error") == 0;
    snprintf(text, sizeof text, "%s:%d: %s%s%s", rb_json_str(problem, "file", "?"),
             (int)rb_json_int(problem, "line", 0), rb_json_str(problem, "text", ""), hint[0] != '\0' ? "; " : "", hint);
    rb_doctor_item(d, "config_file", "config.lua", error ? RB_BAD : RB_WARN, text);
}

static void put_files(struct doctor *d, const json_t *files)
{
    char folder[PATH_MAX], text[PATH_MAX + 128];
    size_t i;
    json_t *file;
    json_array_foreach((json_t *)files, i, file) {
        rb_doctor_item(d, "config_file", "config.lua", RB_GOOD, json_string_value(file));
    }
    if (json_array_size(files) == 0 && rb_files_config_dir(folder, NULL) == 0) {
        snprintf(text, sizeof text, TX_CONFIG(doctor_none), folder);
        rb_doctor_item(d, "config_file", "config.lua", RB_GOOD, text);
    }
}

void rb_doctor_config(struct doctor *d)
{
    struct rb_err err = {0};
    const json_t *config = NULL;
    size_t i;
    json_t *problem;
    int rc = rb_cli_config(d->c, &config, &err);
    if (rc != 0 && d->c->config == NULL) {
        rb_doctor_item(d, "config_file", "config.lua", RB_BAD, err.text);
        return;
    }
    put_files(d, json_object_get(d->c->config, "files"));
    json_array_foreach(json_object_get(d->c->config, "problems"), i, problem) {
        put_problem(d, problem);
    }
    if (rc == 0 && anything_to_try(config)) {
        try_all(d, config);
    }
}
