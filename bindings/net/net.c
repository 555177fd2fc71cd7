/* libcurl's multi handle on the loop: one poll handle a socket, one timer. What ended is read after every action,
 * those of the timer included; a transfer never ends inside the call that started it. */
#include "net/net.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/buf.h"

#define OTHER_FILES 200 /* descriptors that are not for connections: the journal, children, the terminal */
#define CONNECTIONS_MIN 64
#define KEPT_MAX 128  /* connections that nobody uses right now */
#define SPARE_MAX 128 /* easy handles kept for the next transfers: making one costs more than a request */

struct watch {
    uv_poll_t poll;
    struct rb_net *net;
    struct watch *next, **at; /* in the list of all */
    curl_socket_t fd;
};

struct rb_net {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct watch *watches;
    struct rb_resolver *resolver;
    json_t *certificates;
    void *kept;
    void (*release)(void *kept);
    CURL *spare[SPARE_MAX];
    size_t spares;
    int handles; /* not closed yet */
    bool closing, in_timer;
};

static void handle_gone(struct rb_net *net)
{
    if (--net->handles == 0 && net->closing) {
        json_decref(net->certificates);
        free(net);
    }
}

/* Outside of all callbacks of libcurl: what ended may start others, or go. */
static void drain(struct rb_net *net)
{
    CURLMsg *message;
    int left;
    while (!net->closing && (message = curl_multi_info_read(net->multi, &left))) {
        struct rb_net_job *job = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&job);
        if (!job->stay) {
            curl_multi_remove_handle(net->multi, job->easy);
        }
        job->ended(job, code);
    }
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    struct rb_net *net = w->net; /* the watch may go in the action */
    int running, what = 0;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    what = status < 0 ? CURL_CSELECT_ERR : what;
    curl_multi_socket_action(net->multi, w->fd, what, &running);
    drain(net);
}

static void on_timer(uv_timer_t *timer)
{
    struct rb_net *net = timer->data;
    int running;
    net->in_timer = true;
    curl_multi_socket_action(net->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    drain(net);
    net->in_timer = false;
}

static void watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;
    handle_gone(w->net);
    free(w);
}

static void watch_close(struct watch *w)
{
    *w->at = w->next;
    if (w->next) {
        w->next->at = w->at;
    }
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, watch_closed);
}

static struct watch *watch_open(struct rb_net *net, curl_socket_t fd)
{
    struct watch *w = rb_xcalloc(1, sizeof *w);
    if (uv_poll_init_socket(net->loop, &w->poll, fd) != 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->net = net;
    w->fd = fd;
    w->next = net->watches;
    w->at = &net->watches;
    if (w->next) {
        w->next->at = &w->next;
    }
    net->watches = w;
    net->handles++;
    curl_multi_assign(net->multi, fd, w);
    return w;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *of_socket)
{
    struct rb_net *net = user;
    struct watch *w = of_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            watch_close(w);
            curl_multi_assign(net->multi, fd, NULL);
        }
        return 0;
    }
    w = w ? w : watch_open(net, fd);
    if (!w) {
        return -1; /* libcurl fails its transfers */
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&w->poll, events, on_socket) == 0 ? 0 : -1;
}

/* 0 means "soon", never "now": within the timer itself that is a millisecond later, else the loop's next turn
 * (libuv runs a timer of 0 that is started in a timer in the same turn, for ever). */
static int want_timer(CURLM *multi, long ms, void *user)
{
    struct rb_net *net = user;
    (void)multi;
    if (ms < 0 || net->closing) {
        uv_timer_stop(&net->timer);
    } else {
        uv_timer_start(&net->timer, on_timer, ms == 0 && net->in_timer ? 1 : (uint64_t)ms, 0);
    }
    return 0;
}

/* More transfers than descriptors wait for their turn, instead of failing. */
static long connections_max(void)
{
    struct rlimit files = {0};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur < OTHER_FILES + CONNECTIONS_MIN) {
        return CONNECTIONS_MIN;
    }
    return files.rlim_cur > 8192 ? 8192 : (long)files.rlim_cur - OTHER_FILES;
}

static struct rb_net *net_new(uv_loop_t *loop, struct rb_err *err)
{
    CURLM *multi = curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ? curl_multi_init() : NULL; /* counts its calls */
    if (!multi) {
        rb_err_set(err, RB_EMISSING, RB_T_http_no_curl);
        return NULL;
    }
    struct rb_net *net = rb_xcalloc(1, sizeof *net);
    net->loop = loop;
    net->multi = multi;
    net->certificates = json_object();
    uv_timer_init(loop, &net->timer);
    net->timer.data = net;
    net->handles = 1;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, net);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, net);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_MAX); /* its own rule drops all when many end at once */
    curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max());
    return net;
}

struct rb_net *rb_net_of(struct rb_call *call, struct rb_err *err)
{
    void **state = rb_call_state(call);
    if (!*state) {
        *state = net_new(rb_call_loop(call), err);
    }
    return *state;
}

struct rb_resolver *rb_net_resolver(struct rb_net *net, struct rb_err *err)
{
    if (!net->resolver) {
        net->resolver = rb_resolver_new(net->loop, NULL, err);
    }
    return net->resolver;
}

json_t *rb_net_certificates(struct rb_net *net)
{
    return net->certificates;
}

void **rb_net_kept(struct rb_net *net, void (*release)(void *slot))
{
    net->release = release;
    return &net->kept;
}

CURL *rb_net_easy(struct rb_net *net)
{
    CURL *easy = net->spares ? net->spare[--net->spares] : curl_easy_init();
    RB_REQUIRE(easy);
    return easy;
}

void rb_net_easy_back(struct rb_net *net, CURL *easy)
{
    if (net->spares == SPARE_MAX || net->closing) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    net->spare[net->spares++] = easy;
}

void rb_net_add(struct rb_net *net, struct rb_net_job *job)
{
    curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job);
    RB_REQUIRE(curl_multi_add_handle(net->multi, job->easy) == CURLM_OK);
}

void rb_net_remove(struct rb_net *net, struct rb_net_job *job)
{
    curl_multi_remove_handle(net->multi, job->easy);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void rb_net_close(void *state)
{
    struct rb_net *net = state;
    net->closing = true;
    if (net->release) {
        net->release(net->kept);
    }
    while (net->spares) {
        curl_easy_cleanup(net->spare[--net->spares]);
    }
    curl_multi_cleanup(net->multi); /* closes the connections that were kept */
    while (net->watches) {
        watch_close(net->watches);
    }
    if (net->resolver) {
        rb_resolver_close(net->resolver);
    }
    uv_close((uv_handle_t *)&net->timer, timer_closed);
    curl_global_cleanup();
}
