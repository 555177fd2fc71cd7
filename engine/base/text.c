/* The table of texts and the language they are read in. */
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One block and offsets into it: pointers would be written, page by page, at each start of the program. */
static const struct words {
    char none[1];
#define T(name, en, zh) char n_##name[sizeof #name], en_##name[sizeof en], zh_##name[sizeof zh];
#include "base/texts/all.def"
#undef T
} words = {
    "",
#define T(name, en, zh) #name, en, zh,
#include "base/texts/all.def"
#undef T
};

static const struct {
    uint32_t name, in[RB_LANG_COUNT];
} texts[RB_T_COUNT] = {
#define AT(member) offsetof(struct words, member)
    [RB_T_none] = {AT(none), {AT(none), AT(none)}},
#define T(name, en, zh) [RB_T_##name] = {AT(n_##name), {AT(en_##name), AT(zh_##name)}},
#include "base/texts/all.def"
#undef T
#undef AT
};

static const char *word(uint32_t at)
{
    return (const char *)&words + at;
}

static enum rb_lang current = RB_LANG_EN; /* one a process: a text is read deep inside, far from main */

void rb_text_lang_set(enum rb_lang lang)
{
    current = lang == RB_LANG_ZH ? RB_LANG_ZH : RB_LANG_EN;
}

enum rb_lang rb_text_lang(void)
{
    return current;
}

int rb_text_lang_parse(const char *name, enum rb_lang *lang)
{
    if (!name || !name[0] || !name[1] || (name[2] && !strchr("_-.@", name[2]))) {
        return -1;
    }
    if (strncmp(name, "zh", 2) == 0) {
        *lang = RB_LANG_ZH;
        return 0;
    }
    if (strncmp(name, "en", 2) == 0) {
        *lang = RB_LANG_EN;
        return 0;
    }
    return -1;
}

const char *rb_text(enum rb_text_id id)
{
    return rb_text_in(id, current);
}

const char *rb_text_in(enum rb_text_id id, enum rb_lang lang)
{
    if ((unsigned)id >= RB_T_COUNT || (unsigned)lang >= RB_LANG_COUNT) {
        return "";
    }
    return word(texts[id].in[lang]);
}

const char *rb_text_n(enum rb_text_id id, long long n)
{
    return rb_text_n_in(id, n, current);
}

const char *rb_text_n_in(enum rb_text_id id, long long n, enum rb_lang lang)
{
    const char *many = rb_text_in(id, lang);
    size_t size = strlen(many) + 1;
    bool has_one = lang == RB_LANG_EN && *many &&
                   size < texts[id].in[RB_LANG_ZH] - texts[id].in[RB_LANG_EN]; /* they lie in this order */
    return n == 1 && has_one ? many + size : many;
}

const char *rb_text_name(enum rb_text_id id)
{
    return (unsigned)id < RB_T_COUNT ? word(texts[id].name) : "";
}

const char *rb_text_json(const json_t *text)
{
    static const char *const keys[RB_LANG_COUNT] = {"en", "zh"};
    if (json_is_string(text)) {
        return json_string_value(text);
    }
    const char *mine = json_string_value(json_object_get(text, keys[current]));
    if (mine && mine[0]) {
        return mine;
    }
    const char *other = json_string_value(json_object_get(text, keys[!current]));
    return other ? other : "";
}
