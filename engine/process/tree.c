#include "process/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 4096 /* of one line of ancestors; more is a loop made by reused numbers */

struct process {
    pid_t pid, parent, group;
    char state;
};

struct table {
    struct process *rows;
    size_t count, cap;
};

/* "pid (comm) S ppid pgrp …": comm may hold anything, so the last ')' counts. */
static bool read_process(pid_t pid, struct process *out)
{
    char path[64], text[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *after = strrchr(text, ')');
    int parent, group;
    if (!after || sscanf(after + 1, " %c %d %d", &out->state, &parent, &group) != 3) {
        return false;
    }
    *out = (struct process){.pid = pid, .parent = parent, .group = group, .state = out->state};
    return true;
}

static bool add_row(struct table *t, const struct process *p)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        struct process *rows = realloc(t->rows, cap * sizeof(*rows));
        if (!rows) {
            return false;
        }
        t->rows = rows;
        t->cap = cap;
    }
    t->rows[t->count++] = *p;
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

static void read_table(struct table *t)
{
    memset(t, 0, sizeof(*t));
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) {
        struct process p;
        if (isdigit((unsigned char)entry->d_name[0]) && read_process((pid_t)strtol(entry->d_name, NULL, 10), &p) &&
            !add_row(t, &p)) {
            break; /* out of memory: the caller looks again */
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
    if (t->count > 0) {
        qsort(t->rows, t->count, sizeof(*t->rows), compare);
    }
}

static bool is_below(const struct table *t, pid_t root, pid_t pid)
{
    for (int i = 0; i < DEPTH_MAX && pid > 1; i++) {
        struct process key = {.pid = pid};
        const struct process *p = bsearch(&key, t->rows, t->count, sizeof(key), compare);
        if (!p) {
            return false;
        }
        if (p->parent == root) {
            return true;
        }
        pid = p->parent;
    }
    return false;
}

static bool signal_one(const struct process *seen, int sig)
{
    struct process now;
    int fd = (int)syscall(SYS_pidfd_open, seen->pid, 0);
    if (fd < 0) {
        /* before 5.3 there is no pidfd; the window is then a few microseconds */
        return errno == ENOSYS && kill(seen->pid, sig) == 0;
    }
    bool same = read_process(seen->pid, &now) && now.group == seen->group;
    bool sent = same && syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) == 0;
    (void)close(fd);
    return sent;
}

int rb_tree_signal(pid_t root, int sig)
{
    struct table t;
    read_table(&t);
    int sent = 0;
    for (size_t i = 0; i < t.count; i++) {
        const struct process *p = &t.rows[i];
        if (p->pid != root && p->state != 'Z' && is_below(&t, root, p->pid)) {
            sent += signal_one(p, sig);
        }
    }
    free(t.rows);
    return sent;
}

bool rb_tree_has(pid_t root, pid_t pid)
{
    struct process p;
    for (int i = 0; i < DEPTH_MAX && pid > 1 && read_process(pid, &p); i++) {
        if (p.parent == root) {
            return true;
        }
        pid = p.parent;
    }
    return false;
}

bool rb_tree_has_group(pid_t root, pid_t group)
{
    struct table t;
    read_table(&t);
    bool found = false, all = true;
    for (size_t i = 0; i < t.count && all; i++) {
        if (t.rows[i].group == group) {
            found = true;
            all = is_below(&t, root, t.rows[i].pid);
        }
    }
    free(t.rows);
    return found && all;
}
