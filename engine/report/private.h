/* Between story, document and the two prints. Nobody else includes it. */
#ifndef RB_REPORT_PRIVATE_H
#define RB_REPORT_PRIVATE_H

#include <stdint.h>

#include "report/report.h"

/* facts.c: what follows from the whole: what was not done, what nobody knows, how the times come out. */
void story_finish(json_t *story);

/* later.c: {later: [{run, how: undo plan, at, result}]} into the story. */
int story_later(json_t *story, struct rb_journal *journal, struct rb_err *err);

/* "fixed" -> "已修复" */
const char *report_result(const char *result);
/* What an entry says, in one line, and what belongs below it (lines, "" when nothing). Appended to out. */
void report_sentence(const json_t *entry, struct rb_buf *out);
void report_detail(const json_t *entry, struct rb_buf *out);
/* "2.5 s"; "-" when there is no such time. */
void report_duration(const json_t *ms, char *out, size_t size);
/* {a: 1, b: "x"} as "a=1 b=x", keys in order. */
void report_fields(const json_t *object, struct rb_buf *out);

/* document.c: {title, result, tone, facts: [[label, value]…], sections: [{title, text?, columns?, rows?, drawing?}]}. A
 * cell is a text, or {text, below, tone, code}; all of it is foreign to whoever prints. New reference. */
json_t *report_document(const json_t *story);

/* drawing.c: the timeline as one SVG element. */
void report_drawing(const json_t *story, struct rb_buf *out);
/* html.c: foreign text as HTML text or attribute value. */
void report_escape(struct rb_buf *out, const char *text);

#endif
