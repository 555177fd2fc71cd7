/* The files for editors and luacheck. */
#include "cli/meta.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

#define TEXT_MAX (8u << 20)

static const char LUARC[] =
    "{\n"
    "  \"$schema\": \"https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json\",\n"
    "  \"runtime.version\": \"Lua 5.4\",\n"
    "  \"workspace.library\": [\".runbook/meta\"],\n"
    "  \"workspace.checkThirdParty\": false,\n"
    "  \"type.checkTableShape\": true,\n"
    "  \"diagnostics.disable\": [\"lowercase-global\"]\n"
    "}\n";

static void luarc(struct rb_buf *out)
{
    (void)rb_buf_adds(out, LUARC);
}

static void luacheckrc(struct rb_buf *out)
{
    json_t *names = rb_meta_names(), *name;
    size_t i;
    (void)rb_buf_adds(
        out,
        "-- Runbooks see the block language, its helpers and the verbs, nothing else.\nstd = \"runbook\"\n"
        "unused_args = false\nmax_line_length = 160\n\nstds.runbook = {\n  read_globals = {\n"
        "    \"assert\", \"error\", \"getmetatable\", \"ipairs\", \"math\", \"next\", \"pairs\", \"rawequal\", \"rawlen\",\n"
        "    \"select\", \"setmetatable\", \"string\", \"table\", \"tonumber\", \"tostring\", \"type\", \"utf8\",\n");
    json_array_foreach(names, i, name) {
        (void)rb_buf_addf(out, "%s\"%s\",%s", i % 8 == 0 ? "    " : " ", json_string_value(name),
                          i % 8 == 7 ? "\n" : "");
    }
    (void)rb_buf_adds(out, "\n  },\n}\n");
    json_decref(names);
}

static int write_text(const char *path, bool anew, const struct rb_buf *text, struct rb_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (anew ? O_TRUNC : O_EXCL), 0644);
    size_t done = 0;
    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    while (done < text->len) {
        ssize_t n = write(fd, text->data + done, text->len - done);
        if (n < 0 && errno != EINTR) {
            int rc = rb_err_errno(err, errno, "%s", path);
            close(fd);
            return rc;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return close(fd) == 0 ? 0 : rb_err_errno(err, errno, "%s", path);
}

/* own: our own file, written anew; else it is the author's once it is there. */
static const struct {
    const char *path;
    void (*text)(struct rb_buf *out);
    bool own;
} files[] = {
    {".runbook/meta/blocks.lua", rb_meta_blocks, true},
    {".runbook/meta/verbs.lua", rb_meta_verbs, true},
    {".runbook/meta/helpers.lua", rb_meta_helpers, true},
    {".luarc.json", luarc, false},
    {".luacheckrc", luacheckrc, false},
};

static int emit(struct rb_cli *c, const char *folder, size_t i, struct rb_err *err)
{
    char path[PATH_MAX];
    struct rb_buf text;
    if (snprintf(path, sizeof path, "%s/%s", folder, files[i].path) >= (int)sizeof path) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_base_path_long, folder);
    }
    rb_buf_init(&text, TEXT_MAX);
    files[i].text(&text);
    int rc = write_text(path, files[i].own, &text, err);
    rb_buf_deinit(&text);
    bool kept = rc == RB_EEXISTS && !files[i].own;
    if (rc == 0 || kept) {
        rb_put(c, RB_OUT, RB_PLAIN, "%s  %s\n", rb_word(c, path),
               kept ? TX_CONFIG(meta_kept) : TX_CONFIG(meta_written));
    }
    return kept ? 0 : rc;
}

int rb_meta_emit(struct rb_cli *c, const char *folder, struct rb_err *err)
{
    char meta[PATH_MAX];
    if (snprintf(meta, sizeof meta, "%s/.runbook/meta", folder) >= (int)sizeof meta) {
        return rb_err_set(err, RB_ETOO_LARGE, RB_T_base_path_long, folder);
    }
    int rc = rb_files_mkdirs(meta, 0755, err);
    for (size_t i = 0; rc == 0 && i < sizeof files / sizeof *files; i++) {
        rc = emit(c, folder, i, err);
    }
    return rc;
}
