/* Mail: plain text and HTML, both base64, so that no line of foreign text is a line of the protocol. The mails of a run
 * refer to one id, and mail programs show them as one conversation. */
#include "notify/channel.h"

#include <string.h>

#include "notify/mail.h"
#include "notify/text.h"

#define TO_MAX 50
#define BOUNDARY "=_rb" /* cannot occur in base64 */

/* Port 465 and smtps:// speak TLS from the first byte, the others after STARTTLS; only tls.mode = "off" goes without.
 */
static int url_of(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    const char *url = rb_json_str(job->channel, "url", "");
    if (*url) {
        rb_notify_url_whole(out, url, 0);
        return 0;
    }
    const char *host = rb_notify_setting(job, "host", err);
    if (!host) {
        return RB_EUSAGE;
    }
    int port = (int)rb_json_int(job->channel, "port", 587);
    const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
    (void)rb_buf_addf(&out->url, "%s://%s%s%s:%d", port == 465 ? "smtps" : "smtp", open, host, close, port);
    (void)rb_buf_adds(&out->shown, rb_buf_str(&out->url));
    return 0;
}

/* "Name <address>": the name encoded where it must be. */
static int from_header(const char *from, struct rb_notify_request *out, struct rb_err *err)
{
    struct rb_buf name, line;
    rb_buf_init(&name, 4096);
    rb_buf_init(&line, 8192);
    int rc = rb_mail_address(from, out->from, &name, err);
    if (rc == 0 && name.len) {
        rb_mail_header(&line, "From", rb_buf_str(&name));
        (void)rb_buf_add(&out->body, line.data, line.len - 2); /* the address belongs to the same header */
        (void)rb_buf_addf(&out->body, "%s <%s>\r\n", line.len > 60 ? "\r\n" : "", out->from);
    } else if (rc == 0) {
        (void)rb_buf_addf(&out->body, "From: %s\r\n", out->from);
    }
    rb_buf_deinit(&name);
    rb_buf_deinit(&line);
    return rc;
}

static int to_header(const json_t *to, struct rb_notify_request *out, struct rb_err *err)
{
    size_t count = json_is_string(to) ? 1 : json_array_size(to);
    if (count == 0 || count > TO_MAX) {
        return rb_err_set(err, RB_EUSAGE, RB_T_notify_mail_to, TO_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_is_string(to) ? to : json_array_get(to, i));
        char address[256];
        int rc = rb_mail_address(text ? text : "", address, NULL, err);
        if (rc != 0) {
            return rc;
        }
        json_array_append_new(out->to, json_string(address));
        (void)rb_buf_addf(&out->body, "%s%s%s", i ? " " : "To: ", address, i + 1 < count ? ",\r\n" : "\r\n");
    }
    return 0;
}

