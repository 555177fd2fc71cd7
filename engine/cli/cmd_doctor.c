/* runbook doctor: where everything is, and whether this machine has what we need. */
#include <errno.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <lua.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/doctor.h"
#include "journal/journal.h"

#define FREE_WANTED (64LL << 20)

void rb_doctor_item(struct doctor *d, const char *name, const char *label, enum rb_style style, const char *value)
{
    const char *state = style == RB_BAD ? "error" : style == RB_WARN ? "warning" : "ok";
    const char *clean = rb_word(d->c, value);
    json_array_append_new(d->items, json_pack("{s:s, s:s, s:s}", "name", name, "state", state, "value", clean));
    d->bad = d->bad || style == RB_BAD;
    if (d->c->format != RB_FORMAT_JSON) {
        rb_put_mark(d->c, RB_OUT, style);
        rb_put(d->c, RB_OUT, RB_PLAIN, "%s  %s\n", rb_word_pad(d->c, label, 14), clean);
    }
}

static void look_at_paths(struct doctor *d)
{
    char path[PATH_MAX];
    struct rb_err err = {0};
    int rc = rb_files_state_dir(path, &err);
    rb_doctor_item(d, "state", TX(doctor_state), rc == 0 ? RB_GOOD : RB_BAD, rc == 0 ? path : err.text);
    rc = rb_files_cache_dir(path, &err);
    rb_doctor_item(d, "cache", TX(doctor_cache), rc == 0 ? RB_GOOD : RB_WARN, rc == 0 ? path : err.text);
    rc = rb_files_config_dir(path, &err);
    rb_doctor_item(d, "config", TX(doctor_config), rc == 0 ? RB_GOOD : RB_WARN, rc == 0 ? path : err.text);
}

