/* What a read-only child asks about sockets. */
#ifndef RB_PROCESS_REFUSAL_SOCKETS_H
#define RB_PROCESS_REFUSAL_SOCKETS_H

#include "process/question.h"

/* Each answers the call of its name. */
void rb_sockets_socket(struct rb_question *q);
void rb_sockets_bind(struct rb_question *q);
void rb_sockets_connect(struct rb_question *q);
void rb_sockets_sendto(struct rb_question *q);

#endif
