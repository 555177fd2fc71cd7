/* Everything a person reads exists in Chinese and English, side by side, in
 * base/texts/<folder>.def as T(name, "English with %s", "中文 %s"). Both sides take
 * the same arguments in the same order, or name their places (%2$s); checked in the test run. */
#ifndef RB_BASE_TEXT_H
#define RB_BASE_TEXT_H

#include <jansson.h>

enum rb_lang { RB_LANG_EN, RB_LANG_ZH, RB_LANG_COUNT };

enum rb_text_id {
    RB_T_none,
#define T(name, en, zh) RB_T_##name,
#include "base/texts/all.def"
#undef T
    RB_T_COUNT
};

/* Set once at start-up, in every process; English until then. */
void rb_text_lang_set(enum rb_lang lang);
enum rb_lang rb_text_lang(void);
/* "zh", "zh_CN.UTF-8", "en": 0 and *lang, or -1 when it names neither. */
int rb_text_lang_parse(const char *name, enum rb_lang *lang);
/* The printf format of a text in the language set. */
const char *rb_text(enum rb_text_id id);
const char *rb_text_in(enum rb_text_id id, enum rb_lang lang);
/* The same where n of something are told: English has a word of its own for one, "%d runs" RB_ONE "%d run". */
const char *rb_text_n(enum rb_text_id id, long long n);
const char *rb_text_n_in(enum rb_text_id id, long long n, enum rb_lang lang);
#define RB_ONE "\0"
/* The symbol ("load_unknown_field"), for tests. */
const char *rb_text_name(enum rb_text_id id);
/* A runbook's text: a string, or { zh, en }; the language set, else the other one, else "". Borrowed. */
const char *rb_text_json(const json_t *text);

#endif
