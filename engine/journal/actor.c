/* Who acts, as far as the system knows. */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "journal/private.h"

static void put(json_t *actor, const char *key, const char *value)
{
    if (value && value[0]) {
        (void)json_object_set_new(actor, key, rb_json_bytes(value, strlen(value)));
    }
}

static void put_login(json_t *actor)
{
    char buffer[4096];
    struct passwd pw, *found = NULL;
    if (getpwuid_r(getuid(), &pw, buffer, sizeof buffer, &found) == 0 && found) {
        put(actor, "login", pw.pw_name);
    }
}

static void put_tty(json_t *actor)
{
    char name[128];
    for (int fd = 0; fd < 3; fd++) {
        if (ttyname_r(fd, name, sizeof name) == 0) {
            put(actor, "tty", name);
            return;
        }
    }
}

/* The user that logged in, kept by the kernel across su and sudo; 4294967295 = none. */
static void put_audit_uid(json_t *actor)
{
    struct rb_buf text;
    rb_buf_init(&text, 32);
    if (rb_files_read("/proc/self/loginuid", 32, 0, &text, NULL) == 0 && text.len) {
        unsigned long uid = strtoul(text.data, NULL, 10);
        if (uid < 4294967295UL) {
            (void)json_object_set_new(actor, "login_uid", json_integer((json_int_t)uid));
        }
    }
    rb_buf_deinit(&text);
}

/* Anybody may set it: it can only show that two are one person, never that they are two. */
static void put_sudo_uid(json_t *actor)
{
    const char *text = getenv("SUDO_UID");
    char *end = NULL;
    unsigned long uid = text ? strtoul(text, &end, 10) : 0;
    if (text && text[0] && !*end) {
        (void)json_object_set_new(actor, "sudo_uid", json_integer((json_int_t)uid));
    }
}

json_t *rb_journal_actor_find(void)
{
    char host[256] = "";
    json_t *actor = json_pack("{s:I,s:I}", "uid", (json_int_t)getuid(), "pid", (json_int_t)getpid());
    RB_REQUIRE(actor);
    put_login(actor);
    put_audit_uid(actor);
    put(actor, "sudo", getenv("SUDO_USER"));
    put_sudo_uid(actor);
    put_tty(actor);
    put(actor, "ssh", getenv("SSH_CONNECTION"));
    if (gethostname(host, sizeof host - 1) == 0) {
        put(actor, "host", host);
    }
    return actor;
}

void rb_journal_actor_set(struct rb_journal *j, const json_t *actor)
{
    char *text = rb_json_canonical(actor);
    RB_REQUIRE(text);
    free(j->actor);
    j->actor = text;
}
