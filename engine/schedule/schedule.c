#include "schedule/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "runner/language.h"

/* ---- one block ---- */

/* A duration as the language keeps it, seconds, or as an operator writes it, text. */
static int seconds_of(const json_t *fields, const char *key, int64_t *out, struct rb_err *err)
{
    const json_t *value = json_object_get(fields, key);
    double seconds = json_is_number(value) ? json_number_value(value) : 0;
    if (json_is_string(value) && rb_duration_parse(json_string_value(value), &seconds)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_schedule_duration, key, json_string_value(value));
    }
    *out = (int64_t)seconds;
    if (value && (seconds < 0 || (seconds > 0 && seconds < 1))) {
        return rb_err_set(err, RB_EUSAGE, RB_T_schedule_too_short, key);
    }
    return 0;
}

static bool says(const json_t *fields, const char *key, const char *word)
{
    return !strcmp(rb_json_str(fields, key, ""), word);
}

/* What decides when it fires, as one line; jitter and windows only move or close a firing that exists. */
static void put_spec(struct rb_schedule *s)
{
    char text[512];
    snprintf(text, sizeof text, "%s|%lld|%s", rb_json_str(s->fields, "cron", ""), (long long)s->every,
             rb_json_str(s->fields, "tz", ""));
    rb_hash_hex(text, strlen(text), s->spec);
}

static int read_when(struct rb_schedule *s, struct rb_err *err)
{
    const char *cron = rb_json_str(s->fields, "cron", NULL);
    int rc = seconds_of(s->fields, "every", &s->every, err);
    if (!rc && !cron == !s->every) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_catalog_schedule_when);
    }
    return rc || !cron ? rc : rb_cron_parse(&s->cron, cron, err);
}

static void read_block(struct rb_schedule *s, struct rb_zones *zones)
{
    struct rb_err *err = &s->problem;
    const json_t *f = s->fields;
    const struct rb_zone *zone = rb_zones_get(zones, rb_json_str(f, "tz", ""), err);
    s->queue = says(f, "overlap", "queue");
    s->once = !says(f, "missed", "skip");
    s->fix = says(f, "mode", "fix");
    int rc = zone ? read_when(s, err) : err->code;
    put_spec(s);
    rc = rc ? rc : seconds_of(f, "jitter", &s->jitter, err);
    rc = rc ? rc : seconds_of(f, "within", &s->within, err);
    rc = rc ? rc : rb_hours_read(&s->window, &s->window_count, json_object_get(f, "window"), zone, err);
    rc = rc ? rc : rb_hours_read(&s->blackout, &s->blackout_count, json_object_get(f, "blackout"), zone, err);
    err->code = rc;
}

/* ---- all of them ---- */

static void add(struct rb_schedules *all, const json_t *entry, const json_t *block, const json_t *overrides)
{
    char name[512];
    const char *id = rb_json_str(entry, "id", "");
    snprintf(name, sizeof name, "%s/%s", id, rb_json_str(block, "id", ""));
    struct rb_schedule *s = &all->list[all->count++];
    s->name = rb_xstrdup(name);
    s->runbook = rb_xstrdup(id);
    s->fields = json_copy((json_t *)block);
    const json_t *given = json_object_get(overrides, name);
    if (json_object_get(given, "cron") || json_object_get(given, "every")) {
        json_object_del(s->fields, "cron");
        json_object_del(s->fields, "every");
    }
    json_object_update(s->fields, (json_t *)given);
    read_block(s, all->zones);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct rb_schedule *)a)->name, ((const struct rb_schedule *)b)->name);
}

/* schedule "mall/backup/nightly" { … } in the configuration names all schedules of mall/backup. */
static bool is_named(const char *id, const json_t *config)
{
    const char *name;
    json_t *block;
    size_t len = strlen(id);
    json_object_foreach(json_object_get(config, "schedule"), name, block) {
        if (!strncmp(name, id, len) && name[len] == '/') {
            return true;
        }
    }
    return false;
}

static bool has_profile(const char *id, const json_t *config)
{
    size_t i;
    json_t *profile;
    json_array_foreach(json_object_get(config, "profiles"), i, profile) {
        if (rb_config_profile_is_of(profile, id)) {
            return true;
        }
    }
    return false;
}

