#include "mariadb/mariadb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/json.h"

#define PACKET_MAX (64UL << 20) /* bytes of one row; past it the library takes the connection for broken */
#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define THREAD_TIMEOUT 5U /* seconds for each answer of the server while TLS begins */

/* ---- without TLS: on the loop ---- */

static int connect_start(struct rb_my *my)
{
    const json_t *t = my->db.target;
    return mysql_real_connect_start(
        &my->connected, my->mysql, *my->db.address ? my->db.address : NULL, rb_json_str(t, "user", "root"),
        rb_json_str(t, "password", ""), rb_json_str(t, "database", NULL),
        (unsigned)rb_json_int(t, "port", my->db.driver->port), rb_json_str(t, "socket", NULL), 0);
}

static int connect_cont(struct rb_my *my, int ready)
{
    return mysql_real_connect_cont(&my->connected, my->mysql, ready);
}

static int connect_after(struct rb_my *my)
{
    return my->connected ? 0 : rb_my_last_error(my);
}

static const struct rb_my_op connecting = {connect_start, connect_cont, connect_after};

/* ---- with TLS: the library's handshake blocks, so a thread does it ---- */

struct rb_my_thread {
    uv_work_t work;
    struct rb_my *my; /* NULL: nobody waits for it any more */
    MYSQL *mysql;
    json_t *target; /* a copy of its own: reference counts are not for two threads */
    char host[256];
    int port;
    bool ok;
};

/* worker thread: no loop, no call, nothing that is shared */
static void connect_in_thread(uv_work_t *work)
{
    struct rb_my_thread *t = work->data;
    t->ok = mysql_real_connect(t->mysql, t->host, rb_json_str(t->target, "user", "root"),
                               rb_json_str(t->target, "password", ""), rb_json_str(t->target, "database", NULL),
                               (unsigned)rb_json_int(t->target, "port", t->port), NULL, 0) != NULL;
}

/* With verify the library looks the name up itself: it must have come to the address that was found for it. The
 * certificate was checked by then, so nobody else can have heard the password. */
static int check_peer(struct rb_my *my)
{
    char text[INET6_ADDRSTRLEN] = "";
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    const void *address;
    if (getpeername((int)mysql_get_socket(my->mysql), (struct sockaddr *)&peer, &len) == 0) {
        address = peer.ss_family == AF_INET6 ? (const void *)&((struct sockaddr_in6 *)&peer)->sin6_addr
                                             : (const void *)&((struct sockaddr_in *)&peer)->sin_addr;
        (void)inet_ntop(peer.ss_family, address, text, sizeof text);
    }
    if (strcmp(text, my->db.address) == 0) {
        return 0;
    }
    my->db.lost = true;
    return rb_err_set(&my->db.err, RB_EUNREACHABLE, RB_T_servers_tls_elsewhere, my->db.driver->name, text);
}

static void connected_in_thread(uv_work_t *work, int status)
{
    struct rb_my_thread *t = work->data;
    struct rb_my *my = t->my;
    if (my) {
        my->mysql = t->mysql;
        my->thread = NULL;
    } else {
        mysql_close(t->mysql);
    }
    bool ok = t->ok && status == 0;
    json_decref(t->target);
    free(t);
    if (my) {
        rb_db_resume(&my->db, ok ? check_peer(my) : rb_my_last_error(my));
    }
}

/* The library checks the certificate against the name it was given, and then looks it up itself; without a
 * check it gets the address. */
static int connect_by_thread(struct rb_my *my, bool verify)
{
    struct rb_my_thread *t = rb_xcalloc(1, sizeof *t);
    const char *name = rb_json_str(my->db.target, "host", "localhost");
    unsigned timeout = THREAD_TIMEOUT, protocol = MYSQL_PROTOCOL_TCP; /* also for "localhost" */
    t->my = my;
    t->mysql = my->mysql;
    t->target = json_deep_copy(my->db.target);
    t->port = my->db.driver->port;
    (void)snprintf(t->host, sizeof t->host, "%s", verify ? name : my->db.address);
    (void)mysql_options(t->mysql, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(t->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    (void)mysql_options(t->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    t->work.data = t;
    my->thread = t;
    my->mysql = NULL;
    my->db.wants = 0;
    RB_REQUIRE(uv_queue_work(my->db.loop, &t->work, connect_in_thread, connected_in_thread) == 0);
    return RB_DB_WAIT;
}

void rb_my_connect_abandon(struct rb_my *my)
{
    if (my->thread) {
        my->thread->my = NULL;
        my->thread = NULL;
    }
}

/* ---- both ---- */

static void set_tls(struct rb_my *my, const json_t *tls, bool verify)
{
    my_bool on = 1, off = 0;
    (void)mysql_options(my->mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    (void)mysql_options(my->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, verify ? &on : &off);
    if (verify) {
        (void)mysql_options(my->mysql, MYSQL_OPT_SSL_CA, rb_json_str(tls, "ca", SYSTEM_CA));
    }
}

static int init(struct rb_my *my)
{
    unsigned long packet = PACKET_MAX;
    unsigned local_infile = 0;
    my->mysql = mysql_init(NULL);
    if (!my->mysql) {
        return rb_err_foreign(&my->db.err, RB_EMEMORY, "%s", my->db.driver->name);
    }
    (void)mysql_options(my->mysql, MYSQL_OPT_NONBLOCK, NULL);
    (void)mysql_options(my->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_options(my->mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    (void)mysql_options(my->mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile); /* a server may not ask for our files */
    (void)mysql_optionsv(my->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "runbook");
    return 0;
}

int rb_my_connect(struct rb_db *db)
{
    struct rb_my *my = (struct rb_my *)db;
    const json_t *tls = json_object_get(db->target, "tls");
    const char *mode = rb_json_str(tls, "mode", "off");
    bool verify = strcmp(mode, "verify") == 0;
    if (json_is_string(json_object_get(tls, "pin"))) {
        return rb_err_set(&db->err, RB_EUSAGE, RB_T_servers_tls_pin, db->driver->name);
    }
    int rc = init(my);
    if (rc != 0) {
        return rc;
    }
    if (strcmp(mode, "off") == 0 || !*db->address) {
        return rb_my_begin(my, &connecting);
    }
    set_tls(my, tls, verify);
    return connect_by_thread(my, verify);
}
