#include "system/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/json.h"

struct mount {
    char point[PATH_MAX];
    char type[64];
};

static bool is_network(const char *type)
{
    static const char *const names[] = {"nfs",    "nfs4",       "cifs",      "smb3",           "smbfs",
                                        "9p",     "afs",        "ceph",      "gfs2",           "ocfs2",
                                        "lustre", "fuse.sshfs", "coda",      "virtiofs",       "gpfs",
                                        "beegfs", "fuse.s3fs",  "glusterfs", "fuse.glusterfs", NULL};

    for (const char *const *name = names; *name; name++) {
        if (strcmp(type, *name) == 0) {
            return true;
        }
    }
    return false;
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
    char *out = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

static bool below(const char *path, const char *point)
{
    size_t len = strlen(point);

    return strcmp(point, "/") == 0 || (strncmp(path, point, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

/* The last mount with the longest mount point is the one on top. */
static bool find_mount(const char *path, struct mount *best)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char real[PATH_MAX], point[PATH_MAX], type[64], line[3 * PATH_MAX];
    bool found = false;

    if (!file || !realpath(path, real)) {
        goto done;
    }
    while (fgets(line, sizeof line, file)) {
        const char *dash = strstr(line, " - ");
        if (!dash || sscanf(line, "%*d %*d %*s %*s %4095s", point) != 1 || sscanf(dash, " - %63s", type) != 1) {
            continue;
        }
        unescape(point);
        if (below(real, point) && (!found || strlen(point) >= strlen(best->point))) {
            memcpy(best->point, point, sizeof point);
            memcpy(best->type, type, sizeof type);
            found = true;
        }
    }
done:
    if (file) {
        (void)fclose(file);
    }
    return found;
}

bool rb_disk_network(const char *path)
{
    struct mount mount;

    return find_mount(path, &mount) && is_network(mount.type);
}

/* Whole percent, rounded down: never rosier than it is. A file system without a count says 100. */
static int percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (int)((double)part * 100 / (double)whole) : 100;
}

json_t *rb_disk_json(const char *path, struct rb_err *err)
{
    struct statvfs fs;
    struct mount mount;
    bool found;
    uint64_t used;
    int free_pct;
    json_t *out;

    if (statvfs(path, &fs) != 0) {
        rb_err_errno(err, errno, "%s", path);
        return NULL;
    }
    found = find_mount(path, &mount);
    used = fs.f_blocks - fs.f_bfree;
    /* As df: blocks kept for root are neither used nor free. */
    free_pct = percent(fs.f_bavail, used + fs.f_bavail);
    out = json_pack("{s:I, s:I, s:I, s:i, s:i, s:I, s:I, s:i, s:b, s:b}", "total",
                    (json_int_t)(fs.f_blocks * fs.f_frsize), "free", (json_int_t)(fs.f_bavail * fs.f_frsize), "used",
                    (json_int_t)(used * fs.f_frsize), "free_pct", free_pct, "used_pct", 100 - free_pct, "inodes",
                    (json_int_t)fs.f_files, "inodes_free", (json_int_t)fs.f_favail, "inodes_free_pct",
                    percent(fs.f_favail, fs.f_files), "read_only", (fs.f_flag & ST_RDONLY) != 0, "network",
                    found && is_network(mount.type));
    json_object_set_new(out, "mount", found ? rb_json_bytes(mount.point, strlen(mount.point)) : NULL);
    json_object_set_new(out, "fstype", found ? json_string(mount.type) : NULL);
    return out;
}
