#include "daemon/config.h"
#include "base/alloc.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- paths ---- */

static char *join(const char *a, const char *b, const char *c)
{
    size_t size = strlen(a) + strlen(b) + strlen(c) + 1;
    char *joined = hy_alloc(size);

    if (joined != NULL)
        (void)snprintf(joined, size, "%s%s%s", a, b, c);
    return joined;
}

static const char *home(void)
{
    const char *folder = getenv("HOME");

    if (folder != NULL && folder[0] != '\0')
        return folder;
    const struct passwd *entry = getpwuid(getuid());
    return entry != NULL && entry->pw_dir != NULL && entry->pw_dir[0] != '\0' ? entry->pw_dir
                                                                              : NULL;
}

enum hypha_err hy_config_default_path(const char *file_name, char **ret_path)
{
    const char *base = getenv("XDG_CONFIG_HOME");
    char *path;

    if (base != NULL && base[0] == '/') {
        path = join(base, "/darkfi/", file_name);
    } else {
        base = home();
        if (base == NULL)
            return HYPHA_ERR_NOT_FOUND;
        path = join(base, "/.config/darkfi/", file_name);
    }
    if (path == NULL)
        return HYPHA_ERR_NOMEM;
    *ret_path = path;
    return HYPHA_OK;
}

enum hypha_err hy_config_expand(const char *path, char **ret_path)
{
    char *expanded;

    if (path[0] != '~') {
        expanded = hy_strdup(path);
    } else if (path[1] == '/') {
        const char *folder = home();

        if (folder == NULL)
            return HYPHA_ERR_NOT_FOUND;
        expanded = join(folder, path + 1, "");
    } else {
        return HYPHA_ERR_INVALID;
    }
    if (expanded == NULL)
        return HYPHA_ERR_NOMEM;
    *ret_path = expanded;
    return HYPHA_OK;
}

static enum hypha_err err_of_errno(int number)
{
    switch (number) {
    case ENOENT:
        return HYPHA_ERR_NOT_FOUND;
    case EEXIST:
        return HYPHA_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return HYPHA_ERR_ACCESS;
    case ENOMEM:
        return HYPHA_ERR_NOMEM;
    default:
        return HYPHA_ERR_IO;
    }
}

static enum hypha_err make_parents(const char *path)
{
    char *copy = hy_strdup(path);
    enum hypha_err err = copy != NULL ? HYPHA_OK : HYPHA_ERR_NOMEM;

    for (char *slash = copy; err == HYPHA_OK && (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST)
            err = err_of_errno(errno);
        *slash = '/';
    }
    hy_free(copy);
    return err;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, text, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        text += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

enum hypha_err hy_config_write_template(const char *path, const char *text)
{
    enum hypha_err err = path[0] != '\0' ? make_parents(path) : HYPHA_ERR_IO;

