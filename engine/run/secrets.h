/* The secrets of a run. Each is found when a call first needs it, kept in the host's memory only, and
 * put into the private copy of that call's arguments. */
#ifndef RB_RUN_SECRETS_H
#define RB_RUN_SECRETS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"
#include "base/redact.h"

struct rb_run;
struct rb_secrets;

#define RB_SECRET_MAX 65536 /* bytes */
#define RB_SECRET_SHOWN "‹secret %s›"
#define RB_SECRET_GIVEN "param:" /* begins the name of one that was given by its value */

struct rb_secrets *rb_secrets_new(struct rb_run *run);
void rb_secrets_free(struct rb_secrets *secrets);
/* A secret given by value (--param-file, a drill's lab). */
void rb_secrets_give(struct rb_secrets *secrets, const char *name, const char *value);
/* Is there a secret of that name? RB_EUSAGE with what was meant. */
int rb_secrets_known(const struct rb_secrets *secrets, const char *name, struct rb_err *err);

enum { RB_SECRETS_WAIT = 1 };
/* Finds all that args name: 0 when they are there, RB_SECRETS_WAIT while a command runs
 * (rb_dispatch_secret_ended follows), or an error. */
int rb_secrets_find(struct rb_secrets *secrets, const json_t *args, struct rb_err *err);
/* args with the values in place of the names; with secrets NULL, with words for people. New reference. */
json_t *rb_secrets_put(const struct rb_secrets *secrets, const json_t *args);
/* Every secret found so far taken out of what goes on to Lua, the record and people. Takes value. */
json_t *rb_secrets_clean(const struct rb_secrets *secrets, json_t *value);
void rb_secrets_clean_err(const struct rb_secrets *secrets, struct rb_err *err);
/* For live output; NULL while there is nothing to look for. */
struct rb_redact_stream *rb_secrets_stream(const struct rb_secrets *secrets);
/* The name in {"$secret": "name"}, else NULL. */
const char *rb_secret_token(const json_t *value);
/* Does value hold one anywhere? The first name, or NULL. */
const char *rb_secret_within(const json_t *value);

#endif
