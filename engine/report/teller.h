/* What the parts of a story share: who tells it, and the ways to add to it. */
#ifndef RB_REPORT_TELLER_H
#define RB_REPORT_TELLER_H

#include "report/private.h"

struct teller {
    json_t *story;
    json_t *open; /* {row: bar that has begun} */
    int64_t first_us, now_us;
    json_int_t events;
};

json_int_t story_since_start(const struct teller *t); /* ms */
json_t *story_list_of(const struct teller *t, const char *name);
void story_meet(const struct teller *t, const json_t *person);
/* The members that a reader of an entry may want. */
void story_take(json_t *to, const json_t *from);
/* A new entry of the timeline; borrowed. */
json_t *story_say(struct teller *t, const struct rb_event *e, const char *what, const json_t *body);
void story_decide(struct teller *t, json_t *entry);

/* Bars of the drawing; a row is named by row_of. */
void story_bar_begin(struct teller *t, const char *kind, const char *row);
void story_bar_end(struct teller *t, const char *row, const json_t *result);
const char *story_row_of(const json_t *body, char *row, size_t size);

/* story_calls.c: one kind of event each. */
void story_call_intent(struct teller *t, const struct rb_event *e, const json_t *body);
void story_call_began(struct teller *t, const struct rb_event *e, const json_t *body);
void story_call_outcome(struct teller *t, const struct rb_event *e, const json_t *body);
void story_call_resolved(struct teller *t, const struct rb_event *e, const json_t *body);

#endif
