/* The lab of a drill: a private folder, parameters, long-lived processes. Everything made
 * here ends with the run, whatever happens. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/json.h"
#include "base/port.h"
#include "run/state.h"
#include "runner/language.h"

#define READY_MS 30000
#define READY_OUTPUT_MAX 65536

struct helper {
    struct rb_lab *lab; /* NULL once the lab is gone */
    struct helper *next;
    struct rb_child *child;
    uv_timer_t *ready_deadline;
    char *ready;
    struct rb_buf output;
    json_int_t seq; /* the drill.spawn that waits, 0 = answered */
};

/* Of a port. */
struct claim {
    struct claim *next;
    int fd;
};

struct rb_lab {
    struct rb_run *run;
    struct helper *helpers;
    struct claim *claims;
    char dir[PATH_MAX];
};

static struct rb_lab *lab_of(struct rb_run *run)
{
    if (!run->lab) {
        run->lab = rb_xcalloc(1, sizeof *run->lab);
        run->lab->run = run;
    }
    return run->lab;
}

/* ---- the folder ---- */

static int make_dir(struct rb_lab *lab, struct rb_err *err)
{
    const char *base = getenv("TMPDIR");
    snprintf(lab->dir, sizeof lab->dir, "%s/runbook-drill-XXXXXX", base && base[0] == '/' ? base : "/tmp");
    if (!mkdtemp(lab->dir)) {
        int rc = rb_err_errno(err, errno, "%s", lab->dir);
        lab->dir[0] = 0;
        return rc;
    }
    return 0;
}

