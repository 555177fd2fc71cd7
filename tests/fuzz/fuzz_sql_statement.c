/* The text of a statement: what is sent has as many places as were counted, and reads the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "database/statement.c" /* of a module: linked into no library */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const reading[] = {"SELECT", "WITH", NULL};
static const char *const never[] = {"INTO", NULL};

static void both_ways(const char *sql, bool mysql)
{
    struct rb_dialect dialect = {.mysql = mysql, .reading = reading, .never_reading = never};
    struct rb_statement once, again;
    if (rb_statement_read(&dialect, sql, &once, NULL) == 0) {
        RB_REQUIRE(rb_statement_read(&dialect, rb_buf_str(&once.text), &again, NULL) == 0);
        RB_REQUIRE(once.places == again.places);
        RB_REQUIRE(strcmp(rb_buf_str(&once.text), rb_buf_str(&again.text)) == 0);
        RB_REQUIRE(!mysql || strcmp(sql, rb_buf_str(&once.text)) == 0);
        RB_REQUIRE(json_equal(once.calls, again.calls));
        (void)rb_statement_may_read(&dialect, &once, NULL);
        (void)rb_statement_may_write(&dialect, &once, true, NULL);
        rb_statement_free(&again);
    }
    rb_statement_free(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *sql = malloc(size + 1);
    memcpy(sql, data, size);
    sql[size] = '\0';
    both_ways(sql, false);
    both_ways(sql, true);
    free(sql);
    return 0;
}
