/* Which journal a command works on: the usual one, or where that cannot be written the one in the folder
 * $RUNBOOK_RECORD, on another disk. Each is opened with the other beside it, to read: a run is in one of the two, and
 * goes on there. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "cli/cli.h"
#include "journal/journal.h"

#define PLACE_MAX (PATH_MAX + 16)

/* $RUNBOOK_SEALS: where seals go too, separated by colons; absolute paths, or "syslog". */
static void add_sinks(struct rb_journal *journal)
{
    const char *list = getenv("RUNBOOK_SEALS");
    char one[PATH_MAX];
    for (const char *at = list ? list : ""; *at; at += strcspn(at, ":"), at += *at == ':') {
        size_t len = strcspn(at, ":");
        if (len > 0 && len < sizeof one) {
            snprintf(one, sizeof one, "%.*s", (int)len, at);
            rb_journal_sink_add(journal, one);
        }
    }
}

static int find_usual(const struct rb_cli *c, char out[PLACE_MAX], struct rb_err *err)
{
    const char *given = rb_options_get(&c->options, RB_O_JOURNAL);
    out[0] = '\0';
    if (given != NULL) {
        snprintf(out, PLACE_MAX, "%s", given);
        return 0;
    }
    return rb_journal_default_path(out, PLACE_MAX, err);
}

static bool same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void name_second(const struct rb_cli *c, char out[PLACE_MAX])
{
    snprintf(out, PLACE_MAX, "%s/journal.db", c->record);
}

/* "" when there is none, or when it is the usual one. */
static int find_second(struct rb_cli *c, const char *usual, char out[PLACE_MAX], struct rb_err *err)
{
    const char *folder = getenv("RUNBOOK_RECORD");
    out[0] = '\0';
    if (folder == NULL || folder[0] == '\0') {
        return 0;
    }
    if (folder[0] != '/' || strlen(folder) >= PATH_MAX) {
        rb_err_set(err, RB_EUSAGE, RB_T_cli_record_bad, folder);
        rb_err_hint(err, RB_T_cli_record_bad_hint);
        return RB_EUSAGE;
    }
    c->record = folder;
    name_second(c, out);
    if (same_file(usual, out)) {
        out[0] = '\0';
    }
    return 0;
}

/* A disk that is not mounted: nothing is made in the folder below it. */
static int check_folder(const struct rb_cli *c, struct rb_err *err)
{
    struct stat st;
    bool there = stat(c->record, &st) == 0 && S_ISDIR(st.st_mode);
    return there ? 0 : rb_err_set(err, RB_EJOURNAL, RB_T_cli_record_no_folder, c->record);
}

/* A journal that is not there yet hides nothing; a folder that is not there may. */
static void look_beside(struct rb_cli *c, const char *path)
{
    struct rb_journal *other = NULL;
    struct rb_err why = {0};
    int rc = check_folder(c, &why);
    rc = rc != 0 ? rc : rb_journal_open_reader(&other, path, &why);
    rb_journal_beside_set(c->journal, other, rc == 0 || rc == RB_ENOT_FOUND ? NULL : why.text);
}

/* Both are named: one alone explains nothing to whoever set up the other for this very day. */
static int neither(const struct rb_err *second, struct rb_err *err)
{
    struct rb_err usual = *err;
    return rb_err_set(err, usual.code, RB_T_cli_record_neither, usual.text, second->text);
}

static int open_usual(struct rb_cli *c, const char *path, bool second, struct rb_err *err)
{
    int rc = rb_journal_open(&c->journal, path, err);
    if (rc == 0 && second && (rc = rb_journal_try(c->journal, err)) != 0) {
        rb_journal_close(c->journal);
        c->journal = NULL;
    }
    if (rc == 0) {
        add_sinks(c->journal);
    }
    return rc;
}

/* rc, err: why the usual one has no path, when it has none. */
static int open_writer(struct rb_cli *c, const char *usual, const char *second, int rc, struct rb_err *err)
{
    struct rb_err why = {0};
    rc = rc != 0 ? rc : open_usual(c, usual, second[0] != '\0', err);
    if (second[0] == '\0') {
        return rc;
    }
    bool instead = rc != 0;
    if (instead && (check_folder(c, &why) != 0 || rb_journal_open(&c->journal, second, &why) != 0)) {
        return neither(&why, err);
    }
    if (!instead || usual[0] != '\0') {
        look_beside(c, instead ? usual : second);
    }
    c->instead = instead ? rb_word(c, err->text) : NULL;
    return 0;
}

static int open_reader(struct rb_cli *c, const char *usual, const char *second, int rc, struct rb_err *err)
{
    struct rb_err ignored = {0};
    rc = rc != 0 ? rc : rb_journal_open_reader(&c->journal, usual, err);
    if (rc == 0 && second[0] != '\0') {
        look_beside(c, second);
    } else if (rc != 0 && second[0] != '\0' && rb_journal_open_reader(&c->journal, second, &ignored) == 0) {
        if (rc != RB_ENOT_FOUND) {
            rb_put(c, RB_ERR, RB_WARN, TX(record_only_second), rb_word(c, err->text), rb_word(c, second));
            rb_put(c, RB_ERR, RB_PLAIN, "\n");
        }
        rc = 0;
    }
    return rc == RB_ENOT_FOUND && !rb_options_has(&c->options, RB_O_JOURNAL) ? 0 : rc;
}

int rb_cli_journal(struct rb_cli *c, bool write, struct rb_err *err)
{
    char usual[PLACE_MAX], second[PLACE_MAX];
    if (c->journal != NULL) {
        return 0;
    }
    int rc = find_usual(c, usual, err);
    struct rb_err wrong = {0};
    if (find_second(c, usual, second, &wrong) != 0) {
        *err = wrong;
        return wrong.code;
    }
    return write ? open_writer(c, usual, second, rc, err) : open_reader(c, usual, second, rc, err);
}

int rb_cli_journal_of(struct rb_cli *c, const char *run, struct rb_err *err)
{
    char here[PLACE_MAX], there[PLACE_MAX], second[PLACE_MAX];
    struct rb_journal *other = rb_journal_beside(c->journal);
    if (other == NULL || rb_journal_has(c->journal, run) || !rb_journal_has(other, run)) {
        return 0;
    }
    snprintf(here, sizeof here, "%s", rb_journal_path(c->journal));
    snprintf(there, sizeof there, "%s", rb_journal_path(other));
    rb_journal_close(c->journal);
    c->journal = NULL;
    c->instead = NULL;
    int rc = rb_journal_open(&c->journal, there, err);
    if (rc == 0) {
        look_beside(c, here);
    }
    name_second(c, second);
    if (rc == 0 && !same_file(there, second)) {
        add_sinks(c->journal);
    }
    return rc;
}

void rb_cli_journal_tell(struct rb_cli *c)
{
    if (c->instead != NULL) {
        rb_put(c, RB_ERR, RB_WARN, TX(record_instead), c->instead, rb_word(c, rb_journal_path(c->journal)));
        rb_put(c, RB_ERR, RB_PLAIN, "\n");
    }
}
