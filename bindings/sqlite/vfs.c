#include "sqlite/vfs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct still {
    sqlite3_file base;
    int fd; /* -1 = the file does not exist: reads as empty */
};

static int still_fd(sqlite3_file *file)
{
    return ((struct still *)file)->fd;
}

static int still_close(sqlite3_file *file)
{
    if (still_fd(file) >= 0) {
        close(still_fd(file));
    }
    return SQLITE_OK;
}

static int still_read(sqlite3_file *file, void *out, int len, sqlite3_int64 offset)
{
    int got = 0;

    while (got < len && still_fd(file) >= 0) {
        ssize_t n = pread(still_fd(file), (char *)out + got, (size_t)(len - got), offset + got);
        if (n < 0) {
            return SQLITE_IOERR_READ;
        }
        if (n == 0) {
            break;
        }
        got += (int)n;
    }
    if (got == len) {
        return SQLITE_OK;
    }
    memset((char *)out + got, 0, (size_t)(len - got)); /* SQLite relies on the zeros */
    return SQLITE_IOERR_SHORT_READ;
}

static int still_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 offset)
{
    (void)file, (void)data, (void)len, (void)offset;
    return SQLITE_READONLY;
}

static int still_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    (void)file, (void)size;
    return SQLITE_READONLY;
}

static int still_int(sqlite3_file *file, int value)
{
    (void)file, (void)value;
    return SQLITE_OK;
}

static int still_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct stat st = {0};

    if (still_fd(file) >= 0 && fstat(still_fd(file), &st) != 0) {
        return SQLITE_IOERR_FSTAT;
    }
    *size = st.st_size;
    return SQLITE_OK;
}

static int still_reserved(sqlite3_file *file, int *reserved)
{
    (void)file;
    *reserved = 0;
    return SQLITE_OK;
}

static int still_control(sqlite3_file *file, int op, void *arg)
{
    (void)file, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}

static int still_sector(sqlite3_file *file)
{
    (void)file;
    return 4096;
}

static int still_traits(sqlite3_file *file)
{
    (void)file;
    return 0;
}

/* Version 1: without xShmMap SQLite keeps the wal-index in its own memory (locking_mode = EXCLUSIVE). */
static const sqlite3_io_methods still_methods = {
    .iVersion = 1,
    .xClose = still_close,
    .xRead = still_read,
    .xWrite = still_write,
    .xTruncate = still_truncate,
    .xSync = still_int,
    .xFileSize = still_size,
    .xLock = still_int,
    .xUnlock = still_int,
    .xCheckReservedLock = still_reserved,
    .xFileControl = still_control,
    .xSectorSize = still_sector,
    .xDeviceCharacteristics = still_traits,
};

static int still_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    struct still *still = (struct still *)file;

    (void)vfs;
    file->pMethods = NULL;
    still->fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (still->fd < 0 && !(flags & SQLITE_OPEN_WAL)) {
        return SQLITE_CANTOPEN;
    }
    file->pMethods = &still_methods;
    if (out_flags) {
        *out_flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    }
    return SQLITE_OK;
}

static int no_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs, (void)name, (void)sync;
    return SQLITE_OK;
}

static int still_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    size_t len = strlen(name);

    (void)vfs, (void)flags;
    /* A WAL database has no journal to roll back; what lies there is another one's. */
    *result = !(len > 8 && strcmp(name + len - 8, "-journal") == 0) && access(name, F_OK) == 0;
    return SQLITE_OK;
}

static int live_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
    int reading = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;

    (void)vfs;
    return unix_vfs->xOpen(unix_vfs, name, file, name ? reading : flags, out_flags);
}

static int no_fchown(int fd, uid_t uid, gid_t gid)
{
    (void)fd, (void)uid, (void)gid;
    return 0;
}

void rb_sqlite_vfs_quiet(int quiet)
{
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");

    if (unix_vfs) {
        (void)unix_vfs->xSetSystemCall(unix_vfs, "fchown", quiet ? (sqlite3_syscall_ptr)no_fchown : NULL);
    }
}

int rb_sqlite_vfs_register(void)
{
    static sqlite3_vfs live, still; /* SQLite keeps pointers to them for as long as the process lives */
    const sqlite3_vfs *unix_vfs;

    if (live.zName) {
        return SQLITE_OK;
    }
    unix_vfs = sqlite3_vfs_find("unix");
    if (!unix_vfs) {
        return SQLITE_ERROR;
    }
    live = still = *unix_vfs;
    live.pNext = still.pNext = NULL;
    live.zName = RB_VFS_LIVE;
    live.xOpen = live_open;
    live.xDelete = still.xDelete = no_delete;
    still.zName = RB_VFS_STILL;
    still.szOsFile = sizeof(struct still);
    still.xOpen = still_open;
    still.xAccess = still_access;
    return sqlite3_vfs_register(&live, 0) == SQLITE_OK ? sqlite3_vfs_register(&still, 0) : SQLITE_ERROR;
}
