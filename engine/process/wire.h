/* What travels between host, spawner and keepers: one datagram a message, over
 * SOCK_SEQPACKET pairs, descriptors beside it. Both ends are forks of one binary,
 * so the structs travel as they are. */
#ifndef RB_PROCESS_WIRE_H
#define RB_PROCESS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RB_WIRE_FDS 6
#define RB_WIRE_TEXT 512

enum rb_wire_kind {
    /* host to spawner, or to a keeper at rest; value: which of enum rb_start_fd come with it, a bit each;
     * stage: 1 for an entry that needs no keeper */
    RB_WIRE_START = 1,
    /* host to keeper */
    RB_WIRE_KILL,   /* value: grace in ms */
    RB_WIRE_LET_GO, /* a lasting command goes on alone */
    /* keeper (or spawner, for an entry) to host */
    RB_WIRE_STARTED, /* pid */
    RB_WIRE_FAILED,  /* stage, value: errno; the last word, as EXIT is */
    RB_WIRE_REFUSED, /* text */
    RB_WIRE_GRANTED, /* text */
    RB_WIRE_MORE,    /* value: how many refusals were not sent one by one */
    RB_WIRE_RUNNING, /* a lasting command is what it was meant to be */
    RB_WIRE_EXIT,    /* value: exit code or 128 + signal; stage: the signal */
    /* child to keeper, before it executes */
    RB_WIRE_LISTENER /* with the descriptor of its filter */
};

/* The descriptors of a START: an entry has no errors and no input, a lasting command no output either; a keeper
 * at rest has its ctl, and one that begins with a rest gets nothing else. A command that comes with a gate runs when a
 * byte comes through it, and never when it closes. */
enum rb_start_fd { RB_FD_CTL, RB_FD_SPEC, RB_FD_GATE, RB_FD_OUT, RB_FD_ERR, RB_FD_IN };

/* Where a start can fail. */
enum rb_stage { RB_STAGE_FORK, RB_STAGE_SETUP, RB_STAGE_CWD, RB_STAGE_LOG, RB_STAGE_READ_ONLY, RB_STAGE_EXEC };

struct rb_wire {
    int kind, value, stage;
    pid_t pid;
    bool rests; /* of the last word of a keeper: nobody is left below it, it may be given a START */
    char text[RB_WIRE_TEXT];
};

/* 0 or -errno. Never raises SIGPIPE. flags: MSG_DONTWAIT or 0. */
int rb_wire_send(int fd, const struct rb_wire *msg, const int *fds, size_t count, int flags);
/* 1, 0 at end of file, or -errno. At most RB_WIRE_FDS descriptors, CLOEXEC, count tells how
 * many; those not wanted (fds NULL) are closed. */
int rb_wire_recv(int fd, struct rb_wire *msg, int *fds, size_t *count, int flags);
/* A START with those of fds that are not -1: 0 or -errno. */
int rb_wire_start(int fd, const int fds[RB_WIRE_FDS], bool unkept);
/* What came with a START, each in its place, -1 where there is none. False when the message does not say what came. */
bool rb_wire_started(const struct rb_wire *start, const int *came, size_t count, int fds[RB_WIRE_FDS]);
/* Close each that is not -1, and make it -1. */
void rb_wire_close(int *fds, size_t count);
/* Closes every descriptor above 2 but these. */
void rb_wire_close_others(const int *keep, size_t count);

#endif
