#include "notify/mail.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"

#define WORD_BYTES 45 /* of one encoded word: 60 characters of base64 and "=?UTF-8?B?" "?=" */
#define LINE_BYTES 57 /* 76 characters of base64 */

/* local@domain out of the characters that need no quoting. */
static bool is_address(const char *s, size_t len)
{
    const char *at = memchr(s, '@', len);
    if (!at || at == s || at == s + len - 1 || len > 254) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        bool plain = isalnum((unsigned char)s[i]) || (s[i] && strchr(".!#$%&'*+/=?^_`{|}~-", s[i]));
        if (!plain && s + i != at) {
            return false;
        }
    }
    return true;
}

int rb_mail_address(const char *text, char out[256], struct rb_buf *name, struct rb_err *err)
{
    const char *open = strchr(text, '<'), *start = open ? open + 1 : text;
    size_t len = strcspn(start, open ? ">" : ""), name_len = open ? (size_t)(open - text) : 0;
    bool whole = open ? strcmp(start + len, ">") == 0 : start[len] == '\0';
    if (!whole || !is_address(start, len)) {
        return rb_err_set(err, RB_EUSAGE, RB_T_notify_mail_address);
    }
    for (size_t i = 0; i < name_len; i++) {
        if ((unsigned char)text[i] < ' ' || strchr("\"\\,;:@\x7f", text[i])) {
            return rb_err_set(err, RB_EUSAGE, RB_T_notify_mail_address);
        }
    }
    while (name_len && text[name_len - 1] == ' ') {
        name_len--;
    }
    memcpy(out, start, len);
    out[len] = '\0';
    return name ? rb_buf_add(name, text, name_len) : 0;
}

static size_t whole_chars(const char *s, size_t max)
{
    size_t len = strlen(s);
    if (len <= max) {
        return len;
    }
    while (max && ((unsigned char)s[max] & 0xC0) == 0x80) {
        max--;
    }
    return max;
}

static bool is_plain(const char *value)
{
    for (const char *s = value; *s; s++) {
        if ((unsigned char)*s < ' ' || (unsigned char)*s > '~') {
            return false;
        }
    }
    return strlen(value) < 900 && !strstr(value, "=?");
}

void rb_mail_header(struct rb_buf *out, const char *name, const char *value)
{
    (void)rb_buf_addf(out, "%s:", name);
    if (is_plain(value)) {
        (void)rb_buf_addf(out, " %s\r\n", value);
        return;
    }
    while (*value) {
        size_t len = whole_chars(value, WORD_BYTES);
        char *word = rb_base64(value, len);
        (void)rb_buf_addf(out, " =?UTF-8?B?%s?=\r\n", word);
        free(word);
        value += len;
    }
}

void rb_mail_base64(struct rb_buf *out, const void *data, size_t len)
{
    for (size_t at = 0; at < len; at += LINE_BYTES) {
        char *line = rb_base64((const char *)data + at, len - at < LINE_BYTES ? len - at : LINE_BYTES);
        (void)rb_buf_addf(out, "%s\r\n", line);
        free(line);
    }
}

/* Names of days and months are English whatever the locale. */
void rb_mail_date(struct rb_buf *out, int64_t us)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = us / 1000000;
    struct tm local;
    if (!localtime_r(&seconds, &local)) {
        return;
    }
    long offset = local.tm_gmtoff / 60, minutes = offset < 0 ? -offset : offset;
    (void)rb_buf_addf(out, "%s, %02d %s %d %02d:%02d:%02d %c%02ld%02ld", days[local.tm_wday], local.tm_mday,
                      months[local.tm_mon], local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec,
                      offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
