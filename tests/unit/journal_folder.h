/* A journal in a folder of its own, for each test. */
#ifndef RB_TESTS_JOURNAL_FOLDER_H
#define RB_TESTS_JOURNAL_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64], path[96]; /* path: of the journal */

static int journal_folder_make(const char *parent)
{
    (void)snprintf(folder, sizeof folder, "%s/rb-journal-XXXXXX", parent);
    if (!mkdtemp(folder)) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/journal.db", folder);
    return 0;
}

/* It fails when something is left that no journal writes. */
static int journal_folder_remove(void)
{
    static const char *const names[] = {"", "-wal", "-shm", ".lock", ".reserve", ".seals", ".seal-key"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "%s%s", path, names[i]);
        (void)unlink(name);
    }
    return rmdir(folder);
}

#endif
