/* The fields of the blocks of config.lua; part of the one table in language.c. */
#ifndef RB_RUNNER_LANGUAGE_CONFIG_H
#define RB_RUNNER_LANGUAGE_CONFIG_H

#include "runner/language.h"

extern const struct rb_field rb_connection_fields[], rb_channel_fields[], rb_secret_fields[], rb_host_fields[],
    rb_contact_fields[], rb_user_fields[], rb_policy_fields[], rb_severity_fields[];

#endif
