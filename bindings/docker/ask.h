/* A declared command in a container: docker ps finds the container, docker exec runs it. */
#ifndef RB_BINDINGS_DOCKER_ASK_H
#define RB_BINDINGS_DOCKER_ASK_H

#include "binding.h"

int rb_docker_ask(struct rb_call *call, const json_t *args, struct rb_err *err);
void rb_docker_cancel(struct rb_call *call);

#endif
