/* runbook version. */
#include "cli/commands.h"

int rb_cmd_version(struct rb_cli *c)
{
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:s}", "schema", "runbook.version/1", "version", RUNBOOK_VERSION));
    } else {
        rb_put(c, RB_OUT, RB_PLAIN, "runbook %s\n", RUNBOOK_VERSION);
    }
    return 0;
}
