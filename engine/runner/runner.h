/* The other process: an empty Lua state with the sealed standard library, one
 * socketpair, no rights. Started by the spawner as entry "runner". */
#ifndef RB_RUNNER_RUNNER_H
#define RB_RUNNER_RUNNER_H

#define RB_RUNNER_MEMORY (64 << 20) /* of Lua and JSON together */
#define RB_EXIT_MEMORY 88           /* it took more */

/* Gives up every right but fd, loads the library, reads the start frame, runs stdlib/boot.lua, and ends.
 * Exit codes: 0 done, 88 memory cap, 70 broken frame or library. */
int rb_runner_main(int fd);

#endif