/* An id is made of what we were given, so only what an id may hold. */
static void put_id(struct rb_buf *out, const char *text)
{
    for (; *text; text++) {
        bool plain = (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        (void)rb_buf_add(out, plain || *text == '-' || *text == '_' ? text : "_", 1);
    }
}

static void headers(const struct rb_notify_job *job, struct rb_notify_request *out, const char *domain)
{
    const struct rb_notify_message *m = job->message;
    struct rb_buf subject, date, root;
    rb_buf_init(&subject, 1 << 13);
    rb_buf_init(&date, 64);
    rb_buf_init(&root, 1 << 12);
    rb_mail_date(&date, job->now_us);
    (void)rb_notify_headline(&subject, m);
    put_id(&root, *m->thread ? m->thread : m->run);
    (void)rb_buf_addf(&out->body, "Date: %s\r\n", rb_buf_str(&date));
    rb_mail_header(&out->body, "Subject", rb_buf_str(&subject));
    (void)rb_buf_adds(&out->body, "Message-ID: <");
    put_id(&out->body, job->id);
    (void)rb_buf_addf(&out->body, "@%s>\r\n", domain);
    if (root.len) {
        (void)rb_buf_addf(&out->body, "In-Reply-To: <%s.0@%s>\r\nReferences: <%s.0@%s>\r\n", rb_buf_str(&root), domain,
                          rb_buf_str(&root), domain);
    }
    (void)rb_buf_adds(&out->body, "Auto-Submitted: auto-generated\r\n");
    if (*m->run) {
        rb_mail_header(&out->body, "X-Runbook-Run", m->run);
    }
    (void)rb_buf_adds(&out->body,
                      "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"" BOUNDARY "\"\r\n");
    rb_buf_deinit(&subject);
    rb_buf_deinit(&date);
    rb_buf_deinit(&root);
}

static void origin_line(struct rb_buf *text, const struct rb_notify_message *m, const struct rb_notify_swap *swaps)
{
    struct rb_buf origin;
    char time[32];
    rb_buf_init(&origin, 1 << 12);
    rb_notify_origin(&origin, m, "  ");
    rb_notify_local_time(m, time);
    (void)rb_notify_put(text, rb_buf_str(&origin), swaps, 400);
    (void)rb_buf_addf(text, "%s%s", origin.len ? "  " : "", time);
    rb_buf_deinit(&origin);
}

static const struct rb_notify_swap line_ends[] = {{'\n', "\r\n"}, {0}};

static void plain_part(struct rb_buf *text, const struct rb_notify_job *job, const json_t *facts, size_t more)
{
    const struct rb_notify_message *m = job->message;
    const json_t *one;
    size_t i;
    (void)rb_notify_headline(text, m);
    (void)rb_buf_adds(text, "\r\n\r\n");
    json_array_foreach(facts, i, one) {
        (void)rb_buf_addf(text, "%s%s%s\r\n", json_string_value(json_array_get(one, 0)), rb_notify_zh(m) ? "：" : ": ",
                          json_string_value(json_array_get(one, 1)));
    }
    (void)(more ? rb_buf_addf(text, "… (+%zu)\r\n", more) : 0);
    if (*m->text) {
        (void)rb_buf_adds(text, json_array_size(facts) ? "\r\n" : "");
        (void)rb_notify_put(text, m->text, line_ends, job->fit.text);
        (void)rb_buf_adds(text, "\r\n");
    }
    json_array_foreach(m->links, i, one) {
        (void)rb_buf_addf(text, "\r\n%s: %s\r\n", rb_json_str(one, "label", ""), rb_json_str(one, "url", ""));
    }
    (void)rb_buf_adds(text, "\r\n-- \r\n");
    origin_line(text, m, NULL);
    (void)rb_buf_adds(text, "\r\n");
}

static void html_part(struct rb_buf *text, const struct rb_notify_job *job, const json_t *facts, size_t more)
{
    const struct rb_notify_message *m = job->message;
    const json_t *one;
    struct rb_buf head;
    size_t i;
    rb_buf_init(&head, 1 << 13);
    (void)rb_notify_headline(&head, m);
    (void)rb_buf_adds(text, "<!doctype html><html><body><h3>");
    (void)rb_notify_put(text, rb_buf_str(&head), rb_notify_html, 300);
    (void)rb_buf_adds(text, "</h3>");
    json_array_foreach(facts, i, one) {
        (void)rb_buf_adds(text, i ? "<tr><td>" : "<table><tr><td>");
        (void)rb_notify_put(text, json_string_value(json_array_get(one, 0)), rb_notify_html, 300);
        (void)rb_buf_adds(text, "</td><td><b>");
        (void)rb_notify_put(text, json_string_value(json_array_get(one, 1)), rb_notify_html, 4000);
        (void)rb_buf_adds(text, "</b></td></tr>");
    }
    (void)rb_buf_adds(text, json_array_size(facts) ? "</table>" : "");
    (void)(more ? rb_buf_addf(text, "<p>… (+%zu)</p>", more) : 0);
    if (*m->text) {
        (void)rb_buf_adds(text, "<p style=\"white-space:pre-wrap\">");
        (void)rb_notify_put(text, m->text, rb_notify_html, job->fit.text);
        (void)rb_buf_adds(text, "</p>");
    }
    json_array_foreach(m->links, i, one) {
        (void)rb_buf_adds(text, "<p><a href=\"");
        (void)rb_notify_put(text, rb_json_str(one, "url", ""), rb_notify_html, 4000);
        (void)rb_buf_adds(text, "\">");
        (void)rb_notify_put(text, rb_json_str(one, "label", ""), rb_notify_html, 100);
        (void)rb_buf_adds(text, "</a></p>");
    }
    (void)rb_buf_adds(text, "<p><small>");
    origin_line(text, m, rb_notify_html);
    (void)rb_buf_adds(text, "</small></p></body></html>\r\n");
    rb_buf_deinit(&head);
}

static void add_part(struct rb_buf *body, const char *type, struct rb_buf *text)
{
    (void)rb_buf_addf(body,
                      "\r\n--" BOUNDARY "\r\nContent-Type: %s; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: base64\r\n\r\n",
                      type);
    rb_mail_base64(body, text->data, text->len);
    rb_buf_deinit(text);
}

static void parts(const struct rb_notify_job *job, struct rb_notify_request *out)
{
    struct rb_buf plain, html;
    size_t more;
    json_t *facts = rb_notify_facts(job, 50, &more);
    rb_buf_init(&plain, 2 << 20);
    rb_buf_init(&html, 2 << 20);
    plain_part(&plain, job, facts, more);
    html_part(&html, job, facts, more);
    add_part(&out->body, "text/plain", &plain);
    add_part(&out->body, "text/html", &html);
    (void)rb_buf_adds(&out->body, "\r\n--" BOUNDARY "--\r\n");
    json_decref(facts);
}

static int render(const struct rb_notify_job *job, struct rb_notify_request *out, struct rb_err *err)
{
    int ready = url_of(job, out, err);
    const char *from = ready == 0 ? rb_notify_setting(job, "from", err) : NULL;
    int rc = from ? from_header(from, out, err) : RB_EUSAGE;
    rc = rc ? rc : to_header(json_object_get(job->channel, "to"), out, err);
    if (rc != 0) {
        return rc;
    }
    headers(job, out, strchr(out->from, '@') + 1);
    parts(job, out);
    return 0;
}

/* 5xx is for good; 4xx and a connection that breaks may pass. */
static void fault(const struct rb_notify_reply *reply, struct rb_notify_verdict *out)
{
    if (reply->status >= 500) {
        bool auth = reply->status == 530 || reply->status == 534 || reply->status == 535;
        out->fate = RB_NOTIFY_FINAL;
        rb_err_set(&out->why, auth ? RB_EAUTH : RB_ESTATUS, RB_T_notify_mail_refused, (int)reply->status);
        if (auth) {
            rb_err_hint(&out->why, RB_T_notify_hint_login);
        }
    }
}

const struct rb_notify_kind rb_notify_smtp = {
    .name = "smtp", .render = render, .limit = 1 << 20, .fault = fault, .every = 2, .burst = 10, .merge = true};
