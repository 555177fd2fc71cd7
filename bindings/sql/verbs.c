/* The binding `sql`: SQLite databases by the path of their file, PostgreSQL and MySQL/MariaDB by connection.
 */
#include "list.h"

#include <string.h>

#include "base/json.h"
#include "bind.h"
#include "sqlite/keep.h"
#include "sqlite/locks.h"
#include "sqlite/query.h"

#define CONNECTION \
    RB_BIND_POS("connection", "connection", \
                "a configured connection, its URL, or a SQLite file, which is never created", \
                "配置好的连接、它的 URL，或 SQLite 文件（不会被创建）")
#define SQLITE \
    RB_BIND_POS("connection", "connection", "the SQLite file; it is never created", "SQLite 文件；不会被创建")
#define QUERY \
    RB_BIND_POS("query", "string", \
                "one statement, with ? for values; PostgreSQL also takes $1 $2, and ? is then its operator", \
                "一条语句，值写作 ?；PostgreSQL 也可以写 $1 $2，这时 ? 是它的运算符")
#define PARAMS \
    RB_BIND_REST("params", "list", "the values, in order: numbers, strings, booleans, null", \
                 "值，按顺序：数字、字符串、布尔值、null")
#define WAIT(en, zh) RB_BIND_OPT("wait", "duration", "how long a lock is waited for, default " en, "等锁多久，默认 " zh)

