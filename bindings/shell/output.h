/* One output stream of a command: its beginning and its end are kept, and how long it was. */
#ifndef RB_BINDINGS_SHELL_OUTPUT_H
#define RB_BINDINGS_SHELL_OUTPUT_H

#include <jansson.h>
#include <stddef.h>

#define RB_SHELL_HALF (512u << 10)

struct rb_shell_output {
    char *head, *tail; /* each RB_SHELL_HALF when made; tail is a ring */
    size_t head_len;
    size_t tail_at; /* where the next byte of the ring goes */
    unsigned long long total;
};

void rb_shell_output_add(struct rb_shell_output *o, const char *data, size_t len);
/* Was something left out? */
int rb_shell_output_cut(const struct rb_shell_output *o);
/* The bytes, exactly, with a marker where some were left out. New reference. */
json_t *rb_shell_output_json(const struct rb_shell_output *o);
/* The last lines for an error message, at most size - 1 bytes. */
void rb_shell_output_last(const struct rb_shell_output *o, char *out, size_t size);
void rb_shell_output_deinit(struct rb_shell_output *o);

#endif
