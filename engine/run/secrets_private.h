/* Private to secrets.c (what is known, and its use in a call) and secret_ways.c (where it comes from). */
#ifndef RB_RUN_SECRETS_PRIVATE_H
#define RB_RUN_SECRETS_PRIVATE_H

#include "run/secrets.h"
#include "run/state.h"

enum rb_secret_state { RB_SECRET_NEW, RB_SECRET_RUNNING, RB_SECRET_READY, RB_SECRET_FAILED };

struct rb_secret {
    struct rb_secret *next;
    struct rb_secrets *owner;
    enum rb_secret_state state;
    struct rb_err err; /* RB_SECRET_FAILED */
    struct rb_buf value;
    char name[];
};

/* The command of one secret; it may outlive the run by some milliseconds. */
struct rb_fetch {
    struct rb_secret *secret; /* NULL once the run is over */
    struct rb_fetch *next;
    struct rb_child *child;
    uv_timer_t *deadline;
    double seconds;
    bool late;
    char refused[256];
};

struct rb_secrets {
    struct rb_run *run;
    struct rb_secret *list;
    struct rb_fetch *fetches;
    struct rb_redact *redact;
};

/* secret_ways.c: from where its block says. A command leaves it RB_SECRET_RUNNING, and settles it when it ends. */
int rb_secret_find_now(struct rb_secret *s);
/* secrets.c: it is RB_SECRET_READY, its value looked for and the reading recorded, unless rc or the value says no. */
int rb_secret_settle(struct rb_secret *s, const char *from, int rc);

#endif
