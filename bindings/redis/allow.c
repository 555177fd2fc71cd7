#include "redis/allow.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

/* Commands with subcommands are decided here alone, pair by pair: a server before Redis 7 marks only the
 * whole
 * ("memory" is read-only for it, and MEMORY PURGE with it). sub NULL: the command without any. */
static const struct {
    const char *name, *sub;
} questions[] = {
    {"ping", NULL},
    {"echo", NULL},
    {"info", NULL},
    {"time", NULL},
    {"lastsave", NULL},
    {"role", NULL},
    {"command", ""},
    {"command", "count"},
    {"command", "info"},
    {"command", "list"},
    {"command", "docs"},
    {"command", "getkeys"},
    {"client", "list"},
    {"client", "info"},
    {"client", "id"},
    {"client", "getname"},
    {"config", "get"},
    {"slowlog", "get"},
    {"slowlog", "len"},
    {"latency", "latest"},
    {"latency", "history"},
    {"latency", "doctor"},
    {"latency", "graph"},
    {"latency", "histogram"},
    {"memory", "usage"},
    {"memory", "stats"},
    {"memory", "doctor"},
    {"memory", "malloc-stats"},
    {"object", "encoding"},
    {"object", "freq"},
    {"object", "idletime"},
    {"object", "refcount"},
    {"xinfo", "stream"},
    {"xinfo", "groups"},
    {"xinfo", "consumers"},
    {"pubsub", "channels"},
    {"pubsub", "numsub"},
    {"pubsub", "numpat"},
    {"cluster", "info"},
    {"cluster", "nodes"},
    {"cluster", "slots"},
    {"cluster", "shards"},
    {"cluster", "myid"},
    {"cluster", "keyslot"},
    {"cluster", "countkeysinslot"},
    {"cluster", "getkeysinslot"},
    {"module", "list"},
    {"acl", "whoami"},
    {"acl", "cat"},
    {"sentinel", "masters"},
    {"sentinel", "master"},
    {"sentinel", "replicas"},
    {"sentinel", "sentinels"},
    {"sentinel", "get-master-addr-by-name"},
    {"sentinel", "ckquorum"},
};

/* Marked read-only by servers, and yet not for looking: scripts can hold a server for long, KEYS holds it
 * while it walks all keys (scan does not), TOUCH is there to change what will be evicted, PFCOUNT keeps its
 * answer in the key and replicates that. */
static const char *const never[] = {"eval",   "evalsha",  "eval_ro", "evalsha_ro", "fcall",  "fcall_ro",
                                    "script", "function", "keys",    "touch",      "pfcount"};

static const char *const changes_link[] = {
    "auth",  "hello",   "select",       "reset",      "quit",       "multi",       "exec",         "discard",
    "watch", "unwatch", "subscribe",    "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "monitor",
    "sync",  "psync",   "sunsubscribe", "replconf",   "asking",     "readonly",    "readwrite"};
static const char *const changes_link_client[] = {"reply",   "tracking", "caching", "setname",
                                                  "setinfo", "no-evict", "no-touch"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool is_in(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum rb_redis_verdict rb_redis_judge(const struct rb_redis_name *name)
{
    bool known = false;
    if (is_in(name->name, never, COUNT(never))) {
        return RB_REDIS_NO;
    }
    for (size_t i = 0; i < COUNT(questions); i++) {
        if (strcmp(name->name, questions[i].name) == 0) {
            known = true;
            if (!questions[i].sub || strcmp(name->sub, questions[i].sub) == 0) {
                return RB_REDIS_YES;
            }
        }
    }
    return known ? RB_REDIS_NO : RB_REDIS_ASK_SERVER;
}

static bool has_flag(const json_t *command, const char *flag)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_array_get(command, 2), i, one) {
        const char *text = json_string_value(one);
        if (text && strcmp(text, flag) == 0) {
            return true;
        }
    }
    return false;
}

/* [the command, its subcommand or null]. A command with subcommands says nothing for them. */
bool rb_redis_is_readonly(const json_t *info)
{
    const json_t *command = json_array_get(info, 0), *sub = json_array_get(info, 1);
    if (!json_is_array(sub) && json_array_size(json_array_get(command, 9)) > 0) {
        return false;
    }
    const json_t *one = json_is_array(sub) ? sub : command;
    return has_flag(one, "readonly");
}

bool rb_redis_keeps_link(const struct rb_redis_name *name)
{
    bool client = strcmp(name->name, "client") == 0;
    return !is_in(name->name, changes_link, COUNT(changes_link)) &&
           !(client && is_in(name->sub, changes_link_client, COUNT(changes_link_client)));
}

static bool is_secret(const char *setting)
{
    return strcasestr(setting, "pass") || strcasestr(setting, "auth") || strcasestr(setting, "secret");
}

void rb_redis_mask(const struct rb_redis_name *name, json_t *reply)
{
    if (strcmp(name->name, "config") != 0 || strcmp(name->sub, "get") != 0) {
        return;
    }
    for (size_t i = 0; i + 1 < json_array_size(reply); i += 2) {
        const char *setting = json_string_value(json_array_get(reply, i));
        const char *value = json_string_value(json_array_get(reply, i + 1));
        if (setting && is_secret(setting) && (!value || *value)) {
            json_array_set_new(reply, i + 1, json_string("***"));
        }
    }
}
