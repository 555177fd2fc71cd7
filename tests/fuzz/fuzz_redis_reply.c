/* Bytes of a Redis server, through the client library's parser into JSON, in pieces. */
#include <stdint.h>
#include <stdlib.h>

#include <hiredis/read.h>

#include "redis/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = rb_redis_reader();
    void *reply = NULL;
    for (size_t at = 0; at < size; at += 7) {
        size_t n = size - at < 7 ? size - at : 7;
        (void)redisReaderFeed(reader, (const char *)data + at, n);
        while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
            (void)rb_redis_error_of(reply);
            json_decref(reply);
            reply = NULL;
        }
    }
    redisReaderFree(reader);
    return 0;
}
