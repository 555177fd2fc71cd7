/* The block language as one table: it validates, documents, and feeds `help`.
 * Pure data and pure functions over JSON; used by run/, catalog/ and cli/. */
#ifndef RB_RUNNER_LANGUAGE_H
#define RB_RUNNER_LANGUAGE_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"

enum rb_field_flags { RB_FIELD_REQUIRED = 1 };

/* The kinds of files a block may stand in. */
enum rb_place { RB_IN_RUNBOOK = 1, RB_IN_DRILLS = 2, RB_IN_PROFILES = 4, RB_IN_CONFIG = 8 };

struct rb_field {
    const char *name;
    /* text string words(string or list) finding(s) duration size bool int any function
     * texts questions map severity risk secret account headers enum:a|b|c */
    const char *type;
    unsigned flags;
    const char *en, *zh; /* meaning, unit, default */
};

struct rb_block {
    const char *name;
    bool named;                    /* check "id" { } */
    const struct rb_field *fields; /* ends with a NULL name */
    const char *en, *zh;
    const char *example;
    unsigned places; /* enum rb_place */
};

extern const struct rb_block rb_blocks[]; /* ends with a NULL name */
const struct rb_block *rb_block_find(const char *name);
const struct rb_field *rb_field_find(const struct rb_block *block, const char *name);

/* What the runner declares after it executed a file (engine/README.md, "declare").
 * source: {path: text} of the files, to find the line of a field.
 * Returns a list of problems [{file, line, level: "error"|"warning", text, hint}] in file
 * order; empty when all is well. New reference. */
json_t *rb_language_check(const json_t *declared, const json_t *sources);
/* The declared blocks grouped and completed with defaults: the one shape everything else reads:
 * {id, alias:[], title, severity, kind, status, source, codes:[], alerts:[], symptoms:[], tags:[], target, …,
 *  params:{order:[names], name:{type,…}}, findings:[…], checks:[…], prevents:[…], fixes:[…], steps:[…], schedules:[…],
 * drills:[…], tests:[…]} each block with id, line, file and its fields; functions stay {"$fn": line}. New reference. */
json_t *rb_language_meta(const char *id, const json_t *declared);

/* The operator's configuration, declared like a runbook: the same kind of list of problems. New reference. */
json_t *rb_config_check(const json_t *declared, const json_t *sources);
/* The configuration as {block: {name: fields}} for all blocks but profile, the later file over the earlier;
 * "profiles": the declared profile blocks, to be laid over a runbook's own. New reference. */
json_t *rb_config_meta(const json_t *declared);
/* Where a loaded configuration keeps the value of a secret { env }. */
#define RB_CONFIG_VALUE "$value"
/* Is this entry of config.profiles one of the runbook's system: profile "mall", or "mall/second"? */
bool rb_config_profile_is_of(const json_t *profile, const char *id);
/* Adds the profile blocks that concern the runbook's system to what it declared, so that they are judged and
 * count like those of its profiles/ file, and more than them. */
void rb_config_lay_over(json_t *declared, const json_t *config, const char *id);
/* The profiles of the configuration that are laid over those of the runbook id, as in its meta. New reference. */
json_t *rb_config_profiles(const json_t *config, const char *id);

/* Converts one parameter given as text ("30s", "a,b", "true") or JSON to its declared type.
 * New reference, or NULL with the parameter's own words in err. */
json_t *rb_param_convert(const char *name, const json_t *param, const json_t *given, struct rb_err *err);
/* All values of a runbook: given > profile > default; {name} in a default is another parameter.
 * given: {name: text or JSON}. New reference {name: value} or NULL. */
json_t *rb_params_resolve(const json_t *meta, const json_t *given, struct rb_err *err);
/* What they are when nothing is given, as they are written, and who says so: {name: {value?, from: "default" |
 * "profile" | "config", profile, text?: with the {names} that value stands for, uses?: {name: from}}}. config may be
 * NULL. New reference. */
json_t *rb_params_shown(const json_t *meta, const json_t *config);

#endif
