/* JSON-RPC over HTTP: a POST, the answer whatever its status when it is JSON-RPC. */
#include "net/headers.h"
#include "net/transfer.h"
#include "rpc/transport.h"

#include <string.h>

static void answered(struct rb_transfer *transfer, const struct rb_err *err, void *user)
{
    struct rb_rpc_exchange *x = user;
    struct rb_answer *answer = rb_transfer_answer(transfer);
    struct rb_err why = {0};
    x->sent = rb_transfer_sent(transfer);
    if (err) {
        x->done(x->user, err);
        return;
    }
    int rc = x->text(x->user, rb_buf_str(&answer->body), answer->body.len, &why);
    if (rc < 0 && (answer->status < 200 || answer->status > 299)) {
        int code = answer->status == 401 || answer->status == 403 ? RB_EAUTH : RB_ESTATUS;
        rb_err_set(&why, code, RB_T_rpc_status, (int)answer->status);
    } else if (rc == 0) {
        rb_err_set(&why, RB_EPROTOCOL, RB_T_rpc_no_answer);
    }
    x->done(x->user, rc == 1 ? NULL : &why);
}

static int start(struct rb_rpc_exchange *x, struct rb_err *err)
{
    const json_t *tls = json_object_get(x->connection, "tls");
    json_t *headers = json_copy(json_object_get(x->connection, "headers"));
    headers = headers ? headers : json_object();
    json_object_set_new(headers, "Content-Type", json_string("application/json"));
    struct rb_transfer_spec spec = {.url = x->url,
                                    .method = "POST",
                                    .headers = headers,
                                    .body = x->request,
                                    .body_len = x->len,
                                    .socket = rb_json_str(x->connection, "socket", NULL),
                                    .ca = rb_json_str(tls, "ca", NULL),
                                    .pin = rb_json_str(tls, "pin", NULL),
                                    .insecure = strcmp(rb_json_str(tls, "mode", "verify"), "require") == 0,
                                    .connect_timeout = x->connect_timeout,
                                    .max_body = RB_RPC_ANSWER_MAX,
                                    .done = answered,
                                    .user = x};
    if (spec.insecure) {
        rb_call_remark(x->call, "unenforced", "certificate not checked");
    }
    x->state = rb_transfer_start(x->call, &spec, err);
    json_decref(headers);
    return x->state ? 0 : err->code;
}

static void stop(struct rb_rpc_exchange *x)
{
    if (x->state) {
        x->sent = x->sent || rb_transfer_sent(x->state);
        rb_transfer_free(x->state);
        x->state = NULL;
    }
}

const struct rb_rpc_transport rb_rpc_http = {"http https", start, stop};
