/* What a binding is: a table of verbs. A binding sees engine/base and this header,
 * and one library; never Lua, the journal or the terminal. The gate calls it only
 * after the call was allowed and, for a write, its intent is on disk.
 *
 * A verb is one of two kinds:
 *   work   a plain blocking function. It runs in a worker process (forked, killed at its
 *          deadline). For a read or probe in a check the worker is read-only: the kernel
 *          refuses writes, whatever the code does.
 *   start  asynchronous on the host's loop (processes, network).
 *
 * A binding whose library is heavy is a module: bindings/NAME/verbs.c, its table, is part of the host; the
 * functions behind it are modules/NAME.so, loaded at the first call. A verb may be both, by its arguments:
 * sql.rows on a path is work, on a server it is start in a module. */
#ifndef RB_BINDINGS_BINDING_H
#define RB_BINDINGS_BINDING_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <jansson.h>

#include "base/err.h"
#include "process/child.h" /* children are the one thing of the host that bindings may start */

enum rb_effect { RB_EFFECT_READ, RB_EFFECT_PROBE, RB_EFFECT_WRITE };

enum rb_arg_flags {
    RB_ARG_REQUIRED = 1,
    RB_ARG_POSITIONAL = 2, /* in the order of the table; the others come in one options table, last */
    RB_ARG_REST = 4,       /* all positional arguments from here on, as one list; then no options table follows */
    RB_ARG_PUBLIC = 8,     /* seen by others (argv, a name): no secret may stand in it */
};

struct rb_arg {
    const char *name;
    /* path string bytes int number bool duration size list(string) map any function connection channel secret.
     * Arrives in args already converted: duration in seconds (real), size in bytes (int), a connection or channel
     * as its configuration (docs/configuration.md). Secrets may stand in secret, bytes, list, map and any unless the
     * argument is public; they arrive as strings. */
    const char *type;
    unsigned flags;
    const char *en, *zh; /* unit and default included */
};

struct rb_call;
struct rb_work;

struct rb_verb {
    const char *name; /* "read": written shell.read in a runbook; when the first argument of all verbs of a
                       * binding is positional and called connection: sql(connection, { options }):rows(…) */
    enum rb_effect effect;
    const struct rb_arg *args; /* ends with a NULL name */
    const char *returns;       /* "{ ok, code, out, err, ms }" */
    const char *en, *zh;       /* what it does, one or two sentences */
    double timeout;            /* default deadline in seconds; 0 = 30 */
    /* A write that says by rb_call_announce (a work verb: rb_work_announce) when it comes to what cannot be taken back,
     * and does nothing before. Its args then hold "$receipt", a name for this one write, and "$look": true when all
     * that is asked is whether that receipt is there: then it answers true or false, and changes nothing. */
    bool announces;
    /* New reference or NULL with err. Runs in a worker process. args is borrowed. */
    json_t *(*work)(const json_t *args, struct rb_work *work, struct rb_err *err);
    /* Begins; 0, or an error at once. Ends by exactly one rb_call_done or rb_call_fail, never inside start. */
    int (*start)(struct rb_call *call, const json_t *args, struct rb_err *err);
    /* Asked to stop (deadline, Ctrl-C); must still end by rb_call_fail, soon. Asked again: at once. */
    void (*cancel)(struct rb_call *call);
    /* The module that does this call, or NULL: then work or start above. Looked at before them. */
    const char *(*module)(const json_t *args);
    /* A write: what it will do in one line, for the plan and the record; NULL = verb and arguments. malloc'ed. */
    char *(*preview)(const json_t *args);
};

/* A module exports one of these, under the name rb_module. */
struct rb_module_verb {
    const char *name; /* "http.get" */
    int (*start)(struct rb_call *call, const json_t *args, struct rb_err *err);
    void (*cancel)(struct rb_call *call);
};

struct rb_module {
    const char *abi;                    /* RB_MODULE_ABI of its build; another one is refused */
    const struct rb_module_verb *verbs; /* ends with a NULL name */
    /* Frees *rb_call_state of a run that is over; no call is in flight. Handles it closes asynchronously
     * on the loop; the state may be freed in the last close callback. */
    void (*close)(void *state);
};

#define RB_MODULE __attribute__((visibility("default"))) const struct rb_module rb_module

struct rb_binding {
    const char *name; /* "shell"; the Lua module */
    const char *en, *zh;
    const struct rb_verb *verbs; /* ends with a NULL name */
};

/* The one list; bindings/list.c. Ends with NULL. */
extern const struct rb_binding *const rb_bindings[];

/* For start verbs. */
void *rb_call_data(const struct rb_call *call);
void rb_call_data_set(struct rb_call *call, void *data);
uv_loop_t *rb_call_loop(const struct rb_call *call);
struct rb_spawner *rb_call_spawner(const struct rb_call *call);
/* The module's own state in this run (pools, handles); *state is NULL at first, module->close frees it. */
void **rb_call_state(const struct rb_call *call);
/* May this call only read (a check, a guard, …)? Decides the access of a child. */
bool rb_call_read_only(const struct rb_call *call);
/* Was it asked to stop because its deadline passed? Then RB_ETIMEOUT says better than the host how far it came. */
bool rb_call_timed_out(const struct rb_call *call);
/* Live output for the operator; not an outcome. stream 1 or 2. */
void rb_call_output(struct rb_call *call, int stream, const char *data, size_t len);
/* A lasting child that goes on after this call: for good, or in a drill until the drill's end. */
void rb_call_leave(struct rb_call *call, struct rb_child *child);
/* A remark for the record: "refused", "unenforced". text is copied. */
void rb_call_remark(struct rb_call *call, const char *kind, const char *text);
/* go_on is called once it is on disk (error NULL), or could not be written: then nothing may be begun, and the call
 * fails with error. Never when the call ended meanwhile. facts, for whoever must find out after a crash: pid, or
 * receipt (it is left in the same transaction) and decisive (where it is not, nothing was done). Takes facts. */
typedef void rb_announced_fn(struct rb_call *call, const struct rb_err *error);
void rb_call_announce(struct rb_call *call, json_t *facts, rb_announced_fn *go_on);
void rb_call_done(struct rb_call *call, json_t *value); /* takes value */
/* Before rb_call_fail of a write: it is known that nothing was changed, however it was cut off. */
void rb_call_undone(struct rb_call *call);
/* What the other side said of an error, as data: err.data in Lua. Before rb_call_fail; takes data. */
void rb_call_details(struct rb_call *call, json_t *data);
void rb_call_fail(struct rb_call *call, const struct rb_err *err);

/* For work verbs. */
void rb_work_progress(struct rb_work *work, int64_t done, int64_t total, const char *unit);
/* Seconds until the deadline; never negative. */
double rb_work_left(const struct rb_work *work);
/* rb_call_announce of a work verb. Takes facts. */
int rb_work_announce(struct rb_work *work, json_t *facts, struct rb_err *err);
bool rb_work_read_only(const struct rb_work *work);
/* When this run last wrote, in UTC microseconds; 0 = not yet. */
int64_t rb_work_last_write(const struct rb_work *work);
/* Files no verb may open: the journal's own. */
bool rb_work_forbidden_file(const struct rb_work *work, uint64_t dev, uint64_t ino);

#endif
