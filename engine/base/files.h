/* Our own files: where they are and how they are read and written. */
#ifndef RB_BASE_FILES_H
#define RB_BASE_FILES_H

#include <limits.h>

#include "base/buf.h"

/* Whole file. Symbolic links are followed; the file that was opened is checked:
 * regular, at most max bytes, and with private set: owned by us or root and not writable by others. */
int rb_files_read(const char *path, size_t max, int private_only, struct rb_buf *out, struct rb_err *err);
/* The directory for state (journal): $RUNBOOK_STATE, else $XDG_STATE_HOME/runbook, else
 * ~/.local/state/runbook; for a system user (no home) /var/lib/runbook. Created 0700. */
int rb_files_state_dir(char out[PATH_MAX], struct rb_err *err);
int rb_files_cache_dir(char out[PATH_MAX], struct rb_err *err);
int rb_files_config_dir(char out[PATH_MAX], struct rb_err *err); /* not created */
/* mkdir -p with mode for the folders that are missing. */
int rb_files_mkdirs(const char *path, int mode, struct rb_err *err);

#endif
