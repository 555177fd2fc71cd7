/* The host's half: what spawner.c and child.c share. */
#ifndef RB_PROCESS_HOST_H
#define RB_PROCESS_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <uv.h>

#include "base/buf.h"
#include "process/child.h"
#include "process/spawner.h"
#include "process/task.h"
#include "process/wire.h"

#define RB_CHUNK_SIZE 65536

enum rb_child_state {
    RB_CHILD_WAITING, /* for descriptors, or for room in the spawner's socket */
    RB_CHILD_RUNNING,
    RB_CHILD_FAILED, /* before it ran: told from the loop */
    RB_CHILD_OVER
};

#define RB_RESTING_MAX 64 /* keepers that wait for more to do: half of what a command costs is a fork */

struct rb_spawner {
    const struct rb_entry *entries;
    size_t count;
    int control;
    pid_t pid;
    uv_loop_t *loop; /* NULL until attached */
    uv_timer_t retry;
    uv_prepare_t before_wait; /* what entries are told in one turn of the loop leaves together, before it waits */
    struct rb_child *children;
    LIST_HEAD(, rb_child) told; /* those of them that frames wait for */
    struct rb_child *foreseen;  /* one of them that nobody has asked for yet, and … */
    struct rb_buf foreseen_task;
    int resting[RB_RESTING_MAX]; /* the ctl of each */
    size_t resting_count;
    uv_timer_t dismissal; /* of those that rested long enough */
    int handles;          /* of our own, while they are open */
    char *chunk;          /* what a read brings, until its callback returns */
};

struct rb_child {
    struct rb_spawner *spawner;
    struct rb_child *prev, *next;
    LIST_ENTRY(rb_child) tell; /* without le_prev: no frames wait */
    struct rb_child_events events;
    void *user;
    enum rb_child_state state;
    char *name; /* for messages */
    bool entry, may_write, lasting, let_go, hold;
    unsigned short rows, cols; /* of its terminal, 0 = none */
    struct rb_buf task;        /* until sent */
    int64_t give_up;
    bool release; /* said before it was sent */
    pid_t pid;

    int handles; /* open; at 0 it is freed. A handle without data was never opened */
    uv_poll_t ctl;
    int ctl_fd;
    bool keeper_rests;        /* and ctl_fd is its */
    int gate;                 /* of a held command: a byte lets it go on; -1: none (left) */
    uv_pipe_t in, streams[2]; /* streams[0] of an entry is its socket */
    bool reading[2];
    uv_timer_t drain;
    bool input;            /* there is some: it waits in waiting */
    struct rb_buf frames;  /* bytes of an entry, not yet a whole frame */
    struct rb_buf waiting; /* its input, or frames for it, until it is started */

    bool ended;
    int status, signal;
    struct rb_err err;
};

/* Ours, -1 where there is none. */
struct rb_child_ends {
    int ctl, gate, streams[2], in;
};

/* The child that was started for this very task before somebody asked for it, or NULL. It has an owner to get. */
struct rb_child *rb_child_foreseen(struct rb_spawner *sp, const struct rb_buf *task);
/* Calls rb_child_retry_all from the loop, once, after delay_ms. */
void rb_spawner_poke(struct rb_spawner *sp, unsigned delay_ms);
/* Its keeper waits for the next command from now on, or has enough company and goes. Takes ctl. */
void rb_spawner_rest(struct rb_spawner *sp, int ctl);
/* Waiting children are tried again, failed ones told. */
void rb_child_retry_all(struct rb_spawner *sp);

/* Makes the descriptors and sends theirs to a keeper at rest, else to the spawner. 0, -EAGAIN when there is no room
 * now, or another -errno. */
int rb_child_launch(struct rb_child *child, struct rb_child_ends *ours);
/* Takes the ends over, also when it fails (RB_EIO and the like). */
int rb_child_io_open(struct rb_child *child, struct rb_child_ends *ours);
/* What is in waiting goes to the child; a command's input ends with it. */
int rb_child_io_flush(struct rb_child *child);
void rb_child_io_close(struct rb_child *child);

/* From the io half: one of its streams ended; its keeper said something, or left. */
void rb_child_on_stream_end(struct rb_child *child);
void rb_child_on_told(struct rb_child *child, const struct rb_wire *msg);
void rb_child_on_keeper_gone(struct rb_child *child);
void rb_child_on_bad_frame(struct rb_child *child, const struct rb_err *err);
/* The last handle is closed. */
void rb_child_free(struct rb_child *child);

#endif
