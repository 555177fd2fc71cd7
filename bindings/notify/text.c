#include "notify/text.h"

#include <string.h>

const struct rb_notify_swap rb_notify_html[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {0}};
const struct rb_notify_swap rb_notify_mrkdwn[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {0}};
const struct rb_notify_swap rb_notify_lookalike[] = {{'<', "＜"}, {'>', "＞"}, {'[', "［"}, {']', "］"}, {'*', "＊"},
                                                     {'`', "｀"}, {'#', "＃"}, {'~', "～"}, {'|', "｜"}, {0}};
const struct rb_notify_swap rb_notify_lark[] = {
    {'&', "&#38;"},  {'<', "&#60;"}, {'>', "&#62;"}, {'*', "&#42;"},  {'_', "&#95;"},
    {'~', "&#126;"}, {'`', "&#96;"}, {'[', "&#91;"}, {']', "&#93;"},  {'(', "&#40;"},
    {')', "&#41;"},  {'#', "&#35;"}, {'!', "&#33;"}, {'\\', "&#92;"}, {0}};

static const char *swapped(const struct rb_notify_swap *swaps, char c)
{
    for (; swaps && swaps->to; swaps++) {
        if (swaps->from == c) {
            return swaps->to;
        }
    }
    return NULL;
}

static size_t char_bytes(const char *s)
{
    size_t n = 1;
    while (((unsigned char)s[n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}

size_t rb_notify_chars(const char *text)
{
    size_t n = 0;
    for (; *text; text += char_bytes(text)) {
        n++;
    }
    return n;
}

static const char *put(struct rb_buf *out, const char *text, const struct rb_notify_swap *swaps, size_t max)
{
    while (*text && max-- > 0) {
        size_t len = char_bytes(text);
        const char *other = swapped(swaps, *text);
        (void)(other ? rb_buf_adds(out, other) : rb_buf_add(out, text, len));
        text += len;
    }
    return text;
}

int rb_notify_put(struct rb_buf *out, const char *text, const struct rb_notify_swap *swaps, size_t max)
{
    const char *left = put(out, text, swaps, max);
    return *left ? rb_buf_addf(out, "… (+%zu)", rb_notify_chars(left)) : 0;
}

int rb_notify_put_short(struct rb_buf *out, const char *text, const struct rb_notify_swap *swaps, size_t max)
{
    return *put(out, text, swaps, max) ? rb_buf_adds(out, "…") : 0;
}
