/* A week of service in some seconds: restarts at random instants, a suspended host, clocks that jump, two services on
 * one store. Each firing runs once, or has a row that says why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/json.h"
#include "schedule/explain.h"
#include "schedule/planner.h"

#define HOUR 3600
#define DAY 86400

static int64_t instant(const char *text)
{
    int64_t us;
    assert_int_equal(rb_clock_parse(text, &us), 0);
    return us / 1000000;
}

/* ---- a world ---- */

struct running {
    const struct rb_schedule *s;
    int64_t at, until;
    bool active, begun;
};

struct world {
    char folder[64], path[96];
    struct rb_schedules *schedules;
    struct rb_store *store;
    struct rb_planner *planner;
    json_t *ran;     /* {"name|at": times} */
    json_t *started; /* {"run": true}: what the journal knows */
    struct running runs[64];
    int64_t now, takes;
    int passed;
};

static void due(void *user, const struct rb_schedule *s, int64_t at)
{
    struct world *w = user;
    for (size_t i = 0; i < 64; i++) {
        if (!w->runs[i].active) {
            w->runs[i] = (struct running){s, at, w->now + w->takes, true, false};
            return;
        }
    }
    fail_msg("too many at once");
}

static void passed(void *user, const struct rb_schedule *s, const struct rb_firing *f, int64_t count)
{
    struct world *w = user;
    assert_non_null(f->reason);
    assert_true(count >= 1);
    (void)s;
    w->passed++;
}

static const struct rb_planner_events events = {due, passed};

static bool began(void *user, const char *run)
{
    struct world *w = user;
    return json_object_get(w->started, run) != NULL;
}

static json_t *book(const char *schedules)
{
    json_t *list = json_loads(schedules, JSON_DECODE_ANY, NULL);
    assert_non_null(list);
    return json_pack("[{s:s, s:s, s:{s:o}}]", "id", "t/x", "status", "ok", "meta", "schedules", list);
}

static void world_open(struct world *w, const char *schedules, const char *now)
{
    json_t *loaded = book(schedules);
    *w = (struct world){.folder = "/dev/shm/rb-schedule-XXXXXX", .now = instant(now), .takes = 30};
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/schedule.db", w->folder);
    w->schedules = rb_schedules_new(loaded, NULL);
    w->ran = json_object();
    w->started = json_object();
    json_decref(loaded);
    for (size_t i = 0; i < w->schedules->count; i++) {
        assert_string_equal(w->schedules->list[i].problem.text, "");
    }
}

static void begin_service(struct world *w)
{
    struct rb_err err = {0};
    assert_int_equal(rb_store_open(&w->store, w->folder, true, &err), 0);
    w->planner = rb_planner_new(w->schedules, w->store, &events, w);
    assert_int_equal(rb_planner_look(w->planner, w->now, &err), 0);
    assert_int_equal(rb_planner_recover(w->planner, began, w->now, &err), 0);
}

