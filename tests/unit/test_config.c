/* The configuration: addresses, what its blocks demand, and what a binding gets of a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "run/state.h"
#include "runner/language.h"
#include "runner/url.h"

/* Compares without a word on the order of keys. */
static void assert_json(json_t *value, const char *expected)
{
    char *text = rb_json_canonical(value);
    assert_string_equal(text, expected);
    free(text);
    json_decref(value);
}

static void addresses_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *parts;
    } good[] = {
        {"postgres://app@db1.internal/orders",
         "{\"database\":\"orders\",\"driver\":\"postgres\",\"host\":\"db1.internal\",\"port\":5432,\"user\":\"app\"}"},
        {"postgresql://a%40b@10.0.0.1:6000/x%20y?tls=require&ca=/etc/ca.pem",
         "{\"ca\":\"/etc/ca.pem\",\"database\":\"x y\",\"driver\":\"postgres\",\"host\":\"10.0.0.1\",\"port\":6000,\"tls\":\"require\","
         "\"user\":\"a@b\"}"},
        {"mysql:///shop?socket=/run/mysqld/mysqld.sock",
         "{\"database\":\"shop\",\"driver\":\"mysql\",\"socket\":\"/run/mysqld/mysqld.sock\"}"},
        {"rediss://[2001:db8::1]:7000/3",
         "{\"database\":\"3\",\"driver\":\"redis\",\"host\":\"2001:db8::1\",\"port\":7000,\"tls\":\"verify\"}"},
        {"http://127.0.0.1:8545/rpc?x=1",
         "{\"driver\":\"rpc\",\"host\":\"127.0.0.1\",\"port\":8545,\"url\":\"http://127.0.0.1:8545/rpc?x=1\"}"},
        {"unix:///run/node.ipc", "{\"driver\":\"rpc\",\"socket\":\"/run/node.ipc\",\"url\":\"unix:///run/node.ipc\"}"},
        {"wss://feed.example/stream",
         "{\"driver\":\"ws\",\"host\":\"feed.example\",\"port\":443,\"tls\":\"verify\",\"url\":\"wss://feed.example/stream\"}"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct rb_err err = {0};
        json_t *parts = rb_connection_url_parse(good[i].url, &err);
        assert_string_equal(err.text, "");
        assert_json(parts, good[i].parts);
    }
}

static void bad_addresses_are_refused_and_no_password_is_repeated(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "postgres://app:hunter2@db/orders",
        "https://user:hunter2@api.example/",
        "https://hunter2@api.example/",
        "postgres://:hunter2@db/x",
        "postgrse://db/x",
        "ftp://db/x",
        "postgres://",
        "postgres:///orders",
        "postgres://db:0/x",
        "postgres://db:65536/x",
        "postgres://db:5432x/x",
        "postgres://db/x?socket=run/s",
        "postgres://db/x?tls=maybe",
        "postgres://db/x?password=hunter2",
        "postgres://db/a/b",
        "postgres://d b/x",
        "postgres://db/%zz",
        "postgres://db/%00",
        "postgres://-db/x",
        "redis://[::1/0",
        "redis://[::1]x/0",
        "tcp://host",
        "unix://host/x",
        "postgres://db/x#y",
        "://db",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rb_err err = {0};
        json_t *parts = rb_connection_url_parse(bad[i], &err);
        if (parts) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(err.code, RB_EUSAGE);
        assert_null(strstr(err.text, "hunter2"));
        assert_null(strstr(err.hint, "hunter2"));
    }
}

/* ---- blocks ---- */

static json_t *block(const char *kind, const char *id, const char *fields)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:b, s:o}", "block", kind, "id", id, "file", "/etc/runbook/config.lua",
                     "line", 3, "amends", 0, "fields", rb_json_parse(fields, strlen(fields), NULL));
}

