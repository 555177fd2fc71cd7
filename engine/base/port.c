/* A claim is a socket in the abstract namespace with the port in its name: it ends with the process that
 * holds it. */
#include "base/port.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST 10000
#define ENOUGH 1000

/* Of the ports from FIRST on; where the kernel gives away all of them, any will have to do. */
static unsigned count_of_ports(void)
{
    unsigned given = 32768;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (f && fscanf(f, "%u", &given) != 1) {
        given = 32768;
    }
    if (f) {
        fclose(f);
    }
    return given >= FIRST + ENOUGH && given <= 65536 ? given - FIRST : 65536 - FIRST;
}

static int claim_of(int port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "runbook-port-%d", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&name, (socklen_t)(sizeof name.sun_family + 1 + (size_t)len)) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool is_free(int port)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                 bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return bound;
}

int rb_port_claim(int *claim)
{
    unsigned count = count_of_ports(), start = 0;
    (void)!getrandom(&start, sizeof start, 0);
    for (unsigned i = 0; i < count; i++) {
        int port = FIRST + (int)((start % count + i) % count);
        *claim = claim_of(port);
        if (*claim >= 0 && is_free(port)) {
            return port;
        }
        if (*claim >= 0) {
            close(*claim);
        }
    }
    *claim = -1;
    return 0;
}
