/* The module `mariadb`: the verbs of sql on a MariaDB or MySQL server, by libmariadb's calls that do not
 * block. */
#include <math.h>
#include <string.h>

#include <mysqld_error.h>

#include "bind.h"
#include "binding.h"
#include "database/plan.h"
#include "mariadb/functions.h"
#include "mariadb/mariadb.h"

/* Between two calls the server says nothing, unless it says good-bye. */
static bool usable(struct rb_db *db)
{
    struct rb_my *my = (struct rb_my *)db;
    char byte;
    return !db->lost && !my->op && recv((int)mysql_get_socket(my->mysql), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

/* Rows nobody reads go with the connection: the library must not look for them. */
static void close_db(struct rb_db *db)
{
    struct rb_my *my = (struct rb_my *)db;
    rb_my_connect_abandon(my);
    if (my->result) {
        my->result->handle = NULL;
        mysql_free_result(my->result);
    }
    if (my->mysql) {
        mysql_close(my->mysql);
    }
    if (my->stmt) {
        mysql_stmt_close(my->stmt);
    }
    rb_my_drop(my);
}

/* How strings and names are written must be what statement.c takes it for. The server ends a statement by
 * itself a little after the deadline of the call, when we cannot ask it to any more. */
static void settings(const struct rb_db *db, const struct rb_db_limits *limits, bool local, struct rb_buf *out)
{
    MYSQL *mysql = ((const struct rb_my *)db)->mysql;
    long long wait = (long long)ceil(limits->wait), limit = (long long)ceil(limits->timeout) + 1;
    bool mariadb = strstr(mysql_get_server_info(mysql), "MariaDB") != NULL;
    (void)local;
    wait = mariadb || wait > 0 ? wait : 1;
    rb_buf_addf(out,
                "SET SESSION sql_mode = REGEXP_REPLACE(@@SESSION.sql_mode, 'ANSI_QUOTES|NO_BACKSLASH_ESCAPES|"
                "IGNORE_SPACE|ANSI|DB2|MAXDB|MSSQL|ORACLE|POSTGRESQL', ''), lock_wait_timeout = %lld, "
                "innodb_lock_wait_timeout = %lld, ",
                wait, wait);
    rb_buf_addf(out, mariadb ? "max_statement_time = %lld" : "max_execution_time = %lld",
                mariadb ? limit : limit * 1000);
}

static void kill_statement(const struct rb_db *db, struct rb_buf *out)
{
    rb_buf_addf(out, "KILL QUERY %lu", mysql_thread_id(((const struct rb_my *)db)->mysql));
}

static bool wants_alone(const struct rb_db *db)
{
    unsigned error = ((const struct rb_my *)db)->error;
    return error == ER_LOCK_OR_ACTIVE_TRANSACTION || error == ER_CANT_CHANGE_TX_CHARACTERISTICS;
}

/* The first right of the account that is more than reading; a role is not looked into. */
static const char account[] =
    "SELECT CASE WHEN COALESCE(CURRENT_ROLE(), 'NONE') <> 'NONE' THEN CURRENT_ROLE() ELSE "
    "(SELECT privilege FROM (SELECT GRANTEE AS who, PRIVILEGE_TYPE AS privilege FROM "
    "information_schema.USER_PRIVILEGES "
    "UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES "
    "UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES "
    "UNION ALL SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.COLUMN_PRIVILEGES) granted "
    "WHERE who = CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - "
    "CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), '''@''', "
    "SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''') AND privilege NOT IN ('USAGE', 'SELECT', 'PROCESS', "
    "'SHOW DATABASES', 'SHOW VIEW', 'REPLICATION CLIENT', 'BINLOG MONITOR', 'SLAVE MONITOR', 'REPLICA "
    "MONITOR') "
    "LIMIT 1) END";

static const char *const reading[] = {"SELECT",  "WITH",     "VALUES", "TABLE",    "SHOW",
                                      "EXPLAIN", "DESCRIBE", "DESC",   "CHECKSUM", NULL};
/* INTO writes files and variables; UPDATE and LOCK are of FOR UPDATE and LOCK IN SHARE MODE. */
static const char *const never_reading[] = {"INTO", "UPDATE", "LOCK", "PROCEDURE", "NEXT", "NEXTVAL", NULL};
static const char *const transaction[] = {"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "XA",
                                          "LOCK",  "UNLOCK", "PREPARE",  "EXECUTE",   NULL};
static const char *const in_tx[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH", "DO", NULL};
static const char *const probe[] = {"CREATE TEMPORARY TABLE runbook_probe (n INT)",
                                    "INSERT INTO runbook_probe VALUES (1)", "DROP TEMPORARY TABLE runbook_probe", NULL};

static const struct rb_dialect dialect = {.mysql = true,
                                          .reading = reading,
                                          .never_reading = never_reading,
                                          .transaction = transaction,
                                          .in_tx = in_tx,
                                          .keywords = rb_my_keywords};

static const struct rb_db_driver driver = {
    .name = "MariaDB",
    .port = 3306,
    .size = sizeof(struct rb_my),
    .session_settings = true,
    .dialect = &dialect,
    .connect = rb_my_connect,
    .run = rb_my_run,
    .go_on = rb_my_go_on,
    .usable = usable,
    .close = close_db,
    .settings = settings,
    .kill = kill_statement,
    .begin_read = "START TRANSACTION READ ONLY",
    .begin_write = "START TRANSACTION READ WRITE", /* refused where the server is read-only */
    .account = account,
    .pure = rb_my_pure,
    .probe = probe,
    .receipts =
        "SELECT 'yes' FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '" RB_RECEIPTS
        "' AND engine = 'InnoDB'",
    .leave_receipt = "INSERT INTO " RB_RECEIPTS " (receipt) VALUES (?)",
    .find_receipt = "SELECT 'yes' FROM " RB_RECEIPTS " WHERE receipt = ?",
    .wants_alone = wants_alone,
};

#define VERB(name, verb) \
    static int name(struct rb_call *call, const json_t *args, struct rb_err *err) \
    { \
        return rb_db_start(call, &driver, verb, args, err); \
    }
VERB(rows, RB_DB_ROWS)
VERB(row, RB_DB_ROW)
VERB(value, RB_DB_VALUE)
VERB(probed, RB_DB_PROBE)
VERB(exec, RB_DB_EXEC)
VERB(tx, RB_DB_TX)

static const struct rb_module_verb verbs[] = {{"sql.rows", rows, rb_db_cancel},
                                              {"sql.row", row, rb_db_cancel},
                                              {"sql.value", value, rb_db_cancel},
                                              {"sql.probe", probed, rb_db_cancel},
                                              {"sql.exec", exec, rb_db_cancel},
                                              {"sql.tx", tx, rb_db_cancel},
                                              {NULL, NULL, NULL}};

RB_MODULE = {.abi = RB_MODULE_ABI, .verbs = verbs, .close = rb_pool_close};
