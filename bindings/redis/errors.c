#include "redis/errors.h"

#include <stdbool.h>
#include <string.h>

/* Looked at in this order; a single word must be the whole first word of the reply. */
static const struct {
    const char *begins;
    int code;
} errors[] = {
    {"NOAUTH", RB_EAUTH},
    {"WRONGPASS", RB_EAUTH},
    {"ERR invalid password", RB_EAUTH},
    {"ERR AUTH ", RB_EAUTH},                                /* a password where the server has none */
    {"ERR Client sent AUTH", RB_EAUTH},                     /* the same, before Redis 6 */
    {"ERR wrong number of arguments for 'auth'", RB_EAUTH}, /* a user name, before Redis 6 */
    {"NOPERM", RB_EDENIED},
    {"READONLY", RB_EDENIED}, /* a replica */
    {"DENIED", RB_EDENIED},   /* protected mode */
    {"MISCONF", RB_EDENIED},  /* it cannot save, and so takes no writes */
    {"NOREPLICAS", RB_EDENIED},
    {"OOM", RB_ENO_SPACE},
    {"LOADING", RB_EBUSY},
    {"BUSY", RB_EBUSY},
    {"TRYAGAIN", RB_EBUSY},
    {"CLUSTERDOWN", RB_EBUSY},
    {"MASTERDOWN", RB_EBUSY},
    {"UNKILLABLE", RB_EBUSY},
    {"ERR max number of clients", RB_EBUSY},
    {"BUSYKEY", RB_EEXISTS},
    {"BUSYGROUP", RB_EEXISTS},
    {"NOSCRIPT", RB_ENOT_FOUND},
    {"NOGROUP", RB_ENOT_FOUND},
    {"ERR no such key", RB_ENOT_FOUND},
};

static bool begins_with(const char *text, const char *words)
{
    size_t len = strlen(words);
    return strncmp(text, words, len) == 0 && (strchr(words, ' ') || text[len] == ' ' || text[len] == '\0');
}

/* "MOVED 3999 127.0.0.1:6381": the node, else NULL. */
static const char *moved_to(const char *text)
{
    if (!begins_with(text, "MOVED") && !begins_with(text, "ASK")) {
        return NULL;
    }
    const char *slot = strchr(text, ' '), *node = slot ? strchr(slot + 1, ' ') : NULL;
    return node ? node + 1 : NULL;
}

int rb_redis_error(struct rb_err *err, const char *where, const char *text)
{
    const char *node = moved_to(text);
    if (node) {
        return rb_err_set(err, RB_ESTATUS, RB_T_servers_redis_moved, where, node);
    }
    int code = RB_ESTATUS;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (begins_with(text, errors[i].begins)) {
            code = errors[i].code;
            break;
        }
    }
    return rb_err_foreign(err, code, "%s: %s", where, text);
}
