/* The address of a connection as one line: postgres://user@host:5432/db?socket=/path. */
#ifndef RB_RUNNER_URL_H
#define RB_RUNNER_URL_H

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"

/* Does it look like an address at all? Names of connections never do. */
bool rb_url_is(const char *text);
/* {driver, host?, port?, socket?, user?, database?, url?, tls?, ca?, pin?}; RB_EUSAGE for one with a password, an
 * unknown scheme, or anything else that is not exactly an address. New reference or NULL. */
json_t *rb_connection_url_parse(const char *text, struct rb_err *err);
/* The port a driver has by itself; 0 = none. */
int rb_url_port(const char *driver);

#endif
