/* The one table of blocks and fields: language_check.c judges by it, the manual's
 * reference and `help` are printed from it. */
#include "runner/language.h"
#include "runner/language_config.h"

#include <string.h>

#define REQ RB_FIELD_REQUIRED
#define END \
    { \
        NULL, NULL, 0, NULL, NULL \
    }

#define WHY \
    { \
        "why", "text", 0, "Why it is done this way, for the person reading.", "为什么这样做，给读的人看。" \
    }
#define SOURCE \
    { \
        "source", "text", 0, "Where the manual says so.", "手册里的出处。" \
    }
#define QUOTE \
    { \
        "quote", "text", 0, "The manual's own words or commands.", "手册的原文或原命令。" \
    }
#define WITHIN(en, zh) \
    { \
        "within", "duration", 0, en, zh \
    }

static const struct rb_field runbook_fields[] = {
    {"title", "text", REQ, "What the runbook is about, one line.", "这个 runbook 管什么，一行。"},
    {"severity", "severity", REQ, "P0 to P4; also the default of its findings.",
     "P0 到 P4；也是其中 finding 的默认级别。"},
    {"kind", "string", 0, "A label for lists; changes nothing. Default: procedure with steps, else incident.",
     "列表里的标签，不影响运行。默认：有 step 为 procedure，否则 incident。"},
    {"alias", "words", 0, "Short names it answers to beside its path.", "除路径之外的短名字。"},
    {"target", "string", 0,
     "What two runs exclude each other on, such as \"{db}\". Default: this host, the profile, and all path, host, url and "
     "connection parameters.",
     "两次运行按什么互斥，例如 \"{db}\"。默认：本机、profile，以及所有 path、host、url 和连接参数。"},
    {"when", "findings", 0, "Steps are needed only if one of these findings stands. Default: always.",
     "这些 finding 至少有一个成立才需要走 step。默认：总是需要。"},
    {"locks", "words", 0, "Named locks held for the whole run.", "整个运行期间持有的命名锁。"},
    {"needs", "words", 0, "What must be there: programs, rights, connections.", "需要具备什么：程序、权限、连接。"},
    {"codes", "words", 0, "Error codes that lead here, found exactly.", "会引到这里的错误码，按原样查找。"},
    {"alerts", "words", 0, "Names of alerts that lead here, found exactly.", "会引到这里的告警名，按原样查找。"},
    {"symptoms", "texts", 0, "What people or logs say; found in a pasted log line.",
     "人或日志会怎么说；粘贴的日志行里能认出来。"},
    {"tags", "words", 0, "Words to group and find by.", "用来归类和查找的词。"},
    {"owner", "string", 0, "The team that keeps it.", "负责维护的团队。"},
    SOURCE,
    QUOTE,
    {"reviewed", "date", 0, "The day it was last reviewed, \"2026-06-30\"; a warning after 365 days.",
     "最近一次复核的日期，\"2026-06-30\"；超过 365 天给警告。"},
    {"status", "enum:live|draft|retired", 0, "Default: live.", "默认：live。"},
    {"impact", "text", 0, "What users notice.", "对用户有什么影响。"},
    {"escalate", "text", 0,
     "Whom to turn to when it does not help: words, or the name of a contact block of the configuration.",
     "不奏效时找谁：文字，或配置里 contact 块的名字。"},
    {"links", "words or map", 0, "Pages to look at.", "可参考的页面。"},
    END};

