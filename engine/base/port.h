/* Ports of the loopback for servers that are started later, and are sometimes down in between. */
#ifndef RB_BASE_PORT_H
#define RB_BASE_PORT_H

/* One that nobody listens on; 0: there is none. It is outside the range from which the kernel serves whoever
 * asks for any port, and held against everybody who asks here, in other processes too, until *claim (a
 * descriptor) is closed. */
int rb_port_claim(int *claim);

#endif
