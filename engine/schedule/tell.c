#include "schedule/tell.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* Each message is a target of its own: one that is on its way, or of which nobody knows whether it arrived, keeps no
 * other. */
static const char runbook[] =
    "runbook \"runbook/tell\" { title = { zh = \"通知\", en = \"tell people\" }, severity = \"P4\", target = \"{channel} {letter}\" }\n"
    "param \"letter\" { type = \"string\", title = { zh = \"编号\", en = \"number\" }, required = true }\n"
    "param \"channel\" { type = \"string\", title = { zh = \"渠道\", en = \"channel\" }, required = true }\n"
    "param \"message\" { type = \"string\", title = { zh = \"消息\", en = \"message\" }, required = true }\n"
    "step \"tell\" {\n"
    "  title = { zh = \"发给 {channel}\", en = \"tell {channel}\" }, risk = \"low\",\n"
    "  run = function(p) notify(p.channel, json.decode(p.message)) end,\n"
    "}\n";

int rb_tell(const struct rb_engine *engine, const struct rb_tell *tell, const struct rb_run_view *view, void *user,
            struct rb_err *err)
{
    struct rb_run *run;
    char *text = json_dumps(tell->message, JSON_COMPACT), sha[RB_HEX_SIZE], letter[RB_ID_MAX];
    rb_id_new('l', letter);
    rb_hash_hex(runbook, strlen(runbook), sha);
    json_t *file = json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "id", "runbook/tell", "file", "runbook/tell.lua",
                             "sha256", sha, "files", "role", "runbook", "path", "runbook/tell.lua", "text", runbook);
    json_t *params = json_pack("{s:s, s:s, s:s}", "letter", letter, "channel", tell->channel, "message", text);
    const struct rb_run_options o = {.file = file,
                                     .params = params,
                                     .allow = "low",
                                     .actor = tell->actor,
                                     .config = tell->config,
                                     .no_input = true,
                                     .repeat = tell->repeat};
    int rc = rb_run_start(&run, engine, &o, view, user, err);
    free(text);
    json_decref(file);
    json_decref(params);
    return rc;
}
