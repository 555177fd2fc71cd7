/* A name in an opened folder: what is done there cannot be led elsewhere by a link that appears meanwhile. */
#ifndef RB_BINDINGS_FILE_PLACE_H
#define RB_BINDINGS_FILE_PLACE_H

#include <limits.h>

#include "bind.h"

struct rb_place {
    const char *path; /* as given, for messages; borrowed */
    int dir;          /* its folder, links in the way resolved once */
    char name[NAME_MAX + 1];
};

/* A path to write has no .. in it: a name from elsewhere stays in the folder that it was put behind. */
int rb_place_stays(const char *path, struct rb_err *err);
/* Of an absolute path whose last part is a name, not "." or "..". 0 or a negative RB_E*. */
int rb_place_open(struct rb_place *place, const char *path, struct rb_err *err);
/* The same of a path that is real already: a link that took a folder's place since then is refused. */
int rb_place_open_real(struct rb_place *place, const char *path, struct rb_err *err);
void rb_place_close(struct rb_place *place);
/* name with suffix; RB_EUSAGE when it becomes too long. */
int rb_place_beside(const struct rb_place *place, const char *suffix, struct rb_place *out, struct rb_err *err);
/* What is there, a link itself and not its target; refuses the journal's files. */
int rb_place_stat(const struct rb_place *place, const struct rb_work *work, struct stat *st, struct rb_err *err);
/* A regular file there, no link. The descriptor or a negative RB_E*. */
int rb_place_read(const struct rb_place *place, const struct rb_work *work, struct stat *st, struct rb_err *err);
/* A new private file there. The descriptor or a negative RB_E*. */
int rb_place_create(const struct rb_place *place, struct rb_err *err);
/* Never over something that is there. */
int rb_place_move(const struct rb_place *from, const struct rb_place *to, struct rb_err *err);
int rb_place_sync(const struct rb_place *place, struct rb_err *err);

#endif
