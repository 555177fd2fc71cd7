#include "database/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct rb_db *rb_db_new(const struct rb_db_driver *driver, const json_t *target, uv_loop_t *loop)
{
    struct rb_db *db = rb_xcalloc(1, driver->size);
    db->driver = driver;
    db->target = json_incref((json_t *)target);
    db->loop = loop;
    db->fd = -1;
    return db;
}

static void settle(struct rb_db *db, int rc);

/* The library may open another socket, even under the same number, in any step: off the poll before each. */
static void ready(uv_poll_t *poll, int status, int events)
{
    struct rb_db *db = poll->data;
    uv_poll_stop(poll);
    settle(db, db->driver->go_on(db, status < 0 ? UV_READABLE | UV_WRITABLE : events));
}

void rb_db_rest(struct rb_db *db)
{
    if (db->poll) {
        uv_poll_stop(db->poll);
        uv_close((uv_handle_t *)db->poll, (uv_close_cb)free);
        db->poll = NULL;
    }
}

static bool poll_is_for(const struct rb_db *db)
{
    uv_os_fd_t fd;
    return db->poll && uv_fileno((uv_handle_t *)db->poll, &fd) == 0 && fd == db->fd;
}

static int wait_for(struct rb_db *db)
{
    if (!poll_is_for(db)) {
        rb_db_rest(db);
        db->poll = rb_xcalloc(1, sizeof *db->poll);
        int rc = uv_poll_init(db->loop, db->poll, db->fd);
        if (rc != 0) {
            free(db->poll);
            db->poll = NULL;
            return rb_err_errno(&db->err, -rc, "%s", db->driver->name);
        }
        db->poll->data = db;
    }
    return uv_poll_start(db->poll, db->wants, ready) == 0 ? 0 : rb_err_errno(&db->err, EBADF, "%s", db->driver->name);
}

static void settle(struct rb_db *db, int rc)
{
    if (rc == RB_DB_WAIT) {
        rc = db->wants ? wait_for(db) : 0;
        if (rc == 0) {
            return;
        }
    }
    db->done(db, rc);
}

void rb_db_connect(struct rb_db *db, const char *address, void (*done)(struct rb_db *db, int rc))
{
    db->err = (struct rb_err){0};
    db->done = done;
    (void)snprintf(db->address, sizeof db->address, "%s", address);
    settle(db, db->driver->connect(db));
}

void rb_db_run(struct rb_db *db, const struct rb_db_step *steps, size_t count, void (*done)(struct rb_db *db, int rc))
{
    db->err = (struct rb_err){0};
    db->finished = 0;
    db->done = done;
    settle(db, db->driver->run(db, steps, count));
}

void rb_db_resume(struct rb_db *db, int rc)
{
    settle(db, rc);
}

void rb_db_abort(struct rb_db *db)
{
    rb_db_rest(db);
    (void)db->driver->go_on(db, -1);
    db->driver->close(db);
    json_decref(db->target);
    free(db);
}
