/* Worker processes: where blocking verbs run. A read worker is started where the
 * kernel refuses writes; either can be killed at a deadline without harm to the host. */
#ifndef RB_RUN_WORKER_H
#define RB_RUN_WORKER_H

#include <jansson.h>

struct rb_call;
struct rb_run;
struct rb_workers;

/* The entry "worker" of the spawner: serves calls from fd until it is closed. */
int rb_worker_main(int fd);

/* The host's side: a few workers a run, started when first needed, one call each at a time. */
struct rb_workers *rb_workers_new(struct rb_run *run);
/* Ends them all. The struct goes when the last one has ended. */
void rb_workers_free(struct rb_workers *workers);
/* Queues the call; it ends by rb_call_done or rb_call_fail. */
void rb_workers_submit(struct rb_workers *workers, struct rb_call *call);
/* Kills the worker that has the call, or takes it out of the queue, without ending the call. */
void rb_workers_cancel(struct rb_workers *workers, struct rb_call *call);

#endif