/* As after SIGKILL: what it held is nobody's now. */
static void kill_service(struct world *w)
{
    sqlite3 *db;
    rb_planner_free(w->planner);
    rb_store_close(w->store);
    memset(w->runs, 0, sizeof w->runs);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE firings SET owner = '1 1 gone'", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void world_close(struct world *w)
{
    rb_planner_free(w->planner);
    rb_store_close(w->store);
    rb_schedules_free(w->schedules);
    json_decref(w->ran);
    json_decref(w->started);
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(rmdir(w->folder), 0);
}

static void begin_run(struct world *w, struct running *r)
{
    char key[128], run[64];
    struct rb_err err = {0};
    snprintf(key, sizeof key, "%s|%lld", r->s->name, (long long)r->at);
    snprintf(run, sizeof run, "r-%zu", json_object_size(w->started));
    const struct rb_firing f = {.schedule = r->s->name, .at = r->at, .run = run};
    assert_int_equal(rb_store_start(w->store, &f, w->now, &err), 0);
    json_object_set_new(w->started, run, json_true());
    json_object_set_new(w->ran, key, json_integer(json_integer_value(json_object_get(w->ran, key)) + 1));
    r->begun = true;
}

static void end_run(struct world *w, struct running *r)
{
    struct rb_err err = {0};
    const struct rb_firing f = {.schedule = r->s->name, .at = r->at};
    r->active = false;
    assert_int_equal(rb_store_end(w->store, &f, "healthy", w->now, &err), 0);
    assert_int_equal(rb_planner_ended(w->planner, r->s, w->now, &err), 0);
}

/* One round of the service at w->now; what is next. */
static int64_t live(struct world *w)
{
    struct rb_err err = {0};
    int64_t next;
    assert_int_equal(rb_planner_tick(w->planner, w->now, &next, &err), 0);
    for (size_t i = 0; i < 64; i++) {
        struct running *r = &w->runs[i];
        if (r->active && !r->begun && rand() % 4) { /* sometimes it is killed in between */
            begin_run(w, r);
        }
        if (r->active && !r->begun) {
            next = w->now + 1;
        } else if (r->active && r->until <= w->now) {
            end_run(w, r);
        }
        next = r->active && r->begun && r->until < next ? r->until : next;
    }
    return next;
}

static json_t *rows_of(struct world *w, const char *name)
{
    json_t *rows = rb_store_firings(w->store, name, 0, INT64_MAX, NULL);
    assert_non_null(rows);
    return rows;
}

static int count(struct world *w, const char *name, const char *state, const char *reason)
{
    size_t i;
    int n = 0;
    json_t *row, *rows = rows_of(w, name);
    json_array_foreach(rows, i, row) {
        n += (!state || !strcmp(rb_json_str(row, "state", ""), state)) &&
             (!reason || !strcmp(rb_json_str(row, "reason", ""), reason));
    }
    json_decref(rows);
    return n;
}

/* Every nominal firing since the schedule was known has exactly one row, and ran at most once. */
static void check_rows(struct world *w, const struct rb_schedule *s, int *runs)
{
    struct rb_mark mark;
    enum rb_local how;
    const struct rb_zone *zone = rb_schedule_zone(w->schedules, s, NULL);
    json_t *rows = rows_of(w, s->name);
    size_t used = 0;
    assert_int_equal(rb_store_mark(w->store, s->name, s->spec, w->now, &mark, NULL), 0);
    for (int64_t at = rb_schedule_next(s, zone, mark.since, &how); at <= mark.checked;
         at = rb_schedule_next(s, zone, at, &how), used++) {
        char key[128];
        const json_t *row = json_array_get(rows, used);
        snprintf(key, sizeof key, "%s|%lld", s->name, (long long)at);
        json_int_t ran = json_integer_value(json_object_get(w->ran, key));
        const char *state = rb_json_str(row, "state", "");
        assert_int_equal(rb_json_int(row, "at", 0), at);
        assert_in_range(ran, 0, 1);
        assert_int_equal(ran, !strcmp(state, "ended") || !strcmp(state, "running"));
        *runs += (int)ran;
    }
    assert_int_equal(json_array_size(rows), used);
    json_decref(rows);
}

#define WEEK \
    "[{'id':'often','every':600}," \
    "{'id':'hourly','cron':'7 * * * *','jitter':300,'missed':'skip'}," \
    "{'id':'nightly','cron':'30 2 * * *','tz':'America/New_York','within':'4h'}," \
    "{'id':'queued','every':900,'overlap':'queue'}," \
    "{'id':'office','tz':'UTC','cron':'*/30 * * * *','window':{'from':'09:00','to':'17:00','days':'mon-fri'}," \
    "'blackout':{'from':'2026-03-10','to':'2026-03-11'}}]"

static char *quoted(const char *text)
{
    char *copy = strdup(text);
    assert_non_null(copy);
    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    return copy;
}

static void disturb(struct world *w, unsigned what)
{
    static const int64_t early = 6 * HOUR; /* what was before the schedules were known is another story */
    struct rb_err err = {0};
    if (what < 4) { /* killed, and away for a while */
        kill_service(w);
        w->now += rand() % (what == 0 ? 6 * HOUR : 120);
        begin_service(w);
    } else if (what == 4) { /* suspended: time went on */
        w->now += rand() % (3 * HOUR);
    } else if (what == 5) { /* the clock is set back a little, and comes again */
        w->now -= rand() % (2 * HOUR);
        assert_int_equal(rb_planner_look(w->planner, w->now, &err), 0);
    } else if (what == 6 && w->now > instant("2026-03-05T00:00:00Z") + early) { /* set back far */
        w->now -= 5 * HOUR;
        assert_int_equal(rb_planner_look(w->planner, w->now, &err), 0);
    }
}

static void a_week(unsigned seed)
{
    struct world w;
    char *schedules = quoted(WEEK);
    world_open(&w, schedules, "2026-03-05T00:00:00Z");
    free(schedules);
    srand(seed);
    begin_service(&w);
    int64_t end = w.now + 7 * DAY;
    while (w.now < end) {
        w.takes = rand() % 10 == 0 ? 2400 : 20;
        int64_t next = live(&w);
        w.now = next > w.now ? next : w.now + 1;
        disturb(&w, (unsigned)rand() % 200);
    }
    (void)live(&w);
    int runs = 0;
    for (size_t i = 0; i < w.schedules->count; i++) {
        check_rows(&w, &w.schedules->list[i], &runs);
    }
    assert_in_range(runs, 500, 2500);
    assert_int_equal(json_object_size(w.ran), runs);
    world_close(&w);
}

static void test_a_week(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        a_week(seed);
    }
}

