/* The blocks of config.lua, field by field. */
#include "runner/language_config.h"

#include <stddef.h>

#define REQ RB_FIELD_REQUIRED
#define END \
    { \
        NULL, NULL, 0, NULL, NULL \
    }

#define TITLE \
    { \
        "title", "text", 0, "What it is, for the person reading.", "它是什么，给读的人看。" \
    }
#define TLS \
    {"tls", "enum:off|require|verify", 0, \
     "verify: encrypted, and the certificate is checked; require: encrypted only. Default: verify; off for a socket " \
     "and for this machine.", \
     "verify：加密并校验证书；require：只加密。默认：verify；socket 和本机为 off。"}, \
    { \
        "ca", "string", 0, "File with the certificates that are trusted. Default: the system's.", \
            "信任的证书文件。默认：系统的。" \
    }

const struct rb_field rb_connection_fields[] = {
    {"driver", "enum:sqlite|postgres|mysql|redis|rpc|ws|compose", 0, "Default: by the url.", "默认：由 url 决定。"},
    {"url", "string", 0,
     "postgres://user@host:5432/db, mysql://…, redis://host:6379/0, http(s)://… or ws(s)://…; never with a password.",
     "postgres://user@host:5432/db、mysql://…、redis://host:6379/0、http(s)://… 或 ws(s)://…；里面不能有密码。"},
    {"urls", "words", 0, "rpc: more endpoints, tried in this order.", "rpc：更多端点，按顺序尝试。"},
    {"path", "string", 0, "sqlite: the file, absolute.", "sqlite：文件的绝对路径。"},
    {"host", "string", 0, "Name or address, in place of a url.", "主机名或地址，代替 url。"},
    {"port", "int", 0, "Default: the driver's.", "默认：驱动的标准端口。"},
    {"socket", "string", 0, "UNIX socket, in place of host and port.", "UNIX 套接字，代替 host 和 port。"},
    {"user", "string", 0, "The account.", "账号。"},
    {"password", "secret", 0, "{ secret = \"NAME\" }: a secret block, never the password itself.",
     "{ secret = \"名字\" }：指向 secret 块，绝不写密码本身。"},
    {"database", "string", 0, "The database; redis: its number, \"0\".", "数据库名；redis 写编号，例如 \"0\"。"},
    TLS,
    {"pin", "string", 0, "sha256//BASE64 of the server's public key; another one is refused.",
     "服务器公钥的 sha256//BASE64；不一致就拒绝。"},
    {"read", "account", 0,
     "{ user = …, password = { secret = … } }: an account that can only read, used in checks and by reading verbs.",
     "{ user = …, password = { secret = … } }：只读账号，检查和只读动词使用它。"},
    {"headers", "headers", 0, "rpc, ws: { name = \"value\" or { secret = \"NAME\" } }, sent with every request.",
     "rpc、ws：{ 名字 = \"值\" 或 { secret = \"名字\" } }，每个请求都带上。"},
    {"safe", "words", 0, "rpc: methods that only read, beside those known to; ask takes them.",
     "rpc：除已知方法外，只读的方法；ask 可以用。"},
    {"project", "string", 0, "compose: the project's name.", "compose：项目名。"},
    {"asks", "map", 0,
     "compose: { SERVICE = { NAME = { \"command\", \"argument\" } } }: what compose.ask may run in a container; it must only look.",
     "compose：{ 服务 = { 名字 = { \"命令\", \"参数\" } } }：compose.ask 可以在容器里执行的命令；必须只读。"},
    TITLE,
    END};

const struct rb_field rb_channel_fields[] = {
    {"kind", "enum:console|slack|telegram|smtp|wecom|dingtalk|feishu|pagerduty|webhook", REQ, "What it is.", "种类。"},
    {"url", "string or secret", 0, "The address of a webhook; where it is a secret itself: { secret = \"NAME\" }.",
     "webhook 地址；地址本身是密钥时写 { secret = \"名字\" }。"},
    {"token", "secret", 0,
     "telegram: the bot's; pagerduty: the routing key; wecom, dingtalk, feishu: the key of the robot, in place of url.",
     "telegram：机器人的 token；pagerduty：routing key；wecom、dingtalk、feishu：机器人的 key，代替 url。"},
    {"sign", "secret", 0, "dingtalk, feishu, webhook: the key that signs.", "dingtalk、feishu、webhook：签名密钥。"},
    {"chat", "string", 0, "telegram: the chat's id.", "telegram：会话 id。"},
    {"host", "string", 0, "smtp: the server.", "smtp：服务器。"},
    {"port", "int", 0, "smtp: default 587.", "smtp：默认 587。"},
    {"user", "string", 0, "smtp: the account.", "smtp：账号。"},
    {"password", "secret", 0, "smtp: of the account.", "smtp：账号的密码。"},
    {"from", "string", 0, "smtp: the sender.", "smtp：发件人。"},
    {"to", "words", 0, "smtp: the receivers.", "smtp：收件人。"},
    TLS,
    {"headers", "headers", 0, "webhook: { name = \"value\" or { secret = \"NAME\" } }.",
     "webhook：{ 名字 = \"值\" 或 { secret = \"名字\" } }。"},
    {"keyword", "string", 0, "dingtalk: the word its robot asks for. Default: runbook.",
     "dingtalk：机器人要求的关键词。默认：runbook。"},
    {"topic", "int", 0, "telegram: the topic of the group.", "telegram：群里的话题。"},
    {"silent", "bool", 0, "telegram: without a sound. Default: false.", "telegram：不响铃。默认：false。"},
    {"card", "enum:1.0|2.0", 0, "feishu: which cards it gets. Default: 1.0.", "feishu：卡片版本。默认：1.0。"},
    {"mention", "words", 0, "Who is named in the message: user ids, mobiles, or \"all\".",
     "消息里点名的人：用户 id、手机号，或 \"all\"。"},
    {"lang", "enum:zh|en", 0, "Default: that of the program.", "默认：同程序语言。"},
    {"style", "enum:text|markdown|card", 0, "Default: the best the channel has.", "默认：该渠道最合适的形式。"},
    TITLE,
    END};

