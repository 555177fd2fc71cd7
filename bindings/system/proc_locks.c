#include "system/proc_locks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* "1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 0 EOF"; a waiting lock has "->" after the number. */
static bool parse_line(const char *line, const struct stat *st, struct rb_file_lock *out)
{
    char access[8], end[24];
    unsigned major_id, minor_id;
    uint64_t inode;
    int pid;

    if (strstr(line, "->")) {
        return false;
    }
    if (sscanf(line, "%*d: %7s %*s %7s %d %x:%x:%" SCNu64 " %" SCNd64 " %23s", out->type, access, &pid, &major_id,
               &minor_id, &inode, &out->from, end) != 8) {
        return false;
    }
    out->pid = pid;
    out->write = strcmp(access, "WRITE") == 0;
    out->to = strcmp(end, "EOF") == 0 ? INT64_MAX : strtoll(end, NULL, 10);
    return inode == (uint64_t)st->st_ino && major_id == major(st->st_dev) && minor_id == minor(st->st_dev);
}

int rb_proc_locks(const struct stat *st, void (*fn)(const struct rb_file_lock *lock, void *user), void *user)
{
    FILE *file = fopen("/proc/locks", "re");
    struct rb_file_lock lock;
    char line[256];

    if (!file) {
        return -1;
    }
    while (fgets(line, sizeof line, file)) {
        if (parse_line(line, st, &lock)) {
            fn(&lock, user);
        }
    }
    (void)fclose(file);
    return 0;
}

bool rb_file_lock_ask(int fd, int64_t from, int64_t to, struct rb_file_lock *out)
{
    struct flock ask = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = to == INT64_MAX ? 0 : to - from + 1};

    if (fcntl(fd, F_GETLK, &ask) != 0 || ask.l_type == F_UNLCK) {
        return false;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->type, "POSIX", 6);
    out->write = ask.l_type == F_WRLCK;
    out->pid = ask.l_pid;
    out->from = ask.l_start;
    out->to = ask.l_len == 0 ? INT64_MAX : ask.l_start + ask.l_len - 1;
    return true;
}