    if (err != HYPHA_OK)
        return err;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_of_errno(errno);
    bool ok = write_all(fd, text, strlen(text));
    if (close(fd) != 0)
        ok = false;
    if (!ok)
        (void)unlink(path); /* half a config is worse than none */
    return ok ? HYPHA_OK : HYPHA_ERR_IO;
}

/* ---- loading ---- */

static enum hypha_err read_file(const char *path, char **ret_text, size_t *ret_len)
{
    struct stat about;
    size_t len = 0;
    /* Not blocking: a FIFO by that name must not hang the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_of_errno(errno);
    enum hypha_err err = HYPHA_OK;
    char *text = NULL;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        err = HYPHA_ERR_IO;
    else if (about.st_size > HY_CONFIG_MAX_BYTES)
        err = HYPHA_ERR_LIMIT;
    else if ((text = hy_alloc((size_t)about.st_size + 1)) == NULL)
        err = HYPHA_ERR_NOMEM;
    while (err == HYPHA_OK && len < (size_t)about.st_size) {
        ssize_t got = read(fd, text + len, (size_t)about.st_size - len);

        if (got < 0 && errno != EINTR)
            err = HYPHA_ERR_IO;
        else if (got == 0)
            break;
        else if (got > 0)
            len += (size_t)got;
    }
    (void)close(fd);
    if (err != HYPHA_OK) {
        hy_free(text);
        return err;
    }
    *ret_text = text;
    *ret_len = len;
    return HYPHA_OK;
}

enum hypha_err hy_config_load(struct hy_config *config, const char *path)
{
    struct hy_toml_problem problem = { 0 };
    char *text = NULL;
    size_t len = 0;

    *config = (struct hy_config){ .file = path };
    enum hypha_err err = read_file(path, &text, &len);
    if (err != HYPHA_OK) {
        (void)snprintf(config->why, sizeof config->why, "%.300s: %s", path,
            err == HYPHA_ERR_IO          ? "not a readable file"
                : err == HYPHA_ERR_LIMIT ? "longer than 1 MiB"
                                         : hypha_err_text(err));
        return err;
    }
    err = hy_toml_parse(text, len, &config->root, &problem);
    hy_free(text);
    if (err == HYPHA_ERR_MALFORMED)
        (void)snprintf(config->why, sizeof config->why, "%.200s:%u:%u: %s", path, problem.line,
            problem.column, problem.text);
    else if (err != HYPHA_OK)
        (void)snprintf(config->why, sizeof config->why, "%.300s: %s", path, hypha_err_text(err));
    return err;
}

void hy_config_fini(struct hy_config *config)
{
    hy_toml_destroy(config->root);
    for (size_t i = 0; i < config->warning_count; i++)
        hy_free(config->warnings[i]);
    *config = (struct hy_config){ 0 };
}

/* ---- reading tables ---- */

void hy_config_refuse(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)snprintf(config->why, sizeof config->why, "%.200s:%u:%u: %.100s: %s", config->file,
        value->value_line, value->value_column, path, text);
}

void hy_config_warn(
    struct hy_config *config, const struct hy_toml_node *value, const char *format, ...)
{
    char text[300];
    char line[600];
    va_list args;

    if (config->warning_count == HY_CONFIG_MAX_WARNINGS)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)snprintf(
        line, sizeof line, "%.250s:%u:%u: %s", config->file, value->line, value->column, text);
    char *copy = hy_strdup(line);
    if (copy != NULL)
        config->warnings[config->warning_count++] = copy;
}

bool hy_config_is(struct hy_config *config, const struct hy_toml_node *value, const char *path,
    enum hy_toml_kind kind)
{
    if (value->kind == kind)
        return true;
    hy_config_refuse(config, value, path, "expected %s, found %s", hy_toml_kind_name(kind),
        hy_toml_kind_name(value->kind));
    return false;
}

#define NAME_MAX_BYTES 48

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance; names longer than NAME_MAX_BYTES are far from all. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];

            row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *hy_config_nearest(const char *name, const struct hy_config_key *keys, size_t count)
{
    const char *nearest = NULL;
    size_t least = strlen(name) / 2 < 3 ? strlen(name) / 2 + 1 : 4;

    for (size_t i = 0; i < count; i++) {
        size_t far = distance(name, keys[i].name);

        if (far < least) {
            least = far;
            nearest = keys[i].name;
        }
    }
    return nearest;
}

static const struct hy_config_key *find_key(
    const char *name, const struct hy_config_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

bool hy_config_read_table(struct hy_config *config, const struct hy_toml_node *table,
    const char *path, const struct hy_config_key *keys, size_t count, void *target)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct hy_toml_node *value = &table->children[i];
        const struct hy_config_key *key = find_key(value->key, keys, count);
        char shown[64], here[160];

        (void)hy_span_escape(hy_span_of(value->key), shown, sizeof shown);
        (void)snprintf(here, sizeof here, "%.90s%s%s", path, path[0] != '\0' ? "." : "", shown);
        if (key == NULL) {
            const char *nearest = hy_config_nearest(value->key, keys, count);

            hy_config_warn(config, value, "unknown key \"%s\" is ignored%s%s%s", here,
                nearest != NULL ? "; did you mean \"" : "", nearest != NULL ? nearest : "",
                nearest != NULL ? "\"?" : "");
        } else if (!key->apply(config, value, here, key, target)) {
            return false;
        }
    }
    return true;
}
