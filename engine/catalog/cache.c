/* One file of JSON behind a line with its hash. */
#include "catalog/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "catalog/load.h"

#define HEAD "runbook-catalogue/1 "
#define HEAD_SIZE (sizeof HEAD - 1 + RB_HEX_SIZE) /* the hash ends with a newline instead of a NUL */
#define PREFIX "catalogue-"
#define DAY INT64_C(86400)
#define REVIEW_DAYS 365 /* runner/language_fields.c */
#define NAMES_MAX 1000

struct rb_cache {
    char folder[PATH_MAX]; /* "" = nothing can be kept */
    char of[RB_HEX_SIZE];
    json_t *old, *now; /* {key: …}: what was kept; what is in use since it was opened */
    bool changed;
};

/* ---- the file ---- */

char *rb_cache_print(const json_t *sets, const char *of)
{
    json_t *all = json_pack("{s:s, s:O}", "of", of, "sets", sets);
    char *json = json_dumps(all, JSON_COMPACT), *text = NULL, sha[RB_HEX_SIZE];
    json_decref(all);
    if (json) {
        size_t size = HEAD_SIZE + strlen(json) + 1;
        rb_hash_hex(json, strlen(json), sha);
        text = rb_xcalloc(1, size);
        snprintf(text, size, HEAD "%s\n%s", sha, json);
    }
    free(json);
    return text;
}

static bool whole(const char *text, size_t len)
{
    char sha[RB_HEX_SIZE];
    if (len <= HEAD_SIZE || memcmp(text, HEAD, sizeof HEAD - 1) || text[HEAD_SIZE - 1] != '\n') {
        return false;
    }
    rb_hash_hex(text + HEAD_SIZE, len - HEAD_SIZE, sha);
    return memcmp(text + sizeof HEAD - 1, sha, RB_HEX_SIZE - 1) == 0;
}

static bool all_judged(const json_t *sets)
{
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)sets, key, one) {
        if (!json_is_array(json_object_get(one, "problems")) || !json_is_object(json_object_get(one, "meta")) ||
            !json_is_integer(json_object_get(one, "until"))) {
            return false;
        }
    }
    return json_is_object(sets);
}

json_t *rb_cache_parse(const char *text, size_t len, const char *of)
{
    json_t *all = whole(text, len) ? rb_json_parse(text + HEAD_SIZE, len - HEAD_SIZE, NULL) : NULL, *sets = NULL;
    if (!strcmp(rb_json_str(all, "of", ""), of) && all_judged(json_object_get(all, "sets"))) {
        sets = json_incref(json_object_get(all, "sets"));
    }
    json_decref(all);
    return sets;
}

