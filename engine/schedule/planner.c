#include "schedule/planner.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"

#define SET_BACK (3 * 3600)      /* seconds; less is waited for */
#define ON_TIME 60               /* a service that is this late was not away */
#define LOOK_BACK (400 * 86400L) /* seconds; nobody wants to know of what was missed before */
#define ROWS_MAX 1000            /* missed firings of one absence that get a row each */

/* By when something is due: a heap, the earliest on top. */
struct waiting {
    int64_t due;
    const struct rb_schedule *s;
};

/* What the people who watch are told once it is on disk. */
struct decision {
    const struct rb_schedule *s;
    int64_t at, count;
    const char *state, *reason;
};

struct rb_planner {
    struct rb_schedules *schedules;
    struct rb_store *store;
    const struct rb_planner_events *events;
    void *user;
    struct waiting *heap;
    size_t count;
    const struct rb_schedule **popped; /* in this tick */
    size_t popped_count;
    struct decision *decisions;
    size_t decided, decided_max;
};

/* ---- the heap ---- */

static void push(struct rb_planner *p, int64_t due, const struct rb_schedule *s)
{
    size_t i = p->count++;
    for (; i && p->heap[(i - 1) / 2].due > due; i = (i - 1) / 2) {
        p->heap[i] = p->heap[(i - 1) / 2];
    }
    p->heap[i] = (struct waiting){due, s};
}

static const struct rb_schedule *pop(struct rb_planner *p)
{
    const struct rb_schedule *top = p->heap[0].s;
    struct waiting last = p->heap[--p->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < p->count; i = child) {
        child += child + 1 < p->count && p->heap[child + 1].due < p->heap[child].due;
        if (p->heap[child].due >= last.due) {
            break;
        }
        p->heap[i] = p->heap[child];
    }
    p->heap[i] = last;
    return top;
}

/* ---- decisions ---- */

static void decided(struct rb_planner *p, struct decision one)
{
    if (p->decided == p->decided_max) {
        p->decided_max = p->decided_max ? 2 * p->decided_max : 64;
        p->decisions = realloc(p->decisions, p->decided_max * sizeof *p->decisions);
        RB_REQUIRE(p->decisions);
    }
    p->decisions[p->decided++] = one;
}

/* Begin, fn, commit, then tell; after an error nothing of it happened. */
static int transact(struct rb_planner *p, int (*fn)(struct rb_planner *, void *, int64_t, struct rb_err *), void *with,
                    int64_t now, struct rb_err *err)
{
    p->decided = 0;
    int rc = rb_store_begin(p->store, err);
    if (rc) {
        return rc;
    }
    rc = fn(p, with, now, err);
    if (rc) {
        rb_store_rollback(p->store);
        return rc;
    }
    return rb_store_commit(p->store, err);
}

static void tell(struct rb_planner *p)
{
    size_t count = p->decided;
    struct decision *list = p->decisions; /* what is told may decide more */
    p->decisions = NULL;
    p->decided = p->decided_max = 0;
    for (size_t i = 0; i < count; i++) {
        struct decision *d = &list[i];
        if (!strcmp(d->state, "due")) {
            p->events->due(p->user, d->s, d->at);
        } else if (strcmp(d->state, "queued") != 0 && p->events->passed) {
            const struct rb_firing f = {.schedule = d->s->name, .at = d->at, .state = d->state, .reason = d->reason};
            p->events->passed(p->user, d->s, &f, d->count);
        }
    }
    free(list);
}

/* Does another firing of it run, or wait to? Rows whose process is gone do not count. */
static int active(struct rb_planner *p, const struct rb_schedule *s, bool *running, bool *queued, struct rb_err *err)
{
    size_t i;
    json_t *row, *open = rb_store_open_firings(p->store, s->name, err);
    *running = *queued = false;
    json_array_foreach(open, i, row) {
        if (rb_store_owner_lives(rb_json_str(row, "owner", NULL))) {
            bool waits = !strcmp(rb_json_str(row, "state", ""), "queued");
            *queued |= waits;
            *running |= !waits;
        }
    }
    json_decref(open);
    return open ? 0 : RB_EIO;
}