static const struct rb_field param_fields[] = {
    {"type", "string", REQ,
     "string int number bool enum duration size time host url path regex json secret user sql redis rpc, or list(TYPE). "
     "Required unless the system's profile declares it.",
     "string int number bool enum duration size time host url path regex json secret user sql redis rpc，或 list(类型)。"
     "系统的 profile 已声明时可省。"},
    {"title", "text", 0, "What it is; shown in questions and errors.", "它是什么；出现在提问和错误里。"},
    {"default", "any", 0, "Its value when none is given; {name} is another parameter or profile name.",
     "没有给值时的值；{name} 是别的参数或 profile 里的名字。"},
    {"required", "bool", 0, "Default: true without a default.", "默认：没有 default 时为 true。"},
    {"choices", "choices", 0, "The values allowed: a list of values or of { value, text }.",
     "允许的值：值的列表，或 { value, text } 的列表。"},
    {"min", "any", 0, "Smallest number, duration or size; fewest items of a list.",
     "最小的数、时长或大小；列表最少几项。"},
    {"max", "any", 0, "Largest number, duration or size; most items of a list.",
     "最大的数、时长或大小；列表最多几项。"},
    {"pattern", "string", 0, "A POSIX extended regular expression that the whole value must match.",
     "整个值必须匹配的 POSIX 扩展正则表达式。"},
    END};

static const struct rb_field finding_fields[] = {
    {"title", "text", REQ, "What is wrong; {name} is filled from the evidence.", "哪里不对；{name} 从证据里取。"},
    {"key", "words", 0, "Evidence fields that tell one instance from another.", "用哪些证据字段区分不同的实例。"},
    {"severity", "severity", 0, "Default: the runbook's.", "默认：同 runbook。"},
    {"explains", "finding", 0, "This finding is a cause of that one and counts only while that one stands.",
     "本 finding 是那一个的原因，只在那一个成立时才算数。"},
    {"blocks", "bool", 0, "While it stands nothing may be changed. Default: false.",
     "它成立期间什么都不许改。默认：false。"},
    {"advice", "text", 0, "What a person does when no fix answers it.", "没有 fix 可用时人该做什么。"},
    {"verify", "function", 0, "(p, f, r): true when the problem is gone; else false, why. Reads and probes.",
     "(p, f, r)：问题已消失返回 true，否则 false 和原因。只能读和探测。"},
    WITHIN("How long verify may take to hold. Default: one look.", "verify 最多等多久。默认：只看一次。"),
    END};

static const struct rb_field check_fields[] = {
    {"title", "text", REQ, "What is looked at.", "看什么。"},
    {"run", "function", REQ, "(p, r): looks, calls found or ok; its result is r.NAME. Reads only.",
     "(p, r)：查看，调用 found 或 ok；返回值就是 r.名字。只能读。"},
    {"when", "finding", 0, "Only if that finding stands.", "只有那个 finding 成立时才做。"},
    WHY,
    SOURCE,
    QUOTE,
    {"timeout", "duration", 0, "Default: 60s.", "默认：60s。"},
    END};

static const struct rb_field prevent_fields[] = {
    {"title", "text", REQ, "What is kept from happening again.", "预防什么再次发生。"},
    {"run", "function", 0, "(p, r): calls advise. Reads only. One of run and by_hand is required.",
     "(p, r)：调用 advise。只能读。run 和 by_hand 必有其一。"},
    {"by_hand", "text", 0, "A reminder for a person.", "给人的提醒。"},
    WHY,
    SOURCE,
    QUOTE,
    {"timeout", "duration", 0, "Default: 60s.", "默认：60s。"},
    END};

#define ACTION_FIELDS \
    {"by_hand", "text", 0, "What a person does: alone, or when run may not or did not do it.", \
     "由人来做：单独写，或在 run 不许做、没做成时。"}, \
        {"call", "string", 0, "Another runbook's id, run as a child. Not available yet in this version.", \
         "另一个 runbook 的 id，作为子运行。本版本尚不支持。"}, \
        {"with", "map", 0, "Parameters of the called runbook; a lone \"{x}\" passes the value itself.", \
         "被调用的 runbook 的参数；单独一个 \"{x}\" 传值本身。"}, \
        {"title", "text", 0, "What it does, one line. Required with run.", "做什么，一行。有 run 时必填。"}, \
        {"risk", "risk", 0, \
         "low: done and reported; medium: y/N; high: its key is typed; critical: a second person. Required with run.", \
         "low：直接做并报告；medium：y/N；high：输入 key；critical：第二个人。有 run 时必填。"}, \
        {"no_undo", "text", 0, "Why it cannot be undone. Above low, undo or no_undo is required.", \
         "为什么不能撤销。高于 low 时 undo 和 no_undo 必有其一。"}, \
        {"confirm", "text", 0, "More words for the question before it.", "确认前多说的话。"}, \
        {"approvals", "int", 0, \
         "How many people must agree beside the requester. Default: 1 for critical where users are configured.", \
         "除请求人外还要几个人同意。默认：配置了 user 时，critical 为 1。"}, \
        {"idempotent", "bool", 0, "May be repeated after a crash without a person. Default: false.", \
         "崩溃后可以不问人就重做。默认：false。"}, \
        WHY, SOURCE, QUOTE, \
    { \
        "timeout", "duration", 0, "Default: 10m.", "默认：10m。" \
    }

