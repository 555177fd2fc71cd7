/* One commit for a turn of the loop; see turn.h. */
#include "run/turn.h"

#include <stdlib.h>

#include "base/clock.h"
#include "run/state.h"

struct waiter {
    struct waiter *next;
    struct rb_run *run;
    rb_turn_fn *go_on;
    void *user;
    bool lost; /* what it waits for could not be written */
};

/* In the order of asking. */
struct waiters {
    struct waiter *first, **end;
};

struct rb_turn {
    uv_timer_t timer;
    struct waiters plain, sealed;
};

static void empty(struct waiters *list)
{
    *list = (struct waiters){.end = &list->first};
}

/* Whoever asks while these go on waits for the next turn. */
static struct waiter *take(struct waiters *list)
{
    struct waiter *first = list->first;
    empty(list);
    return first;
}

static struct rb_journal *journal_of(const struct waiter *w)
{
    while (w && !w->run->engine.journal) {
        w = w->next;
    }
    return w ? w->run->engine.journal : NULL;
}

/* All are shown before the first goes on: what that records is on no disk yet. */
static void show(struct waiter *list, bool written)
{
    for (struct waiter *w = list; w; w = w->next) {
        w->lost = !written && w->run->engine.journal;
        if (w->lost) {
            w->run->journal_failed = true;
        } else {
            rb_record_show(w->run);
        }
    }
}

static void wake(struct waiter *w, const struct rb_err *error)
{
    while (w) {
        struct waiter *next = w->next;
        w->run->waiting--;
        w->go_on(w->user, w->lost ? error : NULL);
        free(w);
        w = next;
    }
}

static void seal(const struct waiter *list, struct rb_journal *journal)
{
    struct rb_err err = {0};
    if (list && journal && rb_journal_seal(journal, &err) < 0) { /* all is recorded; its proof is late */
        for (const struct waiter *w = list; w; w = w->next) {
            json_object_set_new(w->run->report, "unsealed", json_string(err.text));
        }
    }
}

static void turn_over(uv_timer_t *timer)
{
    struct rb_turn *turn = timer->data;
    struct waiter *plain = take(&turn->plain), *sealed = take(&turn->sealed);
    struct rb_journal *journal = journal_of(plain);
    struct rb_err err = {0};
    journal = journal ? journal : journal_of(sealed);
    const struct rb_err *error = journal && rb_journal_commit(journal, &err) < 0 ? &err : NULL;
    show(plain, !error);
    show(sealed, !error);
    wake(plain, error);
    if (!error) {
        seal(sealed, journal);
    }
    wake(sealed, error);
}

struct rb_turn *rb_turn_new(uv_loop_t *loop)
{
    struct rb_turn *turn = rb_xcalloc(1, sizeof *turn);
    uv_timer_init(loop, &turn->timer);
    turn->timer.data = turn;
    empty(&turn->plain);
    empty(&turn->sealed);
    return turn;
}

static void closed(uv_handle_t *timer)
{
    free(timer->data);
}

void rb_turn_free(struct rb_turn *turn)
{
    uv_close((uv_handle_t *)&turn->timer, closed);
}

static void enlist(struct rb_run *run, struct waiters *list, rb_turn_fn *go_on, void *user)
{
    struct waiter *w = rb_xcalloc(1, sizeof *w);
    *w = (struct waiter){.run = run, .go_on = go_on, .user = user};
    *list->end = w;
    list->end = &w->next;
    run->waiting++;
    uv_timer_start(&run->engine.turn->timer, turn_over, 0, 0);
}

void rb_turn_wait(struct rb_run *run, rb_turn_fn *go_on, void *user)
{
    enlist(run, &run->engine.turn->plain, go_on, user);
}

void rb_turn_wait_sealed(struct rb_run *run, rb_turn_fn *go_on, void *user)
{
    enlist(run, &run->engine.turn->sealed, go_on, user);
}
