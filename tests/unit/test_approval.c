/* Several logins answer one request at the same moment: one of them wins, and it is never the requester. Logins are
 * uids, so this needs root; without it only the requester's own attempts are made, and said so. */
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "run/approval.h"

#include "journal_folder.h"

#define GROUP 60000
#define REQUESTER 60001
#define APPROVERS 3
#define RACES 200 /* times three approvers and the requester: 800 attempts; RUNBOOK_RACES=2500 makes it 10,000 */

static int races = RACES;

struct tally {
    int won, self, over, other;
};

static int make_folder(void **state)
{
    (void)state;
    const char *more = getenv("RUNBOOK_RACES");
    races = more ? atoi(more) : RACES;
    assert_int_equal(journal_folder_make(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"), 0);
    if (geteuid() == 0) { /* what several logins share: a folder of their group */
        assert_int_equal(chown(folder, 0, GROUP), 0);
        assert_int_equal(chmod(folder, 02770), 0);
    }
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return journal_folder_remove();
}

static void become(uid_t uid)
{
    if (geteuid() == 0 && (setgroups(0, NULL) || setgid(GROUP) || setuid(uid))) {
        _exit(99);
    }
}

static void name_run(int i, char out[RB_ID_MAX])
{
    (void)snprintf(out, RB_ID_MAX, "r-%08d", i);
}

static json_t *request(int i, int needed)
{
    char digest[32];
    (void)snprintf(digest, sizeof digest, "digest-%d", i);
    json_t *actor = rb_journal_actor_find();
    json_t *body = json_pack("{s:s, s:s, s:i, s:I, s:[o]}", "plan", "p-0000000000", "digest", digest, "needed", needed,
                             "expires", (json_int_t)INT64_MAX, "requesters", actor);
    return body;
}

static void ask_all(int needed)
{
    struct rb_journal *j = NULL;
    char run[RB_ID_MAX], id[RB_ID_MAX];
    if (rb_journal_open(&j, path, NULL)) {
        _exit(98);
    }
    for (int i = 0; i < races; i++) {
        json_t *body = request(i, needed);
        name_run(i, run);
        if (rb_journal_add(j, run, "run.started", NULL, NULL) || rb_approval_ask(j, run, body, id, NULL)) {
            _exit(97);
        }
        json_decref(body);
    }
    rb_journal_close(j);
    _exit(0);
}

static void count(struct tally *t, int rc)
{
    *(rc == 0 ? &t->won : rc == RB_EDENIED ? &t->self : rc == RB_EEXISTS ? &t->over : &t->other) += 1;
}

/* One login goes through all requests as fast as it can. */
static void answer_all(int out)
{
    struct rb_journal *j = NULL;
    struct tally t = {0};
    char run[RB_ID_MAX];
    if (rb_journal_open(&j, path, NULL)) {
        _exit(98);
    }
    for (int i = 0; i < races; i++) {
        struct rb_err err = {0};
        name_run(i, run);
        json_t *asked = rb_approval_of_run(j, run, NULL, &err);
        json_t *after = rb_approval_answer(j, asked, &(struct rb_answer){.yes = true, .reason = "race"}, &err);
        count(&t, after ? 0 : err.code);
        json_decref(asked);
        json_decref(after);
    }
    rb_journal_close(j);
    _exit(write(out, &t, sizeof t) == sizeof t ? 0 : 96);
}

static void use_all(int out)
{
    struct rb_journal *j = NULL;
    struct tally t = {0};
    char run[RB_ID_MAX];
    if (rb_journal_open(&j, path, NULL)) {
        _exit(98);
    }
    for (int i = 0; i < races; i++) {
        struct rb_err err = {0};
        name_run(i, run);
        json_t *asked = rb_approval_of_run(j, run, NULL, &err);
        int rc = rb_approval_use(j, asked, &err);
        count(&t, rc == RB_EREFUSED ? RB_EEXISTS : rc);
        json_decref(asked);
    }
    rb_journal_close(j);
    _exit(write(out, &t, sizeof t) == sizeof t ? 0 : 96);
}

static void wait_ok(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void as(uid_t uid, int needed)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(uid);
        ask_all(needed);
    }
    wait_ok(pid);
}

/* All at once, each as its own uid; what each of them met. */
static void together(const uid_t *uids, size_t n, void (*work)(int out), struct tally *tallies)
{
    pid_t pids[8];
    int pipes[8][2];
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            become(uids[i]);
            work(pipes[i][1]);
        }
        close(pipes[i][1]);
    }
    for (size_t i = 0; i < n; i++) {
        wait_ok(pids[i]);
        assert_int_equal(read(pipes[i][0], &tallies[i], sizeof tallies[i]), sizeof tallies[i]);
        close(pipes[i][0]);
    }
}

/* What the record says, whatever anybody was told. */
static void check_record(int needed, const char *state)
{
    struct rb_journal *j = NULL;
    struct rb_verify v;
    struct rb_err err = {0};
    assert_int_equal(rb_journal_open_reader(&j, path, &err), 0);
    json_t *all = rb_approvals(j, true, &err), *one;
    size_t i;
    assert_int_equal(json_array_size(all), races);
    json_array_foreach(all, i, one) {
        assert_int_equal(json_array_size(json_object_get(one, "answers")), needed);
        assert_string_equal(rb_json_str(one, "state", ""), state);
    }
    json_decref(all);
    assert_int_equal(rb_journal_verify(j, NULL, &v, NULL), 0);
    assert_true(v.ok);
    rb_journal_close(j);
}

