/* For editors and luacheck: what a runbook may write, from the same tables that judge it. */
#ifndef RB_CLI_META_H
#define RB_CLI_META_H

#include "base/buf.h"
#include "cli/commands.h"

/* Writes DIR/.luarc.json (unless there is one), DIR/.runbook/meta (three files) and DIR/.luacheckrc (unless there is
 * one). */
int rb_meta_emit(struct rb_cli *c, const char *folder, struct rb_err *err);
/* The texts of the files, for tests and `__docs`. */
void rb_meta_blocks(struct rb_buf *out);
void rb_meta_verbs(struct rb_buf *out);
void rb_meta_helpers(struct rb_buf *out);
/* Every name a runbook can use besides Lua's own, in order: ["advise", …]. New reference. */
json_t *rb_meta_names(void);

#endif
