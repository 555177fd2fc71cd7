/* The binding `file`: single files, by absolute path. */
#include "list.h"

#include "bind.h"
#include "file/env.h"
#include "file/pack.h"
#include "file/quarantine.h"
#include "file/read.h"
#include "file/scan.h"
#include "file/shape.h"
#include "file/tree.h"
#include "file/write.h"

#define PATH RB_BIND_POS("path", "path", "absolute path", "绝对路径")
#define MODE(en, zh) \
    RB_BIND_OPT("mode", "any", "octal text like \"0640\", default " en, "八进制文字，例如 \"0640\"，默认" zh)
#define OVERWRITE RB_BIND_OPT("overwrite", "bool", "replace what is there, default false", "覆盖已有文件，默认 false")

static const struct rb_arg read_args[] = {
    PATH,
    RB_BIND_OPT("max", "size", "read at most this much, up to 4 MiB; without it more than 1 MiB is an error",
                "最多读这么多，上限 4 MiB；不给时超过 1 MiB 就报错"),
    RB_BIND_OPT("offset", "int", "first byte, default 0", "从第几个字节开始，默认 0"), RB_BIND_END};
static const struct rb_arg stat_args[] = {
    PATH, RB_BIND_OPT("follow", "bool", "the target of a link, default true", "看链接的目标，默认 true"), RB_BIND_END};