/* ---- one rule each ---- */

static void one(struct world *w, const char *block)
{
    char *schedules = quoted(block);
    world_open(w, schedules, "2026-03-05T00:00:00Z");
    free(schedules);
    begin_service(w);
}

static void run_until(struct world *w, int64_t end)
{
    for (int64_t next; (next = live(w)) <= end; w->now = next > w->now ? next : w->now + 1) {
    }
    w->now = end;
    (void)live(w);
}

static void test_missed_once_runs_the_newest(void **state)
{
    (void)state;
    struct world w;
    one(&w, "[{'id':'s','cron':'0 * * * *'}]");
    w.now += 5 * HOUR + 1800; /* suspended */
    run_until(&w, w.now + 60);
    assert_int_equal(count(&w, "t/x/s", "missed", "down"), 4);
    assert_int_equal(count(&w, "t/x/s", "ended", "late"), 1);
    world_close(&w);
}

static void test_missed_skip_runs_nothing_late(void **state)
{
    (void)state;
    struct world w;
    one(&w, "[{'id':'s','cron':'0 * * * *','missed':'skip'}]");
    w.now += 5 * HOUR + 1800;
    run_until(&w, w.now + 60);
    assert_int_equal(count(&w, "t/x/s", "missed", "down"), 5);
    assert_int_equal(json_object_size(w.ran), 0);
    world_close(&w);
}

static void test_a_start_deadline(void **state)
{
    (void)state;
    struct world w;
    one(&w, "[{'id':'s','cron':'0 3 * * *','within':'1h'}]");
    w.now += 5 * HOUR;
    run_until(&w, w.now + 60);
    assert_int_equal(count(&w, "t/x/s", "missed", "late"), 1);
    world_close(&w);
}

static void test_overlap(void **state)
{
    (void)state;
    struct world w;
    one(&w, "[{'id':'s','every':60},{'id':'q','every':60,'overlap':'queue'}]");
    w.takes = 150;
    run_until(&w, w.now + 600);
    assert_true(count(&w, "t/x/s", "skipped", "overlap") >= 5);
    int skipped = count(&w, "t/x/s", "ended", NULL), queued = count(&w, "t/x/q", "ended", NULL);
    assert_true(queued >= skipped);
    assert_true(count(&w, "t/x/q", "queued", NULL) <= 1);
    world_close(&w);
}