static const struct rb_field fix_fields[] = {
    {"when", "findings", REQ, "The findings it answers, or \"asked\": only by the operator's own choice.",
     "回答哪些 finding；或 \"asked\"：只在操作人自己选时。"},
    {"run", "function", 0, "(p, f, r); batch: (p, fs, r). All verbs. One of run, by_hand and call is required.",
     "(p, f, r)；batch 时 (p, fs, r)。可用全部动词。run、by_hand、call 必有其一。"},
    {"undo", "function", 0, "(p, f, r): takes it back.", "(p, f, r)：撤销。"},
    {"batch", "bool", 0, "One run and one confirmation for all instances; {n} is their number. Default: false.",
     "所有实例一起做、一次确认；{n} 是个数。默认：false。"},
    {"guard", "function", 0, "(p, f, r): true, or false and why it may not be done now. Reads only.",
     "(p, f, r)：true，或 false 和现在不能做的原因。只能读。"},
    {"key", "string", 0,
     "The evidence or parameter name whose value is typed for high risk. Default: the first key field.",
     "高风险时要输入哪个证据或参数的值。默认：第一个 key 字段。"},
    {"verify", "function", 0,
     "(p, f, r): has this fix done its part? Default: its findings, or what they explain, are gone.",
     "(p, f, r)：这个 fix 起作用了吗？默认：它的 finding 或被解释的 finding 已消失。"},
    WITHIN("How long verify may take to hold. Default: one look.", "verify 最多等多久。默认：只看一次。"),
    ACTION_FIELDS,
    END};

static const struct rb_field step_fields[] = {
    {"run", "function", 0, "(p, r). All verbs. One of run, by_hand, call and asks is required.",
     "(p, r)。可用全部动词。run、by_hand、call、asks 必有其一。"},
    {"asks", "questions", 0,
     "{ name = { type, title, choices, default, required } }; the answers are the step's result.",
     "{ 名字 = { type, title, choices, default, required } }；回答就是这一步的结果。"},
    {"when", "findings or function", 0, "Only if one of these findings stands, or the function says true.",
     "这些 finding 有一个成立，或函数返回 true 时才做。"},
    {"undo", "function", 0, "(p, r): takes it back; offered in reverse order.", "(p, r)：撤销；按相反顺序提供。"},
    {"key", "string", 0, "The parameter or result whose value is typed. Required from high risk up.",
     "要输入哪个参数或结果的值。高风险起必填。"},
    {"verify", "function", 0, "(p, r): true when the step has worked. Default: nothing is looked at.",
     "(p, r)：这一步成功时返回 true。默认：不看。"},
    WITHIN("How long verify may take to hold. Default: one look.", "verify 最多等多久。默认：只看一次。"),
    {"optional", "bool", 0, "May be declined; if it fails the run goes on and ends failed. Default: false.",
     "可以不做；失败时继续，最后结果为 failed。默认：false。"},
    {"due", "duration", 0, "By when, from the start of the run, a person should have done it.",
     "从运行开始算，人应在多久内做完。"},
    ACTION_FIELDS,
    END};

