#include "cli/look.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* LC_ALL and its followers name a charset after the dot; none at all means we may assume UTF-8. */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            const char *dot = strchr(value, '.');
            return dot != NULL && (strncasecmp(dot, ".utf-8", 6) == 0 || strncasecmp(dot, ".utf8", 5) == 0);
        }
    }
    return true;
}

void rb_look_language(int argc, char **argv)
{
    static const char *const names[] = {"RUNBOOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"};
    enum rb_lang lang = RB_LANG_EN;
    const char *given = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names && given == NULL; i++) {
        const char *value = getenv(names[i]);
        given = value != NULL && value[0] != '\0' ? value : NULL;
    }
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--lang=", 7) == 0) {
            given = argv[i] + 7;
        } else if (strcmp(argv[i], "--lang") == 0 && i + 1 < argc) {
            given = argv[i + 1];
        }
    }
    if (given != NULL && rb_text_lang_parse(given, &lang) == 0) {
        rb_text_lang_set(lang);
    }
}

static bool env_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static bool color_wanted(const struct rb_cli *c, enum rb_sink sink)
{
    const char *when = rb_options_get(&c->options, RB_O_COLOR);
    const char *term = getenv("TERM");
    const char *force = getenv("CLICOLOR_FORCE");
    if (rb_options_has(&c->options, RB_O_NO_COLOR) || (when != NULL && strcmp(when, "never") == 0)) {
        return false;
    }
    if (when != NULL && strcmp(when, "always") == 0) {
        return true;
    }
    if (env_set("NO_COLOR")) {
        return false;
    }
    if (env_set("FORCE_COLOR") || (force != NULL && force[0] != '\0' && strcmp(force, "0") != 0)) {
        return true;
    }
    return c->tty[sink] && (term == NULL || strcmp(term, "dumb") != 0);
}

void rb_look_apply(struct rb_cli *c)
{
    static const char *const formats[] = {"text", "json", "jsonl", "md", "junit", "tap", "html", "mermaid"};
    const char *output = rb_options_get(&c->options, RB_O_OUTPUT);
    if (rb_options_has(&c->options, RB_O_JSON)) {
        c->format = RB_FORMAT_JSON;
    }
    for (size_t i = 0; output != NULL && i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(output, formats[i]) == 0) {
            c->format = (enum rb_format)i;
        }
    }
    c->ascii = rb_options_has(&c->options, RB_O_ASCII) || !locale_is_utf8();
    c->quiet = rb_options_has(&c->options, RB_O_QUIET);
    c->verbose = rb_options_has(&c->options, RB_O_VERBOSE);
    c->debug = rb_options_has(&c->options, RB_O_DEBUG);
    /* Machine formats never prompt, and a prompt nobody can see is none. */
    c->no_input = rb_options_has(&c->options, RB_O_NO_INPUT) || c->format != RB_FORMAT_TEXT || !isatty(STDIN_FILENO) ||
                  !c->tty[RB_ERR];
    const char *term = getenv("TERM");
    c->redraws =
        c->tty[RB_ERR] && term != NULL && strcmp(term, "dumb") != 0 && !c->quiet && c->format == RB_FORMAT_TEXT;
    c->color[RB_OUT] = color_wanted(c, RB_OUT);
    c->color[RB_ERR] = color_wanted(c, RB_ERR);
}