static void test_pause(void **state)
{
    (void)state;
    struct world w;
    struct rb_err err = {0};
    one(&w, "[{'id':'s','every':600}]");
    int64_t start = w.now;
    assert_int_equal(rb_store_pause(w.store, "t/x/s", start + HOUR, "because", &err), 0);
    run_until(&w, start + 2 * HOUR);
    assert_int_equal(count(&w, "t/x/s", "skipped", "paused"), 5);
    assert_int_equal(count(&w, "t/x/s", NULL, NULL), 12);
    json_t *words = rb_store_words(w.store, "t/x/s");
    assert_string_equal(rb_json_str(words, "paused_reason", ""), "because");
    json_decref(words);
    world_close(&w);
}

static void test_another_spec_is_another_schedule(void **state)
{
    (void)state;
    struct world w;
    struct rb_mark mark;
    one(&w, "[{'id':'s','cron':'0 * * * *'}]");
    run_until(&w, w.now + 2 * HOUR + 60);
    w.now += DAY;
    assert_int_equal(rb_store_mark(w.store, "t/x/s", "another", w.now, &mark, NULL), 0);
    assert_int_equal(mark.checked, w.now); /* what the new one would have fired before is nobody's */
    world_close(&w);
}

static void test_two_services_on_one_store(void **state)
{
    (void)state;
    struct world w;
    struct rb_err err = {0};
    one(&w, "[{'id':'a','every':60},{'id':'b','cron':'*/2 * * * *'}]");
    struct rb_store *store;
    assert_int_equal(rb_store_open(&store, w.folder, true, &err), 0);
    struct rb_planner *second = rb_planner_new(w.schedules, store, &events, &w);
    assert_int_equal(rb_planner_look(second, w.now, &err), 0);
    int64_t end = w.now + HOUR, next;
    w.takes = 1;
    for (; w.now < end; w.now += 7) {
        assert_int_equal(rb_planner_tick(second, w.now, &next, &err), 0);
        (void)live(&w);
    }
    int runs = 0;
    for (size_t i = 0; i < w.schedules->count; i++) {
        check_rows(&w, &w.schedules->list[i], &runs);
    }
    assert_in_range(runs, 85, 91);
    rb_planner_free(second);
    rb_store_close(store);
    world_close(&w);
}

static void test_the_circuit_breaker_counts(void **state)
{
    (void)state;
    struct world w;
    struct rb_err err = {0};
    int64_t since = 0;
    one(&w, "[{'id':'s','every':600}]");
    for (int i = 1; i <= 4; i++) {
        const struct rb_firing f = {.schedule = "t/x/s", .at = i * 10, .state = "due", .acted = i > 1};
        assert_int_equal(rb_store_add(w.store, &f, &err), 1);
        assert_int_equal(rb_store_add(w.store, &f, &err), 0);
        assert_int_equal(rb_store_end(w.store, &f, "fixed", i * 10 + 1, &err), 0);
    }
    assert_int_equal(rb_store_streak(w.store, "t/x/s", 3, &since), 3);
    assert_int_equal(since, 20);
    assert_int_equal(rb_store_streak(w.store, "t/x/s", 4, &since), 3);
    assert_int_equal(rb_store_trip(w.store, "t/x/s", false, NULL, &err), 0);
    assert_int_equal(rb_store_streak(w.store, "t/x/s", 3, &since), 0);
    world_close(&w);
}

static void test_hours(void **state)
{
    (void)state;
    struct world w;
    one(&w, "[{'id':'night','every':60,'tz':'Asia/Shanghai','window':{'from':'22:00','to':'06:00','days':'fri'}}]");
    const struct rb_schedule *s = &w.schedules->list[0];
    const struct rb_zone *zone = rb_schedule_zone(w.schedules, s, NULL);
    assert_null(rb_schedule_closed(s, zone, instant("2026-03-06T14:00:00Z"))); /* Friday 22:00 */
    assert_null(rb_schedule_closed(s, zone, instant("2026-03-06T21:59:59Z"))); /* Saturday 05:59 */
    assert_string_equal(rb_schedule_closed(s, zone, instant("2026-03-06T22:00:00Z")), "window");
    assert_string_equal(rb_schedule_closed(s, zone, instant("2026-03-06T13:59:59Z")), "window");
    assert_string_equal(rb_schedule_closed(s, zone, instant("2026-03-05T21:00:00Z")), "window"); /* Friday 05:00 */
    world_close(&w);
}

