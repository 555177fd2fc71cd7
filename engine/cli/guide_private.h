/* Private to guide.c and guide_keys.c: one question at a time. */
#ifndef RB_CLI_GUIDE_PRIVATE_H
#define RB_CLI_GUIDE_PRIVATE_H

#include "cli/guide.h"

#define OPTIONS_MAX 32

enum kind { ON_BEGIN = 1, ON_CHECK = 2, ON_SEEN = 4, ON_CHOOSE = 8, ON_CONFIRM = 16, ON_HAND = 32 };

struct option {
    char key[16];
    const char *label;
};

struct rb_guide {
    struct rb_exec *e;
    enum kind kind;
    struct option options[OPTIONS_MAX];
    int count;
    int64_t started_us;                          /* of the run, also across a break */
    double within;                               /* seconds somebody has to decide in; 0 = none */
    json_t *meta, *params, *passed_over, *fresh; /* fresh: findings of the check that runs */
    uv_timer_t settle;
    bool skips;        /* the check that ends now was passed over */
    bool closed, gone; /* gone: nobody is there any more; leave at the next question */
    char *line;
    void (*answered)(struct rb_guide *g, const char *line);
};

struct rb_screen rb_guide_screen(const struct rb_guide *g);
/* answered gets a line, or NULL: ask again. What was typed before the question is no answer to it. */
void rb_guide_read(struct rb_guide *g, void (*answered)(struct rb_guide *g, const char *line));
/* guide_keys.c: shows the keys of the question and takes one. */
void rb_guide_keys(struct rb_guide *g);

#endif
