/* runbook report: what happened in a run, for the ticket (Markdown), for people (one HTML page) or for programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "journal/journal.h"
#include "report/report.h"

#define REPORT_MAX (64u << 20)

static int as_json(const json_t *story, struct rb_buf *out)
{
    char *text = json_dumps(story, JSON_INDENT(2) | JSON_SORT_KEYS);
    int rc = text != NULL ? rb_buf_addf(out, "%s\n", text) : RB_EINTERNAL;
    free(text);
    return rc;
}

static const struct {
    enum rb_format format;
    const char *suffix;
    int (*print)(const json_t *story, struct rb_buf *out);
} prints[] = {{RB_FORMAT_MD, ".md", rb_story_markdown},
              {RB_FORMAT_HTML, ".html", rb_story_html},
              {RB_FORMAT_JSON, ".json", as_json}};

/* As asked for with -o; else as the file is named; else Markdown. */
static size_t print_of(const struct rb_cli *c, const char *path)
{
    const char *dot = path != NULL ? strrchr(path, '.') : NULL;
    for (size_t i = 0; i < sizeof prints / sizeof *prints; i++) {
        if (c->format == prints[i].format ||
            (c->format == RB_FORMAT_TEXT && dot != NULL && strcmp(dot, prints[i].suffix) == 0)) {
            return i;
        }
    }
    return 0;
}

/* For its owner alone, as the journal is. */
static int put_file(const char *path, const struct rb_buf *text, struct rb_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (size_t at = 0; ok && at < text->len;) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        ok = n > 0 || (n < 0 && errno == EINTR);
        at += n > 0 ? (size_t)n : 0;
    }
    ok = ok && fsync(fd) == 0;
    int errnum = errno;
    if (fd >= 0) {
        close(fd);
    }
    return ok ? 0 : rb_err_errno(err, errnum, "%s", path);
}

static int put(struct rb_cli *c, const json_t *story, struct rb_err *err)
{
    const char *path = rb_options_get(&c->options, RB_O_TO);
    size_t way = print_of(c, path);
    struct rb_buf text;
    rb_buf_init(&text, REPORT_MAX);
    int rc = prints[way].print(story, &text);
    if (rc != 0) {
        rb_err_set(err, rc, RB_T_cli_report_large);
    } else if (path != NULL && strcmp(path, "-") != 0) {
        rc = put_file(path, &text, err);
    } else if (way == 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s", rb_buf_str(&text));
    } else {
        rb_put_raw(c, rb_buf_str(&text));
    }
    rb_buf_deinit(&text);
    return rc;
}

int rb_cmd_report(struct rb_cli *c)
{
    struct rb_err err = {0};
    int rc = c->nargs == 1 ? rb_cli_journal(c, false, &err) : rb_err_set(&err, RB_EUSAGE, RB_T_cli_report_what);
    if (rc == 0 && c->journal == NULL) {
        rc = rb_err_set(&err, RB_ENOT_FOUND, RB_T_cli_no_run, c->args[0]);
    }
    json_t *story = rc == 0 ? rb_story_read(c->journal, c->args[0], &err) : NULL;
    rc = rc == 0 && story == NULL ? err.code : rc;
    rc = rc == 0 ? put(c, story, &err) : rc;
    json_decref(story);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}
