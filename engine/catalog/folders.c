/* Which folders there are and which files in them look like runbooks. */
#include "catalog/folders.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/utf8.h"
#include "runner/language_lint.h"

#define DEPTH_MAX 8
#define FILES_MAX 10000

/* ---- which folders ---- */

static int add_folder(struct rb_folders *folders, const char *path, struct rb_err *err)
{
    char *resolved = realpath(path, NULL);
    if (!resolved) {
        return rb_err_errno(err, errno, "%s", path);
    }
    for (size_t i = 0; i < folders->count; i++) {
        if (strcmp(folders->path[i], resolved) == 0) {
            free(resolved);
            return 0;
        }
    }
    if (folders->count == RB_FOLDERS_MAX) {
        free(resolved);
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_catalog_many_folders, RB_FOLDERS_MAX);
    }
    folders->path[folders->count++] = resolved;
    return 0;
}

/* Absolute ones only: the working directory never decides what may run. */
static void add_colon_list(struct rb_folders *folders, const char *list)
{
    char one[PATH_MAX];
    for (const char *p = list ? list : ""; *p; p += strcspn(p, ":"), p += *p == ':') {
        size_t len = strcspn(p, ":");
        if (*p == '/' && len < sizeof one) {
            snprintf(one, sizeof one, "%.*s", (int)len, p);
            (void)add_folder(folders, one, NULL); /* one that is not there is left out */
        }
    }
}

static int add_last(struct rb_folders *folders, const char *path)
{
    size_t before = folders->count;
    int rc = add_folder(folders, path, NULL);
    folders->shipped = folders->count > before ? before : folders->shipped;
    return rc;
}

/* Beside an installed binary, else where it was built. */
static void add_shipped(struct rb_folders *folders)
{
    char self[PATH_MAX], path[PATH_MAX + 64];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = 0;
        char *slash = strrchr(self, '/');
        snprintf(path, sizeof path, "%.*s/../share/runbook/runbooks", slash ? (int)(slash - self) : 0, self);
        if (add_last(folders, path) == 0) {
            return;
        }
    }
#ifdef RUNBOOK_SHIPPED
    (void)add_last(folders, RUNBOOK_SHIPPED); /* a moved build has none */
#endif
}

int rb_folders_find(struct rb_folders *folders, const char *extra, struct rb_err *err)
{
    char config[PATH_MAX], path[PATH_MAX + 16];
    folders->count = 0;
    folders->shipped = RB_FOLDERS_MAX;
    if (extra) {
        int rc = add_folder(folders, extra, err);
        if (rc) {
            return rc;
        }
    }
    add_colon_list(folders, getenv("RUNBOOK_PATH"));
    if (rb_files_config_dir(config, NULL) == 0) {
        snprintf(path, sizeof path, "%s/runbooks", config);
        (void)add_folder(folders, path, NULL); /* most people have none */
    }
    (void)add_folder(folders, "/etc/runbook/runbooks", NULL); /* nor most machines */
    add_shipped(folders);
    return 0;
}

void rb_folders_free(struct rb_folders *folders)
{
    for (size_t i = 0; i < folders->count; i++) {
        free(folders->path[i]);
    }
    folders->count = 0;
}

/* ---- what is in them ---- */

struct walk {
    const char *folder;
    size_t number;
    json_t *list;
};

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a > b && strcmp(text + a - b, end) == 0;
}

static void add_entry(struct walk *walk, const char *below, const char *bad)
{
    char id[PATH_MAX];
    size_t len = strlen(below);
    len -= ends_with(below, ".lua") ? 4 : 0;
    snprintf(id, sizeof id, "%.*s", (int)len, below);
    json_t *file = json_sprintf("%s/%s", walk->folder, below);
    if (!rb_utf8_valid(id, strlen(id)) || !file) {
        json_decref(file);
        return; /* a name that cannot even be shown */
    }
    bad = !bad && !rb_path_id_valid(id) ? rb_text(RB_T_catalog_file_name) : bad;
    json_array_append_new(walk->list, json_pack("{s:s, s:o, s:i, s:s}", "id", id, "file", file, "folder",
                                                (int)walk->number, "bad", bad ? bad : ""));
}

static void walk_folder(struct walk *walk, const char *below, int depth);

static void look_at(struct walk *walk, const char *below, int depth)
{
    char path[2 * PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", walk->folder, below);
    if (lstat(path, &st) || json_array_size(walk->list) >= FILES_MAX) {
        return;
    }
    bool link = S_ISLNK(st.st_mode);
    if (link && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        add_entry(walk, below, rb_text(RB_T_catalog_folder_link)); /* following it could lead out, or in a circle */
    } else if (S_ISDIR(st.st_mode)) {
        walk_folder(walk, below, depth + 1);
    } else if (ends_with(below, ".lua") && !ends_with(below, ".drills.lua")) {
        add_entry(walk, below, NULL);
    }
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order */
}

static void walk_folder(struct walk *walk, const char *below, int depth)
{
    char path[2 * PATH_MAX];
    struct dirent **names = NULL;
    snprintf(path, sizeof path, "%s/%s", walk->folder, below);
    int count = depth <= DEPTH_MAX ? scandir(path, &names, visible, by_bytes) : 0;
    for (int i = 0; i < count; i++) {
        char child[PATH_MAX];
        const char *name = names[i]->d_name;
        bool helper = !below[0] && (strcmp(name, "profiles") == 0 || strcmp(name, "lib") == 0);
        int len = snprintf(child, sizeof child, "%s%s%s", below, below[0] ? "/" : "", name);
        if (!helper && len < (int)sizeof child) {
            look_at(walk, child, depth);
        }
        free(names[i]);
    }
    free(names);
}

json_t *rb_folders_list(const struct rb_folders *folders)
{
    json_t *list = json_array();
    for (size_t i = 0; i < folders->count; i++) {
        struct walk walk = {.folder = folders->path[i], .number = i, .list = list};
        walk_folder(&walk, "", 0);
    }
    return list;
}