static void drill_dir(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    struct rb_err err = {0};
    struct rb_lab *lab = lab_of(run);
    if (!lab->dir[0] && make_dir(lab, &err) < 0) {
        rb_run_reply_error(run, seq, &err, "drill.dir", false);
        return;
    }
    rb_run_reply(run, seq, json_pack("{s:s}", "path", lab->dir));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* The newest mount below the folder; the empty string when there is none. */
static void newest_mount(const struct rb_lab *lab, char *found, size_t size)
{
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    size_t len = strlen(lab->dir);
    struct mntent *one;
    found[0] = 0;
    while (mounts && (one = getmntent(mounts))) {
        if (!strncmp(one->mnt_dir, lab->dir, len) && one->mnt_dir[len] == '/') {
            snprintf(found, size, "%s", one->mnt_dir);
        }
    }
    if (mounts) {
        endmntent(mounts);
    }
}

/* File systems first, or removing would reach into them. */
static void remove_dir(const struct rb_lab *lab)
{
    char mount[PATH_MAX];
    newest_mount(lab, mount, sizeof mount);
    while (mount[0] && umount2(mount, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
        newest_mount(lab, mount, sizeof mount);
    }
    (void)nftw(lab->dir, remove_one, 16,
               FTW_DEPTH | FTW_PHYS | FTW_MOUNT); /* what is left of a failed lab is only rubbish */
}

/* Its own until the lab ends, though its server be down meanwhile. */
static void drill_port(struct rb_run *run, json_int_t seq, const json_t *args)
{
    (void)args;
    struct rb_lab *lab = lab_of(run);
    int fd, port = rb_port_claim(&fd);
    if (port) {
        struct claim *claim = rb_xcalloc(1, sizeof *claim);
        *claim = (struct claim){.next = lab->claims, .fd = fd};
        lab->claims = claim;
    }
    rb_run_reply(run, seq, json_pack("{s:i}", "port", port));
}

/* ---- parameters ---- */

static void drill_set(struct rb_run *run, json_int_t seq, const json_t *args)
{
    struct rb_err err = {0};
    json_t *given = json_deep_copy(run->given);
    json_object_update(given, json_object_get(args, "values"));
    json_t *params = rb_params_resolve(run->meta, given, &err);
    if (!params) {
        json_decref(given);
        rb_run_reply_error(run, seq, &err, "drill.set", true);
        return;
    }
    json_decref(run->given);
    json_decref(run->params);
    run->given = given;
    run->params = params;
    rb_run_reply(run, seq, json_pack("{s:O}", "params", params));
}

/* Secrets, connections and channels of the lab: a drill never sees the operator's own. */
static void drill_secret(struct rb_run *run, json_int_t seq, const json_t *args)
{
    rb_secrets_give(run->secrets, rb_json_str(args, "name", "?"), rb_json_str(args, "value", ""));
    rb_run_reply(run, seq, json_object());
}

static void configure(struct rb_run *run, json_int_t seq, const json_t *args, const char *kind)
{
    json_t *all = json_object_get(run->config, kind);
    if (!all) {
        all = json_object();
        json_object_set_new(run->config, kind, all);
    }
    json_t *fields = json_object_get(args, "fields");
    json_object_set_new(all, rb_json_str(args, "name", "?"),
                        json_is_object(fields) ? json_deep_copy(fields) : json_object());
    rb_run_reply(run, seq, json_object());
}

static void drill_connection(struct rb_run *run, json_int_t seq, const json_t *args)
{
    configure(run, seq, args, "connection");
}

static void drill_channel(struct rb_run *run, json_int_t seq, const json_t *args)
{
    configure(run, seq, args, "channel");
}

/* ---- processes ---- */

/* Clock ticks since boot at which it started: field 22, after the command in parentheses. */
static json_int_t start_ticks(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0) {
        close(fd);
    }
    text[n > 0 ? n : 0] = 0;
    char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    return p ? strtoll(p, NULL, 10) : 0;
}

static void answer_spawn(struct helper *h, const struct rb_err *err)
{
    struct rb_run *run = h->lab ? h->lab->run : NULL;
    json_int_t seq = h->seq;
    h->seq = 0;
    if (!run || !seq) {
        return;
    }
    uv_timer_stop(h->ready_deadline);
    if (err) {
        rb_run_reply_error(run, seq, err, "drill.spawn", false);
        return;
    }
    pid_t pid = rb_child_pid(h->child);
    rb_run_reply(run, seq, json_pack("{s:i, s:I}", "pid", (int)pid, "started", start_ticks(pid)));
}

static void on_output(struct rb_child *child, int stream, const char *data, size_t len, void *user)
{
    (void)child;
    (void)stream;
    struct helper *h = user;
    if (h->seq && rb_buf_add(&h->output, data, len) == 0 && strstr(rb_buf_str(&h->output), h->ready)) {
        answer_spawn(h, NULL);
    }
}

static void helper_ended(struct rb_child *child, int status, bool orphaned, const struct rb_err *given, void *user)
{
    (void)child;
    (void)orphaned;
    struct helper *h = user;
    struct rb_err err = {0};
    if (given) {
        err = *given;
    } else {
        rb_err_set(&err, RB_ENOT_RUNNING, RB_T_run_drill_ended, status, rb_buf_str(&h->output));
    }
    answer_spawn(h, &err);
    if (h->lab) {
        struct helper **p = &h->lab->helpers;
        while (*p != h) {
            p = &(*p)->next;
        }
        *p = h->next;
    }
    uv_timer_stop(h->ready_deadline);
    uv_close((uv_handle_t *)h->ready_deadline, (uv_close_cb)free);
    rb_buf_deinit(&h->output);
    free(h->ready);
    free(h);
}

static void not_ready(uv_timer_t *timer)
{
    struct helper *h = timer->data;
    struct rb_err err = {0};
    rb_err_set(&err, RB_ETIMEOUT, RB_T_run_drill_not_ready, h->ready, rb_buf_str(&h->output));
    answer_spawn(h, &err);
}

static const char **argv_of(const json_t *list)
{
    size_t n = json_array_size(list);
    const char **argv = rb_xcalloc(n + 1, sizeof *argv);
    for (size_t i = 0; i < n; i++) {
        argv[i] = json_string_value(json_array_get(list, i));
        argv[i] = argv[i] ? argv[i] : "";
    }
    return argv;
}

static struct helper *helper_new(struct rb_lab *lab, json_int_t seq, const char *ready)
{
    struct helper *h = rb_xcalloc(1, sizeof *h);
    *h = (struct helper){.lab = lab, .next = lab->helpers, .seq = seq, .ready = rb_xstrdup(ready)};
    rb_buf_init(&h->output, READY_OUTPUT_MAX);
    h->ready_deadline = rb_xcalloc(1, sizeof *h->ready_deadline);
    uv_timer_init(lab->run->engine.loop, h->ready_deadline);
    h->ready_deadline->data = h;
    return h;
}

static void drill_spawn(struct rb_run *run, json_int_t seq, const json_t *args)
{
    static const struct rb_child_events events = {.output = on_output, .exit = helper_ended};
    struct rb_err err = {0};
    if (!json_array_size(json_object_get(args, "argv"))) {
        rb_err_set(&err, RB_EUSAGE, RB_T_run_arg_missing, "drill.spawn", "argv", "list(string)");
        rb_run_reply_error(run, seq, &err, "drill.spawn", true);
        return;
    }
    struct rb_lab *lab = lab_of(run);
    struct helper *h = helper_new(lab, seq, rb_json_str(args, "ready", ""));
    const char **argv = argv_of(json_object_get(args, "argv"));
    const struct rb_child_spec spec = {.argv = argv, .access = RB_CHILD_WRITE, .cwd = lab->dir[0] ? lab->dir : NULL};
    h->child = rb_child_start(run->engine.spawner, &spec, &events, h, &err);
    free(argv);
    if (!h->child) {
        uv_close((uv_handle_t *)h->ready_deadline, (uv_close_cb)free);
        free(h->ready);
        free(h);
        rb_run_reply_error(run, seq, &err, "drill.spawn", false);
        return;
    }
    lab->helpers = h;
    uv_timer_start(h->ready_deadline, not_ready, READY_MS, 0);
}

void rb_lab_free(struct rb_lab *lab)
{
    if (!lab) {
        return;
    }
    for (struct helper *h = lab->helpers; h; h = h->next) {
        h->lab = NULL;
        h->seq = 0;
        rb_child_kill(h->child, 0);
    }
    if (lab->dir[0]) {
        remove_dir(lab);
    }
    while (lab->claims) {
        struct claim *claim = lab->claims;
        lab->claims = claim->next;
        close(claim->fd);
        free(claim);
    }
    free(lab);
}

/* Not a helper that answers a drill.spawn: its call is over. */
static void leave_in_lab(struct rb_lab *lab, struct rb_child *child)
{
    static const struct rb_child_events events = {.exit = helper_ended};
    struct helper *h = helper_new(lab, 0, "");
    h->child = child;
    lab->helpers = h;
    rb_child_hand_over(child, &events, h);
}

void rb_call_leave(struct rb_call *call, struct rb_child *child)
{
    if (call->run->mode == RB_MODE_DRILL) {
        leave_in_lab(lab_of(call->run), child);
    } else {
        rb_child_let_go(child);
    }
}

static const struct {
    const char *name;
    void (*serve)(struct rb_run *run, json_int_t seq, const json_t *args);
} verbs[] = {
    {"drill.channel", drill_channel}, {"drill.connection", drill_connection}, {"drill.dir", drill_dir},
    {"drill.port", drill_port},       {"drill.secret", drill_secret},         {"drill.set", drill_set},
    {"drill.spawn", drill_spawn},
};

int rb_drill_verb(struct rb_run *run, const char *verb, json_int_t seq, const json_t *args)
{
    for (size_t i = 0; run->mode == RB_MODE_DRILL && i < sizeof verbs / sizeof *verbs; i++) {
        if (!strcmp(verbs[i].name, verb)) {
            verbs[i].serve(run, seq, args);
            return 1;
        }
    }
    return 0;
}
