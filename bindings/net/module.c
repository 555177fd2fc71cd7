/* The module net: everything that speaks by libcurl. */
#include "http/http.h"
#include "net/look.h"
#include "net/net.h"
#include "notify/notify.h"
#include "rpc/rpc.h"
#include "ws/ws.h"

static const struct rb_module_verb verbs[] = {{"http.get", rb_http_get, rb_http_cancel},
                                              {"http.head", rb_http_head, rb_http_cancel},
                                              {"http.options", rb_http_options, rb_http_cancel},
                                              {"http.post", rb_http_post, rb_http_cancel},
                                              {"http.put", rb_http_put, rb_http_cancel},
                                              {"http.patch", rb_http_patch, rb_http_cancel},
                                              {"http.delete", rb_http_delete, rb_http_cancel},
                                              {"net.resolve", rb_net_resolve, rb_net_resolve_cancel},
                                              {"net.tcp", rb_net_tcp, rb_net_look_cancel},
                                              {"net.certificate", rb_net_certificate, rb_net_look_cancel},
                                              {"notify.send", rb_notify_send, rb_notify_cancel},
                                              {"notify.preview", rb_notify_preview, rb_notify_preview_cancel},
                                              {"rpc.ask", rb_rpc_ask, rb_rpc_cancel},
                                              {"rpc.answer", rb_rpc_answer, rb_rpc_cancel},
                                              {"rpc.batch", rb_rpc_batch, rb_rpc_cancel},
                                              {"rpc.call", rb_rpc_call, rb_rpc_cancel},
                                              {"ws.read", rb_ws_verb_read, rb_ws_verb_cancel},
                                              {"ws.probe", rb_ws_verb_read, rb_ws_verb_cancel},
                                              {"ws.send", rb_ws_verb_send, rb_ws_verb_cancel},
                                              {0}};

RB_MODULE = {.abi = RB_MODULE_ABI, .verbs = verbs, .close = rb_net_close};