static bool path_of(const struct rb_cache *cache, const char *end, char path[PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s/" PREFIX "%.16s%s", cache->folder, cache->of, end);
    return n > 0 && n < PATH_MAX;
}

static json_t *read_old(const struct rb_cache *cache)
{
    char path[PATH_MAX];
    struct rb_buf text;
    json_t *sets = NULL;
    rb_buf_init(&text, RB_CACHE_MAX + 1);
    if (path_of(cache, "", path) && rb_files_read(path, RB_CACHE_MAX, 1, &text, NULL) == 0) {
        sets = rb_cache_parse(rb_buf_str(&text), text.len, cache->of);
    }
    rb_buf_deinit(&text);
    return sets ? sets : json_object();
}

/* Ours, and nobody else puts anything there. */
static bool is_private(const char *folder)
{
    struct stat st;
    return strlen(folder) < PATH_MAX && stat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           !(st.st_mode & 022);
}

/* A program that was built or installed anew has another ctime, whatever else it has in common with the one before. */
static void hash_all(const json_t *of, char out[RB_HEX_SIZE])
{
    struct stat st = {0};
    bool known = stat("/proc/self/exe", &st) == 0;
    json_t *all =
        json_pack("{s:O, s:s, s:[b, I, I, I, I, I, I, I]}", "of", of, "version", RUNBOOK_VERSION, "program", known,
                  (json_int_t)st.st_dev, (json_int_t)st.st_ino, (json_int_t)st.st_size, (json_int_t)st.st_mtim.tv_sec,
                  (json_int_t)st.st_mtim.tv_nsec, (json_int_t)st.st_ctim.tv_sec, (json_int_t)st.st_ctim.tv_nsec);
    char *text = rb_json_canonical(all);
    rb_hash_hex(text, strlen(text), out);
    free(text);
    json_decref(all);
}

struct rb_cache *rb_cache_open(const char *folder, const json_t *of)
{
    struct rb_cache *cache = rb_xcalloc(1, sizeof *cache);
    hash_all(of, cache->of);
    if (is_private(folder)) {
        snprintf(cache->folder, sizeof cache->folder, "%s", folder);
    }
    cache->old = cache->folder[0] ? read_old(cache) : json_object();
    cache->now = json_object();
    return cache;
}

void rb_cache_close(struct rb_cache *cache)
{
    if (cache) {
        json_decref(cache->old);
        json_decref(cache->now);
        free(cache);
    }
}

/* ---- one runbook ---- */

/* sha256 stands for the texts and the roles; the paths are in what is said of them. */
void rb_cache_key(const json_t *runbook, char key[RB_HEX_SIZE])
{
    json_t *names = json_pack("[O, O, O]", json_object_get(runbook, "id"), json_object_get(runbook, "file"),
                              json_object_get(runbook, "sha256")),
           *file;
    size_t i;
    json_array_foreach(json_object_get(runbook, "files"), i, file) {
        json_array_append(names, json_object_get(file, "role"));
        json_array_append(names, json_object_get(file, "path"));
    }
    char *text = json_dumps(names, JSON_COMPACT);
    rb_hash_hex(text ? text : "", text ? strlen(text) : 0, key);
    free(text);
    json_decref(names);
}

/* When what is said of it becomes another thing, in seconds; 0 = with its files alone. How long ago a runbook was
 * reviewed is a warning from its 366th day on, with another number every day. */
static int64_t good_until(const json_t *meta)
{
    char text[RB_TIME_MAX];
    int64_t reviewed, now = rb_clock_utc_us() / 1000000;
    const char *day = rb_json_str(meta, "reviewed", NULL);
    snprintf(text, sizeof text, "%.10sT00:00:00Z", day ? day : "");
    if (!day || rb_clock_parse(text, &reviewed)) {
        return 0;
    }
    int64_t warned = reviewed / 1000000 + (REVIEW_DAYS + 1) * DAY;
    return warned > now ? warned : (now / DAY + 1) * DAY;
}

/* Whether a zone is known is a question to this machine's tzdata. */
static bool names_zone(const json_t *meta)
{
    size_t i;
    json_t *schedule;
    json_array_foreach(json_object_get(meta, "schedules"), i, schedule) {
        if (json_object_get(schedule, "tz")) {
            return true;
        }
    }
    return false;
}

const json_t *rb_cache_get(struct rb_cache *cache, const char *key)
{
    json_t *one = json_object_get(cache->old, key);
    json_int_t until = rb_json_int(one, "until", 0);
    if (!one || (until && until <= rb_clock_utc_us() / 1000000)) {
        return NULL;
    }
    json_object_set(cache->now, key, one);
    return one;
}

void rb_cache_put(struct rb_cache *cache, const char *key, const json_t *judged)
{
    const json_t *meta = json_object_get(judged, "meta"), *problems = json_object_get(judged, "problems");
    if (json_is_object(meta) && !rb_load_has_error(problems) && !names_zone(meta)) {
        json_object_set_new(
            cache->now, key,
            json_pack("{s:O, s:O, s:I}", "problems", problems, "meta", meta, "until", (json_int_t)good_until(meta)));
        cache->changed = true;
    }
}

/* ---- writing it ---- */

static bool write_all(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n <= 0) {
            return false;
        }
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* Whole or not at all, whoever else writes it at the same time. A power cut may leave half of it: its hash tells. */
static void write_file(const struct rb_cache *cache, const char *text)
{
    char path[PATH_MAX], fresh[PATH_MAX], end[RB_ID_MAX + 1] = ".";
    rb_id_new('c', end + 1);
    if (!path_of(cache, "", path) || !path_of(cache, end, fresh)) {
        return;
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = fd >= 0 && write_all(fd, text, strlen(text));
    written = fd >= 0 && close(fd) == 0 && written;
    if (fd >= 0 && (!written || rename(fresh, path))) {
        (void)unlink(fresh);
    }
}

struct kept {
    struct timespec at;
    char name[64];
};

static int latest_first(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;
    return a->at.tv_sec != b->at.tv_sec ? (a->at.tv_sec < b->at.tv_sec ? 1 : -1) : 0;
}

/* Of languages, folders and programs that are no longer used, and what a process left that died. */
static void remove_oldest(const char *folder)
{
    struct kept *all = rb_xcalloc(NAMES_MAX, sizeof *all);
    size_t count = 0;
    struct stat st;
    struct dirent *entry;
    DIR *dir = opendir(folder);
    while (dir && count < NAMES_MAX && (entry = readdir(dir))) {
        bool ours = !strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) && strlen(entry->d_name) < sizeof all->name;
        if (ours && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            all[count].at = st.st_mtim;
            memcpy(all[count++].name, entry->d_name, strlen(entry->d_name) + 1);
        }
    }
    qsort(all, count, sizeof *all, latest_first);
    for (size_t i = RB_CACHE_FILES; i < count; i++) {
        (void)unlinkat(dirfd(dir), all[i].name, 0);
    }
    if (dir) {
        closedir(dir);
    }
    free(all);
}

void rb_cache_save(struct rb_cache *cache)
{
    bool same = !cache->changed && json_object_size(cache->now) == json_object_size(cache->old);
    char *text = same || !cache->folder[0] ? NULL : rb_cache_print(cache->now, cache->of);
    if (text && strlen(text) <= RB_CACHE_MAX) {
        write_file(cache, text);
        remove_oldest(cache->folder);
    }
    free(text);
}
