/* settings/store.h - what the setters have collected, before it is resolved. Of this room alone. */
#ifndef HY_SETTINGS_STORE_H
#define HY_SETTINGS_STORE_H

#include "settings/settings.h"

#define HY_URL_LISTS           4
#define HY_MAX_SCHEME_BYTES    32
#define HY_MAX_SETTING_BYTES   1000 /* of a URL's normal form */
#define HY_SETTINGS_WHY_BYTES  512
#define HY_SETTINGS_SHOW_BYTES 200 /* of a refused value in a message */

/* [net] itself (no scheme), or one [net.profiles."SCHEME"]. */
struct hy_settings_table {
    char *scheme;
    int64_t timeouts_ms[HYPHA_TIMEOUTS]; /* 0: not set */
    struct hy_url_array urls[HY_URL_LISTS];
};

struct hypha_settings {
    struct hy_settings_table net;
    struct hy_settings_table *profiles;
    size_t profile_count;
    int64_t numbers[HYPHA_KEYS_NUMBER];
    bool flags[HYPHA_KEYS_FLAG];
    char *texts[HYPHA_KEYS_TEXT];               /* NULL: not set; paths are expanded */
    struct hypha_url *proxies[HYPHA_KEYS_TEXT]; /* of the texts that are proxies */
    uint8_t magic[4];
    struct hy_scheme_array active, mixed;
    struct hy_url_array blacklist;
    struct hy_log log;
    char why[HY_SETTINGS_WHY_BYTES];
};

/* Note for people what is wrong. Returns SETTINGS, so that a check can end with it. */
enum hypha_err hy_settings_refuse(struct hypha_settings *settings, const char *format, ...)
    HYPHA_PRINTF(2, 3);

/* Append, taking over the caller's reference, also on error. Errors: NOMEM. */
enum hypha_err hy_url_array_push(struct hy_url_array *array, struct hypha_url *url);
void hy_url_array_clear(struct hy_url_array *array);
/* Append a copy unless it is there. Errors: NOMEM. */
enum hypha_err hy_scheme_array_add(struct hy_scheme_array *array, const char *scheme);
bool hy_scheme_array_has(const struct hy_scheme_array *array, const char *scheme);
void hy_scheme_array_clear(struct hy_scheme_array *array);

/* The name of a key as the configuration file writes it. */
const char *hy_settings_timeout_name(enum hypha_timeout_key key);

#endif
