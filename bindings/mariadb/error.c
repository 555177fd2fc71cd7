#include "mariadb/mariadb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <errmsg.h>
#include <mysqld_error.h>

#include "base/utf8.h"

static const struct {
    unsigned number;
    int code;
    bool lost;
} numbers[] = {
    {ER_ACCESS_DENIED_ERROR, RB_EAUTH, true},
    {1698, RB_EAUTH, true}, /* no password was given */
    {ER_DBACCESS_DENIED_ERROR, RB_EDENIED, false},
    {ER_TABLEACCESS_DENIED_ERROR, RB_EDENIED, false},
    {ER_COLUMNACCESS_DENIED_ERROR, RB_EDENIED, false},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, RB_EDENIED, false},
    {ER_OPTION_PREVENTS_STATEMENT, RB_EDENIED, false},
    {1792, RB_EDENIED, false}, /* in a read-only transaction */
    {1836, RB_EDENIED, false}, /* read-only mode */
    {ER_HOST_NOT_PRIVILEGED, RB_EDENIED, true},
    {ER_HOST_IS_BLOCKED, RB_EDENIED, true},
    {ER_BAD_DB_ERROR, RB_ENOT_FOUND, true},
    {ER_CON_COUNT_ERROR, RB_EBUSY, true},
    {ER_TOO_MANY_USER_CONNECTIONS, RB_EBUSY, true},
    {ER_USER_LIMIT_REACHED, RB_EBUSY, true},
    {ER_LOCK_WAIT_TIMEOUT, RB_EBUSY, false},
    {ER_LOCK_DEADLOCK, RB_EBUSY, false},
    {ER_DISK_FULL, RB_ENO_SPACE, false},
    {ER_RECORD_FILE_FULL, RB_ENO_SPACE, false},
    {ER_QUERY_INTERRUPTED, RB_ETIMEOUT, false},
    {1969, RB_ETIMEOUT, false}, /* MariaDB: max_statement_time */
    {3024, RB_ETIMEOUT, false}, /* MySQL: max_execution_time */
    {ER_SERVER_SHUTDOWN, RB_ERESET, true},
    {1927, RB_ERESET, true}, /* KILL */
    {CR_SERVER_GONE_ERROR, RB_ERESET, true},
    {CR_SERVER_LOST, RB_ERESET, true},
    {CR_SERVER_LOST_EXTENDED, RB_ERESET, true},
    {CR_NET_PACKET_TOO_LARGE, RB_ETOO_LARGE, true},
    {CR_SSL_CONNECTION_ERROR, RB_ETLS, true},
    {CR_UNKNOWN_HOST, RB_EDNS, true},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, RB_EAUTH, true},
    {CR_CONNECTION_ERROR, RB_EREFUSED, true},
    {CR_CONN_HOST_ERROR, RB_EREFUSED, true},
    {0, RB_ESQL, false},
};

/* "Can't connect to server on '127.0.0.1' (111)": the system's number says more than the library's. */
static const struct {
    int number;
    int code;
} systems[] = {
    {EHOSTUNREACH, RB_EUNREACHABLE},
    {ENETUNREACH, RB_EUNREACHABLE},
    {EADDRNOTAVAIL, RB_EUNREACHABLE},
    {ETIMEDOUT, RB_ETIMEOUT},
    {ECONNRESET, RB_ERESET},
    {EPIPE, RB_ERESET},
    {EACCES, RB_EDENIED},
    {EPERM, RB_EDENIED},
};

static int code_of_system(const char *text, int otherwise)
{
    const char *open = strrchr(text, '(');
    long number = open ? strtol(open + 1, NULL, 10) : 0;
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        if (systems[i].number == number) {
            return systems[i].code;
        }
    }
    return otherwise;
}

int rb_my_error(struct rb_my *my, unsigned number, const char *text)
{
    struct rb_buf clean;
    size_t i = 0, len = strnlen(text, 600);
    while (numbers[i].number != number && numbers[i].number != 0) {
        i++;
    }
    int code = numbers[i].code;
    my->error = number;
    my->db.lost |= numbers[i].lost;
    if (number == CR_CONNECTION_ERROR || number == CR_CONN_HOST_ERROR) {
        code = code_of_system(text, code);
    }
    rb_buf_init(&clean, sizeof my->db.err.text);
    (void)rb_utf8_clean(&clean, text, len, false);
    code = rb_err_foreign(&my->db.err, code, "%s: %s (%u)", my->db.driver->name, rb_buf_str(&clean), number);
    rb_buf_deinit(&clean);
    return code;
}

int rb_my_last_error(struct rb_my *my)
{
    if (my->stmt && mysql_stmt_errno(my->stmt)) {
        return rb_my_error(my, mysql_stmt_errno(my->stmt), mysql_stmt_error(my->stmt));
    }
    return rb_my_error(my, mysql_errno(my->mysql), mysql_error(my->mysql));
}