static void test_what_cannot_fire_says_why(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"{'id':'s','cron':'61 * * * *'}", "field 1"},
                                         {"{'id':'s'}", "either cron or every"},
                                         {"{'id':'s','every':600,'tz':'Asia/Nowhere'}", "no time zone"},
                                         {"{'id':'s','every':600,'window':{'from':'25:00'}}", "span of time"},
                                         {"{'id':'s','every':600,'window':{'form':'20:00'}}", "form"},
                                         {"{'id':'s','every':600,'jitter':'soon'}", "no duration"},
                                         {"{'id':'s','every':0.5}", "a second is the least"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char list[256], *text;
        snprintf(list, sizeof list, "[%s]", bad[i][0]);
        text = quoted(list);
        json_t *loaded = book(text);
        struct rb_schedules *all = rb_schedules_new(loaded, NULL);
        assert_non_null(strstr(all->list[0].problem.text, bad[i][1]));
        rb_schedules_free(all);
        json_decref(loaded);
        free(text);
    }
}

static void test_overrides(void **state)
{
    (void)state;
    json_t *loaded = book("[{\"id\":\"s\",\"cron\":\"0 1 * * *\"}]");
    json_t *config = json_pack("{s:{s:{s:i, s:s}}}", "schedule", "t/x/s", "every", 60, "mode", "fix");
    struct rb_schedules *all = rb_schedules_new(loaded, config);
    assert_int_equal(all->list[0].every, 60);
    assert_true(all->list[0].fix);
    assert_int_equal(all->list[0].problem.code, 0);
    rb_schedules_free(all);
    json_decref(loaded);
    json_decref(config);
}

/* Whoever starts the service has not asked for the maintenance of systems that are not here. */
static void test_what_came_with_the_program_waits_to_be_named(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        size_t count;
    } cases[] = {{"{}", 0},
                 {"{\"profiles\":[{\"id\":\"tt\"}]}", 0},
                 {"{\"schedule\":{\"t/xx/s\":{}}}", 0},
                 {"{\"profiles\":[{\"id\":\"t\"}]}", 1},
                 {"{\"schedule\":{\"t/x/s\":{}}}", 1}};
    json_t *loaded = book("[{\"id\":\"s\",\"cron\":\"0 1 * * *\"}]");
    json_object_set_new(json_array_get(loaded, 0), "shipped", json_true());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *config = json_loads(cases[i].config, 0, NULL);
        struct rb_schedules *all = rb_schedules_new(loaded, config);
        assert_int_equal(all->count, cases[i].count);
        rb_schedules_free(all);
        json_decref(config);
    }
    json_decref(loaded);
}

static void test_explain(void **state)
{
    (void)state;
    struct world w;
    struct rb_err err = {0};
    one(&w, "[{'id':'s','cron':'0 * * * *','tz':'UTC','window':{'from':'00:00','to':'05:00'}}]");
    int64_t start = w.now;
    run_until(&w, start + 2 * HOUR + 60);
    json_t *list = json_array();
    assert_int_equal(rb_schedule_explain(list, w.schedules, &w.schedules->list[0], w.store,
                                         (const int64_t[]){start - HOUR, start + 7 * HOUR}, w.now, &err),
                     0);
    static const char *const expected[] = {"unknown", "unknown", "ended",  "ended",
                                           "planned", "planned", "closed", "closed"};
    assert_int_equal(json_array_size(list), 8);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(rb_json_str(json_array_get(list, i), "state", ""), expected[i]);
    }
    json_decref(list);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missed_once_runs_the_newest),
        cmocka_unit_test(test_missed_skip_runs_nothing_late),
        cmocka_unit_test(test_a_start_deadline),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_another_spec_is_another_schedule),
        cmocka_unit_test(test_two_services_on_one_store),
        cmocka_unit_test(test_the_circuit_breaker_counts),
        cmocka_unit_test(test_hours),
        cmocka_unit_test(test_what_cannot_fire_says_why),
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_what_came_with_the_program_waits_to_be_named),
        cmocka_unit_test(test_explain),
        cmocka_unit_test(test_a_week),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
