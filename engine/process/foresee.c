/* What is started before it is asked for: the rest of the host gets ready beside it, and not before it. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "process/host.h"

static void on_gone(struct rb_child *child, int status, bool orphaned, const struct rb_err *err, void *user)
{
    (void)child;
    (void)status;
    (void)orphaned;
    (void)err;
    struct rb_spawner *sp = user;
    sp->foreseen = NULL;
    rb_buf_deinit(&sp->foreseen_task);
}

/* The first command, or the first child that only reads, finds its keeper at rest. */
static void foresee_keeper(struct rb_spawner *sp)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return;
    }
    int theirs[RB_WIRE_FDS] = {[RB_FD_CTL] = pair[1], [RB_FD_SPEC] = -1, [RB_FD_GATE] = -1,
                               [RB_FD_OUT] = -1,      [RB_FD_ERR] = -1,  [RB_FD_IN] = -1};
    if (rb_wire_start(sp->control, theirs, false) == 0) {
        rb_spawner_rest(sp, pair[0]);
        pair[0] = -1;
    }
    rb_wire_close(pair, 2);
}

void rb_spawner_foresee(struct rb_spawner *sp, const char *entry)
{
    static const struct rb_child_events events = {.exit = on_gone};
    const struct rb_child_spec spec = {.entry = entry, .access = RB_CHILD_WRITE};
    struct rb_err err = {0};
    if (sp->foreseen || rb_task_encode(&spec, sp->entries, sp->count, &sp->foreseen_task, &err) != 0) {
        return; /* what is wrong is said to whoever asks for it */
    }
    sp->foreseen = rb_child_start(sp, &spec, &events, sp, &err);
    if (!sp->foreseen) {
        rb_buf_deinit(&sp->foreseen_task);
    }
    foresee_keeper(sp);
}

struct rb_child *rb_child_foreseen(struct rb_spawner *sp, const struct rb_buf *task)
{
    struct rb_child *child = sp->foreseen;
    const struct rb_buf *known = &sp->foreseen_task;
    if (!child || known->len != task->len || memcmp(known->data, task->data, task->len) != 0) {
        return NULL;
    }
    sp->foreseen = NULL;
    rb_buf_deinit(&sp->foreseen_task);
    return child;
}
