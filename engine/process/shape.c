#include "process/shape.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WORDS_MAX 64
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define UNIT_CHARS ALNUM ":_.@\\-"
#define VALUE_CHARS ALNUM "_,.-"

const char *const rb_shape_env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                    "LANG=C.UTF-8",
                                    "SYSTEMD_COLORS=0",
                                    "SYSTEMD_PAGER=",
                                    "SYSTEMD_URLIFY=0",
                                    NULL};

/* systemctl of root asks the manager itself, everybody else the bus. */
#define BUS "/run/dbus/system_bus_socket"
static const struct rb_shape systemctl = {"/usr/bin/systemctl", {"/run/systemd/private", BUS}};
static const struct rb_shape timedatectl = {"/usr/bin/timedatectl", {BUS}};
static const struct rb_shape loginctl = {"/usr/bin/loginctl", {BUS}};

/* One row a command: how many names may follow its verb. Options are the same for all. */
static const struct {
    const struct rb_shape *shape;
    const char *verb;
    unsigned min, max;
} commands[] = {
    {&systemctl, "status", 0, WORDS_MAX},    {&systemctl, "show", 0, WORDS_MAX},
    {&systemctl, "is-active", 1, WORDS_MAX}, {&systemctl, "is-enabled", 1, WORDS_MAX},
    {&systemctl, "is-failed", 0, WORDS_MAX}, {&systemctl, "cat", 1, WORDS_MAX},
    {&systemctl, "list-units", 0, 0},        {&systemctl, "list-unit-files", 0, 0},
    {&systemctl, "list-timers", 0, 0},       {&systemctl, "list-sockets", 0, 0},
    {&systemctl, "list-jobs", 0, 0},         {&systemctl, "list-dependencies", 0, 1},
    {&systemctl, "get-default", 0, 0},       {&systemctl, "is-system-running", 0, 0},
    {&timedatectl, "status", 0, 0},          {&timedatectl, "show", 0, 0},
    {&loginctl, "list-sessions", 0, 0},      {&loginctl, "list-users", 0, 0},
};

/* Options that only choose what is shown. "=" at the end: a value follows in the same word; of the last ones,
 * in the next. Never -H, -M, --root and the like, which go elsewhere. */
static const char *const options[] = {"--no-pager", "--no-legend", "--plain",  "--full",    "-l",        "--all",
                                      "-a",         "--failed",    "--value",  "--quiet",   "-q",        "--property=",
                                      "--type=",    "--state=",    "--lines=", "--output=", "--legend=", "--reverse"};
static const char *const options_with_next[] = {"-p", "-t", "-n", "-o"};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool only(const char *word, const char *chars)
{
    return *word && word[strspn(word, chars)] == '\0';
}

static bool is_option(const char *word)
{
    for (size_t i = 0; i < COUNT(options); i++) {
        size_t len = strlen(options[i]);
        bool with_value = options[i][len - 1] == '=';
        if (with_value ? strncmp(word, options[i], len) == 0 && only(word + len, VALUE_CHARS)
                       : strcmp(word, options[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool wants_next(const char *word)
{
    for (size_t i = 0; i < COUNT(options_with_next); i++) {
        if (strcmp(word, options_with_next[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The verb, and how many names stand after it; NULL when there is any other word. */
static const char *read_words(const char *const *argv, unsigned *names)
{
    const char *verb = NULL;
    unsigned count = 0;
    *names = 0;
    for (const char *const *word = argv + 1; *word; word++) {
        if (++count > WORDS_MAX) {
            return NULL;
        }
        if (wants_next(*word)) {
            word++;
            if (!*word || !only(*word, VALUE_CHARS) || **word == '-') {
                return NULL;
            }
        } else if (**word == '-') {
            if (!is_option(*word)) {
                return NULL;
            }
        } else if (!verb) {
            verb = *word;
        } else if (only(*word, UNIT_CHARS)) {
            (*names)++;
        } else {
            return NULL;
        }
    }
    return verb;
}

static bool is_called(const struct rb_shape *shape, const char *word)
{
    return strcmp(word, shape->program) == 0 || strcmp(word, strrchr(shape->program, '/') + 1) == 0;
}

const struct rb_shape *rb_shape_of(const char *const *argv)
{
    unsigned names;
    const char *verb = argv && argv[0] ? read_words(argv, &names) : NULL;
    for (size_t i = 0; verb && i < COUNT(commands); i++) {
        if (is_called(commands[i].shape, argv[0]) && strcmp(verb, commands[i].verb) == 0) {
            return names >= commands[i].min && names <= commands[i].max ? commands[i].shape : NULL;
        }
    }
    return NULL;
}

static bool is_roots(const char *path, mode_t type)
{
    struct stat st;
    return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == 0 &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool rb_shape_is_trusted(const char *program)
{
    char path[PATH_MAX];
    if (!realpath(program, path) || !is_roots(path, S_IFREG)) {
        return false;
    }
    for (char *slash = strrchr(path, '/'); slash && slash != path; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (!is_roots(path, S_IFDIR)) {
            return false;
        }
    }
    return is_roots("/", S_IFDIR);
}
