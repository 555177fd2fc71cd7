/* The journal's files with crash points around every write and sync, with failures, and with loss of what was not
 * synced (base/crash.h). For tests only. */
#include "journal/private.h"

#ifdef RUNBOOK_CRASH_POINTS
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crash.h"

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

/* What a write covered. */
struct undo {
    struct undo *next;
    sqlite3_file *real;
    sqlite3_int64 offset, size; /* size: of the file before */
    int len;
    char bytes[];
};

static struct undo *unsynced;

static sqlite3_file *real(sqlite3_file *f)
{
    return ((struct file *)f)->real;
}

static void remember(sqlite3_file *f, sqlite3_int64 offset, int len)
{
    struct undo *u = rb_xcalloc(1, sizeof *u + (size_t)len);
    *u = (struct undo){.next = unsynced, .real = f, .offset = offset, .len = len};
    (void)f->pMethods->xFileSize(f, &u->size);
    (void)f->pMethods->xRead(f, u->bytes, len, offset); /* what lies behind the end reads as zeros */
    unsynced = u;
}

static void forget(sqlite3_file *f)
{
    for (struct undo **at = &unsynced; *at;) {
        struct undo *u = *at;
        if (u->real == f) {
            *at = u->next;
            free(u);
        } else {
            at = &u->next;
        }
    }
}

static void lose(void)
{
    for (struct undo *u = unsynced; u; u = u->next) {
        (void)u->real->pMethods->xWrite(u->real, u->bytes, u->len, u->offset);
        (void)u->real->pMethods->xTruncate(u->real, u->size);
    }
}

static int f_close(sqlite3_file *f)
{
    forget(real(f));
    return real(f)->pMethods->xClose(real(f));
}

static int f_read(sqlite3_file *f, void *out, int len, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), out, len, at);
}

static int f_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
    RB_CRASH_POINT("write");
    if (rb_crash_io()) {
        return SQLITE_IOERR_WRITE;
    }
    remember(real(f), at, len);
    int rc = real(f)->pMethods->xWrite(real(f), data, len, at);
    RB_CRASH_POINT("written");
    return rc;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    sqlite3_int64 before = 0;
    RB_CRASH_POINT("truncate");
    (void)real(f)->pMethods->xFileSize(real(f), &before);
    if (before > size) {
        remember(real(f), size, (int)(before - size));
    }
    return real(f)->pMethods->xTruncate(real(f), size);
}

static int f_sync(sqlite3_file *f, int flags)
{
    RB_CRASH_POINT("sync");
    if (rb_crash_io()) {
        return SQLITE_IOERR_FSYNC;
    }
    int rc = real(f)->pMethods->xSync(real(f), flags);
    if (rc == SQLITE_OK) {
        forget(real(f));
    }
    RB_CRASH_POINT("synced");
    return rc;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int f_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int f_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int f_reserved(sqlite3_file *f, int *held)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), held);
}

static int f_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int f_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int f_device(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int f_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int f_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void f_shm_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int f_shm_unmap(sqlite3_file *f, int remove)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove);
}

static const sqlite3_io_methods methods = {.iVersion = 2,
                                           .xClose = f_close,
                                           .xRead = f_read,
                                           .xWrite = f_write,
                                           .xTruncate = f_truncate,
                                           .xSync = f_sync,
                                           .xFileSize = f_size,
                                           .xLock = f_lock,
                                           .xUnlock = f_unlock,
                                           .xCheckReservedLock = f_reserved,
                                           .xFileControl = f_control,
                                           .xSectorSize = f_sector,
                                           .xDeviceCharacteristics = f_device,
                                           .xShmMap = f_shm_map,
                                           .xShmLock = f_shm_lock,
                                           .xShmBarrier = f_shm_barrier,
                                           .xShmUnmap = f_shm_unmap};

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    struct file *file = (struct file *)f;
    sqlite3_vfs *under = vfs->pAppData;
    file->real = (sqlite3_file *)(file + 1);
    int rc = under->xOpen(under, name, file->real, flags, out);
    file->base.pMethods = file->real->pMethods ? &methods : NULL;
    return rc;
}

const char *journal_crash_vfs(void)
{
    static sqlite3_vfs vfs;
    if (!vfs.zName) {
        sqlite3_vfs *under = sqlite3_vfs_find(NULL);
        vfs = *under; /* its other functions do not look at the struct they are given */
        vfs.pNext = NULL;
        vfs.zName = "crash";
        vfs.pAppData = under;
        vfs.szOsFile = (int)sizeof(struct file) + under->szOsFile;
        vfs.xOpen = v_open;
        (void)sqlite3_vfs_register(&vfs, 0);
        rb_crash_before(lose);
    }
    return vfs.zName;
}
#else
typedef int journal_crash_nothing; /* a translation unit must not be empty */
#endif
