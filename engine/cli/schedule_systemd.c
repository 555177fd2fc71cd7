/* runbook schedule export systemd: the same schedules as timer units, for hosts where systemd shall keep the
 * time. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/schedule.h"

/* "*" for all, else "1,2,5", each as two digits. */
static void put_set(struct rb_buf *out, uint64_t set, int min, int max)
{
    uint64_t all = ((UINT64_C(2) << max) - 1) & ~((UINT64_C(1) << min) - 1);
    const char *comma = "";
    if ((set & all) == all) {
        rb_buf_adds(out, "*");
        return;
    }
    for (int i = min; i <= max; i++) {
        if (set >> i & 1) {
            rb_buf_addf(out, "%s%02d", comma, i);
            comma = ",";
        }
    }
}

static void put_weekdays(struct rb_buf *out, uint64_t set)
{
    static const char *const names[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    const char *comma = "";
    for (int i = 0; (set & 0x7f) != 0x7f && i < 7; i++) {
        if (set >> i & 1) {
            rb_buf_addf(out, "%s%s", comma, names[i]);
            comma = ",";
        }
    }
    rb_buf_adds(out, comma[0] != '\0' ? " " : "");
}

static void put_calendar(struct rb_buf *out, const struct rb_schedule *s, uint64_t days, uint64_t weekdays)
{
    const char *tz = rb_json_str(s->fields, "tz", "");
    rb_buf_adds(out, "OnCalendar=");
    put_weekdays(out, weekdays);
    rb_buf_adds(out, "*-");
    put_set(out, s->cron.months, 1, 12);
    rb_buf_adds(out, "-");
    put_set(out, days, 1, 31);
    rb_buf_adds(out, " ");
    put_set(out, s->cron.hours, 0, 23);
    rb_buf_adds(out, ":");
    put_set(out, s->cron.minutes, 0, 59);
    rb_buf_addf(out, ":00%s%s\n", tz[0] != '\0' ? " " : "", tz);
}

/* Either day is enough: systemd knows only "and", so that is two lines. */
static void put_when(struct rb_buf *out, const struct rb_schedule *s)
{
    if (s->every != 0) {
        rb_buf_addf(out, "OnActiveSec=%llds\nOnUnitActiveSec=%llds\n", (long long)s->every, (long long)s->every);
    } else if (s->cron.either) {
        put_calendar(out, s, s->cron.days, 0x7f);
        put_calendar(out, s, UINT64_MAX, s->cron.weekdays);
    } else {
        put_calendar(out, s, s->cron.days, s->cron.weekdays);
    }
}

/* Words of ExecStart: % and $ mean something to systemd. */
static void put_word(struct rb_buf *out, const char *word)
{
    rb_buf_adds(out, " \"");
    for (const char *p = word; *p != '\0'; p++) {
        rb_buf_addf(out, "%s%c",
                    *p == '%' || *p == '$'    ? (*p == '%' ? "%" : "$")
                    : *p == '"' || *p == '\\' ? "\\"
                                              : "",
                    *p);
    }
    rb_buf_adds(out, "\"");
}

static void put_units(struct rb_cli *c, const struct rb_schedule *s, struct rb_buf *out)
{
    char unit[512];
    json_t *argv = rb_cli_repeat(c), *word;
    size_t i;
    snprintf(unit, sizeof unit, "runbook-%.400s", s->name);
    for (char *p = unit; *p != '\0'; p++) {
        *p = *p == '/' ? '-' : *p;
    }
    rb_buf_addf(out, "# %s.timer\n[Unit]\nDescription=runbook schedule %s\n\n[Timer]\n", unit, s->name);
    put_when(out, s);
    rb_buf_addf(out, "Persistent=%s\n", s->once ? "true" : "false");
    if (s->jitter != 0) {
        rb_buf_addf(out, "RandomizedDelaySec=%llds\nFixedRandomDelay=true\n", (long long)s->jitter);
    }
    rb_buf_addf(out, "\n[Install]\nWantedBy=timers.target\n\n# %s.service\n[Unit]\nDescription=runbook schedule %s\n\n",
                unit, s->name);
    rb_buf_adds(out, "[Service]\nType=oneshot\nSuccessExitStatus=3\nExecStart=");
    json_array_foreach(argv, i, word) {
        put_word(out, json_string_value(word));
    }
    rb_buf_adds(out, " schedule run");
    put_word(out, s->name);
    rb_buf_adds(out, " --no-input\n\n");
    json_decref(argv);
}

int rb_schedule_export(struct rb_cli *c)
{
    struct rb_err err = {0};
    struct rb_cli_schedules s = {0};
    struct rb_buf out;
    rb_buf_init(&out, 64u << 20);
    int rc = c->nargs >= 2 && strcmp(c->args[1], "systemd") == 0
                 ? 0
                 : rb_err_set(&err, RB_EUSAGE, RB_T_schedule_export_what);
    if (rc == 0) {
        c->args++; /* names follow one word later */
        c->nargs--;
        rc = rb_cli_schedules(c, &s, false, &err);
    }
    rc = rc != 0 ? rc : rb_cli_schedule_names(c, &s, &err);
    for (size_t i = 0; rc == 0 && i < s.all->count; i++) {
        const struct rb_schedule *one = &s.all->list[i];
        if (rb_cli_schedule_wanted(c, one) && one->problem.code == 0) {
            put_units(c, one, &out);
        }
    }
    if (rc == 0) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s", rb_buf_str(&out));
    }
    rb_buf_deinit(&out);
    rb_cli_schedules_close(&s);
    return rc != 0 ? rb_cli_fail(c, &err) : 0;
}
