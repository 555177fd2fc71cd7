/* libmariadb's calls on the loop: each is started, waits, is continued, and names what follows. */
#include "mariadb/mariadb.h"

static int wait_for(struct rb_my *my, int status)
{
    my->waits = status;
    my->db.fd = (int)mysql_get_socket(my->mysql);
    my->db.wants = (status & MYSQL_WAIT_READ ? UV_READABLE : 0) | (status & MYSQL_WAIT_WRITE ? UV_WRITABLE : 0);
    if (!my->db.wants) {
        my->db.wants = UV_READABLE;
    }
    return RB_DB_WAIT;
}

/* Through all that is done at once. */
static int run_on(struct rb_my *my, int status)
{
    while (status == 0) {
        int rc = my->op->after(my);
        if (rc != RB_DB_WAIT) {
            my->op = NULL;
            my->waits = 0;
            if (rc != 0) {
                rb_my_drop(my);
            }
            return rc;
        }
        status = my->op->start(my);
    }
    return wait_for(my, status);
}

int rb_my_begin(struct rb_my *my, const struct rb_my_op *op)
{
    my->op = op;
    return run_on(my, op->start(my));
}

/* Giving up is the library's own timeout: the call returns with an error and frees what it holds. */
static void unwind(struct rb_my *my)
{
    for (int i = 0; my->op && my->waits && i < 100; i++) {
        my->waits = my->op->cont(my, MYSQL_WAIT_TIMEOUT);
    }
    my->op = NULL;
    rb_my_drop(my);
}

int rb_my_go_on(struct rb_db *db, int events)
{
    struct rb_my *my = (struct rb_my *)db;
    if (!my->op) {
        return 0;
    }
    if (events < 0) {
        unwind(my);
        return RB_ECANCELLED;
    }
    int ready = (events & UV_READABLE ? MYSQL_WAIT_READ : 0) | (events & UV_WRITABLE ? MYSQL_WAIT_WRITE : 0);
    return run_on(my, my->op->cont(my, ready & my->waits ? ready & my->waits : ready));
}