static const struct {
    const char *kind, *fields, *problem; /* NULL: all is well */
} demands[] = {
    {"secret", "{\"env\":\"A\"}", NULL},
    {"secret", "{}", "exactly one"},
    {"secret", "{\"env\":\"A\",\"file\":\"/a\"}", "exactly one"},
    {"secret", "{\"file\":\"a\"}", "absolute"},
    {"secret", "{\"credential\":\"../a\"}", "name, not a path"},
    {"secret", "{\"command\":\"pass x\"}", "list"},
    {"secret", "{\"env\":\"A\",\"writes\":true}", "only concerns a command"},
    {"secret", "{\"evn\":\"A\"}", "did you mean 'env'?"},
    {"connection", "{\"url\":\"postgres://db/x\",\"password\":{\"secret\":\"known\"}}", NULL},
    {"connection", "{\"url\":\"postgres://db/x\",\"password\":{\"secret\":\"knwon\"}}", "did you mean"},
    {"connection", "{\"url\":\"postgres://db/x\",\"password\":\"hunter2\"}", "secret"},
    {"connection", "{\"url\":\"postgres://a:hunter2@db/x\"}", "must not hold a password"},
    {"connection", "{\"url\":\"postgres://db/x\",\"host\":\"db\"}", "not both"},
    {"connection", "{\"url\":\"postgres://db/x\",\"driver\":\"mysql\"}", "the driver says mysql"},
    {"connection", "{\"url\":\"ws://db/x\",\"driver\":\"rpc\"}", NULL},
    {"connection", "{\"host\":\"db\"}", "driver"},
    {"connection", "{\"driver\":\"redis\"}", "url, a host or a socket"},
    {"connection", "{\"driver\":\"redis\",\"host\":\"db\",\"headers\":{}}", "means nothing to redis"},
    {"connection", "{\"driver\":\"sqlite\",\"path\":\"x.db\"}", "absolute"},
    {"connection", "{\"driver\":\"mysql\",\"host\":\"db\",\"port\":70000}", "65535"},
    {"connection", "{\"driver\":\"mysql\",\"host\":\"db\",\"read\":{\"user\":\"r\",\"password\":\"hunter2\"}}",
     "read must be"},
    {"connection", "{\"url\":\"https://a/\",\"headers\":{\"x\":{\"secret\":\"unknown-one\"}}}", "secret"},
    {"channel", "{\"kind\":\"slack\",\"url\":{\"secret\":\"known\"}}", NULL},
    {"channel", "{\"kind\":\"slack\"}", "needs url"},
    {"channel", "{\"kind\":\"wecom\"}", "needs url|token"},
    {"channel", "{\"kind\":\"wecom\",\"token\":{\"secret\":\"known\"}}", NULL},
    {"channel", "{\"kind\":\"telegram\",\"token\":{\"secret\":\"known\"},\"chat\":\"-100\",\"topic\":4}", NULL},
    {"channel", "{\"kind\":\"smtp\",\"host\":\"m\",\"from\":\"a\"}", "needs to"},
    {"channel", "{\"kind\":\"slak\",\"url\":\"https://x\"}", "one of"},
    {"channel", "{\"kind\":\"webhook\",\"url\":\"x.example\"}", "https://"},
    {"check", "{\"title\":\"t\",\"run\":{\"$fn\":3}}", "belongs into a runbook"},
    {"severity", "{\"channels\":\"nobody\"}", "channel"},
    {"schedule", "{\"mode\":\"fix\"}", NULL}, /* in the place of a runbook's */
    {"schedule", "{\"cron\":\"@daily\",\"every\":60}", "either cron or every"},
    {"policy", "{\"unattended\":\"high\"}", "one of"},
    {"policy", "{\"window\":{\"from\":\"22:00\",\"to\":\"06:00\",\"days\":\"mon-fri\"}}", NULL},
    {"policy", "{\"window\":{\"from\":\"22:61\"}}", "span of time"},
    {"policy", "{\"window\":{\"form\":\"22:00\"}}", "form"},
    {"policy", "{\"window\":\"nights\"}", "span of time"},
};

static void what_blocks_demand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof demands / sizeof *demands; i++) {
        const char *id = strcmp(demands[i].kind, "severity") ? "one" : "P0";
        json_t *declared = json_pack("{s:[o, o]}", "blocks", block("secret", "known", "{\"env\":\"K\"}"),
                                     block(demands[i].kind, id, demands[i].fields));
        json_t *problems = rb_config_check(declared, NULL);
        char *text = json_dumps(problems, 0);
        if (demands[i].problem ? !strstr(text, demands[i].problem) || !json_array_size(problems)
                               : json_array_size(problems) > 0) {
            fail_msg("%s %s: %s", demands[i].kind, demands[i].fields, text);
        }
        assert_null(strstr(text, "hunter2"));
        free(text);
        json_decref(problems);
        json_decref(declared);
    }
}

static void a_runbook_may_not_hold_what_belongs_into_the_configuration(void **state)
{
    (void)state;
    json_t *one = block("connection", "x", "{\"url\":\"redis://a/0\"}");
    json_object_set_new(one, "file", json_string("a/b.lua"));
    json_t *declared = json_pack("{s:[o]}", "blocks", one);
    json_t *problems = rb_language_check(declared, NULL);
    assert_non_null(strstr(rb_json_str(json_array_get(problems, 0), "text", ""), "config.lua"));
    json_decref(problems);
    json_decref(declared);
}