static const struct rb_field schedule_fields[] = {
    {"cron", "string", 0, "Five fields: minute hour day month weekday. One of cron and every is required.",
     "五段：分 时 日 月 周。cron 和 every 必有其一。"},
    {"every", "duration", 0, "A fixed interval.", "固定间隔。"},
    {"tz", "string", 0, "Time zone of cron, \"Asia/Shanghai\". Default: the machine's.",
     "cron 的时区，\"Asia/Shanghai\"。默认：本机时区。"},
    {"mode", "enum:diagnose|fix", 0, "Default: diagnose.", "默认：diagnose。"},
    {"allow", "enum:low|medium", 0, "The risk that may go without a person in mode fix. Default: low.",
     "mode 为 fix 时不经人可做的风险。默认：low。"},
    {"fixes", "words", 0, "Only these fixes. Default: all.", "只做这些 fix。默认：全部。"},
    {"with", "map", 0, "Parameters.", "参数。"},
    {"jitter", "duration", 0, "Up to this much later, by chance. Default: 0.", "随机推迟，至多这么久。默认：0。"},
    {"overlap", "enum:skip|queue", 0, "When the last run has not ended. Default: skip.",
     "上一次还没结束时。默认：skip。"},
    {"missed", "enum:once|skip", 0, "After a time when nobody could run it. Default: once.", "错过之后。默认：once。"},
    {"within", "duration", 0, "How late it may still start. Default: until the next firing.",
     "最晚可以迟多久开始。默认：到下一次触发为止。"},
    {"window", "any", 0, "Only inside { from = \"22:00\", to = \"06:00\", days = \"mon-fri\" }; or a list of such.",
     "只在 { from = \"22:00\", to = \"06:00\", days = \"mon-fri\" } 之内；也可以是一个列表。"},
    {"blackout", "any", 0, "Never inside; the same form, or dates: { from = \"2026-12-24\", to = \"2026-12-27\" }.",
     "此时段内不运行；写法相同，也可以是日期：{ from = \"2026-12-24\", to = \"2026-12-27\" }。"},
    {"notify", "words", 0, "Channels told of the result.", "把结果告诉哪些渠道。"},
    END};

static const struct rb_field drill_fields[] = {
    {"inject", "function", REQ, "(d): breaks it on purpose, inside d's folder and processes.",
     "(d)：在 d 的目录和进程里故意弄坏。"},
    {"expect", "findings", REQ, "Exactly the findings that must stand then, causes too; {} = healthy.",
     "此时必须成立的全部 finding，原因也算；{} 表示健康。"},
    {"repair", "words", 0, "The fixes consented to.", "同意哪些 fix。"},
    {"answers", "map", 0, "Steps: answers and refusals, { close = false, choose = { … } }.",
     "步骤：回答和拒绝，{ close = false, choose = { … } }。"},
    {"result", "enum:healthy|found|fixed|done|failed|unknown|waiting|rejected|aborted|timed_out", 0,
     "The result of the run. Default: fixed; healthy when nothing is expected.",
     "运行的结果。默认：fixed；不期待任何 finding 时为 healthy。"},
    {"fails_at", "string", 0, "The step, fix or check that must fail or be refused; the run ends there.",
     "必须在哪个 step、fix 或 check 失败或被拒绝，运行停在那里。"},
    WITHIN("Diagnosis and repair may take so long together. Default: 5m.", "诊断加修复最多用多久。默认：5m。"),
    {"undo", "bool", 0,
     "Every undo that is offered is agreed to. After a run that ended well all of it is taken back, the last first, and "
     "expect must stand again.",
     "同意每个提出的撤销。运行顺利结束后按相反顺序全部撤销，expect 必须重新成立。"},
    {"prove", "function", 0, "(d, out): asserts what must be true in the end.", "(d, out)：断言最后必须成立的事。"},
    {"needs", "words", 0,
     "Programs that must be there, else it fails; root, else it is skipped. --without leaves out by them.",
     "必须有的程序，没有就失败；root，没有就跳过。--without 按它们跳过。"},
    END};

static const struct rb_field test_fields[] = {
    {"given", "map", REQ, "Answers of verbs by name: a value or a function.", "按名字给出动词的回答：值或函数。"},
    {"expect", "findings", REQ, "Exactly the findings that must stand; {} = healthy.",
     "必须成立的全部 finding；{} 表示健康。"},
    {"with", "map", 0, "Parameters.", "参数。"},
    {"result", "enum:healthy|found|fixed|done|failed|unknown|waiting|rejected|aborted|timed_out", 0,
     "The result of the run.", "运行的结果。"},
    END};

