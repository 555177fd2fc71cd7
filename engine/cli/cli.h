/* What the commands share: the parsed line, the two streams, the engine's parts on demand.
 * Nothing reaches a terminal but through rb_put, which cleans every byte it is given. */
#ifndef RB_CLI_CLI_H
#define RB_CLI_CLI_H

#include <stdbool.h>

#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "cli/options.h"
#include "cli/wrap.h"

struct rb_catalog;
struct rb_engine;
struct rb_journal;
struct rb_spawner;
struct rb_turn;

enum rb_sink { RB_OUT, RB_ERR }; /* results / the rest */
/* RB_COMMAND is a line to be copied: it is never broken into two. */
enum rb_style { RB_PLAIN, RB_BOLD, RB_DIM, RB_GOOD, RB_BAD, RB_WARN, RB_COMMAND };
enum rb_format {
    RB_FORMAT_TEXT,
    RB_FORMAT_JSON,
    RB_FORMAT_JSONL,
    RB_FORMAT_MD,
    RB_FORMAT_JUNIT,
    RB_FORMAT_TAP,
    RB_FORMAT_HTML,
    RB_FORMAT_MERMAID
};

struct rb_cli {
    const char *program; /* how to call us again: "runbook" or an absolute path */
    struct rb_spawner *spawner;
    struct rb_options options;
    char *const *args; /* after the command */
    int nargs;
    enum rb_format format;
    bool color[2]; /* by sink */
    bool tty[2];
    struct rb_wrap line[2]; /* where each stands */
    bool redraws;           /* stderr is a terminal that can rewrite a line … */
    bool status_on;         /* … and one stands there now */
    bool ascii, quiet, verbose, debug, no_input;
    uv_loop_t loop;
    bool loop_open;
    struct rb_turn *turn; /* of the loop's runs */
    struct rb_catalog *catalog;
    struct rb_journal *journal;
    const char *record;  /* the folder of the second journal (record.c), NULL = none */
    bool listed, again;  /* guide: the runbook was chosen from a list; it is to be chosen again */
    const char *instead; /* why the second one is written and not the usual one; NULL = it is not */
    json_t *config;      /* of rb_config_load; NULL until asked for */
    int lost;            /* errno of the first failed write of results */
    json_t *pool;        /* words kept until the command ends */
};

struct rb_command {
    const char *name, *alias; /* alias may be NULL */
    bool hidden;
    enum rb_text_id summary;
    const char *usage;    /* after "runbook NAME" */
    enum rb_text_id help; /* details and examples; RB_T_none when there are none */
    int (*run)(struct rb_cli *c);
};

extern const struct rb_command rb_commands[]; /* ends with a NULL name */
const struct rb_command *rb_command_find(const char *name);

/* The whole program but the spawner's fork. Returns the exit code. */
int rb_cli_main(int argc, char **argv, struct rb_spawner *sp);

/* cli.c: the engine's parts, opened at first use. 0 or an error. */
int rb_cli_loop(struct rb_cli *c, struct rb_err *err);
/* What runs need of this process, as far as it is open. */
struct rb_engine rb_cli_engine(struct rb_cli *c);
/* The same catalogue on a folder of its own, with the verbs known; the caller closes it. */
int rb_cli_catalog_at(struct rb_catalog **out, const char *folder, struct rb_err *err);
int rb_cli_catalog(struct rb_cli *c, struct rb_err *err);
/* Declared anew, for what decides or judges. */
int rb_cli_catalog_load(struct rb_cli *c, const json_t **loaded, struct rb_err *err);
/* To be shown only: what is known of files that have not changed (rb_catalog_list). _to_show: without the list yet. */
int rb_cli_catalog_list(struct rb_cli *c, const json_t **listed, struct rb_err *err);
int rb_cli_catalog_to_show(struct rb_cli *c, struct rb_err *err);
/* The operator's configuration, borrowed; RB_ELOAD when it does not load. */
int rb_cli_config(struct rb_cli *c, const json_t **config, struct rb_err *err);
/* Prints an error and what to do about it; returns the exit code for it. */
int rb_cli_fail(struct rb_cli *c, const struct rb_err *err);
/* The exit code of design.md 5 for an error before a run. */
int rb_cli_exit(int code);
/* [program, global flags…]: what every printed command starts with. New reference. */
json_t *rb_cli_repeat(const struct rb_cli *c);