static void look_at_journal(struct doctor *d)
{
    char path[PATH_MAX], text[PATH_MAX + 128], size[RB_TIME_MAX];
    struct rb_err err = {0};
    struct stat st;
    struct statvfs fs;
    if (rb_journal_default_path(path, sizeof path, &err) != 0 || rb_cli_journal(d->c, true, &err) != 0) {
        rb_doctor_item(d, "journal", TX(doctor_journal), RB_BAD, err.text);
        return;
    }
    if (d->c->instead != NULL) {
        rb_doctor_item(d, "journal", TX(doctor_journal), RB_BAD, d->c->instead);
        return;
    }
    rb_size_format(stat(path, &st) == 0 ? (int64_t)st.st_size : 0, size);
    snprintf(text, sizeof text, "%s  %s", path, size);
    rb_doctor_item(d, "journal", TX(doctor_journal), RB_GOOD, text);
    char *slash = strrchr(path, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    if (statvfs(path, &fs) == 0) {
        int64_t bytes = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
        rb_size_format(bytes, size);
        snprintf(text, sizeof text, TX(doctor_free_on), size, path);
        rb_doctor_item(d, "space", TX(doctor_space), bytes < FREE_WANTED ? RB_WARN : RB_GOOD, text);
    }
}

static bool same_disk(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev;
}

/* It is needed on a bad day: whether it can be written is tried today. */
static void look_at_second(struct doctor *d)
{
    char path[PATH_MAX + 16], text[PATH_MAX + 256];
    struct rb_err err = {0};
    struct rb_journal *second = NULL;
    const char *folder = d->c->record;
    if (folder == NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/journal.db", folder);
    int rc = access(folder, F_OK) == 0 ? 0 : rb_err_set(&err, RB_EJOURNAL, RB_T_cli_record_no_folder, folder);
    rc = rc != 0 ? rc : rb_journal_open(&second, path, &err);
    rc = rc != 0 ? rc : rb_journal_try(second, &err);
    rb_journal_close(second);
    bool same =
        rc == 0 && d->c->journal != NULL && d->c->instead == NULL && same_disk(rb_journal_path(d->c->journal), path);
    snprintf(text, sizeof text, same ? TX(doctor_record_same) : "%s", rc != 0 ? err.text : path);
    rb_doctor_item(d, "record", TX(doctor_record), rc != 0 ? RB_BAD : same ? RB_WARN : RB_GOOD, text);
}

static void look_at_kernel(struct doctor *d)
{
    struct utsname u;
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    bool notify = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    long fd = syscall(SYS_pidfd_open, getpid(), 0);
    rb_doctor_item(d, "kernel", TX(doctor_kernel), RB_GOOD, uname(&u) == 0 ? u.release : "?");
    rb_doctor_item(d, "seccomp_notify", TX(doctor_notify), notify ? RB_GOOD : RB_BAD,
                   notify ? TX(yes) : TX(doctor_no_notify));
    rb_doctor_item(d, "pidfd", TX(doctor_pidfd), fd >= 0 ? RB_GOOD : RB_BAD, fd >= 0 ? TX(yes) : TX(no));
    if (fd >= 0) {
        close((int)fd);
    }
}

static void look_at_libraries(struct doctor *d)
{
    char text[256];
    snprintf(text, sizeof text, "%s, libuv %s, SQLite %s, jansson %s", LUA_RELEASE, uv_version_string(),
             sqlite3_libversion(), jansson_version_str());
    rb_doctor_item(d, "version", TX(doctor_version), RB_GOOD, RUNBOOK_VERSION);
    rb_doctor_item(d, "libraries", TX(doctor_libraries), RB_GOOD, text);
}

/* Where a file's id begins: its folder without the part that is in the id. */
static void root_of(const json_t *entry, char out[PATH_MAX])
{
    const char *file = rb_json_str(entry, "file", ""), *id = rb_json_str(entry, "id", "");
    size_t len = strlen(file), tail = strlen(id) + 5; /* "/" id ".lua" */
    snprintf(out, PATH_MAX, "%.*s", (int)(len > tail ? len - tail : len), file);
}

static void look_at_runbooks(struct doctor *d)
{
    struct rb_err err = {0};
    const json_t *loaded = NULL;
    json_t *counts = json_object(), *count;
    char root[PATH_MAX], text[128];
    const char *folder;
    size_t i;
    int broken = 0;
    json_t *entry;
    if (rb_cli_catalog_load(d->c, &loaded, &err) != 0) {
        rb_doctor_item(d, "runbooks", TX(doctor_runbooks), RB_BAD, err.text);
    }
    json_array_foreach((json_t *)loaded, i, entry) {
        root_of(entry, root);
        broken += strcmp(rb_json_str(entry, "status", ""), "broken") == 0;
        json_object_set_new(counts, root, json_integer(rb_json_int(counts, root, 0) + 1));
    }
    json_object_foreach(counts, folder, count) {
        char line[PATH_MAX + 64];
        snprintf(text, sizeof text, rb_text_n(RB_T_cli_doctor_count, json_integer_value(count)),
                 (int)json_integer_value(count));
        snprintf(line, sizeof line, "%s  %s", folder, text);
        rb_doctor_item(d, "runbooks", TX(doctor_runbooks), RB_GOOD, line);
    }
    if (broken > 0) {
        snprintf(text, sizeof text, TX(doctor_broken), broken);
        rb_doctor_item(d, "broken", TX(doctor_runbooks), RB_WARN, text);
    }
    json_decref(counts);
}

static void look_at_clock(struct doctor *d)
{
    char now[RB_TIME_MAX], text[128], zone[16] = "";
    struct tm tm;
    time_t seconds = (time_t)(rb_clock_utc_us() / 1000000);
    rb_clock_format(rb_clock_utc_us(), 0, now);
    if (localtime_r(&seconds, &tm) != NULL) {
        (void)strftime(zone, sizeof zone, "%Z %z", &tm); /* empty when it has no name */
    }
    snprintf(text, sizeof text, "%s  %s", now, zone);
    /* A machine that thinks it is before 2024 has lost its clock. */
    rb_doctor_item(d, "clock", TX(doctor_clock), seconds < 1704067200 ? RB_BAD : RB_GOOD, text);
}

int rb_cmd_doctor(struct rb_cli *c)
{
    struct doctor d = {.c = c, .items = json_array()};
    look_at_libraries(&d);
    look_at_paths(&d);
    look_at_journal(&d);
    look_at_second(&d);
    look_at_kernel(&d);
    rb_doctor_item(&d, "language", TX(doctor_language), RB_GOOD, rb_text_lang() == RB_LANG_ZH ? "zh" : "en");
    look_at_clock(&d);
    look_at_runbooks(&d);
    rb_doctor_config(&d);
    if (c->format == RB_FORMAT_JSON) {
        rb_put_json(c, json_pack("{s:s, s:b, s:O}", "schema", "runbook.doctor/1", "ok", !d.bad, "items", d.items));
    }
    json_decref(d.items);
    return d.bad ? 1 : 0;
}
