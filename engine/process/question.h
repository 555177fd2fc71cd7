/* One question of a read-only child, and the usual answer: no, with its name in the record. */
#ifndef RB_PROCESS_QUESTION_H
#define RB_PROCESS_QUESTION_H

#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "process/refusal.h"

#define RB_PATH_SHOWN 400

struct rb_question {
    const struct rb_refusals *refusals;
    const struct seccomp_notif *notif;
    struct seccomp_notif_resp answer;
    bool quiet;    /* refused without a record */
    bool answered; /* by an injected descriptor */
    char what[RB_PATH_SHOWN + 64];
};

/* The low half of an argument: all the kernel takes of an int. */
int rb_question_int(const struct rb_question *q, unsigned arg);
/* Copies from the asking thread; returns how many bytes could be read. */
size_t rb_question_copy(const struct rb_question *q, unsigned arg, void *out, size_t len);
/* The same for a path; false when there is no NUL. Copied once, so what is judged is what is used. */
bool rb_question_path(const struct rb_question *q, unsigned arg, char out[PATH_MAX]);
/* Is it still this thread that waits, and not a later one with its number? */
bool rb_question_stands(const struct rb_question *q);

/* What the child holds as fd, for us; -1 if nothing. Works for a thread, too, whose process has
 * another number. */
int rb_question_dup(const struct rb_question *q, int fd);
/* Answers with a descriptor of ours, and closes ours. flags: O_CLOEXEC or 0. */
void rb_question_inject(struct rb_question *q, int fd, int flags);

void rb_question_refuse(struct rb_question *q, int errnum);
/* "<name of the call> <detail>" */
void rb_question_describe(struct rb_question *q, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rb_question_describe_path(struct rb_question *q, unsigned arg);
/* Refused as the table says, ENOSYS for what it does not know. */
void rb_question_refuse_listed(struct rb_question *q);

#endif
