/* Reading a runbook's files: nobody but us or root may have put them there, and
 * none may lie outside of its folder. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "catalog/folders.h"

/* ---- trust ---- */

static int check_dir(const char *path, struct rb_err *err)
{
    struct stat st;
    if (stat(path, &st)) {
        return rb_err_errno(err, errno, "%s", path);
    }
    if (st.st_uid != geteuid() && st.st_uid != 0) {
        return rb_err_set(err, RB_EDENIED, RB_T_base_file_owner, path, (unsigned)st.st_uid);
    }
    if (st.st_mode & 022) {
        rb_err_set(err, RB_EDENIED, RB_T_base_file_mode, path, (unsigned)(st.st_mode & 07777));
        rb_err_hint(err, RB_T_base_file_mode_hint, path);
        return RB_EDENIED;
    }
    return 0;
}

/* Every folder from the file up to the root of its tree. resolved is changed on the way and put back. */
static int check_way(const char *folder, char *resolved, struct rb_err *err)
{
    size_t root = strlen(folder);
    int rc = 0;
    for (size_t end = strlen(resolved); !rc && end > root; end--) {
        if (resolved[end] == '/') {
            resolved[end] = 0;
            rc = check_dir(resolved, err);
            resolved[end] = '/';
        }
    }
    return rc ? rc : check_dir(folder, err);
}

static int read_good(const char *resolved, struct rb_buf *text, struct rb_err *err)
{
    int rc = rb_files_read(resolved, RB_RUNBOOK_MAX, 1, text, err);
    if (!rc && (!rb_utf8_valid(rb_buf_str(text), text->len) || memchr(rb_buf_str(text), 0, text->len))) {
        rc = rb_err_set(err, RB_ELOAD, RB_T_catalog_not_utf8, resolved);
    }
    return rc;
}

static int read_checked(const char *folder, char *resolved, struct rb_buf *text, struct rb_err *err)
{
    size_t root = strlen(folder);
    if (strncmp(resolved, folder, root) || resolved[root] != '/') {
        return rb_err_set(err, RB_EDENIED, RB_T_catalog_leads_out, resolved, folder);
    }
    int rc = check_way(folder, resolved, err);
    return rc ? rc : read_good(resolved, text, err);
}

