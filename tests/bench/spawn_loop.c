/* What starting commands costs at least: posix_spawn of /bin/true, N in all, 50 at once. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
    char *const child[] = {(char *)"/bin/true", NULL};
    long left = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    int running = 0;

    while (left > 0 || running > 0) {
        pid_t pid;
        if (left > 0 && running < 50) {
            if (posix_spawn(&pid, child[0], NULL, NULL, child, environ) != 0) {
                return 1;
            }
            left--;
            running++;
        } else if (wait(NULL) > 0) {
            running--;
        }
    }
    return 0;
}