const struct rb_field rb_secret_fields[] = {
    {"env", "string", 0, "Name of an environment variable. Commands do not inherit it.",
     "环境变量名。子命令不会继承它。"},
    {"file", "string", 0, "A file that only its owner can read; one newline at its end is left out.",
     "只有属主可读的文件；末尾的一个换行不算。"},
    {"credential", "string", 0, "Name of a systemd credential (LoadCredential=).",
     "systemd credential 的名字（LoadCredential=）。"},
    {"command", "command", 0,
     "{ \"program\", \"argument\" }: what it prints, without the newline at the end. It may read and use TCP, nothing more.",
     "{ \"程序\", \"参数\" }：取它的输出，末尾换行不算。它只能读和用 TCP，别的不行。"},
    {"writes", "bool", 0, "The command may write and use UNIX sockets too, as gpg and its agent do. Default: false.",
     "命令还可以写文件、用 UNIX 套接字，例如 gpg 和它的 agent。默认：false。"},
    {"timeout", "duration", 0, "Of the command. Default: 10s.", "命令的时限。默认：10s。"},
    TITLE,
    END};

const struct rb_field rb_host_fields[] = {{"address", "string", REQ, "Name or address.", "主机名或地址。"},
                                          {"user", "string", 0, "The account there.", "那里的账号。"},
                                          {"port", "int", 0, "Default: 22.", "默认：22。"},
                                          TITLE,
                                          END};

const struct rb_field rb_contact_fields[] = {
    {"title", "text", REQ, "Who it is.", "是谁。"},
    {"phone", "string", 0, "A number to call.", "电话。"},
    {"email", "string", 0, "An address.", "邮箱。"},
    {"channel", "string", 0, "A channel block of this configuration.", "本配置里的 channel 块。"},
    END};

const struct rb_field rb_user_fields[] = {
    {"login", "words", REQ, "The accounts of this person on the machine.", "此人在机器上的账号。"},
    {"roles", "words", 0, "operator, approver, author, or your own words.", "operator、approver、author，或自定的词。"},
    {"contact", "string", 0, "A contact block of this configuration.", "本配置里的 contact 块。"},
    TITLE,
    END};

const struct rb_field rb_policy_fields[] = {
    {"risk", "risk", 0, "What it is about: fixes and steps of this risk.", "针对这一风险的 fix 和 step。"},
    {"runbooks", "words", 0, "Only these: ids, or \"mall/*\". Default: all.",
     "只针对这些：id 或 \"mall/*\"。默认：全部。"},
    {"roles", "words", 0, "Who may approve, of the users. Default: approver.",
     "哪些角色的 user 可以审批。默认：approver。"},
    {"approvals", "int", 0, "How many others must agree.", "还要几个人同意。"},
    {"expires", "duration", 0, "How long a request for approval waits; then it is a no. Default: 30m.",
     "审批请求等多久；过时视为不同意。默认：30m。"},
    {"reason", "bool", 0, "A reason must be given. Default: false.", "必须写明原因。默认：false。"},
    {"unattended", "enum:low|medium", 0, "The most a schedule may do without a person. Default: low.",
     "定时不经人最多可以做到的风险。默认：low。"},
    {"window", "any", 0,
     "Outside of { from = \"22:00\", to = \"06:00\", days = \"mon-fri\" }, or a list of such, another person must agree, too.",
     "不在 { from = \"22:00\", to = \"06:00\", days = \"mon-fri\" }（或其列表）之内时，还要另一个人同意。"},
    TITLE,
    END};

const struct rb_field rb_severity_fields[] = {
    {"channels", "words", 0, "Channel blocks of this configuration, all of them told.",
     "本配置里的 channel 块，全部通知。"},
    {"within", "duration", 0, "How soon somebody must have decided. Default: P0 5m, P1 15m, P2 1h, P3 1d, P4 5d.",
     "多久内必须有人做出处理决定。默认：P0 5m、P1 15m、P2 1h、P3 1d、P4 5d。"},
    {"escalate", "words", 0,
     "Contact blocks of this configuration: shown, and told if they have a channel, when nobody decided in time.",
     "本配置里的 contact 块：到时没人做出决定，就显示他们，有 channel 的还会通知。"},
    TITLE,
    END};