/* The folder of a file was checked with the file before it, and the file itself is no link: its way is known. */
static bool way_known(const json_t *checked, char *path)
{
    struct stat st;
    char *slash = strrchr(path, '/');
    *slash = 0;
    bool known = json_object_get(checked, path);
    *slash = '/';
    return known && lstat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void remember_way(json_t *checked, char *path, const char *resolved)
{
    if (checked && strcmp(path, resolved) == 0) {
        *strrchr(path, '/') = 0;
        json_object_set_new(checked, path, json_true());
    }
}

/* checked: {folder: true} of those that no link leads to, for one reading of many files; may be NULL. */
static int read_below(const char *folder, const char *below, json_t *checked, struct rb_buf *text, struct rb_err *err)
{
    char path[2 * PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, below);
    if (way_known(checked, path)) {
        return read_good(path, text, err);
    }
    char *resolved = stat(path, &st) == 0 ? realpath(path, NULL) : NULL; /* most that may be there are not */
    if (!resolved) {
        return rb_err_errno(err, errno, "%s", path);
    }
    int rc = read_checked(folder, resolved, text, err);
    if (!rc) {
        remember_way(checked, path, resolved);
    }
    free(resolved);
    return rc;
}

static json_t *read_text(const char *folder, const char *below, json_t *checked, struct rb_err *err)
{
    struct rb_buf text;
    rb_buf_init(&text, RB_RUNBOOK_MAX + 1);
    int rc = read_below(folder, below, checked, &text, err);
    json_t *value = rc ? NULL : json_stringn(rb_buf_str(&text), text.len);
    rb_buf_deinit(&text);
    return value;
}

json_t *rb_folders_read(const char *folder, const char *below, struct rb_err *err)
{
    return read_text(folder, below, NULL, err);
}

/* ---- the files of one runbook ---- */

struct set {
    const struct rb_folders *folders;
    size_t number;
    const char *id;
    json_t *checked; /* of read_below */
};

struct wanted {
    const char *folder, *below, *shown, *role; /* shown: the path in messages */
};

/* One more file of the list when it is there. */
static int add_file(const struct set *set, json_t *files, const struct wanted *wanted, struct rb_err *err)
{
    struct rb_err own = {0};
    json_t *text = read_text(wanted->folder, wanted->below, set->checked, &own);
    if (text) {
        json_array_append_new(files,
                              json_pack("{s:s, s:s, s:o}", "role", wanted->role, "path", wanted->shown, "text", text));
        return 0;
    }
    if (own.code == RB_ENOT_FOUND) {
        return RB_ENOT_FOUND;
    }
    if (err) {
        *err = own;
    }
    return own.code;
}

/* The system's profile of every folder, the one that counts most last: what it says is laid over the others.
 */
static int add_profiles(const struct set *set, json_t *files, struct rb_err *err)
{
    char below[PATH_MAX], shown[2 * PATH_MAX];
    snprintf(below, sizeof below, "profiles/%.*s.lua", (int)strcspn(set->id, "/"), set->id);
    for (size_t i = set->folders->count; i-- > 0;) {
        const char *folder = set->folders->path[i];
        bool own = i == set->number;
        snprintf(shown, sizeof shown, "%s%s%s", own ? "" : folder, own ? "" : "/", below);
        int rc = add_file(set, files, &(struct wanted){folder, below, shown, "profile"}, err);
        if (rc && rc != RB_ENOT_FOUND) {
            return rc;
        }
    }
    return 0;
}

/* Factories of the folder's lib/ that the runbook names: generic.NAME { … }. */
static int add_factories(const struct set *set, const char *text, json_t *files, struct rb_err *err)
{
    const char *folder = set->folders->path[set->number];
    for (const char *p = strstr(text, "generic."); p; p = strstr(p, "generic.")) {
        char below[128];
        p += strlen("generic.");
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_");
        bool no_name = len == 0 || len > 64;
        snprintf(below, sizeof below, "lib/%.*s.lua", (int)(no_name ? 0 : len), p);
        bool needed = !no_name && !rb_json_find(files, "path", below);
        int rc = needed ? add_file(set, files, &(struct wanted){folder, below, below, "lib"}, err) : 0;
        if (rc && rc != RB_ENOT_FOUND) { /* the standard library's own factories are not in lib/ */
            return rc;
        }
    }
    return 0;
}

/* Drills that cannot be read are missed by whoever drills, and by nobody who repairs: why stands in their place. */
static void add_drills(const struct set *set, json_t *files, const struct wanted *wanted)
{
    struct rb_err err = {0};
    int rc = add_file(set, files, wanted, &err);
    if (rc && rc != RB_ENOT_FOUND) {
        json_array_append_new(files, json_pack("{s:s, s:s, s:s, s:s}", "role", wanted->role, "path", wanted->shown,
                                               "text", "", "bad", err.text));
    }
}

static int add_all(const struct set *set, json_t *files, struct rb_err *err)
{
    char below[PATH_MAX];
    const char *folder = set->folders->path[set->number];
    json_t *own = json_array();
    snprintf(below, sizeof below, "%s.lua", set->id);
    int rc = add_file(set, own, &(struct wanted){folder, below, below, "runbook"}, err);
    if (rc == RB_ENOT_FOUND) {
        rb_err_set(err, rc, RB_T_catalog_no_file, folder, below);
    }
    rc = rc ? rc : add_profiles(set, files, err);
    rc = rc ? rc : add_factories(set, rb_json_str(json_array_get(own, 0), "text", ""), files, err);
    json_array_extend(files, own);
    json_decref(own);
    snprintf(below, sizeof below, "%s.drills.lua", set->id);
    if (rc == 0) {
        add_drills(set, files, &(struct wanted){folder, below, below, "drills"});
    }
    return rc;
}

/* One file: its own hash, as sha256sum prints it. Several: the hash of the list of their hashes. */
static void hash_files(const json_t *files, char out[RB_HEX_SIZE])
{
    struct rb_buf list;
    size_t i;
    json_t *file;
    rb_buf_init(&list, 65536);
    json_array_foreach((json_t *)files, i, file) {
        const json_t *text = json_object_get(file, "text");
        rb_hash_hex(json_string_value(text), json_string_length(text), out);
        (void)rb_buf_addf(&list, "%s  %s\n", out, rb_json_str(file, "role", "")); /* at most some hundred lines */
    }
    if (json_array_size(files) > 1) {
        rb_hash_hex(rb_buf_str(&list), list.len, out);
    }
    rb_buf_deinit(&list);
}

json_t *rb_folders_runbook(const struct rb_folders *folders, size_t number, const char *id, json_t *checked,
                           struct rb_err *err)
{
    char hash[RB_HEX_SIZE];
    json_t *files = json_array();
    const struct set set = {folders, number, id, checked};
    if (add_all(&set, files, err)) {
        json_decref(files);
        return NULL;
    }
    hash_files(files, hash);
    return json_pack("{s:s, s:o, s:s, s:o}", "id", id, "file", json_sprintf("%s/%s.lua", folders->path[number], id),
                     "sha256", hash, "files", files);
}
