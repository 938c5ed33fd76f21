/* book_file.c - HOSTLIST.book: the address book's secret, which nobody else may know, and for the
 * time between two runs the anchors.
 *
 *   hypha-book 1
 *   secret <32 hexadecimal digits>
 *   anchor <URL>          at most two, the one that was connected longest first
 *
 * A missing or damaged one costs nothing but the order of the cells. spec: network.md 10 */
#include "hosts/host.h"

#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEADER     "hypha-book 1"
#define MAX_BYTES  4096
#define HEX_DIGITS (2 * HY_HASH_KEY_BYTES)

static const char target[] = "net::hosts";

static bool book_path(const struct hy_hosts *hosts, char into[HY_PATH_BYTES])
{
    int len = hosts->settings->hostlist != NULL
        ? snprintf(into, HY_PATH_BYTES, "%s.book", hosts->settings->hostlist)
        : -1;

    return len > 0 && len < HY_PATH_BYTES;
}

/* ---- read ---- */

static bool hex_value(uint8_t digit, uint8_t *ret_value)
{
    if (digit >= '0' && digit <= '9')
        *ret_value = (uint8_t)(digit - '0');
    else if (digit >= 'a' && digit <= 'f')
        *ret_value = (uint8_t)(digit - 'a' + 10);
    else
        return false;
    return true;
}

static bool parse_secret(struct hypha_span text, uint8_t secret[HY_HASH_KEY_BYTES])
{
    uint8_t high, low;

    if (text.len != HEX_DIGITS)
        return false;
    for (size_t i = 0; i < HY_HASH_KEY_BYTES; i++) {
        if (!hex_value(text.at[2 * i], &high) || !hex_value(text.at[2 * i + 1], &low))
            return false;
        secret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool take_word(struct hypha_span *line, const char *word)
{
    size_t len = strlen(word);

    if (line->len <= len || memcmp(line->at, word, len) != 0 || line->at[len] != ' ')
        return false;
    *line = hy_span(line->at + len + 1, line->len - len - 1);
    return true;
}

static void read_line(struct hypha_span line, struct hy_book_file *file)
{
    struct hypha_url *url = NULL;

    if (take_word(&line, "secret")) {
        file->has_secret = parse_secret(line, file->secret);
    } else if (file->anchor_count < HY_MAX_ANCHORS && take_word(&line, "anchor") &&
        hypha_url_parse(line, &url) == HYPHA_OK) {
        file->anchors[file->anchor_count++] = url;
    }
}

static void read_lines(struct hypha_span rest, struct hy_book_file *file)
{
    bool known = false;

    while (rest.len > 0) {
        struct hypha_span line = hy_file_take_line(&rest);

        if (!known && !hy_span_is(line, HEADER))
            return;
        if (known)
            read_line(line, file);
        known = true;
    }
}

void hy_book_file_read(const struct hy_hosts *hosts, struct hy_book_file *ret_file)
{
    char path[HY_PATH_BYTES];
    uint8_t bytes[MAX_BYTES];
    size_t len = 0;
    ssize_t got = 1;
    int fd;

    *ret_file = (struct hy_book_file){ 0 };
    if (!book_path(hosts, path))
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        ret_file->is_missing = errno == ENOENT;
        if (errno != ENOENT)
            (void)hy_file_failed(hosts, "opening", path);
        return;
    }
    while (len < sizeof bytes && got != 0) {
        got = read(fd, bytes + len, sizeof bytes - len);
        if (got < 0 && errno != EINTR)
            break;
        len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        (void)hy_file_failed(hosts, "reading", path);
    } else {
        read_lines(hy_span(bytes, len), ret_file);
        ret_file->is_missing = !ret_file->has_secret;
    }
    (void)close(fd);
}

void hy_book_file_fini(struct hy_book_file *file)
{
    while (file->anchor_count > 0)
        hypha_url_unref(file->anchors[--file->anchor_count]);
}

/* ---- write ---- */

enum hypha_err hy_book_file_write(
    struct hy_hosts *hosts, struct hy_host *const *anchors, size_t count)
{
    char path[HY_PATH_BYTES], text[MAX_BYTES], hex[HEX_DIGITS + 1];
    enum hypha_err err;
    size_t len;

    if (!book_path(hosts, path))
        return HYPHA_OK;
    for (size_t i = 0; i < HY_HASH_KEY_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", hosts->book.secret[i]);
    len = (size_t)snprintf(text, sizeof text, HEADER "\nsecret %s\n", hex);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(
            text + len, sizeof text - len, "anchor %s\n", hypha_url_text(anchors[i]->url));
    err = hy_file_write_beside(hosts, path, 0600, hy_span((const uint8_t *)text, len));
    if (err == HYPHA_OK)
        err = hy_file_put(hosts, path);
    if (err == HYPHA_OK)
        hosts->secret_saved = true;
    return err;
}

/* ---- anchors ---- */

/* The outbound peer that has been connected longest, but for some. NULL: none. */
static struct hy_host *longest_connected(
    const struct hy_hosts *hosts, struct hy_host *const *but, size_t count)
{
    struct hy_host *host, *found = NULL;

    LIST_FOREACH (host, &hosts->picked, pick_entry) {
        bool taken = host->state != HY_HOST_CONNECTED || host->colour != HYPHA_COLOUR_GOLD;

        for (size_t i = 0; i < count && !taken; i++)
            taken = but[i] == host;
        if (!taken && (found == NULL || host->connected_ms <= found->connected_ms))
            found = host; /* the list is newest pick first */
    }
    return found;
}

enum hypha_err hy_hosts_save_anchors(struct hy_hosts *hosts)
{
    struct hy_host *anchors[HY_MAX_ANCHORS];
    size_t count = 0;
    enum hypha_err err;

    while (count < HY_MAX_ANCHORS) {
        struct hy_host *host = longest_connected(hosts, anchors, count);

        /* Nobody dials by a text that long. */
        if (host == NULL || strlen(hypha_url_text(host->url)) > HY_HOST_KEY_BYTES)
            break;
        anchors[count++] = host;
    }
    if (hosts->settings->hostlist == NULL || (count == 0 && hosts->secret_saved))
        return HYPHA_OK;
    err = hy_book_file_write(hosts, anchors, count);
    if (err == HYPHA_OK)
        hy_log_debug(
            &hosts->settings->log, target, "Hostlist: %zu anchors for the next run", count);
    return err;
}
