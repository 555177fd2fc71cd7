/* The binding `file`: single files, by absolute path. */
#include "list.h"

#include "bind.h"
#include "file/read.h"
#include "file/write.h"

#define PATH RB_BIND_POS("path", "path", "absolute path", "绝对路径")
#define MODE(en, zh) RB_BIND_OPT("mode", "any", "octal text like \"0640\", default " en, "八进制文字，例如 \"0640\"，默认" zh)
#define OVERWRITE RB_BIND_OPT("overwrite", "bool", "replace what is there, default false", "覆盖已有文件，默认 false")

static const struct rb_arg read_args[] = {
    PATH, RB_BIND_OPT("max", "size", "read at most this much, up to 4 MiB; without it more than 1 MiB is an error",
                      "最多读这么多，上限 4 MiB；不给时超过 1 MiB 就报错"),
    RB_BIND_OPT("offset", "int", "first byte, default 0", "从第几个字节开始，默认 0"), RB_BIND_END};
static const struct rb_arg stat_args[] = {
    PATH, RB_BIND_OPT("follow", "bool", "the target of a link, default true", "看链接的目标，默认 true"), RB_BIND_END};
static const struct rb_arg list_args[] = {
    RB_BIND_POS("dir", "path", "the folder", "目录"),
    RB_BIND_OPT("pattern", "string", "shell pattern for the name", "名字的通配符"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg find_args[] = {
    RB_BIND_POS("dir", "path", "the folder", "目录"), RB_BIND_OPT("name", "string", "shell pattern for the name", "名字的通配符"),
    RB_BIND_OPT("older", "duration", "last changed at least this long ago", "至少这么久没改过"),
    RB_BIND_OPT("larger", "size", "larger than this", "比这更大"),
    RB_BIND_OPT("max", "int", "more files are an error, default 1000, up to 10000", "文件数超过它就报错，默认 1000，上限 10000"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg tail_args[] = {
    PATH, RB_BIND_OPT("bytes", "size", "look at this much of the end, up to 4 MiB; default 64 KiB, with lines 1 MiB",
                      "看末尾多少，上限 4 MiB；默认 64 KiB，给了 lines 时 1 MiB"),
    RB_BIND_OPT("lines", "int", "the last lines only", "只要最后几行"), RB_BIND_END};
static const struct rb_arg hash_args[] = {PATH, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg probe_args[] = {RB_BIND_POS("dir", "path", "the folder", "目录"), RB_BIND_END};
static const struct rb_arg write_args[] = {
    PATH, RB_BIND_POS("data", "bytes", "the whole new content", "全部新内容"), MODE("as before, else 0644", "不变，新文件 0644"),
    RB_BIND_OPT("backup", "bool", "keep the old content as PATH.bak-TIME, default true", "旧内容另存为 PATH.bak-时间，默认 true"),
    RB_BIND_END};
static const struct rb_arg append_args[] = {PATH, RB_BIND_POS("data", "bytes", "what to add", "要追加的内容"), RB_BIND_END};
static const struct rb_arg copy_args[] = {
    RB_BIND_POS("from", "path", "the file", "原文件"), RB_BIND_POS("to", "path", "its new path, name included", "新路径，含文件名"),
    OVERWRITE, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg path_args[] = {PATH, RB_BIND_END};
static const struct rb_arg mkdir_args[] = {
    PATH, RB_BIND_OPT("parents", "bool", "make missing folders above it too, default true", "缺的上级目录也建，默认 true"),
    MODE("0755", " 0755"), RB_BIND_END};
static const struct rb_arg chmod_args[] = {
    PATH, {"mode", "any", RB_ARG_REQUIRED | RB_ARG_POSITIONAL, "octal text like \"0640\"", "八进制文字，例如 \"0640\""}, RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "read", .effect = RB_EFFECT_READ, .args = read_args, .returns = "the content, or nil when there is no such file",
     .en = "Reads a file, exactly. Errors: too_large denied usage io.", .zh = "原样读取文件。错误：too_large denied usage io。",
     .work = rb_file_read},
    {.name = "stat", .effect = RB_EFFECT_READ, .args = stat_args,
     .returns = "{ size, mtime, mode, uid, gid, owner, group, type, path, dev, inode, links }, or nil",
     .en = "What a path is: bytes, UTC seconds, permission bits. Errors: denied usage.",
     .zh = "路径是什么：字节数、UTC 秒、权限位。错误：denied usage。", .work = rb_file_stat},
    {.name = "list", .effect = RB_EFFECT_READ, .args = list_args, .returns = "list of { path, name, type, size, mtime }, by name",
     .en = "What is in a folder, up to 10000 entries. Errors: not_found denied usage too_large.",
     .zh = "目录里有什么，最多 10000 项。错误：not_found denied usage too_large。", .work = rb_file_list},
    {.name = "find", .effect = RB_EFFECT_READ, .args = find_args, .returns = "list of { path, name, type, size, mtime }",
     .en = "Regular files below a folder, on the same file system, links not followed. Errors: not_found denied usage "
           "too_large timeout.",
     .zh = "目录下面的普通文件，不跨文件系统，不跟随链接。错误：not_found denied usage too_large timeout。",
     .work = rb_file_find, .timeout = 60},
    {.name = "tail", .effect = RB_EFFECT_READ, .args = tail_args, .returns = "the last whole lines, or nil",
     .en = "The end of a file. Errors: denied usage io.", .zh = "文件的末尾。错误：denied usage io。", .work = rb_file_tail},
    {.name = "hash", .effect = RB_EFFECT_READ, .args = hash_args, .returns = "SHA-256 in hex, or nil", .timeout = 600,
     .en = "The SHA-256 of a file. Errors: denied usage io timeout.", .zh = "文件的 SHA-256。错误：denied usage io timeout。",
     .work = rb_file_digest},
    {.name = "probe", .effect = RB_EFFECT_PROBE, .args = probe_args, .returns = "{ ok, code?, message? }",
     .en = "Can a file be written in this folder? Creates, syncs and removes one. Errors: usage.",
     .zh = "这个目录能不能写文件？建一个、落盘、再删掉。错误：usage。", .work = rb_file_probe},
    {.name = "write", .effect = RB_EFFECT_WRITE, .args = write_args, .returns = "{ path, bytes, backup? }",
     .en = "Replaces a file's content, whole or not at all; owner and mode stay. Errors: denied no_space not_found usage io.",
     .zh = "替换文件内容，要么全换，要么不动；属主和权限不变。错误：denied no_space not_found usage io。", .work = rb_file_write},
    {.name = "append", .effect = RB_EFFECT_WRITE, .args = append_args, .returns = "{ bytes, size }",
     .en = "Adds to the end of a file; creates it. Errors: denied no_space not_found usage io.",
     .zh = "追加到文件末尾；没有就新建。错误：denied no_space not_found usage io。", .work = rb_file_append},
    {.name = "copy", .effect = RB_EFFECT_WRITE, .args = copy_args, .returns = "{ bytes }", .timeout = 600,
     .en = "Copies one file with owner, mode and times; on disk when it returns. Errors: exists not_found denied no_space "
           "usage timeout.",
     .zh = "复制一个文件，连同属主、权限和时间；返回时已落盘。错误：exists not_found denied no_space usage timeout。",
     .work = rb_file_copy},
    {.name = "move", .effect = RB_EFFECT_WRITE, .args = copy_args, .returns = "{ bytes }", .timeout = 600,
     .en = "Moves a file or a folder; a file also to another file system. Errors: as copy.",
     .zh = "移动文件或目录；文件可以跨文件系统。错误：同 copy。", .work = rb_file_move},
    {.name = "remove", .effect = RB_EFFECT_WRITE, .args = path_args, .returns = "{ bytes }",
     .en = "Removes one regular file by its exact path. Errors: not_found denied usage.",
     .zh = "按确切路径删除一个普通文件。错误：not_found denied usage。", .work = rb_file_remove},
    {.name = "mkdir", .effect = RB_EFFECT_WRITE, .args = mkdir_args, .returns = "{ created }",
     .en = "Makes a folder; one that is there already is fine. Errors: denied no_space exists not_found usage.",
     .zh = "建目录；已经有了也行。错误：denied no_space exists not_found usage。", .work = rb_file_mkdir},
    {.name = "chmod", .effect = RB_EFFECT_WRITE, .args = chmod_args, .returns = "{ before }",
     .en = "Sets the permission bits of a file. Errors: not_found denied usage.",
     .zh = "设置文件的权限位。错误：not_found denied usage。", .work = rb_file_chmod},
    {0}};

const struct rb_binding rb_binding_file = {
    .name = "file",
    .en = "Files: looked at, written whole, moved, never removed by pattern.",
    .zh = "文件：查看、整体写入、移动，绝不按通配符删除。",
    .verbs = verbs,
};
