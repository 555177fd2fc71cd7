/* The binding `secret`: what can be said of a secret without showing it. */
#include "list.h"

#include <regex.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "bind.h"

#define SHORT 6     /* as in base/redact.h: shorter ones cannot be found in other text */
#define JUDGED 4096 /* bytes a shape is matched against */

/* Whole shapes only: a free pattern would let a runbook guess a secret letter by letter. */
static const struct {
    const char *name, *pattern;
} shapes[] = {
    {"hex", "^[0-9a-fA-F]+$"},
    {"evm-key", "^(0x)?[0-9a-fA-F]{64}$"},
    {"uuid", "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"},
    {"jwt", "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]*$"},
    {"base64", "^[A-Za-z0-9+/_-]+=?=?$"},
    {"url", "^[a-z][a-z0-9+.-]*://[^[:space:]]+$"},
    {"pem", "^-----BEGIN [A-Z0-9 ]+-----"},
    {"number", "^[0-9]+$"},
    {"long", "^.{32,}$"},
};

#define SHAPES (sizeof shapes / sizeof *shapes)

static const char PLACEHOLDER[] =
    "^(x+|\\*+|\\.+|-+|<.*>|\\$\\{.*\\}|todo.*|fixme.*|none|null|nil|empty|secret|password|passwd|admin|root|test|example.*|"
    "dummy.*|placeholder.*|your[-_ ].*|my[-_ ]secret.*|replace[-_ ].*|.*change[-_ ]?me.*)$";

static bool matches(const char *pattern, const char *text, int flags)
{
    regex_t regex;
    char part[JUDGED];
    snprintf(part, sizeof part, "%s", text);
    RB_REQUIRE(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | flags) == 0);
    bool found = regexec(&regex, part, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static const char *pattern_of(const char *shape, struct rb_err *err)
{
    const char *names[SHAPES];
    for (size_t i = 0; i < SHAPES; i++) {
        names[i] = shapes[i].name;
        if (strcmp(shapes[i].name, shape) == 0) {
            return shapes[i].pattern;
        }
    }
    const char *near = rb_utf8_nearest(shape, names, SHAPES);
    rb_err_set(err, RB_EUSAGE, RB_T_config_shape, shape);
    if (near) {
        rb_err_hint(err, RB_T_config_mean, near);
    } else {
        rb_err_hint(err, RB_T_config_shapes);
    }
    return NULL;
}

static json_t *inspect(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    (void)work;
    const char *value = rb_json_str(args, "token", ""), *shape = rb_json_str(args, "shape", NULL);
    const char *pattern = shape ? pattern_of(shape, err) : NULL;
    if (shape && !pattern) {
        return NULL;
    }
    return json_pack("{s:b, s:b, s:b, s:b}", "set", value[0] != 0, "shape", !pattern || matches(pattern, value, 0),
                     "placeholder", matches(PLACEHOLDER, value, REG_ICASE), "short", strlen(value) < SHORT);
}

static const struct rb_arg inspect_args[] = {
    RB_BIND_POS("token", "any", "the secret, as its parameter gives it", "密钥，原样用参数给出的"),
    RB_BIND_OPTPOS("shape", "string", "what it should look like: hex evm-key uuid jwt base64 url pem number long",
                   "应该是什么样子：hex evm-key uuid jwt base64 url pem number long"),
    RB_BIND_END};

static const struct rb_verb verbs[] = {
    {.name = "inspect",
     .effect = RB_EFFECT_READ,
     .args = inspect_args,
     .returns = "{ set, shape, placeholder, short }",
     .en =
         "What can be said of a secret without showing it: is it there, has it the shape, is it only a placeholder such as "
         "changeme, is it too short (under 6) to be taken out of output. Booleans only.",
     .zh =
         "不显示密钥而能说的事：有没有，样子对不对，是不是 changeme 之类的占位，是否太短（不足 6 个字符）而无法从输出里去掉。只有布尔值。",
     .work = inspect},
    {0}};

const struct rb_binding rb_binding_secret = {
    .name = "secret",
    .en = "Secrets, by their token: a runbook never sees the value.",
    .zh = "密钥，只通过它的 token：runbook 看不到值。",
    .verbs = verbs,
};
