#include "file/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int name_of(struct rb_place *place, const char *path, struct rb_err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash + 1;

    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_name, path);
    }
    if (strlen(name) > NAME_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, path);
    }
    (void)snprintf(place->name, sizeof place->name, "%s", name);
    return 0;
}

int rb_place_stays(const char *path, struct rb_err *err)
{
    return strstr(path, "/../") ? rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_absolute, "path", path) : 0;
}

/* resolve: of openat2, 0 = links in the way are followed. */
static int open_folder(const char *path, uint64_t resolve)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = resolve};
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

    if (fd < 0 && errno == ENOSYS) { /* before Linux 5.6 */
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    return fd;
}

static int open_place(struct rb_place *place, const char *path, uint64_t resolve, struct rb_err *err)
{
    char parent[PATH_MAX];
    size_t len;

    *place = (struct rb_place){.path = path, .dir = -1};
    if (path[0] != '/' || strlen(path) >= sizeof parent) {
        return rb_err_set(err, RB_EUSAGE, path[0] == '/' ? RB_T_bindings_path_long : RB_T_bindings_path_absolute,
                          "path", path);
    }
    if (rb_place_stays(path, err) != 0 || name_of(place, path, err) != 0) {
        return RB_EUSAGE;
    }
    len = (size_t)(strrchr(path, '/') - path);
    memcpy(parent, path, len);
    (void)snprintf(parent + len, sizeof parent - len, "%s", len == 0 ? "/" : "");
    place->dir = open_folder(parent, resolve);
    return place->dir < 0 ? rb_err_errno(err, errno, "%s", parent) : 0;
}

int rb_place_open(struct rb_place *place, const char *path, struct rb_err *err)
{
    return open_place(place, path, 0, err);
}

int rb_place_open_real(struct rb_place *place, const char *path, struct rb_err *err)
{
    return open_place(place, path, RESOLVE_NO_SYMLINKS, err);
}

void rb_place_close(struct rb_place *place)
{
    if (place->dir >= 0) {
        close(place->dir);
    }
    place->dir = -1;
}

int rb_place_beside(const struct rb_place *place, const char *suffix, struct rb_place *out, struct rb_err *err)
{
    *out = *place;
    if (strlen(place->name) + strlen(suffix) > NAME_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_bindings_path_long, place->path);
    }
    (void)strncat(out->name, suffix, NAME_MAX - strlen(out->name));
    return 0;
}

int rb_place_stat(const struct rb_place *place, const struct rb_work *work, struct stat *st, struct rb_err *err)
{
    if (fstatat(place->dir, place->name, st, AT_SYMLINK_NOFOLLOW) != 0) {
        return rb_err_errno(err, errno, "%s", place->path);
    }
    return rb_bind_allowed(work, st, place->path, err);
}

int rb_place_read(const struct rb_place *place, const struct rb_work *work, struct stat *st, struct rb_err *err)
{
    int fd = openat(place->dir, place->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;

    if (fd < 0) {
        return errno == ELOOP ? rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, place->path)
                              : rb_err_errno(err, errno, "%s", place->path);
    }
    if (fstat(fd, st) != 0) {
        rc = rb_err_errno(err, errno, "%s", place->path);
    } else if (!S_ISREG(st->st_mode)) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_bindings_not_regular, place->path);
    } else {
        rc = rb_bind_allowed(work, st, place->path, err);
    }
    if (rc != 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int rb_place_create(const struct rb_place *place, struct rb_err *err)
{
    int fd = openat(place->dir, place->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    return fd >= 0 ? fd : rb_err_errno(err, errno, "%s", place->path);
}

int rb_place_move(const struct rb_place *from, const struct rb_place *to, struct rb_err *err)
{
    if (renameat2(from->dir, from->name, to->dir, to->name, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    return errno == EXDEV ? rb_err_set(err, RB_EUSAGE, RB_T_bindings_other_device, from->path, to->path)
                          : rb_err_errno(err, errno, "%s", errno == EEXIST ? to->path : from->path);
}

int rb_place_sync(const struct rb_place *place, struct rb_err *err)
{
    /* EINVAL: a file system without fsync of folders. */
    return fsync(place->dir) == 0 || errno == EINVAL ? 0 : rb_err_errno(err, errno, "%s", place->path);
}
