/* Worker processes, both sides. */
#include "run/worker.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/frame.h"
#include "base/json.h"
#include "run/state.h"

#define WORKERS_MAX 8         /* of each access, of one run */
#define PROGRESS_EVERY_MS 200 /* a progress line more often helps nobody */

/* ---- in the worker process ---- */

struct rb_work {
    int fd;
    int64_t deadline_ns, last_progress_ns;
    bool read_only;
    const char *journal;
    int64_t last_write_us;
};

void rb_work_progress(struct rb_work *work, int64_t done, int64_t total, const char *unit)
{
    int64_t now = rb_clock_mono_ns();
    if (now - work->last_progress_ns < PROGRESS_EVERY_MS * 1000000LL) {
        return;
    }
    work->last_progress_ns = now;
    json_t *frame = json_pack("{s:{s:I, s:I, s:s}}", "progress", "done", (json_int_t)done, "total", (json_int_t)total,
                              "unit", unit);
    struct rb_err ignored;
    (void)rb_frame_write(work->fd, frame, &ignored); /* the reply will meet the same end */
    json_decref(frame);
}

int rb_work_announce(struct rb_work *work, json_t *facts, struct rb_err *err)
{
    struct rb_buf scratch;
    json_t *frame = json_pack("{s:o}", "began", facts), *word = NULL;
    rb_buf_init(&scratch, RB_FRAME_MAX + 64);
    int rc = rb_frame_write(work->fd, frame, err);
    rc = rc == 0 ? rb_frame_read(work->fd, &scratch, &word, err) : rc; /* the host is gone: its end is ours */
    rc = rc < 0 ? rc : rb_json_bool(word, "go", false) ? 0 : rb_err_set(err, RB_EJOURNAL, RB_T_run_not_announced);
    json_decref(word);
    json_decref(frame);
    rb_buf_deinit(&scratch);
    return rc;
}

double rb_work_left(const struct rb_work *work)
{
    int64_t left = work->deadline_ns - rb_clock_mono_ns();
    return left > 0 ? (double)left / 1e9 : 0;
}

bool rb_work_read_only(const struct rb_work *work)
{
    return work->read_only;
}

int64_t rb_work_last_write(const struct rb_work *work)
{
    return work->last_write_us;
}

bool rb_work_forbidden_file(const struct rb_work *work, uint64_t dev, uint64_t ino)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; work->journal && i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[PATH_MAX];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", work->journal, suffixes[i]);
        if (stat(path, &st) == 0 && st.st_dev == dev && st.st_ino == ino) {
            return true;
        }
    }
    return false;
}

static const struct rb_verb *find_verb(const char *full)
{
    char name[128];
    for (size_t i = 0; rb_bindings[i]; i++) {
        for (const struct rb_verb *verb = rb_bindings[i]->verbs; verb->name; verb++) {
            snprintf(name, sizeof name, "%s.%s", rb_bindings[i]->name, verb->name);
            if (verb->work && !strcmp(name, full)) {
                return verb;
            }
        }
    }
    return NULL;
}

static json_t *serve(int fd, const json_t *request)
{
    struct rb_err err = {0};
    struct rb_work work = {.fd = fd, .read_only = rb_json_bool(request, "read_only", true)};
    work.journal = rb_json_str(request, "journal", NULL);
    work.last_write_us = rb_json_int(request, "last_write", 0);
    work.deadline_ns = rb_clock_mono_ns() + (int64_t)(json_number_value(json_object_get(request, "timeout")) * 1e9);
    const struct rb_verb *verb = find_verb(rb_json_str(request, "verb", ""));
    RB_REQUIRE(verb);
    json_t *value = verb->work(json_object_get(request, "args"), &work, &err);
    if (value) {
        return json_pack("{s:o}", "ok", value);
    }
    return json_pack("{s:{s:i, s:o, s:s}}", "error", "code", err.code ? err.code : RB_EINTERNAL, "text",
                     rb_json_bytes(err.text, strlen(err.text)), "hint", err.hint);
}

