/* The limit of the fan-out bench: libcurl's multi interface on libuv, N requests, MAX at once, nothing else.
 *
 *     probe_loop URL N MAX     prints requests per second */
#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>
#include <uv.h>

static uv_loop_t *loop;
static uv_timer_t timer;
static CURLM *multi;
static const char *url;
static long left, good;

static size_t ignore(char *data, size_t size, size_t count, void *user)
{
    (void)data, (void)user;
    return size * count;
}

static void add(CURL *easy)
{
    easy = easy ? easy : curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
    curl_multi_add_handle(multi, easy);
    left--;
}

static void drain(void)
{
    CURLMsg *message;
    int queued;
    while ((message = curl_multi_info_read(multi, &queued))) {
        CURL *easy = message->easy_handle;
        good += message->data.result == CURLE_OK;
        curl_multi_remove_handle(multi, easy);
        if (left > 0) {
            add(easy);
        } else {
            curl_easy_cleanup(easy);
        }
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    int running, what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    uv_os_fd_t fd;
    uv_fileno((uv_handle_t *)poll, &fd);
    curl_multi_socket_action(multi, fd, status < 0 ? CURL_CSELECT_ERR : what, &running);
    drain();
}

static void on_timer(uv_timer_t *t)
{
    int running;
    (void)t;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain();
}

static int want_timer(CURLM *m, long ms, void *user)
{
    (void)m, (void)user;
    if (ms < 0) {
        uv_timer_stop(&timer);
    } else {
        uv_timer_start(&timer, on_timer, ms ? (uint64_t)ms : 1, 0);
    }
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *of_socket)
{
    uv_poll_t *poll = of_socket;
    (void)easy, (void)user;
    if (what == CURL_POLL_REMOVE) {
        if (poll) {
            uv_poll_stop(poll);
            uv_close((uv_handle_t *)poll, (uv_close_cb)free);
            curl_multi_assign(multi, fd, NULL);
        }
        return 0;
    }
    if (!poll) {
        poll = calloc(1, sizeof *poll);
        uv_poll_init_socket(loop, poll, fd);
        curl_multi_assign(multi, fd, poll);
    }
    uv_poll_start(poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_poll);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        return 2;
    }
    long all = strtol(argv[2], NULL, 10), max = strtol(argv[3], NULL, 10);
    loop = uv_default_loop();
    url = argv[1];
    left = all;
    curl_global_init(CURL_GLOBAL_ALL);
    multi = curl_multi_init();
    uv_timer_init(loop, &timer);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer);
    uint64_t since = uv_hrtime();
    for (long i = 0; i < max && left > 0; i++) {
        add(NULL);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    printf("%.0f\n", (double)all * 1e9 / (double)(uv_hrtime() - since));
    return good == all ? 0 : 1;
}
