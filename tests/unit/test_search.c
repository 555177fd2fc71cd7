/* Finding a runbook by what an operator has at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "catalog/catalog.h"

static json_t *loaded;

static const char *const shelf =
    "[{'id':'liqpass/db-locked','status':'ok','meta':{'title':{'zh':'SQLite 数据库锁死','en':'SQLite "
    "database is locked'},"
    "'alias':['db-locked'],'codes':['SQLITE_BUSY'],'alerts':['SqliteLocked'],'symptoms':['database is "
    "locked','数据库操作超时'],"
    "'tags':['sqlite'],'source':'LiqPass 手册 2.2','findings':[{'title':{'zh':'写不进去','en':'cannot be "
    "written'}}],"
    "'fixes':[{'title':{'zh':'写回 WAL','en':'write the WAL back'}}]}},"
    "{'id':'mall/disk-full','status':'ok','meta':{'title':{'zh':'磁盘空间不足','en':'Disk "
    "full'},'codes':['ENOSPC'],"
    "'symptoms':['No space left on device','写入失败'],'source':'Mall 手册 2.7','findings':[{'title':'inodes "
    "used up'}],"
    "'checks':[{'title':'free space of the database disk'}]}},"
    "{'id':'mall/redis-down','status':'ok','meta':{'title':{'zh':'Redis 宕机','en':'Redis is "
    "down'},'codes':[],'symptoms':['ECONNREFUSED 6379']}},"
    "{'id':'mall/old','status':'shadowed','meta':null},"
    "{'id':'mall/bad','status':'broken','meta':null}]";

static int set_up(void **state)
{
    (void)state;
    char *copy = strdup(shelf);
    for (char *p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    loaded = json_loads(copy, 0, NULL);
    free(copy);
    return loaded ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(loaded);
    return 0;
}

/* The first hit, and what it says of why: this, and the strongest reason first. */
static void first(const char *query, const char *id, const char *field)
{
    json_t *hits = rb_catalog_search(loaded, query), *why;
    const json_t *hit = json_array_get(hits, 0);
    bool said = false, falls = true;
    json_int_t last = INT64_MAX;
    size_t i;
    json_array_foreach(json_object_get(hit, "why"), i, why) {
        said = said || (strcmp(rb_json_str(why, "field", ""), field) == 0 && rb_json_str(why, "text", "")[0]);
        falls = falls && rb_json_int(why, "score", 0) <= last;
        last = rb_json_int(why, "score", 0);
    }
    if (strcmp(rb_json_str(hit, "id", ""), id) || !said || !falls) {
        fail_msg("\"%s\" gives %s", query, json_dumps(hits, 0));
    }
    json_decref(hits);
}

static void nothing(const char *query)
{
    json_t *hits = rb_catalog_search(loaded, query);
    assert_int_equal(json_array_size(hits), 0);
    json_decref(hits);
}

static void test_exact_names_and_codes(void **state)
{
    (void)state;
    first("db-locked", "liqpass/db-locked", "alias");
    first("mall/disk-full", "mall/disk-full", "id");
    first("disk-full", "mall/disk-full", "id");
    first("SQLITE_BUSY", "liqpass/db-locked", "code");
    first("sqlite_busy", "liqpass/db-locked", "code");
    first("SqliteLocked", "liqpass/db-locked", "alert");
    first("mall/bad", "mall/bad", "id");
}

static void test_pasted_log_lines(void **state)
{
    (void)state;
    first("2025-01-20T10:11:12 ERROR [orders] SqliteError: database is locked\n    at Database.exec (x.js:12)",
          "liqpass/db-locked", "symptom");
    first("cp: error writing 'b': No  space left on\tdevice", "mall/disk-full", "symptom");
    first("Error: ENOSPC, write", "mall/disk-full", "code");
    first("connect ECONNREFUSED 6379 127.0.0.1", "mall/redis-down", "symptom");
}

static void test_words(void **state)
{
    (void)state;
    first("LOCKED database", "liqpass/db-locked", "title");
    first("redis", "mall/redis-down", "title");
    first("sqlite", "liqpass/db-locked", "tag");
    first("inodes", "mall/disk-full", "finding");
    first("lock", "liqpass/db-locked", "symptom");
    nothing("ock");
    nothing("zzz");
    nothing("");
    nothing("  ,.");
    nothing("the is of");
}

static void test_chinese(void **state)
{
    (void)state;
    first("锁死", "liqpass/db-locked", "title");
    first("数据库超时", "liqpass/db-locked", "symptom");
    first("磁盘", "mall/disk-full", "title");
    first("磁盘满了，写入失败！", "mall/disk-full", "symptom");
    first("宕", "mall/redis-down", "title");
    first("Redis宕机", "mall/redis-down", "title");
    first("写回", "liqpass/db-locked", "body");
    nothing("完全没有");
}

static void test_the_best_is_first_and_the_order_is_kept(void **state)
{
    (void)state;
    json_t *one = rb_catalog_search(loaded, "database disk"), *two = rb_catalog_search(loaded, "database disk");
    json_int_t before = rb_json_int(json_array_get(one, 0), "score", 0);
    size_t i;
    json_t *hit;
    assert_true(json_equal(one, two));
    assert_int_equal(json_array_size(one), 2);
    json_array_foreach(one, i, hit) {
        assert_true(rb_json_int(hit, "score", 0) <= before && rb_json_int(hit, "score", 0) > 0);
        before = rb_json_int(hit, "score", 0);
    }
    json_decref(one);
    json_decref(two);
}

static void test_shadowed_ones_are_not_found(void **state)
{
    (void)state;
    json_t *hits = rb_catalog_search(loaded, "mall/old"), *hit;
    size_t i;
    assert_true(json_array_size(hits) > 0); /* the other ones of mall */
    json_array_foreach(hits, i, hit) {
        assert_string_not_equal(rb_json_str(hit, "id", ""), "mall/old");
    }
    json_decref(hits);
}

static void test_long_and_odd_queries(void **state)
{
    (void)state;
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = 0;
    nothing(text);
    for (size_t i = 0; i + 3 < 100000; i += 3) {
        memcpy(text + i, "锁", 3);
    }
    nothing(text + 1); /* begins inside a character, is cut inside one */
    free(text);
    nothing("\xe3");
    nothing("\xff\xff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_names_and_codes),
        cmocka_unit_test(test_pasted_log_lines),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_chinese),
        cmocka_unit_test(test_the_best_is_first_and_the_order_is_kept),
        cmocka_unit_test(test_shadowed_ones_are_not_found),
        cmocka_unit_test(test_long_and_odd_queries),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
