/* secret.c - see secret.h. Nothing of a token is left in freed memory. */
#include "daemon/secret.h"
#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLANKS " \t\r\n"

void hy_secret_free(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    hy_free(secret);
}

static enum hypha_err err_of_open(void)
{
    if (errno == ENOENT)
        return HYPHA_ERR_NOT_FOUND;
    return errno == EACCES || errno == EPERM ? HYPHA_ERR_ACCESS : HYPHA_ERR_IO;
}

/* text: cut at its first line's end. */
static enum hypha_err first_line(char *text, char **ret_secret)
{
    char *line = text + strspn(text, " \t");

    line[strcspn(line, "\r\n")] = '\0';
    for (size_t len = strlen(line); len > 0 && strchr(BLANKS, line[len - 1]) != NULL; len--)
        line[len - 1] = '\0';
    if (line[0] == '\0')
        return HYPHA_ERR_INVALID;
    char *secret = hy_strdup(line);
    if (secret == NULL)
        return HYPHA_ERR_NOMEM;
    *ret_secret = secret;
    return HYPHA_OK;
}

enum hypha_err hy_secret_read(const char *path, char **ret_secret, bool *ret_open)
{
    char text[HY_SECRET_MAX_BYTES + 1];
    struct stat about;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_of_open();
    enum hypha_err err = fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? HYPHA_OK : HYPHA_ERR_IO;
    while (err == HYPHA_OK && len < sizeof text) {
        ssize_t got = read(fd, text + len, sizeof text - len);

        if (got == 0)
            break;
        if (got > 0)
            len += (size_t)got;
        else if (errno != EINTR)
            err = HYPHA_ERR_IO;
    }
    (void)close(fd);
    if (err == HYPHA_OK && len == sizeof text)
        err = HYPHA_ERR_LIMIT;
    if (err == HYPHA_OK) {
        text[len] = '\0';
        err = first_line(text, ret_secret);
    }
    if (err == HYPHA_OK)
        *ret_open = (about.st_mode & 077) != 0;
    explicit_bzero(text, sizeof text);
    return err;
}
