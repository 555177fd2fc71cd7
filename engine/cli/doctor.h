/* What the parts of runbook doctor share. */
#ifndef RB_CLI_DOCTOR_H
#define RB_CLI_DOCTOR_H

#include "cli/commands.h"

struct doctor {
    struct rb_cli *c;
    json_t *items; /* [{name, state: ok|warning|error, value}] */
    bool bad;
};

/* One line of the report. name: for machines; label: for people. */
void rb_doctor_item(struct doctor *d, const char *name, const char *label, enum rb_style style, const char *value);
/* doctor_config.c: config.lua, and everything it names: really connects, really reads each secret. */
void rb_doctor_config(struct doctor *d);

#endif