static const struct rb_arg list_args[] = {
    RB_BIND_POS("dir", "path", "the folder", "目录"),
    RB_BIND_OPT("pattern", "string", "shell pattern for the name", "名字的通配符"), RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg find_args[] = {
    RB_BIND_POS("dir", "path", "the folder", "目录"),
    RB_BIND_OPT("name", "string", "shell pattern for the name", "名字的通配符"),
    RB_BIND_OPT("older", "duration", "last changed at least this long ago", "至少这么久没改过"),
    RB_BIND_OPT("larger", "size", "larger than this", "比这更大"),
    RB_BIND_OPT("newer", "duration", "last changed at most this long ago", "最多这么久以前改过"),
    RB_BIND_OPT("type", "string", "file dir link fifo socket block char or any; default file",
                "file dir link fifo socket block char 或 any；默认 file"),
    RB_BIND_OPT("except", "list(string)", "shell patterns of names that are left out", "不要的名字的通配符"),
    RB_BIND_OPT("closed", "bool", "leave out what any process has open (as far as we may look), default false",
                "排除任何进程（能看到的）打开着的文件，默认 false"),
    RB_BIND_OPT("depth", "int", "1 = the folder itself only; default 64", "1 表示只看该目录本身；默认 64"),
    RB_BIND_OPT("max", "int", "more files are an error, default 1000, up to 10000",
                "文件数超过它就报错，默认 1000，上限 10000"),
    RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg tail_args[] = {
    PATH,
    RB_BIND_OPT("bytes", "size", "look at this much of the end, up to 4 MiB; default 64 KiB, with lines 1 MiB",
                "看末尾多少，上限 4 MiB；默认 64 KiB，给了 lines 时 1 MiB"),
    RB_BIND_OPT("lines", "int", "the last lines only", "只要最后几行"), RB_BIND_END};
static const struct rb_arg hash_args[] = {PATH, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg probe_args[] = {RB_BIND_POS("dir", "path", "the folder", "目录"), RB_BIND_END};
static const struct rb_arg write_args[] = {PATH, RB_BIND_POS("data", "bytes", "the whole new content", "全部新内容"),
                                           MODE("as before, else 0644", "不变，新文件 0644"),
                                           RB_BIND_OPT("backup", "bool",
                                                       "keep the old content as PATH.bak-TIME, default true",
                                                       "旧内容另存为 PATH.bak-时间，默认 true"),
                                           RB_BIND_END};
static const struct rb_arg append_args[] = {PATH, RB_BIND_POS("data", "bytes", "what to add", "要追加的内容"),
                                            RB_BIND_END};
static const struct rb_arg copy_args[] = {RB_BIND_POS("from", "path", "the file", "原文件"),
                                          RB_BIND_POS("to", "path", "its new path, name included", "新路径，含文件名"),
                                          OVERWRITE, RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg remove_args[] = {
    PATH,
    RB_BIND_OPT("tree", "bool", "a folder with all that is in it; default false: a folder must be empty",
                "目录连同里面的一切；默认 false：目录必须是空的"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg path_args[] = {PATH, RB_BIND_END};
static const struct rb_arg usage_args[] = {
    RB_BIND_POS("dir", "path", "the folder", "目录"),
    RB_BIND_OPT("top", "int", "how many of the largest, default 20, up to 1000", "列出最大的几个，默认 20，上限 1000"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg scan_args[] = {
    PATH,
    RB_BIND_POS("patterns", "any", "a pattern (PCRE2), or a map of names to patterns; of a line each may count once",
                "一个模式（PCRE2），或从名字到模式的表；每行每个模式最多计一次"),
    RB_BIND_OPT("plain", "bool", "the patterns are plain text, default false", "模式是普通文字，默认 false"),
    RB_BIND_OPT("last", "duration", "only lines this young", "只看最近这么久的行"),
    RB_BIND_OPT("since", "number", "only lines from this time on, UTC seconds", "只看这个时刻之后的行，UTC 秒"),
    RB_BIND_OPT("before_writes", "bool", "also lines older than the last write of this run, default false",
                "也看本次 run 最后一次写操作之前的行，默认 false"),
    RB_BIND_OPT("bytes", "size", "at most this much of the end, default 64 MiB; a gzipped file is read whole",
                "最多看末尾这么多，默认 64 MiB；gzip 文件总是全部读"),
    RB_BIND_OPT("from", "int", "begin at this byte: the `at` of an earlier answer", "从这个字节开始：之前结果里的 at"),
    RB_BIND_OPT("samples", "int", "how many of the last matching lines to give, default 100, up to 1000",
                "给出最后几条匹配的行，默认 100，上限 1000"),
    RB_BIND_OPT("group", "bool", "count the different texts that matched (the first capture, else all), default false",
                "按匹配到的文字分组计数（有捕获取第一个，否则取全部），默认 false"),
    RB_BIND_OPT("every", "duration", "count by time, too: buckets = { [UTC seconds as text] = count }",
                "同时按时间段计数：buckets = { [UTC 秒的文字] = 次数 }"),
    RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg follow_args[] = {
    RB_BIND_POS("paths", "list(string)", "the files; one that is not there yet is waited for",
                "文件；还不存在的会等它出现"),
    RB_BIND_OPT("at", "map", "the `at` of the batch before", "上一批结果里的 at"),
    RB_BIND_OPT("from_start", "bool", "the first batch begins at the start of the files, default false: at their ends",
                "第一批从文件开头读，默认 false：从末尾开始"),
    RB_BIND_OPT("match", "string", "only lines with this pattern (PCRE2)", "只要匹配这个模式的行（PCRE2）"),
    RB_BIND_OPT("within", "duration", "how long a batch takes, default 1s", "一批等多久，默认 1s"),
    RB_BIND_OPT("max", "int", "lines that end it at once, default 100, up to 10000",
                "满多少行就立即返回，默认 100，上限 10000"),
    RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg env_args[] = {
    PATH,
    RB_BIND_OPT("show", "list(string)", "names whose values are told; those of all others stay in the file",
                "要给出值的名字；其他的值都不出文件"),
    RB_BIND_OPT("pid", "int", "a process: loaded = it was started with this very value",
                "进程号：loaded 表示它启动时用的就是这个值"),
    RB_BIND_END};
static const struct rb_arg env_set_args[] = {
    PATH, RB_BIND_POS("name", "string", "the variable", "变量名"),
    RB_BIND_POS("value", "bytes", "its new value, may be a secret", "新的值，可以是密钥"), RB_BIND_END};
static const struct rb_arg gzip_args[] = {
    PATH, RB_BIND_OPT("level", "int", "1 fast … 9 small, default 6", "1 最快 … 9 最小，默认 6"), RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg gunzip_args[] = {
    PATH, RB_BIND_OPT("max", "size", "more than this is refused, default 16 GiB", "解压后超过它就拒绝，默认 16 GiB"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg chown_args[] = {PATH, RB_BIND_OPT("owner", "any", "a name or a number", "名字或数字"),
                                           RB_BIND_OPT("group", "any", "a name or a number", "名字或数字"),
                                           RB_BIND_END};
static const struct rb_arg cut_args[] = {PATH,
                                         RB_BIND_OPT("keep", "size",
                                                     "whole lines of the end, up to 64 MiB, default none",
                                                     "保留末尾多少（整行），上限 64 MiB，默认不留"),
                                         RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg quarantine_args[] = {
    RB_BIND_POS("paths", "list(string)", "the files or folders, by their exact names", "文件或目录，用确切的名字"),
    RB_BIND_MUST("dir", "path", "a folder of the same file system; a new folder quarantine-TIME is made in it",
                 "同一文件系统上的目录；会在里面新建 quarantine-时间"),
    RB_BIND_TIMEOUT, RB_BIND_END};
static const struct rb_arg bring_back_args[] = {
    RB_BIND_POS("dir", "path", "the dir that quarantine answered", "quarantine 返回的 dir"), RB_BIND_TIMEOUT,
    RB_BIND_END};
static const struct rb_arg swap_args[] = {
    PATH, RB_BIND_POS("with", "path", "the other file or folder", "另一个文件或目录"), RB_BIND_END};
static const struct rb_arg mkdir_args[] = {
    PATH,
    RB_BIND_OPT("parents", "bool", "make missing folders above it too, default true", "缺的上级目录也建，默认 true"),
    MODE("0755", " 0755"), RB_BIND_END};
static const struct rb_arg chmod_args[] = {
    PATH,
    {"mode", "any", RB_ARG_REQUIRED | RB_ARG_POSITIONAL, "octal text like \"0640\"", "八进制文字，例如 \"0640\""},
    RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "read",
     .effect = RB_EFFECT_READ,
     .args = read_args,
     .returns = "the content, or nil when there is no such file",
     .en = "Reads a file, exactly. Errors: too_large denied usage io.",
     .zh = "原样读取文件。错误：too_large denied usage io。",
     .work = rb_file_read},
    {.name = "stat",
     .effect = RB_EFFECT_READ,
     .args = stat_args,
     .returns = "{ size, mtime, mode, uid, gid, owner, group, type, path, dev, inode, links }, or nil",
     .en = "What a path is: bytes, UTC seconds, permission bits. Errors: denied usage.",
     .zh = "路径是什么：字节数、UTC 秒、权限位。错误：denied usage。",
     .work = rb_file_stat},
    {.name = "list",
     .effect = RB_EFFECT_READ,
     .args = list_args,
     .returns = "list of { path, name, type, size, mtime }, by name",
     .en = "What is in a folder, up to 10000 entries. Errors: not_found denied usage too_large.",
     .zh = "目录里有什么，最多 10000 项。错误：not_found denied usage too_large。",
     .work = rb_file_list},
    {.name = "find",
     .effect = RB_EFFECT_READ,
     .args = find_args,
     .returns = "list of { path, name, type, size, mtime }",
     .en = "Regular files below a folder, on the same file system, links not followed. Errors: not_found denied usage "
           "too_large timeout.",
     .zh = "目录下面的普通文件，不跨文件系统，不跟随链接。错误：not_found denied usage too_large timeout。",
     .work = rb_file_find,
     .timeout = 60},
    {.name = "tail",
     .effect = RB_EFFECT_READ,
     .args = tail_args,
     .returns = "the last whole lines, or nil",
     .en = "The end of a file. Errors: denied usage io.",
     .zh = "文件的末尾。错误：denied usage io。",
     .work = rb_file_tail},
    {.name = "hash",
     .effect = RB_EFFECT_READ,
     .args = hash_args,
     .returns = "SHA-256 in hex, or nil",
     .timeout = 600,
     .en =
         "The SHA-256 of a file; of a folder, one of all names, kinds, contents and link targets below it, not of owners, "
         "modes and times: for each entry, folders before what is in them and names in the order of their bytes, "
         "\"KIND HASH PATH\" and a NUL, KIND d f l o, HASH - for folders. Errors: denied usage io timeout.",
     .zh = "文件的 SHA-256；目录则是其下所有名字、类型、内容、链接目标的总哈希，不含属主、权限、时间：每项写作 "
           "\"类型 哈希 路径\" 加一个 NUL，目录在其内容之前，名字按字节排序，类型为 d f l o，目录的哈希写 -。"
           "错误：denied usage io timeout。",
     .work = rb_file_digest},
    {.name = "parent",
     .effect = RB_EFFECT_READ,
     .args = path_args,
     .returns = "the real path of the folder it lies in, or nil",
     .en = "Where a file is or would be. Errors: denied usage.",
     .zh = "文件所在（或将在）的目录的真实路径。错误：denied usage。",
     .work = rb_file_parent},
    {.name = "usage",
     .effect = RB_EFFECT_READ,
     .args = usage_args,
     .timeout = 60,
     .returns =
         "{ bytes, files, complete, hidden, biggest = list of { path, bytes, mtime }, folders = list of { path, bytes, files } }",
     .en =
         "What takes the space below a folder, on its own file system: the largest files, and the largest of the folders "
         "directly in it. When time runs out it answers what it has, complete = false. Errors: not_found denied usage.",
     .zh = "目录下面什么占空间，不跨文件系统：最大的文件，以及直接下级里最大的目录。时间快到时先返回已有结果，"
           "complete = false。错误：not_found denied usage。",
     .work = rb_file_usage},
    {.name = "scan",
     .effect = RB_EFFECT_READ,
     .args = scan_args,
     .timeout = 60,
     .returns =
         "{ matches = { name = { count, first?, last?, groups?, others? } }, samples = list of { name, line, time? }, lines, "
         "dated, first, last, since, wrote, size, mtime, inode, at, buckets }, or nil",
     .en =
         "One pass over a log, gzipped or not: how often which pattern occurs, when, and the last such lines. Lines without "
         "a time belong to the one before; a log without any time (dated = false) counts as far as it is read. "
         "Errors: usage denied io corrupt timeout.",
     .zh = "把日志从头到尾看一遍，gzip 的也行：每个模式出现几次、什么时候、最后几条是什么。没有时间的行算在前一行；"
           "整个日志都没有时间（dated = false）就按读到的部分算。错误：usage denied io corrupt timeout。",
     .work = rb_file_scan},
    {.name = "follow",
     .effect = RB_EFFECT_READ,
     .args = follow_args,
     .returns = "{ lines = list of { path, line }, at, rotated, lost, passed }",
     .en =
         "One batch of what is added to logs; logs.follow is the loop around it. A log that is renamed or copied and cut is "
         "followed to its new file (rotated); lost: its old file is gone before it was read to its end. "
         "Errors: usage denied io timeout.",
     .zh =
         "取一批日志的新增内容；循环用 logs.follow。日志被改名轮转或复制截断后会跟到新文件（rotated）；lost：旧文件还没读完就没了。"
         "错误：usage denied io timeout。",
     .work = rb_file_follow},
    {.name = "env",
     .effect = RB_EFFECT_READ,
     .args = env_args,
     .returns =
         "{ entries = list of { name, line, set, length, placeholder, exported, overridden?, value?, loaded? }, bad_lines, mode }, or nil",
     .en = "What a .env file sets, without the values. overridden: a later line sets the same name. Nothing in it is "
           "expanded. Errors: denied usage too_large not_found.",
     .zh =
         ".env 文件设了什么，不给出值。overridden：后面有一行设了同名变量。不做任何展开。错误：denied usage too_large not_found。",
     .work = rb_file_env},
    {.name = "probe",
     .effect = RB_EFFECT_PROBE,
     .args = probe_args,
     .returns = "{ ok, code?, message? }",
     .en = "Can a file be written in this folder? Creates, syncs and removes one. Errors: usage.",
     .zh = "这个目录能不能写文件？建一个、落盘、再删掉。错误：usage。",
     .work = rb_file_probe},
    {.name = "write",
     .effect = RB_EFFECT_WRITE,
     .args = write_args,
     .returns = "{ path, bytes, backup? }",
     .en =
         "Replaces a file's content, whole or not at all; owner and mode stay. Errors: denied no_space not_found usage io.",
     .zh = "替换文件内容，要么全换，要么不动；属主和权限不变。错误：denied no_space not_found usage io。",
     .work = rb_file_write},
    {.name = "env_set",
     .effect = RB_EFFECT_WRITE,
     .args = env_set_args,
     .returns = "{ path, bytes, backup?, added }",
     .en =
         "Sets one variable of a .env file in place: the last line of that name, or a new one; every other byte, the "
         "comments and the style of quotes stay. The old file is kept as a backup of the same mode. A new file gets 0600. "
         "Errors: denied no_space usage too_large io.",
     .zh = "就地修改 .env 文件里的一个变量：改同名的最后一行，没有就追加一行；其余字节、注释、引号写法都不变。"
           "旧文件留作备份，权限相同。新文件权限 0600。错误：denied no_space usage too_large io。",
     .work = rb_file_env_set},
    {.name = "append",
     .effect = RB_EFFECT_WRITE,
     .args = append_args,
     .returns = "{ bytes, size }",
     .en = "Adds to the end of a file; creates it. Errors: denied no_space not_found usage io.",
     .zh = "追加到文件末尾；没有就新建。错误：denied no_space not_found usage io。",
     .work = rb_file_append},
    {.name = "copy",
     .effect = RB_EFFECT_WRITE,
     .args = copy_args,
     .returns = "{ bytes }",
     .timeout = 600,
     .en =
         "Copies one file with owner, mode and times; on disk when it returns. Errors: exists not_found denied no_space "
         "usage timeout.",
     .zh = "复制一个文件，连同属主、权限和时间；返回时已落盘。错误：exists not_found denied no_space usage timeout。",
     .work = rb_file_copy},
    {.name = "move",
     .effect = RB_EFFECT_WRITE,
     .args = copy_args,
     .returns = "{ bytes }",
     .timeout = 600,
     .en = "Moves a file or a folder; a file also to another file system. Errors: as copy.",
     .zh = "移动文件或目录；文件可以跨文件系统。错误：同 copy。",
     .work = rb_file_move},
    {.name = "remove",
     .effect = RB_EFFECT_WRITE,
     .args = remove_args,
     .returns = "{ bytes, entries }",
     .timeout = 300,
     .en =
         "Removes one file, one link (never what it points to) or one empty folder by its exact path. With tree, a folder "
         "and all below it, never across a mount point, nor a folder directly in /; all is looked at before anything "
         "goes. Errors: not_found denied usage timeout.",
     .zh = "按确切路径删除一个文件、一个链接（绝不动它指向的东西）或一个空目录。加 tree 连同目录里的一切，"
           "绝不跨挂载点，也绝不删直接位于 / 下的目录；全部看过一遍才开始删。错误：not_found denied usage timeout。",
     .work = rb_file_remove},
    {.name = "mkdir",
     .effect = RB_EFFECT_WRITE,
     .args = mkdir_args,
     .returns = "{ created }",
     .en = "Makes a folder; one that is there already is fine. Errors: denied no_space exists not_found usage.",
     .zh = "建目录；已经有了也行。错误：denied no_space exists not_found usage。",
     .work = rb_file_mkdir},
    {.name = "chmod",
     .effect = RB_EFFECT_WRITE,
     .args = chmod_args,
     .returns = "{ before }",
     .en = "Sets the permission bits of a file. Errors: not_found denied usage.",
     .zh = "设置文件的权限位。错误：not_found denied usage。",
     .work = rb_file_chmod},
    {.name = "chown",
     .effect = RB_EFFECT_WRITE,
     .args = chown_args,
     .returns = "{ before = { uid, gid } }",
     .en = "Sets owner and group; of a link, its own. Errors: not_found denied usage.",
     .zh = "设置属主和属组；是链接就改链接本身。错误：not_found denied usage。",
     .work = rb_file_chown},
    {.name = "gzip",
     .effect = RB_EFFECT_WRITE,
     .args = gzip_args,
     .returns = "{ path, before, size }",
     .timeout = 600,
     .en =
         "Replaces a file by PATH.gz with its owner, mode and times. Refused (busy) while anybody has it open for writing; "
         "the original goes when the copy was read back and is on disk. Errors: busy exists not_found denied no_space "
         "usage timeout.",
     .zh =
         "把文件换成 PATH.gz，属主、权限、时间不变。有人正打开着写就拒绝（busy）；压缩结果回读验证并落盘后才删原文件。"
         "错误：busy exists not_found denied no_space usage timeout。",
     .work = rb_file_gzip},
    {.name = "gunzip",
     .effect = RB_EFFECT_WRITE,
     .args = gunzip_args,
     .returns = "{ path, before, size }",
     .timeout = 600,
     .en = "The reverse of gzip. Errors: corrupt too_large exists not_found denied no_space usage timeout.",
     .zh = "gzip 的逆操作。错误：corrupt too_large exists not_found denied no_space usage timeout。",
     .work = rb_file_gunzip},
    {.name = "cut",
     .effect = RB_EFFECT_WRITE,
     .args = cut_args,
     .returns = "{ before, size }",
     .en =
         "Shortens a file in place, for a log whose writer cannot reopen it; lines written in that instant are lost. Needs no "
         "free space. Errors: not_found denied usage io.",
     .zh =
         "就地截短文件，用于写的人没法重新打开的日志；那一瞬间写入的行会丢。不需要剩余空间。错误：not_found denied usage io。",
     .work = rb_file_cut},
    {.name = "quarantine",
     .effect = RB_EFFECT_WRITE,
     .args = quarantine_args,
     .returns = "{ dir, files = list of { from, to }, missing }",
     .en =
         "Moves files out of the way, all or none, with a list by which bring_back finds their places. What is not there is "
         "told in missing. Errors: not_found exists denied usage no_space.",
     .zh = "把文件移开，要么全移，要么不动，并留下清单供 bring_back 还原。不存在的列在 missing 里。"
           "错误：not_found exists denied usage no_space。",
     .work = rb_file_quarantine},
    {.name = "bring_back",
     .effect = RB_EFFECT_WRITE,
     .args = bring_back_args,
     .returns = "{ files }",
     .en =
         "Moves what was quarantined back to where it was, all or none, never over something. Errors: exists not_found corrupt "
         "denied usage.",
     .zh = "把隔离的文件移回原处，要么全移，要么不动，绝不覆盖。错误：exists not_found corrupt denied usage。",
     .work = rb_file_bring_back},
    {.name = "swap",
     .effect = RB_EFFECT_WRITE,
     .args = swap_args,
     .returns = "true",
     .en = "Exchanges two files or folders of one file system in one step. Errors: not_found denied usage.",
     .zh = "一步交换同一文件系统上的两个文件或目录。错误：not_found denied usage。",
     .work = rb_file_swap},
    {0}};

const struct rb_binding rb_binding_file = {
    .name = "file",
    .en = "Files: looked at, written whole, moved, never removed by pattern.",
    .zh = "文件：查看、整体写入、移动，绝不按通配符删除。",
    .verbs = verbs,
};
