/* What parameters are when nothing is given, and who says so, for people who look before they run. */
#include <stdio.h>

#include "base/json.h"
#include "runner/language.h"
#include "runner/language_lint.h"
#include "runner/params.h"

struct shown {
    const char *profile;
    json_t *params; /* {name: fields}: all that are declared */
    json_t *values; /* {name: value} of the profile, the operator's over the others … */
    json_t *config; /* … and those of the operator alone */
};

static const char *from_of(const struct shown *s, const char *name)
{
    return json_object_get(s->config, name) ? "config" : json_object_get(s->values, name) ? "profile" : "default";
}

/* The names that a text stands on; NULL when it is plain. */
static json_t *uses_of(const struct shown *s, const json_t *raw)
{
    json_t *uses = json_object();
    for (const char *p = json_is_string(raw) ? json_string_value(raw) : ""; *p; p++) {
        char name[80];
        size_t len = rb_param_hole(p);
        if (len) {
            snprintf(name, sizeof name, "%.*s", (int)len, p + 1);
            json_object_set_new(uses, name, json_string(from_of(s, name)));
        }
    }
    if (!json_object_size(uses)) {
        json_decref(uses);
        return NULL;
    }
    return uses;
}

static json_t *shown_one(const struct shown *s, const char *name)
{
    json_t *own = json_object_get(s->values, name), *fields = json_object_get(s->params, name);
    json_t *raw = own ? own : json_object_get(fields, "default"), *uses = uses_of(s, raw);
    json_t *one = json_pack("{s:s, s:s}", "from", from_of(s, name), "profile", s->profile);
    json_t *value = rb_params_written(s->params, s->values, name);
    if (value || (raw && !json_is_null(raw))) { /* what it stands on may be missing: as it is written, then */
        json_object_set(one, "value", value ? value : raw);
    }
    if (uses) {
        json_object_set(one, "text", raw);
        json_object_set_new(one, "uses", uses);
    }
    json_decref(value);
    return one;
}

/* The operator's profiles over those that came with the runbook. New reference. */
static json_t *profiles_over(const json_t *under, const json_t *over)
{
    json_t *all = json_deep_copy(under), *profile;
    const char *name;
    json_object_foreach((json_t *)over, name, profile) {
        json_t *same = json_object_get(all, name);
        if (!same) {
            json_object_set_new(all, name, json_deep_copy(profile));
            continue;
        }
        json_object_update(json_object_get(same, "values"), json_object_get(profile, "values"));
        if (json_object_get(profile, "like")) {
            json_object_set(same, "like", json_object_get(profile, "like"));
        }
    }
    return all;
}

json_t *rb_params_shown(const json_t *meta, const json_t *config)
{
    const char *profile = rb_json_str(meta, "profile", "");
    json_t *over = rb_config_profiles(config, rb_json_str(meta, "id", "")), *all = json_object(), *item;
    json_t *profiles = profiles_over(json_object_get(meta, "profiles"), over);
    struct shown s = {profile, rb_params_all(meta), rb_profile_values(profiles, profile),
                      rb_profile_values(over, profile)};
    size_t i;
    json_array_foreach(json_object_get(json_object_get(meta, "params"), "order"), i, item) {
        json_object_set_new(all, json_string_value(item), shown_one(&s, json_string_value(item)));
    }
    json_decref(s.params);
    json_decref(s.values);
    json_decref(s.config);
    json_decref(profiles);
    json_decref(over);
    return all;
}
