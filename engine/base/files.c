/* Our own files. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_file(int fd, const char *path, size_t max, int private_only, struct rb_err *err)
{
    struct stat st;
    if (fstat(fd, &st)) {
        return rb_err_errno(err, errno, "%s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_base_file_kind, path);
    }
    if ((uintmax_t)st.st_size > max) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_base_file_large, path, max);
    }
    if (private_only && st.st_uid != geteuid() && st.st_uid != 0) {
        return rb_err_set(err, RB_EDENIED, RB_T_base_file_owner, path, (unsigned)st.st_uid);
    }
    if (private_only && st.st_mode & 022) {
        rb_err_set(err, RB_EDENIED, RB_T_base_file_mode, path, (unsigned)(st.st_mode & 07777));
        rb_err_hint(err, RB_T_base_file_mode_hint, path);
        return RB_EDENIED;
    }
    return 0;
}

/* The file may grow while it is read: the maximum is kept here too. */
static int read_file(int fd, const char *path, size_t max, struct rb_buf *out, struct rb_err *err)
{
    char part[16384];
    size_t start = out->len;
    for (;;) {
        ssize_t n = read(fd, part, sizeof part);
        if (n == 0) {
            return rb_buf_add(out, "", 0);
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return rb_err_errno(err, errno, "%s", path);
        }
        if ((size_t)n > max - (out->len - start) || rb_buf_add(out, part, (size_t)n)) {
            return rb_err_set(err, RB_ETOO_LARGE, RB_T_base_file_large, path, max);
        }
    }
}

int rb_files_read(const char *path, size_t max, int private_only, struct rb_buf *out, struct rb_err *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    int rc = check_file(fd, path, max, private_only, err);
    if (!rc) {
        rc = read_file(fd, path, max, out, err);
    }
    close(fd);
    return rc;
}

static int make_dir(const char *path, int mode, struct rb_err *err)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))) {
        return 0;
    }
    int errnum = errno;
    /* a parent we may not write, but that is there (read-only root, automount) */
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : rb_err_errno(err, errnum, "%s", path);
}

int rb_files_mkdirs(const char *path, int mode, struct rb_err *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return 0; /* as ever but once */
    }
    if (len >= sizeof part) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_base_path_long, path);
    }
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0') {
            continue;
        }
        char mark = part[i];
        part[i] = '\0';
        int rc = make_dir(part, mode, err);
        if (rc) {
            return rc;
        }
        part[i] = mark;
    }
    return 0;
}

/* The user's home; "" for a system user. */
static void find_home(char out[PATH_MAX])
{
    const char *home = getenv("HOME");
    char buffer[4096];
    struct passwd pw, *found = NULL;
    if (!home || !home[0]) {
        home = getpwuid_r(geteuid(), &pw, buffer, sizeof buffer, &found) == 0 && found ? pw.pw_dir : "";
    }
    struct stat st;
    bool usable = home[0] == '/' && home[1] && strlen(home) < PATH_MAX && stat(home, &st) == 0 && S_ISDIR(st.st_mode);
    (void)snprintf(out, PATH_MAX, "%s", usable ? home : "");
}

struct place {
    const char *own, *xdg, *below_home, *system;
};

static int find_place(const struct place *place, char out[PATH_MAX], struct rb_err *err)
{
    const char *own = getenv(place->own);
    const char *xdg = getenv(place->xdg);
    char home[PATH_MAX];
    int n;
    find_home(home);
    if (own && own[0]) {
        n = snprintf(out, PATH_MAX, "%s", own);
    } else if (xdg && xdg[0] == '/') { /* the XDG rule: a relative path is ignored */
        n = snprintf(out, PATH_MAX, "%s/runbook", xdg);
    } else if (home[0]) {
        n = snprintf(out, PATH_MAX, "%s/%s/runbook", home, place->below_home);
    } else {
        n = snprintf(out, PATH_MAX, "%s", place->system);
    }
    return n > 0 && n < PATH_MAX ? 0 : rb_err_set(err, RB_ETOO_LARGE, RB_T_base_path_long, out);
}

int rb_files_state_dir(char out[PATH_MAX], struct rb_err *err)
{
    static const struct place place = {"RUNBOOK_STATE", "XDG_STATE_HOME", ".local/state", "/var/lib/runbook"};
    int rc = find_place(&place, out, err);
    return rc ? rc : rb_files_mkdirs(out, 0700, err);
}

int rb_files_cache_dir(char out[PATH_MAX], struct rb_err *err)
{
    static const struct place place = {"RUNBOOK_CACHE", "XDG_CACHE_HOME", ".cache", "/var/cache/runbook"};
    int rc = find_place(&place, out, err);
    return rc ? rc : rb_files_mkdirs(out, 0700, err);
}

int rb_files_config_dir(char out[PATH_MAX], struct rb_err *err)
{
    static const struct place place = {"RUNBOOK_CONFIG", "XDG_CONFIG_HOME", ".config", "/etc/runbook"};
    return find_place(&place, out, err);
}