static const char *rule(enum rb_local how)
{
    return how == RB_LOCAL_GAP ? "gap" : how == RB_LOCAL_TWICE ? "first" : NULL;
}

struct firing {
    int64_t at, late;
    enum rb_local how;
    bool waited; /* for the run before it, not for a service */
};

/* Why this firing does not run now; NULL when it does. */
static const char *objection(const struct rb_schedule *s, const struct rb_zone *zone, const struct rb_mark *mark,
                             const struct firing *f, const char **state)
{
    const char *closed = rb_schedule_closed(s, zone, f->at);
    bool late = f->late > ON_TIME;
    *state = "skipped";
    if (closed || f->at < mark->paused) {
        return closed ? closed : "paused";
    }
    *state = "missed";
    if (late && !s->once && !f->waited) {
        return "down";
    }
    if (s->within && f->late > s->within) {
        return "late";
    }
    return rb_schedule_closed(s, zone, f->at + f->late);
}

/* The newest of the firings that are due: it runs, waits, or is passed over. */
static int decide_newest(struct rb_planner *p, const struct rb_schedule *s, const struct rb_zone *zone,
                         const struct rb_mark *mark, const struct firing *f, struct rb_err *err)
{
    const char *state, *reason = objection(s, zone, mark, f, &state);
    bool running = false, queued = false;
    int rc = reason ? 0 : active(p, s, &running, &queued, err);
    if (!reason && (running || queued)) {
        bool waits = s->queue && !queued;
        state = waits ? "queued" : "skipped";
        reason = waits ? NULL : "overlap";
    } else if (!reason) {
        state = "due";
        reason = f->late > ON_TIME ? "late" : rule(f->how);
    }
    const struct rb_firing row = {.schedule = s->name, .at = f->at, .state = state, .reason = reason};
    rc = rc ? rc : rb_store_add(p->store, &row, err);
    if (rc > 0) {
        decided(p, (struct decision){s, f->at, 1, state, reason});
    }
    return rc < 0 ? rc : 0;
}

/* Those before the newest happened while nobody looked. */
static int pass_older(struct rb_planner *p, const struct rb_schedule *s, const struct rb_zone *zone,
                      const struct rb_mark *mark, const struct firing *f, struct rb_err *err)
{
    const char *closed = rb_schedule_closed(s, zone, f->at);
    bool paused = f->at < mark->paused;
    const struct rb_firing row = {.schedule = s->name,
                                  .at = f->at,
                                  .state = closed || paused ? "skipped" : "missed",
                                  .reason = closed   ? closed
                                            : paused ? "paused"
                                                     : "down"};
    int rc = rb_store_add(p->store, &row, err);
    if (rc > 0 && !closed && !paused) {
        struct decision *last = p->decided ? &p->decisions[p->decided - 1] : NULL;
        if (last && last->s == s && !strcmp(last->state, "missed")) {
            last->count++;
            last->at = f->at;
        } else {
            decided(p, (struct decision){s, f->at, 1, "missed", "down"});
        }
    }
    return rc < 0 ? rc : 0;
}

static int decide_all(struct rb_planner *p, const struct rb_schedule *s, const struct rb_zone *zone,
                      struct rb_mark *mark, int64_t now, struct rb_err *err)
{
    struct firing *due = rb_xcalloc(ROWS_MAX, sizeof *due), f = {0};
    size_t count = 0;
    int64_t at = mark->checked > now - LOOK_BACK ? mark->checked : now - LOOK_BACK;
    while ((at = rb_schedule_next(s, zone, at, &f.how)) != RB_NEVER && at <= now) {
        f.at = at;
        f.late = now - at - rb_schedule_delay(s, at);
        if (f.late < 0) {
            break;
        }
        due[count++ % ROWS_MAX] = f;
    }
    int rc = 0;
    for (size_t i = count > ROWS_MAX ? count - ROWS_MAX : 0; i + 1 < count && !rc; i++) {
        rc = pass_older(p, s, zone, mark, &due[i % ROWS_MAX], err);
    }
    if (count && !rc) {
        const struct firing *newest = &due[(count - 1) % ROWS_MAX];
        rc = decide_newest(p, s, zone, mark, newest, err);
        mark->checked = newest->at;
        rc = rc ? rc : rb_store_checked(p->store, s->name, newest->at, err);
    }
    free(due);
    return rc;
}

