/* One line from the terminal, without blocking the loop: the run goes on being watched while a
 * person thinks. Line editing is the terminal's own. */
#ifndef RB_CLI_PROMPT_H
#define RB_CLI_PROMPT_H

#include <stdbool.h>
#include <uv.h>

#define RB_PROMPT_MAX 4096

struct rb_prompt {
    uv_poll_t poll;
    bool open, active;
    char line[RB_PROMPT_MAX];
    size_t len;
    /* line without its newline; NULL at end of input (Ctrl-D). */
    void (*answered)(const char *line, void *user);
    void *user;
};

/* 0 or a libuv error. Only when fd 0 is a terminal. */
int rb_prompt_open(struct rb_prompt *p, uv_loop_t *loop);
void rb_prompt_read(struct rb_prompt *p, void (*answered)(const char *line, void *user), void *user);
/* Is more there already? / What was typed so far is thrown away. */
bool rb_prompt_waiting(const struct rb_prompt *p);
void rb_prompt_flush(struct rb_prompt *p);
/* No answer is wanted any more. */
void rb_prompt_cancel(struct rb_prompt *p);
/* open becomes false once the loop has closed it. */
void rb_prompt_close(struct rb_prompt *p);

#endif
