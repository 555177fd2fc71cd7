#include "system/openers.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "system/proc_locks.h"
#include "system/process_info.h"

struct search {
    struct stat wanted;
    json_t *found;
    int fds; /* of the process looked at */
    int hidden;
};

static bool on_fd(pid_t pid, const char *path, void *user)
{
    struct search *search = user;
    struct stat st;

    (void)pid;
    if (stat(path, &st) == 0 && st.st_dev == search->wanted.st_dev && st.st_ino == search->wanted.st_ino) {
        search->fds++;
    }
    return true;
}

static bool on_process(pid_t pid, void *user)
{
    struct search *search = user;
    struct rb_proc proc;
    json_t *one;

    search->fds = 0;
    if (rb_proc_each_fd(pid, on_fd, search) != 0) {
        search->hidden++;
    } else if (search->fds > 0 && pid != getpid() && rb_proc_read(pid, &proc) == 0) {
        one = rb_proc_json(&proc);
        json_object_set_new(one, "fds", json_integer(search->fds));
        json_array_append_new(search->found, one);
    }
    return true;
}

json_t *rb_openers(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct search search = {0};

    (void)work;
    if (!path) {
        return NULL;
    }
    if (stat(path, &search.wanted) != 0) {
        rb_err_errno(err, errno, "%s", path);
        return NULL;
    }
    search.found = json_array();
    if (rb_proc_each(on_process, &search) != 0) {
        json_decref(search.found);
        rb_err_set(err, RB_EDENIED, RB_T_bindings_no_proc);
        return NULL;
    }
    return json_pack("{s:o, s:i}", "openers", search.found, "hidden", search.hidden);
}

static json_t *lock_json(const struct rb_file_lock *lock, int fd)
{
    struct rb_file_lock asked;
    struct rb_proc proc;
    char type[sizeof lock->type] = "";
    json_t *out;

    for (size_t i = 0; lock->type[i]; i++) {
        type[i] = (char)tolower((unsigned char)lock->type[i]);
    }
    out = json_pack("{s:s, s:s, s:I, s:o*}", "type", strcmp(type, "ofdlck") == 0 ? "ofd" : type, "access",
                    lock->write ? "write" : "read", "from", (json_int_t)lock->from, "to",
                    lock->to == INT64_MAX ? NULL : json_integer(lock->to));
    json_object_set_new(out, "pid", lock->pid > 0 ? json_integer(lock->pid) : NULL);
    if (strcmp(type, "posix") == 0) { /* the only kind that can be asked for without being taken */
        json_object_set_new(out, "confirmed", json_boolean(rb_file_lock_ask(fd, lock->from, lock->to, &asked)));
    }
    if (lock->pid > 0 && rb_proc_read(lock->pid, &proc) == 0) {
        json_object_set_new(out, "started", json_integer((json_int_t)proc.started));
        json_object_set_new(out, "command", rb_proc_command(&proc));
    }
    return out;
}

struct listing {
    json_t *list;
    int fd;
};

static void on_lock(const struct rb_file_lock *lock, void *user)
{
    struct listing *listing = user;

    if (lock->pid != getpid()) {
        json_array_append_new(listing->list, lock_json(lock, listing->fd));
    }
}

json_t *rb_openers_locks(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    const char *path = rb_bind_path(args, "path", err);
    struct listing listing = {NULL, -1};
    struct rb_file_lock lock;
    struct stat st;

    listing.fd = path ? rb_bind_open(work, path, O_RDONLY, &st, err) : -1;
    if (listing.fd < 0) {
        return NULL;
    }
    listing.list = json_array();
    (void)rb_proc_locks(&st, on_lock, &listing);
    /* Another host's or container's lock is in no table here, but the file system knows it. */
    if (json_array_size(listing.list) == 0 && rb_file_lock_ask(listing.fd, 0, INT64_MAX, &lock)) {
        on_lock(&lock, &listing);
    }
    close(listing.fd);
    return listing.list;
}
