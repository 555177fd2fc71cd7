#include "redis/command.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static int add_word(struct rb_buf *out, const char *data, size_t len)
{
    int rc = rb_buf_addf(out, "$%zu\r\n", len);
    rc = rc ? rc : rb_buf_add(out, data, len);
    return rc ? rc : rb_buf_add(out, "\r\n", 2);
}

static int encode_word(const json_t *word, struct rb_buf *out, struct rb_err *err)
{
    char number[64];
    struct rb_buf bytes;
    int rc;
    if (json_is_integer(word)) {
        int n = snprintf(number, sizeof number, "%lld", (long long)json_integer_value(word));
        return add_word(out, number, (size_t)n);
    }
    if (json_is_real(word)) {
        int n = snprintf(number, sizeof number, "%.17g", json_real_value(word));
        return add_word(out, number, (size_t)n);
    }
    rb_buf_init(&bytes, RB_REDIS_COMMAND_MAX);
    if (rb_json_bytes_get(word, &bytes) != 0) {
        rc = rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_word);
    } else {
        rc = add_word(out, rb_buf_str(&bytes), bytes.len);
    }
    rb_buf_deinit(&bytes);
    return rc;
}

int rb_redis_encode(const json_t *words, struct rb_buf *out, struct rb_err *err)
{
    size_t i;
    const json_t *word;
    if (json_array_size(words) == 0) {
        return rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_word);
    }
    int rc = rb_buf_addf(out, "*%zu\r\n", json_array_size(words));
    json_array_foreach(words, i, word) {
        rc = rc ? rc : encode_word(word, out, err);
    }
    return rc == RB_ETOO_LARGE ? rb_err_set(err, rc, RB_T_servers_redis_long, RB_REDIS_COMMAND_MAX >> 20) : rc;
}

void rb_redis_encode_words(struct rb_buf *out, const char *const *words)
{
    size_t n = 0;
    while (words[n]) {
        n++;
    }
    (void)rb_buf_addf(out, "*%zu\r\n", n);
    for (size_t i = 0; i < n; i++) {
        (void)add_word(out, words[i], strlen(words[i]));
    }
}

/* In lower case; "" when it is too long or has any other character. A name with "|" would be taken for a
 * subcommand. */
static void lower(const json_t *word, char out[RB_REDIS_NAME_MAX])
{
    const char *text = json_is_string(word) ? json_string_value(word) : "";
    size_t len = json_string_length(word);
    bool plain = len < RB_REDIS_NAME_MAX;
    for (size_t i = 0; i < len && plain; i++) {
        char c = text[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-.", c);
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        plain = plain && c != '\0';
    }
    out[plain ? len : 0] = '\0';
}

int rb_redis_name(const json_t *words, struct rb_redis_name *out, struct rb_err *err)
{
    lower(json_array_get(words, 0), out->name);
    lower(json_array_get(words, 1), out->sub);
    return out->name[0] ? 0 : rb_err_set(err, RB_EUSAGE, RB_T_servers_redis_word);
}
