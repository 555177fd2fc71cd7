#include "system/open_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "system/process_info.h"

static int compare(const void *a, const void *b)
{
    const struct rb_open_file *x = a, *y = b;

    return x->dev != y->dev ? (x->dev > y->dev) - (x->dev < y->dev) : (x->ino > y->ino) - (x->ino < y->ino);
}

static bool add_fd(pid_t pid, const char *path, void *user)
{
    struct rb_open_files *open = user;
    struct stat st;

    (void)pid;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return true;
    }
    if (open->count == open->cap) {
        size_t cap = open->cap ? 2 * open->cap : 1024;
        void *list = realloc(open->list, cap * sizeof *open->list);
        if (!list) {
            return false;
        }
        open->list = list;
        open->cap = cap;
    }
    open->list[open->count++] = (struct rb_open_file){st.st_dev, st.st_ino};
    return true;
}

static bool add_process(pid_t pid, void *user)
{
    (void)rb_proc_each_fd(pid, add_fd, user); /* one that cannot be looked into is left out */
    return true;
}

void rb_open_files_read(struct rb_open_files *open)
{
    *open = (struct rb_open_files){0};
    (void)rb_proc_each(add_process, open);
    if (open->count > 0) {
        qsort(open->list, open->count, sizeof *open->list, compare);
    }
}

bool rb_open_files_has(const struct rb_open_files *open, const struct stat *st)
{
    struct rb_open_file key = {st->st_dev, st->st_ino};

    return open->count > 0 && bsearch(&key, open->list, open->count, sizeof key, compare) != NULL;
}

void rb_open_files_free(struct rb_open_files *open)
{
    free(open->list);
    *open = (struct rb_open_files){0};
}

/* ---- deleted ---- */

struct search {
    json_t *found;
    dev_t device;
    bool any_device;
    int hidden;
};

/* The same file by several descriptors of a process is one. */
static bool is_known(const json_t *found, pid_t pid, const struct stat *st)
{
    const json_t *one;
    size_t i;

    json_array_foreach(found, i, one) {
        if (rb_json_int(one, "pid", 0) == pid && rb_json_int(one, "inode", 0) == (json_int_t)st->st_ino &&
            rb_json_int(one, "dev", 0) == (json_int_t)st->st_dev) {
            return true;
        }
    }
    return false;
}

static bool on_fd(pid_t pid, const char *path, void *user)
{
    struct search *search = user;
    struct rb_proc proc;
    struct stat st;
    char target[4096], service[128];
    const char *fd = strrchr(path, '/');
    ssize_t len;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink > 0 || st.st_blocks == 0 ||
        (!search->any_device && st.st_dev != search->device) || is_known(search->found, pid, &st) ||
        rb_proc_read(pid, &proc) != 0) {
        return true;
    }
    len = readlink(path, target, sizeof target);
    if (len <= 0 || strncmp(target, "/memfd:", 7) == 0) {
        return true; /* memory, not disk */
    }
    json_t *one = json_pack(
        "{s:i, s:I, s:o, s:o, s:I, s:i, s:I, s:I}", "pid", (int)pid, "started", (json_int_t)proc.started, "command",
        rb_proc_command(&proc), "path", rb_json_bytes(target, (size_t)len), "bytes", (json_int_t)st.st_blocks * 512,
        "fd", (int)strtol(fd ? fd + 1 : "-1", NULL, 10), "inode", (json_int_t)st.st_ino, "dev", (json_int_t)st.st_dev);
    if (rb_proc_service(pid, service, sizeof service)) {
        json_object_set_new(one, "service", json_string(service));
    }
    json_array_append_new(search->found, one);
    return true;
}

static bool on_process(pid_t pid, void *user)
{
    struct search *search = user;

    search->hidden += rb_proc_each_fd(pid, on_fd, search) != 0;
    return true;
}

json_t *rb_open_files_deleted(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = json_object_get(args, "path") ? rb_bind_path(args, "path", err) : NULL;
    struct search search = {.any_device = !json_object_get(args, "path")};
    struct stat st;

    (void)work;
    if (!search.any_device) {
        if (!path || stat(path, &st) != 0) {
            if (path) {
                rb_err_errno(err, errno, "%s", path);
            }
            return NULL;
        }
        search.device = st.st_dev;
    }
    search.found = json_array();
    if (rb_proc_each(on_process, &search) != 0) {
        json_decref(search.found);
        rb_err_set(err, RB_EDENIED, RB_T_bindings_no_proc);
        return NULL;
    }
    return json_pack("{s:o, s:i}", "deleted", search.found, "hidden", search.hidden);
}