/* ---- what a binding gets ---- */

static json_t *config_of(const char *kind, const char *id, const char *fields)
{
    json_t *declared = json_pack("{s:[o]}", "blocks", block(kind, id, fields));
    json_t *config = rb_config_meta(declared);
    json_decref(declared);
    return config;
}

static void connections_are_filled(void **state)
{
    (void)state;
    struct rb_err err = {0};
    json_t *config =
        config_of("connection", "orders",
                  "{\"url\":\"postgres://app@db1/orders\",\"title\":\"t\",\"pin\":\"sha256//x\","
                  "\"password\":{\"secret\":\"pw\"},\"read\":{\"user\":\"reader\",\"password\":{\"secret\":\"rpw\"}}}");
    assert_json(
        rb_fill_connection(config, "sql", "orders", false, &err),
        "{\"database\":\"orders\",\"driver\":\"postgres\",\"host\":\"db1\",\"name\":\"orders\",\"password\":{\"$secret\":\"pw\"},"
        "\"port\":5432,\"read_account\":false,\"tls\":{\"mode\":\"verify\",\"pin\":\"sha256//x\"},\"user\":\"app\"}");
    assert_json(
        rb_fill_connection(config, "sql", "orders", true, &err),
        "{\"database\":\"orders\",\"driver\":\"postgres\",\"host\":\"db1\",\"name\":\"orders\",\"password\":{\"$secret\":\"rpw\"},"
        "\"port\":5432,\"read_account\":true,\"tls\":{\"mode\":\"verify\",\"pin\":\"sha256//x\"},\"user\":\"reader\"}");
    assert_json(rb_fill_connection(config, "sql", "/srv/a.sqlite", true, &err), "\"/srv/a.sqlite\"");
    assert_json(
        rb_fill_connection(config, "redis", "redis://127.0.0.1/2", true, &err),
        "{\"database\":\"2\",\"driver\":\"redis\",\"host\":\"127.0.0.1\",\"name\":\"redis://127.0.0.1/2\",\"port\":6379,"
        "\"read_account\":false,\"tls\":{\"mode\":\"off\"}}");
    assert_json(rb_fill_connection(config, "rpc", "wss://node/x", true, &err),
                "{\"driver\":\"rpc\",\"host\":\"node\",\"name\":\"wss://node/x\",\"port\":443,\"read_account\":false,"
                "\"tls\":{\"mode\":\"verify\"},\"url\":\"wss://node/x\"}");
    assert_null(rb_fill_connection(config, "sql", "ordres", true, &err));
    assert_non_null(strstr(err.hint, "orders"));
    assert_null(rb_fill_connection(config, "sql", "./a.sqlite", true, &err));
    assert_non_null(strstr(err.hint, "absolute"));
    assert_null(rb_fill_connection(config, "redis", "orders", true, &err));
    assert_non_null(strstr(err.text, "postgres"));
    assert_null(rb_fill_connection(config, "redis", "/srv/a.sqlite", true, &err));
    json_decref(config);
}

static void a_sqlite_connection_is_its_path_and_a_channel_keeps_its_secrets_by_name(void **state)
{
    (void)state;
    struct rb_err err = {0};
    json_t *config = config_of("connection", "app", "{\"driver\":\"sqlite\",\"path\":\"/srv/app.sqlite\"}");
    assert_json(rb_fill_connection(config, "sql", "app", false, &err), "\"/srv/app.sqlite\"");
    json_decref(config);
    config = config_of("channel", "oncall", "{\"kind\":\"slack\",\"url\":{\"secret\":\"hook\"},\"mention\":[\"a\"]}");
    assert_json(rb_fill_channel(config, "oncall", &err),
                "{\"kind\":\"slack\",\"mention\":[\"a\"],\"name\":\"oncall\",\"url\":{\"$secret\":\"hook\"}}");
    assert_null(rb_fill_channel(config, "oncal", &err));
    assert_non_null(strstr(err.hint, "oncall"));
    json_decref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(bad_addresses_are_refused_and_no_password_is_repeated),
        cmocka_unit_test(what_blocks_demand),
        cmocka_unit_test(a_runbook_may_not_hold_what_belongs_into_the_configuration),
        cmocka_unit_test(connections_are_filled),
        cmocka_unit_test(a_sqlite_connection_is_its_path_and_a_channel_keeps_its_secrets_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
