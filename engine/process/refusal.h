/* The keeper's half of a read-only child: answers what the filter asks. */
#ifndef RB_PROCESS_REFUSAL_H
#define RB_PROCESS_REFUSAL_H

#include <stdbool.h>
#include <sys/types.h>

#define RB_REFUSALS_MAX 64 /* told one by one, per child */

struct rb_refusals {
    int listener; /* -1: none (yet) */
    pid_t root;   /* the keeper: what is below it is the child's own */
    bool net;
    char *const *sockets; /* UNIX sockets that may be connected to; NULL-terminated */
    int told, more;
    void (*tell)(void *user, const char *what);    /* "unlink /tmp/x" */
    void (*granted)(void *user, const char *what); /* "/run/systemd/private" */
    void *user;
};

/* Answers one question. False when nobody is left who could ask. */
bool rb_refusals_answer(struct rb_refusals *r);

#endif
