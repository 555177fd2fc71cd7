#include "list.h"

const struct rb_binding *const rb_bindings[] = {
    &rb_binding_docker, &rb_binding_file,
    &rb_binding_http,   &rb_binding_net,
    &rb_binding_notify, &rb_binding_pm2,
    &rb_binding_redis,  &rb_binding_rpc,
    &rb_binding_secret, &rb_binding_shell,
    &rb_binding_sql,    &rb_binding_system,
    &rb_binding_ws,     NULL,
};
