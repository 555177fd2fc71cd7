/* Ports that are claimed: each one once, in this process and in others, until its claim ends. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/port.h"

#define MANY 200

/* Says its ports to the pipe and holds them until it ends. */
static void claim_many(int out)
{
    for (int i = 0; i < MANY; i++) {
        int claim, port = rb_port_claim(&claim);
        (void)!write(out, &port, sizeof port);
    }
    (void)pause();
}

static void no_two_get_the_same(void **state)
{
    (void)state;
    static bool taken[65536];
    pid_t pids[3];
    int out[2];
    assert_int_equal(pipe(out), 0);
    for (int k = 0; k < 3; k++) {
        pids[k] = fork();
        if (pids[k] == 0) {
            claim_many(out[1]);
            _exit(0);
        }
    }
    for (int i = 0; i < 3 * MANY; i++) {
        int port = 0;
        assert_int_equal(read(out[0], &port, sizeof port), sizeof port);
        assert_in_range(port, 10000, 65535);
        assert_false(taken[port]);
        taken[port] = true;
    }
    for (int k = 0; k < 3; k++) {
        assert_int_equal(kill(pids[k], SIGKILL), 0);
        assert_int_equal(waitpid(pids[k], NULL, 0), pids[k]);
    }
    (void)close(out[0]);
    (void)close(out[1]);
}

static bool is_claimed(int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "runbook-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&name, (socklen_t)(sizeof name.sun_family + 1 + (size_t)len)) == 0;
    (void)close(fd);
    return !bound;
}

static void it_can_be_bound_and_ends_with_its_claim(void **state)
{
    (void)state;
    int claim, port = rb_port_claim(&claim), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(is_claimed(port));
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(close(claim), 0);
    assert_false(is_claimed(port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_get_the_same),
        cmocka_unit_test(it_can_be_bound_and_ends_with_its_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
