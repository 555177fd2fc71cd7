#include "process/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process/shape.h"

struct head {
    int entry, access, umask;
    int terminal, lasting; /* no bool: what has no gaps can be compared byte by byte */
    unsigned argc, envc, sockets;
    struct rb_child_limits limits;
};

extern char **environ;

/* What commands need to find programs, files, a language and a session. Tokens, passwords and proxies with
 * passwords live in all other variables; a command gets those by name, in its own env. */
static const char *const inherited[] = {
    "PATH", "HOME",     "USER",   "LOGNAME", "SHELL",           "TZ",
    "LANG", "LANGUAGE", "TMPDIR", "TERM",    "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"};

bool rb_child_inherits(const char *variable)
{
    size_t len = strcspn(variable, "=");
    for (size_t i = 0; i < sizeof(inherited) / sizeof(*inherited); i++) {
        if (strlen(inherited[i]) == len && memcmp(variable, inherited[i], len) == 0) {
            return true;
        }
    }
    return strncmp(variable, "LC_", 3) == 0;
}

static unsigned add_list(struct rb_buf *b, const char *const *list, bool filter, int *rc)
{
    unsigned n = 0;
    for (; list && *list && *rc == 0; list++) {
        if (!filter || rb_child_inherits(*list)) {
            *rc = rb_buf_add(b, *list, strlen(*list) + 1);
            n++;
        }
    }
    return n;
}

static int find_entry(const char *name, const struct rb_entry *entries, size_t count)
{
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int rb_task_store(const struct rb_buf *task, int *fd)
{
    *fd = memfd_create("runbook-task", MFD_CLOEXEC);
    if (*fd < 0) {
        return -errno;
    }
    for (size_t at = 0; at < task->len;) {
        ssize_t n = write(*fd, task->data + at, task->len - at);
        if (n < 0 && errno != EINTR) {
            int rc = -errno;
            (void)close(*fd);
            *fd = -1;
            return rc;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int check(const struct rb_child_spec *spec, int entry, struct rb_err *err)
{
    if (spec->entry && entry < 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_process_no_entry, spec->entry);
    }
    if (!spec->entry && (!spec->argv || !spec->argv[0] || !spec->argv[0][0])) {
        return rb_err_set(err, RB_EUSAGE, RB_T_process_no_command);
    }
    return 0;
}

/* A command of the table runs with its own program and environment, and never with one that was given, nor in a
 * terminal. */
static const struct rb_shape *shape_of(const struct rb_child_spec *spec)
{
    bool may = !spec->entry && !spec->env && spec->access == RB_CHILD_READ && spec->rows == 0 && !spec->lasting;
    const struct rb_shape *shape = may ? rb_shape_of(spec->argv) : NULL;
    return shape && rb_shape_is_trusted(shape->program) ? shape : NULL;
}

int rb_task_encode(const struct rb_child_spec *spec, const struct rb_entry *entries, size_t count, struct rb_buf *out,
                   struct rb_err *err)
{
    struct head head = {.entry = find_entry(spec->entry, entries, count), .access = (int)spec->access};
    head.terminal = spec->rows > 0;
    head.lasting = spec->lasting;
    head.umask = spec->umask ? (int)(*spec->umask & 0777) : -1;
    head.limits = spec->limits ? *spec->limits : head.limits;
    rb_buf_init(out, RB_TASK_MAX);
    int rc = check(spec, head.entry, err);
    if (rc != 0) {
        return rc;
    }
    const char *cwd = spec->cwd ? spec->cwd : "/", *log = spec->log ? spec->log : "";
    const struct rb_shape *shape = shape_of(spec);
    const char *const *env = shape ? rb_shape_env : spec->env ? spec->env : (const char *const *)environ;
    const char *const program[] = {shape ? shape->program : NULL, NULL};
    rc = rb_buf_add(out, &head, sizeof(head));
    rc = rc ? rc : rb_buf_add(out, cwd, strlen(cwd) + 1);
    rc = rc ? rc : rb_buf_add(out, log, strlen(log) + 1);
    head.argc = add_list(out, program, false, &rc);
    head.argc += add_list(out, spec->argv + (shape ? 1 : 0), false, &rc);
    head.envc = add_list(out, env, spec->env == NULL, &rc);
    head.sockets = add_list(out, shape ? shape->sockets : NULL, false, &rc);
    if (rc != 0) {
        rb_buf_deinit(out);
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_process_too_long, RB_TASK_MAX / 1024);
    }
    memcpy(out->data, &head, sizeof(head));
    return 0;
}

static char **split(char **at, char *end, unsigned n)
{
    char **list = calloc((size_t)n + 1, sizeof(char *));
    for (unsigned i = 0; list && i < n && *at < end; i++) {
        list[i] = *at;
        *at += strlen(*at) + 1;
    }
    return list;
}

int rb_task_read(int fd, struct rb_task *task)
{
    struct stat st;
    struct head head;
    if (fstat(fd, &st) != 0) {
        return -errno;
    }
    size_t len = (size_t)st.st_size;
    if (len <= sizeof(head) || len > RB_TASK_MAX) {
        return -EPROTO;
    }
    task->bytes = malloc(len + 1);
    if (!task->bytes) {
        return -ENOMEM;
    }
    if (pread(fd, task->bytes, len, 0) != (ssize_t)len) {
        return -EIO; /* an anonymous file is read whole or not at all */
    }
    task->bytes[len] = '\0';
    memcpy(&head, task->bytes, sizeof(head));
    char *at = task->bytes + sizeof(head), *end = task->bytes + len;
    task->cwd = at;
    at += strlen(at) + 1;
    task->log = at;
    at += strlen(at) + 1;
    task->argv = split(&at, end, head.argc);
    task->env = split(&at, end, head.envc);
    task->sockets = split(&at, end, head.sockets);
    task->entry = head.entry;
    task->access = (enum rb_child_access)head.access;
    task->terminal = head.terminal;
    task->lasting = head.lasting;
    task->umask = head.umask;
    task->limits = head.limits;
    return task->argv && task->env && task->sockets ? 0 : -ENOMEM;
}

void rb_task_free(struct rb_task *task)
{
    free(task->argv);
    free(task->env);
    free(task->sockets);
    free(task->bytes);
}