static int answer(int fd, const json_t *request, struct rb_err *err)
{
    enum rb_lang lang;
    if (rb_text_lang_parse(rb_json_str(request, "lang", "en"), &lang) == 0) {
        rb_text_lang_set(lang);
    }
    json_t *reply = serve(fd, request);
    int rc = rb_frame_write(fd, reply, err);
    json_decref(reply);
    if (rc == RB_ETOO_LARGE) {
        reply = json_pack("{s:{s:i, s:s, s:s}}", "error", "code", RB_ETOO_LARGE, "text", err->text, "hint", "");
        rc = rb_frame_write(fd, reply, err);
        json_decref(reply);
    }
    return rc;
}

int rb_worker_main(int fd)
{
    struct rb_buf scratch;
    struct rb_err err = {0};
    json_t *request;
    int rc = 0;
    rb_buf_init(&scratch, RB_FRAME_MAX + 64);
    while (rc == 0 && rb_frame_read(fd, &scratch, &request, &err) >= 0) {
        rc = answer(fd, request, &err);
        json_decref(request);
    }
    rb_buf_deinit(&scratch);
    return 0;
}

/* ---- in the host ---- */

struct worker {
    struct rb_workers *pool;
    struct worker *next;
    struct rb_child *child;
    struct rb_call *call; /* NULL = idle */
    bool read_only, dying;
};

struct queued {
    struct rb_call *call;
    struct queued *next;
};

struct rb_workers {
    struct rb_run *run; /* NULL once the run is over */
    struct worker *list;
    struct queued *queue;
    char journal[PATH_MAX];
};

struct rb_workers *rb_workers_new(struct rb_run *run)
{
    struct rb_workers *pool = rb_xcalloc(1, sizeof *pool);
    pool->run = run;
    (void)rb_journal_default_path(pool->journal, sizeof pool->journal, NULL); /* the journal is open: it has a path */
    return pool;
}

static void pool_free_if_empty(struct rb_workers *pool)
{
    if (!pool->run && !pool->list) {
        free(pool);
    }
}

void rb_workers_free(struct rb_workers *pool)
{
    pool->run = NULL;
    while (pool->queue) {
        struct queued *q = pool->queue;
        pool->queue = q->next;
        free(q);
    }
    for (struct worker *w = pool->list; w; w = w->next) {
        w->call = NULL;
        rb_child_kill(w->child, 0);
    }
    pool_free_if_empty(pool);
}

static void send_call(struct worker *w, struct rb_call *call)
{
    struct rb_err err = {0};
    char name[128];
    snprintf(name, sizeof name, "%s.%s", call->binding->name, call->verb->name);
    w->call = call;
    rb_call_data_set(call, w);
    json_t *request =
        json_pack("{s:s, s:O, s:f, s:b, s:s, s:s, s:I}", "verb", name, "args", call->filled, "timeout", call->timeout,
                  "read_only", w->read_only, "journal", w->pool->journal, "lang",
                  rb_text_lang() == RB_LANG_ZH ? "zh" : "en", "last_write", (json_int_t)w->pool->run->last_write_us);
    int rc = rb_child_send(w->child, request, &err);
    json_decref(request);
    if (rc < 0) {
        w->call = NULL;
        rb_call_fail(call, &err);
    }
}

static int places_left(const struct rb_workers *pool, bool read_only)
{
    int count = 0;
    for (const struct worker *w = pool->list; w; w = w->next) {
        count += w->read_only == read_only && !w->dying;
    }
    return WORKERS_MAX - count;
}

static void serve_queue(struct rb_workers *pool)
{
    struct queued *q = pool->queue;
    pool->queue = NULL;
    while (q) { /* submit puts back what still finds no worker */
        struct queued *next = q->next;
        rb_workers_submit(pool, q->call);
        free(q);
        q = next;
    }
}

/* It waits for our word before it does what cannot be taken back. A worker whose call ended is killed, without a word.
 */
