/* Names against a name server of our own: what it says comes out, what it does not say has a deadline. */
#include "async.h"

#include "resolve.h"

struct ask {
    struct rb_addresses found;
    struct rb_err err;
    int ended;
    double took;
};

static struct helper server;
static char servers[64];
static char *folder;

static void told(void *user, const struct rb_addresses *found, const struct rb_err *err)
{
    struct ask *a = user;
    assert_true(!found != !err);
    a->ended++;
    a->found = found ? *found : a->found;
    a->err = err ? *err : a->err;
}

static void turn_until(const int *ended, int64_t ms)
{
    int64_t until = rb_clock_mono_ns() + ms * 1000000;
    uv_timer_t tick;
    uv_timer_init(&loop, &tick);
    uv_timer_start(&tick, wake_up, 20, 20);
    while (!*ended && rb_clock_mono_ns() < until) {
        uv_run(&loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static struct ask ask_with(struct rb_resolver *resolver, const char *name, double timeout)
{
    struct ask a = {0};
    int64_t since = rb_clock_mono_ns();
    assert_non_null(rb_lookup_start(resolver, name, timeout, told, &a));
    assert_int_equal(a.ended, 0); /* never inside */
    turn_until(&a.ended, 60000);
    assert_int_equal(a.ended, 1);
    a.took = (double)(rb_clock_mono_ns() - since) / 1e9;
    return a;
}

static struct ask ask(const char *name, double timeout)
{
    struct rb_err err = {0};
    struct rb_resolver *resolver = rb_resolver_new(&loop, servers, &err);
    assert_non_null(resolver);
    struct ask a = ask_with(resolver, name, timeout);
    rb_resolver_close(resolver);
    uv_run(&loop, UV_RUN_NOWAIT);
    return a;
}

static void addresses(void **state)
{
    (void)state;
    struct ask a = ask("plain.test", 20);
    assert_int_equal(a.found.count, 1);
    assert_string_equal(a.found.list[0].text, "127.0.0.1");
    assert_int_equal(ntohl(a.found.list[0].at.v4.sin_addr.s_addr), 0x7f000001);
    a = ask("PLAIN.test.", 20);
    assert_int_equal(a.found.count, 1);
    a = ask("alias.test", 20);
    assert_int_equal(a.found.count, 1);
    a = ask("both.test", 20);
    assert_int_equal(a.found.count, 2); /* which is first depends on whether there is IPv6 here */
    assert_true(!strcmp(a.found.list[0].text, "::1") || !strcmp(a.found.list[1].text, "::1"));
    a = ask("many.test", 20);
    assert_int_equal(a.found.count, RB_ADDRESSES_MAX);
    a = ask("slow.test", 20);
    assert_int_equal(a.found.count, 1);
    assert_true(a.took >= 0.25);
}

static void one_family_is_enough(void **state)
{
    (void)state;
    struct ask a = ask("half.test", 20); /* the other question would be repeated for half a minute */
    assert_int_equal(a.found.count, 1);
}

static void literals_and_local(void **state)
{
    (void)state;
    static const char *const same[] = {"127.0.0.1", "::1", "fe80::1%lo"};
    for (size_t i = 0; i < 3; i++) {
        struct ask a = ask(same[i], 5);
        assert_int_equal(a.found.count, 1);
        assert_string_equal(a.found.list[0].text, same[i]);
    }
    struct ask a = ask("[::1]", 5);
    assert_string_equal(a.found.list[0].text, "::1");
    a = ask("localhost", 5); /* /etc/hosts, not the server, which would answer too */
    assert_true(a.found.count >= 1);
    a = ask("x.localhost", 5);
    assert_string_equal(a.found.list[0].text, "127.0.0.1");
}

static void failures(void **state)
{
    (void)state;
    static const char *const names[] = {"gone.test",
                                        "empty.test",
                                        "broken.test",
                                        "odd.test",
                                        "",
                                        "a b",
                                        "a..b",
                                        ".",
                                        "x/y",
                                        "1.2.3.4:80",
                                        "fe80::1%no-such-device",
                                        "\xd6\xd0.test"};
    char words[sizeof names / sizeof *names][1024];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct ask a = ask(names[i], i < 3 ? 20 : 3); /* those that are answered */
        assert_int_equal(a.err.code, RB_EDNS);
        assert_true(a.err.text[0]);
        memcpy(words[i], a.err.text, sizeof a.err.text);
    }
    assert_non_null(strstr(words[0], "no such host"));
    assert_non_null(strstr(words[1], "no address"));
    assert_non_null(strstr(words[2], "SERVFAIL"));
}

static void a_deadline(void **state)
{
    (void)state;
    struct ask a = ask("silent.test", 0.5);
    assert_int_equal(a.err.code, RB_EDNS);
    assert_true(a.took >= 0.45);
    assert_non_null(strstr(a.err.text, "0.5")); /* ours: the first repeat comes after two seconds */
}

static void cancelling_and_sharing(void **state)
{
    (void)state;
    struct rb_err err = {0};
    struct ask none = {0}, one = {0}, two = {0};
    struct rb_resolver *resolver = rb_resolver_new(&loop, servers, &err);
    struct rb_lookup *gone = rb_lookup_start(resolver, "slow.test", 60, told, &none);
    rb_lookup_start(resolver, "slow.test", 60, told, &one);
    rb_lookup_start(resolver, "slow.test", 60, told, &two);
    rb_lookup_cancel(gone);
    rb_lookup_cancel(rb_lookup_start(resolver, "127.0.0.1", 5, told, &none));
    turn_until(&one.ended, 60000);
    turn_until(&two.ended, 60000);
    assert_int_equal(one.found.count, 1);
    assert_int_equal(two.found.count, 1);
    assert_int_equal(none.ended, 0);
    rb_lookup_start(resolver, "silent.test", 5, told, &none);
    rb_lookup_start(resolver, "127.0.0.1", 5, told, &none);
    rb_resolver_close(resolver); /* in the middle */
    for (int i = 0; i < 5; i++) {
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(none.ended, 0);
}

static void no_server(void **state)
{
    (void)state;
    struct rb_err err = {0};
    struct rb_resolver *resolver = rb_resolver_new(&loop, "127.0.0.1:1", &err);
    struct ask a = ask_with(resolver, "plain.test", 5);
    assert_int_equal(a.err.code, RB_EDNS);
    rb_resolver_close(resolver);
    assert_null(rb_resolver_new(&loop, "no address", &err));
    assert_int_equal(err.code, RB_EUSAGE);
}

static int start_server(void **state)
{
    assert_int_equal(setup_dir(state), 0);
    folder = *state;
    const char *const argv[] = {"/usr/bin/python3", RUNBOOK_SOURCE "/tests/bindings/dns.py", folder, NULL};
    server = start_ready(argv);
    char *port = slurp(in(state, "dns"));
    (void)snprintf(servers, sizeof servers, "127.0.0.1:%s", port);
    free(port);
    return 0;
}

static int stop_server(void **state)
{
    end_helper(&server);
    return teardown_dir(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(one_family_is_enough), cmocka_unit_test(literals_and_local),
        cmocka_unit_test(failures),  cmocka_unit_test(a_deadline),           cmocka_unit_test(cancelling_and_sharing),
        cmocka_unit_test(no_server),
    };
    if (uv_loop_init(&loop) != 0) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, start_server, stop_server);
    return failed | async_close();
}
