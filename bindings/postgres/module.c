/* The module `postgres`: the verbs of sql on a PostgreSQL server, by libpq. */
#include <string.h>

#include "bind.h"
#include "binding.h"
#include "database/plan.h"
#include "postgres/postgres.h"

static int go_on(struct rb_db *db, int events)
{
    struct rb_pg *pg = (struct rb_pg *)db;
    if (events < 0) {
        return RB_ECANCELLED; /* PQfinish closes whatever is under way */
    }
    return pg->connecting ? rb_pg_connecting(pg, events) : pg->running ? rb_pg_running(pg, events) : 0;
}

/* Between two calls the server says nothing, unless it says good-bye. */
static bool usable(struct rb_db *db)
{
    struct rb_pg *pg = (struct rb_pg *)db;
    return !db->lost && PQconsumeInput(pg->conn) && PQstatus(pg->conn) == CONNECTION_OK &&
           PQtransactionStatus(pg->conn) == PQTRANS_IDLE;
}

static void close_db(struct rb_db *db)
{
    struct rb_pg *pg = (struct rb_pg *)db;
    PQfinish(pg->conn);
    pg->conn = NULL;
}

/* The server ends a statement by itself when we cannot ask it to any more: a little after the deadline of the
 * call, or when nobody listens. Values as text that says everything. */
static void settings(const struct rb_db *db, const struct rb_db_limits *limits, bool local, struct rb_buf *out)
{
    const char *scope = local ? "true" : "false";
    rb_buf_addf(out,
                "SELECT set_config('statement_timeout', '%lld', %s), set_config('lock_timeout', '%lld', %s), "
                "set_config('datestyle', 'ISO', %s), set_config('bytea_output', 'hex', %s), "
                "set_config('standard_conforming_strings', 'on', %s)",
                (long long)(limits->timeout * 1000) + 1000, scope, (long long)(limits->wait * 1000) + 1, scope, scope,
                scope, scope);
    if (PQserverVersion(((const struct rb_pg *)db)->conn) >= 140000) {
        rb_buf_addf(out, ", set_config('client_connection_check_interval', '500', %s)", scope);
    }
}

static void kill_statement(const struct rb_db *db, struct rb_buf *out)
{
    rb_buf_addf(out, "SELECT pg_cancel_backend(%d)", PQbackendPID(((const struct rb_pg *)db)->conn));
}

/* VACUUM, CREATE DATABASE, CREATE INDEX CONCURRENTLY; procedures that commit. */
static bool wants_alone(const struct rb_db *db)
{
    const char *state = ((const struct rb_pg *)db)->state;
    return strcmp(state, "25001") == 0 || strcmp(state, "2D000") == 0;
}

/* The first right of the account that is more than reading. */
static const char account[] =
    "SELECT coalesce((SELECT 'superuser' FROM pg_catalog.pg_roles WHERE rolname = current_user AND "
    "rolsuper), "
    "(SELECT 'replication' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolreplication), "
    "(SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname IN ('pg_signal_backend', "
    "'pg_write_server_files', 'pg_execute_server_program', 'pg_write_all_data', 'pg_checkpoint') "
    "AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER') LIMIT 1), "
    "(SELECT 'owner of ' || relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND relpersistence <> 't' AND pg_catalog.pg_has_role(current_user, relowner, 'MEMBER') LIMIT 1))";

/* $1: the names as JSON; $2: may the account only read? Of the server's own functions, those that the
 * catalogue calls volatile may write, but for these. Of all others a read may call none; with an account that
 * can only read, those that are declared not to write, and those that are SQL with its rights. */
static const char calls[] =
    "SELECT p.proname::text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang "
    "WHERE p.proname::text IN (SELECT pg_catalog.json_array_elements_text($1::json)) AND CASE "
    "WHEN p.pronamespace = 'pg_catalog'::regnamespace THEN p.provolatile = 'v' AND p.proname::text NOT IN ("
    "'random', 'clock_timestamp', 'timeofday', 'gen_random_uuid', 'pg_sleep', 'pg_sleep_for', "
    "'pg_sleep_until', "
    "'pg_database_size', 'pg_relation_size', 'pg_table_size', 'pg_indexes_size', 'pg_total_relation_size', "
    "'pg_tablespace_size', 'pg_is_in_recovery', 'pg_is_wal_replay_paused', 'pg_get_wal_replay_pause_state', "
    "'pg_last_wal_receive_lsn', 'pg_last_wal_replay_lsn', 'pg_last_xact_replay_timestamp', "
    "'pg_current_wal_lsn', "
    "'pg_current_wal_insert_lsn', 'pg_current_wal_flush_lsn', 'pg_blocking_pids', "
    "'pg_safe_snapshot_blocking_pids', "
    "'pg_lock_status', 'pg_ls_dir', 'pg_ls_waldir', 'pg_ls_logdir', 'pg_ls_tmpdir', "
    "'pg_ls_archive_statusdir', "
    "'pg_stat_file', 'pg_read_file', 'pg_read_binary_file', 'pg_current_logfile', 'pg_control_system', "
    "'pg_control_checkpoint', 'pg_control_recovery', 'pg_control_init', 'pg_show_all_file_settings', "
    "'pg_hba_file_rules', 'pg_notification_queue_usage', 'pg_sequence_last_value', 'pg_prepared_xact', "
    "'currval', 'lastval') "
    "ELSE NOT ($2::boolean AND NOT p.prosecdef AND (p.provolatile <> 'v' OR l.lanname IN ('sql', "
    "'plpgsql'))) END LIMIT 1";

static const char *const reading[] = {"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", NULL};
static const char *const transaction[] = {"BEGIN",     "COMMIT",  "END",     "ROLLBACK", "ABORT",
                                          "SAVEPOINT", "RELEASE", "PREPARE", NULL};
static const char *const probe[] = {"CREATE TEMPORARY TABLE runbook_probe (n integer) ON COMMIT DROP",
                                    "INSERT INTO runbook_probe VALUES (1)", NULL};

static const struct rb_dialect dialect = {.reading = reading, .transaction = transaction};

static const struct rb_db_driver driver = {
    .name = "PostgreSQL",
    .port = 5432,
    .size = sizeof(struct rb_pg),
    .transactional = true,
    .dialect = &dialect,
    .connect = rb_pg_connect,
    .run = rb_pg_run,
    .go_on = go_on,
    .usable = usable,
    .close = close_db,
    .settings = settings,
    .kill = kill_statement,
    .begin_read = "BEGIN READ ONLY",
    .begin_write = "BEGIN",
    .account = account,
    .calls = calls,
    .probe = probe,
    .receipts = "SELECT CASE WHEN has_table_privilege(t, 'INSERT') AND has_table_privilege(t, 'SELECT') THEN 'yes' END "
                "FROM to_regclass('" RB_RECEIPTS "') t WHERE t IS NOT NULL",
    .leave_receipt = "INSERT INTO " RB_RECEIPTS " (receipt) VALUES ($1)",
    .find_receipt = "SELECT 'yes' FROM " RB_RECEIPTS " WHERE receipt = $1",
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