static bool alone(void)
{
    if (geteuid() == 0) {
        return false;
    }
    struct tally t;
    uid_t self = getuid();
    as(self, 1);
    together(&self, 1, answer_all, &t);
    assert_int_equal(t.self, races);
    print_message(
        "NOT ROOT, so there is one login only: %d self approvals, all refused; the races between logins were not run\n",
        races);
    return true;
}

static void one_of_many_wins_and_never_the_requester(void **state)
{
    (void)state;
    const uid_t uids[] = {60002, 60003, 60004, REQUESTER};
    struct tally t[APPROVERS + 1];
    if (alone()) {
        return;
    }
    as(REQUESTER, 1);
    together(uids, APPROVERS + 1, answer_all, t);
    int won = 0, over = 0;
    for (int i = 0; i < APPROVERS; i++) {
        won += t[i].won;
        over += t[i].over;
        assert_int_equal(t[i].other + t[i].self, 0);
    }
    assert_int_equal(won, races);
    assert_int_equal(over, races * (APPROVERS - 1));
    assert_int_equal(t[APPROVERS].won, 0);
    assert_int_equal(t[APPROVERS].self, races);
    check_record(1, "granted");
    print_message(
        "%d requests, %d attempts of %d logins at once: %d winners (%d, %d, %d), %d double, %d self approvals refused\n",
        races, races * (APPROVERS + 1), APPROVERS + 1, won, t[0].won, t[1].won, t[2].won, over, t[APPROVERS].self);
}

static void two_that_are_needed_are_two(void **state)
{
    (void)state;
    const uid_t uids[] = {60002, 60002, 60003, 60003, REQUESTER}; /* each twice */
    struct tally t[5];
    if (geteuid() != 0) {
        skip();
    }
    races = races > 50 ? races / 4 : races;
    as(REQUESTER, 2);
    together(uids, 5, answer_all, t);
    assert_int_equal(t[0].won + t[1].won, races);
    assert_int_equal(t[2].won + t[3].won, races);
    assert_int_equal(t[4].won, 0);
    check_record(2, "granted");
}

static void it_is_used_once(void **state)
{
    (void)state;
    const uid_t approver = 60002, users[] = {REQUESTER, REQUESTER, REQUESTER};
    struct tally t[3];
    if (geteuid() != 0) {
        skip();
    }
    races = races > 50 ? races / 4 : races;
    as(REQUESTER, 1);
    together(&approver, 1, answer_all, t);
    together(users, 3, use_all, t);
    assert_int_equal(t[0].won + t[1].won + t[2].won, races);
    check_record(1, "used");
    print_message("%d approvals, 3 who use them at once: %d uses\n", races, t[0].won + t[1].won + t[2].won);
}

/* ---- who is whom ---- */

static json_t *actor(int uid, int login, int sudo)
{
    json_t *a = json_pack("{s:i}", "uid", uid);
    if (login >= 0) {
        json_object_set_new(a, "login_uid", json_integer(login));
    }
    if (sudo >= 0) {
        json_object_set_new(a, "sudo_uid", json_integer(sudo));
    }
    return a;
}

static void names_do_not_count_and_sudo_makes_nobody_else(void **state)
{
    (void)state;
    const struct {
        int one[3], other[3];
        bool meet;
    } cases[] = {
        {{1001, -1, -1}, {1002, -1, -1}, false},    {{1001, -1, -1}, {1001, -1, -1}, true},
        {{1001, 1001, -1}, {0, 1001, -1}, true},  /* su: the kernel remembers who logged in */
        {{1001, -1, -1}, {0, -1, 1001}, true},    /* sudo says who called it */
        {{0, 1001, 1001}, {0, 1002, 1002}, true}, /* one account used by two: nobody can tell */
        {{0, 1001, -1}, {1002, 1002, -1}, false},   {{1001, 1001, -1}, {1002, 1001, -1}, true},
        {{1001, 1002, -1}, {1002, 1002, -1}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *a = actor(cases[i].one[0], cases[i].one[1], cases[i].one[2]);
        json_t *b = actor(cases[i].other[0], cases[i].other[1], cases[i].other[2]);
        json_object_set_new(a, "login", json_string("same"));
        json_object_set_new(b, "login", json_string(i % 2 ? "same" : "other"));
        assert_int_equal(rb_actors_meet(a, b), cases[i].meet);
        assert_int_equal(rb_actors_meet(b, a), cases[i].meet);
        json_decref(a);
        json_decref(b);
    }
    json_t *nobody = json_object(), *somebody = actor(1002, -1, -1);
    assert_true(rb_actors_meet(nobody, somebody));
    json_decref(nobody);
    json_decref(somebody);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_of_many_wins_and_never_the_requester),
        TEST(two_that_are_needed_are_two),
        TEST(it_is_used_once),
        cmocka_unit_test(names_do_not_count_and_sudo_makes_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