static int64_t due_after(const struct rb_schedule *s, const struct rb_zone *zone, int64_t checked)
{
    enum rb_local how;
    int64_t at = rb_schedule_next(s, zone, checked, &how);
    return at == RB_NEVER ? RB_NEVER : at + rb_schedule_delay(s, at);
}

/* ---- where all stand ---- */

static int look_at(struct rb_planner *p, const struct rb_schedule *s, int64_t now, struct rb_err *err)
{
    struct rb_mark mark;
    const struct rb_zone *zone = s->problem.code ? NULL : rb_schedule_zone(p->schedules, s, NULL);
    if (!zone) {
        return 0;
    }
    int rc = rb_store_mark(p->store, s->name, s->spec, now, &mark, err);
    rc = rc == RB_ENOT_FOUND ? 0 : rc; /* it is made by now */
    if (!rc && mark.checked > now + SET_BACK) {
        mark.checked = now;
        rc = rb_store_checked(p->store, s->name, now, err);
    }
    int64_t due = rc ? RB_NEVER : due_after(s, zone, mark.checked);
    if (due != RB_NEVER) {
        push(p, due, s);
    }
    return rc;
}

static int look_all(struct rb_planner *p, void *with, int64_t now, struct rb_err *err)
{
    (void)with;
    int rc = 0;
    p->count = 0;
    for (size_t i = 0; i < p->schedules->count && !rc; i++) {
        rc = look_at(p, &p->schedules->list[i], now, err);
    }
    return rc;
}

int rb_planner_look(struct rb_planner *p, int64_t now, struct rb_err *err)
{
    return transact(p, look_all, NULL, now, err);
}

/* ---- a moment ---- */

static int decide_due(struct rb_planner *p, void *with, int64_t now, struct rb_err *err)
{
    (void)with;
    int rc = 0;
    for (p->popped_count = 0; p->count && p->heap[0].due <= now && !rc;) {
        const struct rb_schedule *s = pop(p);
        const struct rb_zone *zone = rb_schedule_zone(p->schedules, s, err);
        struct rb_mark mark;
        p->popped[p->popped_count++] = s;
        rc = zone ? rb_store_mark(p->store, s->name, s->spec, now, &mark, err) : 0;
        rc = rc == RB_ENOT_FOUND ? 0 : rc;
        rc = rc || !zone ? rc : decide_all(p, s, zone, &mark, now, err);
    }
    return rc;
}

/* What was looked at goes back with its next time; after an error, as it was. */
static void push_popped(struct rb_planner *p, bool decided_now, int64_t now)
{
    for (size_t i = 0; i < p->popped_count; i++) {
        const struct rb_schedule *s = p->popped[i];
        const struct rb_zone *zone = rb_schedule_zone(p->schedules, s, NULL);
        struct rb_mark mark = {.checked = now};
        if (decided_now) {
            (void)rb_store_mark(p->store, s->name, s->spec, now, &mark, NULL); /* now does where it cannot be read */
        }
        int64_t due = !decided_now ? now : zone ? due_after(s, zone, mark.checked) : RB_NEVER;
        if (due != RB_NEVER) {
            push(p, due, s);
        }
    }
    p->popped_count = 0;
}

int rb_planner_tick(struct rb_planner *p, int64_t now, int64_t *next, struct rb_err *err)
{
    int rc = 0;
    if (p->count && p->heap[0].due <= now) {
        rc = transact(p, decide_due, NULL, now, err);
        push_popped(p, rc == 0, now);
        if (!rc) {
            tell(p);
        }
    }
    *next = p->count ? p->heap[0].due : RB_NEVER;
    return rc;
}

/* ---- what another one left, and what waited ---- */

struct recovery {
    bool (*began)(void *user, const char *run);
};