/* A runbook that came with the program runs by itself only where somebody said that its system is here. */
static bool is_ours(const json_t *entry, const json_t *config)
{
    const char *id = rb_json_str(entry, "id", "");
    return !rb_json_bool(entry, "shipped", false) || has_profile(id, config) || is_named(id, config);
}

static const json_t *blocks_of(const json_t *entry, const json_t *config)
{
    bool live = !strcmp(rb_json_str(entry, "status", ""), "ok") && is_ours(entry, config);
    return live ? json_object_get(json_object_get(entry, "meta"), "schedules") : NULL;
}

struct rb_schedules *rb_schedules_new(const json_t *loaded, const json_t *config)
{
    struct rb_schedules *all = rb_xcalloc(1, sizeof *all);
    size_t i, k, count = 0;
    json_t *entry, *block;
    json_array_foreach((json_t *)loaded, i, entry) {
        count += json_array_size(blocks_of(entry, config));
    }
    all->zones = rb_zones_new();
    all->list = rb_xcalloc(count + 1, sizeof *all->list);
    json_array_foreach((json_t *)loaded, i, entry) {
        json_array_foreach((json_t *)blocks_of(entry, config), k, block) {
            add(all, entry, block, json_object_get(config, "schedule"));
        }
    }
    qsort(all->list, all->count, sizeof *all->list, by_name);
    return all;
}

void rb_schedules_free(struct rb_schedules *all)
{
    for (size_t i = 0; all && i < all->count; i++) {
        struct rb_schedule *s = &all->list[i];
        free(s->name);
        free(s->runbook);
        free(s->window);
        free(s->blackout);
        json_decref(s->fields);
    }
    if (all) {
        rb_zones_free(all->zones);
        free(all->list);
        free(all);
    }
}

const struct rb_schedule *rb_schedules_find(const struct rb_schedules *all, const char *name, struct rb_err *err)
{
    const struct rb_schedule key = {.name = (char *)name};
    const struct rb_schedule *found = bsearch(&key, all->list, all->count, sizeof key, by_name);
    if (!found) {
        const char **names = rb_xcalloc(all->count + 1, sizeof *names);
        for (size_t i = 0; i < all->count; i++) {
            names[i] = all->list[i].name;
        }
        const char *near = rb_utf8_nearest(name, names, all->count);
        rb_err_set(err, RB_EUSAGE, RB_T_schedule_unknown, name);
        if (near) {
            rb_err_hint(err, RB_T_schedule_near, near);
        } else {
            rb_err_hint(err, RB_T_schedule_see_list);
        }
        free(names);
    }
    return found;
}

/* ---- when ---- */

const struct rb_zone *rb_schedule_zone(const struct rb_schedules *all, const struct rb_schedule *s, struct rb_err *err)
{
    return rb_zones_get(all->zones, rb_json_str(s->fields, "tz", ""), err);
}

int64_t rb_schedule_next(const struct rb_schedule *s, const struct rb_zone *zone, int64_t after, enum rb_local *how)
{
    if (!s->every) {
        return rb_cron_next(&s->cron, zone, after, how);
    }
    *how = RB_LOCAL_ONCE;
    int64_t rest = after % s->every;
    return after - (rest < 0 ? rest + s->every : rest) + s->every;
}

int64_t rb_schedule_delay(const struct rb_schedule *s, int64_t at)
{
    char text[512] = "";
    unsigned char hash[RB_HASH_SIZE];
    uint64_t number = 0;
    if (!s->jitter) {
        return 0;
    }
    if (gethostname(text, 256) == 0) {
        text[255] = 0;
    }
    size_t len = strlen(text);
    snprintf(text + len, sizeof text - len, "|%.200s|%lld", s->name, (long long)at);
    rb_hash(text, strlen(text), hash);
    memcpy(&number, hash, sizeof number);
    return (int64_t)(number % (uint64_t)(s->jitter + 1));
}

const char *rb_schedule_closed(const struct rb_schedule *s, const struct rb_zone *zone, int64_t at)
{
    if (s->window_count && !rb_hours_contain(s->window, s->window_count, zone, at)) {
        return "window";
    }
    return rb_hours_contain(s->blackout, s->blackout_count, zone, at) ? "blackout" : NULL;
}
