/* The report of a run, read from its events: who did what on which evidence, what was changed, what was not done, how
 * long it took. First a story (plain data, schema runbook.report/1), then a document in the language set, then its
 * print. */
#ifndef RB_REPORT_REPORT_H
#define RB_REPORT_REPORT_H

#include <jansson.h>

#include "base/buf.h"
#include "journal/journal.h"

/* The story of the run whose id begins with prefix. New reference; NULL with RB_ENOT_FOUND or RB_EUSAGE.
 *
 *   {schema, run, runbook, title, severity, mode, target, params, reason, result, exit, error, started, ended, ms,
 *    diagnosed_ms, repaired_ms, waited_ms, people: […], timeline: [{at, ms, t, who, …}], findings: […], decisions: […],
 *    effects: […], reads: […], not_done: [{what, why, …}], unknown: […], bars: [{row, kind, from, to}],
 *    later: [{run, how: undo plan, at, result}], record: {events, last: {id, hash}}}
 *
 * Times of entries are milliseconds since the start. Values are as recorded: secrets never were. */
json_t *rb_story_read(struct rb_journal *journal, const char *prefix, struct rb_err *err);

/* The text PREFIX_WORD in the language set ("report_a", "no"), or word itself when there is none (foreign then). */
const char *rb_report_word(const char *prefix, const char *word);

/* Appended to out; RB_ETOO_LARGE. The page needs nothing from elsewhere and runs under its own content policy. */
int rb_story_markdown(const json_t *story, struct rb_buf *out);
int rb_story_html(const json_t *story, struct rb_buf *out);

#endif