/* record.c. write: create it when missing, for runs. Else a missing journal gives 0 and c->journal NULL. */
int rb_cli_journal(struct rb_cli *c, bool write, struct rb_err *err);
/* From here on c->journal is the one that has this run, to be written: what is about a run is recorded where the run
 * is. */
int rb_cli_journal_of(struct rb_cli *c, const char *run, struct rb_err *err);
/* Says that the second one has the record, if so. */
void rb_cli_journal_tell(struct rb_cli *c);

/* term.c: every byte is cleaned; newlines stay, colours are ours. On a terminal, lines that are too wide go on below.
 */
void rb_put(struct rb_cli *c, enum rb_sink sink, enum rb_style style, const char *fmt, ...) RB_PRINTF(4, 5);
/* How wide the terminal is now; 0: not a terminal, nothing is wrapped. */
int rb_columns(const struct rb_cli *c, enum rb_sink sink);
/* The person ended the line of a prompt. */
void rb_put_entered(struct rb_cli *c);
/* One line of foreign text: newlines made visible too. Valid until the command ends. */
const char *rb_word(struct rb_cli *c, const char *text);
/* Words made after mark end here: for what goes on for hours. */
size_t rb_word_mark(const struct rb_cli *c);
void rb_word_release(struct rb_cli *c, size_t mark);
/* rb_word of a text in both languages. */
const char *rb_word_text(struct rb_cli *c, const json_t *text);
/* Is there nothing to print in this text? NULL counts. */
bool rb_word_is_empty(const json_t *text);
/* A text of several lines, each indented. */
void rb_put_block(struct rb_cli *c, enum rb_sink sink, int indent, const json_t *text);
/* One JSON value in one line of at most max bytes: lists joined, objects as k=v. */
const char *rb_word_json(struct rb_cli *c, const json_t *value, size_t max);
/* text padded to width columns. */
const char *rb_word_pad(struct rb_cli *c, const char *text, int width);
/* "3ms", "14.0s". */
const char *rb_word_ms(struct rb_cli *c, json_int_t ms);
/* A command line that a shell reads back as the same words. */
const char *rb_word_argv(struct rb_cli *c, const json_t *argv);
/* "2026-03-08 05:30:00" in the local time zone from RFC 3339 or microseconds. */
const char *rb_word_time(struct rb_cli *c, int64_t utc_us);
const char *rb_word_ago(struct rb_cli *c, const char *rfc3339);
/* A mark that says it without colour: ✓ ✗ ! or [ok] [x] [!]. */
void rb_put_mark(struct rb_cli *c, enum rb_sink sink, enum rb_style style);
/* The one object of -o json. Takes value. */
void rb_put_json(struct rb_cli *c, json_t *value);
/* One line of JSON, escape sequences and all as \uNNNN. */
void rb_put_jsonl(struct rb_cli *c, const json_t *value);
/* Raw text of our own (completion scripts). */
void rb_put_raw(struct rb_cli *c, const char *text);
/* Removes the redrawn line on stderr, if one stands. */
void rb_status(struct rb_cli *c, const char *text);
/* Flushes; an error code when results were lost (disk full; a closed pipe is no error). */
int rb_term_finish(struct rb_cli *c);

/* table.c: columns aligned by display width. rows: [[cell…]…]. */
void rb_put_table(struct rb_cli *c, enum rb_sink sink, const json_t *rows, int indent);
/* A result with headings, [[word…]]. gives: the column that is shortened first in a narrow terminal; 0 = none. */
void rb_put_listing(struct rb_cli *c, const json_t *headings, const json_t *rows, size_t gives);
/* Appends one row; cells end with NULL. */
void rb_row(json_t *rows, ...);

#define TX(name) rb_text(RB_T_cli_##name)
#define TX_TRUST(name) rb_text(RB_T_trust_##name)
#define TX_CONFIG(name) rb_text(RB_T_config_##name)

#endif
