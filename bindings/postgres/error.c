#include "postgres/postgres.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* SQLSTATE, or the class it begins with -> our code. The first that fits. */
static const struct {
    const char *state;
    int code;
    bool lost; /* the server closes the connection */
} states[] = {
    {"28", RB_EAUTH, true},         {"3D000", RB_ENOT_FOUND, true}, {"42501", RB_EDENIED, false},
    {"25006", RB_EDENIED, false},   {"53300", RB_EBUSY, true},      {"57P03", RB_EBUSY, true},
    {"53100", RB_ENO_SPACE, false}, {"57014", RB_ETIMEOUT, false},  {"55P03", RB_EBUSY, false},
    {"40", RB_EBUSY, false},        {"57P01", RB_ERESET, true},     {"57P02", RB_ERESET, true},
    {"57P05", RB_ERESET, true},     {"08", RB_ERESET, true},        {"", RB_ESQL, false},
};

/* libpq has no codes for what the network says, only the C library's words. */
static const struct {
    int number;
    int code;
} numbers[] = {
    {ECONNREFUSED, RB_EREFUSED},
    {ENOENT, RB_EREFUSED},
    {EHOSTUNREACH, RB_EUNREACHABLE},
    {ENETUNREACH, RB_EUNREACHABLE},
    {EADDRNOTAVAIL, RB_EUNREACHABLE},
    {ETIMEDOUT, RB_ETIMEOUT},
    {ECONNRESET, RB_ERESET},
    {EPIPE, RB_ERESET},
    {EACCES, RB_EDENIED},
    {EPERM, RB_EDENIED},
};

static int code_of_words(const char *text)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strstr(text, strerrordesc_np(numbers[i].number))) {
            return numbers[i].code;
        }
    }
    if (strstr(text, "SSL") || strstr(text, "certificate") || strstr(text, "TLS")) {
        return RB_ETLS;
    }
    return strstr(text, "password") || strstr(text, "authentication") ? RB_EAUTH : RB_ERESET;
}

/* "FATAL:  28P01: password authentication failed …": the five characters, or NULL. */
static const char *state_in(const char *text)
{
    for (const char *at = text; (at = strstr(at, ":  ")); at++) {
        size_t len = 0;
        while (isupper((unsigned char)at[3 + len]) || isdigit((unsigned char)at[3 + len])) {
            len++;
        }
        if (len == RB_PG_STATE - 1 && at[3 + len] == ':') {
            return at + 3;
        }
    }
    return NULL;
}

static int code_of_state(struct rb_pg *pg)
{
    size_t i = 0;
    while (strncmp(pg->state, states[i].state, strlen(states[i].state)) != 0) {
        i++;
    }
    pg->db.lost |= states[i].lost;
    return states[i].code;
}

/* The first line of a foreign text, without what would move a terminal. */
static int say(struct rb_pg *pg, int code, const char *text, const char *end)
{
    struct rb_buf clean;
    rb_buf_init(&clean, sizeof pg->db.err.text);
    size_t len = strcspn(text, "\n");
    len = len < 600 ? len : 600;
    (void)rb_utf8_clean(&clean, text, len, false);
    code = rb_err_foreign(&pg->db.err, code, "PostgreSQL: %s%s", rb_buf_str(&clean), end);
    rb_buf_deinit(&clean);
    return code;
}

int rb_pg_connect_error(struct rb_pg *pg)
{
    const char *text = PQerrorMessage(pg->conn);
    const char *state = state_in(text);
    char end[24] = "";
    pg->db.lost = true;
    if (state) {
        memcpy(pg->state, state, RB_PG_STATE - 1);
        (void)snprintf(end, sizeof end, " (SQLSTATE %s)", pg->state);
        return say(pg, code_of_state(pg), state + RB_PG_STATE + 1, end);
    }
    return say(pg, code_of_words(text), text, "");
}

int rb_pg_result_error(struct rb_pg *pg, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    char end[24];
    if (!state || strlen(state) != RB_PG_STATE - 1) { /* libpq's own: the connection broke */
        pg->db.lost = true;
        const char *text = result ? PQresultErrorMessage(result) : PQerrorMessage(pg->conn);
        int code = code_of_words(text);
        return say(pg, code == RB_EREFUSED || code == RB_EAUTH ? RB_ERESET : code, text, "");
    }
    memcpy(pg->state, state, RB_PG_STATE);
    (void)snprintf(end, sizeof end, " (SQLSTATE %s)", pg->state);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    return say(pg, code_of_state(pg), text ? text : "", end);
}