static void answer_announced(struct rb_call *call, const struct rb_err *error)
{
    const struct worker *w = rb_call_data(call);
    struct rb_err err = {0};
    json_t *word = json_pack("{s:b}", "go", !error);
    (void)rb_child_send(w->child, word, &err); /* gone: its end is on the way */
    json_decref(word);
}

static void on_frame(struct rb_child *child, json_t *frame, void *user)
{
    (void)child;
    struct worker *w = user;
    struct rb_call *call = w->call;
    json_t *progress = json_object_get(frame, "progress");
    if (progress) {
        if (call && w->pool->run->view->progress) {
            w->pool->run->view->progress(w->pool->run->user, progress);
        }
        return;
    }
    json_t *began = json_object_get(frame, "began");
    if (began && call) {
        rb_call_announce(call, json_incref(began), answer_announced);
    }
    if (began) {
        return;
    }
    w->call = NULL;
    if (!call) {
        return;
    }
    json_t *error = json_object_get(frame, "error");
    if (error) {
        struct rb_err err = {.code = (int)rb_json_int(error, "code", RB_EINTERNAL)};
        snprintf(err.text, sizeof err.text, "%s", rb_json_str(error, "text", ""));
        snprintf(err.hint, sizeof err.hint, "%s", rb_json_str(error, "hint", ""));
        rb_call_fail(call, &err);
    } else {
        rb_call_done(call, json_incref(json_object_get(frame, "ok")));
    }
    serve_queue(w->pool);
}

static void worker_ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *given, void *user)
{
    (void)child;
    (void)orphaned;
    struct worker *w = user;
    struct rb_workers *pool = w->pool;
    struct worker **p = &pool->list;
    while (*p != w) {
        p = &(*p)->next;
    }
    *p = w->next;
    if (w->call) {
        struct rb_err err = {0};
        if (given) {
            err = *given;
        } else {
            rb_err_set(&err, RB_ERESET, RB_T_run_worker_died, status);
        }
        rb_call_fail(w->call, &err);
    }
    free(w);
    if (pool->run) {
        serve_queue(pool);
    }
    pool_free_if_empty(pool);
}

static struct worker *start_worker(struct rb_workers *pool, bool read_only, struct rb_err *err)
{
    static const struct rb_child_events events = {.frame = on_frame, .exit = worker_ended};
    struct worker *w = rb_xcalloc(1, sizeof *w);
    *w = (struct worker){.pool = pool, .next = pool->list, .read_only = read_only};
    const struct rb_child_spec spec = {.entry = "worker", .access = read_only ? RB_CHILD_READ : RB_CHILD_WRITE};
    w->child = rb_child_start(pool->run->engine.spawner, &spec, &events, w, err);
    if (!w->child) {
        free(w);
        return NULL;
    }
    pool->list = w;
    return w;
}

static void enqueue(struct rb_workers *pool, struct rb_call *call)
{
    struct queued **p = &pool->queue;
    while (*p) {
        p = &(*p)->next;
    }
    *p = rb_xcalloc(1, sizeof **p);
    (*p)->call = call;
}

void rb_workers_submit(struct rb_workers *pool, struct rb_call *call)
{
    bool read_only = rb_call_read_only(call);
    for (struct worker *w = pool->list; w; w = w->next) {
        if (!w->call && !w->dying && w->read_only == read_only) {
            send_call(w, call);
            return;
        }
    }
    if (places_left(pool, read_only) <= 0) {
        enqueue(pool, call);
        return;
    }
    struct rb_err err = {0};
    struct worker *w = start_worker(pool, read_only, &err);
    if (w) {
        send_call(w, call);
    } else {
        rb_call_fail(call, &err);
    }
}

void rb_workers_cancel(struct rb_workers *pool, struct rb_call *call)
{
    for (struct queued **p = &pool->queue; *p; p = &(*p)->next) {
        if ((*p)->call == call) {
            struct queued *gone = *p;
            *p = gone->next;
            free(gone);
            return;
        }
    }
    for (struct worker *w = pool->list; w; w = w->next) {
        if (w->call == call) {
            w->call = NULL;
            w->dying = true;
            rb_child_kill(w->child, 0);
        }
    }
}
