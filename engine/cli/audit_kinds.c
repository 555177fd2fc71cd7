/* What each kind of event says in one line, and whether it is of interest without -v. */
#include <string.h>

#include "base/json.h"
#include "cli/audit_kinds.h"
#include "report/report.h"

static void say_block(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    const char *id = rb_json_str(body, "fix", rb_json_str(body, "id", "")), *key = rb_json_str(body, "key", "");
    (void)c;
    rb_buf_addf(out, "%s%s%s", id, key[0] != '\0' ? "/" : "", key);
}

static void say_started(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    (void)c;
    rb_buf_addf(out, "%s  %s", rb_json_str(body, "runbook", "?"), rb_json_str(body, "mode", ""));
}

static void say_ended(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    rb_buf_adds(out, rb_result_word(c, rb_json_str(body, "result", "?")));
}

static void say_answer(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    say_block(c, body, out);
    rb_buf_addf(out, "  %s (%s)", rb_report_word("report_a", rb_json_str(body, "answer", "?")),
                rb_report_word("report_h", rb_json_str(body, "how", "?")));
}

static void say_block_ended(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    rb_buf_addf(out, "%s ", rb_json_str(body, "phase", ""));
    say_block(c, body, out);
    rb_buf_addf(out, "  %s", rb_json_str(body, "result", "?"));
}

static void say_call(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    rb_buf_addf(out, "%s%s", rb_effect_line(c, body),
                json_is_false(json_object_get(body, "ok")) ? TX(audit_failed) : "");
}

static void say_resolved(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    const char *said = rb_json_bool(body, "done", false) ? "said_done" : "said_not_done";
    rb_buf_addf(out, "%s  %s  %s", rb_effect_line(c, body), rb_report_word("report_r", said),
                rb_json_str(body, "reason", ""));
}

static void say_approval(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    const json_t *yes = json_object_get(body, "yes");
    const char *reason = rb_json_str(body, "reason", "");
    (void)c;
    rb_buf_addf(out, "%s%s%s%s%s", rb_json_str(body, "id", "?"), yes != NULL ? "  " : "",
                yes == NULL ? "" : rb_report_word("report_a", json_is_true(yes) ? "yes" : "no"), *reason ? "  " : "",
                reason);
}

static void say_plan_used(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    (void)c;
    rb_buf_adds(out, rb_json_str(body, "plan", "?"));
}

static void say_schedule(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    (void)c;
    rb_buf_addf(out, "%s  %s", rb_json_str(body, "schedule", "?"), rb_json_str(body, "reason", ""));
}

static void say_escalated(struct rb_cli *c, const json_t *body, struct rb_buf *out)
{
    (void)c;
    rb_buf_addf(out, "%s  %s", rb_json_str(body, "schedule", rb_json_str(body, "runbook", "?")),
                rb_json_str(body, "severity", "?"));
}

static bool always(const json_t *body)
{
    (void)body;
    return true;
}

static bool never(const json_t *body)
{
    (void)body;
    return false;
}

static bool wrote(const json_t *body)
{
    return strcmp(rb_json_str(body, "effect", "read"), "write") == 0;
}

/* The first that fits; one with a point at its end stands for all that begin so. What somebody decided or changed is of
 * interest; the rest is in `runbook logs`. */
static const struct rb_audit_kind kinds[] = {
    {"run.started", always, say_started},
    {"run.ended", always, say_ended},
    {"run.", always, say_block},
    {"confirm.answered", always, say_answer},
    {"block.ended", always, say_block_ended},
    {"plan", always, say_block},
    {"plan.used", always, say_plan_used},
    {"approval.", always, say_approval},
    {"call.intent", always, say_call},
    {"call.outcome", wrote, say_call},
    {"call.resolved", always, say_resolved},
    {"call.", never, say_call},
    {"schedule.", always, say_schedule},
    {"service.", always, say_block},
    {"escalated", always, say_escalated},
    {"pruned", always, say_block},
    {"", never, say_block},
};

const struct rb_audit_kind *rb_audit_kind(const char *name)
{
    const struct rb_audit_kind *k = kinds;
    for (size_t len; len = strlen(k->name), len > 0; k++) {
        if (k->name[len - 1] == '.' ? strncmp(k->name, name, len) == 0 : strcmp(k->name, name) == 0) {
            return k;
        }
    }
    return k;
}
