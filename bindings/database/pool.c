#include <stdlib.h>

#include "database/database.h"
#include "resolve.h"

struct rb_pool *rb_pool_of(void **state)
{
    if (!*state) {
        *state = rb_xcalloc(1, sizeof(struct rb_pool));
    }
    return *state;
}

struct rb_db *rb_pool_take(struct rb_pool *pool, const json_t *target)
{
    for (struct rb_db **p = &pool->idle; *p; p = &(*p)->next) {
        struct rb_db *db = *p;
        if (json_equal(db->target, target)) {
            *p = db->next;
            if (db->driver->usable(db)) {
                db->reused = true;
                return db;
            }
            rb_db_abort(db);
            return NULL;
        }
    }
    return NULL;
}

void rb_pool_give(struct rb_pool *pool, struct rb_db *db)
{
    rb_db_rest(db);
    for (struct rb_db *other = pool->idle; other; other = other->next) {
        if (json_equal(other->target, db->target)) {
            rb_db_abort(db);
            return;
        }
    }
    db->next = pool->idle;
    pool->idle = db;
}

void rb_pool_close(void *state)
{
    struct rb_pool *pool = state;
    while (pool->idle) {
        struct rb_db *db = pool->idle;
        pool->idle = db->next;
        rb_db_abort(db);
    }
    if (pool->resolver) {
        rb_resolver_close(pool->resolver);
    }
    free(pool);
}
