/* runbook new SYSTEM/NAME: a first runbook, which lints clean and proves itself in a drill. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "cli/commands.h"
#include "runner/language_lint.h"

static const char TEMPLATE[] =
    "-- 先让它跑起来（runbook drill %1$s），再一块一块换成你的问题。\n"
    "-- Make it run first (runbook drill %1$s), then replace it block by block with your own problem.\n"
    "runbook \"%1$s\" {\n"
    "  title = { zh = \"标记文件不见了\", en = \"The marker file is gone\" },\n"
    "  severity = \"P3\", reviewed = \"%2$s\",\n"
    "}\n"
    "\n"
    "param \"file\" { type = \"path\", title = { zh = \"标记文件\", en = \"the marker file\" } }\n"
    "\n"
    "-- finding：可能出的问题。A finding is what can be wrong.\n"
    "finding \"missing\" {\n"
    "  title = { zh = \"没有 {path}\", en = \"there is no {path}\" }, key = \"path\",\n"
    "}\n"
    "\n"
    "-- check：只看，不改。A check only looks.\n"
    "check \"look\" {\n"
    "  title = { zh = \"看看文件在不在\", en = \"is the file there\" },\n"
    "  run = function(p)\n"
    "    if file.stat(p.file) then\n"
    "      ok({ zh = \"在\", en = \"it is there\" })\n"
    "    else\n"
    "      found(\"missing\", { path = p.file })\n"
    "    end\n"
    "  end,\n"
    "}\n"
    "\n"
    "-- fix：征得同意后才改。A fix changes something, after consent.\n"
    "fix \"write-it\" {\n"
    "  when = \"missing\", risk = \"medium\",\n"
    "  title = { zh = \"重新写 {path}\", en = \"write {path} again\" },\n"
    "  run  = function(p, f) file.write(f.path, \"ok\\n\") end,\n"
    "  undo = function(p, f) file.remove(f.path) end,\n"
    "}\n"
    "\n"
    "-- drill：在私有目录里故意弄坏，再看它修好。A drill breaks it on purpose in a private folder, and sees it repaired.\n"
    "drill \"gone\" {\n"
    "  inject = function(d) d:set { file = d.dir .. \"/marker\" } end,\n"
    "  expect = \"missing\", repair = \"write-it\",\n"
    "  prove  = function(d) assert(file.read(d.p.file) == \"ok\\n\", \"the marker holds something else\") end,\n"
    "}\n";

/* The folder given, else the user's own: the working directory is never searched, so nothing is written there. */
static int find_folder(const struct rb_cli *c, char out[PATH_MAX], struct rb_err *err)
{
    char config[PATH_MAX];
    const char *given = rb_options_get(&c->options, RB_O_RUNBOOKS);
    int rc = given != NULL ? 0 : rb_files_config_dir(config, err);
    if (rc == 0 && given != NULL && realpath(given, out) == NULL) {
        rc = rb_err_errno(err, errno, "%s", given);
    } else if (rc == 0 && given == NULL && snprintf(out, PATH_MAX, "%s/runbooks", config) >= PATH_MAX) {
        rc = rb_err_set(err, RB_ETOO_LARGE, RB_T_base_path_long, config);
    }
    return rc;
}

static int write_new(const char *path, const char *id, struct rb_err *err)
{
    char today[32];
    struct tm tm;
    time_t now = time(NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return rb_err_errno(err, errno, "%s", path);
    }
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return rb_err_errno(err, ENOMEM, "%s", path);
    }
    (void)strftime(today, sizeof today, "%Y-%m-%d", localtime_r(&now, &tm)); /* ten characters */
    bool written = fprintf(file, TEMPLATE, id, today) > 0;
    return fclose(file) == 0 && written ? 0 : rb_err_errno(err, errno, "%s", path);
}

static int check_id(const struct rb_cli *c, struct rb_err *err)
{
    const char *id = c->nargs == 1 ? c->args[0] : "";
    if (!rb_path_id_valid(id) || strchr(id, '/') == NULL) {
        return rb_err_set(err, RB_EUSAGE, RB_T_config_new_name);
    }
    return 0;
}

static void put_next(struct rb_cli *c, const char *command, const char *id)
{
    json_t *argv = rb_cli_repeat(c);
    json_array_append_new(argv, json_string(command));
    json_array_append_new(argv, json_string(id));
    rb_put(c, RB_OUT, RB_PLAIN, "  ");
    rb_put(c, RB_OUT, RB_COMMAND, "%s\n", rb_word_argv(c, argv));
    json_decref(argv);
}

int rb_cmd_new(struct rb_cli *c)
{
    char folder[PATH_MAX], path[PATH_MAX + 256];
    struct rb_err err = {0};
    int rc = check_id(c, &err);
    rc = rc != 0 ? rc : find_folder(c, folder, &err);
    if (rc == 0) {
        snprintf(path, sizeof path, "%s/%s", folder, c->args[0]);
        *strrchr(path, '/') = '\0';
        rc = rb_files_mkdirs(path, 0755, &err);
    }
    if (rc == 0) {
        snprintf(path, sizeof path, "%s/%s.lua", folder, c->args[0]);
        rc = write_new(path, c->args[0], &err);
    }
    if (rc != 0) {
        return rb_cli_fail(c, &err);
    }
    rb_put(c, RB_OUT, RB_PLAIN, "%s\n%s\n", rb_word(c, path), TX(next));
    put_next(c, "lint", c->args[0]);
    put_next(c, "drill", c->args[0]);
    return 0;
}
