#include "postgres/postgres.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tls/pin.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define NO_FILE "/dev/null/none" /* libpq would look into the home folder */

struct options {
    const char *keys[24], *values[24];
    int count;
    char port[16];
};

static void put(struct options *o, const char *key, const char *value)
{
    if (value && *value) {
        o->keys[o->count] = key;
        o->values[o->count++] = value;
    }
}

static void put_tls(struct options *o, const struct rb_db *db, bool socket)
{
    const json_t *tls = json_object_get(db->target, "tls");
    const char *mode = rb_json_str(tls, "mode", "off");
    bool verify = strcmp(mode, "verify") == 0;
    put(o, "sslmode", socket || strcmp(mode, "off") == 0 ? "disable" : verify ? "verify-full" : "require");
    put(o, "sslrootcert", verify ? rb_json_str(tls, "ca", SYSTEM_CA) : NO_FILE);
}

/* Everything is said, so that the environment and the home folder of whoever runs us say nothing. */
static void collect(struct options *o, const struct rb_db *db)
{
    const char *socket = rb_json_str(db->target, "socket", "");
    put(o, "host", *socket ? socket : rb_json_str(db->target, "host", "localhost"));
    put(o, "hostaddr", db->address);
    (void)snprintf(o->port, sizeof o->port, "%d", (int)rb_json_int(db->target, "port", db->driver->port));
    put(o, "port", o->port);
    put(o, "user", rb_json_str(db->target, "user", "postgres"));
    put(o, "password", rb_json_str(db->target, "password", ""));
    put(o, "dbname", rb_json_str(db->target, "database", rb_json_str(db->target, "user", "postgres")));
    put(o, "passfile", NO_FILE);
    put(o, "gssencmode", "disable"); /* blocks */
    put(o, "client_encoding", "UTF8");
    put(o, "application_name", "runbook");
    put(o, "target_session_attrs", "any");
    put(o, "options", " ");
    put_tls(o, db, *socket != '\0');
}

/* libpq wants the folder; people know the file /run/postgresql/.s.PGSQL.5432. */
static void socket_folder(struct options *o, char *folder, size_t size)
{
    const char *path = o->values[0];
    const char *name = *path == '/' ? strstr(path, "/.s.PGSQL.") : NULL;
    if (name && (size_t)(name - path) < size) {
        (void)snprintf(folder, size, "%.*s", (int)(name - path), path);
        (void)snprintf(o->port, sizeof o->port, "%s", name + strlen("/.s.PGSQL."));
        o->values[0] = folder;
    }
}

/* libpq prints notices on stderr. */
static void ignore(void *arg, const PGresult *result)
{
    (void)arg, (void)result;
}

int rb_pg_connect(struct rb_db *db)
{
    struct rb_pg *pg = (struct rb_pg *)db;
    struct options o = {0};
    char folder[108];
    collect(&o, db);
    socket_folder(&o, folder, sizeof folder);
    pg->conn = PQconnectStartParams(o.keys, o.values, 0);
    if (!pg->conn) {
        return rb_err_foreign(&db->err, RB_EMEMORY, "%s", db->driver->name);
    }
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        return rb_pg_connect_error(pg);
    }
    (void)PQsetNoticeReceiver(pg->conn, ignore, NULL);
    (void)PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE); /* only then the text holds the SQLSTATE */
    pg->connecting = true;
    db->fd = PQsocket(pg->conn);
    db->wants = UV_WRITABLE;
    return RB_DB_WAIT;
}

/* As soon as TLS stands, before anything of ours is sent over it; at the end also when there is none. */
static int check_pin(struct rb_pg *pg, bool end)
{
    struct rb_db *db = &pg->db;
    const char *pin = rb_json_str(json_object_get(db->target, "tls"), "pin", NULL);
    const SSL *ssl = PQsslStruct(pg->conn, "OpenSSL");
    if (!pin || pg->pinned || !(end || (ssl && SSL_is_init_finished(ssl)))) {
        return 0;
    }
    pg->pinned = true;
    return rb_tls_pin_check(ssl, pin, db->driver->name, &db->err);
}

int rb_pg_connecting(struct rb_pg *pg, int events)
{
    struct rb_db *db = &pg->db;
    PostgresPollingStatusType status = PQconnectPoll(pg->conn);
    (void)events;
    int rc = check_pin(pg, status == PGRES_POLLING_OK);
    if (rc != 0) {
        db->lost = true;
        return rc;
    }
    db->fd = PQsocket(pg->conn);
    if (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
        db->wants = status == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE;
        return RB_DB_WAIT;
    }
    pg->connecting = false;
    if (status != PGRES_POLLING_OK) {
        return rb_pg_connect_error(pg);
    }
    (void)PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    return PQsetnonblocking(pg->conn, 1) == 0 ? 0 : rb_pg_connect_error(pg);
}
