/* The byte counter of the runner. */
#include "runner/internal.h"

#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

/* Process-wide because jansson's hooks have no argument; a runner is a process of its own. */
static struct {
    size_t used, cap;
} heap;

/* A refused allocation would be an error somewhere inside Lua or jansson; the end of the
 * process is the same everywhere and needs no code that works. */
static void count(size_t before, size_t after)
{
    size_t used = heap.used > before ? heap.used - before : 0;
    if (after > heap.cap || used > heap.cap - after) {
        _exit(RB_EXIT_MEMORY);
    }
    heap.used = used + after;
}

void *rb_alloc_lua(void *unused, void *ptr, size_t osize, size_t nsize)
{
    (void)unused;
    size_t before = ptr ? osize : 0; /* without ptr, osize is a type tag */
    if (nsize == 0) {
        count(before, 0);
        free(ptr);
        return NULL;
    }
    count(before, nsize);
    void *block = realloc(ptr, nsize);
    if (!block) {
        _exit(RB_EXIT_MEMORY);
    }
    return block;
}

static void *json_alloc(size_t size)
{
    void *block = malloc(size);
    if (!block) {
        _exit(RB_EXIT_MEMORY);
    }
    count(0, malloc_usable_size(block));
    return block;
}

static void json_release(void *block)
{
    count(block ? malloc_usable_size(block) : 0, 0);
    free(block);
}

void rb_alloc_init(size_t cap)
{
    heap.used = 0;
    heap.cap = cap;
    json_set_alloc_funcs(json_alloc, json_release);
}
