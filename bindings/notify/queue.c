#include "notify/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

static void bots_free(void *slot)
{
    struct rb_bot *bot = slot;
    while (bot) {
        struct rb_bot *next = bot->next;
        free(bot);
        bot = next;
    }
}

struct rb_bot *rb_bot_of(struct rb_net *net, const json_t *channel)
{
    void **bots = rb_net_kept(net, bots_free);
    char key[RB_HEX_SIZE], *text = rb_json_canonical(channel);
    rb_hash_hex(text ? text : "", text ? strlen(text) : 0, key);
    free(text);
    for (struct rb_bot *bot = *bots; bot; bot = bot->next) {
        if (strcmp(bot->key, key) == 0) {
            return bot;
        }
    }
    struct rb_bot *bot = rb_xcalloc(1, sizeof *bot);
    memcpy(bot->key, key, sizeof key);
    bot->next = *bots;
    *bots = bot;
    return bot;
}

int64_t rb_bot_wait_ns(const struct rb_bot *bot, const struct rb_notify_kind *kind)
{
    int64_t ahead = (int64_t)(kind->every * (kind->burst - 1) * 1e9);
    int64_t wait = bot->busy_until_ns - ahead - rb_clock_mono_ns();
    return wait > 0 ? wait : 0;
}

void rb_bot_take(struct rb_bot *bot, const struct rb_notify_kind *kind)
{
    int64_t now = rb_clock_mono_ns(), from = bot->busy_until_ns > now ? bot->busy_until_ns : now;
    bot->busy_until_ns = from + (int64_t)(kind->every * 1e9);
}
