#include "system/sockets.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "system/process_info.h"

#define MAX_SOCKETS 4096
#define TCP_LISTEN 0x0A
#define UDP_UNCONNECTED 0x07

struct socket {
    uint64_t inode;
    json_t *json; /* borrowed from the list */
};

struct scan {
    struct socket of[MAX_SOCKETS];
    size_t count;
    json_t *list;
    int hidden; /* processes whose descriptors cannot be seen */
};

/* The kernel prints each 32-bit word of an address in the machine's byte order. */
static void address(const char *hex, char out[INET6_ADDRSTRLEN])
{
    uint32_t words[4] = {0};
    size_t count = strlen(hex) / 8;

    for (size_t i = 0; i < count && i < 4; i++) {
        char word[9] = {0};
        memcpy(word, hex + i * 8, 8);
        words[i] = (uint32_t)strtoul(word, NULL, 16);
    }
    out[0] = '\0';
    (void)inet_ntop(count == 4 ? AF_INET6 : AF_INET, words, out, INET6_ADDRSTRLEN);
}

static void add_line(struct scan *scan, const char *proto, unsigned wanted, int port_wanted, const char *line)
{
    char hex[40], addr[INET6_ADDRSTRLEN];
    unsigned port, state, uid;
    uint64_t inode;
    json_t *one;

    if (sscanf(line, " %*d: %39[0-9A-F]:%x %*s %x %*s %*s %*s %u %*d %" SCNu64, hex, &port, &state, &uid, &inode) !=
            5 ||
        state != wanted || (port_wanted > 0 && port != (unsigned)port_wanted) || scan->count == MAX_SOCKETS) {
        return;
    }
    address(hex, addr);
    one = json_pack("{s:s, s:s, s:i, s:i, s:[]}", "proto", proto, "addr", addr, "port", (int)port, "uid", (int)uid,
                    "processes");
    json_array_append_new(scan->list, one);
    scan->of[scan->count++] = (struct socket){inode, one};
}

static void read_table(struct scan *scan, const char *proto, unsigned state, int port)
{
    char path[32], line[512];
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/net/%s", proto);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        add_line(scan, proto, state, port, line);
    }
    if (file) {
        (void)fclose(file);
    }
}

static void add_process(struct socket *socket, pid_t pid)
{
    json_t *processes = json_object_get(socket->json, "processes");
    size_t n = json_array_size(processes);
    struct rb_proc proc;

    if (n > 0 && rb_json_int(json_array_get(processes, n - 1), "pid", 0) == pid) {
        return; /* a second descriptor of the same one */
    }
    if (rb_proc_read(pid, &proc) == 0) {
        json_array_append_new(processes, json_pack("{s:i, s:I, s:o}", "pid", (int)pid, "started",
                                                   (json_int_t)proc.started, "command", rb_proc_command(&proc)));
    }
}

static bool on_fd(pid_t pid, const char *path, void *user)
{
    struct scan *scan = user;
    char target[64] = "";
    uint64_t inode;

    if (readlink(path, target, sizeof target - 1) > 0 && sscanf(target, "socket:[%" SCNu64, &inode) == 1) {
        for (size_t i = 0; i < scan->count; i++) {
            if (scan->of[i].inode == inode) {
                add_process(&scan->of[i], pid);
            }
        }
    }
    return true;
}

static bool on_process(pid_t pid, void *user)
{
    struct scan *scan = user;

    if (rb_proc_each_fd(pid, on_fd, user) != 0) {
        scan->hidden++;
    }
    return true;
}

json_t *rb_sockets_listeners(const json_t *args, struct rb_work *work, struct rb_err *err)
{
    struct scan *scan = rb_xcalloc(1, sizeof *scan);
    int port = (int)rb_json_int(args, "port", 0);
    json_t *out = NULL;

    (void)work;
    scan->list = json_array();
    read_table(scan, "tcp", TCP_LISTEN, port);
    read_table(scan, "tcp6", TCP_LISTEN, port);
    read_table(scan, "udp", UDP_UNCONNECTED, port);
    read_table(scan, "udp6", UDP_UNCONNECTED, port);
    if (rb_proc_each(on_process, scan) == 0) {
        out = json_pack("{s:O, s:i}", "listeners", scan->list, "hidden", scan->hidden);
    } else {
        rb_err_set(err, RB_EDENIED, RB_T_bindings_no_proc);
    }
    json_decref(scan->list);
    free(scan);
    return out;
}
