/* Reading a runbook's files: nobody but us or root may have put them there, and
 * none may lie outside of its folder. */
#include <errno.h>
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

static int read_checked(const char *folder, char *resolved, struct rb_buf *text, struct rb_err *err)
{
    size_t root = strlen(folder);
    if (strncmp(resolved, folder, root) || resolved[root] != '/') {
        return rb_err_set(err, RB_EDENIED, RB_T_catalog_leads_out, resolved, folder);
    }
    int rc = check_way(folder, resolved, err);
    rc = rc ? rc : rb_files_read(resolved, RB_RUNBOOK_MAX, 1, text, err);
    if (!rc && (!rb_utf8_valid(rb_buf_str(text), text->len) || memchr(rb_buf_str(text), 0, text->len))) {
        rc = rb_err_set(err, RB_ELOAD, RB_T_catalog_not_utf8, resolved);
    }
    return rc;
}

json_t *rb_folders_read(const char *folder, const char *below, struct rb_err *err)
{
    char path[2 * PATH_MAX];
    struct rb_buf text;
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", folder, below);
    char *resolved = stat(path, &st) == 0 ? realpath(path, NULL) : NULL; /* most that may be there are not */
    if (!resolved) {
        rb_err_errno(err, errno, "%s", path);
        return NULL;
    }
    rb_buf_init(&text, RB_RUNBOOK_MAX + 1);
    int rc = read_checked(folder, resolved, &text, err);
    json_t *value = rc ? NULL : json_stringn(rb_buf_str(&text), text.len);
    rb_buf_deinit(&text);
    free(resolved);
    return value;
}

/* ---- the files of one runbook ---- */

/* One more file of the list when it is there. shown: the path in messages. */
static int add_file(json_t *files, const char *folder, const char *below, const char *shown, const char *role,
                    struct rb_err *err)
{
    struct rb_err own = {0};
    json_t *text = rb_folders_read(folder, below, &own);
    if (text) {
        json_array_append_new(files, json_pack("{s:s, s:s, s:o}", "role", role, "path", shown, "text", text));
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
static int add_profiles(const struct rb_folders *folders, size_t number, const char *id, json_t *files,
                        struct rb_err *err)
{
    char below[PATH_MAX], shown[2 * PATH_MAX];
    snprintf(below, sizeof below, "profiles/%.*s.lua", (int)strcspn(id, "/"), id);
    for (size_t i = folders->count; i-- > 0;) {
        snprintf(shown, sizeof shown, "%s%s%s", i == number ? "" : folders->path[i], i == number ? "" : "/",
                 below);
        int rc = add_file(files, folders->path[i], below, shown, "profile", err);
        if (rc && rc != RB_ENOT_FOUND) {
            return rc;
        }
    }
    return 0;
}

/* Factories of the folder's lib/ that the runbook names: generic.NAME { … }. */
static int add_factories(const char *folder, const char *text, json_t *files, struct rb_err *err)
{
    for (const char *p = strstr(text, "generic."); p; p = strstr(p, "generic.")) {
        char below[128];
        p += strlen("generic.");
        size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789_");
        bool no_name = len == 0 || len > 64;
        snprintf(below, sizeof below, "lib/%.*s.lua", (int)(no_name ? 0 : len), p);
        int rc = no_name || rb_json_find(files, "path", below) ? 0 : add_file(files, folder, below, below, "lib", err);
        if (rc && rc != RB_ENOT_FOUND) { /* the standard library's own factories are not in lib/ */
            return rc;
        }
    }
    return 0;
}

static int add_all(const struct rb_folders *folders, size_t number, const char *id, json_t *files,
                   struct rb_err *err)
{
    char below[PATH_MAX];
    const char *folder = folders->path[number];
    json_t *own = json_array();
    snprintf(below, sizeof below, "%s.lua", id);
    int rc = add_file(own, folder, below, below, "runbook", err);
    if (rc == RB_ENOT_FOUND) {
        rb_err_set(err, rc, RB_T_catalog_no_file, folder, below);
    }
    rc = rc ? rc : add_profiles(folders, number, id, files, err);
    rc = rc ? rc : add_factories(folder, rb_json_str(json_array_get(own, 0), "text", ""), files, err);
    json_array_extend(files, own);
    json_decref(own);
    snprintf(below, sizeof below, "%s.drills.lua", id);
    int drills = rc ? rc : add_file(files, folder, below, below, "drills", err);
    return drills == RB_ENOT_FOUND && !rc ? 0 : drills;
}

/* One file: its own hash, as sha256sum prints it. Several: the hash of the list of their hashes. */
static void hash_files(const json_t *files, char out[RB_HEX_SIZE])
{
    struct rb_buf list;
    size_t i;
    json_t *file;
    rb_buf_init(&list, 65536);
    json_array_foreach((json_t *)files, i, file)
    {
        const json_t *text = json_object_get(file, "text");
        rb_hash_hex(json_string_value(text), json_string_length(text), out);
        (void)rb_buf_addf(&list, "%s  %s\n", out,
                          rb_json_str(file, "role", "")); /* at most some hundred lines */
    }
    if (json_array_size(files) > 1) {
        rb_hash_hex(rb_buf_str(&list), list.len, out);
    }
    rb_buf_deinit(&list);
}

json_t *rb_folders_runbook(const struct rb_folders *folders, size_t number, const char *id,
                           struct rb_err *err)
{
    char hash[RB_HEX_SIZE];
    json_t *files = json_array();
    if (add_all(folders, number, id, files, err)) {
        json_decref(files);
        return NULL;
    }
    hash_files(files, hash);
    return json_pack("{s:s, s:o, s:s, s:o}", "id", id, "file",
                     json_sprintf("%s/%s.lua", folders->path[number], id), "sha256", hash, "files", files);
}
