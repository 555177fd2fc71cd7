/* The one table of options: it parses, feeds help and completes. */
#ifndef RB_CLI_OPTIONS_H
#define RB_CLI_OPTIONS_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"

enum rb_option_id {
    RB_O_DIR,
    RB_O_RUNBOOKS,
    RB_O_OUTPUT,
    RB_O_JSON,
    RB_O_LANG,
    RB_O_COLOR,
    RB_O_NO_COLOR,
    RB_O_ASCII,
    RB_O_QUIET,
    RB_O_VERBOSE,
    RB_O_DEBUG,
    RB_O_NO_INPUT,
    RB_O_HELP,
    RB_O_VERSION,
    RB_O_PARAM,
    RB_O_PARAM_FILE,
    RB_O_DRY_RUN,
    RB_O_DIAGNOSE,
    RB_O_FIX,
    RB_O_YES,
    RB_O_CONFIRM,
    RB_O_ANSWER,
    RB_O_REASON,
    RB_O_PROFILE,
    RB_O_TIMEOUT,
    RB_O_EXIT_ZERO,
    RB_O_LIMIT,
    RB_O_STATUS,
    RB_O_LAST,
    RB_O_FOLLOW,
    RB_O_RUN,
    RB_O_JOURNAL,
    RB_O_SEALS,
    RB_O_KEY,
    RB_O_ALL,
    RB_O_FORCE,
    RB_O_WITHOUT,
    RB_O_JUNIT,
    RB_O_FROM,
    RB_O_TZ,
    RB_O_TO,
    RB_O_UNTIL,
    RB_O_NUMBER,
    RB_O_DONE,
    RB_O_NOT_DONE,
    RB_O_RUNS,
    RB_O_KEEP,
    RB_O_DRAIN,
    RB_O_REPLAY,
    RB_O_FROM_RUN,
    RB_O_RESUME,
    RB_O_GRAPH,
    RB_O_TREND,
    RB_O_EMIT_META,
    RB_O_PRINT,
    RB_O_MESSAGE,
    RB_O_PLAN,
    RB_O_WAIT,
    RB_O_COUNT
};

struct rb_option {
    enum rb_option_id id;
    char letter; /* 0 = none */
    const char *name;
    const char *arg;      /* "DIR", NULL for a flag */
    const char *values;   /* "zh en": all there are; NULL = free */
    const char *commands; /* "exec lint": where it means something; NULL = everywhere */
    bool repeat;          /* printed again in commands that go on */
    enum rb_text_id help;
};

extern const struct rb_option rb_option_table[]; /* RB_O_COUNT entries, by id */

struct rb_options {
    json_t *values[RB_O_COUNT]; /* list of the texts given, "" for a flag; NULL = not given */
    char **words;               /* what is no option, in order; words[0] is the command */
    int nwords;
};

/* Options and words may be mixed; "--" ends the options. RB_EUSAGE with the likely option. */
int rb_options_parse(struct rb_options *o, int argc, char *const *argv, struct rb_err *err);
/* RB_EUSAGE when an option was given that command does not know. */
int rb_options_check(const struct rb_options *o, const char *command, struct rb_err *err);
void rb_options_deinit(struct rb_options *o);
/* The last value given, or NULL. */
const char *rb_options_get(const struct rb_options *o, enum rb_option_id id);
bool rb_options_has(const struct rb_options *o, enum rb_option_id id);
/* Does command know it? */
bool rb_option_fits(const struct rb_option *option, const char *command);
/* Is word one of the space-separated words of list? */
bool rb_option_listed(const char *list, const char *word);
/* By name without dashes, or by letter. NULL when there is none. */
const struct rb_option *rb_option_find(const char *name, size_t len);
const struct rb_option *rb_option_letter(char letter);

#endif