static const struct rb_arg rows_args[] = {
    CONNECTION,
    QUERY,
    PARAMS,
    RB_BIND_OPT("max_rows", "int", "more rows are an error, default 1000", "行数超过它就报错，默认 1000"),
    WAIT("5s", "5s"),
    RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg row_args[] = {CONNECTION, QUERY, PARAMS, WAIT("5s", "5s"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg probe_args[] = {
    CONNECTION,
    RB_BIND_OPT("times", "int", "SQLite: how often, 250 ms apart, default 1", "SQLite：试几次，间隔 250 ms，默认 1"),
    WAIT("0s", "0s"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg tx_args[] = {
    CONNECTION, RB_BIND_POS("statements", "any", "list of { \"query\", { values } }", "{ \"语句\", { 值 } } 的列表"),
    WAIT("5s", "5s"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg backup_args[] = {
    SQLITE, RB_BIND_POS("to", "path", "the copy; must not exist", "副本的路径；不能已存在"), WAIT("5s", "5s"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg integrity_args[] = {
    SQLITE,
    RB_BIND_OPT("quick", "bool", "leave out the comparison of indexes with tables, default true",
                "不比对索引和表，默认 true"),
    WAIT("2s", "2s"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg checkpoint_args[] = {
    SQLITE, RB_BIND_OPTPOS("mode", "string", "passive (default) or truncate", "passive（默认）或 truncate"),
    WAIT("2s", "2s"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg recover_args[] = {SQLITE, WAIT("5s", "5s"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg locks_args[] = {
    SQLITE,
    RB_BIND_OPT("wait", "duration", "a lock counts when it is held this long without a commit, default 2s",
                "锁持续这么久且没有提交才算，默认 2s"),
    RB_BIND_TIMEOUT, RB_BIND_END};

/* SQLite is work, a server is a module. What only SQLite can do refuses servers itself. */
static const char *module_of(const json_t *args)
{
    const char *driver = rb_json_str(json_object_get(args, "connection"), "driver", "");
    return strcmp(driver, "postgres") == 0 ? "postgres" : strcmp(driver, "mysql") == 0 ? "mariadb" : NULL;
}

static const struct rb_verb verbs[] = {
    {.name = "rows",
     .effect = RB_EFFECT_READ,
     .args = rows_args,
     .returns = "list of rows, each { column = value }",
     .en = "Runs one reading statement: a SQLite file is opened without changing anything around it, a "
           "server is asked "
           "in a read-only transaction, and functions that may write are refused. Integers are exact; "
           "decimals, and "
           "integers past 64 bits, are strings; JSON columns are tables; times are ISO 8601, with a zone "
           "where the "
           "server gives one. Errors: not_found denied busy corrupt sql timeout too_large usage; of servers "
           "also "
           "refused dns tls reset unreachable auth.",
     .zh = "执行一条只读语句：SQLite "
           "文件打开时不改动文件及其目录，服务器在只读事务里执行，可能改东西的函数会被拒绝。"
           "整数精确；小数和超过 64 位的整数是字符串；JSON 列是表；时间是 ISO 8601，服务器给出时区时带时区。"
           "错误：not_found denied busy corrupt sql timeout too_large usage；"
           "服务器还有 refused dns tls reset unreachable auth。",
     .work = rb_sqlite_rows,
     .module = module_of},
    {.name = "row",
     .effect = RB_EFFECT_READ,
     .args = row_args,
     .returns = "the first row, or nil",
     .en = "Like rows, the first row only. Errors: as rows.",
     .zh = "同 rows，只取第一行。错误：同 rows。",
     .work = rb_sqlite_row,
     .module = module_of},
    {.name = "value",
     .effect = RB_EFFECT_READ,
     .args = row_args,
     .returns = "the one column of the first row, or nil",
     .en = "Like row, for a statement with one column. Errors: as rows.",
     .zh = "同 row，语句只有一列。错误：同 rows。",
     .work = rb_sqlite_value,
     .module = module_of},
    {.name = "probe",
     .effect = RB_EFFECT_PROBE,
     .args = probe_args,
     .returns = "{ ok, code?, message? }",
     .en = "Can it be written? SQLite: takes the write lock (BEGIN IMMEDIATE) and gives it back; a hot "
           "journal is "
           "answered with code hot_journal and left alone. Servers: writes into a temporary table and rolls "
           "back. "
           "Errors: not_found usage timeout; of servers that are not reached as rows.",
     .zh = "能不能写？SQLite：取得写锁（BEGIN IMMEDIATE）后立即放开，遇到未回滚的日志只报告 "
           "hot_journal，不处理。"
           "服务器：写一张临时表再回滚。错误：not_found usage timeout；连不上服务器时同 rows。",
     .work = rb_sqlite_probe,
     .module = module_of},
    {.name = "exec",
     .effect = RB_EFFECT_WRITE,
     .args = row_args,
     .returns = "{ changes, last_id?, rows? }",
     .en = "Runs one writing statement in its own transaction; rows is what RETURNING gave. What a server "
           "does not "
           "allow in a transaction (VACUUM, CREATE DATABASE) runs alone. PostgreSQL has no last_id. Errors: "
           "as rows.",
     .zh = "在自己的事务里执行一条写语句；rows 是 RETURNING 的结果。服务器不允许放进事务的语句（VACUUM、CREATE "
           "DATABASE）单独执行。PostgreSQL 没有 last_id。错误：同 rows。",
     .announces = true,
     .work = rb_sqlite_exec,
     .module = module_of},
    {.name = "tx",
     .effect = RB_EFFECT_WRITE,
     .args = tx_args,
     .returns = "{ changes, last_id? }",
     .en = "Runs all statements in one transaction, or none of them. A connection that breaks during the "
           "COMMIT "
           "leaves it unknown. Errors: as rows.",
     .zh = "在一个事务里执行所有语句，要么全做，要么全不做。提交时连接断开，结果就是未知。错误：同 rows。",
     .announces = true,
     .work = rb_sqlite_tx,
     .module = module_of},
    {.name = "backup",
     .effect = RB_EFFECT_WRITE,
     .args = backup_args,
     .returns = "{ path, size, sha256 }",
     .timeout = 1800,
     .en = "Online copy while others go on writing: checked with integrity_check, synced, mode 0600. "
           "Errors: exists not_found busy corrupt denied no_space timeout.",
     .zh = "在线备份，不影响其他进程写入；副本经 integrity_check 检查并落盘，权限 0600。"
           "错误：exists not_found busy corrupt denied no_space timeout。",
     .work = rb_sqlite_backup},
    {.name = "integrity",
     .effect = RB_EFFECT_READ,
     .args = integrity_args,
     .returns = "{ state, message? }",
     .timeout = 300,
     .en = "Is the database whole? state: ok corrupt busy unreadable timeout hot_journal not_a_database. "
           "Errors: not_found usage.",
     .zh = "数据库是否完好？state：ok corrupt busy unreadable timeout hot_journal "
           "not_a_database。错误：not_found usage。",
     .work = rb_sqlite_integrity},
    {.name = "checkpoint",
     .effect = RB_EFFECT_WRITE,
     .args = checkpoint_args,
     .returns = "{ busy, log, checkpointed }",
     .timeout = 120,
     .en = "Writes the WAL back into the database. busy: somebody was in the way; log and checkpointed count "
           "pages, "
           "-1 without a WAL. Errors: not_found denied corrupt.",
     .zh = "把 WAL 写回数据库。busy：有人挡着；log 和 checkpointed 是页数，没有 WAL 时为 -1。错误：not_found "
           "denied corrupt。",
     .work = rb_sqlite_checkpoint},
    {.name = "recover",
     .effect = RB_EFFECT_WRITE,
     .args = recover_args,
     .returns = "{ rolled_back, hot_journal }",
     .timeout = 120,
     .en = "Opens the database once for writing, so that SQLite rolls back what a crash left half done. "
           "Errors: not_found denied busy corrupt.",
     .zh = "以写方式打开一次，让 SQLite 回滚崩溃时没做完的事务。错误：not_found denied busy corrupt。",
     .work = rb_sqlite_recover},
    {.name = "locks",
     .effect = RB_EFFECT_READ,
     .args = locks_args,
     .returns = "{ locked, kind?, mode, holders, readers, hidden, network_fs, hot_journal, files }",
     .timeout = 60,
     .en = "Who keeps writers out, from the kernel's lock table; takes no lock itself. holders: the "
           "processes that held a write lock all the time, and without a WAL also a read that was left open or "
           "that a writer waits for (kind shared); readers: those that held one snapshot all the time. hidden: "
           "locked by somebody who cannot be seen. Errors: not_found denied.",
     .zh = "谁让别人写不进去：看内核的锁表，自己不加锁。holders：一直占着写锁的进程；没有 WAL 时还有读了不放、"
           "或有写入者在等它读完的进程（kind 为 shared）；readers：一直占着同一快照的进程；hidden：有人占锁但看不"
           "到。错误：not_found denied。",
     .work = rb_sqlite_locks},
    {0}};

const struct rb_binding rb_binding_sql = {
    .name = "sql",
    .en = "Databases: SQLite files, PostgreSQL, MySQL and MariaDB. Foreign files are opened in a process of "
          "their own, "
          "and reading leaves no trace.",
    .zh = "数据库：SQLite 文件、PostgreSQL、MySQL 和 MariaDB。外部文件在独立进程里打开，读取不留痕迹。",
    .verbs = verbs,
};