/* A firing that was decided to run and has not begun. */
static int again(struct rb_planner *p, const struct rb_schedule *s, int64_t at, bool waited, int64_t now,
                 struct rb_err *err)
{
    struct rb_mark mark;
    const char *state = "missed", *reason = "down";
    const struct rb_zone *zone = rb_schedule_zone(p->schedules, s, err);
    int rc = zone ? rb_store_mark(p->store, s->name, s->spec, now, &mark, err) : err->code;
    if (!rc && due_after(s, zone, mark.checked) > now) { /* else a newer one is due and stands for both */
        const struct firing f = {at, now - at - rb_schedule_delay(s, at), RB_LOCAL_ONCE, waited};
        reason = objection(s, zone, &mark, &f, &state);
        state = reason ? state : "due";
        reason = reason ? reason : f.late > ON_TIME ? "late" : NULL;
    }
    const struct rb_firing row = {.schedule = s->name, .at = at, .state = state, .reason = reason};
    rc = rc ? rc : rb_store_state(p->store, &row, err);
    if (!rc) {
        decided(p, (struct decision){s, at, 1, state, reason});
    }
    return rc;
}

static int recover_row(struct rb_planner *p, const json_t *row, const struct recovery *r, int64_t now,
                       struct rb_err *err)
{
    struct rb_err ignored;
    const char *run = rb_json_str(row, "run", NULL);
    const struct rb_firing f = {.schedule = rb_json_str(row, "schedule", ""),
                                .at = rb_json_int(row, "at", 0),
                                .state = "missed",
                                .reason = "gone",
                                .run = run};
    const struct rb_schedule *s = rb_schedules_find(p->schedules, f.schedule, &ignored);
    if (rb_store_owner_lives(rb_json_str(row, "owner", NULL))) {
        return 0;
    }
    if (run && r->began(p->user, run)) {
        return rb_store_end(p->store, &f, "interrupted", now, err);
    }
    return s && !s->problem.code ? again(p, s, f.at, false, now, err) : rb_store_state(p->store, &f, err);
}

static int recover_all(struct rb_planner *p, void *with, int64_t now, struct rb_err *err)
{
    size_t i;
    json_t *row, *open = rb_store_open_firings(p->store, NULL, err);
    int rc = open ? 0 : RB_EIO;
    json_array_foreach(open, i, row) {
        rc = rc ? rc : recover_row(p, row, with, now, err);
    }
    json_decref(open);
    return rc;
}

int rb_planner_recover(struct rb_planner *p, bool (*began)(void *user, const char *run), int64_t now,
                       struct rb_err *err)
{
    struct recovery r = {began};
    int rc = transact(p, recover_all, &r, now, err);
    if (!rc) {
        tell(p);
    }
    return rc;
}

static int release_queued(struct rb_planner *p, void *with, int64_t now, struct rb_err *err)
{
    const struct rb_schedule *s = with;
    size_t i;
    bool released = false;
    json_t *row, *open = rb_store_open_firings(p->store, s->name, err);
    int rc = open ? 0 : RB_EIO;
    json_array_foreach(open, i, row) {
        if (!rc && !released && !strcmp(rb_json_str(row, "state", ""), "queued")) {
            released = true;
            rc = again(p, s, rb_json_int(row, "at", 0), true, now, err);
        }
    }
    json_decref(open);
    return rc;
}

int rb_planner_ended(struct rb_planner *p, const struct rb_schedule *s, int64_t now, struct rb_err *err)
{
    if (!s->queue) {
        return 0;
    }
    int rc = transact(p, release_queued, (void *)s, now, err);
    if (!rc) {
        tell(p);
    }
    return rc;
}

/* ---- life ---- */

struct rb_planner *rb_planner_new(struct rb_schedules *schedules, struct rb_store *store,
                                  const struct rb_planner_events *events, void *user)
{
    struct rb_planner *p = rb_xcalloc(1, sizeof *p);
    *p = (struct rb_planner){.schedules = schedules, .store = store, .events = events, .user = user};
    p->heap = rb_xcalloc(schedules->count + 1, sizeof *p->heap);
    p->popped = rb_xcalloc(schedules->count + 1, sizeof *p->popped);
    return p;
}

void rb_planner_free(struct rb_planner *p)
{
    if (p) {
        free(p->heap);
        free(p->popped);
        free(p->decisions);
        free(p);
    }
}
