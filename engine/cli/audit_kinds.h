#ifndef RB_CLI_AUDIT_KINDS_H
#define RB_CLI_AUDIT_KINDS_H

#include "base/buf.h"
#include "cli/commands.h"

struct rb_audit_kind {
    const char *name; /* with a point at its end it stands for all that begin so */
    bool (*of_interest)(const json_t *body);
    void (*say)(struct rb_cli *c, const json_t *body, struct rb_buf *out);
};

/* Never NULL. */
const struct rb_audit_kind *rb_audit_kind(const char *name);

#endif