static const struct rb_field profile_fields[] = {
    {"like", "string", 0, "Another profile whose names hold where this one is silent.",
     "另一个 profile；这里没写的名字用它的。"},
    {"title", "text", 0, "Which installation this is.", "这是哪一套环境。"},
    END};

const struct rb_block rb_blocks[] = {
    {"runbook", true, runbook_fields, "The head of the file; its name is its path. Exactly one.",
     "文件的开头，名字就是路径。只有一个。",
     "runbook \"liqpass/db-locked\" {\n  title = { zh = \"SQLite 数据库锁死\", en = \"SQLite database is locked\" },\n"
     "  severity = \"P1\", codes = { \"SQLITE_BUSY\" },\n}",
     RB_IN_RUNBOOK},
    {"param", true, param_fields, "A value the runbook takes; alone by its name it comes from the system's profile.",
     "runbook 接受的值；只写名字则取自系统的 profile。",
     "param \"wait\" { type = \"duration\", default = \"2s\", title = { zh = \"写入等多久\", en = \"how long to wait\" } }",
     RB_IN_RUNBOOK | RB_IN_PROFILES},
    {"finding", true, finding_fields, "Something that can be wrong.", "可能出的问题。",
     "finding \"wal-big\" { severity = \"P3\", title = { zh = \"WAL 已有 {bytes:size}\", en = \"the WAL has grown to {bytes:size}\" } }",
     RB_IN_RUNBOOK},
    {"check", true, check_fields, "Looks, in the order of the file, and calls found.",
     "按文件里的顺序查看，调用 found。",
     "check \"lock\" {\n  title = { zh = \"能不能写\", en = \"can it be written\" },\n"
     "  run = function(p) if sqlite.locked(p.db, p.wait) then found(\"locked\") end end,\n}",
     RB_IN_RUNBOOK},
    {"prevent", true, prevent_fields, "What keeps it from happening again; reports, changes nothing.",
     "怎样避免再次发生；只报告，不改动。",
     "prevent \"growth\" { title = { zh = \"容量\", en = \"capacity\" }, by_hand = { zh = \"安排扩容\", en = \"plan more space\" } }",
     RB_IN_RUNBOOK},
    {"fix", true, fix_fields, "Answers findings; the order of the file is the order of safety.",
     "回答 finding；文件里的顺序就是安全的顺序。",
     "fix \"stop-process\" {\n  when = \"process\", risk = \"high\", no_undo = { zh = \"要重新启动\", en = \"start it again\" },\n"
     "  title = { zh = \"停掉进程 {pid}\", en = \"stop process {pid}\" },\n"
     "  run = function(p, f) system.stop(f.pid, { started = f.started }) end,\n}",
     RB_IN_RUNBOOK},
    {"step", true, step_fields, "One step of a procedure; a file has fixes or steps, never both.",
     "流程里的一步；一个文件要么是 fix，要么是 step。",
     "step \"rotate\" {\n  title = { zh = \"轮转日志\", en = \"rotate the logs\" }, risk = \"low\",\n"
     "  run = function(p) return logs.rotate(p.log_dir) end,\n}",
     RB_IN_RUNBOOK},
    {"schedule", true, schedule_fields,
     "When `runbook serve` runs it by itself. In the configuration, by its full name (liqpass/x/nightly): "
     "these fields instead of the runbook's.",
     "什么时候由 `runbook serve` 自动运行。写在配置里时用全名（liqpass/x/nightly）：以这些字段代替 runbook 里的。",
     "schedule \"watch\" { every = \"10m\", mode = \"diagnose\" }", RB_IN_RUNBOOK | RB_IN_CONFIG},
    {"drill", true, drill_fields, "Proves it: breaks it on purpose, looks, repairs, proves.",
     "证明它有效：故意弄坏，查看，修复，验证。",
     "drill \"exclusive\" {\n  inject = function(d) holder(d, \"BEGIN EXCLUSIVE\") end,\n"
     "  expect = { \"locked\", \"process\" }, repair = \"stop-process\",\n}",
     RB_IN_RUNBOOK | RB_IN_DRILLS},
    {"test", true, test_fields, "A run with given answers: nothing is asked of the system (`runbook test`).",
     "用给定的返回值跑一次，不碰系统（`runbook test`）。",
     "test \"down\" { given = { [\"http.get\"] = { ok = false, status = 503 } }, expect = { \"unhealthy\" } }",
     RB_IN_RUNBOOK | RB_IN_DRILLS},
    {"profile", true, profile_fields, "The names of a system: any other field is a parameter's value.",
     "系统里的名字：其余字段都是参数的值。",
     "profile \"liqpass\" { db = \"{home}/us-backend/data/us.sqlite\", home = \"/opt/liqpass\" }",
     RB_IN_RUNBOOK | RB_IN_PROFILES | RB_IN_CONFIG},
    {"connection", true, rb_connection_fields, "A database or service that runbooks reach by this name.",
     "runbook 用这个名字访问的数据库或服务。",
     "connection \"orders\" {\n  url = \"postgres://app@db1.internal:5432/orders\", password = { secret = \"orders-pw\" },\n"
     "  read = { user = \"reader\", password = { secret = \"orders-read-pw\" } },\n}",
     RB_IN_CONFIG},
    {"channel", true, rb_channel_fields, "Where people are told.", "通知发到哪里。",
     "channel \"oncall\" { kind = \"slack\", url = { secret = \"slack-hook\" } }", RB_IN_CONFIG},
    {"secret", true, rb_secret_fields,
     "Where a secret is found. It is read when it is first needed; runbooks, records and screens only see its name.",
     "密钥从哪里取。第一次用到时才读取；runbook、记录和屏幕上只出现它的名字。",
     "secret \"orders-pw\" { file = \"/etc/runbook/orders-pw\" }", RB_IN_CONFIG},
    {"host", true, rb_host_fields, "A machine by name. Recorded, not yet acted on in this version.",
     "一台机器的名字。本版本只记录，尚不生效。", "host \"db1\" { address = \"10.0.0.5\", user = \"ops\" }",
     RB_IN_CONFIG},
    {"contact", true, rb_contact_fields,
     "A person or team to turn to: shown, and told if they have a channel, when nobody decided in time.",
     "可以找的人或团队：没人及时决定时显示，有 channel 的还会通知。",
     "contact \"dba\" { title = { zh = \"DBA 值班\", en = \"DBA on call\" }, phone = \"6001\", channel = \"oncall\" }",
     RB_IN_CONFIG},
    {"user", true, rb_user_fields,
     "Which accounts are one person, and in which roles. Where there are any, only they may approve.",
     "哪些账号是同一个人，有哪些角色。写了 user 之后，只有他们可以审批。",
     "user \"lisi\" { login = \"lisi\", roles = { \"approver\" } }", RB_IN_CONFIG},
    {"policy", true, rb_policy_fields, "A rule of this installation: who must agree, and how.",
     "本环境的规则：谁必须同意、怎样同意。", "policy \"high\" { risk = \"high\", reason = true }", RB_IN_CONFIG},
    {"severity", true, rb_severity_fields, "Who is told by runbook serve at a severity, P0 to P4.",
     "runbook serve 在各级别（P0 到 P4）通知谁。", "severity \"P0\" { channels = { \"oncall\" } }", RB_IN_CONFIG},
    {NULL, false, NULL, NULL, NULL, NULL, 0}};

const struct rb_block *rb_block_find(const char *name)
{
    for (const struct rb_block *block = rb_blocks; name && block->name; block++) {
        if (strcmp(block->name, name) == 0) {
            return block;
        }
    }
    return NULL;
}

const struct rb_field *rb_field_find(const struct rb_block *block, const char *name)
{
    for (const struct rb_field *field = block->fields; name && field->name; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}
